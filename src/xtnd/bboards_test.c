/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "base/attr.h"
#include "sys/test_dir.h"
#include "xtnd/bboards.h"

static void
put_file(struct test_dir *d, const char *name, const char *text)
{
	int fd = openat(d->fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

static void
tell(void *ctx, unsigned line, const char *text)
{
	char	*told = ctx;
	size_t	 n = strlen(told);

	(void)snprintf(told + n, 1024 - n, "%u: %s\n", line, text);
}

static void
load(struct test_dir *d, const char *text, struct bboards *b, char told[1024])
{
	char		path[128];
	struct fault	f;

	put_file(d, "bboards", text);
	(void)snprintf(path, sizeof(path), "%s/bboards", d->path);
	told[0] = '\0';
	assert_int_equal(bboards_load(path, b, tell, told, &f), 0);
}

static void
test_load(void **state)
{
	static const char text[] =
	    "# groups\n"
	    "board system {\n"
	    "  alias = local \t general\n"
	    "  maildrop = /var/bboards/system.mbox\n"
	    "  archive = \"/var/bboards/old system.mbox\"\n"
	    "  address = system@example.org\n"
	    "  request = system-request@example.org\n"
	    "  flags = 01\n"
	    "}\n"
	    "board MH-users2 {\n"
	    "  maildrop = /var/bboards/mh.mbox\n"
	    "}\n";
	const struct bboard	*s;
	struct bboards		 b;
	char			 told[1024];

	load(*state, text, &b, told);
	assert_string_equal(told, "");
	assert_int_equal(b.n, 2);
	s = bboards_find(&b, SPAN("SYSTEM"));
	assert_non_null(s);
	assert_ptr_equal(s, bboards_find(&b, SPAN("General")));
	assert_string_equal(s->name, "system");
	assert_string_equal(s->aliases, "local general");
	assert_string_equal(s->archive, "/var/bboards/old system.mbox");
	assert_string_equal(s->address, "system@example.org");
	assert_string_equal(s->request, "system-request@example.org");
	assert_string_equal(s->flags, "01");
	s = bboards_find(&b, SPAN("mh-USERS2"));
	assert_non_null(s);
	assert_string_equal(s->aliases, "");
	assert_string_equal(s->archive, "");
	assert_string_equal(s->flags, "0");
	assert_null(bboards_find(&b, SPAN("mh-users")));
	assert_null(bboards_find(&b, SPAN("")));
	assert_null(bboards_find(&b, SPAN("local general")));
	bboards_fini(&b);
}

/* Each mistake is told with its line; that group alone is left out. */
static const struct {
	const char	*block;
	const char	*told;		/* how the first line begins */
} mistakes[] = {
	{ "bord x {\n maildrop = /m\n}\n", "1: a block is" },
	{ "board 1x {\n maildrop = /m\n}\n", "1: a name begins" },
	{ "board x_y {\n maildrop = /m\n}\n", "1: a name begins" },
	{ "board -x {\n maildrop = /m\n}\n", "1: a name begins" },
	{ "board x {\n}\n", "2: the group above has no maildrop" },
	{ "board x {\n maildrop = m\n}\n", "2: maildrop: an absolute path" },
	{ "board x {\n maildrop = /m\n maildrop = /n\n}\n", "3: this row" },
	{ "board x {\n maildrop = /m\n alias = a b c_d\n}\n", "3: alias:" },
	{ "board x {\n maildrop = /m\n alias =\n}\n", "3: alias:" },
	{ "board x {\n maildrop = /m\n flags = 8\n}\n", "3: flags:" },
	{ "board x {\n maildrop = /m\n address = \"a\x01\"\n}\n",
	  "3: address:" },
	{ "board x {\n maildrop = /m\n colour = red\n}\n", "3: unknown name" },
	{ "board x {\n maildrop = /m\n alias = good\n}\n", "4: a name or" },
	{ "board GOOD {\n maildrop = /m\n}\n", "3: a name or" },
	{ "board x {\n maildrop = /m\n ???\n}\n", "3: " },
	{ "board x {\n maildrop = /m\nboard y {\n}\n", "3: " },
	{ "board x {\n maildrop = /m\n", "2: " },
	{ "stray = 1\n", "1: " },
};

static void
test_mistakes(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		struct bboards	b;
		char		told[1024];
		char		text[512];
		bool		clash = strstr(mistakes[i].told, "a name or");

		/* The good group comes first where names must clash. */
		(void)snprintf(text, sizeof(text), "%s%s%s",
		    clash ? "board good { # 1\nmaildrop = /g\n}\n" : "",
		    mistakes[i].block, strchr(mistakes[i].block, '}') == NULL ||
		    clash ? "" : "board good {\n maildrop = /g\n}\n");
		load(*state, text, &b, told);
		if (clash)
			assert_non_null(strstr(told, "a name or an alias"));
		else if (strncmp(told, mistakes[i].told,
		    strlen(mistakes[i].told)) != 0)
			fail_msg("%s: %s", mistakes[i].block, told);
		for (size_t k = 0; k < b.n; k++)
			assert_string_equal(b.list[k].name, "good");
		if (strchr(mistakes[i].block, '}') != NULL)
			assert_int_equal(b.n, 1);
		bboards_fini(&b);
	}
}

static void
test_unreadable(void **state)
{
	struct test_dir	*d = *state;
	struct bboards	 b;
	struct fault	 f;
	char		 told[1024] = "";

	assert_int_equal(bboards_load("/nonexistent/x", &b, tell, told, &f),
	    -1);
	assert_int_equal(b.n, 0);
	assert_int_equal(bboards_load(d->path, &b, tell, told, &f), -1);
	assert_string_equal(told, "");
}

static void
board_at(struct test_dir *d, char path[128], struct bboard *b)
{
	static char name[] = "system";
	static char empty[] = "";

	(void)snprintf(path, 128, "%s/system.mbox", d->path);
	*b = (struct bboard){
		.name = name, .maildrop = path, .archive = empty,
	};
}

static void
test_maildrop(void **state)
{
	struct test_dir	*d = *state;
	struct timespec	 when[2] = { { 0, 0 }, { 503818008, 5 } };
	struct bboard	 b;
	struct fault	 f;
	char		 path[128];
	char		 text[64] = "";
	uint64_t	 len;
	int		 fd;

	board_at(d, path, &b);
	assert_int_equal(bboard_readable(&b, BBOARD_MAILDROP, &f), 0);
	assert_int_equal(bboard_lastdate(&b, text, sizeof(text)), -1);
	put_file(d, "system.mbox", "From x\n\nmail\n");
	assert_int_equal(bboard_readable(&b, BBOARD_MAILDROP, &f), 1);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(bboard_readable(&b, BBOARD_MAILDROP, &f), 1);
	assert_int_equal(bboard_readable(&b, BBOARD_ARCHIVE, &f), 0);

	fd = openat(d->fd, "copy", O_RDWR | O_CREAT, 0600);
	assert_int_equal(bboard_copy(&b, BBOARD_MAILDROP, fd, 1000, &len, &f), 0);
	assert_int_equal(len, 13);
	assert_int_equal(pread(fd, text, sizeof(text), 0), 13);
	assert_memory_equal(text, "From x\n\nmail\n", 13);
	assert_int_equal(bboard_copy(&b, BBOARD_MAILDROP, fd, 13, &len, &f), 0);
	assert_int_equal(bboard_copy(&b, BBOARD_MAILDROP, fd, 12, &len, &f),
	    -1);
	assert_int_equal(f.class, FAULT_PERM);
	assert_int_equal(bboard_copy(&b, BBOARD_ARCHIVE, fd, 1000, &len, &f), -1);
	assert_int_equal(f.class, FAULT_PERM);
	(void)close(fd);

	assert_int_equal(utimensat(d->fd, "system.mbox", when, 0), 0);
	assert_int_equal(bboard_lastdate(&b, text, sizeof(text)), 0);
	assert_string_equal(text, "Thu, 19 Dec 1985 05:26:48 +0000");
	assert_int_equal(bboard_lastdate(&b, text, 10), -1);
}

/* Without a descriptor nobody knows whether he may read it. */
static void
test_not_now(void **state)
{
	struct rlimit	 old;
	struct rlimit	 none;
	struct bboard	 b;
	struct fault	 f;
	char		 path[128];
	int		 next = dup(0);
	int		 r;

	board_at(*state, path, &b);
	put_file(*state, "system.mbox", "From x\n\nmail\n");
	(void)close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = (rlim_t)next;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = bboard_readable(&b, BBOARD_MAILDROP, &f);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(r, -1);
	assert_int_equal(f.err, EMFILE);
	assert_int_equal(bboard_readable(&b, BBOARD_MAILDROP, &f), 1);
}

static void
test_maxima(void **state)
{
	struct test_dir	*d = *state;
	struct bboard	 b;
	char		 path[128];

	assert_int_equal(bboard_next_maxima(0, SPAN("")), 1);
	assert_int_equal(bboard_next_maxima(7, SPAN(" 9 ")), 9);
	assert_int_equal(bboard_next_maxima(7, SPAN("7")), 8);
	assert_int_equal(bboard_next_maxima(7, SPAN("3")), 8);
	assert_int_equal(bboard_next_maxima(7, SPAN("x9")), 8);
	assert_int_equal(bboard_next_maxima(7,
	    SPAN("18446744073709551615")), 8);
	board_at(d, path, &b);
	assert_int_equal(bboard_count_file(&b, BBOARD_MAILDROP), 0);
	put_file(d, "system.mbox.cnt", "1004\n");
	assert_int_equal(bboard_count_file(&b, BBOARD_MAILDROP), 1004);
	put_file(d, "system.mbox.cnt", "many\n");
	assert_int_equal(bboard_count_file(&b, BBOARD_MAILDROP), 0);
	put_file(d, "system.mbox.cnt", "");
	assert_int_equal(bboard_count_file(&b, BBOARD_MAILDROP), 0);
	assert_int_equal(bboard_count_file(&b, BBOARD_ARCHIVE), 0);
}

#define CASE(t) \
	cmocka_unit_test_setup_teardown(t, test_dir_setup, test_dir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_load),
		CASE(test_mistakes),
		CASE(test_unreadable),
		CASE(test_maildrop),
		CASE(test_not_now),
		CASE(test_maxima),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
