/* SPDX-License-Identifier: ISC */
/* The three forms of one line, to the octet. */
#include "watch/form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* 2026-11-26 15:42:50 UTC */
static const struct form_facts facts = {
	.now = { .tv_sec = 1795707770, .tv_nsec = 1234567 },
	.pid = 4711,
	.facility = 2,
};

static struct log_line	l;
static struct wire	w;

static void
add(const char *key, const char *value, bool number)
{
	struct log_part *p = &l.parts[l.nparts++];

	p->key = key;
	p->at = (uint16_t)l.n;
	p->n = (uint16_t)strlen(value);
	p->number = number;
	memcpy(l.b + l.n, value, p->n);
	l.n += p->n;
}

static int
setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	memset(&l, 0, sizeof(l));
	(void)setenv("TZ", "UTC", 1);
	tzset();
	l.level = LEVEL_WARN;
	l.id = "login-failed";
	return 0;
}

static void
test_text(void **state)
{
	(void)state;
	add("x", "login-failed user=a", false);
	form_text(&w, &l, &facts);
	assert_string_equal(w.b, "<20>Nov 26 15:42:50 popper[4711]: "
	    "login-failed user=a");
	assert_string_equal(w.b + w.body, w.b + 4);
	assert_int_equal(w.n, strlen(w.b));
}

static void
test_json(void **state)
{
	(void)state;
	add("user", "a\\x22\\x5c", false);
	add("n", "18446744073709551615", true);
	add("e", "", false);
	form_json(&w, &l, &facts);
	assert_string_equal(w.b, "<20>Nov 26 15:42:50 popper[4711]: "
	    "{\"time\":\"2026-11-26T15:42:50.001234Z\",\"level\":\"warn\","
	    "\"id\":\"login-failed\",\"user\":\"a\\\\x22\\\\x5c\","
	    "\"n\":18446744073709551615,\"e\":\"\",\"pid\":4711}");
	assert_int_equal(w.b[w.body], '{');
}

static void
test_journal(void **state)
{
	static const char want[] = "PRIORITY=4\nSYSLOG_FACILITY=2\n"
	    "SYSLOG_IDENTIFIER=popper\nSYSLOG_PID=4711\n"
	    "POPPER_TIME=2026-11-26T15:42:50.001234Z\nPOPPER_ID=login-failed\n"
	    "MESSAGE\n\3\0\0\0\0\0\0\0a1\n\n"
	    "POPPER_LEFT_OCTETS\n\2\0\0\0\0\0\0\0a1\n"
	    "POPPER_E\n\1\0\0\0\0\0\0\0\n\n";

	(void)state;
	/* No value holds a line end; if one did, it would do no harm. */
	add("left_octets", "a1", false);
	add("e", "\n", false);
	form_journal(&w, &l, &facts);
	assert_int_equal(w.n, sizeof(want) - 1);
	assert_memory_equal(w.b, want, w.n);
}

/* The longest line there is: only backslashes, as many fields as can be. */
static void
test_room(void **state)
{
	char value[LOG_LINE_MAX / LOG_PARTS_MAX + 1] = "";

	(void)state;
	memset(value, '\\', sizeof(value) - 1);
	for (int i = 0; i < LOG_PARTS_MAX; i++)
		add("a_rather_long_key", value, false);
	form_journal(&w, &l, &facts);
	assert_true(w.n < FORM_MAX);
	assert_int_equal(w.b[w.n - 1], '\n');
	assert_memory_equal(w.b + w.n - 2, "\\", 1);
	form_json(&w, &l, &facts);
	assert_true(w.n < FORM_MAX);
	assert_memory_equal(w.b + w.n - 12, ",\"pid\":4711}", 12);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_text, setup),
		cmocka_unit_test_setup(test_json, setup),
		cmocka_unit_test_setup(test_journal, setup),
		cmocka_unit_test_setup(test_room, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
