/* SPDX-License-Identifier: ISC */
/*
 * Changing a password file.  The lock is on the file itself; since a writer
 * puts a new file in its place, who got the lock looks whether the name still
 * means the file that it locked.
 */
#include "auth/auth_priv.h"
#include "auth/passwd_file.h"

#include "base/num.h"
#include "sys/file.h"
#include "sys/lock.h"

#include <stdio.h>

#define LOCK_TRIES	100
#define LOCK_PAUSE_MS	100
#define NAME_MAX_OCTETS	255
#define ROW_MAX		8192		/* octets of a row that we write */
#define NEW_FILE_MODE	0600

struct place {
	char	name[NAME_MAX_OCTETS + 1];	/* in the folder */
	char	fresh[NAME_MAX_OCTETS + 1];	/* beside it */
	int	dir;				/* owns */
	int	fd;				/* owns; locked */
};

static void
place_close(struct place *at)
{
	fd_close(&at->fd);
	fd_close(&at->dir);
}

static int
open_folder(const char *path, struct place *at, struct fault *f)
{
	char		 folder[IDENTITY_PATH_MAX + 1];
	const char	*slash = strrchr(path, '/');
	const char	*name = slash == NULL ? path : slash + 1;
	size_t		 n = slash == NULL ? 0 : (size_t)(name - path);
	int		 made;

	if (!span_cstr(span_of(path, n), folder, sizeof(folder)) ||
	    !span_cstr(span_str(name), at->name, sizeof(at->name)) ||
	    at->name[0] == '\0')
		return fault_set(f, FAULT_PROTO, "%s: no name of a file", path);
	made = snprintf(at->fresh, sizeof(at->fresh), "%s.new", at->name);
	if (made < 0 || (size_t)made >= sizeof(at->fresh))
		return fault_set(f, FAULT_PROTO, "%s: the name is too long",
		    path);
	return file_open(FILE_CWD, n == 0 ? "." : folder, FILE_READ | FILE_DIR |
	    FILE_FOLLOW, 0, &at->dir, f);
}

static bool
still_there(const struct place *at)
{
	struct file_facts	held;
	struct file_facts	named;

	return file_facts(at->fd, &held, NULL) == 0 &&
	    file_facts_at(at->dir, at->name, &named, NULL) == 0 &&
	    held.dev == named.dev && held.ino == named.ino;
}

static int
open_locked(struct place *at, unsigned how, struct fault *f)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (file_open(at->dir, at->name, how, NEW_FILE_MODE, &at->fd,
		    f) < 0)
			return -1;
		if (lock_flock(at->fd, f) == 0) {
			if (still_there(at))
				return 0;
		} else if (f->class != FAULT_IN_USE) {
			return -1;
		} else {
			clock_sleep(LOCK_PAUSE_MS);
		}
		fd_close(&at->fd);
	}
	return fault_set(f, FAULT_IN_USE, "%s: somebody else is changing it",
	    at->name);
}

static int
read_all(int fd, struct buf *out, size_t more, struct fault *f)
{
	struct file_facts	 facts;
	uint8_t			*p;
	ssize_t			 n;

	buf_init(out, 0);
	if (file_facts(fd, &facts, f) < 0)
		return -1;
	if (facts.size >= AUTH_FILE_MAX)
		return fault_set(f, FAULT_LIMIT, "larger than %u octets",
		    AUTH_FILE_MAX);
	buf_init(out, (size_t)facts.size + more);
	if (facts.size == 0)
		return 0;
	p = buf_reserve(out, (size_t)facts.size);
	ASSERT(p != NULL);
	n = file_slurp(fd, p, (size_t)facts.size, f);
	if (n < 0)
		return -1;
	buf_extend(out, (size_t)n);
	return 0;
}

/* ---- rows ---- */

static bool
fits_column(const char *value)
{
	for (const char *c = value; *c != '\0'; c++)
		if (*c == ':' || *c == 0x7f || (uint8_t)*c < ' ')
			return false;
	return true;
}

static bool
is_id(const char *text)
{
	uint64_t v;

	return text[0] == '\0' ||
	    num_parse(span_str(text), UINT32_MAX - 1, &v);
}

static bool
is_maildrop(const char *path)
{
	struct span s = span_str(path);

	return s.n == 0 || (fits_column(path) && span_find(s, ' ') == s.n &&
	    (span_starts(s, SPAN("/")) || span_starts(s, SPAN("~/"))));
}

static int
check_user(const char *user, struct fault *f)
{
	if (policy_name_valid(span_str(user)))
		return 0;
	return fault_set(f, FAULT_PROTO, "a user's name is at most %d octets "
	    "of ASCII without blanks, '/' and ':', does not start with '-', "
	    "'.' or '#' and does not end in \".lock\"", IDENTITY_USER_MAX);
}

int
passwd_change_check(const char *user, const struct passwd_change *c,
    struct fault *f)
{
	if (check_user(user, f) < 0)
		return -1;
	if (c->password != NULL && !fits_column(c->password))
		return fault_set(f, FAULT_PROTO,
		    "the password cannot stand in a row");
	if ((c->uid != NULL && !is_id(c->uid)) ||
	    (c->gid != NULL && !is_id(c->gid)))
		return fault_set(f, FAULT_PROTO, "uid and gid are numbers");
	if (c->home != NULL && c->home[0] != '\0' &&
	    (c->home[0] != '/' || !fits_column(c->home)))
		return fault_set(f, FAULT_PROTO,
		    "the home is an absolute path without a colon");
	if (c->maildrop != NULL && !is_maildrop(c->maildrop))
		return fault_set(f, FAULT_PROTO, "the maildrop is a path that "
		    "starts with / or ~/, without blanks and colons");
	return 0;
}

static struct span
pick(const char *fresh, struct span old)
{
	return fresh != NULL ? span_str(fresh) : old;
}

/* The old words without those on the maildrop, then the new one. */
static int
put_extra(struct buf *out, struct span extra, const char *maildrop)
{
	struct span	word;
	bool		first = true;

	for (word = span_word(&extra); word.n > 0; word = span_word(&extra)) {
		if (maildrop != NULL &&
		    span_starts(word, SPAN("userdb_mail=")))
			continue;
		if ((!first && buf_append(out, SPAN(" ")) < 0) ||
		    buf_append(out, word) < 0)
			return -1;
		first = false;
	}
	if (maildrop == NULL || maildrop[0] == '\0')
		return 0;
	return buf_appendf(out, "%suserdb_mail=mbox:%s", first ? "" : " ",
	    maildrop);
}

static int
put_row(struct buf *out, const char *user, const struct passwd_row *old,
    const struct passwd_change *c)
{
	const struct span col[] = {
		span_str(user), pick(c->password, old->password),
		pick(c->uid, old->uid), pick(c->gid, old->gid), old->gecos,
		pick(c->home, old->home), old->shell,
	};

	for (size_t i = 0; i < ARRAY_LEN(col); i++)
		if (buf_append(out, col[i]) < 0 ||
		    buf_append(out, SPAN(":")) < 0)
			return -1;
	if (put_extra(out, old->extra, c->maildrop) < 0)
		return -1;
	return buf_append(out, SPAN("\n"));
}

/* ---- the whole file ---- */

struct edit {
	const char			*user;
	const struct passwd_change	*change;	/* NULL: remove */
	bool				 found;
};

static int
edit_line(struct edit *e, struct span line, struct buf *out)
{
	struct passwd_row row;

	if (!passwd_row_parse(line, &row) ||
	    !span_eq(row.user, span_str(e->user)))
		return buf_append(out, line) < 0 ? -1 :
		    buf_append(out, SPAN("\n"));
	if (e->found || e->change == NULL) {
		e->found = true;
		return 0;
	}
	e->found = true;
	return put_row(out, e->user, &row, e->change);
}

static int
edit_text(struct edit *e, struct span text, struct buf *out, struct fault *f)
{
	const struct passwd_row	none = { 0 };
	struct span		line;

	while (span_line(&text, &line))
		if (edit_line(e, line, out) < 0)
			return fault_set(f, FAULT_LIMIT,
			    "a row is longer than %d octets", ROW_MAX);
	if (e->found)
		return 0;
	if (e->change == NULL)
		return fault_set(f, FAULT_AUTH, "no such user");
	if (e->change->password == NULL)
		return fault_set(f, FAULT_AUTH, "a new user needs a password");
	if (put_row(out, e->user, &none, e->change) < 0)
		return fault_set(f, FAULT_LIMIT,
		    "a row is longer than %d octets", ROW_MAX);
	return 0;
}

/* The fresh file is complete, durable and its owner's before it has the name. */
static int
replace(const struct place *at, struct span text, struct fault *f)
{
	AUTO(fd_close) int	fresh = -1;
	struct file_facts	old;
	struct file_facts	now;

	if (file_facts(at->fd, &old, f) < 0 ||
	    file_replace(at->dir, at->fresh, old.mode, text, f) < 0 ||
	    file_open(at->dir, at->fresh, FILE_READ, 0, &fresh, f) < 0 ||
	    file_facts(fresh, &now, f) < 0)
		return -1;
	/* Who owns the folder could have put another file under that name. */
	if (now.nlink != 1 || now.ino == old.ino || now.size != text.n)
		return fault_set(f, FAULT_PERM, "%s was exchanged", at->fresh);
	if ((now.uid != old.uid || now.gid != old.gid) &&
	    file_chown(fresh, old.uid, old.gid, f) < 0)
		return -1;
	if (file_sync(fresh, f) < 0 ||
	    file_rename(at->dir, at->fresh, at->name, f) < 0)
		return -1;
	return file_sync(at->dir, f);
}

/* After a failure; there may be nothing of that name yet. */
static void
forget_fresh(const struct place *at)
{
	if (file_unlink(at->dir, at->fresh, NULL) < 0)
		return;
}

static int
rewrite(struct place *at, struct edit *e, struct fault *f)
{
	AUTO(buf_fini) struct buf	old = { 0 };
	AUTO(buf_fini) struct buf	text = { 0 };

	if (read_all(at->fd, &old, 0, f) < 0)
		return -1;
	buf_init(&text, buf_len(&old) + ROW_MAX);
	if (edit_text(e, buf_span(&old), &text, f) < 0)
		return -1;
	if (replace(at, buf_span(&text), f) == 0)
		return 0;
	forget_fresh(at);
	return -1;
}

int
passwd_file_put(const char *path, const char *user,
    const struct passwd_change *change, struct fault *f)
{
	AUTO(place_close) struct place	at = { .dir = -1, .fd = -1 };
	struct edit			e = { .user = user, .change = change };
	unsigned			how = FILE_READ;

	if (change == NULL ? check_user(user, f) < 0 :
	    passwd_change_check(user, change, f) < 0)
		return -1;
	if (change != NULL && change->password != NULL)
		how |= FILE_WRITE | FILE_CREATE;
	if (open_folder(path, &at, f) < 0 || open_locked(&at, how, f) < 0 ||
	    rewrite(&at, &e, f) < 0)
		return fault_prefix(f, "%s: ", path);
	return 0;
}

int
passwd_file_read(const char *path, struct buf *out, struct fault *f)
{
	AUTO(fd_close) int fd = -1;

	if (file_open(FILE_CWD, path, FILE_READ | FILE_FOLLOW, 0, &fd, f) < 0 ||
	    read_all(fd, out, 0, f) < 0)
		return fault_prefix(f, "%s: ", path);
	return 0;
}

int
passwd_file_each(const char *path,
    void (*fn)(void *ctx, const struct passwd_row *row), void *ctx,
    struct fault *f)
{
	AUTO(buf_fini) struct buf	text = { 0 };
	struct span			rest;
	struct span			line;
	struct passwd_row		row;

	if (passwd_file_read(path, &text, f) < 0)
		return -1;
	rest = buf_span(&text);
	while (span_line(&rest, &line))
		if (passwd_row_parse(line, &row))
			fn(ctx, &row);
	return 0;
}

int
passwd_file_check(const char *path, struct fault *f)
{
	struct buf text;

	if (auth_load(path, LOAD_SECRET, &text, f) < 0)
		return -1;
	buf_fini(&text);
	return 0;
}
