/* SPDX-License-Identifier: ISC */
#include "role/relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* In place of TLS: octets as they are, and what became of them. */
static struct {
	char		said[2 * RELAY_ROOM];	/* to the client */
	size_t		n;
	size_t		room;		/* so many octets it takes */
	unsigned	writes;
	bool		more;		/* of the last one: an end follows */
	bool		ended;
	const char	*says;		/* the client, next; NULL: nothing yet */
} net;

static struct secure	client;
static struct relay	r;
static int		session;	/* its end */
static int		peer;		/* the client's socket's other end */
static uint8_t		room[RELAY_ROOM];

static ssize_t
on_read(struct tls_stream *s, void *p, size_t n, struct fault *f)
{
	size_t len;

	(void)s;
	(void)n;
	if (net.says == NULL) {
		f->err = EAGAIN;
		return -1;
	}
	len = strlen(net.says);
	memcpy(p, net.says, len);
	net.says = NULL;
	return (ssize_t)len;
}

static ssize_t
on_write(struct tls_stream *s, struct span text, struct fault *f)
{
	size_t n = text.n < net.room ? text.n : net.room;

	(void)s;
	if (n == 0) {
		f->err = EAGAIN;
		return -1;
	}
	assert_false(net.ended);
	memcpy(net.said + net.n, text.p, n);
	net.n += n;
	net.room -= n;
	net.writes++;
	net.more = client.ending;
	return (ssize_t)n;
}

static unsigned
on_wants(const struct tls_stream *s)
{
	(void)s;
	return TLS_WANTS_READ;
}

static bool
on_pending(const struct tls_stream *s)
{
	(void)s;
	return false;
}

static int
on_end(struct tls_stream *s, struct fault *f)
{
	(void)s;
	(void)f;
	net.ended = true;
	return 0;
}

static const struct tls_ops fake = {
	.read = on_read,
	.write = on_write,
	.wants = on_wants,
	.pending = on_pending,
	.end = on_end,
};

static int
set_up(void **state)
{
	int	ends[2];
	int	outer[2];

	(void)state;
	memset(&net, 0, sizeof(net));
	net.room = sizeof(net.said);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, outer), 0);
	session = ends[1];
	peer = outer[1];
	client = (struct secure){ .tls = &fake, .in = outer[0],
	    .out = outer[0], .stream = (struct tls_stream *)&net };
	relay_init(&r, &client, ends[0], SPAN(""), 5);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	relay_fini(&r);
	if (session >= 0)
		close(session);
	close(client.out);
	close(peer);
	return 0;
}

static void
say(const char *text)
{
	assert_int_equal(write(session, text, strlen(text)), strlen(text));
}

static void
hang_up(void)
{
	close(session);
	session = -1;
}

static void
said(const char *text)
{
	assert_int_equal(net.n, strlen(text));
	assert_memory_equal(net.said, text, net.n);
}

static void
test_both_ways(void **state)
{
	char	got[8];

	(void)state;
	say("+OK\r\n");
	assert_true(relay_turn(&r, RELAY_SESSION, room));
	said("+OK\r\n");
	assert_false(net.more);
	net.says = "STAT\r\n";
	assert_true(relay_turn(&r, RELAY_CLIENT, room));
	assert_int_equal(read(session, got, sizeof(got)), 6);
	assert_memory_equal(got, "STAT\r\n", 6);
}

/* What has come by now is one write: a record, a segment. */
static void
test_gathered(void **state)
{
	(void)state;
	say("+OK\r\n");
	say("one\r\n");
	say(".\r\n");
	assert_true(relay_turn(&r, RELAY_SESSION, room));
	said("+OK\r\none\r\n.\r\n");
	assert_int_equal(net.writes, 1);
}

/* The last reply goes out with the end that is close behind it. */
static void
test_last(void **state)
{
	char	octet;

	(void)state;
	say("+OK bye\r\n");
	hang_up();
	assert_true(relay_turn(&r, RELAY_SESSION, room));
	said("+OK bye\r\n");
	assert_true(net.more);
	assert_true(net.ended);
	assert_int_equal(read(peer, &octet, 1), 0);	/* shut down */
}

/* A client that takes it slowly gets all of it before the end. */
static void
test_slow(void **state)
{
	unsigned	of_client;
	unsigned	of_session;

	(void)state;
	net.room = 4;
	say("+OK bye\r\n");
	hang_up();
	assert_true(relay_turn(&r, RELAY_SESSION, room));
	said("+OK ");
	assert_false(net.ended);
	(void)relay_wish(&r, &of_client, &of_session);
	assert_int_equal(of_client & PUMP_WRITE, PUMP_WRITE);
	assert_int_equal(of_session, 0);
	net.room = 100;
	assert_true(relay_turn(&r, RELAY_CLIENT, room));
	said("+OK bye\r\n");
	assert_true(net.ended);
}

/* Who closes with something unread makes the kernel say that it failed: what it had
 * said before counts all the same. */
static void
test_reset(void **state)
{
	(void)state;
	net.says = "NOOP\r\n";
	assert_true(relay_turn(&r, RELAY_CLIENT, room));
	say("+OK bye\r\n");
	hang_up();
	assert_true(relay_turn(&r, RELAY_SESSION, room));
	said("+OK bye\r\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_both_ways, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(test_gathered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_last, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_slow, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reset, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
