/* SPDX-License-Identifier: ISC */
/*
 * A front that was taken over says for whom a connection is: what the master lets
 * it say (places.c, listen.c).  The test plays front and spawner, with real
 * sockets.
 */
#include "role/host.h"
#include "role/permit.h"
#include "role/places.h"
#include "role/wire.h"

#include "sys/file.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

#define SID		77u
#define TESTS		6u
#define NOBODY		"192.0.2.0/24"
#define OURSELVES	"127.0.0.1"

static struct {
	struct settings	 conf;
	char		 listen[64];
	struct loop	*loop;
	struct tally	*tally;
	struct places	*places;
	/* As long as the process: there is no end of places but its own. */
	struct places	*kept[TESTS];
	size_t		 nkept;
	int		 front[2];
	int		 spawner[2];
	struct nest		nest;
	int		 listener;
	int		 client;		/* the proxy's end */
	int		 accepted;
	struct sock_addr socket;
	struct sock_addr announced;
	struct link_out	 out;
	struct link_in	 in;
} it;

static void
connect_client(void)
{
	struct sock_addr	where[2];
	struct sock_addr	at;
	struct sockaddr_in	to = { .sin_family = AF_INET };
	struct fault		f;

	assert_int_equal(sock_listen_parse("127.0.0.1:0", where), 1);
	assert_int_equal(sock_listen(&where[0], false, &it.listener, &f), 0);
	assert_int_equal(sock_local(it.listener, &at, &f), 0);
	to.sin_port = htons(at.port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	it.client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(it.client, (struct sockaddr *)&to, sizeof(to)),
	    0);
	assert_int_equal(sock_accept(it.listener, &it.accepted, &it.socket, &f),
	    0);
	(void)snprintf(it.listen, sizeof(it.listen), "127.0.0.1:%u", at.port);
}

static int
setup(void **state UNUSED)
{
	static const uint8_t	raw[16] = { 198, 51, 100, 7 };
	struct fault		f;

	it.conf = (struct settings){ 0 };
	it.conf.role.max_sessions = it.conf.role.max_sessions_per_user = 9;
	it.conf.auth.uid_min = it.conf.auth.gid_min = 1000;
	it.conf.auth.uid_max = 60000;
	it.conf.auth.gids_denied = "";
	sock_addr_set(&it.announced, 4, raw, 4711);
	it.loop = loop_new(&f);
	it.tally = tally_new(2, 100, &f);
	assert_true(it.loop != NULL && it.tally != NULL);
	assert_int_equal(link_pair(&it.front[0], &it.front[1], &f), 0);
	assert_int_equal(link_pair(&it.spawner[0], &it.spawner[1], &f), 0);
	it.places = places_new(it.loop, it.tally, 1);
	nest_init(&it.nest, it.places, &it.conf);
	it.nest.orders.link = it.spawner[0];
	connect_client();
	return 0;
}

static int
teardown(void **state UNUSED)
{
	link_in_fini(&it.in);
	it.kept[it.nkept++] = it.places;
	for (int i = 0; i < 2; i++) {
		fd_close(&it.front[i]);
		fd_close(&it.spawner[i]);
	}
	fd_close(&it.listener);
	fd_close(&it.client);
	fd_close(&it.accepted);
	return 0;
}

static void
trust(const char *rules, const char *proxies, const char *webmail)
{
	(void)snprintf(it.listen + strlen(it.listen),
	    sizeof(it.listen) - strlen(it.listen), "%s", rules);
	it.conf.role.listen = (struct conf_list){ 1, { it.listen }, { 0 } };
	it.conf.role.proxy_networks = (struct conf_list){ 1, { proxies }, { 0 } };
	it.conf.role.xclient_networks = (struct conf_list){ 1, { webmail },
	    { 0 } };
}

/* What auth says in the front's words, and then the front itself. */
static int
start(const struct sock_addr *client, const struct sock_addr *socket,
    struct fault *f)
{
	const struct wire_admit	who = { .sid = SID, .peer = *client,
				    .socket = *socket, .id = { .user = "ann",
				    .uid = 1500, .gid = 1501, .home = "/" } };
	struct fault		why;

	assert_int_equal(places_admit(it.places, &it.nest, 0, &who),
	    ANSWER_YES);
	link_out_init(&it.out, MSG_START);
	link_put_u64(&it.out, SID);
	link_put_u8(&it.out, 0);
	assert_int_equal(link_send(it.front[0], &it.out, &it.accepted, 1, &why),
	    0);
	assert_int_equal(link_recv(it.front[1], permit_start, permit_start_n, 0,
	    1000, &it.in, &why), 1);
	return places_start(it.places, 0, &it.in, f);
}

static void
expect_session_of(const struct sock_addr *client)
{
	struct sock_addr	a;
	struct fault		f = { .text = "" };

	if (start(client, &it.socket, &f) != 0)
		fail_msg("%s", f.text);
	link_in_fini(&it.in);
	assert_int_equal(link_recv(it.spawner[1], permit_spawn, permit_spawn_n,
	    0, 1000, &it.in, &f), 1);
	(void)link_get_u32(&it.in);
	assert_int_equal(link_get_u64(&it.in), SID);
	(void)link_get_u8(&it.in);
	(void)link_get_u8(&it.in);
	assert_int_equal(link_get_u8(&it.in), HOST_ANY);
	assert_int_equal(wire_get_peer(&it.in, &a, &f), 0);
	assert_true(sock_addr_same(&a, client));
	assert_int_equal(tally_count(it.tally, TALLY_ADDRESS, client), 1);
}

static void
expect_end_of_front(const struct sock_addr *client,
    const struct sock_addr *socket, const char *text)
{
	struct fault f = { .text = "" };

	assert_int_equal(start(client, socket, &f), -1);
	assert_int_equal(f.class, FAULT_PEER);
	assert_string_equal(f.text, text);
}

static void
test_nobody_is_announced(void **state UNUSED)
{
	trust("", NOBODY, NOBODY);
	expect_session_of(&it.socket);
}

static void
test_by_a_proxy(void **state UNUSED)
{
	trust(" proxy", OURSELVES, NOBODY);
	expect_session_of(&it.announced);
}

static void
test_by_xclient(void **state UNUSED)
{
	trust("", NOBODY, OURSELVES);
	expect_session_of(&it.announced);
}

/* The same proxy may not speak for others where no header is expected. */
static void
test_on_another_listener(void **state UNUSED)
{
	trust("", OURSELVES, NOBODY);
	expect_end_of_front(&it.announced, &it.socket,
	    "START for another client");
}

static void
test_by_who_is_not_named(void **state UNUSED)
{
	trust(" proxy", NOBODY, NOBODY);
	expect_end_of_front(&it.announced, &it.socket,
	    "START for another client");
}

/* Not even by saying that the other end is a proxy. */
static void
test_with_another_socket(void **state UNUSED)
{
	struct sock_addr another = it.socket;

	trust(" proxy", OURSELVES, OURSELVES);
	another.port ^= 1;
	expect_end_of_front(&it.announced, &another, "START of another client");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nobody_is_announced, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_by_a_proxy, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_by_xclient, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_on_another_listener, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_by_who_is_not_named, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_with_another_socket, setup,
		    teardown),
	};

	static_assert(ARRAY_LEN(tests) == TESTS, "all are kept");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
