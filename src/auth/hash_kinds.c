/* SPDX-License-Identifier: ISC */
/*
 * Can something be hashed as each stored password was?  To try takes as long as a
 * login; so of those that differ in nothing but salt and hash one is tried.
 */
#include "auth/auth_priv.h"
#include "auth/passwd_file.h"

#include <stdio.h>

#define LONG_RUN	8	/* characters that are salt or hash together;
				   parameters are shorter */

static bool
is_base64(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '.' || c == '/' || c == '+';
}

static size_t
run_of(struct span s)
{
	size_t n = 0;

	while (n < s.n && is_base64(s.p[n]))
		n++;
	return n;
}

/* False: there is no room for it. */
static bool
put(struct hash_kind *k, struct span s)
{
	if (s.n > sizeof(k->outline) - k->n)
		return false;
	memcpy(k->outline + k->n, s.p, s.n);
	k->n += s.n;
	return true;
}

/* What is stored, with their lengths in the places of salt and hash. */
static bool
outline(struct span stored, struct hash_kind *out)
{
	size_t	scheme = stored.n > 0 && stored.p[0] == '{' ?
		    span_find(stored, '}') : 0;
	bool	fits = put(out, span_first(stored, scheme));
	size_t	run;

	for (stored = span_skip(stored, scheme); fits && stored.n > 0;
	    stored = span_skip(stored, run)) {
		/* No text has such octets. */
		uint8_t length[2];

		run = run_of(stored);
		length[0] = (uint8_t)(0x80 | run >> 7);
		length[1] = (uint8_t)(0x80 | run);
		if (run < LONG_RUN) {
			run += run == 0 ? 1 : 0;
			fits = put(out, span_first(stored, run));
		} else {
			fits = put(out, span_of(length, sizeof(length)));
		}
	}
	return fits;
}

static struct hash_kind *
find(struct hash_kinds *all, const struct hash_kind *k)
{
	for (size_t i = 0; i < all->n; i++)
		if (span_eq(span_of(all->list[i].outline, all->list[i].n),
		    span_of(k->outline, k->n)))
			return &all->list[i];
	return NULL;
}

bool
hash_kinds_refuse(struct hash_kinds *all, const struct passwd_row *row,
    struct fault *f)
{
	struct hash_kind	 mine = { 0 };
	struct hash_kind	*known;
	struct span		 text;

	if (passwd_plain(row->password, &text))
		return false;
	if (!outline(row->password, &mine))
		return row_is_no_hash(row, f);
	known = find(all, &mine);
	if (known != NULL) {
		*f = known->why;
	} else if (all->n < ARRAY_LEN(all->list)) {
		(void)row_is_no_hash(row, f);
		mine.why = *f;
		all->list[all->n++] = mine;
	}
	return f->class != FAULT_NONE;
}
