/* SPDX-License-Identifier: ISC */
/*
 * The spawner, a real process, with a master that this test plays, sane and mad;
 * its sessions wait to be told to stop.
 */
#include "role/host.h"
#include "role/mad_test.h"
#include "role/session.h"
#include "role/spawner.h"
#include "role/wire.h"

#include "sys/signals.h"
#include "sys/spawn.h"
#include "sys/test_fork.h"
#include "watch/log.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define LONG_MS		60000		/* longer than anything here takes */
#define SESSIONS	40
#define MANY		600		/* more than two broods */
#define HAND		0x80000000u	/* of a slot, as the master has it */
#define STOPPED		7		/* how sessions end then */

NORETURN void	__wrap_session_main(const struct session_start *c);
NORETURN void	__wrap_session_recover_main(const struct session_start *c);
pid_t		__real_spawn_fork_bare(struct fault *f);
pid_t		__wrap_spawn_fork_bare(struct fault *f);

static char		log_path[] = "/tmp/popper-spawner-test.XXXXXX";
static struct settings	conf;
static int		spare[2];	/* descriptors to send */
static bool		full;		/* a spawner that begins cannot fork */

static struct {
	pid_t		spawner;
	int		master;		/* our end */
	struct link_in	in;
	struct link_out	out;
} it;

/* ------------------------------------------------ in the spawner's children */

static void
on_term(int signal UNUSED)
{
	_exit(STOPPED);
}

static NORETURN void
wait_for_stop(void)
{
	(void)signal(SIGTERM, on_term);
	if (signals_stopping())		/* it has come already */
		_exit(STOPPED);
	for (;;)
		(void)pause();
}

/* The linker puts these in their places. */
void
__wrap_session_main(const struct session_start *c UNUSED)
{
	wait_for_stop();
}

void
__wrap_session_recover_main(const struct session_start *c UNUSED)
{
	wait_for_stop();
}

pid_t
__wrap_spawn_fork_bare(struct fault *f)
{
	return full ? fault_errno(f, FAULT_TEMP, EAGAIN, "fork") :
	    __real_spawn_fork_bare(f);
}

/* ------------------------------------------------------------- the house */

static int
begin(void **state UNUSED)
{
	int		its;
	struct fault	f;

	if (truncate(log_path, 0) != 0 || link_pair(&it.master, &its, &f) != 0)
		return -1;
	it.spawner = test_fork();
	if (it.spawner < 0)
		return -1;
	if (it.spawner == 0) {
		spawn_tie(getppid());
		(void)signal(SIGSEGV, SIG_DFL);
		(void)signal(SIGABRT, SIG_DFL);
		spawner_main(&conf, "host", its, -1);
	}
	fd_close(&its);
	return 0;
}

/* It must end by itself. */
static int
wait_for_spawner(void)
{
	int status = -1;

	for (int i = 0; i < LONG_MS; i++) {
		if (waitpid(it.spawner, &status, WNOHANG) == it.spawner)
			return status;
		(void)usleep(500);
	}
	(void)kill(it.spawner, SIGKILL);
	(void)waitpid(it.spawner, &status, 0);
	fail_msg("the spawner does not end");
	return -1;
}

static int
end(void **state UNUSED)
{
	fd_close(&it.master);
	return wait_for_spawner();
}

static size_t
count(const char *word)
{
	return mad_count(log_path, word);
}

/* ------------------------------------------------------------------ orders */

static void
order(uint16_t type, uint32_t slot, uint8_t question, const int *fds, uint8_t n)
{
	const struct identity	id = { .user = "ann", .uid = 1500, .gid = 1501 };
	struct sock_addr	peer = { .family = 4, .raw = { 192, 0, 2, 7 } };
	struct fault		f = { 0 };

	link_out_init(&it.out, type);
	link_put_u32(&it.out, slot);
	link_put_u64(&it.out, 1000 + slot);
	link_put_u8(&it.out, question);
	link_put_u8(&it.out, 0);
	link_put_u8(&it.out, HOST_ANY);
	wire_put_peer(&it.out, &peer);
	wire_put_identity(&it.out, &id);
	link_put_u8(&it.out, 0);
	while (link_send(it.master, &it.out, fds, n, &f) != 0) {
		assert_int_equal(f.err, EAGAIN);
		(void)usleep(1000);
	}
}

/* A child that has a link; its pid, as the first message says. */
static pid_t
fork_one(uint32_t slot, int *link_r)
{
	struct fault	f = { .text = "the end" };
	int		its;
	pid_t		pid;

	assert_int_equal(link_pair(link_r, &its, &f), 0);
	order(MSG_SPAWN, slot, 0, (int[]){ its, spare[0] }, 2);
	fd_close(&its);
	if (link_recv(*link_r, permit_facts, permit_facts_n, 0, LONG_MS, &it.in,
	    &f) != 1)
		fail_msg("no facts: %s", f.text);
	pid = (pid_t)link_get_u32(&it.in);
	assert_int_equal(link_get_u32(&it.in), it.spawner);
	link_in_fini(&it.in);
	return pid;
}

static void
signal_slot(uint32_t slot, bool hard)
{
	struct fault f;

	link_out_init(&it.out, MSG_SIGNAL);
	link_put_u32(&it.out, slot);
	link_put_u8(&it.out, hard ? 1 : 0);
	assert_int_equal(link_send(it.master, &it.out, NULL, 0, &f), 0);
}

static uint32_t
hear_end(uint32_t *status_r)
{
	struct fault	f = { .text = "the end" };
	uint32_t	slot;

	if (link_recv(it.master, permit_ended, permit_ended_n, 0, LONG_MS,
	    &it.in, &f) != 1)
		fail_msg("nobody has ended: %s", f.text);
	slot = link_get_u32(&it.in);
	*status_r = link_get_u32(&it.in);
	return slot;
}

static void
nobody_ends(void)
{
	struct fault f = { 0 };

	assert_int_equal(link_recv(it.master, permit_ended, permit_ended_n, 0,
	    50, &it.in, &f), -1);
	assert_int_equal(f.err, ETIMEDOUT);
}

/* ------------------------------------------------------------------- tests */

/* Each signal meets its own one; one order all of them. */
static void
test_signals(void **state UNUSED)
{
	/* 1 and 4097 are in one list; the last one looks like the first's hand. */
	static const uint32_t	first[] = { 1, 4097, 8193, HAND - 1 };
	static int		links[SESSIONS];
	static bool		ended[SESSIONS];
	uint32_t		status;
	pid_t			pid;

	for (uint32_t i = 0; i < SESSIONS; i++) {
		pid = fork_one(i < 4 ? first[i] : i, &links[i]);
		assert_int_equal(kill(pid, 0), 0);
	}
	signal_slot(4097, true);
	assert_int_equal(hear_end(&status), 4097);
	assert_int_equal(status, 128 + SIGKILL);
	signal_slot(HAND - 1, false);
	assert_int_equal(hear_end(&status), HAND - 1);
	assert_int_equal(status, STOPPED);
	signal_slot(4097, true);		/* whose slot is free again */
	signal_slot(UINT32_MAX, true);
	signal_slot(0, true);
	nobody_ends();
	link_out_init(&it.out, MSG_SIGNAL_ALL);
	assert_int_equal(link_send(it.master, &it.out, NULL, 0,
	    &(struct fault){ 0 }), 0);
	for (size_t i = 0; i < SESSIONS - 2; i++) {
		uint32_t slot = hear_end(&status);
		uint32_t at = slot == 1 ? 0 : slot == 8193 ? 2 : slot;

		assert_int_equal(status, STOPPED);
		assert_true(at < SESSIONS && !ended[at]);
		ended[at] = true;
	}
	for (size_t i = 0; i < SESSIONS; i++)
		fd_close(&links[i]);
}

/* Who has logged in while no process can be had is told so. */
static void
test_full(void **state UNUSED)
{
	static const char	want[] = "-ERR [SYS/TEMP] ";
	char			text[200] = "";
	int			link, its;
	int			client[2];
	uint32_t		status;
	struct fault		f;

	full = true;
	assert_int_equal(begin(NULL), 0);
	full = false;
	assert_int_equal(link_pair(&link, &its, &f), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    client), 0);
	order(MSG_SPAWN, 5, 0, (int[]){ its, client[1] }, 2);
	fd_close(&its);
	fd_close(&client[1]);
	assert_int_equal(hear_end(&status), 5);
	assert_int_equal(status, SESSION_UNBORN);
	assert_true(read(client[0], text, sizeof(text) - 1) > 0);
	assert_memory_equal(text, want, sizeof(want) - 1);
	assert_string_equal(strchr(text, '\r'), "\r\n");
	assert_int_equal(read(client[0], text, sizeof(text)), 0);
	assert_int_equal(count(": session-fork "), 1);
	fd_close(&client[0]);
	fd_close(&link);
	assert_int_equal(end(NULL), 0);
}

static void
reap(uint32_t slot)
{
	struct fault f;

	link_out_init(&it.out, MSG_REAP);
	link_put_u32(&it.out, slot);
	assert_int_equal(link_send(it.master, &it.out, NULL, 0, &f), 0);
}

/* Whether or not we have heard of it, before its end or after, it is told once. */
static void
test_reap(void **state UNUSED)
{
	int		links[3];
	uint32_t	status;
	pid_t		pid[3];

	for (uint32_t i = 0; i < 3; i++)
		pid[i] = fork_one(i + 1, &links[i]);
	reap(1);
	reap(1);
	reap(4);
	nobody_ends();
	assert_int_equal(kill(pid[0], SIGKILL), 0);
	assert_int_equal(hear_end(&status), 1);
	assert_int_equal(status, 128 + SIGKILL);
	assert_int_equal(kill(pid[1], SIGKILL), 0);
	reap(2);
	assert_int_equal(hear_end(&status), 2);
	assert_int_equal(kill(pid[2], SIGKILL), 0);
	assert_int_equal(hear_end(&status), 3);
	reap(2);
	nobody_ends();
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(kill(pid[i], 0), -1);	/* no zombie */
		fd_close(&links[i]);
	}
}

/* Those of all broods are as they should be, and all of them are told. */
static void
test_broods(void **state UNUSED)
{
	static bool	ended[MANY];
	static int	links[MANY];
	uint32_t	status;

	for (uint32_t i = 0; i < MANY; i++)
		(void)fork_one(i, &links[i]);
	link_out_init(&it.out, MSG_SIGNAL_ALL);
	assert_int_equal(link_send(it.master, &it.out, NULL, 0,
	    &(struct fault){ 0 }), 0);
	for (size_t i = 0; i < MANY; i++) {
		uint32_t slot = hear_end(&status);

		assert_int_equal(status, STOPPED);
		assert_true(slot < MANY && !ended[slot]);
		ended[slot] = true;
	}
	for (size_t i = 0; i < MANY; i++)
		fd_close(&links[i]);
}

/* A hand has no session lock, and no maildrop here: it says so, and its end is
 * told as a hand's. */
static void
test_hand(void **state UNUSED)
{
	int		link, its;
	uint32_t	status;
	struct fault	f;

	assert_int_equal(link_pair(&link, &its, &f), 0);
	order(MSG_HAND, 5 | HAND, MSG_TEMPFILE, &its, 1);
	fd_close(&its);
	assert_int_equal(hear_end(&status), 5 | HAND);
	assert_int_not_equal(status, 0);
	assert_int_equal(count(": session-hand "), 1);
	fd_close(&link);
}

/* Its master is all that it has: it ends, and is started anew. */
static void
test_mad_master(void **state UNUSED)
{
	struct mad	c;
	size_t		fds = mad_count_fds("self");
	int		status;

	mad_init(&c, permit_spawn, permit_spawn_n);
	while (mad_next(&c)) {
		assert_true(mad_say(&c, it.master, spare[0]));
		if (c.formal && (c.type == MSG_SIGNAL ||
		    c.type == MSG_SIGNAL_ALL || c.type == MSG_REAP))
			continue;
		status = wait_for_spawner();
		if (status != 0 || count(": spawner-link ") != 1)
			fail_msg("message %u with %u octets and %u descriptors:"
			    " %#x", c.type, c.size, c.fds, (unsigned)status);
		fd_close(&it.master);
		assert_int_equal(begin(NULL), 0);
		assert_int_equal(mad_count_fds("self"), fds);
	}
	nobody_ends();
}

/* ------------------------------------------------------------------ frame */

static int
setup(void **state UNUSED)
{
	struct log_conf	c = { .to = LOG_TO_FILE, .trace_fd = -1, .socket = "" };
	int		fd = mkstemp(log_path);

	if (fd < 0 || pipe2(spare, O_CLOEXEC) != 0)
		return -1;
	(void)close(fd);
	conf = (struct settings){
		.role = { .run_dir = "/proc/none", .state_dir = "/nonexistent",
		    .temp_dir = "/proc/none" },
		.drop = { .maildrop = "/nonexistent/%u", .maildrop_else = "" },
	};
	c.file = log_path;
	log_open(&c);
	return 0;
}

static int
teardown(void **state UNUSED)
{
	log_close();
	return unlink(log_path);
}

#define CASE(test)	cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_signals),
		CASE(test_reap),
		CASE(test_broods),
		CASE(test_hand),
		cmocka_unit_test(test_full),
		CASE(test_mad_master),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
