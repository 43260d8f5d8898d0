/* SPDX-License-Identifier: ISC */
#include "base/map.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define MANY	(3 * MAP_LISTS)	/* some share a list */

struct thing {
	unsigned	 number;
	struct map_node	 by_number;
	struct map_node	 by_kind;
};

static struct map	numbers;
static struct map	kinds;

static struct thing *
thing_new(unsigned number, unsigned kind)
{
	struct thing *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->number = number;
	map_put(&numbers, &t->by_number, number, t);
	map_put(&kinds, &t->by_kind, kind, t);
	return t;
}

static void
thing_free(struct thing *t)
{
	map_take(&numbers, &t->by_number);
	map_take(&kinds, &t->by_kind);
	free(t);
}

/* Met on a walk; the odd ones are freed on the way. */
static unsigned
walk(bool free_odd)
{
	struct map_walk	 w = map_walk(&numbers);
	struct thing	*t;
	unsigned	 n = 0;

	while ((t = map_walk_on(&w)) != NULL) {
		n++;
		if (free_odd && t->number % 2 == 1)
			thing_free(t);
	}
	return n;
}

static void
test_map(void **state UNUSED)
{
	unsigned n = 0;

	assert_null(map_find(&numbers, 0));
	assert_int_equal(walk(false), 0);
	for (unsigned i = 0; i < MANY; i++)
		(void)thing_new(i, i % 2);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(((struct thing *)map_find(&numbers, i))->number,
		    i);
	assert_null(map_find(&numbers, MANY));

	/* Those of one key, the last one first, and nobody else of its list. */
	for (struct map_node *k = map_first(&kinds, 1); k != NULL;
	    k = map_next(k))
		assert_int_equal(((struct thing *)k->of)->number,
		    MANY - 1 - 2 * n++);
	assert_int_equal(n, MANY / 2);
	assert_null(map_first(&kinds, 1 + MAP_LISTS));

	/* Whoever is met may go. */
	assert_int_equal(walk(true), MANY);
	assert_int_equal(walk(false), MANY / 2);
	assert_null(map_first(&kinds, 1));
	assert_null(map_find(&numbers, 1));
	for (unsigned i = 0; i < MANY; i += 2)
		thing_free(map_find(&numbers, i));
	assert_int_equal(walk(false), 0);
}

/* In one map only, and then in none. */
static void
test_node(void **state UNUSED)
{
	struct map_node n = { 0 };

	map_take(&numbers, &n);
	map_put(&numbers, &n, 7, &numbers);
	assert_ptr_equal(map_find(&numbers, 7), &numbers);
	map_take(&numbers, &n);
	map_take(&numbers, &n);
	assert_null(map_find(&numbers, 7));
	map_put(&numbers, &n, 8, &kinds);
	assert_ptr_equal(map_find(&numbers, 8), &kinds);
	assert_null(map_find(&numbers, 7));
	map_take(&numbers, &n);
	assert_int_equal(walk(false), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
