/* SPDX-License-Identifier: ISC */
#include "mail.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>

static size_t
find(struct span s, size_t from, struct span what)
{
	const uint8_t	*p = from > s.n ? NULL :
			    memmem(s.p + from, s.n - from, what.p, what.n);

	return p == NULL ? s.n : (size_t)(p - s.p);
}

bool
mail_init(struct mail *m, struct span wire)
{
	struct span	blank = SPAN("\r\n\r\n");
	struct span	end = SPAN("\r\n" MAIL_END);
	size_t		cap = 0;
	size_t		stuffed = 0;

	*m = (struct mail){ .marks = NULL };
	if (wire.n < end.n || !span_eq(span_skip(wire, wire.n - end.n), end))
		return false;
	m->text = span_first(wire, wire.n - strlen(MAIL_END));
	m->head = find(m->text, 0, blank) + blank.n;
	if (m->head > m->text.n)
		return false;
	for (size_t at = find(m->text, 0, SPAN(MAIL_MARK)); at < m->text.n;
	    at = find(m->text, at + MAIL_MARK_N, SPAN(MAIL_MARK))) {
		m->marks = xgrow(m->marks, m->marks_n, &cap,
		    sizeof(*m->marks));
		m->marks[m->marks_n++] = at;
	}
	for (size_t at = find(m->text, 0, SPAN("\n.")); at < m->text.n;
	    at = find(m->text, at + 1, SPAN("\n.")))
		stuffed++;
	m->octets = m->text.n - stuffed - (m->text.p[0] == '.' ? 1 : 0);
	return true;
}

void
mail_fini(struct mail *m)
{
	free(m->marks);
	*m = (struct mail){ .marks = NULL };
}

static void
put_number(char out[MAIL_MARK_N + 1], size_t index)
{
	snprintf(out, MAIL_MARK_N + 1, "%07zu",
	    (index + 1) % (MAIL_COUNT_MAX + 1));
}

/* The octets that came, n of them at most, are these: how many. */
static size_t
same(struct span came, const uint8_t *want, size_t n)
{
	size_t	i = 0;

	n = came.n < n ? came.n : n;
	if (memcmp(came.p, want, n) == 0)
		return n;
	while (came.p[i] == want[i])
		i++;
	return i;
}

size_t
mail_agrees(const struct mail *m, size_t index, size_t at, size_t upto,
    struct span came)
{
	char		number[MAIL_MARK_N + 1];
	const uint8_t	*want;
	size_t		k = 0;
	size_t		done = 0;
	size_t		here;
	size_t		n;
	size_t		got;

	if (m->marks_n > 0)
		put_number(number, index);
	came = span_first(came, upto - at);
	while (done < came.n) {
		here = at + done;
		while (k < m->marks_n && m->marks[k] + MAIL_MARK_N <= here)
			k++;
		if (k < m->marks_n && m->marks[k] <= here) {
			want = (const uint8_t *)number + (here - m->marks[k]);
			n = m->marks[k] + MAIL_MARK_N - here;
		} else {
			want = m->text.p + here;
			n = (k < m->marks_n ? m->marks[k] : m->text.n) - here;
		}
		n = n < came.n - done ? n : came.n - done;
		got = same(span_skip(came, done), want, n);
		done += got;
		if (got < n)
			break;
	}
	return done;
}

void
mail_write(const struct mail *m, size_t index, size_t n, uint8_t *out)
{
	char	number[MAIL_MARK_N + 1];

	memcpy(out, m->text.p, n);
	put_number(number, index);
	for (size_t k = 0; k < m->marks_n && m->marks[k] < n; k++)
		memcpy(out + m->marks[k], number, MAIL_MARK_N);
}
