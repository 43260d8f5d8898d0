/* SPDX-License-Identifier: ISC */
#include "proto/lang.h"

#include "proto/limits.h"
#include "proto/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
finds_languages(void **state UNUSED)
{
	static const struct {
		const char	*range;
		const char	*tag;		/* NULL: none */
	} cases[] = {
		{ "en", "en" }, { "de", "de" }, { "DE", "de" },
		{ "pt-BR", "pt" }, { "de-Latn-CH-1996", "de" },
		{ "en-boont", "en" }, { "fr-", "fr" },
		{ "deu", NULL }, { "d", NULL }, { "", NULL }, { "-", NULL },
		{ "-de", NULL }, { "mul", NULL }, { "*", NULL },
		{ "*-de", NULL }, { "x-de", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t	lang = 0xff;
		bool	found = lang_find(span_str(cases[i].range), &lang);

		assert_int_equal(found, cases[i].tag != NULL);
		if (found)
			assert_string_equal(lang_tag(lang), cases[i].tag);
		else
			assert_int_equal(lang, 0xff);
	}
}

static uint8_t
german(void)
{
	uint8_t lang = 0;

	assert_true(lang_find(SPAN("de"), &lang));
	return lang;
}

static void
translates(void **state UNUSED)
{
	static const char text[] = "Unknown command.";

	assert_string_equal(lang_text(german(), text), "Unbekannter Befehl.");
	assert_ptr_equal(lang_text(0, text), text);
	assert_string_equal(lang_text(german(), "No catalogue has this."),
	    "No catalogue has this.");
	assert_string_equal(lang_text(german(), ""), "");
	assert_true(lang_count() >= 5);
	assert_string_equal(lang_name(german()), "Deutsch");
}

static void
packs_words(void **state UNUSED)
{
	struct words w;
	unsigned     good = 0;

	for (unsigned i = 0; i <= UINT8_MAX; i++)
		if (words_unpack((uint8_t)i, &w)) {
			assert_int_equal(words_pack(w), i);
			good++;
		}
	assert_int_equal(good, 2u * WORDS_WAYS * lang_count());
}

static void
cuts_between_characters(void **state UNUSED)
{
	static const struct {
		const char	*text;
		size_t		 n;		/* octets that there are */
		size_t		 want;
	} cases[] = {
		{ "", 0, 0 }, { "a", 1, 1 }, { "\xc3\xa4", 2, 2 },
		{ "\xc3\xa4", 1, 0 }, { "a\xe2\x82\xac", 3, 1 },
		{ "a\xe2\x82\xac", 4, 4 }, { "a\xf0\x9f\x98\x80", 4, 1 },
		{ "a\xf0\x9f\x98\x80", 5, 5 }, { "\x80\x80", 2, 2 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(lang_whole(span_of(cases[i].text,
		    cases[i].n)).n, cases[i].want);
}

/* A reply is in the language, its code is not, and no character is cut. */
static void
replies_in_it(void **state UNUSED)
{
	struct buf	out;
	char		host[LIMIT_REPLY];

	buf_init(&out, 8192);
	out.tag = german();
	assert_int_equal(reply_err(&out, CODE_SYS_TEMP, "Line too long."), 0);
	assert_true(span_eq(buf_span(&out),
	    SPAN("-ERR [SYS/TEMP] Die Zeile ist zu lang.\r\n")));
	buf_clear(&out);
	assert_int_equal(reply_err_text(&out, CODE_NONE, "Not a valid number."),
	    0);
	assert_true(span_eq(buf_span(&out),
	    SPAN("-ERR Das ist keine g\xc3\xbcltige Zahl.\r\n")));
	for (size_t i = 300; i < sizeof(host); i++) {
		memset(host, 'h', i);
		host[i - 2] = '\xc3';
		host[i - 1] = '\xa4';
		host[i] = '\0';
		buf_clear(&out);
		assert_int_equal(reply_ok(&out, "%s", host), 0);
		assert_true(buf_len(&out) <= LIMIT_REPLY);
		assert_int_not_equal(out.p[out.off + buf_len(&out) - 3], 0xc3);
	}
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_languages),
		cmocka_unit_test(translates),
		cmocka_unit_test(packs_words),
		cmocka_unit_test(cuts_between_characters),
		cmocka_unit_test(replies_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
