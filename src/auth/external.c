/* SPDX-License-Identifier: ISC */
#include "auth/external.h"

#include "auth/auth_priv.h"

#include <stdio.h>

#define DIGITS	64		/* of SHA-256 in hex */

bool
external_proof(const char *fingerprint, const char *name,
    char out[EXTERNAL_PROOF_MAX])
{
	int n = snprintf(out, EXTERNAL_PROOF_MAX, "%s %s", fingerprint, name);

	return n > 0 && n < EXTERNAL_PROOF_MAX;
}

static bool
is_hex(uint8_t c)
{
	return ascii_isdigit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}

static bool
is_fingerprint(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		if (is_hex(s.p[i]))
			n++;
		else if (s.p[i] != ':')
			return false;
	return n == DIGITS;
}

/* OpenSSL writes it with colons, in capitals. */
static bool
same_fingerprint(struct span written, struct span plain)
{
	size_t n = 0;

	if (!is_fingerprint(written))
		return false;
	for (size_t i = 0; i < written.n; i++) {
		if (written.p[i] == ':')
			continue;
		if (n == plain.n || ascii_lower(written.p[i]) != plain.p[n])
			return false;
		n++;
	}
	return n == plain.n;
}

/* A row of the file. */
struct row {
	struct span	user;
	struct span	known_by;
};

/* False: there is no user, or nothing to know him by. */
static bool
take_row(struct span line, struct row *out)
{
	out->user = span_word(&line);
	out->known_by = span_trim(line);
	return out->user.n > 0 && out->known_by.n > 0;
}

/* The next row of this certificate. */
static bool
next_row(struct span *rows, struct span fingerprint, struct span subject,
    struct row *row)
{
	struct span line;

	while (auth_line(rows, &line))
		if (take_row(line, row) &&
		    (same_fingerprint(row->known_by, fingerprint) ||
		    span_eq(row->known_by, subject)))
			return true;
	return false;
}

/* False: it is no proof, or there is no name in the certificate. */
static bool
take_apart(enum external_by by, struct span proof, struct span *fingerprint,
    struct span *name)
{
	size_t blank = span_find(proof, ' ');

	*fingerprint = span_first(proof, blank);
	*name = span_skip(proof, blank + 1);
	return fingerprint->n == DIGITS && is_fingerprint(*fingerprint) &&
	    (by == EXTERNAL_FILE || name->n > 0);
}

bool
external_allows(enum external_by by, struct span rows, struct span proof,
    struct span user)
{
	struct span	fingerprint;
	struct span	name;
	struct row	row;

	if (user.n == 0 || !take_apart(by, proof, &fingerprint, &name))
		return false;
	if (by != EXTERNAL_FILE)
		return span_eq(name, user);
	while (next_row(&rows, fingerprint, name, &row))
		if (span_eq(row.user, user))
			return true;
	return false;
}

size_t
external_users(enum external_by by, struct span rows, struct span proof,
    struct span *user_r)
{
	struct span	fingerprint;
	struct span	name;
	struct row	row;
	size_t		n = 0;

	*user_r = SPAN("");
	if (!take_apart(by, proof, &fingerprint, &name))
		return 0;
	if (by != EXTERNAL_FILE) {
		*user_r = name;
		return 1;
	}
	for (; next_row(&rows, fingerprint, name, &row); )
		if (n == 0 || !span_eq(row.user, *user_r)) {
			if (n == 0)
				*user_r = row.user;
			n++;
		}
	return n;
}
