/* SPDX-License-Identifier: ISC */
#include "proto/from_line.h"

#include "base/num.h"

/*
 * What ends with the last word; several at once, since a date may begin
 * anywhere: in the sender, in another date.
 *
 *	weekday -> month -> day -+-> time -> up to three words -> year
 *	       \-> day -> month -/
 *	                         \-> year -> time
 */
enum {
	AT_WEEKDAY	= 1u << 0,
	AT_MONTH	= 1u << 1,	/* weekday, month */
	AT_DAY		= 1u << 2,	/* weekday, day */
	AT_BOTH		= 1u << 3,
	AT_YEAR		= 1u << 4,	/* "Sat, 1 Jan 2000" of mail headers */
	AT_TIME		= 1u << 5,	/* and a bit more for each word since */
	AT_TIME_MASK	= 15u << 5,
	AT_DATE		= 1u << 9,	/* found; it stays */
};

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

static unsigned
next_state(unsigned at, struct span w)
{
	/* The bit of the fourth word since the time falls off the mask. */
	unsigned next = (at & AT_DATE) |
	    ((at & AT_TIME_MASK) << 1 & AT_TIME_MASK);

	if (is_weekday(w))
		next |= AT_WEEKDAY;
	if ((at & AT_WEEKDAY) && is_month(w))
		next |= AT_MONTH;
	if ((at & AT_WEEKDAY) && is_day(w))
		next |= AT_DAY;
	if (((at & AT_MONTH) && is_day(w)) || ((at & AT_DAY) && is_month(w)))
		next |= AT_BOTH;
	if ((at & AT_BOTH) && is_year(w))
		next |= AT_YEAR;
	if ((at & AT_BOTH) && is_time(w))
		next |= AT_TIME;
	if (((at & AT_YEAR) && is_time(w)) ||
	    ((at & AT_TIME_MASK) && is_year(w)))
		next |= AT_DATE;
	return next;
}

bool
from_line_starts(struct span line)
{
	return span_starts(line, SPAN("From "));
}

static void
end_word(struct from_match *m)
{
	if (m->n > 0)		/* too long: not a part of any date */
		m->at = next_state(m->at, m->n <= FROM_WORD_MAX ?
		    span_of(m->word, m->n) : SPAN("-"));
	m->n = 0;
}

static void
take_octet(struct from_match *m, uint8_t c)
{
	if (c == ' ' || c == '\t')
		end_word(m);
	else if (m->n++ < FROM_WORD_MAX)
		m->word[m->n - 1] = c;
}

void
from_match_feed(struct from_match *m, struct span part)
{
	static const struct span from = SPAN("From ");

	for (; part.n > 0 && m->prefix < from.n && !m->other;
	    part = span_skip(part, 1)) {
		m->other = part.p[0] != from.p[m->prefix];
		m->prefix++;
	}
	if (m->other || part.n == 0)
		return;
	m->after_cr = part.p[part.n - 1] == '\r';
	for (size_t i = 0; i < part.n && (m->at & AT_DATE) == 0; i++)
		take_octet(m, part.p[i]);
}

bool
from_match_end(struct from_match *m)
{
	/* The CR of a line end, not of the last word. */
	if (m->after_cr && m->n > 0)
		m->n--;
	end_word(m);
	return !m->other && (m->at & AT_DATE) != 0;
}

bool
from_line(struct span line)
{
	struct from_match m = { 0 };

	from_match_feed(&m, line);
	return from_match_end(&m);
}
