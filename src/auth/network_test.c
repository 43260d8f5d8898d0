/* SPDX-License-Identifier: ISC */
#include "auth/network.h"

#include "proto/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct sock_addr
address(const char *text)
{
	struct proxy_client	c;
	struct sock_addr	a;

	assert_true(proxy_address(span_str(text), 0, &c));
	sock_addr_set(&a, c.family, c.raw, 110);
	return a;
}

static void
test_forms(void **state UNUSED)
{
	static const struct {
		const char	*text;
		const char	*write;		/* NULL: it is good */
	} cases[] = {
		{ "192.0.2.1", NULL },
		{ "192.0.2.0/24", NULL },
		{ "192.0.2.128/25", NULL },
		{ "0.0.0.0/0", NULL },
		{ "::/0", NULL },
		{ "2001:db8::/32", NULL },
		{ "2001:db8::1/128", NULL },
		{ "192.0.2.1/24", "192.0.2.0/24" },
		{ "192.0.2.1/31", "192.0.2.0/31" },
		{ "2001:db8::1/64", "2001:db8::/64" },
		{ "192.0.2.0/33", "an address or a network" },
		{ "192.0.2.0/", "an address or a network" },
		{ "192.0.2.0/x", "an address or a network" },
		{ "192.0.2.0/24/24", "an address or a network" },
		{ "2001:db8::/129", "an address or a network" },
		{ "192.0.2", "an address or a network" },
		{ "[::1]", "an address or a network" },
		{ "localhost", "an address or a network" },
		{ "", "an address or a network" },
		{ "::ffff:192.0.2.1", "\"::ffff:192.0.2.1\" in the form of" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char expected[200] = "";
		bool good = network_fits(cases[i].text, expected,
		    sizeof(expected));

		if (good != (cases[i].write == NULL) ||
		    (!good && strstr(expected, cases[i].write) != expected))
			fail_msg("%s: %s", cases[i].text, expected);
	}
}

static void
test_members(void **state UNUSED)
{
	static const struct {
		const char	*network;
		const char	*address;
		bool		 in;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "192.0.2.0/24", "192.0.2.255", true },
		{ "192.0.2.0/24", "192.0.3.0", false },
		{ "192.0.2.0/25", "192.0.2.127", true },
		{ "192.0.2.0/25", "192.0.2.128", false },
		{ "0.0.0.0/0", "255.1.2.3", true },
		{ "0.0.0.0/0", "::1", false },
		{ "::/0", "127.0.0.1", false },
		{ "192.0.2.0/24", "::ffff:192.0.2.1", true },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct conf_list	list = { 2, { "10.9.8.7",
					    cases[i].network }, { 0 } };
		struct sock_addr	a = address(cases[i].address);

		if (networks_have(&list, &a) != cases[i].in)
			fail_msg("%s in %s", cases[i].address,
			    cases[i].network);
	}
}

static void
test_who_has_no_address_is_in_none(void **state UNUSED)
{
	struct conf_list	list = { 2, { "0.0.0.0/0", "::/0" }, { 0 } };
	struct sock_addr	local = { .text = "local" };

	assert_false(networks_have(&list, &local));
	list.n = 0;
	local = address("127.0.0.1");
	assert_false(networks_have(&list, &local));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_who_has_no_address_is_in_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
