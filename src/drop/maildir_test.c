/* SPDX-License-Identifier: ISC */
/*
 * A session on a Maildir in which, at each of its calls of sys/file.h, that call
 * fails, or all from there on, or another program renames every file: no mail is
 * lost, no other octets are served, bulletins and their number stay together.
 * The calls are wrapped by the linker, as in crash_test.c.
 */
#include "drop/fake_host.h"

#include "sys/file.h"
#include "sys/test_fds.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* -------------------------------------------------------------- the calls */

enum trouble { NO_TROUBLE, FAIL_ONCE, FAIL_ON, RENAME };
static struct {
	enum trouble	 what;
	int		 with;		/* errno */
	unsigned	 left;		/* calls before it */
	unsigned	 calls;		/* seen in all */
	bool		 on;
	const char	*maildir;
} trouble;

static void	rename_all(const char *maildir);

/* Does this call fail? */
static bool
turn(struct fault *f, const char *call)
{
	if (!trouble.on)
		return false;
	trouble.calls++;
	if (trouble.left > 0) {
		trouble.left--;
		return false;
	}
	if (trouble.what == RENAME) {
		trouble.on = false;
		rename_all(trouble.maildir);
		return false;
	}
	if (trouble.what == NO_TROUBLE)
		return false;
	trouble.on = trouble.what == FAIL_ON;
	(void)fault_errno(f, FAULT_TEMP, trouble.with, "%s", call);
	return true;
}

#define WRAP(call, params, args)					\
	int	__real_##call params;					\
	int	__wrap_##call params;					\
	int								\
	__wrap_##call params						\
	{								\
		return turn(f, #call) ? -1 : __real_##call args;	\
	}

WRAP(file_copy, (int from, uint64_t from_off, int to, uint64_t to_off,
    uint64_t len, struct fault *f), (from, from_off, to, to_off, len, f))
WRAP(file_facts, (int fd, struct file_facts *out, struct fault *f),
    (fd, out, f))
WRAP(file_facts_at, (int dirfd, const char *name, struct file_facts *out,
    struct fault *f), (dirfd, name, out, f))
WRAP(file_list_numbers, (int dirfd, bool (*each)(void *, const char *, uint64_t),
    void *ctx, struct fault *f), (dirfd, each, ctx, f))
WRAP(file_mkdir, (int dirfd, const char *name, mode_t mode, struct fault *f),
    (dirfd, name, mode, f))
WRAP(file_pwrite, (int fd, const void *p, size_t n, uint64_t off,
    struct fault *f), (fd, p, n, off, f))
WRAP(file_rename, (int dirfd, const char *from, const char *to,
    struct fault *f), (dirfd, from, to, f))
WRAP(file_truncate, (int fd, uint64_t size, struct fault *f), (fd, size, f))
WRAP(file_unlink, (int dirfd, const char *name, struct fault *f),
    (dirfd, name, f))
WRAP(file_write, (int fd, const void *p, size_t n, struct fault *f),
    (fd, p, n, f))

int	__real_file_open(int dirfd, const char *name, unsigned how, mode_t mode,
	    int *fd_r, struct fault *f);
int	__wrap_file_open(int dirfd, const char *name, unsigned how, mode_t mode,
	    int *fd_r, struct fault *f);
int
__wrap_file_open(int dirfd, const char *name, unsigned how, mode_t mode,
    int *fd_r, struct fault *f)
{
	*fd_r = -1;
	return turn(f, "file_open") ? -1 :
	    __real_file_open(dirfd, name, how, mode, fd_r, f);
}

ssize_t	__real_file_pread(int fd, void *p, size_t n, uint64_t off,
	    struct fault *f);
ssize_t	__wrap_file_pread(int fd, void *p, size_t n, uint64_t off,
	    struct fault *f);
ssize_t
__wrap_file_pread(int fd, void *p, size_t n, uint64_t off, struct fault *f)
{
	return turn(f, "file_pread") ? -1 :
	    __real_file_pread(fd, p, n, off, f);
}

/* The disk is none of this test's business. */
int	__wrap_file_sync(int fd, struct fault *f);
int
__wrap_file_sync(int fd, struct fault *f)
{
	(void)fd;
	return turn(f, "file_sync") ? -1 : 0;
}

/* --------------------------------------------------------------- the scene */

static const char *const texts[] = {
	"Subject: a\n\nstays, is read\n", "Subject: b\n\ngoes\n",
	"Subject: c\n\nstays\n", "Subject: d\n\ngoes, too\n",
};
#define N		ARRAY_LEN(texts)
#define GOES(i)		((i) % 2 == 1)
#define HEARD		"Subject: e\n\nbulletin\n"
#define HEARD_MBOX	"From n@x Mon Jan  1 10:00:00 2024\n" HEARD "\n"

static const char *const folders[] = { "new", "cur" };

static void
make(struct fake *w)
{
	char path[FAKE_PATH + 64];

	fake_init(w, false);
	w->ops = &maildir_ops;
	fake_maildir(w->spool);
	for (size_t i = 0; i < N; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s/%zu.1.host%s",
		    w->spool, i < 2 ? "new" : "cur", 1700000000 + i,
		    i < 2 ? "" : ":2,");
		fake_write(path, span_str(texts[i]));
	}
}

/* Each file of new/ and cur/. */
static void
each(const char *maildir, void (*call)(void *ctx, const char *folder,
    const char *name), void *ctx)
{
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		char		 path[FAKE_PATH + 8];
		char		 names[16][256];
		size_t		 n = 0;
		struct dirent	*e;
		DIR		*dir;

		(void)snprintf(path, sizeof(path), "%s/%s", maildir,
		    folders[i]);
		dir = opendir(path);
		assert_non_null(dir);
		while ((e = readdir(dir)) != NULL)
			if (e->d_name[0] != '.')
				(void)snprintf(names[n++], sizeof(names[0]),
				    "%.255s", e->d_name);
		closedir(dir);
		for (size_t k = 0; k < n; k++)
			call(ctx, path, names[k]);
	}
}

static void
rename_one(void *ctx, const char *folder, const char *name)
{
	char	from[FAKE_PATH + 300];
	char	to[FAKE_PATH + 300];
	int	base = (int)strcspn(name, ":");

	(void)snprintf(from, sizeof(from), "%s/%s", folder, name);
	(void)snprintf(to, sizeof(to), "%s/cur/%.*s:2,F", (const char *)ctx,
	    base, name);
	assert_int_equal(rename(from, to), 0);
}

static void
rename_all(const char *maildir)
{
	char copy[FAKE_PATH];

	(void)snprintf(copy, sizeof(copy), "%s", maildir);
	each(maildir, rename_one, copy);
}

static void
end(struct fake *w)
{
	fake_remove_maildir(w->spool);
	fake_fini(w);
}

/* --------------------------------------------------------------- the session */

struct found {
	unsigned	of[N];
	unsigned	bulletins;
};

static void
find_one(void *ctx, const char *folder, const char *name)
{
	struct found	*found = ctx;
	char		 path[FAKE_PATH + 300];
	size_t		 n;
	const char	*text;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	text = fake_read(path, &n);
	assert_non_null(text);
	for (size_t i = 0; i < N; i++)
		if (span_eq(span_of(text, n), span_str(texts[i]))) {
			found->of[i]++;
			return;
		}
	if (!span_eq(span_of(text, n), span_str(HEARD)))
		fail_msg("%s: %.*s", path, (int)n, text);
	found->bulletins++;
}

static void
read_all(struct drop *d)
{
	for (size_t i = 0; i < N; i++) {
		char		b[100];
		struct fault	f = { 0 };
		ssize_t		n = maildir_ops.read(d, i, 0, b, sizeof(b), &f);

		if (n == -1)
			assert_true(f.text[0] != '\0');
		else
			assert_true(span_eq(span_of(b, (size_t)n),
			    span_str(texts[i])));
	}
}

/* 1: UPDATE was as it should be; 0: it, or the login, failed. */
static int
session(struct fake *w, struct fault *f)
{
	static const struct drop_extra	extra = { 0, sizeof(HEARD_MBOX) - 1 };
	static const bool		deleted[N] = { GOES(0), GOES(1), GOES(2),
					    GOES(3) };
	static const bool		retrieved[N] = { true, true };
	struct drop_change		c = {
		.deleted = deleted, .retrieved = retrieved, .extra = &extra,
		.nextra = 1, .note = SPAN("n"),
	};
	struct drop_outcome		out;
	struct snapshot			s;
	struct drop			*d;
	size_t				n;
	int				r;

	fake_write(w->legacy, SPAN(HEARD_MBOX));
	c.extra_fd = open(w->legacy, O_RDONLY | O_CLOEXEC);
	assert_int_equal(unlink(w->legacy), 0);
	trouble.on = true;
	r = fake_open(w, &d, f);
	if (r == 0) {
		maildir_ops.snapshot(d, &s);
		assert_int_equal(s.n, N);
		read_all(d);
		r = maildir_ops.commit(d, &c, &out, f);
		maildir_ops.close(d);
		if (fake_read(w->journal, &n) != NULL && n > 0)
			assert_true(out.unfinished);
	}
	trouble.on = false;
	close(c.extra_fd);
	return r == 0 && !out.extra_dropped;
}

/* True: all of it was done. */
static bool
run(enum trouble what, int with, unsigned at)
{
	size_t		fds = test_fds();
	struct fake	w;
	struct found	found = { 0 };
	struct fault	f = { 0 };
	bool		did;
	int		done;

	make(&w);
	trouble.what = what;
	trouble.with = with;
	trouble.left = at;
	trouble.calls = 0;
	trouble.maildir = w.spool;
	done = session(&w, &f);
	assert_int_equal(fake_recover(&w, &did, &f), 0);
	each(w.spool, find_one, &found);
	for (size_t i = 0; i < N; i++)
		if (GOES(i) ? found.of[i] > (done ? 0u : 1u) : found.of[i] != 1)
			fail_msg("trouble %d, %s at %u: %u of message %zu",
			    (int)what, strerror(with), at, found.of[i], i);
	if (found.bulletins > 1 || (found.bulletins == 1) != (w.notes > 0))
		fail_msg("trouble %d, %s at %u: %u bulletins, %u notes",
		    (int)what, strerror(with), at, found.bulletins, w.notes);
	end(&w);
	assert_int_equal(test_fds(), fds);
	return done;
}

static void
test_without(void **state)
{
	(void)state;
	assert_true(run(NO_TROUBLE, 0, 0));
	assert_in_range(trouble.calls, 60, 400);
}

/* What a server of files says, a disk, and a folder that was closed to us. */
static void
test_failures(void **state)
{
	static const struct {
		enum trouble	what;
		int		with;
	} failures[] = {
		{ FAIL_ONCE, ESTALE }, { FAIL_ONCE, ENOLCK },
		{ FAIL_ONCE, ENOSPC }, { FAIL_ON, EIO }, { FAIL_ON, EACCES },
	};
	unsigned calls = (run(NO_TROUBLE, 0, 0), trouble.calls);

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(failures); k++)
		for (unsigned at = 0; at < calls; at++)
			(void)run(failures[k].what, failures[k].with, at);
}

/* The call `at` of a recovery fails, of an UPDATE that could not end; false: there was
 * nothing to recover, or no such call. */
static bool
recover(unsigned broken, unsigned at)
{
	struct fake	w;
	struct found	found = { 0 };
	struct fault	f = { 0 };
	bool		did;
	bool		struck;

	make(&w);
	trouble.what = FAIL_ON;
	trouble.with = EIO;
	trouble.left = broken;
	trouble.maildir = w.spool;
	(void)session(&w, &f);
	trouble.what = FAIL_ONCE;
	trouble.left = at;
	trouble.on = true;
	(void)!fake_recover(&w, &did, &f);
	struck = !trouble.on;
	trouble.on = false;
	assert_int_equal(fake_recover(&w, &did, &f), 0);
	each(w.spool, find_one, &found);
	if (found.bulletins > 1 || (found.bulletins == 1) != (w.notes > 0))
		fail_msg("%u, then %u: %u bulletins, %u notes", broken, at,
		    found.bulletins, w.notes);
	end(&w);
	return struck;
}

static void
test_recoveries(void **state)
{
	unsigned calls = (run(NO_TROUBLE, 0, 0), trouble.calls);
	unsigned all = 0;

	(void)state;
	for (unsigned broken = calls / 2; broken < calls; broken++)
		for (unsigned at = 0; recover(broken, at); at++)
			all++;
	assert_in_range(all, 20, 2000);
}

/* Renamed is not gone. */
static void
test_renames(void **state)
{
	unsigned calls = (run(NO_TROUBLE, 0, 0), trouble.calls);

	(void)state;
	for (unsigned at = 0; at < calls; at++)
		assert_true(run(RENAME, 0, at));
}

#define COMER		"Subject: f\n\nhas come meanwhile\n"

/* What has the name that a message is to get is not looked for in vain: it stays. */
static void
mark(unsigned at)
{
	static const bool	none[N];
	static const bool	first[N] = { true };
	struct drop_change	c = { .deleted = none, .retrieved = first };
	struct drop_outcome	out;
	struct fake		w;
	struct fault		f;
	struct drop		*d;
	char			path[FAKE_PATH + 64];
	size_t			n;
	const char		*text;

	make(&w);
	assert_int_equal(fake_open(&w, &d, &f), 0);
	(void)snprintf(path, sizeof(path), "%s/cur/1700000000.1.host:2,S",
	    w.spool);
	fake_write(path, SPAN(COMER));
	trouble.what = FAIL_ONCE;
	trouble.with = EIO;
	trouble.left = at;
	trouble.calls = 0;
	trouble.on = true;
	(void)!maildir_ops.commit(d, &c, &out, &f);
	trouble.on = false;
	maildir_ops.close(d);
	text = fake_read(path, &n);
	if (text == NULL || !span_eq(span_of(text, n), SPAN(COMER)))
		fail_msg("call %u: %.*s", at, (int)n, text);
	end(&w);
}

static void
test_name_in_the_way(void **state)
{
	(void)state;
	for (unsigned at = 0; at == 0 || at <= trouble.calls; at++)
		mark(at);
	assert_in_range(trouble.calls, 2, 50);
}

/* More than are looked at before their turn: message i has i octets and a
 * line's end. */
#define MANY		100

static void
make_many(struct fake *w)
{
	static char	text[MANY];
	char		path[FAKE_PATH + 64];

	fake_init(w, false);
	w->ops = &maildir_ops;
	fake_maildir(w->spool);
	memset(text, 'x', sizeof(text));
	text[MANY - 1] = '\n';
	for (size_t i = 0; i < MANY; i++) {
		(void)snprintf(path, sizeof(path), "%s/new/%zu.1.host", w->spool,
		    1700000000 + i);
		fake_write(path, span_of(text + MANY - 1 - i, i + 1));
	}
}

/* Of a login alone; 0, or -1 when it failed. */
static int
log_in(struct fake *w, enum trouble what, unsigned at)
{
	struct fault		f = { 0 };
	struct drop_entry	e;
	struct drop		*d;
	struct snapshot		s;

	trouble.what = what;
	trouble.with = EIO;
	trouble.left = at;
	trouble.calls = 0;
	trouble.maildir = w->spool;
	trouble.on = true;
	if (fake_open(w, &d, &f) != 0) {
		trouble.on = false;
		return -1;
	}
	trouble.on = false;
	maildir_ops.snapshot(d, &s);
	assert_int_equal(s.n, MANY);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(maildir_ops.entry(d, i, &e, &f), 0);
		assert_int_equal(e.size_wire, i + 2);
	}
	maildir_ops.close(d);
	return 0;
}

/* Whatever fails, and whoever goes meanwhile: nothing is left open, and no message has
 * another's size. */
static void
test_many(void **state)
{
	struct fake	w;
	size_t		fds = test_fds();
	unsigned	calls;

	(void)state;
	make_many(&w);
	assert_int_equal(log_in(&w, NO_TROUBLE, 0), 0);
	calls = trouble.calls;
	assert_in_range(calls, 3 * MANY, 4 * MANY);
	for (unsigned at = 0; at < calls; at++)
		(void)log_in(&w, FAIL_ONCE, at);
	assert_int_equal(test_fds(), fds);
	fake_remove_maildir(w.spool);
	fake_fini(&w);
}

/* A file that a server has forgotten is opened once more: nobody notices. */
static void
test_stale_once(void **state)
{
	struct fake	w;
	struct drop	*d;
	struct fault	f;
	char		b[100];

	(void)state;
	make(&w);
	assert_int_equal(fake_open(&w, &d, &f), 0);
	assert_int_equal(maildir_ops.read(d, 0, 0, b, 4, &f), 4);
	for (unsigned at = 0; at < 2; at++) {
		trouble.what = FAIL_ONCE;
		trouble.with = ESTALE;
		trouble.left = at;
		trouble.on = true;
		assert_int_equal(maildir_ops.read(d, 0, 4, b, 4, &f), 4);
		assert_false(trouble.on);
		assert_memory_equal(b, texts[0] + 4, 4);
	}
	maildir_ops.close(d);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_recoveries),
		cmocka_unit_test(test_renames),
		cmocka_unit_test(test_name_in_the_way),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_stale_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
