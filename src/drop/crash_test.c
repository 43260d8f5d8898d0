/* SPDX-License-Identifier: ISC */
/*
 * A commit dies, or a call of it fails, at every call that changes a file;
 * then recovery dies at every such call; mail is appended in between.  At the
 * end the spool must be the old or the new one, with that mail behind it.  Some
 * sessions have a copy of the spool, the others read it in place.
 *
 * The calls are those of sys/file.h (the linker's --wrap).  A write that dies
 * has written a part, up to a border of sectors.  With a power cut, what was not synced is lost: all of it,
 * or here and there.  tests/crash kills the real program, at every system call.
 */
#include "drop/fake_host.h"

#include "base/alloc.h"
#include "sys/file.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* -------------------------------------------------------------- the calls */

enum trouble { NO_TROUBLE, DIE, FAIL, LOSE_ALL, LOSE_SOME };
static enum trouble	trouble;
static int		fail_with;
static unsigned		calls_left;	/* before the trouble */
static unsigned		calls;		/* seen in all */
static unsigned		dice;		/* which writes a power cut takes */
static bool		long_ago;	/* the last change of any file */
static unsigned		ways;		/* of temporary maildrops, by turns */
static bool		in_place;	/* the session of this turn */

uint64_t	__real_clock_file_ms(void);
uint64_t	__wrap_clock_file_ms(void);

uint64_t
__wrap_clock_file_ms(void)
{
	return __real_clock_file_ms() + (long_ago || in_place ? 60000 : 0);
}

int	__real_file_pwrite(int fd, const void *p, size_t n, uint64_t off,
	    struct fault *f);
int	__real_file_copy(int from, uint64_t from_off, int to, uint64_t to_off,
	    uint64_t len, struct fault *f);
int	__real_file_sync(int fd, struct fault *f);
int	__real_file_datasync(int fd, struct fault *f);
int	__real_file_truncate(int fd, uint64_t size, struct fault *f);
int	__real_file_reserve(int fd, uint64_t off, uint64_t len,
	    struct fault *f);
int	__wrap_file_pwrite(int fd, const void *p, size_t n, uint64_t off,
	    struct fault *f);
int	__wrap_file_copy(int from, uint64_t from_off, int to, uint64_t to_off,
	    uint64_t len, struct fault *f);
int	__wrap_file_sync(int fd, struct fault *f);
int	__wrap_file_datasync(int fd, struct fault *f);
int	__wrap_file_truncate(int fd, uint64_t size, struct fault *f);
int	__wrap_file_reserve(int fd, uint64_t off, uint64_t len,
	    struct fault *f);

/* In a child, cmocka's assertions would go on with the next test. */
static void
need(bool c)
{
	if (!c)
		_exit(8);
}

/* A change of a file that the disk need not have yet, and how to undo it. */
struct change {
	int		 fd;		/* -1: synced */
	uint64_t	 size;		/* before */
	uint64_t	 off;
	uint64_t	 len;		/* of old octets */
	uint8_t		*old;
};
static struct change	changes[4096];
static size_t		nchanges;

static void
remember(int fd, uint64_t off, uint64_t len)
{
	struct change		*c = &changes[nchanges];
	struct file_facts	 facts;

	if ((trouble != LOSE_ALL && trouble != LOSE_SOME) ||
	    file_facts(fd, &facts, NULL) == -1)
		return;
	need(nchanges < ARRAY_LEN(changes));
	len = off >= facts.size ? 0 :
	    len < facts.size - off ? len : facts.size - off;
	*c = (struct change){ dup(fd), facts.size, off, len, xalloc(len, 1) };
	/* A file that we cannot read is a dotlock. */
	if (file_pread(fd, c->old, len, off, NULL) == (ssize_t)len)
		nchanges++;
}

static void
synced(int fd)
{
	for (size_t i = 0; i < nchanges; i++)
		if (changes[i].fd != -1 && fd_same(changes[i].fd, fd))
			fd_close(&changes[i].fd);
}

static void
lose(const struct change *c, unsigned seed)
{
	struct file_facts	now;
	static const uint8_t	zero;

	if (c->fd == -1 || file_facts(c->fd, &now, NULL) == -1)
		return;
	if (trouble == LOSE_SOME && (seed >> 3 & 1))
		return;
	need(__real_file_pwrite(c->fd, c->old, c->len, c->off,
	    NULL) == 0);
	if (trouble == LOSE_ALL)
		need(__real_file_truncate(c->fd, c->size, NULL) == 0);
	else	/* the new size without the new octets */
		for (uint64_t i = c->size; i < now.size; i++)
			need(__real_file_pwrite(c->fd, &zero, 1, i,
			    NULL) == 0);
}

static void
power_cut(void)
{
	unsigned seed = (calls + 1000 * dice) * 2654435761u;

	for (size_t i = nchanges; i > 0; i--) {
		seed = seed * 1103515245u + 12345u;
		lose(&changes[i - 1], seed >> 16);
	}
}

/* Is it this call's turn? */
static bool
turn(void)
{
	calls++;
	return trouble != NO_TROUBLE && calls_left-- == 0;
}

static int
meet(struct fault *f)
{
	if (trouble == LOSE_ALL || trouble == LOSE_SOME)
		power_cut();
	if (trouble != FAIL)
		_exit(9);
	return fault_errno(f, FAULT_TEMP, fail_with, "test");
}

/* Half of a write is there, up to a border of sectors. */
static size_t
part(size_t n, uint64_t off)
{
	size_t cut = (size_t)((off + n / 2) % 512);

	return cut < n / 2 ? n / 2 - cut : 0;
}

int
__wrap_file_pwrite(int fd, const void *p, size_t n, uint64_t off,
    struct fault *f)
{
	remember(fd, off, n);
	if (!turn())
		return __real_file_pwrite(fd, p, n, off, f);
	(void)!__real_file_pwrite(fd, p, part(n, off), off, f);
	return meet(f);
}

int
__wrap_file_copy(int from, uint64_t from_off, int to, uint64_t to_off,
    uint64_t len, struct fault *f)
{
	remember(to, to_off, len);
	if (!turn())
		return __real_file_copy(from, from_off, to, to_off, len, f);
	(void)!__real_file_copy(from, from_off, to, to_off,
	    part(len, to_off), f);
	return meet(f);
}

int
__wrap_file_sync(int fd, struct fault *f)
{
	if (turn())
		return meet(f);
	synced(fd);
	return __real_file_sync(fd, f);
}

int
__wrap_file_datasync(int fd, struct fault *f)
{
	if (turn())
		return meet(f);
	synced(fd);
	return __real_file_datasync(fd, f);
}

int
__wrap_file_truncate(int fd, uint64_t size, struct fault *f)
{
	remember(fd, size, UINT64_MAX);
	return turn() ? meet(f) : __real_file_truncate(fd, size, f);
}

int
__wrap_file_reserve(int fd, uint64_t off, uint64_t len, struct fault *f)
{
	return turn() ? meet(f) : __real_file_reserve(fd, off, len, f);
}

/* ------------------------------------------------------------- scenarios */

#define F(who, day)	"From " who "@x Mon Jan  " day " 10:00:00 2024\n"
/* So that each message has more than one block of the journal's. */
#define LINE	"Nothing that matters stands in these lines, but octets.........\n"
#define LINES	LINE LINE LINE LINE LINE LINE LINE LINE LINE
#define A	F("a", "1") "Subject: a\n\nThe first\n" LINES "\n"
#define A_RO	F("a", "1") "Subject: a\nStatus: RO\n\nThe first\n" LINES "\n"
#define B	F("b", "2") "Subject: b\n\nThe second, which is longer\n" LINES "\n"
#define C	F("c", "3") "Subject: c\n\nThe third\n" LINES "\n"
#define N1	F("n", "6") "To: ann\n\nBulletin\n" LINES "\n"
#define SAME	F("d", "4") "Subject: d\n\nThe third\n" LINES "\n"
#define TAIL	F("t", "7") "Subject: t\n\nCame in between\n\n"
#define TAIL2	F("u", "8") "Subject: u\n\nCame later\n\n"

struct scenario {
	const char	*name;
	const char	*before;
	const char	*deleted;
	const char	*retrieved;
	const char	*extra;
	const char	*after;
	const char	*legacy;
	const char	*less;		/* on a full disk, also this */
	size_t		 room;		/* of files; 0: any */
	bool		 all;		/* with and without mail in between */
};

static const struct scenario small[] = {
	{ "shrink", A B C, "2", "", "", A C },
	{ "first goes", A B C, "1", "", "", B C, .all = true },
	{ "last goes", A B C, "3", "", "", A B },
	{ "all go", A B C, "123", "", "", "" },
	{ "twins go", A A B, "2", "", "", A B },
	{ "grow by a Status", A B, "", "1", "", A_RO B, .less = A B },
	{ "grow by a bulletin", A B, "", "", N1, A B N1, .less = A B },
	{ "grow from nothing", "", "", "", N1, N1, .less = "" },
	{ "grow and shrink", A B C, "2", "1", N1, A_RO C N1, .less = A_RO C,
	    .all = true },
	{ "same length", C A, "1", "", SAME, A SAME, .less = A },
	{ "mail of an old popper", B C, "", "", "", A B C, .legacy = A,
	    .less = B C },
};

static struct drop_change
change_of(const struct scenario *t, const struct snapshot *s,
    struct drop_extra *extra)
{
	bool *deleted = xalloc(s->n, sizeof(bool));
	bool *retrieved = xalloc(s->n, sizeof(bool));
	struct drop_change c = { .deleted = deleted, .retrieved = retrieved,
	    .extra_fd = -1 };
	FILE *file = tmpfile();

	for (const char *p = t->deleted; *p != '\0'; p++)
		deleted[*p - '1'] = true;
	for (const char *p = t->retrieved; *p != '\0'; p++)
		retrieved[*p - '1'] = true;
	if (t->extra[0] == '\0')
		return c;
	c.extra_fd = dup(fileno(file));
	*extra = (struct drop_extra){ 0, strlen(t->extra) };
	assert_int_equal(write(c.extra_fd, t->extra, extra->len),
	    (ssize_t)extra->len);
	c.extra = extra;
	c.nextra = 1;
	c.note = SPAN("1");
	return c;
}

static void
limit(rlim_t n)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_FSIZE, &r) == -1)
		_exit(8);
	r.rlim_cur = n;
	if (setrlimit(RLIMIT_FSIZE, &r) == -1)
		_exit(8);
}

/* What session() ends with, when a commit left its journal open. */
#define UNFINISHED	3

/* Open and QUIT; the trouble begins with the QUIT (with a legacy file: at
 * once, for it is taken in at open).  Every second time it is known that nobody
 * else has changed the spool. */
static int
session(struct fake *w, const struct scenario *t)
{
	enum trouble		 later = trouble;
	struct drop_outcome	 out;
	struct drop_change	 c;
	struct drop_extra	 extra;
	struct snapshot		 s;
	struct drop		*d;
	struct fault		 f;
	int			 r;

	if (t->legacy == NULL)
		trouble = NO_TROUBLE;
	calls = 0;
	long_ago = calls_left % 2 == 1;
	if (fake_open(w, &d, &f) == -1)
		return 1;
	mbox_ops.snapshot(d, &s);
	c = change_of(t, &s, &extra);
	if (t->legacy == NULL)
		calls = 0;
	trouble = later;
	if (t->room > 0)
		limit(t->room);
	r = mbox_ops.commit(d, &c, &out, &f);
	limit(RLIM_INFINITY);
	trouble = NO_TROUBLE;
	mbox_ops.close(d);
	return r == 0 ? 0 : out.unfinished ? UNFINISHED : 1;
}

/*
 * Run fn in a child with trouble at call n.  Returns its exit status: 9 when
 * it died there, else what fn gave; 2 when the trouble never came.
 */
static int
in_child(int (*fn)(struct fake *, const struct scenario *), struct fake *w,
    const struct scenario *t, enum trouble what, unsigned n)
{
	int	status;
	pid_t	pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int r;

		trouble = what;
		calls_left = n;
		r = fn(w, t);
		_exit(r == 0 && calls <= n ? 2 : r);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 8);
	return WEXITSTATUS(status);
}

static int
recovery(struct fake *w, const struct scenario *t)
{
	struct fault	f;
	bool		did;

	(void)t;
	calls = 0;
	return fake_recover(w, &did, &f) == 0 ? 0 : 1;
}

static bool
is(const char *got, size_t n, const char *a, const char *tail)
{
	size_t na = strlen(a);
	size_t nt = strlen(tail);

	return n == na + nt && memcmp(got, a, na) == 0 &&
	    memcmp(got + na, tail, nt) == 0;
}

static char	tails[1 << 19];

enum { MAY_BE_OLD = 1, MAY_BE_LESS = 2 };

static void
check(struct fake *w, const struct scenario *t, unsigned may)
{
	size_t		 n = 0;
	const char	*got = fake_read(w->spool, &n);
	bool		 new = is(got, n, t->after, tails);
	bool		 old = (may & MAY_BE_OLD) && is(got, n, t->before, tails);
	bool		 less = (may & MAY_BE_LESS) && t->less != NULL &&
			    is(got, n, t->less, tails);

	if (!new && !old && !less)
		print_message("%s, got:\n%.*s\n", t->name, (int)n, got);
	assert_true(new || old || less);
	if (t->extra[0] != '\0')
		assert_int_equal(fake_exists(w->popbull), new);
	if (t->legacy == NULL)
		return;
	/* In both or in none would be twice or never. */
	n = 0;
	if (fake_exists(w->legacy))
		(void)fake_read(w->legacy, &n);
	assert_int_equal(n > 0, !new);
}

static void
prepare(struct fake *w, const struct scenario *t)
{
	fake_init(w, false);
	in_place = w->conf.in_place = ways++ / 2 % 2 == 0;
	fake_write(w->spool, span_str(t->before));
	if (t->legacy != NULL)
		fake_write(w->legacy, span_str(t->legacy));
	tails[0] = '\0';
	tails[1] = '\0';
}

static void
mail_comes(struct fake *w, const char *mail)
{
	fake_append(w->spool, span_str(mail));
	assert_true(strlen(tails) + strlen(mail) < sizeof(tails));
	memcpy(tails + strlen(tails), mail, strlen(mail) + 1);
}

static void
last_recovery(struct fake *w)
{
	struct fault	f;
	bool		did = false;

	if (fake_exists(w->journal) && fake_recover(w, &did, &f) == -1)
		fail_msg("%s", f.text);
	if (fake_exists(w->journal)) {
		size_t n;

		(void)fake_read(w->journal, &n);
		assert_int_equal(n, 0);
	}
	/* Without a commit to finish, the lock of the dead goes by its age. */
	if (did)
		assert_false(fake_locked(w));
}

/* Dies at n in its way; then mail; recovery dies at each m; mail again; recovery. */
static bool
die_twice(const struct scenario *t, enum trouble how, unsigned n,
    bool first_mail, bool second_mail, unsigned *points)
{
	struct fake	w;
	/* Every point of recovery for one scenario of each kind, else a third. */
	unsigned	step = t->all && how == DIE ? 1 : 3;
	unsigned	m = n % step;
	bool		more = true;
	int		r = 9;

	while (more) {
		prepare(&w, t);
		r = in_child(session, &w, t, how, n);
		if (r != 9) {
			assert_int_equal(r, 2);
			last_recovery(&w);
			check(&w, t, 0);
			fake_fini(&w);
			return false;
		}
		++*points;
		if (first_mail)
			mail_comes(&w, TAIL);
		more = fake_exists(w.journal) &&
		    in_child(recovery, &w, t, how, m) == 9;
		if (second_mail)
			mail_comes(&w, TAIL2);
		last_recovery(&w);
		check(&w, t, MAY_BE_OLD);
		fake_fini(&w);
		m += step;
	}
	return true;
}

static void
test_die_everywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(small); i++) {
		unsigned points = 0;

		for (int mail = small[i].all ? 0 : 3; mail < 4; mail++)
			for (unsigned n = 0; die_twice(&small[i], DIE, n,
			    mail & 1, mail & 2, &points); n++)
				;
		print_message("%s: %u deaths\n", small[i].name, points);
		assert_true(points > 25);
	}
}

static void
test_power_cut_everywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(small); i++) {
		unsigned points = 0;

		for (dice = 0; dice < 4; dice++)
			for (unsigned n = 0; die_twice(&small[i], dice == 0 ?
			    LOSE_ALL : LOSE_SOME, n, true, false, &points); n++)
				;
		print_message("%s: %u power cuts\n", small[i].name, points);
		assert_true(points > 70);
	}
}

/* ------------------------------------------- other programs, damaged disks */

/*
 * Somebody who heeds no lock replaces or rewrites the spool after a death: what
 * he wrote is not touched, and the journal is not thrown away when it might be
 * needed; damaged, it is not believed.
 */
enum harm { NEW_INODE, OTHER_TEXT, BAD_DATA, REMOVED, HARMS };

static void
flip(const char *path, uint64_t off)
{
	int	fd;
	uint8_t	c;

	assert_int_equal(file_open(FILE_CWD, path, FILE_READ | FILE_WRITE, 0,
	    &fd, NULL), 0);
	if (file_pread(fd, &c, 1, off, NULL) == 1) {
		c ^= 1;
		assert_int_equal(__real_file_pwrite(fd, &c, 1, off, NULL), 0);
	}
	close(fd);
}

/* A mail reader takes the last message out, in place; then more mail comes than
 * it had octets. */
static void
remove_last(const char *path)
{
	static char	text[16384];
	size_t		len;
	size_t		cut = 0;
	const char	*now = fake_read(path, &len);

	assert_true(len < sizeof(text));
	memcpy(text, now, len);
	for (size_t i = 1; i + 5 < len; i++)
		if (memcmp(text + i - 1, "\nFrom ", 6) == 0)
			cut = i;
	fake_write(path, span_of(text, cut));
	fake_append(path, SPAN(TAIL2));
	fake_append(path, SPAN(A));
	fake_append(path, SPAN(B));
}

static void
do_harm(struct fake *w, enum harm harm)
{
	char path[FAKE_PATH + 8];

	(void)snprintf(path, sizeof(path), "%s.new", w->spool);
	switch (harm) {
	case NEW_INODE:
		fake_write(path, SPAN(TAIL2));
		assert_int_equal(rename(path, w->spool), 0);
		break;
	case OTHER_TEXT:
		fake_write(w->spool, SPAN(TAIL2));
		break;
	case BAD_DATA:
		flip(w->journal, 8192 + 5);
		break;
	case REMOVED:
		remove_last(w->spool);
		break;
	case HARMS:
		break;
	}
}

static bool
harmed(const struct scenario *t, unsigned n, enum harm harm, unsigned *kept)
{
	struct fake	w;
	struct fault	f = { 0 };
	static char	before[16384];
	size_t		len;
	size_t		was;
	bool		did = false;
	int		r;

	prepare(&w, t);
	r = in_child(session, &w, t, DIE, n);
	if (r == 9 && fake_exists(w.journal)) {
		do_harm(&w, harm);
		memcpy(before, fake_read(w.spool, &len), sizeof(before));
		(void)fake_read(w.journal, &was);
		if (fake_recover(&w, &did, &f) == -1) {
			assert_int_equal(f.class, FAULT_PERM);
			fake_expect(w.spool, span_of(before, len));
			(void)fake_read(w.journal, &len);
			assert_int_equal(len, was);
			++*kept;
		} else if (harm != BAD_DATA) {
			fake_expect(w.spool, span_of(before, len));
		} else {
			check(&w, t, MAY_BE_OLD);
		}
	}
	fake_fini(&w);
	return r == 9;
}

static void
test_harm(void **state)
{
	static const struct scenario list[] = {
		{ "shrink", A B C, "1", "", "", B C },
		{ "grow", A B, "", "1", N1, A_RO B N1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		for (enum harm h = NEW_INODE; h < HARMS; h++) {
			unsigned kept = 0;

			for (unsigned n = 0; harmed(&list[i], n, h, &kept); n++)
				;
			print_message("%s, harm %d: %u journals kept\n",
			    list[i].name, (int)h, kept);
			assert_true(kept > 0);
		}
}

/* ------------------------------------------------------------- windows */

static char	big[2 << 20];
static char	big_tail[200000];

static void
fill(char *out, char c, size_t n)
{
	int head = snprintf(out, 100, "From %c@x Mon Jan  1 10:00:00 2024\n\n",
	    c);

	for (size_t i = (size_t)head; i < n; i++)
		out[i] = i % 71 == 0 ? '\n' : (char)('a' + i / 71 % 26);
	out[n - 2] = '\n';
	out[n - 1] = '\n';
	out[n] = '\0';
}

/*
 * The same with more octets than fit into a window: a full disk, where a
 * commit is made of many steps, or so much new mail that moving it is.  Each
 * death is followed by those of the recovery at a few points.
 */
static void
die_with_windows(const struct scenario *t, const char *mail)
{
	struct fake	w;
	unsigned	points = 0;
	int		r = 9;

	for (unsigned n = 0; r == 9; n++) {
		prepare(&w, t);
		r = in_child(session, &w, t, DIE, n);
		if (r == 9)
			mail_comes(&w, mail);
		for (unsigned i = 0; r == 9 && i < 3; i++) {
			unsigned m = (n * 7 + i * 13) % 31;

			if (fake_exists(w.journal))
				points += in_child(recovery, &w, t, DIE,
				    m) == 9;
			if (i == 1)
				mail_comes(&w, TAIL2);
		}
		last_recovery(&w);
		check(&w, t, r == 9 ? MAY_BE_OLD : 0);
		fake_fini(&w);
		points++;
	}
	assert_int_equal(r, 2);
	print_message("%s: %u deaths\n", t->name, points);
	assert_true(points > 30);
}

static void
test_die_in_windows(void **state)
{
	struct scenario full = { "full disk", big, "1", "", "", big + 50000 };
	struct scenario tail = { "much new mail", A B C, "2", "", "", A C };

	(void)state;
	fill(big, 'x', 50000);
	fill(big + 50000, 'y', 700001);
	fill(big + 50000 + 700001, 'z', 600002);
	full.room = strlen(full.after) + 100;
	fill(big_tail, 't', sizeof(big_tail) - 1);
	die_with_windows(&full, TAIL);
	die_with_windows(&tail, big_tail);
}

/* A call fails: success means new; failure old, or new after recovery. */
static void
test_fail_everywhere(void **state)
{
	static const int errs[] = { EIO, ENOSPC };
	unsigned unfinished = 0;
	struct fake w;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(small); i++) {
		for (size_t e = 0; e < ARRAY_LEN(errs); e++) {
			int r = 0;

			fail_with = errs[e];
			for (unsigned n = 0; r != 2; n++) {
				prepare(&w, &small[i]);
				r = in_child(session, &w, &small[i], FAIL, n);
				assert_true(r <= UNFINISHED);
				/* Who is not told so has nothing left to recover. */
				if (r == 1 && small[i].legacy == NULL)
					assert_false(fake_locked(&w));
				unfinished += r == UNFINISHED;
				last_recovery(&w);
				check(&w, &small[i], r == 1 || r == UNFINISHED ?
				    MAY_BE_OLD :
				    errs[e] == ENOSPC ? MAY_BE_LESS : 0);
				fake_fini(&w);
			}
		}
	}
	assert_true(unfinished > 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_die_everywhere),
		cmocka_unit_test(test_power_cut_everywhere),
		cmocka_unit_test(test_die_in_windows),
		cmocka_unit_test(test_harm),
		cmocka_unit_test(test_fail_everywhere),
	};
	unsigned	seed = 0;
	int		r;

	(void)signal(SIGXFSZ, SIG_IGN);
	/* Thousands of syncs; the power cut is simulated anyway. */
	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 0);
	if (getenv("POPPER_SEED") != NULL)
		seed = (unsigned)strtoul(getenv("POPPER_SEED"), NULL, 10);
	print_message("POPPER_SEED=%u\n", seed);
	ways = seed;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	ways = seed + 2;
	if (r == 0 && getenv("POPPER_LONG") != NULL &&
	    getenv("POPPER_LONG")[0] != '\0')
		r = cmocka_run_group_tests(tests, NULL, NULL);
	return r;
}
