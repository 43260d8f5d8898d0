/* SPDX-License-Identifier: ISC */
#include "role/monitor_stage_test.h"

#include "role/front.h"
#include "role/monitor.h"
#include "role/session.h"
#include "role/worker.h"
#include "sys/test_dir.h"
#include "sys/test_fork.h"
#include "watch/log.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* The linker's names for what it has replaced, and for what stands there. */
NORETURN void	__wrap_front_main(const struct front *c);
NORETURN void	__wrap_worker_main(const struct settings *conf,
		    const struct worker_question *w);
NORETURN void	__wrap_session_main(const struct session_start *c);
int		__real_link_recv(int fd, const struct link_permit *table, size_t n,
		    unsigned phase, int timeout_ms, struct link_in *m,
		    struct fault *f);
int		__wrap_link_recv(int fd, const struct link_permit *table, size_t n,
		    unsigned phase, int timeout_ms, struct link_in *m,
		    struct fault *f);
NORETURN void	__wrap_session_recover_main(const struct session_start *c);

struct script		script;
struct outcome		out;
struct settings		conf;
const struct identity	user = { .user = "ann", .uid = 65533, .gid = 65533 };
static char		folder[] = "/tmp/popper-monitor-XXXXXX";
static char		log_path[100];
static char		paths[5][200];	/* state, run, mail, empty, journal */
static int		trail[2];

/* --------------------------------------------------------------- the peers */

static void
leave_trail(char c)
{
	(void)!write(trail[1], &c, 1);
}

/* A mad process does not end by itself; the alarm is the test's own. */
static NORETURN void
stay(void)
{
	(void)alarm(20);
	for (;;)
		(void)pause();
}

void
say(int link, const struct say *s)
{
	static struct link_out	m;
	static uint8_t		body[LINK_PACKET_MAX];
	int			fds[LINK_FDS_MAX] = { 0 };
	struct fault		f;

	link_out_init(&m, s->type);
	memset(body, s->fill, s->n);
	link_put_raw(&m, span_of(body, s->n));
	if (s->fds > 0 && pipe(fds) != 0)
		abort();
	if (link_send(link, &m, fds, s->fds, &f) != 0)
		leave_trail('!');
	if (s->fds > 0) {
		(void)close(fds[0]);
		(void)close(fds[1]);
	}
}

static void
say_type(int link, uint16_t type)
{
	const struct say s = { .type = type };

	say(link, &s);
}

/* The monitor's answer to a front: a letter. */
static uint8_t
hear_answer(int link)
{
	static const char	letters[] = { 'y', 'n', 'e' };
	static struct link_in	in;
	struct fault		f;
	uint8_t			answer;

	if (link_recv(link, permit_answer, permit_answer_n, 0, -1, &in,
	    &f) != 1)
		return 0xff;
	if (in.type == MSG_WENT_ON) {
		leave_trail('c');
		return 0xff;
	}
	answer = link_get_u8(&in);
	leave_trail(answer < sizeof(letters) ? letters[answer] : '?');
	return answer;
}

static void
announce(int link)
{
	struct fault f;

	for (size_t i = 0; i < script.nclients; i++)
		if (link_send(link, &script.clients[i], NULL, 0, &f) != 0)
			leave_trail('!');
}

void
__wrap_front_main(const struct front *c)
{
	const struct say handover = { .type = MSG_HANDOVER, .n = 1, .fds = 1 };
	const struct say ask = { .type = MSG_ASK, .n = 1 };
	char		 byte;

	if (script.where == FRONT_LOG)
		say(c->log_link, &script.say);
	if (script.where == STRANGER)
		say(c->link, &script.say);
	if (script.where == STRANGER || script.where == FRONT_LOG ||
	    script.where == FRONT_STAYS)
		stay();
	if (script.where == FRONT_DIES)
		raise(SIGSEGV);
	if (script.where == ANNOUNCES)
		announce(c->link);
	say(c->link, &ask);
	if (script.where == ASKED) {
		say(c->link, &script.say);
		stay();
	}
	while (hear_answer(c->link) == ANSWER_NO &&
	    script.where == FRONT_ASKS_ON)
		say(c->link, &ask);
	if (script.where == BEHIND && read(script.spoken[0], &byte, 1) != 1)
		leave_trail('!');
	if (script.where == EXCHANGE || script.where == BEHIND)
		say(c->link, &script.say);
	if (script.where == EXCHANGE || script.where == WORKER ||
	    script.where == WORKER_GRANTS || script.where == BEHIND ||
	    script.where == WORKER_DIES || script.where == ANNOUNCES)
		_exit(0);
	say(c->link, script.where == GRANTED ? &script.say : &handover);
	stay();
}

void
put_grant(struct link_out *m, const struct identity *id)
{
	link_out_init(m, MSG_GRANT);
	link_put_span(m, span_str(id->user));
	link_put_u32(m, id->uid);
	link_put_u32(m, id->gid);
	link_put_u32(m, (uint32_t)id->ngids);
	for (size_t i = 0; i < id->ngids && i < IDENTITY_GIDS_MAX; i++)
		link_put_u32(m, id->gids[i]);
	link_put_span(m, span_str(id->home));
	link_put_span(m, span_str(id->maildrop));
	link_put_u8(m, 0);
	link_put_span(m, SPAN("file"));
	link_put_u8(m, AUTH_METHODS - 1);
	link_put_u8(m, 1);
	link_put_u32(m, 60);
}

void
__wrap_worker_main(const struct settings *unused UNUSED,
    const struct worker_question *w)
{
	static struct link_out	m;
	const struct say	deny = { .type = MSG_DENY, .n = 1 };
	struct fault		f;

	leave_trail('W');
	for (const char *p = w->peer->text; script.where == ANNOUNCES && *p != 0; p++)
		leave_trail(*p);
	if (script.where == WORKER)
		say(w->verdict, &script.say);
	if (script.where == WORKER_DIES)
		raise(SIGKILL);
	if (script.where == FRONT_ASKS_ON || script.where == ANNOUNCES)
		say(w->verdict, &deny);
	if (script.where == EXCHANGE || script.where == BEHIND)
		say_type(w->verdict, MSG_WENT_ON);
	if (script.where == BEHIND) {
		say(w->verdict, &deny);
		(void)!write(script.spoken[1], "", 1);
	}
	if (script.where == EXCHANGE || script.where == BEHIND || script.where == ASKED ||
	    script.where == WORKER ||
	    script.where == FRONT_ASKS_ON || script.where == ANNOUNCES)
		stay();
	put_grant(&m, &user);
	if (link_send(w->verdict, script.grant != NULL ? script.grant : &m, NULL,
	    0, &f) != 0)
		leave_trail('!');
	stay();
}

/* A file is waited for, but not as long in this test as else. */
int
__wrap_link_recv(int fd, const struct link_permit *table, size_t n, unsigned phase,
    int timeout_ms, struct link_in *m, struct fault *f)
{
	if (table == permit_handed && script.silent && timeout_ms > 0)
		timeout_ms = 20;
	return __real_link_recv(fd, table, n, phase, timeout_ms, m, f);
}

/* What the monitor answers to a question: D done, d refused, F a file, w one is wanted,
 * on a link that comes with it. */
static void
hear_done(int link)
{
	static struct link_in	in;
	struct fault		f;
	int			wanted;

	if (link_recv(link, permit_done, permit_done_n, 0, -1, &in, &f) != 1)
		return;
	if (in.type == MSG_WANTED) {
		leave_trail('w');
		wanted = link_get_fd(&in, 0);
		if (!script.silent)
			say(wanted, &script.handed);
		if (!script.silent)
			(void)close(wanted);
		hear_done(link);
	} else if (in.type == MSG_FILE)
		leave_trail('F');
	else
		leave_trail(link_get_u8(&in) == FAULT_NONE ? 'D' : 'd');
	link_in_fini(&in);
}

static void
say_and_hear(int link)
{
	say(link, &script.say);
	hear_done(link);
}

/* An UPDATE begins, and the process dies in it. */
static NORETURN void
die_in_update(int link)
{
	static struct link_in	in;
	struct fault		f;
	int			fd;

	say_type(link, MSG_JOURNAL);
	if (link_recv(link, permit_done, permit_done_n, 0, -1, &in, &f) != 1)
		abort();
	fd = link_get_fd(&in, 0);
	(void)!write(fd, "x", 1);
	raise(SIGKILL);
	abort();
}

/* Questions, whose answers nobody reads. */
static void
flood(int link)
{
	static struct link_out	m;
	struct fault		f = { 0 };

	link_out_init(&m, MSG_REFRESH);
	while (link_send(link, &m, NULL, 0, &f) == 0 || f.err == EAGAIN)
		continue;
}

void
__wrap_session_main(const struct session_start *c)
{
	leave_trail('S');
	if (c->refused != NULL)
		leave_trail('r');
	if (script.where == SESSION) {
		say_and_hear(c->link);
		_exit(0);
	}
	if (script.where == SESSION_LOG)
		say(c->log_link, &script.say);
	else if (script.where == SESSION_CLOSES)
		(void)close(c->link);
	else if (script.where == SESSION_FLOODS)
		flood(c->link);
	else if (script.where == RECOVERY)
		die_in_update(c->link);
	else
		_exit(0);
	stay();
}

void
__wrap_session_recover_main(const struct session_start *c)
{
	leave_trail('R');
	if (c->in >= 0 || c->out >= 0)
		leave_trail('!');	/* the client is not its business */
	say_and_hear(c->link);
	_exit(0);
}

/* ----------------------------------------------------------------- one run */

static void
read_all(int fd, char *text, size_t cap)
{
	ssize_t n = read(fd, text, cap - 1);

	text[n < 0 ? 0 : n] = '\0';
}

void
read_log(void)
{
	int fd = open(log_path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	read_all(fd, out.log, sizeof(out.log));
	assert_int_equal(ftruncate(fd, 0), 0);
	(void)close(fd);
}

int
wait_for(pid_t pid)
{
	int status = -1;

	for (int i = 0; i < 10000; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		(void)usleep(i < 20 ? 200 : 2000);
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	fail_msg("the monitor does not end");
	return -1;
}

void
run_for(int client[2])
{
	pid_t pid = test_fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(client[0]);
		_exit(monitor_run(&conf, "host", client[1], client[1]));
	}
	(void)close(client[1]);
	out.status = wait_for(pid);
	(void)close(client[0]);
	read_all(trail[0], out.trail, sizeof(out.trail));
	read_log();
	unlink(paths[4]);		/* a journal that a recovery has left */
}

void
run(enum where where, const struct say *s)
{
	int client[2];

	script.where = where;
	if (s != NULL)
		script.say = *s;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, client), 0);
	run_for(client);
}

void
expect(const char *want_trail, const char *want_log)
{
	const struct say *s = &script.say;

	if (out.status == 0 && strcmp(out.trail, want_trail) == 0 &&
	    (want_log == NULL ? out.log[0] == '\0' :
	    strstr(out.log, want_log) != NULL))
		return;
	fail_msg("where %d, message %u with %u octets and %u descriptors:\n"
	    "  status %d, trail \"%s\", expected \"%s\"\n  log: %s"
	    "  expected: %s", script.where, s->type, s->n, s->fds, out.status,
	    out.trail, want_trail, out.log,
	    want_log == NULL ? "nothing" : want_log);
}

bool
next_say(struct say *s)
{
	static const uint32_t sizes[] = { 0, 1, 9, BODY };

	/* Those of popper serve are all alike here: none is known. */
	if (s->type > MSG_CLIENT_ITSELF)
		return ++s->type < MAD_TYPES;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		if (sizes[i] != s->n || i + 1 == ARRAY_LEN(sizes))
			continue;
		s->n = sizes[i + 1];
		return true;
	}
	s->n = 0;
	if (s->fds < LINK_FDS_MAX) {
		s->fds++;
		return true;
	}
	s->fds = 0;
	return ++s->type < MAD_TYPES;
}

bool
is(const struct say *s, uint16_t type, uint32_t n, uint8_t fds)
{
	return s->type == type && s->n == n && s->fds == fds;
}

/* ------------------------------------------------------------------- frame */

static int
make_key_path(char *path, size_t cap)
{
	struct host	h;
	struct fault	f;

	if (host_open(&h, &conf, &user, &f) != 0)
		return -1;
	(void)snprintf(path, cap, "%.100s/journal/%.80s", paths[0], h.key);
	host_close(&h);
	return 0;
}

/* A maildrop with one message, of the user's. */
static int
write_spool(void)
{
	static const char	text[] = "From a Mon Jan  1 00:00:00 2024\n"
				    "Subject: x\n\nx\n";
	char			path[220];
	int			fd;
	int			result;

	(void)snprintf(path, sizeof(path), "%s/ann", paths[2]);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	result = write(fd, text, sizeof(text) - 1) < 0 ||
	    (geteuid() == 0 && fchown(fd, user.uid, user.gid) != 0);
	(void)close(fd);
	return result;
}

int
setup(void **state UNUSED)
{
	static const char *const	names[] = { "state", "run", "mail",
					    "empty" };
	static char			maildrop[220];
	struct log_conf			c = { .to = LOG_TO_FILE,
					    .file = log_path, .trace_fd = -1,
					    .socket = "" };

	(void)umask(022);
	if (mkdtemp(folder) == NULL || chmod(folder, 0711) != 0 ||
	    pipe2(trail, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(paths[i], sizeof(paths[i]), "%s/%s", folder,
		    names[i]);
		if (mkdir(paths[i], 0711) != 0)
			return -1;
	}
	if (write_spool() != 0)
		return -1;
	/* The spool is the user's own folder: no dotlock is asked for. */
	if (geteuid() == 0 && chown(paths[2], user.uid, user.gid) != 0)
		return -1;
	(void)snprintf(log_path, sizeof(log_path), "%s/log", folder);
	(void)snprintf(maildrop, sizeof(maildrop), "%s/%%u", paths[2]);
	conf = (struct settings){
		.role = {
			.isolation = ISOLATION_SPLIT, .front_user = "65534",
			.sasl_mechanisms = "plain login",
			.chroot_dir = paths[3], .state_dir = paths[0],
			.run_dir = paths[1], .temp_dir = paths[0],
			.timeout_s = 10, .login_timeout_s = 10,
			.auth_tries = 1, .auth_timeout_s = 10,
			.max_bad_commands = 3,
			.max_commands_before_login = 100, .name_servers = "",
			.hostname = "host", .temp_max = 1 << 20,
		},
		.krb = { .keytab = "", .realms = "" },
		.token = { .jwks = "", .introspection = "" },
		.auth = {
			.source = AUTH_FILE, .uid_min = 1000,
			.uid_max = 65534, .gid_min = 100,
			.gids_denied = "4711", .rpop_file = "", .master_users = "",
			.client_ca = "", .client_crl = "",
		},
		.drop = { .maildrop = maildrop, .maildrop_else = "", .lock_timeout_s = 1,
		    .expire = "never" },
		.xtnd = { .xmit_command = "/nonexistent", .xmit_sender = "",
			.bboards = "" },
	};
	log_open(&c);
	return make_key_path(paths[4], sizeof(paths[4]));
}

int
teardown(void **state UNUSED)
{
	log_close();
	return test_dir_remove(folder);
}
