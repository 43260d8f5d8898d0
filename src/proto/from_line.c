/* SPDX-License-Identifier: ISC */
#include "proto/from_line.h"

#include "base/num.h"

/* A sender may hold blanks; so may what follows it (a terminal's name). */
#define WORDS_MAX	24
#define YEAR_WITHIN	4		/* words behind the time */

static const char	days[] = "sunmontuewedthufrisat";
static const char	months[] = "janfebmaraprmayjunjulaugsepoctnovdec";

static bool
one_of(struct span w, const char *names, size_t n)
{
	for (size_t i = 0; w.n == 3 && i < n; i += 3)
		if (span_starts_nocase(w, span_of(names + i, 3)))
			return true;
	return false;
}

static bool
is_weekday(struct span w)
{
	if (w.n == 4 && w.p[3] == ',')
		w.n = 3;
	return one_of(w, days, sizeof(days) - 1);
}

static bool
is_month(struct span w)
{
	return one_of(w, months, sizeof(months) - 1);
}

static bool
is_number(struct span w, size_t digits_min, size_t digits_max, uint64_t max)
{
	uint64_t v;

	return w.n >= digits_min && w.n <= digits_max && num_parse(w, max, &v);
}

static bool
is_day(struct span w)
{
	return is_number(w, 1, 2, 31);
}

/* H:MM, HH:MM, with or without :SS (60: a leap second). */
static bool
is_time(struct span w)
{
	size_t colon = span_find(w, ':');

	if (!is_number(span_first(w, colon), 1, 2, 23))
		return false;
	w = span_skip(w, colon + 1);
	colon = span_find(w, ':');
	if (!is_number(span_first(w, colon), 2, 2, 59))
		return false;
	return colon == w.n || is_number(span_skip(w, colon + 1), 2, 2, 60);
}

static bool
is_year(struct span w)
{
	return is_number(w, 4, 4, 9999);
}

/* w[0] is a weekday; n words are there. */
static bool
is_date(const struct span *w, size_t n)
{
	size_t i = 3;

	if (n < 5 || !((is_month(w[1]) && is_day(w[2])) ||
	    (is_day(w[1]) && is_month(w[2]))))
		return false;
	/* "Sat, 1 Jan 2000 00:00:00 +0000", as mail headers have it. */
	if (is_year(w[3]))
		return is_time(w[4]);
	if (!is_time(w[i++]))
		return false;
	for (size_t end = i + YEAR_WITHIN; i < n && i < end; i++)
		if (is_year(w[i]))
			return true;
	return false;
}

bool
from_line_starts(struct span line)
{
	return span_starts(line, SPAN("From "));
}

bool
from_line(struct span line)
{
	struct span	word[WORDS_MAX];
	size_t		n = 0;

	if (!from_line_starts(line) || line.n > FROM_LINE_MAX)
		return false;
	if (line.p[line.n - 1] == '\r')
		line.n--;
	line = span_skip(line, 5);
	while (n < WORDS_MAX && (word[n] = span_word(&line)).n > 0)
		n++;
	for (size_t i = 0; i + 5 <= n; i++)
		if (is_weekday(word[i]) && is_date(word + i, n - i))
			return true;
	return false;
}
