/* SPDX-License-Identifier: ISC */
#include "role/listen.h"

#include "proto/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void
test_lines(void **state UNUSED)
{
	static const struct {
		const char	*line;
		const char	*write;		/* NULL: it is good */
	} cases[] = {
		{ "*:110", NULL },
		{ "127.0.0.1:110 [::1]:110", NULL },
		{ "*:110 proxy", NULL },
		{ "*:110 networks=10.0.0.0/8,2001:db8::/32 max_per_address=5 "
		    "proxy", NULL },
		{ "", "an address with a port" },
		{ "proxy", "an address with a port" },
		{ "proxy *:110", "the address *:110 before the rules" },
		{ "*:110 proxi", "addresses with ports" },
		{ "*:110 Proxy", "addresses with ports" },
		{ "110", "addresses with ports" },
		{ "*:110 networks=", "networks=10.0.0.0/8" },
		{ "*:110 networks=10.0.0.1/8", "10.0.0.0/8: there is more" },
		{ "*:110 networks=10.0.0.0/8,,", "an address or a network" },
		{ "*:110 max_per_address=0", "max_per_address=20" },
		{ "*:110 max_per_address=many", "max_per_address=20" },
		{ "*:1 *:2 *:3 *:4 *:5 *:6 *:7 *:8 *:9 *:10 *:11 *:12 *:13 *:14 "
		    "*:15 *:16 *:17", "*:16 into a line of its own" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char expected[200] = "";
		bool good = listen_fits(cases[i].line, expected,
		    sizeof(expected));

		if (good != (cases[i].write == NULL) ||
		    (!good && strstr(expected, cases[i].write) != expected))
			fail_msg("%s: %s", cases[i].line, expected);
	}
}

static struct sock_addr
address(const char *text, uint16_t port)
{
	struct proxy_client	c;
	struct sock_addr	a;

	assert_true(proxy_address(span_str(text), 0, &c));
	sock_addr_set(&a, c.family, c.raw, port);
	return a;
}

/* Each line has its number for a rule. */
static unsigned
rule_at(const char *text, uint16_t port)
{
	static const struct conf_list	lines = { 5, {
		"192.0.2.1:110 [2001:db8::1]:110 max_per_address=1",
		"*:110 max_per_address=2",
		"192.0.2.1:1110 max_per_address=3",
		"0.0.0.0:995 max_per_address=4",
		"[::]:995 max_per_address=5",
	}, { 0 } };
	struct sock_addr		a = address(text, port);
	struct listen_rules		r;

	listen_rules_at(&lines, &a, &r);
	return r.max_per_address;
}

static void
test_rules_belong_to_addresses(void **state UNUSED)
{
	assert_int_equal(rule_at("192.0.2.1", 110), 1);
	assert_int_equal(rule_at("2001:db8::1", 110), 1);
	assert_int_equal(rule_at("192.0.2.2", 110), 2);
	assert_int_equal(rule_at("2001:db8::2", 110), 2);
	assert_int_equal(rule_at("0.0.0.0", 110), 2);
	assert_int_equal(rule_at("::", 110), 2);
	assert_int_equal(rule_at("192.0.2.1", 1110), 3);
	assert_int_equal(rule_at("192.0.2.2", 1110), 0);
	assert_int_equal(rule_at("192.0.2.1", 995), 4);
	assert_int_equal(rule_at("2001:db8::1", 995), 5);
}

static void
test_networks_and_limits(void **state UNUSED)
{
	const struct role_settings	s = { .max_sessions_per_address = 3,
					    .max_sessions_per_network = 4 };
	struct sock_addr		in = address("10.1.2.3", 9);
	struct sock_addr		out = address("11.1.2.3", 9);
	struct listen_line		l;
	char				unused[8];

	assert_true(listen_read("*:110", &l, unused, sizeof(unused)));
	assert_true(listen_takes(&l.rules, &out));
	assert_int_equal(listen_per_address(&l.rules, &s), 3);
	assert_int_equal(listen_per_network(&l.rules, &s), 4);
	assert_true(listen_read("*:110 networks=192.0.2.0/24,10.0.0.0/8 "
	    "max_per_address=5", &l, unused, sizeof(unused)));
	assert_true(listen_takes(&l.rules, &in));
	assert_false(listen_takes(&l.rules, &out));
	assert_int_equal(listen_per_address(&l.rules, &s), 5);
	assert_int_equal(listen_per_network(&l.rules, &s), 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_rules_belong_to_addresses),
		cmocka_unit_test(test_networks_and_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
