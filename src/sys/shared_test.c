/* SPDX-License-Identifier: ISC */
/* A lock whose owners die, are stopped, or are more than one. */
#include "sys/shared.h"
#include "sys/sock.h"
#include "sys/spawn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROUNDS	300000

struct place {
	uint64_t	lock;
	uint64_t	count;		/* not atomic */
};

static struct place	*place;

static int
setup(void **state UNUSED)
{
	struct fault f;

	place = shared_new(sizeof(*place), &f);
	return place == NULL;
}

static int
teardown(void **state UNUSED)
{
	shared_free(place, sizeof(*place));
	return 0;
}

static void NORETURN
count(uint32_t who)
{
	uint64_t ticket = SHARED_TICKET(who);

	for (unsigned i = 0; i < ROUNDS; i++) {
		shared_lock(&place->lock, ++ticket);
		*(volatile uint64_t *)&place->count += 1;
		shared_unlock(&place->lock, ticket);
	}
	spawn_exit(0);
}

static void
one_at_a_time(void **state UNUSED)
{
	struct fault	f;
	pid_t		pids[3];
	int		status;

	for (uint32_t i = 0; i < 3; i++) {
		pids[i] = spawn_fork(&f);
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			count(i + 1);
	}
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(spawn_wait(pids[i], 60000, &status), 1);
		assert_int_equal(status, 0);
	}
	assert_int_equal(place->count, 3 * ROUNDS);
	assert_int_equal(place->lock, 0);
}

static void
owner_is_dead(void **state UNUSED)
{
	shared_lock(&place->lock, SHARED_TICKET(7) + 1);
	shared_lock_free(&place->lock, 8);
	assert_int_equal(place->lock, SHARED_TICKET(7) + 1);
	shared_lock_free(&place->lock, 7);
	assert_int_equal(place->lock, 0);
}

/* Nobody says that it is. */
static void
owner_is_stopped(void **state UNUSED)
{
	uint64_t start = clock_ms();

	shared_lock(&place->lock, SHARED_TICKET(7) + 1);
	shared_lock(&place->lock, SHARED_TICKET(8) + 1);
	assert_true(clock_ms() - start >= 1000);
	shared_unlock(&place->lock, SHARED_TICKET(7) + 1);	/* it goes on */
	assert_int_equal(place->lock, SHARED_TICKET(8) + 1);
	shared_unlock(&place->lock, SHARED_TICKET(8) + 1);
	assert_int_equal(place->lock, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(owner_is_dead, setup, teardown),
		cmocka_unit_test_setup_teardown(owner_is_stopped, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
