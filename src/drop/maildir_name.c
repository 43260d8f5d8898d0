/* SPDX-License-Identifier: ISC */
#include "drop/maildir_name.h"

#include "base/num.h"
#include "drop/digest.h"
#include "drop/uidl.h"

#include <assert.h>
#include <stdio.h>

#define TIME_MAX	((uint64_t)1 << 40)
#define SIZE_MOST	((uint64_t)1 << 62)
#define OURS		"popper-"

/* ------------------------------------------------------------ reading */

/* "M123456" (or Exim's "H123456") somewhere in the second part of the name:
 * between other capitals come digits, and small hexadecimal ones. */
static uint64_t
find_usec(struct span part)
{
	uint64_t usec;
	size_t	 n;

	for (size_t i = 0; i + 1 < part.n; i++)
		if ((part.p[i] == 'M' || (part.p[i] == 'H' && i == 0)) &&
		    num_prefix(span_skip(part, i + 1), 999999, &usec, &n) &&
		    n > 0)
			return usec;
	return 0;
}

static void
read_time(struct maildir_name *n)
{
	struct span	rest;
	size_t		len;

	if (!num_prefix(n->base, TIME_MAX, &n->time, &len) || len == 0 ||
	    len == n->base.n || n->base.p[len] != '.') {
		n->time = 0;
		return;
	}
	rest = span_skip(n->base, len + 1);
	n->usec = find_usec(span_first(rest, span_find(rest, '.')));
}

/* What stands between commas, behind the host's name. */
static void
read_sizes(struct maildir_name *n)
{
	struct span	rest = n->base;
	bool		size = false, wire = false;

	for (;;) {
		struct span field;

		rest = span_skip(rest, span_find(rest, ',') + 1);
		if (rest.n == 0)
			break;
		field = span_first(rest, span_find(rest, ','));
		if (span_starts(field, SPAN("S=")))
			size = num_parse(span_skip(field, 2), SIZE_MOST,
			    &n->size);
		else if (span_starts(field, SPAN("W=")))
			wire = num_parse(span_skip(field, 2), SIZE_MOST,
			    &n->wire);
	}
	/* A line end is one octet that becomes two, or it is two already. */
	n->has_size = size && wire && n->wire >= n->size &&
	    n->wire / 2 <= n->size;
}

/* The letters behind "2,", up to what a program has of its own. */
static struct span
flags(const struct maildir_name *n)
{
	struct span all;

	if (!span_starts(n->info, SPAN("2,")))
		return (struct span){ 0 };
	all = span_skip(n->info, 2);
	return span_first(all, span_find(all, ','));
}

bool
maildir_name_parse(struct span name, struct maildir_name *out)
{
	size_t colon = span_find(name, ':');

	*out = (struct maildir_name){
		.base = span_first(name, colon),
		.info = span_skip(name, colon + 1),
	};
	if (name.n == 0 || name.n > MAILDIR_NAME_MAX || name.p[0] == '.')
		return false;
	read_time(out);
	read_sizes(out);
	out->seen = span_find(flags(out), 'S') < flags(out).n;
	return true;
}

static int
compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

int
maildir_name_order(const struct maildir_name *a, const struct maildir_name *b)
{
	size_t	n = a->base.n < b->base.n ? a->base.n : b->base.n;
	int	c = compare(a->time, b->time);

	if (c == 0)
		c = compare(a->usec, b->usec);
	if (c == 0)
		c = memcmp(a->base.p, b->base.p, n);
	return c != 0 ? c : compare(a->base.n, b->base.n);
}

/* ------------------------------------------------------------- marking */

/* Flags stand in the order of their letters. */
bool
maildir_name_seen(const struct maildir_name *n, char out[MAILDIR_NAME_MAX + 1])
{
	struct span	had = flags(n);
	size_t		at = 0;
	int		len;

	out[0] = '\0';
	if (n->seen || (n->info.n > 0 && !span_starts(n->info, SPAN("2,"))))
		return false;
	while (at < had.n && had.p[at] < 'S')
		at++;
	if (n->base.n + sizeof(":2,S") - 1 + span_skip(n->info, 2).n >
	    MAILDIR_NAME_MAX)
		return false;
	had = span_skip(n->info, 2);
	len = snprintf(out, MAILDIR_NAME_MAX + 1, "%.*s:2,%.*sS%.*s",
	    (int)n->base.n, (const char *)n->base.p, (int)at,
	    at == 0 ? "" : (const char *)had.p, (int)(had.n - at),
	    had.n == at ? "" : (const char *)had.p + at);
	ASSERT(len > 0 && len <= MAILDIR_NAME_MAX);
	return true;
}

/* ---------------------------------------------------------- unique-ids */

static bool
is_id(struct span s)
{
	uint8_t odd = 0;

	if (s.n < 1 || s.n > DROP_UIDL_MAX)
		return false;
	/* Without a way out of it, a compiler takes many at a time. */
	for (size_t i = 0; i < s.n; i++)
		odd |= s.p[i] < 0x21 || s.p[i] > 0x7e;
	return odd == 0;
}

static bool
is_letters(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= 'a' && s.p[i] <= 'z') &&
		    !(s.p[i] >= '2' && s.p[i] <= '7'))
			return false;
	return true;
}

/* Of a bulletin: TIME.popper-LETTERS-NTH.bulletin */
static struct span
bulletin_letters(struct span base)
{
	struct span rest = span_skip(base, span_find(base, '.') + 1);
	struct span letters;
	uint64_t    time;

	if (!span_starts(rest, SPAN(OURS)) || !num_parse(span_first(base,
	    span_find(base, '.')), TIME_MAX, &time) || time == 0)
		return (struct span){ 0 };
	rest = span_skip(rest, sizeof(OURS) - 1);
	letters = span_first(rest, span_find(rest, '-'));
	return letters.n == UIDL_BASE && letters.n < rest.n &&
	    is_letters(letters) ? letters : (struct span){ 0 };
}

void
maildir_name_digest(struct span base, const uint64_t *ino,
    uint8_t out[DIGEST_SIZE])
{
	struct digest	d;
	char		text[32];

	digest_init(&d);
	digest_add(&d, base);
	if (ino != NULL) {
		(void)snprintf(text, sizeof(text), "/%llu",
		    (unsigned long long)*ino);
		digest_add(&d, span_str(text));
	}
	digest_take(&d, out);
}

static char *
hashed(struct span base, const uint64_t *ino, char out[DROP_UIDL_MAX + 1])
{
	uint8_t digest[DIGEST_SIZE];

	maildir_name_digest(base, ino, digest);
	return uidl_format(digest, 1, out);
}

char *
maildir_name_uidl(struct span base, char out[DROP_UIDL_MAX + 1])
{
	struct span letters = bulletin_letters(base);

	if (letters.n == 0 && !is_id(base))
		return hashed(base, NULL, out);
	out = span_put(letters.n > 0 ? letters : base, out);
	*out = '\0';
	return out;
}

char *
maildir_name_uidl_twin(struct span base, uint64_t ino,
    char out[DROP_UIDL_MAX + 1])
{
	return hashed(base, &ino, out);
}

void
maildir_name_bulletin(const struct maildir_bulletin *b,
    char out[MAILDIR_NAME_MAX + 1])
{
	int len = snprintf(out, MAILDIR_NAME_MAX + 1,
	    "%llu." OURS "%.*s-%u.bulletin,S=%llu,W=%llu",
	    (unsigned long long)b->time, UIDL_BASE, b->uidl, b->nth,
	    (unsigned long long)b->size, (unsigned long long)b->wire);

	ASSERT(len > 0 && len <= MAILDIR_NAME_MAX);
}
