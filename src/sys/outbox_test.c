/* SPDX-License-Identifier: ISC */
#include "sys/outbox.h"

#include "sys/file.h"
#include "sys/test_fds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define MANY	5000		/* more than a link takes */
#define LONG_MS	10000

static const struct link_permit any[] = {
	{ 1, 4, 4, 0, 1 }, { 2, 4, 4, 1, 1 },
};

static struct {
	struct loop	*loop;
	struct loop_watch stop;
	struct outbox	 box;
	int		 theirs;
	size_t		 lost;
	uint32_t	 last_lost;	/* its tag */
	enum fault_class why;
	size_t		 fds;		/* at the beginning */
} it;

static void
on_stop(void *ctx UNUSED, unsigned what UNUSED)
{
	loop_end(it.loop);
}

static void
run(unsigned ms)
{
	loop_watch_set(&it.stop, 0, ms);
	loop_run(it.loop);
}

static void
on_lost(void *ctx UNUSED, uint16_t type UNUSED, uint32_t tag,
    const struct fault *why)
{
	it.lost++;
	it.last_lost = tag;
	it.why = why->class;
}

static int
begin(void **state UNUSED)
{
	struct fault f;

	it.fds = test_fds();
	it.lost = 0;
	it.loop = loop_new(&f);
	it.box = (struct outbox){ .max = MANY, .lost = on_lost };
	outbox_init(&it.box, it.loop);
	loop_watch_init(&it.stop, it.loop, -1, on_stop, NULL);
	return link_pair(&it.box.link, &it.theirs, &f);
}

static int
end(void **state UNUSED)
{
	outbox_clear(&it.box);
	loop_watch_fini(&it.stop);
	loop_free(it.loop);
	fd_close(&it.box.link);
	fd_close(&it.theirs);
	assert_int_equal(test_fds(), it.fds);
	return 0;
}

static void
put(uint32_t number, int fd)
{
	struct link_out m;

	link_out_init(&m, fd < 0 ? 1 : 2);
	link_put_u32(&m, number);
	outbox_put(&it.box, &m, number, &fd, fd < 0 ? 0 : 1);
}

static void
expect(uint32_t number, bool with_fd)
{
	struct link_in	m;
	struct fault	f;

	for (int i = 0; ; i++) {
		if (link_recv(it.theirs, any, ARRAY_LEN(any), 0, 0, &m,
		    &f) == 1)
			break;
		assert_true(i < LONG_MS);
		run(1);
	}
	assert_int_equal(m.type, with_fd ? 2 : 1);
	assert_int_equal(link_get_u32(&m), number);
	link_in_fini(&m);
}

/* Whatever was put comes, in that order, and with what belongs to it. */
static void
test_order(void **state UNUSED)
{
	put(0, -1);
	expect(0, false);
	for (uint32_t i = 0; i < MANY; i++) {
		int fd = -1;
		struct fault f;

		if (i % 100 == 0)
			assert_int_equal(fd_dup_high(0, &fd, &f), 0);
		put(i, fd);
		fd_close(&fd);
	}
	assert_true(it.box.n > 0 && it.box.n < MANY);
	expect(0, true);
	put(MANY, -1);		/* there is room, but others are before it */
	for (uint32_t i = 1; i <= MANY; i++)
		expect(i, i % 100 == 0 && i < MANY);
	assert_int_equal(it.box.n, 0);
	assert_int_equal(it.lost, 0);
	put(7, -1);
	expect(7, false);
}

/* Who lets them lie gets those that are kept, and no more. */
static void
test_bound(void **state UNUSED)
{
	uint32_t	kept = 0;
	uint32_t	n;

	it.box.max = 3;
	for (n = 0; it.lost == 0 && n < MANY; n++)
		put(n, -1);
	kept = n - 1;
	assert_int_equal(it.box.n, 3);
	assert_int_equal(it.last_lost, kept);
	assert_int_equal(it.why, FAULT_LIMIT);
	for (n = 0; n < kept; n++)
		expect(n, false);
	put(kept, -1);
	expect(kept, false);
	assert_int_equal(it.lost, 1);
}

/* A link that is broken: each is told, those that were kept, too. */
static void
test_broken(void **state UNUSED)
{
	size_t kept;

	for (uint32_t i = 0; it.box.n < 10; i++)
		put(i, 0);
	kept = it.box.n;
	fd_close(&it.theirs);
	for (int i = 0; it.box.n > 0 && i < LONG_MS; i++)
		run(1);
	assert_int_equal(it.lost, kept);
	put(4711, -1);
	assert_int_equal(it.lost, kept + 1);
	assert_int_equal(it.last_lost, 4711);
}

/* Another link takes what was not said on the first one; cleared, nothing. */
static void
test_other_link(void **state UNUSED)
{
	uint32_t	n = 0;
	struct fault	f;

	while (it.box.n < 2)
		put(n++, 0);
	fd_close(&it.box.link);
	fd_close(&it.theirs);
	assert_int_equal(link_pair(&it.box.link, &it.theirs, &f), 0);
	expect(n - 2, true);
	expect(n - 1, true);

	for (n = 0; it.box.n < 2; n++)
		put(n, 0);
	outbox_clear(&it.box);
	for (uint32_t i = 0; i < n - 2; i++)
		expect(i, true);
	put(4711, -1);
	expect(4711, false);
	assert_int_equal(it.lost, 0);
}

/* Who hears that one is lost may clear the rest. */
static void
clear_all(void *ctx, uint16_t type, uint32_t tag, const struct fault *why)
{
	on_lost(ctx, type, tag, why);
	outbox_clear(&it.box);
}

static void
test_clear_in_lost(void **state UNUSED)
{
	it.box.lost = clear_all;
	for (uint32_t i = 0; it.box.n < 10; i++)
		put(i, -1);
	fd_close(&it.theirs);
	for (int i = 0; it.box.n > 0 && i < LONG_MS; i++)
		run(1);
	assert_int_equal(it.lost, 1);
	assert_int_equal(it.box.n, 0);
}

#define CASE(f)	cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_order),
		CASE(test_bound),
		CASE(test_broken),
		CASE(test_other_link),
		CASE(test_clear_in_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
