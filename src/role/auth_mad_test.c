/* SPDX-License-Identifier: ISC */
/*
 * The authenticator among fronts, a master and workers that have gone mad.
 */
#include "role/auth_stage_test.h"

#include "role/mad_test.h"
#include "role/wire.h"

static void
test_mad_front(void **state UNUSED)
{
	struct mad	c;
	uint64_t	sid = 0;
	size_t		times = 0;

	mad_init(&c, permit_check, permit_check_n);
	begin(true);
	while (mad_next(&c)) {
		if (c.formal && c.type != MSG_CHECK)
			continue;	/* of an exchange that is over */
		assert_true(mad_say(&c, it.front[1], pipe_ends[0]));
		if (hear(1, LONG_MS, &sid) != '.')
			fail_msg("message %u with %u octets and %u descriptors"
			    " is taken", c.type, c.size, c.fds);
		new_front(1);
		times++;
		if (times % 50 == 0)
			log_in(1, 4000 + times);
	}
	log_in(0, 5000);
	end();
	assert_int_equal(count("front-misbehaved"), times);
}

/* The master is trusted: what it does not say ends auth, not the house.  A request
 * of popper ctl is an operator's, and costs no more than itself. */
static void
test_mad_master(void **state UNUSED)
{
	struct mad	c;
	uint64_t	sid;

	mad_init(&c, permit_to_auth, permit_to_auth_n);
	begin(false);
	while (mad_next(&c)) {
		if (c.formal && (c.type == MSG_FRONT || c.type == MSG_LEAVE))
			continue;	/* it may say that */
		assert_true(mad_say(&c, it.master, pipe_ends[0]));
		if (c.formal) {
			expect_flushed("", 0);
			continue;
		}
		if (hear(0, LONG_MS, &sid) != '.')
			fail_msg("message %u with %u octets and %u descriptors",
			    c.type, c.size, c.fds);
		end();
		begin(false);
	}
	end();
}

/* A good question, cut or lengthened at each octet, or with a bad field. */
static void
test_bad_questions(void **state UNUSED)
{
	static struct link_out	good;
	struct fault		f;
	uint64_t		sid = 0;

	begin(true);
	check(0, 7, "ann", "wonderland");
	good = it.out;
	expect_admit(0, 7, "ann");
	for (size_t n = 0; n <= good.n + 1; n++) {
		if (n == good.n)
			continue;
		link_out_init(&it.out, good.type);
		link_put_raw(&it.out, span_of(good.b, n));
		assert_int_equal(link_send(it.front[0], &it.out, NULL, 0, &f),
		    0);
		assert_int_equal(hear(0, LONG_MS, &sid), '.');
		new_front(0);
	}
	for (size_t at = 0; at < 8 + 1 + 4; at++) {
		it.out = good;
		it.out.b[at] = 0xff;
		assert_int_equal(link_send(it.front[0], &it.out, NULL, 0, &f),
		    0);
		if (at < 8)			/* any sid will do but 0 */
			assert_int_equal(link_recv(it.master, permit_admit,
			    permit_admit_n, 0, LONG_MS, &it.in, &f), 1);
		else
			assert_int_equal(hear(0, LONG_MS, &sid), '.');
		new_front(0);
	}
	log_in(0, 8);
	end();
}

/* What a worker must not say; its question is not decided. */
static void
test_mad_worker(void **state UNUSED)
{
	struct mad	c;
	uint64_t	sid = 1;
	uint64_t	last = 0;

	mad_init(&c, permit_decision, permit_decision_n);
	begin(false);
	while (mad_next(&c)) {
		int link;

		if (c.formal && (c.type == MSG_RETIRED || c.type == MSG_DENY))
			continue;	/* it may say that */
		check(0, ++sid, "ann", "x");
		link = take_worker();
		take_question(link, sid);
		assert_true(mad_say(&c, link, pipe_ends[0]));
		expect_closed(&link);
		last = sid;
	}
	for (sid = 2; sid <= last; sid++) {	/* the order is that of time */
		uint64_t which;

		assert_int_equal(hear(0, LONG_MS, &which), 'e');
	}
	assert_true(count("worker-died") > 50);
	assert_true(count("grant-refused") > 0);
	assert_int_equal(count("misbehaved"), 0);
	end();
}

/* Two at a time that have one number: no honest front begins them. */
static void
test_mad_exchange(void **state UNUSED)
{
	struct fault	f = { .text = "the end" };
	uint64_t	sid;
	int		w;

	begin(false);
	begin_exchange(1, 7);
	w = take_worker_of(0);
	for (int i = 0; i < 3; i++) {		/* one after the other */
		take_question(w, 7);
		challenge(w, 1, 7);
		if (i == 2)
			break;
		link_out_init(&it.out, MSG_ABORT);
		link_put_u64(&it.out, 7);
		assert_int_equal(link_send(it.front[1], &it.out, NULL, 0, &f), 0);
		begin_exchange(1, 7);
		take_said(w, MSG_ABORT);
	}
	begin_exchange(0, 7);			/* another front's 7 */
	take_question(w, 7);
	begin_exchange(1, 7);
	assert_int_equal(hear(1, LONG_MS, &sid), '.');
	deny(w, DENY_NO);
	expect(0, 'n', 7);
	end();
	fd_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		AS_ROOT(test_mad_front),
		AS_ROOT(test_mad_master),
		AS_ROOT(test_bad_questions),
		AS_ROOT(test_mad_worker),
		AS_ROOT(test_mad_exchange),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
