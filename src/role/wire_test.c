/* SPDX-License-Identifier: ISC */
/* What a session and an operator say, and nonsense in its place. */
#include "role/ctl.h"
#include "role/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

/* As it arrives. */
static struct link_in
sent(const struct link_out *m)
{
	struct link_in in = { .n = m->n };

	assert_false(m->overflow);
	memcpy(in.b, m->b, m->n);
	return in;
}

static const struct wire_summary done = {
	.end = METRIC_END_TIMEOUT, .retrieved = 3, .deleted = 2,
	.octets_in = 100, .octets_out = 5000000000, .ms = 60000, .lock_ms = 20,
};

static void
test_summary(void **state)
{
	struct wire_summary	s;
	struct link_out		m;
	struct link_in		in;
	struct fault		f;
	enum metric		end;
	bool			once = false;

	(void)state;
	link_out_init(&m, 1);
	wire_put_summary(&m, &done);
	assert_int_equal(m.n, WIRE_SUMMARY_SIZE);
	in = sent(&m);
	assert_int_equal(wire_get_summary(&in, 60001, &s, &f), 0);
	assert_memory_equal(&s, &done, sizeof(s));
	in = sent(&m);
	assert_int_equal(wire_take_summary(&in, 60001, &once, &end, &f), 0);
	assert_int_equal(end, done.end);
	in = sent(&m);
	assert_int_equal(wire_take_summary(&in, 60001, &once, &end, &f), -1);
}

/* A session that says more than it can have done. */
static void
test_summary_of_a_liar(void **state)
{
	struct wire_summary	s;
	struct link_out		m;
	struct link_in		in;
	struct fault		f;

	(void)state;
	link_out_init(&m, 1);
	memset(m.b, 0xff, WIRE_SUMMARY_SIZE);
	m.b[0] = 0;
	m.n = WIRE_SUMMARY_SIZE;
	in = sent(&m);
	assert_int_equal(wire_get_summary(&in, 10, &s, &f), 0);
	assert_int_equal(s.end, METRIC_END_QUIT);
	assert_true(s.octets_out < 1ull << 36 && s.octets_in < 1ull << 36);
	assert_true(s.retrieved < 1ull << 33 && s.deleted < 1ull << 22);
	assert_true(s.ms < 2000 && s.lock_ms < 2000);
	for (unsigned end = 0; end < 256; end++) {
		m.b[0] = (uint8_t)end;
		in = sent(&m);
		assert_int_equal(wire_get_summary(&in, 10, &s, &f),
		    end <= METRIC_END_CRASH - METRIC_END_QUIT ? 0 : -1);
	}
}

static void
test_way(void **state)
{
	const struct auth_way	w = { .tls = true, .local = {
		.family = 4, .raw = { 192, 0, 2, 1 }, .port = 995,
	} };
	struct auth_way		back;
	struct link_out		m;
	struct link_in		in;
	struct fault		f;

	(void)state;
	link_out_init(&m, 1);
	wire_put_way(&m, &w);
	assert_true(m.n <= WIRE_WAY_MAX);
	in = sent(&m);
	assert_int_equal(wire_get_way(&in, &back, &f), 0);
	assert_int_equal(link_get_end(&in, &f), 0);
	assert_true(sock_addr_same(&w.local, &back.local));
	assert_string_equal(back.local.text, "192.0.2.1");
	assert_true(back.tls);
	m.b[0] = 5;
	in = sent(&m);
	assert_int_equal(wire_get_way(&in, &back, &f), -1);
}

static void
test_whom(void **state)
{
	struct ctl_whom	w = { .kind = CTL_BOTH, .user = "ann@example.org" };
	struct ctl_whom	back;
	struct link_out	m;
	struct link_in	in;
	struct fault	f;

	(void)state;
	assert_true(sock_addr_parse("2001:db8::7", &w.addr));
	link_out_init(&m, 1);
	ctl_put_whom(&m, &w);
	in = sent(&m);
	assert_int_equal(ctl_get_whom(&in, &back, &f), 0);
	assert_int_equal(back.kind, CTL_BOTH);
	assert_string_equal(back.user, w.user);
	assert_string_equal(back.addr.text, "2001:db8::7");
	/* Any octet less, or another kind, is nonsense. */
	for (size_t n = 0; n < m.n; n++) {
		in = sent(&m);
		in.n = n;
		assert_int_equal(ctl_get_whom(&in, &back, &f), -1);
	}
	m.b[0] = CTL_KINDS;
	in = sent(&m);
	assert_int_equal(ctl_get_whom(&in, &back, &f), -1);
}

static void
test_who_is_meant(void **state)
{
	struct sock_addr	a;
	struct sock_addr	b;
	struct places_view	v = { .sid = 7, .user = "ann", .peer = &a };
	struct ctl_whom		w = { .kind = CTL_ALL };

	(void)state;
	assert_true(sock_addr_parse("::ffff:192.0.2.1", &a));
	assert_string_equal(a.text, "192.0.2.1");
	assert_true(sock_addr_parse("192.0.2.1", &w.addr));
	assert_true(ctl_is(&w, &v));
	w.kind = CTL_ADDRESS;
	assert_true(ctl_is(&w, &v));
	w.kind = CTL_BOTH;
	assert_false(ctl_is(&w, &v));
	memcpy(w.user, "ann", 4);
	assert_true(ctl_is(&w, &v));
	w.kind = CTL_USER;
	assert_true(ctl_is(&w, &v));
	w.kind = CTL_SID;
	assert_false(ctl_is(&w, &v));
	w.sid = 7;
	assert_true(ctl_is(&w, &v));
	w.kind = CTL_ADDRESS;
	assert_true(sock_addr_parse("192.0.2.2", &w.addr));
	assert_false(ctl_is(&w, &v));
	assert_false(sock_addr_parse("", &b));
	assert_false(sock_addr_parse("192.0.2.1:110", &b));
	assert_false(sock_addr_parse("host", &b));
}

static void
test_session(void **state)
{
	struct sock_addr	a;
	struct places_view	v = { .sid = 7, .user = "ann", .peer = &a,
				    .pid = 12, .age_ms = 99,
				    .stage = PLACES_RECOVERS, .path = "/m/ann" };
	const struct identity	id = { .db = "shop",
				    .method = AUTH_METHOD_APOP };
	struct ctl_row		row;
	struct link_out		m;
	struct link_in		in;
	struct fault		f;

	(void)state;
	assert_true(sock_addr_parse("192.0.2.1", &a));
	link_out_init(&m, 1);
	ctl_put_session(&m, &v, &id);
	in = sent(&m);
	assert_int_equal(ctl_get_session(&in, &row, &f), 0);
	assert_int_equal(row.view.sid, 7);
	assert_int_equal(row.view.pid, 12);
	assert_int_equal(row.view.age_ms, 99);
	assert_int_equal(row.view.stage, PLACES_RECOVERS);
	assert_string_equal(row.view.user, "ann");
	assert_string_equal(row.view.path, "/m/ann");
	assert_string_equal(row.view.peer->text, "192.0.2.1");
	assert_string_equal(row.db, "shop");
	assert_int_equal(row.method, AUTH_METHOD_APOP);
	in = sent(&m);
	in.b[in.n - 1] = AUTH_METHODS;
	assert_int_equal(ctl_get_session(&in, &row, &f), -1);
	for (size_t n = 0; n < m.n; n++) {
		in = sent(&m);
		in.n = n;
		assert_int_equal(ctl_get_session(&in, &row, &f), -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_summary),
		cmocka_unit_test(test_summary_of_a_liar),
		cmocka_unit_test(test_way),
		cmocka_unit_test(test_whom),
		cmocka_unit_test(test_who_is_meant),
		cmocka_unit_test(test_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
