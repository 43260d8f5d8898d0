/* SPDX-License-Identifier: ISC */
#include "sys/file.h"
#include "sys/identity.h"
#include "sys/test_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define NEEDS_ROOT() do {				\
	if (geteuid() != 0) {				\
		print_message("needs root\n");		\
		skip();					\
	}						\
} while (0)

/* Run in a child, since there is no way back; 0: all was well. */
static int
in_child(int (*fn)(void))
{
	pid_t	pid = fork();
	int	status;

	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int
become_user(void)
{
	struct identity id = { .uid = 4242, .gid = 4243, .ngids = 2,
		.gids = { 4244, 4245 } };
	struct fault f;
	gid_t groups[10];

	if (identity_become(&id, true, &f) == -1)
		return 1;
	if (getuid() != 4242 || getegid() != 4243)
		return 2;
	if (getgroups(10, groups) != 2 || groups[0] != 4244)
		return 3;
	if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 ||
	    setgroups(0, NULL) == 0)
		return 4;
	if (identity_become(&id, true, &f) == -1)	/* once more is fine */
		return 5;
	id.uid = 4246;
	return identity_become(&id, true, &f) == -1 ? 0 : 6;
}

/* A saved uid 0 must not survive, nor may it be overlooked. */
static int
half_root(void)
{
	struct identity id = { .uid = 4242, .gid = 4243 };
	struct fault f;

	if (setresgid(4243, 4243, 4243) == -1 || setresuid(4242, 4242, 0) == -1)
		return 1;
	return identity_become(&id, true, &f) == -1 ? 0 : 2;
}

static void
test_become(void **state)
{
	struct identity	root = { .uid = 0, .gid = 100 };
	struct identity	none = { .uid = (uid_t)-1, .gid = 100 };
	struct fault	f;

	(void)state;
	assert_int_equal(identity_become(&root, false, &f), -1);
	assert_int_equal(f.class, FAULT_PERM);
	assert_int_equal(identity_become(&none, false, &f), -1);
	NEEDS_ROOT();
	assert_int_equal(in_child(become_user), 0);
	assert_int_equal(in_child(half_root), 0);
}

static void
test_service(void **state)
{
	static const struct {
		const char	*text;
		int		 want;
		uid_t		 uid;
		gid_t		 gid;
	} cases[] = {
		{ "nobody",	 0, 65534, 65534 },
		{ "12345:67",	 0, 12345, 67 },
		{ "54321",	 0, 54321, 54321 },
		{ "mail",	 0, 8, 8 },
		{ "8",		 0, 8, 8 },
		{ "root",	-1, 0, 0 },
		{ "0",		-1, 0, 0 },
		{ "0:5",	-1, 0, 0 },
		{ "no-such-account", -1, 0, 0 },
		{ "",		-1, 0, 0 },
		{ "1:",		-1, 0, 0 },
		{ "1:x",	-1, 0, 0 },
		{ "4294967295",	-1, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct identity	id;
		struct fault	f;

		assert_int_equal(identity_service(cases[i].text, &id, &f),
		    cases[i].want);
		if (cases[i].want == -1)
			continue;
		assert_int_equal(id.uid, cases[i].uid);
		assert_int_equal(id.gid, cases[i].gid);
		assert_string_equal(id.user, cases[i].text);
	}
}

static void
test_fs(void **state)
{
	struct test_dir		*d = *state;
	struct file_facts	 facts;
	struct fault		 f;
	int			 fd;

	NEEDS_ROOT();
	assert_int_equal(fchmod(d->fd, 0777), 0);
	assert_int_equal(mkdirat(d->fd, "rootonly", 0700), 0);
	assert_int_equal(mkdirat(d->fd, "rootgroup", 0770), 0);
	assert_int_equal(identity_fs_begin(4242, 4243, &f), 0);
	assert_int_equal(file_open(d->fd, "mine",
	    FILE_WRITE | FILE_CREATE, 0600, &fd, &f), 0);
	fd_close(&fd);
	assert_int_equal(file_open(d->fd, "rootonly/x",
	    FILE_WRITE | FILE_CREATE, 0600, &fd, &f), -1);
	assert_int_equal(f.err, EACCES);
	assert_int_equal(file_open(d->fd, "rootgroup/x",
	    FILE_WRITE | FILE_CREATE, 0600, &fd, &f), -1);
	assert_int_equal(f.err, EACCES);
	assert_int_equal(geteuid(), 0);
	identity_fs_end();
	assert_int_equal(file_facts_at(d->fd, "mine", &facts, &f), 0);
	assert_int_equal(facts.uid, 4242);
	assert_int_equal(facts.gid, 4243);
	assert_int_equal(file_open(d->fd, "rootonly/x",
	    FILE_WRITE | FILE_CREATE, 0600, &fd, &f), 0);
	fd_close(&fd);
}

static void
test_fs_self(void **state)
{
	struct fault f;

	(void)state;
	assert_int_equal(identity_fs_begin(geteuid(), getegid(), &f), 0);
	identity_fs_end();
	if (geteuid() != 0)
		assert_int_equal(identity_fs_begin(0, 0, &f), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_become),
		cmocka_unit_test(test_service),
		cmocka_unit_test_setup_teardown(test_fs, test_dir_setup,
		    test_dir_teardown),
		cmocka_unit_test(test_fs_self),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
