/* SPDX-License-Identifier: ISC */
#include "watch/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static char	text[METRICS_TEXT_MAX + 1];

static bool
said_as(enum metrics_form form, const char *line)
{
	AUTO(buf_fini) struct buf out;

	buf_init(&out, METRICS_TEXT_MAX);
	assert_int_equal(metrics_text(&out, form), 0);
	assert_int_equal(metrics_end(&out, form), 0);
	assert_true(span_cstr(buf_span(&out), text, sizeof(text)));
	return strstr(text, line) != NULL;
}

static bool
said(const char *line)
{
	return said_as(METRICS_OPEN, line);
}

/* In a child, whose status is given back. */
static int
child(int (*fn)(void))
{
	int	status;
	pid_t	pid = fork();

	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
test_nobody_counts(void **state)
{
	(void)state;
	metric_add(METRIC_SESSIONS, 1);
	metric_observe(METRIC_LOGIN_MS, 7);
	assert_int_equal(metric_sum(METRIC_SESSIONS), 0);
	assert_true(said("popper_sessions 0\n"));
}

static int
count_in_first_row(void)
{
	struct fault f;

	if (metrics_own(0, &f) != 0)
		return 1;
	metric_add(METRIC_CONNECTIONS, 3);
	metric_add(METRIC_STRANGERS, 2);
	metric_drop(METRIC_STRANGERS);
	return 0;
}

/* Whatever it calls, what is not its own it cannot write. */
static int
write_elsewhere(void)
{
	struct fault	 f;
	char		 line[200];
	FILE		*maps;
	unsigned long	 from;
	unsigned long	 to;
	unsigned	 n = 0;

	if (metrics_own(METRICS_NO_ROW, &f) != 0)
		return 1;
	metric_add(METRIC_CONNECTIONS, 100);
	maps = fopen("/proc/self/maps", "r");
	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
		if (strstr(line, "memfd:popper") == NULL ||
		    sscanf(line, "%lx-%lx", &from, &to) != 2)
			continue;
		n++;
		if (mprotect((void *)from, to - from, PROT_READ |
		    PROT_WRITE) == 0)
			return 2;
	}
	return n == 3 ? 0 : 3;
}

static int
have_nothing(void)
{
	struct fault	 f;
	char		 line[200];
	FILE		*maps;

	if (metrics_own(METRICS_NO_ROW, &f) != 0)
		return 1;
	metrics_free();
	metric_add(METRIC_CONNECTIONS, 100);
	maps = fopen("/proc/self/maps", "r");
	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL)
		if (strstr(line, "memfd:popper") != NULL)
			return 2;
	return metric_sum(METRIC_CONNECTIONS) == 0 ? 0 : 3;
}

static void
test_rows(void **state)
{
	struct fault f;

	(void)state;
	assert_int_equal(metrics_new(3, 2, &f), 0);
	metric_add(METRIC_CONNECTIONS, 1);
	assert_int_equal(child(count_in_first_row), 0);
	assert_int_equal(child(write_elsewhere), 0);
	assert_int_equal(child(have_nothing), 0);
	assert_int_equal(metric_sum(METRIC_CONNECTIONS), 4);
	assert_int_equal(metric_sum(METRIC_STRANGERS), 1);
	metrics_died(0);
	assert_int_equal(metric_sum(METRIC_CONNECTIONS), 4);
	assert_int_equal(metric_sum(METRIC_STRANGERS), 0);
	metric_set(METRIC_START, 9);
	metric_set(METRIC_START, 8);
	assert_true(said("popper_start_time_seconds 8\n"));
	assert_true(said("# TYPE popper_connections counter\n"));
	assert_true(said("popper_connections_total 4\n"));
	metric_add(METRIC_LOGIN_OK_RPOP, 1);
	assert_true(said("popper_logins_total{result=\"ok\",method=\"rpop\"} 1"
	    "\n"));
}

static void
test_histogram(void **state)
{
	(void)state;
	metric_observe(METRIC_LOGIN_MS, 0);
	metric_observe(METRIC_LOGIN_MS, 1);
	metric_observe(METRIC_LOGIN_MS, 2);
	metric_observe(METRIC_LOGIN_MS, 1000);
	metric_observe(METRIC_LOGIN_MS, 4000000);
	assert_true(said("popper_login_seconds_bucket{le=\"0.001\"} 2\n"));
	assert_true(said("popper_login_seconds_bucket{le=\"0.003\"} 3\n"));
	assert_true(said("popper_login_seconds_bucket{le=\"0.3\"} 3\n"));
	assert_true(said("popper_login_seconds_bucket{le=\"1.0\"} 4\n"));
	assert_true(said("popper_login_seconds_bucket{le=\"3000.0\"} 4\n"));
	assert_true(said("popper_login_seconds_bucket{le=\"+Inf\"} 5\n"));
	assert_true(said("popper_login_seconds_count 5\n"));
	assert_true(said("popper_login_seconds_sum 4001.003\n"));
	assert_true(said("popper_session_seconds_sum 0.000\n"));
}

/* The series are the same, whatever the format. */
static void
test_forms(void **state)
{
	static const struct {
		const char	*open;
		const char	*old;
	} lines[] = {
		{ "# TYPE popper_connections counter\n",
		  "# TYPE popper_connections_total counter\n" },
		{ "# HELP popper_connections Clients",
		  "# HELP popper_connections_total Clients" },
		{ "\npopper_connections_total ", "\npopper_connections_total " },
		{ "# TYPE popper_build info\n", "# TYPE popper_build_info gauge\n" },
		{ "\npopper_build_info{", "\npopper_build_info{" },
		{ "# TYPE popper_strangers gauge\n",
		  "# TYPE popper_strangers gauge\n" },
		{ "# TYPE popper_login_seconds histogram\n",
		  "# TYPE popper_login_seconds histogram\n" },
		{ "\n# EOF\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_true(said(lines[i].open));
		assert_true(lines[i].old == NULL ||
		    said_as(METRICS_OLD, lines[i].old));
	}
	assert_false(said_as(METRICS_OLD, "EOF"));
}

/* A family is told once, however many series it has. */
static void
test_families(void **state)
{
	(void)state;
	for (enum metric i = 0; i < METRIC_COUNT; i++) {
		char		 head[100];
		const char	*at;

		(void)snprintf(head, sizeof(head), "# TYPE %s ",
		    metric_family(i));
		assert_true(said(head));
		at = strstr(text, head);
		assert_null(strstr(at + 1, head));
	}
	assert_int_equal(metric_labelled(METRIC_END_QUIT, METRIC_END_CRASH,
	    "aborted", METRIC_END_CRASH), METRIC_END_ABORTED);
	assert_int_equal(metric_labelled(METRIC_END_QUIT, METRIC_END_CRASH,
	    "?", METRIC_END_CRASH), METRIC_END_CRASH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_counts),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
