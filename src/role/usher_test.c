/* SPDX-License-Identifier: ISC */
/*
 * The usher's code against a shared process that has been taken over.  The linker
 * puts this file's shared process and session in place of the real ones (--wrap):
 * the first says one message and stays, the second ends with a status that tells
 * what it was given.  The test plays the spawner and the master.
 */
#include "role/ask_log.h"
#include "role/host.h"
#include "role/mad_test.h"
#include "role/permit.h"
#include "role/session.h"
#include "role/shared.h"
#include "role/trace.h"
#include "role/usher.h"
#include "role/wire.h"

#include "sys/file.h"
#include "sys/link.h"
#include "sys/spawn.h"
#include "sys/test_dir.h"
#include "sys/test_fork.h"
#include "watch/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BODY	(LINK_PACKET_MAX - LINK_HEADER)
#define SLOT	7u
#define PATIENCE_MS	20000
#define SIGNALS	2000
#define SLOW_MS	200

/* What comes of a seat: its status in ENDED. */
enum {
	LEFT	= 0 | ENDED_RELEASED,
	OWN	= 50,			/* a process of its own from the start */
	MOVED,
	FRESH,
	WRONG,
	AWAY,			/* one that has no maildrop */
	UNBORN	= SESSION_UNBORN,
	KILLED	= (128 + SIGKILL) | ENDED_RELEASED,	/* with all who sat there */
};

NORETURN void	__wrap_shared_main(const struct shared_start *c);
NORETURN void	__wrap_session_main(const struct session_start *c);
int		__real_host_open(struct host *h, const struct settings *c,
		    const struct identity *id, struct fault *f);
int		__wrap_host_open(struct host *h, const struct settings *c,
		    const struct identity *id, struct fault *f);
pid_t		__real_spawn_fork(struct fault *f);
pid_t		__wrap_spawn_fork(struct fault *f);

/* One message of a mad process; what a real one says is made by itself. */
static struct {
	uint16_t	type;
	uint32_t	n;		/* octets of the body, zeros */
	uint8_t		fds;
	bool		good;		/* as it should be, but: */
	uint32_t	slot;
	unsigned	times;
	uint8_t		mark;
	size_t		nmarks;
	bool		fresh;
	bool		rest;
	uint8_t		words;		/* octet, as the client told */
	bool		waits;		/* for FREE, then it ends */
	bool		logs;		/* it speaks on the link for the log */
	bool		asks;		/* whether somebody traces */
	bool		traced;		/* so it is answered */
	unsigned	forks;		/* that fail from then on; 0: none does */
	bool		busy;		/* it reads nothing until its link is full */
	bool		hangs;		/* the user's home */
	bool		killed;		/* while it does */
	bool		stopped;	/* while it is slow */
} script;

static char		folder[] = "/tmp/popper-usher-XXXXXX";
static char		log_path[100];
static char		spool[220];
static char		is_full[220];	/* is there: the shared process may go on */
static char		dirs[4][200];	/* state, run, mail, home */
static struct settings	conf;
static struct identity	user = { .user = "ann", .uid = 65533, .gid = 65533,
			    .virtual = true };

/* ------------------------------------------------------------- the peers */

static void
good_message(struct link_out *m)
{
	static uint8_t marks[POP_MARKS_MAX + 1];
	const struct wire_summary sum = { .end = METRIC_END_QUIT };

	link_out_init(m, script.type);
	link_put_u32(m, script.slot);
	link_put_u8(m, script.type == MSG_LEFT ? script.waits : script.fresh);
	if (script.type == MSG_LEFT)
		wire_put_summary(m, &sum);
	if (script.type != MSG_LEFT && !script.fresh) {
		for (int i = 0; i < 4; i++)
			link_put_u64(m, 3);
		link_put_u32(m, 1);
		memset(marks, script.mark, sizeof(marks));
		link_put_span(m, span_of(marks, script.nmarks));
		link_put_span(m, SPAN("QUIT"));
		link_put_u8(m, script.words);
	}
}

/* What was sent before may stand before it. */
static bool
hears(int usher, uint16_t type)
{
	static struct link_in	in;
	struct fault		f;

	while (link_recv(usher, permit_seat, permit_seat_n, 0, PATIENCE_MS, &in,
	    &f) == 1)
		if (in.type == type)
			return link_get_u32(&in) == SLOT;
	return false;
}

void
__wrap_shared_main(const struct shared_start *c)
{
	static struct link_in	in;
	static struct link_out	m;
	static const uint8_t	rest[5];
	static const uint8_t	zeros[LINK_PACKET_MAX];
	const int		keep[] = { c->usher, c->log_link };
	int			fds[LINK_FDS_MAX] = { 0 };
	int			to;
	struct fault		f;

	(void)alarm(30);
	spawn_tie(c->parent);
	shed_descriptors(keep, ARRAY_LEN(keep));
	if (link_recv(c->usher, permit_seat, permit_seat_n, 0, PATIENCE_MS, &in,
	    &f) != 1)
		_exit(1);
	link_in_fini(&in);
	if (script.asks &&
	    (ask_trace(c->log_link, PATIENCE_MS) >= 0) != script.traced)
		(void)kill(c->parent, SIGKILL);
	if (script.stopped && !hears(c->usher, MSG_SIGNAL))
		(void)kill(c->parent, SIGKILL);
	while (script.busy && access(is_full, F_OK) != 0)
		clock_sleep(1);
	if (script.good) {
		good_message(&m);
	} else {
		link_out_init(&m, script.type);
		link_put_raw(&m, span_of(zeros, script.n));
	}
	if (script.rest && (fd_pipe(&fds[0], &to, &f) != 0 ||
	    file_write(to, rest, sizeof(rest), &f) != 0))
		_exit(1);
	for (unsigned i = 0; i < script.times; i++)
		if (link_send(script.logs ? c->log_link : c->usher, &m, fds,
		    script.fds, &f) != 0)
			_exit(1);
	if (script.waits && !hears(c->usher, MSG_FREE))
		(void)kill(c->parent, SIGKILL);
	for (;;)
		(void)pause();
}

/* Of `moved` all that came is looked at; the spool has one message. */
void
__wrap_session_main(const struct session_start *c)
{
	const struct session_moved *v = c->moved;

	if (script.hangs && c->refused != NULL && !c->facts->locked)
		_exit(c->refused->class == FAULT_TEMP &&
		    strstr(c->refused->text, user.home) != NULL ? AWAY : WRONG);
	if (c->refused != NULL || !fd_is_socket(c->in) ||
	    c->facts->session_lock < 0)
		_exit(WRONG);
	if ((c->rest_fd >= 0) != script.rest ||
	    (script.rest && session_read_rest(c->rest_fd).n != 5))
		_exit(script.fresh || v != NULL ? WRONG : OWN);
	if (v == NULL)
		_exit(script.fresh ? FRESH : OWN);
	if (v->began_ms != 3 || v->octets_in != 3 || v->octets_out != 3 ||
	    v->marks.retrieved != 3 || v->marks.last != 1 ||
	    v->words.lang != (script.words & 0x7f) ||
	    v->words.utf8 != (script.words > 0x7f) ||
	    v->marks.n != script.nmarks || v->marks.of[0] != script.mark ||
	    !span_eq(v->line, SPAN("QUIT")) || v->size == 0)
		_exit(WRONG);
	_exit(MOVED);
}

/* What a look into a home is: nothing but the end of the process ends it. */
int
__wrap_host_open(struct host *h, const struct settings *c,
    const struct identity *id, struct fault *f)
{
	while (script.hangs)
		(void)pause();
	if (script.stopped)
		clock_sleep(SLOW_MS);
	return __real_host_open(h, c, id, f);
}

pid_t
__wrap_spawn_fork(struct fault *f)
{
	static unsigned n;

	return script.forks > 0 && ++n >= script.forks ?
	    fault_errno(f, FAULT_TEMP, EAGAIN, "fork") : __real_spawn_fork(f);
}

/* --------------------------------------------------------------- one run */

static char	log_text_of[16384];
static char	said[200];		/* to the client */

static void
read_log(void)
{
	int	fd = open(log_path, O_RDWR | O_CLOEXEC);
	ssize_t	n;

	assert_true(fd >= 0);
	n = read(fd, log_text_of, sizeof(log_text_of) - 1);
	log_text_of[n < 0 ? 0 : n] = '\0';
	assert_int_equal(ftruncate(fd, 0), 0);
	(void)close(fd);
}

static void
send_order(int spawner, int link, int client)
{
	static struct link_out	m;
	const int		fds[2] = { link, client };
	struct sock_addr	peer = { .family = 4, .port = 1 };
	struct fault		f;

	link_out_init(&m, MSG_SPAWN);
	link_put_u32(&m, SLOT);
	link_put_u64(&m, 9);
	link_put_u8(&m, 0);
	link_put_u8(&m, 0);
	link_put_u8(&m, HOST_ANY);
	wire_put_peer(&m, &peer);
	wire_put_identity(&m, &user);
	link_put_u8(&m, 1);
	assert_int_equal(link_send(spawner, &m, fds, 2, &f), 0);
}

static void
send_signal(int spawner, bool hard)
{
	struct link_out	m;
	struct fault	f;

	link_out_init(&m, MSG_SIGNAL);
	link_put_u32(&m, SLOT);
	link_put_u8(&m, hard ? 1 : 0);
	assert_int_equal(link_send_wait(spawner, &m, &f), 0);
}

/* Wishes to end, more than the link to a process that reads nothing can hold. */
static void
fill(int spawner)
{
	struct link_out	m;
	struct fault	f;
	int		unread = 1;
	int		fd;

	link_out_init(&m, MSG_SIGNAL);
	link_put_u32(&m, SLOT);
	link_put_u8(&m, 0);
	for (int i = 0; i < SIGNALS; i++)
		assert_int_equal(link_send_wait(spawner, &m, &f), 0);
	while (unread > 0) {
		assert_int_equal(ioctl(spawner, SIOCOUTQ, &unread), 0);
		clock_sleep(1);
	}
	fd = open(is_full, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	(void)close(fd);
}

/* What the spawner hears of the one seat. */
static int
run(void)
{
	static struct link_in	in;
	struct usher_start	start = { .conf = &conf, .hostname = "host",
				    .id = &user };
	int			spawner;
	int			link[2];
	int			client[2];
	int			status;
	int			ended;
	struct fault		f;
	pid_t			pid;

	assert_int_equal(link_pair(&spawner, &start.spawner, &f), 0);
	assert_int_equal(link_pair(&link[0], &link[1], &f), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    client), 0);
	pid = test_fork();
	assert_true(pid >= 0);
	if (pid == 0)
		usher_main(&start);
	fd_close(&start.spawner);
	send_order(spawner, link[1], client[1]);
	fd_close(&link[1]);
	fd_close(&client[1]);
	if (script.stopped)
		clock_sleep(SLOW_MS / 2);
	if (script.killed || script.stopped)
		send_signal(spawner, script.killed);
	if (!script.killed && script.forks != 1)
		assert_int_equal(link_recv(link[0], permit_facts, permit_facts_n,
		    0, PATIENCE_MS, &in, &f), 1);
	if (script.busy)
		fill(spawner);
	if (link_recv(spawner, permit_ended, permit_ended_n, 0, PATIENCE_MS,
	    &in, &f) != 1)
		fail_msg("message %u, %u octets: %s", script.type, script.n,
		    f.text);
	assert_int_equal(link_get_u32(&in), SLOT);
	ended = (int)link_get_u32(&in);
	if (ended == LEFT) {
		assert_int_equal(link_recv(link[0], permit_from_served,
		    permit_from_served_n, PHASE_SESSION, PATIENCE_MS, &in, &f), 1);
		assert_int_equal(in.type, MSG_SUMMARY);
	}
	/* The master's end is closed, or it would wait for ever. */
	assert_int_equal(link_recv(link[0], permit_facts, permit_facts_n, 0,
	    PATIENCE_MS, &in, &f), 0);
	fd_close(&spawner);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	fd_close(&link[0]);
	memset(said, 0, sizeof(said));
	(void)!read(client[0], said, sizeof(said) - 1);
	fd_close(&client[0]);
	read_log();
	return ended;
}

static void
expect(int want)
{
	int	got = run();
	bool	told = strstr(log_text_of, "role-misbehaved") != NULL;

	if (got != want || told != (want == KILLED))
		fail_msg("message %u, %u octets, %u descriptors: %d, not %d\n"
		    "  log: %s", script.type, script.n, script.fds, got, want,
		    log_text_of);
}

/* Every type with bodies of several sizes and no, one, two descriptors. */
static void
test_nonsense(void **state UNUSED)
{
	static const uint32_t sizes[] = { 0, 1, 4, 5, 64, BODY };

	for (uint16_t type = 0; type < MAD_TYPES; type++)
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
			for (uint8_t fds = 0; fds < 2; fds++) {
				memset(&script, 0, sizeof(script));
				script.type = type;
				script.n = sizes[i];
				script.fds = fds;
				script.times = 1;
				expect(KILLED);		/* slot 0 is nobody's */
			}
}

static void
good(uint16_t type)
{
	memset(&script, 0, sizeof(script));
	script.type = type;
	script.good = true;
	script.slot = SLOT;
	script.times = 1;
	script.nmarks = 1;
	script.mark = POP_MARK_DELETED;
	script.rest = type == MSG_MOVE_REST;
	script.fds = script.rest;
}

/* Nor on the other link, but for two questions. */
static void
test_nonsense_for_log(void **state UNUSED)
{
	for (uint16_t type = 0; type < MAD_TYPES; type++)
		for (uint32_t n = 0; n < 2; n++) {
			memset(&script, 0, sizeof(script));
			script.type = type;
			script.n = n;
			script.times = 1;
			script.logs = true;
			if (n == 0 && (type == MSG_LOG_ASK ||
			    type == MSG_TRACE_ASK))
				continue;
			assert_int_equal(run(), KILLED);
			assert_non_null(strstr(log_text_of,
			    "role-misbehaved"));
		}
}

/* It has the socket of who traces only if one of its own is meant. */
static void
test_trace(void **state UNUSED)
{
	static const char *const	users[] = { "", "bob", "ann" };
	struct trace_whom		w = { 0 };
	struct fault			f;
	int				listener;

	assert_int_equal(trace_new(dirs[1], &f), 0);
	assert_int_equal(trace_listen(0, &listener, &f), 0);
	for (size_t i = 0; i < ARRAY_LEN(users); i++) {
		(void)snprintf(w.user, sizeof(w.user), "%s", users[i]);
		if (i > 0)
			(void)trace_begin(&w, PATIENCE_MS);
		good(MSG_LEFT);
		script.asks = true;
		script.traced = i == 2;
		expect(LEFT);
	}
	fd_close(&listener);
	trace_free();
}

static void
test_what_is_good(void **state UNUSED)
{
	static const uint16_t types[] = { MSG_MOVE, MSG_MOVE_REST };

	good(MSG_LEFT);
	expect(LEFT);
	good(MSG_LEFT);
	script.waits = true;
	expect(LEFT);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		good(types[i]);
		expect(MOVED);
		good(types[i]);
		script.nmarks = POP_MARKS_MAX;
		script.words = 0x81;
		expect(MOVED);
		good(types[i]);
		script.fresh = true;
		expect(FRESH);
	}
}

/* A process that has much to do learns that a maildrop is free all the same: its
 * client waits for that. */
static void
test_busy(void **state UNUSED)
{
	good(MSG_LEFT);
	script.waits = true;
	script.busy = true;
	expect(LEFT);
	assert_null(strstr(log_text_of, "usher-link"));
	assert_int_equal(unlink(is_full), 0);
}

static void
test_what_is_nearly_good(void **state UNUSED)
{
	static const uint16_t types[] = { MSG_LEFT, MSG_MOVE, MSG_MOVE_REST };

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		good(types[i]);
		script.slot = SLOT + 256;	/* of the same list */
		expect(KILLED);
		good(types[i]);
		script.fds = !script.fds;
		expect(KILLED);
		good(types[i]);
		script.fds = 2;
		expect(KILLED);
	}
	good(MSG_MOVE);
	script.nmarks = POP_MARKS_MAX + 1;
	expect(KILLED);
	good(MSG_MOVE);
	script.words = 0xff;
	expect(KILLED);
}

/* No process can be had, at the login or for who is to be moved. */
static void
test_full(void **state UNUSED)
{
	static const char	want[] = "-ERR [SYS/TEMP] ";

	good(MSG_MOVE);
	script.forks = 1;
	assert_int_equal(run(), UNBORN);
	assert_memory_equal(said, want, sizeof(want) - 1);
	good(MSG_MOVE);
	script.forks = 2;
	assert_int_equal(run(), UNBORN | ENDED_RELEASED);
	assert_memory_equal(said, want, sizeof(want) - 1);
}

/* Who has gone cannot go again; the first time counts. */
static void
test_twice(void **state UNUSED)
{
	good(MSG_LEFT);
	script.times = 2;
	assert_int_equal(run(), LEFT);
	good(MSG_MOVE);
	script.times = 2;
	assert_int_equal(run(), MOVED);
}

/* -------------------------------------------------- what is not for a seat */

static void
write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	if (geteuid() == 0)
		assert_int_equal(fchown(fd, user.uid, user.gid), 0);
	(void)close(fd);
}

static void
test_own_process(void **state UNUSED)
{
	char path[300];

	good(MSG_LEFT);
	(void)snprintf(path, sizeof(path), "%s/ann.lock", dirs[2]);
	write_file(path, "0\n", 0644);
	expect(OWN);
	assert_int_equal(unlink(path), 0);
	(void)snprintf(path, sizeof(path), "%s/.ann.pop", dirs[2]);
	write_file(path, "", 0600);
	expect(OWN);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(truncate(spool, USHER_COPY_MAX + 1), 0);
	expect(OWN);
	write_file(spool, "From a Mon Jan  1 00:00:00 2024\n\n", 0600);
	expect(LEFT);
	assert_int_equal(access(path, F_OK), -1);
}

/* ----------------------------------------------------------------- homes */

static void
make_maildir(const char *path)
{
	static const char *const names[] = { "", "/cur", "/new", "/tmp" };
	char			 name[300];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, names[i]);
		assert_int_equal(mkdir(name, 0700), 0);
		if (geteuid() == 0)
			assert_int_equal(chown(name, user.uid, user.gid), 0);
	}
}

/* He is told so in time; who has a spool is not asked about it. */
static void
test_home_that_hangs(void **state UNUSED)
{
	assert_int_equal(unlink(spool), 0);
	conf.drop.maildrop_else = "~/Maildir/";
	good(MSG_LEFT);
	script.hangs = true;
	expect(AWAY);
	script.killed = true;
	assert_int_equal(run(), 128 + SIGKILL);
	script.killed = false;
	write_file(spool, "From a Mon Jan  1 00:00:00 2024\n\n", 0600);
	expect(LEFT);
	assert_int_equal(unlink(spool), 0);
}

/* Who has no spool: he shares a process, unless something is found in his home. */
static void
test_home(void **state UNUSED)
{
	char maildir[300];

	good(MSG_LEFT);
	expect(LEFT);
	good(MSG_LEFT);
	script.stopped = true;		/* while his home is looked at */
	expect(LEFT);
	(void)snprintf(maildir, sizeof(maildir), "%s/Maildir", dirs[3]);
	make_maildir(maildir);
	good(MSG_LEFT);
	expect(OWN);
	conf.drop.maildrop_else = "";
}

/* A spool in a home is looked for as a Maildir is, and can be shared. */
static void
test_spool_in_a_home(void **state UNUSED)
{
	const char	*was = conf.drop.maildrop;
	char		 path[300];

	conf.drop.maildrop = "~/mbox";
	(void)snprintf(path, sizeof(path), "%s/mbox", dirs[3]);
	write_file(path, "From a Mon Jan  1 00:00:00 2024\n\n", 0600);
	good(MSG_MOVE);
	expect(MOVED);
	script.hangs = true;
	expect(AWAY);
	conf.drop.maildrop = was;
}

/* ------------------------------------------------------------------ setup */

static int
setup(void **state UNUSED)
{
	static const char *const names[] = { "state", "run", "mail", "ann" };
	static char		 maildrop[220];
	struct log_conf		 c = { .to = LOG_TO_FILE, .file = log_path,
				    .trace_fd = -1, .socket = "" };

	(void)umask(022);
	if (geteuid() != 0) {
		user.uid = geteuid();
		user.gid = getegid();
	}
	if (mkdtemp(folder) == NULL || chmod(folder, 0711) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(dirs[i], sizeof(dirs[i]), "%s/%s", folder,
		    names[i]);
		if (mkdir(dirs[i], 0711) != 0)
			return -1;
	}
	if (geteuid() == 0 && (chown(dirs[2], user.uid, user.gid) != 0 ||
	    chown(dirs[3], user.uid, user.gid) != 0))
		return -1;
	(void)snprintf(user.home, sizeof(user.home), "%s", dirs[3]);
	(void)snprintf(log_path, sizeof(log_path), "%s/log", folder);
	(void)snprintf(is_full, sizeof(is_full), "%s/full", folder);
	(void)snprintf(maildrop, sizeof(maildrop), "%s/%%u", dirs[2]);
	(void)snprintf(spool, sizeof(spool), "%s/ann", dirs[2]);
	write_file(spool, "From a Mon Jan  1 00:00:00 2024\n\n", 0600);
	conf = (struct settings){
		.role = {
			.state_dir = dirs[0], .run_dir = dirs[1],
			.temp_dir = dirs[0], .temp_max = 1 << 20,
			.chroot_dir = dirs[0],
		},
		.drop = { .maildrop = maildrop, .maildrop_else = "", .lock_timeout_s = 1,
		    .status_headers = true },
		.xtnd = { .xmit_command = "/nonexistent", .xmit_sender = "",
		    .bboards = "" },
	};
	log_open(&c);
	return 0;
}

static int
teardown(void **state UNUSED)
{
	log_close();
	return test_dir_remove(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_good),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_what_is_nearly_good),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_nonsense_for_log),
		cmocka_unit_test(test_trace),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_own_process),
		cmocka_unit_test(test_home_that_hangs),
		cmocka_unit_test(test_home),
		cmocka_unit_test(test_spool_in_a_home),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
