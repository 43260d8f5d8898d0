/* SPDX-License-Identifier: ISC */
/* bull_collect and .popbull against a real folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "base/attr.h"
#include "bull/bull.h"
#include "bull/bull_priv.h"
#include "sys/file.h"
#include "sys/test_dir.h"

#define FROM	"From ann@example.org Sat Jan  1 00:00:00 2000\n"
#define BULL(x)	FROM "To: all\nSubject: " x "\n\nbody\n\n"
#define WANT(x)	FROM "To: ann@pop.example.org\nSubject: " x "\n\nbody\n\n"

/* In whose place a disk that fails stands. */
static bool	bad_disk;

int	__real_file_facts_at(int dirfd, const char *name, struct file_facts *out,
	    struct fault *f);
int	__wrap_file_facts_at(int dirfd, const char *name, struct file_facts *out,
	    struct fault *f);
int
__wrap_file_facts_at(int dirfd, const char *name, struct file_facts *out,
    struct fault *f)
{
	return bad_disk ? fault_errno(f, FAULT_TEMP, EIO, "stat %s", name) :
	    __real_file_facts_at(dirfd, name, out, f);
}

ssize_t	__real_file_pread(int fd, void *p, size_t n, uint64_t off,
	    struct fault *f);
ssize_t	__wrap_file_pread(int fd, void *p, size_t n, uint64_t off,
	    struct fault *f);
ssize_t
__wrap_file_pread(int fd, void *p, size_t n, uint64_t off, struct fault *f)
{
	return bad_disk ? fault_errno(f, FAULT_TEMP, EIO, "read") :
	    __real_file_pread(fd, p, n, off, f);
}

struct scene {
	struct test_dir		*dir;
	char			 bulletins[128];
	int			 bulldir;
	int			 home;
	int			 out;
	struct bull_conf	 conf;
	struct bull_reader	 who;
	struct bull_set		 set;
	char			 told[2048];	/* "id: text" lines */
};

static void
tell(void *ctx, const char *id, const char *text)
{
	struct scene	*s = ctx;
	size_t		 n = strlen(s->told);

	(void)snprintf(s->told + n, sizeof(s->told) - n, "%s: %s\n", id, text);
}

static int
open_folder(struct test_dir *d, const char *name)
{
	assert_int_equal(mkdirat(d->fd, name, 0755), 0);
	return openat(d->fd, name, O_RDONLY | O_DIRECTORY);
}

static void
scene_begin(struct scene *s, void **state)
{
	*s = (struct scene){ .dir = *state };
	s->bulldir = open_folder(s->dir, "b");
	s->home = open_folder(s->dir, "home");
	s->out = openat(s->dir->fd, "out", O_RDWR | O_CREAT, 0600);
	assert_true(s->out >= 0);
	(void)snprintf(s->bulletins, sizeof(s->bulletins), "%s/b",
	    s->dir->path);
	s->conf.dir = s->bulletins;
	s->who = (struct bull_reader){
		.place = { s->home, ".popbull" }, .user = "ann",
		.host = "pop.example.org", .tell = tell, .ctx = s,
	};
}

static void
scene_end(struct scene *s)
{
	bull_set_fini(&s->set);
	(void)close(s->bulldir);
	(void)close(s->home);
	(void)close(s->out);
}

static void
put_file(int dirfd, const char *name, const char *text)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

#define OUT_OFF	7			/* the copy of the maildrop before it */

static int
collect(struct scene *s)
{
	struct fault f = { 0 };

	bull_set_fini(&s->set);
	s->told[0] = '\0';
	return bull_collect(&s->conf, &s->who, s->out, OUT_OFF, &s->set, &f);
}

/* The pieces lie one behind the other and say this. */
static void
assert_pieces(struct scene *s, const char *want)
{
	uint64_t	off = OUT_OFF;
	char		got[4096];
	ssize_t		n;

	for (size_t i = 0; i < s->set.n; i++) {
		assert_int_equal(s->set.pieces[i].off, off);
		off += s->set.pieces[i].len;
	}
	n = pread(s->out, got, sizeof(got) - 1, OUT_OFF);
	assert_true(n >= 0);
	if ((uint64_t)n > off - OUT_OFF)
		n = (ssize_t)(off - OUT_OFF);
	got[n] = '\0';
	assert_string_equal(got, want);
}

static void
assert_popbull(struct scene *s, const char *want)
{
	int	fd = openat(s->home, ".popbull", O_RDONLY);
	char	got[128];
	ssize_t	n;

	if (want == NULL) {
		assert_int_equal(fd, -1);
		return;
	}
	assert_true(fd >= 0);
	n = read(fd, got, sizeof(got) - 1);
	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, want);
	(void)close(fd);
}

static void
test_order(void **state)
{
	struct scene s;

	scene_begin(&s, state);
	put_file(s.home, ".popbull", "1\n");
	put_file(s.bulldir, "1.old", BULL("1"));
	put_file(s.bulldir, "10", BULL("10"));
	put_file(s.bulldir, "9.z", BULL("9z"));
	put_file(s.bulldir, "09.a", BULL("9a"));
	put_file(s.bulldir, "2x", BULL("2"));
	put_file(s.bulldir, "README", "no bulletin");
	put_file(s.bulldir, ".hidden", "no bulletin");
	assert_int_equal(collect(&s), 0);
	assert_pieces(&s, WANT("2") WANT("9a") WANT("9z") WANT("10"));
	assert_int_equal(s.set.recorded, 1);
	assert_int_equal(s.set.highest, 10);
	assert_string_equal(s.told, "");
	assert_popbull(&s, "1\n");
	scene_end(&s);
}

/* Each state that the file can be in: what is taken, what it says after. */
static const struct {
	const char	*name;
	const char	*text;		/* NULL: missing */
	const char	*after;
	uint64_t	 highest;
	size_t		 n;
	bool		 told;
} states[] = {
	{ "missing", NULL, "3\n", 3, 0, false },
	{ "empty", "", "3\n", 3, 0, true },
	{ "garbage", "hello\n", "3\n", 3, 0, true },
	{ "negative", "-1\n", "3\n", 3, 0, true },
	{ "blank first", " 1\n", "3\n", 3, 0, true },
	{ "behind", "1\n", "1\n", 3, 2, false },
	{ "zero", "0\n", "0\n", 3, 3, false },
	{ "no line end", "2", "2", 3, 1, false },
	{ "CRLF", "2\r\n", "2\r\n", 3, 1, false },
	{ "leading zeros", "0002\n", "0002\n", 3, 1, false },
	{ "second line", "2\n7\n", "2\n7\n", 3, 1, false },
	{ "at the maximum", "3\n", "3\n", 3, 0, false },
	{ "ahead", "17\n", "17\n", 17, 0, false },
	{ "18 digits", "999999999999999999\n", "999999999999999999\n",
	  999999999999999999, 0, false },
	{ "19 digits", "1000000000000000000\n", "1000000000000000000\n",
	  0, 0, true },
	{ "19 zeros and a digit", "00000000000000000001\n",
	  "00000000000000000001\n", 0, 0, true },
};

static void
test_states(void **state)
{
	struct scene s;

	scene_begin(&s, state);
	put_file(s.bulldir, "1", BULL("1"));
	put_file(s.bulldir, "2", BULL("2"));
	put_file(s.bulldir, "3", BULL("3"));
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		(void)unlinkat(s.home, ".popbull", 0);
		if (states[i].text != NULL)
			put_file(s.home, ".popbull", states[i].text);
		assert_int_equal(collect(&s), 0);
		if (s.set.n != states[i].n ||
		    s.set.highest != states[i].highest ||
		    (s.told[0] != '\0') != states[i].told)
			fail_msg("%s: n %zu highest %" PRIu64 " told %s",
			    states[i].name, s.set.n, s.set.highest, s.told);
		assert_popbull(&s, states[i].after);
	}
	scene_end(&s);
}

static void
test_seed_mode(void **state)
{
	struct scene	s;
	struct stat	st;
	mode_t		old = umask(0);

	scene_begin(&s, state);
	assert_int_equal(collect(&s), 0);
	assert_popbull(&s, "0\n");
	assert_int_equal(fstatat(s.home, ".popbull", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	(void)umask(old);
	scene_end(&s);
}

/* A folder or a link with a great number is no maximum. */
static void
test_seed_counts_files(void **state)
{
	struct scene s;

	scene_begin(&s, state);
	put_file(s.bulldir, "4.bad", "not a bulletin");
	assert_int_equal(mkdirat(s.bulldir, "99.old", 0755), 0);
	assert_int_equal(symlinkat("4.bad", s.bulldir, "98"), 0);
	put_file(s.bulldir, "1000000000000000000", BULL("x"));
	assert_int_equal(collect(&s), 0);
	assert_popbull(&s, "4\n");
	assert_non_null(strstr(s.told, "bulletin-bad: 1000000000000000000"));
	scene_end(&s);
}

/* A disk that fails makes nobody a new user, or one who is to get all of them. */
static void
test_bad_disk(void **state)
{
	struct scene	s;
	int		r;

	scene_begin(&s, state);
	put_file(s.bulldir, "1", BULL("1"));
	put_file(s.bulldir, "2", BULL("2"));
	bad_disk = true;
	r = collect(&s);
	bad_disk = false;
	assert_int_equal(r, 0);
	assert_non_null(strstr(s.told, "bulletin-folder-unreadable: "));
	assert_popbull(&s, NULL);

	put_file(s.home, ".popbull", "1\n");
	bad_disk = true;
	r = collect(&s);
	bad_disk = false;
	assert_int_equal(r, 0);
	assert_int_equal(s.set.n, 0);
	assert_int_equal(s.set.highest, s.set.recorded);
	assert_string_equal(s.told,
	    "bulletin-number-unreadable: .popbull: read: Input/output error\n");
	assert_popbull(&s, "1\n");

	assert_int_equal(collect(&s), 0);
	assert_pieces(&s, WANT("2"));
	scene_end(&s);
}

enum { LINK, DANGLING, HARD_LINK, FIFO, FOLDER, KINDS };

static void
make_kind(struct scene *s, int kind)
{
	int r = -1;

	(void)unlinkat(s->home, ".popbull", 0);
	put_file(s->home, "victim", "1\n");
	switch (kind) {
	case LINK:
		r = symlinkat("victim", s->home, ".popbull");
		break;
	case DANGLING:
		r = symlinkat("new", s->home, ".popbull");
		break;
	case HARD_LINK:
		r = linkat(s->home, "victim", s->home, ".popbull", 0);
		break;
	case FIFO:
		r = mkfifoat(s->home, ".popbull", 0600);
		break;
	case FOLDER:
		r = mkdirat(s->home, ".popbull", 0700);
		break;
	}
	assert_int_equal(r, 0);
}

/* What is no plain file is told and left alone: no hang, nothing followed. */
static void
test_hostile_popbull(void **state)
{
	struct scene	s;
	struct fault	f;
	char		victim[8] = "";
	int		fd;

	scene_begin(&s, state);
	put_file(s.bulldir, "1", BULL("1"));
	put_file(s.bulldir, "2", BULL("2"));
	for (int kind = 0; kind < KINDS; kind++) {
		make_kind(&s, kind);
		assert_int_equal(collect(&s), 0);
		assert_int_equal(s.set.n, 0);
		assert_int_equal(s.set.highest, s.set.recorded);
		assert_non_null(strstr(s.told, "bulletin-number-refused"));
		/* A commit must be able to end: what can be, is replaced. */
		assert_int_equal(bull_store(&s.who.place, 2, &f),
		    kind == FOLDER ? -1 : 0);
		fd = openat(s.home, "victim", O_RDONLY);
		assert_int_equal(read(fd, victim, sizeof(victim)), 2);
		assert_memory_equal(victim, "1\n", 2);
		(void)close(fd);
		assert_int_equal(faccessat(s.home, "new", F_OK, 0), -1);
	}
	scene_end(&s);
}

static void
test_bad_ones(void **state)
{
	struct scene s;

	scene_begin(&s, state);
	put_file(s.home, ".popbull", "0\n");
	put_file(s.bulldir, "1.good", BULL("1"));
	put_file(s.bulldir, "2.empty", "");
	put_file(s.bulldir, "3.two", BULL("a") BULL("b"));
	assert_int_equal(mkfifoat(s.bulldir, "4.fifo", 0644), 0);
	assert_int_equal(symlinkat("1.good", s.bulldir, "5.link"), 0);
	assert_int_equal(mkdirat(s.bulldir, "6.folder", 0755), 0);
	put_file(s.bulldir, "7.good", BULL("7"));
	put_file(s.bulldir, "8.unfinished", "");
	assert_int_equal(collect(&s), 0);
	assert_pieces(&s, WANT("1") WANT("7"));
	assert_int_equal(s.set.highest, 7);
	assert_non_null(strstr(s.told, "2.empty"));
	assert_non_null(strstr(s.told, "3.two"));
	assert_non_null(strstr(s.told, "4.fifo"));
	assert_non_null(strstr(s.told, "5.link"));
	assert_non_null(strstr(s.told, "6.folder"));
	assert_non_null(strstr(s.told, "8.unfinished"));
	scene_end(&s);
}

/* A large one before a bad one: nothing of the bad one remains. */
static void
test_large(void **state)
{
	struct scene	s;
	FILE		*out;
	int		fd;

	scene_begin(&s, state);
	put_file(s.home, ".popbull", "0\n");
	for (int i = 1; i <= 3; i++) {
		char name[8];

		(void)snprintf(name, sizeof(name), "%d", i);
		fd = openat(s.bulldir, name, O_WRONLY | O_CREAT, 0644);
		out = fdopen(fd, "w");
		assert_non_null(out);
		assert_true(fputs(BULL("l"), out) >= 0);
		for (int k = 0; k < 100000; k++)
			assert_true(fprintf(out, "%d\n", k) > 0);
		if (i == 2)
			assert_true(fputs("\n" BULL("second"), out) >= 0);
		assert_int_equal(fclose(out), 0);
	}
	assert_int_equal(collect(&s), 0);
	assert_int_equal(s.set.n, 2);
	assert_int_equal(s.set.pieces[0].len, s.set.pieces[1].len);
	assert_int_equal(s.set.pieces[1].off, OUT_OFF + s.set.pieces[0].len);
	assert_int_equal(s.set.pieces[1].number, 3);
	scene_end(&s);
}

static void
test_no_folder(void **state)
{
	struct scene s;

	scene_begin(&s, state);
	s.conf.dir = "/nonexistent/bulletins";
	assert_int_equal(collect(&s), 0);
	assert_int_equal(s.set.n, 0);
	assert_non_null(strstr(s.told, "bulletin-folder-unreadable"));
	assert_popbull(&s, NULL);
	s.conf.dir = NULL;
	assert_int_equal(collect(&s), 0);
	assert_string_equal(s.told, "");
	scene_end(&s);
}

/* The copy has no room: no bulletins, nothing to record. */
static void
test_no_room(void **state)
{
	struct scene s;

	scene_begin(&s, state);
	put_file(s.home, ".popbull", "0\n");
	put_file(s.bulldir, "1", BULL("1"));
	(void)close(s.out);
	s.out = open("/dev/full", O_WRONLY);
	assert_int_equal(collect(&s), -1);
	assert_int_equal(s.set.n, 0);
	assert_int_equal(s.set.highest, s.set.recorded);
	scene_end(&s);
}

static void
test_address_login(void **state)
{
	struct scene	s;

	scene_begin(&s, state);
	put_file(s.home, ".popbull", "0\n");
	put_file(s.bulldir, "1", BULL("1"));
	s.who.user = "bob@example.net";
	assert_int_equal(collect(&s), 0);
	assert_pieces(&s, FROM "To: bob@example.net\nSubject: 1\n\nbody\n\n");
	scene_end(&s);
}

static void
test_store(void **state)
{
	struct scene	s;
	struct fault	f;

	scene_begin(&s, state);
	assert_int_equal(bull_store(&s.who.place, 5, &f), 0);
	assert_popbull(&s, "5\n");
	assert_int_equal(bull_store(&s.who.place, 4, &f), 0);
	assert_popbull(&s, "5\n");
	assert_int_equal(bull_store(&s.who.place, 6, &f), 0);
	assert_popbull(&s, "6\n");
	put_file(s.home, ".popbull", "");
	assert_int_equal(bull_store(&s.who.place, 7, &f), 0);
	assert_popbull(&s, "7\n");
	scene_end(&s);
}

/* Of many, the few that are new are kept and put in order. */
static void
test_least(void **state)
{
	struct scene		s;
	struct bull_names	names = { .least = 199 };
	struct fault		f = { 0 };

	scene_begin(&s, state);
	for (unsigned i = 1; i <= 200; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "%u.x", i);
		put_file(s.bulldir, name, "");
	}
	assert_int_equal(bull_names_read(&names, s.bulldir, &f), 0);
	assert_int_equal(names.n, 2);
	assert_true(names.cap < 100);
	assert_int_equal(names.list[0].number, 199);
	assert_string_equal(names.list[1].name, "200.x");
	bull_names_fini(&names);
	scene_end(&s);
}

static void
test_note(void **state UNUSED)
{
	static const char *const bad[] = {
		"", "bulletin", "bulletin ", "bulletin x", "bulletin 1 ",
		"bulletin 1000000000000000000", "ulletin 1",
	};
	char		text[BULL_NOTE_MAX];
	uint64_t	n;
	size_t		len = bull_note(999999999999999999, text);

	assert_true(len < sizeof(text));
	assert_true(bull_note_parse(span_of(text, len), &n));
	assert_int_equal(n, 999999999999999999);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(bull_note_parse(span_str(bad[i]), &n));
}

#define CASE(t) \
	cmocka_unit_test_setup_teardown(t, test_dir_setup, test_dir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_order),
		CASE(test_states),
		CASE(test_seed_mode),
		CASE(test_seed_counts_files),
		CASE(test_bad_disk),
		CASE(test_hostile_popbull),
		CASE(test_bad_ones),
		CASE(test_large),
		CASE(test_no_folder),
		CASE(test_no_room),
		CASE(test_address_login),
		CASE(test_store),
		CASE(test_least),
		CASE(test_note),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
