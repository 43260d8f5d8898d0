/* SPDX-License-Identifier: ISC */
#include "role/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t now_ms = 5000;

uint64_t	__wrap_clock_ms(void);
uint64_t
__wrap_clock_ms(void)
{
	return now_ms;
}

static char			dir[] = "/tmp/pace-test.XXXXXX";
static char			file[64];
static struct role_settings	conf = { .run_dir = dir };

static int
make(void **state)
{
	(void)state;
	if (file[0] == '\0' && mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(file, sizeof(file), "%s/logins", dir);
	(void)unlink(file);
	conf.login_delay_s = 60;
	return 0;
}

static unsigned
looks(const char *lock)
{
	struct fault	f;
	unsigned	wait_s;

	assert_int_equal(pace_left(&conf, conf.login_delay_s, lock, &wait_s, &f), 0);
	return wait_s;
}

static void
after_s(unsigned s)
{
	now_ms += 1000ull * s;
}

static void
test_whose_delay(void **state)
{
	static const struct {
		unsigned	all;		/* login_delay, login_delay_max */
		unsigned	max;
		bool		own;
		unsigned	its;
		unsigned	want;
		unsigned	most;
	} cases[] = {
		{ 0, 0, true, 9, 0, 0 }, { 60, 0, true, 9, 60, 60 },
		{ 60, 90, false, 0, 60, 90 }, { 60, 90, true, 9, 9, 90 },
		{ 60, 90, true, 0, 0, 90 }, { 60, 90, true, 99, 90, 90 },
		{ 60, 30, true, 99, 30, 60 }, { 0, 90, false, 0, 0, 90 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct role_settings	r = {
			.login_delay_s = cases[i].all,
			.login_delay_max_s = cases[i].max,
		};
		const struct identity		id = {
			.own_delay = cases[i].own,
			.login_delay_s = cases[i].its,
		};

		assert_int_equal(pace_of(&r, &id), cases[i].want);
		assert_int_equal(pace_most(&r), cases[i].most);
		assert_int_equal(pace_differs(&r), cases[i].max > 0);
	}
}

static void
test_counts(void **state)
{
	(void)state;
	assert_int_equal(looks("a"), 0);
	assert_int_equal(access(file, F_OK), -1);	/* a look makes nothing */
	assert_int_equal(pace_begin(&conf, conf.login_delay_s, "a"), 0);
	after_s(20);
	pace_end(&conf, "a");
	/* From the login on, not from QUIT. */
	assert_int_equal(looks("a"), 40);
	assert_int_equal(pace_begin(&conf, conf.login_delay_s, "a"), 40);
	assert_int_equal(pace_begin(&conf, conf.login_delay_s, "b"), 0);
	/* Who was refused has not begun anything. */
	after_s(39);
	assert_int_equal(pace_begin(&conf, conf.login_delay_s, "a"), 1);
	after_s(1);
	assert_int_equal(pace_begin(&conf, conf.login_delay_s, "a"), 0);
}

static void
test_unfinished(void **state)
{
	(void)state;
	assert_int_equal(pace_begin(&conf, conf.login_delay_s, "a"), 0);
	after_s(5);
	assert_int_equal(pace_begin(&conf, conf.login_delay_s, "a"), 0);	/* the line was lost */
	after_s(5);
	assert_int_equal(pace_begin(&conf, conf.login_delay_s, "a"), 55);	/* twice in that time */
	after_s(55);
	assert_int_equal(pace_begin(&conf, conf.login_delay_s, "a"), 0);
	after_s(60);
	assert_int_equal(pace_begin(&conf, conf.login_delay_s, "a"), 0);
	after_s(5);
	assert_int_equal(pace_begin(&conf, conf.login_delay_s, "a"), 0);	/* once each minute */
}

static void
test_off(void **state)
{
	(void)state;
	conf.login_delay_s = 0;
	assert_int_equal(pace_begin(&conf, conf.login_delay_s, "a"), 0);
	pace_end(&conf, "a");
	assert_int_equal(pace_begin(&conf, conf.login_delay_s, "a"), 0);
	assert_int_equal(looks("a"), 0);
	assert_int_equal(access(file, F_OK), -1);
}

/* Another boot, another popper: nobody waits longer than he must. */
static void
test_garbage(void **state)
{
	FILE	*f;
	char	 name[32];

	(void)state;
	f = fopen(file, "w");
	assert_non_null(f);
	for (size_t i = 0; i < 65536u * 64; i++)
		(void)putc((int)(i * 7 % 251), f);
	assert_int_equal(fclose(f), 0);
	for (int i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof(name), "u%d", i);
		assert_int_equal(pace_begin(&conf, conf.login_delay_s, name), 0);
		pace_end(&conf, name);
		assert_int_equal(pace_begin(&conf, conf.login_delay_s, name), 60);
	}
}

/* The clock of a boot begins anew. */
static void
test_reboot(void **state)
{
	uint64_t then = now_ms;

	(void)state;
	assert_int_equal(pace_begin(&conf, conf.login_delay_s, "a"), 0);
	pace_end(&conf, "a");
	now_ms = 1000;
	assert_int_equal(pace_begin(&conf, conf.login_delay_s, "a"), 0);
	now_ms = then;
}

/* It stays as large as it is, and those of today are remembered. */
static void
test_crowd(void **state)
{
	struct stat	st;
	char		name[32];
	unsigned	known = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		assert_int_equal(pace_begin(&conf, conf.login_delay_s, name), 0);
		pace_end(&conf, name);
		if (i % 400 == 0)
			after_s(1);
	}
	for (int i = 0; i < 20000; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		known += looks(name) > 0;
	}
	assert_true(known > 19900);
	assert_int_equal(stat(file, &st), 0);
	assert_true(st.st_size <= 65536 * 64);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void
test_no_file(void **state)
{
	struct role_settings	nowhere = conf;
	struct fault		f;
	unsigned		wait_s;

	(void)state;
	nowhere.run_dir = "/nonexistent";
	assert_int_equal(pace_begin(&nowhere, 60, "a"), 0);
	pace_end(&nowhere, "a");
	assert_int_equal(mkdir(file, 0700), 0);
	assert_int_equal(pace_begin(&conf, conf.login_delay_s, "a"), 0);
	assert_int_equal(pace_left(&conf, conf.login_delay_s, "a", &wait_s, &f), -1);
	assert_int_equal(rmdir(file), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whose_delay),
		cmocka_unit_test_setup(test_counts, make),
		cmocka_unit_test_setup(test_unfinished, make),
		cmocka_unit_test_setup(test_off, make),
		cmocka_unit_test_setup(test_garbage, make),
		cmocka_unit_test_setup(test_reboot, make),
		cmocka_unit_test_setup(test_crowd, make),
		cmocka_unit_test_setup(test_no_file, make),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	(void)unlink(file);
	(void)rmdir(dir);
	return failed;
}
