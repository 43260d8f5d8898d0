/* SPDX-License-Identifier: ISC */
/*
 * The resolver of popper serve, a real process, with fronts, a master and a name
 * server that this test plays; that one never answers, but hears what is asked.
 */
#include "role/mad_test.h"
#include "role/resolver.h"
#include "role/wire.h"

#include "sys/spawn.h"
#include "sys/test_dir.h"
#include "sys/test_fork.h"
#include "watch/log.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define LONG_MS		60000		/* longer than anything here takes */
#define FRONTS		2

static char	folder[] = "/tmp/popper-resolver-test.XXXXXX";
static char	paths[3][100];		/* empty, hosts, log */
static int	spare[2];		/* descriptors to send */

static struct {
	pid_t		resolver;
	int		front[FRONTS];	/* our ends */
	int		master;
	int		log;
	int		server;		/* the name server's socket */
	char		address[40];
	uint32_t	peers;		/* how many were asked for */
	struct link_in	in;
	struct link_out	out;
} it;

/* ------------------------------------------------------------- the house */

static void
open_server(void)
{
	struct sockaddr_in	a = { .sin_family = AF_INET };
	socklen_t		n = sizeof(a);
	struct timeval		patience = { .tv_sec = LONG_MS / 1000 };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	it.server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(it.server, (struct sockaddr *)&a, n), 0);
	assert_int_equal(getsockname(it.server, (struct sockaddr *)&a, &n), 0);
	assert_int_equal(setsockopt(it.server, SOL_SOCKET, SO_RCVTIMEO,
	    &patience, sizeof(patience)), 0);
	(void)snprintf(it.address, sizeof(it.address), "127.0.0.1:%u",
	    ntohs(a.sin_port));
}

static void
fork_resolver(void)
{
	const struct resolver_conf	c = {
		.name_servers = it.address, .timeout_ms = 200,
		.user = "65534", .chroot_dir = paths[0], .hosts = paths[1],
	};
	int				fronts[FRONTS];
	int				master, log_link;
	struct fault			f;

	for (size_t i = 0; i < FRONTS; i++)
		assert_int_equal(link_pair(&it.front[i], &fronts[i], &f), 0);
	assert_int_equal(link_pair(&it.master, &master, &f), 0);
	assert_int_equal(link_pair(&it.log, &log_link, &f), 0);
	it.resolver = test_fork();
	assert_true(it.resolver >= 0);
	if (it.resolver == 0) {
		spawn_tie(getppid());
		resolver_main(&c, fronts, FRONTS, master, log_link);
	}
	for (size_t i = 0; i < FRONTS; i++)
		fd_close(&fronts[i]);
	fd_close(&master);
	fd_close(&log_link);
}

/* It must end by itself. */
static int
wait_for_resolver(void)
{
	int status = -1;

	for (int i = 0; i < LONG_MS; i++) {
		if (waitpid(it.resolver, &status, WNOHANG) == it.resolver)
			return status;
		(void)usleep(500);
	}
	(void)kill(it.resolver, SIGKILL);
	(void)waitpid(it.resolver, &status, 0);
	fail_msg("the resolver does not end");
	return -1;
}

static void
close_links(void)
{
	for (size_t i = 0; i < FRONTS; i++)
		fd_close(&it.front[i]);
	fd_close(&it.master);
	fd_close(&it.log);
}

static int
begin(void **state UNUSED)
{
	if (geteuid() != 0)
		return 0;
	open_server();
	fork_resolver();
	return truncate(paths[2], 0);
}

/* It ends with the master. */
static int
end(void **state UNUSED)
{
	int status;

	if (geteuid() != 0)
		return 0;
	fd_close(&it.master);
	status = wait_for_resolver();
	close_links();
	fd_close(&it.server);
	return status;
}

static size_t
count(const char *word)
{
	return mad_count(paths[2], word);
}

/* -------------------------------------------------------------- what is said */

static void
put_peer(void)
{
	struct sock_addr a = { .family = 4, .raw = { 10, 0, 0, 0 } };

	it.peers++;
	a.raw[2] = (uint8_t)(it.peers >> 8);
	a.raw[3] = (uint8_t)it.peers;
	link_out_init(&it.out, MSG_PEER);
	link_put_u64(&it.out, it.peers);
	wire_put_peer(&it.out, &a);
}

/* What this front says is heard: the name server is asked. */
static void
is_heard(size_t front)
{
	struct fault	f;
	char		b[512];
	char		want[20];
	int		n;

	put_peer();
	assert_int_equal(link_send(it.front[front], &it.out, NULL, 0, &f), 0);
	n = snprintf(want, sizeof(want), "%c%u%c%u%c", it.peers % 256 > 99 ? 3 :
	    it.peers % 256 > 9 ? 2 : 1, it.peers % 256, it.peers / 256 > 99 ? 3 :
	    it.peers / 256 > 9 ? 2 : 1, it.peers / 256, 1);
	for (;;) {
		ssize_t got = recv(it.server, b, sizeof(b), 0);

		if (got < 0)
			fail_msg("front %zu is not heard", front);
		if (got > 12 + n && memcmp(b + 12, want, (size_t)n) == 0)
			return;
	}
}

static void
expect_closed(int link)
{
	struct fault f;

	assert_int_equal(link_recv(link, permit_verdict, permit_verdict_n, 0,
	    LONG_MS, &it.in, &f), 0);
}

/* As the master: a front in place of one that has gone. */
static void
new_front(uint32_t index)
{
	AUTO(fd_close) int	its = -1;
	struct fault		f;
	int			ours;

	assert_int_equal(link_pair(&ours, &its, &f), 0);
	link_out_init(&it.out, MSG_FRONT);
	link_put_u32(&it.out, index);
	assert_int_equal(link_send(it.master, &it.out, &its, 1, &f), 0);
	if (index < FRONTS) {
		fd_close(&it.front[index]);
		it.front[index] = ours;
	} else {
		fd_close(&its);
		expect_closed(ours);
		fd_close(&ours);
	}
}

/* ------------------------------------------------------------------- tests */

/* Who says nonsense loses its link, and its successor has one again. */
static void
test_mad_front(void **state UNUSED)
{
	struct mad	c;
	unsigned	n = 0;

	if (geteuid() != 0)
		skip();
	is_heard(1);
	mad_init(&c, permit_peer, permit_peer_n);
	while (mad_next(&c)) {
		assert_int_equal(truncate(paths[2], 0), 0);
		assert_true(mad_say(&c, it.front[1], spare[0]));
		expect_closed(it.front[1]);
		if (count(": resolver-link ") != 1)
			fail_msg("message %u with %u octets and %u descriptors",
			    c.type, c.size, c.fds);
		new_front(1);
		if (++n % 32 == 0) {
			is_heard(1);
			is_heard(0);
		}
	}
	is_heard(1);
	is_heard(0);
}

/* A front that is replaced while its link is whole; and one that there is not. */
static void
test_new_front(void **state UNUSED)
{
	if (geteuid() != 0)
		skip();
	for (unsigned i = 0; i < 20; i++) {
		new_front(i % FRONTS);
		is_heard(i % FRONTS);
	}
	new_front(FRONTS);
	new_front(UINT32_MAX);
	for (size_t i = 0; i < FRONTS; i++)
		fd_close(&it.front[i]);	/* all of them at a time */
	for (uint32_t i = 0; i < FRONTS; i++) {
		new_front(i);
		is_heard(i);
	}
}

static void
test_mad_master(void **state UNUSED)
{
	struct mad c;

	if (geteuid() != 0)
		skip();
	mad_init(&c, permit_to_resolver, permit_to_resolver_n);
	while (mad_next(&c)) {
		if (c.formal)
			continue;
		assert_int_equal(truncate(paths[2], 0), 0);
		assert_true(mad_say(&c, it.master, spare[0]));
		if (wait_for_resolver() != 0 || count(": master-link ") != 1)
			fail_msg("message %u with %u octets and %u descriptors",
			    c.type, c.size, c.fds);
		close_links();
		fork_resolver();
	}
	is_heard(0);
}

/* ------------------------------------------------------------------ frame */

static int
setup(void **state UNUSED)
{
	static const char *const	names[] = { "empty", "hosts", "log" };
	struct log_conf			c = { .to = LOG_TO_FILE,
					    .trace_fd = -1, .socket = "" };

	if (mkdtemp(folder) == NULL || pipe2(spare, O_CLOEXEC) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		(void)snprintf(paths[i], sizeof(paths[i]), "%s/%s", folder,
		    names[i]);
	if (chmod(folder, 0711) != 0 || mkdir(paths[0], 0755) != 0)
		return -1;
	c.file = paths[2];
	log_open(&c);
	return 0;
}

static int
teardown(void **state UNUSED)
{
	log_close();
	return test_dir_remove(folder);
}

#define CASE(test)	cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_mad_front),
		CASE(test_new_front),
		CASE(test_mad_master),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
