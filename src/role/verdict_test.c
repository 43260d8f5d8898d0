/* SPDX-License-Identifier: ISC */
/* The verdict cache by a clock of the test's own. */
#include "role/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ENTRIES	64
#define TTL	60000ull

static struct verdict_cache	*c;
static uint64_t			 now;

static int
setup(void **state)
{
	struct fault f;

	(void)state;
	now = 1000000;
	c = verdict_new(ENTRIES, TTL, &f);
	return c == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	verdict_free(c);
	return 0;
}

struct what {
	uint8_t		source;
	uint8_t		mechanism;
	const char	*user;
	const char	*password;
};

static uint64_t
found(struct what w)
{
	uint8_t key[VERDICT_KEY];

	verdict_key(c, w.source, w.mechanism, span_str(w.user),
	    span_str(w.password), key);
	return verdict_find(c, key, now);
}

static void
put(struct what w, uint64_t print)
{
	uint8_t key[VERDICT_KEY];

	verdict_key(c, w.source, w.mechanism, span_str(w.user),
	    span_str(w.password), key);
	verdict_put(c, key, span_str(w.user), print, now);
}

static const struct what ann = { 1, 0, "ann", "wonderland" };

/* Nobody else's, and nothing that only looks like it. */
static void
the_same_question_alone(void **state)
{
	static const struct what others[] = {
		{ 0, 0, "ann", "wonderland" },
		{ 1, 1, "ann", "wonderland" },
		{ 1, 0, "bob", "wonderland" },
		{ 1, 0, "Ann", "wonderland" },
		{ 1, 0, "ann", "wonderlanD" },
		{ 1, 0, "ann", "wonderland " },
		{ 1, 0, "ann", "wonderlan" },
		{ 1, 0, "ann", "" },
		{ 1, 0, "annw", "onderland" },
		{ 1, 0, "an", "nwonderland" },
		{ 1, 0, "", "annwonderland" },
		{ 1, 0, "annwonderland", "" },
	};

	(void)state;
	assert_int_equal(found(ann), 0);
	put(ann, 7);
	assert_int_equal(found(ann), 7);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(found(others[i]), 0);
}

static void
the_end(void **state)
{
	(void)state;
	put(ann, 7);
	now += TTL - 1;
	assert_int_equal(found(ann), 7);	/* which does not prolong it */
	now += 1;
	assert_int_equal(found(ann), 0);
	put(ann, 8);				/* in the same place */
	now += TTL - 1;
	assert_int_equal(found(ann), 8);
}

static void
flushed(void **state)
{
	uint8_t before[VERDICT_KEY], after[VERDICT_KEY];

	(void)state;
	put(ann, 7);
	verdict_key(c, 1, 0, SPAN("ann"), SPAN("wonderland"), before);
	assert_int_equal(verdict_flush(c), 1);
	assert_int_equal(verdict_flush(c), 0);
	verdict_key(c, 1, 0, SPAN("ann"), SPAN("wonderland"), after);
	assert_memory_not_equal(before, after, VERDICT_KEY);
	assert_int_equal(verdict_find(c, before, now), 0);
	assert_int_equal(found(ann), 0);
	put(ann, 9);
	assert_int_equal(found(ann), 9);
}

/* All passwords of one user, nothing else. */
static void
forgotten(void **state)
{
	static const struct what other = { 1, 0, "ann", "looking-glass" };
	static const struct what bob = { 1, 0, "bob", "wonderland" };

	(void)state;
	put(ann, 7);
	put(other, 8);
	put(bob, 9);
	assert_int_equal(verdict_forget(c, SPAN("an")), 0);
	assert_int_equal(verdict_forget(c, SPAN("")), 0);
	assert_int_equal(verdict_forget(c, SPAN("ann")), 2);
	assert_int_equal(found(ann), 0);
	assert_int_equal(found(other), 0);
	assert_int_equal(found(bob), 9);
	assert_int_equal(verdict_forget(c, SPAN("ann")), 0);
	put(ann, 10);
	assert_int_equal(found(ann), 10);
}

static struct what
nth(unsigned i, char name[20])
{
	(void)snprintf(name, 20, "u%u", i);
	return (struct what){ 1, 0, name, "x" };
}

/* How many of so many users that come in turn need not be hashed. */
static unsigned
poll(unsigned users)
{
	unsigned	hits = 0;
	char		name[20];

	for (unsigned i = 0; i < users; i++) {
		if (found(nth(i, name)) == i + 1)
			hits++;
		else
			put(nth(i, name), i + 1);
	}
	return hits;
}

/* Bounded; and who is in there stays until his time is over, then others come. */
static void
full(void **state)
{
	char	 name[20];
	unsigned left = 0;

	(void)state;
	assert_int_equal(poll(10 * ENTRIES), 0);
	assert_in_range(poll(10 * ENTRIES), ENTRIES / 2, ENTRIES);
	now += TTL - 1;
	assert_in_range(poll(10 * ENTRIES), ENTRIES / 2, ENTRIES);
	now += 1;
	for (unsigned i = 20 * ENTRIES; i < 30 * ENTRIES; i++) {
		put(nth(i, name), i + 1);
		left += found(nth(i, name)) == i + 1;
	}
	assert_in_range(left, ENTRIES / 2, ENTRIES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_same_question_alone, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(flushed, setup, teardown),
		cmocka_unit_test_setup_teardown(forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(full, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
