/* SPDX-License-Identifier: ISC */
/*
 * From the text of a value to its type.  Pure but for the strings kept.
 */
#include "conf/conf_priv.h"

#include "base/num.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

struct unit {
	char		letter;		/* lower case */
	uint64_t	factor;
};
static const struct unit times[] = {
	{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
};
static const struct unit sizes[] = {
	{ 'k', 1u << 10 }, { 'm', 1u << 20 }, { 'g', 1u << 30 },
	{ 't', UINT64_C(1) << 40 },
};

/* "10m": digits and at most one letter of the units. */
static bool
number(const char *text, const struct unit *units, size_t n, uint64_t *out)
{
	struct span	s = span_trim(span_str(text));
	size_t		len;

	if (!num_prefix(s, UINT64_MAX, out, &len) || len == 0)
		return false;
	s = span_skip(s, len);
	if (s.n == 0)
		return true;
	for (size_t i = 0; i < n && s.n == 1; i++) {
		if (ascii_lower(s.p[0]) == (uint8_t)units[i].letter)
			return num_mul(*out, units[i].factor, out);
	}
	return false;
}

static bool
boolean(const char *text, bool *out)
{
	static const struct { const char *word; bool is; } words[] = {
		{ "yes", true }, { "no", false }, { "on", true },
		{ "off", false }, { "true", true }, { "false", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (span_eq_nocase(span_str(text), span_str(words[i].word))) {
			*out = words[i].is;
			return true;
		}
	}
	return false;
}

/* Say which words there are, and which of them was probably meant. */
static void
expect_word(const struct conf_option *row, const char *text, char *out,
    size_t cap)
{
	size_t n = (size_t)snprintf(out, cap, "one of:");

	for (const char *const *w = row->words; *w != NULL && n < cap; w++)
		n += (size_t)snprintf(out + n, cap - n, " %s", *w);
	for (const char *const *w = row->words; *w != NULL && n < cap; w++) {
		if (!suggest_close(suggest_distance(text, *w), *w))
			continue;
		snprintf(out + n, cap - n, " (did you mean \"%s\"?)", *w);
		return;
	}
}

static bool
word(const struct conf_option *row, const char *text, int *out)
{
	for (int i = 0; row->words[i] != NULL; i++) {
		if (span_eq_nocase(span_str(text), span_str(row->words[i]))) {
			*out = i;
			return true;
		}
	}
	return false;
}

static bool
ranged(const struct conf_option *row, uint64_t v, uint64_t type_max,
    const char *what, char *expected, size_t cap)
{
	uint64_t max = row->max != 0 && row->max < type_max ? row->max : type_max;

	if (v >= row->min && v <= max)
		return true;
	if (max == type_max)
		snprintf(expected, cap, "%s of at least %" PRIu64, what,
		    row->min);
	else
		snprintf(expected, cap, "%s from %" PRIu64 " to %" PRIu64, what,
		    row->min, max);
	return false;
}

static bool
set_number(const struct conf_option *row, const char *text, void *field,
    char *expected, size_t cap)
{
	static const char count[] = "a whole number";
	static const char seconds[] = "a time in seconds";
	static const char octets[] = "a size in octets";
	uint64_t v = 0;

	if (row->type == CONF_SIZE) {
		if (!number(text, sizes, ARRAY_LEN(sizes), &v)) {
			snprintf(expected, cap, "%s, or a number with K, M, G "
			    "or T, such as 32M", octets);
			return false;
		}
		if (!ranged(row, v, INT64_MAX, octets, expected, cap))
			return false;
		*(uint64_t *)field = v;
		return true;
	}
	if (row->type == CONF_SECONDS) {
		if (!number(text, times, ARRAY_LEN(times), &v)) {
			snprintf(expected, cap, "%s, or a number with m, h or "
			    "d, such as 600 or 10m", seconds);
			return false;
		}
		/* Milliseconds of it fit an int, as poll(2) wants them. */
		if (!ranged(row, v, INT_MAX / 1000, seconds, expected, cap))
			return false;
	} else {
		if (!number(text, NULL, 0, &v)) {
			snprintf(expected, cap, "%s, such as 20", count);
			return false;
		}
		if (!ranged(row, v, UINT_MAX, count, expected, cap))
			return false;
	}
	*(unsigned *)field = (unsigned)v;
	return true;
}

static bool
add_item(const struct conf_option *row, struct span s,
    const struct value_place *where, struct conf_list *list, char *expected,
    size_t cap)
{
	char item[CONF_VALUE_MAX + 1];

	if (!span_cstr(s, item, sizeof(item)) ||
	    (row->valid != NULL && !row->valid(item))) {
		snprintf(expected, cap, "\"%.80s\" in that form", item);
		return false;
	}
	if (row->fits != NULL && !row->fits(item, expected, cap))
		return false;
	if (list->n == CONF_LIST_MAX) {
		snprintf(expected, cap, "at most %d of them", CONF_LIST_MAX);
		return false;
	}
	list->line[list->n] = where->line;
	list->item[list->n++] = where->keep(where->ctx, "", item);
	return true;
}

/* Blanks separate items, so that a default can be written in one line; or an
 * item has blanks. */
static bool
set_list(const struct conf_option *row, const char *text,
    const struct value_place *where, char *expected, size_t cap)
{
	struct conf_list	*list = where->field;
	struct conf_list	 got = { .n = 0 };
	struct span		 rest = span_str(text);
	struct span		 w = rest;

	if (where->add)
		got = *list;
	if (row->type == CONF_LIST)
		w = span_word(&rest);
	while (w.n > 0) {
		if (!add_item(row, w, where, &got, expected, cap))
			return false;
		w = row->type == CONF_LIST ? span_word(&rest) : SPAN("");
	}
	*list = got;
	return true;
}

static bool
set_text(const struct conf_option *row, const char *text,
    const struct value_place *where, char *expected, size_t cap)
{
	bool relative = row->type == CONF_PATH && text[0] != '\0' &&
	    text[0] != '/';

	if (row->min > 0 && text[0] == '\0') {
		snprintf(expected, cap, "something; it may not be empty");
		return false;
	}
	if (row->valid != NULL && !row->valid(text)) {
		snprintf(expected, cap, "a value of that form");
		return false;
	}
	*(const char **)where->field = where->keep(where->ctx,
	    relative ? where->folder : "", text);
	return true;
}

bool
value_set(const struct conf_option *row, const char *value,
    const struct value_place *where, char *expected, size_t cap)
{
	switch (row->type) {
	case CONF_BOOL:
		snprintf(expected, cap, "yes or no");
		return boolean(value, where->field);
	case CONF_WORD:
		expect_word(row, value, expected, cap);
		return word(row, value, where->field);
	case CONF_SECONDS:
	case CONF_SIZE:
	case CONF_COUNT:
		return set_number(row, value, where->field, expected, cap);
	case CONF_TEXT:
	case CONF_PATH:
		return set_text(row, value, where, expected, cap);
	case CONF_LIST:
	case CONF_LINES:
		return set_list(row, value, where, expected, cap);
	}
	return false;
}
