/* SPDX-License-Identifier: ISC */
#include "sys/listen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct listeners none;

/* Two free ports of 127.0.0.1, as text. */
static void
two_ports(char a[32], char b[32])
{
	static const char *const any[] = { "127.0.0.1:0", "127.0.0.1:0" };
	struct listeners	l;
	struct sock_addr	at;
	struct fault		f;

	assert_int_equal(listeners_change(&none, any, 2, &l, &f), 0);
	assert_int_equal(l.n, 2);
	assert_int_equal(sock_local(l.one[0].fd, &at, &f), 0);
	sock_addr_where(&at, a, 32);
	assert_int_equal(sock_local(l.one[1].fd, &at, &f), 0);
	sock_addr_where(&at, b, 32);
	assert_string_not_equal(a, b);
	listeners_close(&l);
	assert_int_equal(l.n, 0);
}

static void
test_change(void **state)
{
	char			a[32];
	char			b[32];
	char			bad[32];
	struct listeners	now;
	struct listeners	next;
	struct fault		f;
	int			fd;

	(void)state;
	two_ports(a, b);
	assert_int_equal(listeners_change(&none, (const char *[]){ a }, 1, &now,
	    &f), 0);
	assert_false(now.one[0].old);
	assert_int_equal(listeners_change(&now, (const char *[]){ b, a }, 2,
	    &next, &f), 0);
	assert_int_equal(next.n, 2);
	assert_false(next.one[0].old);
	assert_true(next.one[1].old);
	assert_int_equal(next.one[1].fd, now.one[0].fd);
	assert_true(listeners_have(&next, now.one[0].fd));

	/* Refused as a whole; what was open stays so, what was opened is not. */
	snprintf(bad, sizeof(bad), "192.0.2.1:%s", strchr(a, ':') + 1);
	fd = next.one[0].fd;
	listeners_close_others(&next, &now);
	assert_int_equal(listeners_change(&now, (const char *[]){ b, bad }, 2,
	    &next, &f), -1);
	assert_non_null(strstr(f.text, bad));
	assert_int_equal(next.n, 0);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(listeners_change(&now, (const char *[]){ a, a }, 2,
	    &next, &f), -1);
	assert_non_null(strstr(f.text, "listened at already"));

	/* The old one is no more; the new one is not hindered by it. */
	assert_int_equal(listeners_change(&now, (const char *[]){ b }, 1, &next,
	    &f), 0);
	listeners_close_others(&now, &next);
	listeners_close(&next);
}

/* Nobody is refused while a wider one takes the place of a narrow one. */
static void
test_wider(void **state)
{
	char			a[32];
	char			b[32];
	char			wide[32];
	struct listeners	now;
	struct listeners	next;
	struct fault		f;

	(void)state;
	two_ports(a, b);
	snprintf(wide, sizeof(wide), "0.0.0.0%s", strchr(a, ':'));
	assert_int_equal(listeners_change(&none, (const char *[]){ a }, 1, &now,
	    &f), 0);
	assert_int_equal(listeners_change(&now, (const char *[]){ wide }, 1,
	    &next, &f), 0);
	listeners_close_others(&now, &next);
	assert_int_equal(listeners_change(&next, (const char *[]){ a }, 1, &now,
	    &f), 0);
	listeners_close_others(&next, &now);
	/* Others are kept out, as ever. */
	assert_int_equal(listeners_change(&none, (const char *[]){ a }, 1, &next,
	    &f), -1);
	listeners_close(&now);
}

static void
test_given(void **state)
{
	static const char *const elsewhere[] = { "127.0.0.1:1" };
	struct listeners	l;
	struct listeners	next;
	struct fault		f;
	int			fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(listeners_take(&l, fd, 1, &f), -1);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(listeners_take(&l, fd, 1, &f), 0);
	assert_int_equal(listeners_change(&l, elsewhere, 1, &next, &f), 0);
	assert_int_equal(next.n, 1);
	assert_int_equal(next.one[0].fd, fd);
	assert_true(next.one[0].old && next.given);
	assert_int_equal(listeners_take(&l, fd, LISTENERS_MAX + 1, &f), -1);
	listeners_close(&next);
	fd = -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_wider),
		cmocka_unit_test(test_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
