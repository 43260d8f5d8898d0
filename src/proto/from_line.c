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
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* 0 when it is none of them; else from 1. */
static unsigned
place(struct span w, const char *names, size_t n)
{
	uint8_t low[3];

	if (w.n != sizeof(low))
		return 0;
	for (size_t i = 0; i < sizeof(low); i++)
		low[i] = ascii_lower(w.p[i]);
	for (size_t i = 0; i < n; i += sizeof(low))
		if (memcmp(low, names + i, sizeof(low)) == 0)
			return (unsigned)(i / sizeof(low) + 1);
	return 0;
}

static bool
is_weekday(struct span w)
{
	if (w.n == 4 && w.p[3] == ',')
		w.n = 3;
	return place(w, days, sizeof(days) - 1) > 0;
}

static bool
is_month(struct span w)
{
	return place(w, months, sizeof(months) - 1) > 0;
}

static bool
read_number(struct span w, size_t digits_min, size_t digits_max, uint64_t max,
    uint64_t *v)
{
	return w.n >= digits_min && w.n <= digits_max && num_parse(w, max, v);
}

static bool
read_day(struct span w, uint64_t *day)
{
	return read_number(w, 1, 2, 31, day);
}

/* H:MM, HH:MM, with or without :SS (60: a leap second): seconds of the day. */
static bool
read_time(struct span w, uint64_t *seconds)
{
	size_t		colon = span_find(w, ':');
	uint64_t	v;

	if (!read_number(span_first(w, colon), 1, 2, 23, &v))
		return false;
	*seconds = 3600 * v;
	w = span_skip(w, colon + 1);
	colon = span_find(w, ':');
	if (!read_number(span_first(w, colon), 2, 2, 59, &v))
		return false;
	*seconds += 60 * v;
	if (colon == w.n)
		return true;
	if (!read_number(span_skip(w, colon + 1), 2, 2, 60, &v))
		return false;
	*seconds += v;
	return true;
}

static bool
read_year(struct span w, uint64_t *year)
{
	return read_number(w, 4, 4, 9999, year);
}

static bool
is_day(struct span w)
{
	uint64_t v;

	return read_day(w, &v);
}

static bool
is_time(struct span w)
{
	uint64_t v;

	return read_time(w, &v);
}

static bool
is_year(struct span w)
{
	uint64_t v;

	return read_year(w, &v);
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

/* Days since 1970 of a day of the Gregorian calendar, from 1970 on. */
static uint64_t
days_since_1970(uint64_t year, unsigned month, uint64_t day)
{
	static const unsigned before[] = { 0, 31, 59, 90, 120, 151, 181, 212,
	    243, 273, 304, 334 };
	bool		leap = year % 4 == 0 &&
			    (year % 100 != 0 || year % 400 == 0);
	uint64_t	last = year - 1;
	/* 719162: days before 1970, 1 being the first of the year 1. */
	uint64_t	n = 365 * last + last / 4 - last / 100 + last / 400 -
			    719162;

	return n + before[month - 1] + (leap && month > 2) + day - 1;
}

/* w: weekday, month, day, time; and the year, which may be elsewhere. */
static uint64_t
when(const struct span *w, struct span in_year)
{
	unsigned	weekday = place(w[0], days, sizeof(days) - 1);
	unsigned	month = place(w[1], months, sizeof(months) - 1);
	uint64_t	seconds;
	uint64_t	year;
	uint64_t	day;
	uint64_t	n;

	if (weekday == 0 || month == 0 || !read_time(w[3], &seconds) ||
	    !read_year(in_year, &year) || year < 1990 ||
	    !read_day(w[2], &day) || day == 0)
		return 0;
	n = days_since_1970(year, month, day);
	/* The first of 1970 was a Thursday; of February 30th the name is right
	 * as seldom as of any day. */
	if ((n + 4) % 7 + 1 != weekday || n >= days_since_1970(
	    year + month / 12, month % 12 + 1, 1))
		return 0;
	return n * 86400 + seconds;
}

/* "+0100", "MET" */
static bool
is_zone(struct span w)
{
	bool		sign = w.n == 5 && (w.p[0] == '+' || w.p[0] == '-');
	uint64_t	v;

	if (sign)
		return read_number(span_skip(w, 1), 4, 4, 9999, &v);
	for (size_t i = 0; i < w.n; i++)
		if (w.p[i] < 'A' || w.p[i] > 'Z')
			return false;
	return w.n >= 1 && w.n <= 5;
}

/* Of the tail; false: there is none that has not perhaps been cut. */
static bool
cut_last_word(struct span *tail, struct span *word)
{
	size_t end = tail->n;
	size_t begin;

	while (end > 0 && is_blank(tail->p[end - 1]))
		end--;
	begin = end;
	while (begin > 0 && !is_blank(tail->p[begin - 1]))
		begin--;
	if (begin == 0)
		return false;
	*word = span_of(tail->p + begin, end - begin);
	tail->n = begin;
	return true;
}

/* The last words of the tail. */
#define WHEN_WORDS	6

uint64_t
from_line_when(struct span tail)
{
	struct span	w[WHEN_WORDS] = { 0 };
	uint64_t	t;

	if (tail.n > 0 && tail.p[tail.n - 1] == '\r')
		tail.n--;
	for (size_t i = WHEN_WORDS; i > 0 && cut_last_word(&tail, &w[i - 1]);)
		i--;
	t = when(w + 1, w[5]);
	if (t == 0 && is_zone(w[4]))
		t = when(w, w[5]);
	if (t == 0 && is_zone(w[5]))
		t = when(w, w[4]);
	return t;
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
	if (is_blank(c))
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
