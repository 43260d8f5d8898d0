/* SPDX-License-Identifier: ISC */
/*
 * A front, a real process, among an authenticator, a master, a resolver and
 * strangers that this test plays, sane and mad.
 */
#include "role/fronts.h"
#include "role/mad_test.h"

#include "pop/authorize.h"
#include "sys/spawn.h"
#include "sys/test_dir.h"
#include "sys/test_fork.h"
#include "watch/log.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define LONG_MS		60000		/* longer than anything here takes */
#define STRANGERS	600

int	__real_fd_pipe(int *read_r, int *write_r, struct fault *f);
int	__wrap_fd_pipe(int *read_r, int *write_r, struct fault *f);

static char		folder[] = "/tmp/popper-fronts-test.XXXXXX";
static char		paths[2][100];	/* empty, log */
static struct settings	conf;
static int		spare[2];	/* descriptors to send */
static struct tally	*tally;

static struct {
	pid_t			front;
	int			listener;
	struct sockaddr_in	address;
	int			auth;		/* our ends */
	int			master;
	int			resolver;
	int			log;
	struct link_in		in;
	struct link_out		out;
} it;

/* Of some pipes the kernel gives this front only a page: the rest is taken. */
static unsigned		small_pipes;

/* The linker puts this in its place. */
int
__wrap_fd_pipe(int *read_r, int *write_r, struct fault *f)
{
	static uint8_t	fill[65536 - 4096];
	int		rc = __real_fd_pipe(read_r, write_r, f);

	if (rc == 0 && small_pipes > 0 && small_pipes-- > 0 &&
	    write(*write_r, fill, sizeof(fill)) != (ssize_t)sizeof(fill))
		return -1;
	return rc;
}

/* ------------------------------------------------------------- the house */

static void
open_listener(void)
{
	socklen_t n = sizeof(it.address);

	it.address = (struct sockaddr_in){ .sin_family = AF_INET };
	it.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	it.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	assert_int_equal(bind(it.listener, (struct sockaddr *)&it.address, n), 0);
	assert_int_equal(listen(it.listener, 128), 0);
	assert_int_equal(getsockname(it.listener, (struct sockaddr *)&it.address,
	    &n), 0);
}

static void
fork_front(void)
{
	int			ends[4];
	struct fault		f;
	struct fronts_start	a = {
		.conf = &conf, .host = "host", .of = 1,
		.listeners = &it.listener, .nlisteners = 1, .tally = tally,
		.keeper = -1,
	};

	tally_clear(tally, 0);
	assert_int_equal(link_pair(&it.auth, &ends[0], &f), 0);
	assert_int_equal(link_pair(&it.master, &ends[1], &f), 0);
	assert_int_equal(link_pair(&it.resolver, &ends[2], &f), 0);
	assert_int_equal(link_pair(&it.log, &ends[3], &f), 0);
	it.front = test_fork();
	assert_true(it.front >= 0);
	if (it.front == 0) {
		spawn_tie(getppid());
		a.auth = ends[0];
		a.master = ends[1];
		a.resolver = ends[2];
		a.log_link = ends[3];
		fronts_main(&a);
	}
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		fd_close(&ends[i]);
}

/* It must end by itself. */
static int
wait_for_front(void)
{
	int status = -1;

	for (int i = 0; i < LONG_MS; i++) {
		if (waitpid(it.front, &status, WNOHANG) == it.front)
			return status;
		(void)usleep(500);
	}
	(void)kill(it.front, SIGKILL);
	(void)waitpid(it.front, &status, 0);
	fail_msg("the front does not end");
	return -1;
}

static void
close_links(void)
{
	fd_close(&it.auth);
	fd_close(&it.master);
	fd_close(&it.resolver);
	fd_close(&it.log);
}

static int
begin(void **state UNUSED)
{
	if (geteuid() != 0)
		return 0;
	open_listener();
	fork_front();
	return truncate(paths[1], 0);
}

static int
begin_small(void **state)
{
	int result;

	small_pipes = 3;
	result = begin(state);
	small_pipes = 0;
	return result;
}

static int
end(void **state UNUSED)
{
	int status;

	if (geteuid() != 0)
		return 0;
	(void)kill(it.front, SIGTERM);
	status = wait_for_front();
	close_links();
	fd_close(&it.listener);
	return status == 0 ? 0 : -1;
}

static size_t
count(const char *word)
{
	return mad_count(paths[1], word);
}

/* ---------------------------------------------------------------- strangers */

static void
hear_line(int fd)
{
	char	c = '\0';
	int	n = 0;

	while (c != '\n') {
		if (recv(fd, &c, 1, 0) != 1)
			fail_msg("the front has hung up");
		assert_true(n++ < 600);
	}
}

/* One that waits for its verdict, and what it has said behind its password. */
static int
come(const char *rest, size_t n)
{
	struct timeval	patience = { .tv_sec = LONG_MS / 1000 };
	int		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
	    sizeof(patience)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&it.address,
	    sizeof(it.address)), 0);
	hear_line(fd);
	assert_int_equal(send(fd, "USER ann\r\n", 10, 0), 10);
	hear_line(fd);
	assert_int_equal(send(fd, "PASS x\r\n", 8, n > 0 ? MSG_MORE : 0), 8);
	if (n > 0)
		assert_int_equal(send(fd, rest, n, 0), n);
	return fd;
}

/* As auth: who it is. */
static uint64_t
take_check(void)
{
	struct fault	f = { .text = "the end" };
	uint64_t	sid;

	if (link_recv(it.auth, permit_check, permit_check_n, 0, LONG_MS, &it.in,
	    &f) != 1)
		fail_msg("no question: %s", f.text);
	sid = link_get_u64(&it.in);
	link_in_fini(&it.in);
	return sid;
}

static void
verdict(int link, uint64_t sid, uint8_t answer)
{
	struct fault f = { 0 };

	link_out_init(&it.out, MSG_VERDICT);
	link_put_u64(&it.out, sid);
	link_put_u8(&it.out, answer);
	while (link_send(link, &it.out, NULL, 0, &f) != 0) {
		assert_int_equal(f.err, EAGAIN);
		(void)usleep(1000);
	}
}

/* As the master: who leaves; the client is ours. */
static int
take_start(uint64_t *sid_r, int *rest_r)
{
	struct fault f = { .text = "the end" };
	int	     fd;

	if (link_recv(it.master, permit_start, permit_start_n, 0, LONG_MS,
	    &it.in, &f) != 1)
		fail_msg("no START: %s", f.text);
	*sid_r = link_get_u64(&it.in);
	fd = link_get_fd(&it.in, 0);
	*rest_r = link_get_fd(&it.in, 1);
	link_in_fini(&it.in);
	return fd;
}

/* ------------------------------------------------------------------- tests */

/* More of them leave at a time than the master's link takes: all arrive. */
static void
test_busy_master(void **state UNUSED)
{
	static int	fds[STRANGERS];
	static uint64_t	sids[STRANGERS];

	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < STRANGERS; i++) {
		fds[i] = come(NULL, 0);
		sids[i] = take_check();
	}
	for (size_t i = 0; i < STRANGERS; i++)
		verdict(it.master, sids[i], ANSWER_YES);
	(void)usleep(100000);
	for (size_t i = 0; i < STRANGERS; i++) {
		uint64_t	sid;
		int		rest;
		int		fd = take_start(&sid, &rest);
		size_t		k = 0;

		while (k < STRANGERS && sids[k] != sid)
			k++;
		assert_true(k < STRANGERS);
		sids[k] = 0;
		assert_int_equal(rest, -1);
		assert_int_equal(write(fd, "+", 1), 1);
		fd_close(&fd);
		assert_int_equal(recv(fds[k], &(char){ 0 }, 1, 0), 1);
		fd_close(&fds[k]);
	}
	assert_int_equal(count("front-"), 0);
}

static void
leave_all(void)
{
	struct fault f = { .text = "the end" };

	link_out_init(&it.out, MSG_LEAVE);
	link_put_u32(&it.out, 1);
	assert_int_equal(link_send(it.master, &it.out, NULL, 0, &f), 0);
	if (link_recv(it.master, permit_start, permit_start_n, 0, LONG_MS,
	    &it.in, &f) != 1)
		fail_msg("no LEAVES: %s", f.text);
	assert_int_equal(it.in.type, MSG_LEAVES);
	link_in_fini(&it.in);
}

/* Whoever has come is within until his connection is closed; behind that nobody is
 * taken, and waits. */
static void
test_shut(void **state UNUSED)
{
	int fd;

	if (geteuid() != 0)
		skip();
	fd = come(NULL, 0);
	assert_false(tally_shut(tally));
	verdict(it.auth, take_check(), ANSWER_NO);
	hear_line(fd);
	assert_false(tally_shut(tally));
	fd_close(&fd);
	for (int i = 0; i < LONG_MS && !tally_shut(tally); i++)
		(void)usleep(1000);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&it.address,
	    sizeof(it.address)), 0);
	(void)usleep(150000);
	assert_int_equal(recv(fd, &(char){ 0 }, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	fd_close(&fd);
}

static int
end_shut(void **state)
{
	struct fault f;

	tally_free(tally);
	tally = tally_new(2, 1000, &f);
	return tally == NULL ? -1 : end(state);
}

/* The test has a copy of the listener, and nobody can come to it. */
static void
test_a_listener_that_leaves(void **state UNUSED)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (geteuid() != 0)
		skip();
	leave_all();
	assert_int_equal(connect(fd, (struct sockaddr *)&it.address,
	    sizeof(it.address)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	fd_close(&fd);
}

/* Another front has left it: that is no failure, and nothing to look at again. */
static void
test_a_listener_that_another_has_left(void **state UNUSED)
{
	if (geteuid() != 0)
		skip();
	(void)shutdown(it.listener, SHUT_RDWR);
	(void)usleep(100000);
	leave_all();
	assert_int_equal(count("accept"), 0);
}

static void
hear_again(int *fd)
{
	static const char	again[] = "-ERR [SYS/TEMP]";
	char			got[sizeof(again)] = "";

	assert_int_equal(recv(*fd, got, sizeof(again) - 1, MSG_WAITALL),
	    sizeof(again) - 1);
	assert_string_equal(got, again);
	fd_close(fd);
}

/* auth has died: who had asked the old one is told to try again, and asks the new
 * one.  However many they are, the log has a line. */
static void
test_new_auth(void **state UNUSED)
{
	int		fds[20];
	struct fault	f;
	int		old = it.auth, its, fd;
	uint64_t	sid = 0;

	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = come(NULL, 0);
		sid = take_check();
	}
	assert_int_equal(link_pair(&it.auth, &its, &f), 0);
	link_out_init(&it.out, MSG_AUTH);
	assert_int_equal(link_send(it.master, &it.out, &its, 1, &f), 0);
	fd_close(&its);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		hear_again(&fds[i]);
	assert_int_equal(count(": front-link "), 1);
	assert_int_equal(count("no verdict has come\" times=1"), 1);
	fd_close(&old);
	fd = come(NULL, 0);
	assert_int_not_equal(take_check(), sid);
	fd_close(&fd);
}

/* What was said behind the password arrives, even if a pipe has no room for it at
 * first; nobody waits for that. */
static void
test_small_pipes(void **state UNUSED)
{
	static char	rest[8000];
	static char	got[sizeof(rest) + 1];
	struct fault	f;
	uint64_t	sid;
	size_t		n = 0;
	int		fds[2];
	int		client, other;

	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < sizeof(rest); i++)
		rest[i] = i % 10 == 9 ? '\n' : 'a' + (char)(i % 10);
	fds[0] = come(rest, sizeof(rest));
	sid = take_check();
	(void)usleep(100000);		/* all has arrived */
	verdict(it.master, sid, ANSWER_YES);
	fds[1] = come(NULL, 0);		/* the others need not wait */
	verdict(it.master, take_check(), ANSWER_YES);
	client = take_start(&sid, &other);
	assert_int_equal(other, -1);
	fd_close(&client);
	client = take_start(&sid, &other);
	assert_true(other >= 0);
	while (n < sizeof(rest)) {
		ssize_t k = sock_read(other, got + n, sizeof(got) - n, &f);

		assert_true(k >= 0);
		if (k == 0)
			break;
		n += (size_t)k;
	}
	while (n < sizeof(rest)) {	/* the rest is still the client's */
		ssize_t k = recv(client, got + n, sizeof(got) - n, 0);

		assert_true(k > 0);
		n += (size_t)k;
	}
	assert_memory_equal(got, rest, sizeof(rest));
	fd_close(&client);
	fd_close(&other);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
}

/* Somebody can still ask to be judged. */
static void
is_alive(void)
{
	int fd = come(NULL, 0);

	(void)take_check();
	fd_close(&fd);
}

/* Without auth and master nobody can log in: a front to which one of them speaks
 * nonsense ends, and the master starts another one. */
static void
mad_peer(bool master)
{
	struct mad c;

	if (master)
		mad_init(&c, permit_to_front, permit_to_front_n);
	else
		mad_init(&c, permit_verdict, permit_verdict_n);
	while (mad_next(&c)) {
		if (c.formal && c.type != MSG_VERDICT)
			continue;	/* the master may say that */
		assert_true(mad_say(&c, master ? it.master : it.auth, spare[0]));
		if (c.formal) {
			is_alive();
			continue;
		}
		if (wait_for_front() != 0 || count(": front-link ") != 1)
			fail_msg("message %u with %u octets and %u descriptors",
			    c.type, c.size, c.fds);
		close_links();
		fork_front();
		assert_int_equal(truncate(paths[1], 0), 0);
	}
	is_alive();
}

static void
test_mad_master(void **state UNUSED)
{
	if (geteuid() != 0)
		skip();
	mad_peer(true);
}

static void
test_mad_auth(void **state UNUSED)
{
	if (geteuid() != 0)
		skip();
	mad_peer(false);
}

/* What a verdict says of others, or of nobody, costs nobody anything; yes is the
 * master's to say. */
static void
test_false_verdicts(void **state UNUSED)
{
	struct fault	f = { 0 };
	uint64_t	sid, other;
	int		fds[2];

	if (geteuid() != 0)
		skip();
	fds[0] = come(NULL, 0);
	sid = take_check();
	fds[1] = come(NULL, 0);
	other = take_check();
	for (unsigned answer = 0; answer < 256; answer++) {
		verdict(it.master, sid + 1, (uint8_t)answer);
		verdict(it.auth, sid + 1, (uint8_t)answer);
	}
	verdict(it.auth, sid, ANSWER_YES);
	hear_line(fds[0]);			/* it was none */
	verdict(it.master, sid, ANSWER_YES);	/* and is not asked for */
	verdict(it.master, other, 255);
	hear_line(fds[1]);
	is_alive();
	assert_int_equal(link_recv(it.master, permit_start, permit_start_n, 0, 0,
	    &it.in, &f), -1);
	assert_int_equal(f.err, ETIMEDOUT);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
}

/* ------------------------------------------------------------------ frame */

static int
setup(void **state UNUSED)
{
	struct log_conf	c = { .to = LOG_TO_FILE, .trace_fd = -1, .socket = "" };
	struct rlimit	files = { 4096, 4096 };
	struct fault	f;

	(void)signal(SIGPIPE, SIG_IGN);
	if (mkdtemp(folder) == NULL || pipe2(spare, O_CLOEXEC) != 0)
		return -1;
	if (geteuid() == 0 && setrlimit(RLIMIT_NOFILE, &files) != 0)
		return -1;
	(void)snprintf(paths[0], sizeof(paths[0]), "%s/empty", folder);
	(void)snprintf(paths[1], sizeof(paths[1]), "%s/log", folder);
	if (chmod(folder, 0711) != 0 || mkdir(paths[0], 0755) != 0)
		return -1;
	conf = (struct settings){
		.role = {
			.front_user = "65534", .chroot_dir = paths[0],
			.sasl_mechanisms = "plain login",
			.max_strangers = 1000, .max_sessions_per_address = 1000,
			.auth_tries = 3, .max_bad_commands = 20,
			.max_commands_before_login = 100,
			.max_sessions_per_network = 1000,
			.timeout_s = 60, .login_timeout_s = 60,
			.drain_timeout_s = 1, .auth_timeout_s = 30,
		},
		.krb = { .keytab = "", .realms = "" },
		.token = { .jwks = "", .introspection = "" },
		.auth = { .rpop_file = "", .master_users = "",
		    .client_ca = "", .client_crl = "" },
		.drop = { .expire = "never" },
	};
	c.file = paths[1];
	log_open(&c);
	tally = tally_new(2, 1000, &f);
	return tally == NULL ? -1 : 0;
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
		CASE(test_busy_master),
		CASE(test_mad_master),
		CASE(test_mad_auth),
		CASE(test_false_verdicts),
		CASE(test_new_auth),
		cmocka_unit_test_setup_teardown(test_shut, begin, end_shut),
		CASE(test_a_listener_that_leaves),
		CASE(test_a_listener_that_another_has_left),
		cmocka_unit_test_setup_teardown(test_small_pipes, begin_small,
		    end),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
