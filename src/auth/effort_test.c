/* SPDX-License-Identifier: ISC */
/* What PAM spends is kept, and spent for those whom PAM is not asked about. */
#include "auth/auth_priv.h"

#include "sys/sock.h"
#include "sys/test_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define SHORT	"$5$rounds=1000$"
#define HASHED	SHORT "saltsalt$vBgBHnZUORY1qtmvLflcYV8HWBW8XuM5paPh79lY6F3"
#define MANY	5000000		/* µs; more than the bound */

static void
same(const char *a, const char *b, bool are)
{
	assert_int_equal(effort_kind(span_str(a)) == effort_kind(span_str(b)),
	    are);
}

static void
test_kinds(void **state UNUSED)
{
	same("$y$j9T$salt$hash", "$y$j9T$other$more", true);
	same("$y$j9T$salt$hash", "$y$jAT$salt$hash", false);
	same("$6$salt$hash", "$6$other$more", true);
	same("$6$salt$hash", "$5$salt$hash", false);
	same("$6$rounds=1000$salt$hash", "$6$rounds=9000$salt$hash", false);
	same("$6$rounds=1000$salt$hash", "$6$salt$hash", false);
	same("$2b$05$saltandhash", "$2b$05$another", true);
	same("$2b$05$saltandhash", "$2b$12$saltandhash", false);
	for (const char *const *p = (const char *const[]){ "", "$", "*", "!",
	    "abJnggxhB/yWI", NULL }; *p != NULL; p++)
		assert_int_equal(effort_kind(span_str(*p)), 0);
	assert_int_not_equal(effort_kind(SPAN("$6")), 0);
}

static void
test_what_is_kept(void **state)
{
	const struct test_dir	*d = *state;
	uint64_t		 kind = effort_kind(SPAN(HASHED));
	uint64_t		 us;

	assert_int_equal(effort_known_us(d->path, kind), 0);
	effort_note(d->path, kind, 8000);
	assert_int_equal(effort_known_us(d->path, kind), 8000);
	assert_int_equal(effort_known_us(d->path, kind + 2), 0);
	for (int i = 0; i < 100; i++)
		effort_note(d->path, kind, 16000);
	us = effort_known_us(d->path, kind);
	assert_in_range(us, 15900, 16000);
	effort_note(d->path, kind, 0);		/* one among many */
	assert_in_range(effort_known_us(d->path, kind), us / 2, us);
	for (int i = 0; i < 100; i++)
		effort_note(d->path, kind, MANY);
	assert_int_equal(effort_known_us(d->path, kind), EFFORT_MAX_US);
	effort_note(d->path, 0, 8000);
	assert_int_equal(effort_known_us(d->path, 0), 0);
	effort_note("/nonexistent", kind, 8000);
	assert_int_equal(effort_known_us("/nonexistent", kind), 0);
}

/* As PAM's back end has it when it is not asked. */
static uint64_t
spend(const char *folder, uint64_t asked_us)
{
	const struct auth_conf	 c = { .state_dir = folder };
	struct auth_request	*q = calloc(1, sizeof(*q));
	struct auth_state	*s = calloc(1, sizeof(*s));
	uint64_t		 began = clock_spent_us();

	assert_non_null(q);
	assert_non_null(s);
	s->policy.c = &c;
	s->pam = (struct pam_lib *)s;		/* it is not called */
	s->asked_us = asked_us;
	buf_init(&s->rows, 4096);
	assert_int_equal(buf_appendf(&s->rows, "ann:%s\n", HASHED), 0);
	s->nrows = 1;
	q->secret.n = 1;
	q->secret.b[0] = 'x';
	auth_spend(s, q);
	buf_fini(&s->rows);
	free(s);
	free(q);
	return clock_spent_us() - began;
}

static void
test_the_rest_is_spent(void **state)
{
	const struct test_dir	*d = *state;
	const uint64_t		 us = 200000;
	uint64_t		 now;

	assert_true(spend(d->path, 0) < us);	/* nobody knows: one hash */
	effort_note(d->path, effort_kind(SPAN(HASHED)), us);
	assert_true(spend(d->path, 0) >= us);
	now = clock_spent_us();
	assert_true(now > us);
	assert_true(spend(d->path, now - us) < us);
	assert_true(spend(d->path, now - us / 2) >= us / 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test_setup_teardown(test_what_is_kept,
		    test_dir_setup, test_dir_teardown),
		cmocka_unit_test_setup_teardown(test_the_rest_is_spent,
		    test_dir_setup, test_dir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
