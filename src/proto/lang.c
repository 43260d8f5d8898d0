/* SPDX-License-Identifier: ISC */
#include "proto/lang.h"

#include "proto/lang_texts.h"

#include <assert.h>

#define UTF8_ON		0x80u
#define WAY		0x10u		/* the lowest bit of it */
static_assert(LANG_COUNT <= WAY && WAY * WORDS_WAYS == UTF8_ON,
    "all fit in an octet");

uint8_t
words_pack(struct words w)
{
	ASSERT(w.lang < LANG_COUNT && w.way < WORDS_WAYS);
	return (uint8_t)(w.lang | w.way * WAY | (w.utf8 ? UTF8_ON : 0));
}

bool
words_unpack(uint8_t octet, struct words *out)
{
	*out = (struct words){
		.lang = octet % WAY,
		.way = octet / WAY % WORDS_WAYS,
		.utf8 = (octet & UTF8_ON) != 0,
	};
	return out->lang < LANG_COUNT;
}

static const char *
text_at(uint16_t at)
{
	return (const char *)pool + at;
}

uint8_t
lang_count(void)
{
	return LANG_COUNT;
}

const char *
lang_tag(uint8_t lang)
{
	ASSERT(lang < LANG_COUNT);
	return text_at(names[lang][0]);
}

const char *
lang_name(uint8_t lang)
{
	ASSERT(lang < LANG_COUNT);
	return text_at(names[lang][1]);
}

static size_t
last_hyphen(struct span s)
{
	size_t n = s.n;

	while (n > 0 && s.p[n - 1] != '-')
		n--;
	return n > 0 ? n - 1 : 0;
}

bool
lang_find(struct span range, uint8_t *lang_r)
{
	for (; range.n > 0; range.n = last_hyphen(range))
		for (uint8_t i = 0; i < LANG_COUNT; i++)
			if (span_eq_nocase(range, span_str(lang_tag(i)))) {
				*lang_r = i;
				return true;
			}
	return false;
}

const char *
lang_text(uint8_t lang, const char *english)
{
	size_t from = 0;
	size_t to = lang == 0 ? 0 : ARRAY_LEN(rows);

	ASSERT(lang < LANG_COUNT);
	while (from < to) {
		size_t	at = from + (to - from) / 2;
		int	order = strcmp(english, text_at(rows[at][0]));

		if (order == 0)
			return text_at(rows[at][lang]);
		if (order < 0)
			to = at;
		else
			from = at + 1;
	}
	return english;
}

struct span
lang_whole(struct span s)
{
	size_t	n = s.n;
	size_t	want;

	while (n > 0 && (s.p[n - 1] & 0xc0) == 0x80)
		n--;
	if (n == 0 || s.p[n - 1] < 0xc0)
		return s;		/* ASCII at its end, or no UTF-8 */
	want = s.p[n - 1] >= 0xf0 ? 4 : s.p[n - 1] >= 0xe0 ? 3 : 2;
	return s.n - (n - 1) < want ? span_first(s, n - 1) : s;
}
