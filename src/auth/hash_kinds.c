/* SPDX-License-Identifier: ISC */
/*
 * Can something be hashed as each stored password was?  To try takes as long as a
 * login; so of those that differ in nothing but salt and hash one is tried, by a
 * child, since parameters may be such that it takes days.
 */
#include "auth/auth_priv.h"
#include "auth/passwd_file.h"

#include "sys/file.h"
#include "sys/spawn.h"

#include <string.h>

#define LONG_RUN	8	/* characters that are salt or hash together;
				   parameters are shorter */
#define LATE_MAX	2	/* kinds that take so long: then no more are tried */

static bool
is_base64(uint8_t c)
{
	return (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') ||
	    ascii_isdigit(c) || c == '.' || c == '/' || c == '+';
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

/* In a child: why not goes to the pipe. */
static NORETURN void
try_there(const struct passwd_row *row, int to)
{
	struct fault f = { 0 };
	struct fault ignored;

	spawn_spend(PASSWD_TRY_S);
	if (row_is_no_hash(row, &f))
		(void)!file_write(to, f.text, strlen(f.text), &ignored);
	spawn_exit(0);
}

bool
passwd_try(const struct passwd_row *row, struct fault *f)
{
	AUTO(fd_close) int	from = -1;
	AUTO(fd_close) int	to = -1;
	char			why[sizeof(f->text)];
	int			status;
	ssize_t			n;
	pid_t			pid;

	if (fd_pipe(&from, &to, f) != 0 || (pid = spawn_fork(f)) < 0)
		return false;
	if (pid == 0)
		try_there(row, to);
	fd_close(&to);
	n = file_read(from, why, sizeof(why) - 1, f);
	(void)spawn_wait(pid, -1, &status);
	if (status == SPAWN_SPENT)
		(void)fault_set(f, FAULT_TEMP, "to hash one password as this one "
		    "takes more than %d seconds of a processor, and so does each "
		    "login; store one with fewer rounds (popper passwd)",
		    PASSWD_TRY_S);
	else if (n > 0)
		(void)fault_set(f, FAULT_PERM, "%.*s", (int)n, why);
	return n > 0;
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
		return all->late < LATE_MAX && passwd_try(row, f);
	known = find(all, &mine);
	if (known != NULL) {
		*f = known->why;
	} else if (all->n < ARRAY_LEN(all->list) && all->late < LATE_MAX) {
		if (passwd_try(row, f))
			mine.why = *f;
		all->late += f->class == FAULT_TEMP;
		all->list[all->n++] = mine;
	}
	return f->class != FAULT_NONE && f->class != FAULT_TEMP;
}
