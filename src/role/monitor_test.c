/* SPDX-License-Identifier: ISC */
/*
 * The monitor's code against children that have been taken over, and front and
 * session against a monitor that talks nonsense.  The linker puts this file's
 * front, worker and session in place of the real ones (--wrap): each plays a
 * script, and writes a letter into a trail when something has had an effect.
 */
#include "pop/authorize.h"
#include "role/ask.h"
#include "role/front.h"
#include "role/mad_test.h"
#include "role/monitor.h"
#include "role/permit.h"
#include "role/session.h"
#include "role/wire.h"
#include "role/worker.h"

#include "sys/file.h"
#include "sys/link.h"
#include "sys/sock.h"
#include "sys/test_dir.h"
#include "sys/test_fork.h"
#include "watch/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BODY	(LINK_PACKET_MAX - LINK_HEADER)

/* The linker's names for what it has replaced, and for what stands there. */
NORETURN void	__real_front_main(const struct front *c);
NORETURN void	__real_session_main(const struct session_start *c);
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

/* One message of a mad peer. */
struct say {
	uint16_t	type;
	uint32_t	n;		/* octets of the body */
	uint8_t		fds;
	uint8_t		fill;		/* the body is of these */
};

enum where { NOWHERE, STRANGER, ASKED, GRANTED, SESSION, RECOVERY, WORKER,
	     FRONT_LOG, SESSION_LOG, FRONT_STAYS, SESSION_CLOSES,
	     SESSION_FLOODS, WORKER_GRANTS, EXCHANGE, FRONT_ASKS_ON, WORKER_DIES,
	     FRONT_DIES, ANNOUNCES, BEHIND };


/* The script, set before a monitor is forked. */
static struct {
	enum where	 where;
	struct say	 say;
	struct say	 handed;	/* when a file is wanted */
	bool		 silent;	/* nothing, and the link stays open */
	const struct link_out *grant;
	struct link_out	 clients[2];	/* of a front that announces */
	size_t		 nclients;
	int		 spoken[2];	/* BEHIND: the worker has */
} script;

static char		folder[] = "/tmp/popper-monitor-XXXXXX";
static char		log_path[100];
static char		paths[5][200];	/* state, run, mail, journal, empty */
static struct settings	conf;
static int		trail[2];
static struct identity	user = { .user = "ann", .uid = 65533, .gid = 65533 };

/* ------------------------------------------------------------- the peers */

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

static void
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

static void
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

/* --------------------------------------------------------------- one run */

/* What came of it. */
static struct {
	int	status;			/* of waitpid */
	char	trail[4000];
	char	log[16384];
} out;

static void
read_all(int fd, char *text, size_t cap)
{
	ssize_t n = read(fd, text, cap - 1);

	text[n < 0 ? 0 : n] = '\0';
}

static void
read_log(void)
{
	int fd = open(log_path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	read_all(fd, out.log, sizeof(out.log));
	assert_int_equal(ftruncate(fd, 0), 0);
	(void)close(fd);
}

/* Wait for a monitor, which must end by itself. */
static int
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

/* A monitor for the connection client[1], whose children play the script. */
static void
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
	unlink(paths[3]);		/* a journal that a recovery has left */
}

static void
run(enum where where, const struct say *s)
{
	int client[2];

	script.where = where;
	if (s != NULL)
		script.say = *s;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, client), 0);
	run_for(client);
}

static void
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

/* Every type with bodies of several sizes and 0, 1, 2 descriptors. */
static bool
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

static bool
is(const struct say *s, uint16_t type, uint32_t n, uint8_t fds)
{
	return s->type == type && s->n == n && s->fds == fds;
}

/* ------------------------------------------------------- to the monitor */

static void
test_stranger(void **state UNUSED)
{
	struct say s = { 0 };

	do {
		if (is(&s, MSG_ASK, 1, 0))
			continue;
		run(STRANGER, &s);
		expect("", "front-misbehaved");
	} while (next_say(&s));
}

/* It decides what a worker opens before it has read the record. */
static void
test_no_method(void **state UNUSED)
{
	const struct say s = { .type = MSG_ASK, .n = 1, .fill = AUTH_METHODS };

	run(STRANGER, &s);
	expect("", "front-misbehaved");
}

static void
test_asked(void **state UNUSED)
{
	struct say s = { 0 };

	do {
		run(ASKED, &s);
		if (strcmp(out.trail, "W") != 0)	/* W has just begun */
			expect("", "front-misbehaved");
		else
			expect("W", "front-misbehaved");
	} while (next_say(&s));
}

static void
test_granted(void **state UNUSED)
{
	struct say s = { 0 };

	do {
		run(GRANTED, &s);
		if (is(&s, MSG_HANDOVER, 1, 1) ||
		    is(&s, MSG_HANDOVER_RELAY, 1, 1))
			expect("WyS", NULL);
		else
			expect("Wy", "front-misbehaved");
	} while (next_say(&s));
}

static void
test_worker(void **state UNUSED)
{
	struct say s = { 0 };

	do {
		run(WORKER, &s);
		if (is(&s, MSG_DENY, 1, 0))
			expect("Wn", NULL);
		else if (is(&s, MSG_WENT_ON, 0, 0))
			expect("Wc", NULL);
		else if (s.type == MSG_GRANT && s.fds == 0 && s.n > 0 &&
		    s.n < BODY)
			expect("We", "grant-refused");
		else
			expect("We", "worker-died");
	} while (next_say(&s));
}

/* While the worker waits for the client's response. */
static void
test_exchange(void **state UNUSED)
{
	struct say s = { 0 };

	do {
		run(EXCHANGE, &s);
		if (is(&s, MSG_WENT_ON, 0, 0))
			expect("Wc", "login-failed");
		else if (is(&s, MSG_ABORT, 0, 0))
			expect("Wc", NULL);
		else
			expect("Wc", "front-misbehaved");
	} while (next_say(&s));
}

/* A front that takes its guess back once the worker has said that it was wrong. */
static void
test_behind_our_back(void **state UNUSED)
{
	const struct say s = { .type = MSG_ABORT };

	assert_int_equal(pipe(script.spoken), 0);
	run(BEHIND, &s);
	(void)close(script.spoken[0]);
	(void)close(script.spoken[1]);
	expect("Wc", "front-misbehaved");
}

/* Which questions a session may ask, and what comes: D, d, F or w.  Of UNLOCK nothing
 * does, and without a dotlock it is nonsense. */
static const char *
session_answer(const struct say *s, bool recovery)
{
	static const struct {
		const char *in_session;
		const char *in_recovery;
	} answers[MAD_TYPES] = {
		[MSG_LOCK_SCAN]		= { "d", "d" },	/* not root's folder */
		[MSG_LOCK_UPDATE]	= { "d", "d" },
		[MSG_REFRESH]		= { "d", "d" },
		[MSG_TEMPFILE]		= { "F", "F" },
		[MSG_JOURNAL]		= { "F", "F" },
		[MSG_RESERVE]		= { "F", "F" },
		[MSG_INDEX]		= { "F", NULL },
		[MSG_LEGACY]		= { "d", "d" },	/* there is none */
		[MSG_RELEASE]		= { "D", NULL },
		[MSG_GIVE_UP]		= { "D", NULL },
		[MSG_DRAFT]		= { "d", NULL }, /* no sendmail */
		[MSG_SUBMIT]		= { "wd", NULL }, /* nonsense is no file */
		[MSG_FORGET]		= { "wd", NULL },
	};

	if (s->n != 0 || s->fds != 0)
		return NULL;
	return recovery ? answers[s->type].in_recovery :
	    answers[s->type].in_session;
}

static void
test_session(void **state UNUSED)
{
	struct say s = { 0 };

	do {
		const char	*answer = session_answer(&s, false);
		char		 want[8];

		(void)snprintf(want, sizeof(want), "WyS%s",
		    answer != NULL ? answer : "");
		run(SESSION, &s);
		if (is(&s, MSG_RESERVE, 0, 0)) {
			/* a journal of zeros: it looks like an UPDATE */
			expect("WySFRd", "recovery-open");
			continue;
		}
		expect(want, answer != NULL ? NULL : "session-misbehaved");
		if (answer == NULL)
			assert_non_null(strstr(out.log, "reason=crash"));
	} while (next_say(&s));
}

/* What is handed over, and is not what was wanted, is refused; what never comes, too. */
static void
test_handed(void **state UNUSED)
{
	static const uint16_t	types[] = { MSG_SUBMIT, MSG_FORGET };
	static const struct say	nonsense[] = {
		{ .type = MSG_HANDED, .fds = 1 },
		{ .type = MSG_HANDED },		/* of no octet */
		{ .type = MSG_HANDED, .n = 1 },	/* and no end */
		{ .type = MSG_HANDED, .fds = 1, .n = 1 },
		{ .type = MSG_FILE, .fds = 1 },
		{ .type = MSG_DONE, .n = 9 },
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		const struct say question = { .type = types[i] };

		for (size_t k = 0; k <= ARRAY_LEN(nonsense); k++) {
			script.silent = k == ARRAY_LEN(nonsense);
			if (!script.silent)
				script.handed = nonsense[k];
			run(SESSION, &question);
			expect("WySwd", NULL);
		}
	}
	script.silent = false;
}

static void
test_recovery(void **state UNUSED)
{
	struct say s = { 0 };

	do {
		const char	*answer = session_answer(&s, true);
		char		 want[8];

		if (s.n == BODY || s.fds == 2)
			continue;
		(void)snprintf(want, sizeof(want), "WySR%s",
		    answer != NULL ? answer : "");
		run(RECOVERY, &s);
		expect(want, answer != NULL ? "recovery-open" :
		    "session-misbehaved");
	} while (next_say(&s));
}

/* The log links are for one question. */
static void
test_log_links(void **state UNUSED)
{
	struct say s = { 0 };

	do {
		if (is(&s, MSG_LOG_ASK, 0, 0))
			continue;
		run(FRONT_LOG, &s);
		expect("", "log-link-misbehaved");
		if (s.n == BODY || s.fds == 2)
			continue;
		run(SESSION_LOG, &s);
		expect("WyS", "log-link-misbehaved");
	} while (next_say(&s));
}

/* What bounds a child that says nothing wrong, or nothing. */
static void
test_bounds(void **state UNUSED)
{
	conf.role.auth_tries = 2;
	run(FRONT_ASKS_ON, NULL);
	expect("WnWn", "more questions than auth_tries");
	conf.role.auth_tries = 1;
	run(WORKER_DIES, NULL);
	expect("We", "worker-died");
	run(FRONT_DIES, NULL);
	expect("", "front-died");
	run(SESSION_CLOSES, NULL);
	expect("WyS", "session-misbehaved");
	run(SESSION_FLOODS, NULL);
	assert_non_null(strstr(out.log, "session-misbehaved"));
	assert_int_equal(out.status, 0);
}

/* ------------------------------------------------------ whose connection it is */

static void
list(struct conf_list *l, const char *item)
{
	*l = (struct conf_list){ .n = 1, .item = { item } };
}

/* From 127.0.0.1, through the network, to an address with these rules. */
static void
run_at(const char *rules)
{
	static char		line[100];
	struct sockaddr_in	at = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t		n = sizeof(at);
	int			listener = socket(AF_INET, SOCK_STREAM, 0);
	int			client[2];

	assert_int_equal(bind(listener, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &n), 0);
	client[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(client[0], (struct sockaddr *)&at, n), 0);
	client[1] = accept(listener, NULL, NULL);
	assert_true(client[1] >= 0);
	(void)close(listener);
	(void)snprintf(line, sizeof(line), "127.0.0.1:%u %s",
	    ntohs(at.sin_port), rules);
	list(&conf.role.listen, line);
	script.where = ANNOUNCES;
	script.say = (struct say){ 0 };
	run_for(client);
}

/* What the front tells before it asks: "p" and "x" by PROXY header and XCLIENT, "i"
 * the proxy itself; p is 192.0.2.9, x 192.0.2.10. */
static void
plan(const char *letters)
{
	struct sock_addr a = { .family = 4, .raw = { 192, 0, 2, 9 } };

	script.nclients = strlen(letters);
	for (size_t i = 0; i < script.nclients; i++) {
		struct link_out *m = &script.clients[i];

		link_out_init(m, letters[i] == 'i' ? MSG_CLIENT_ITSELF :
		    MSG_CLIENT);
		if (letters[i] == 'i')
			continue;
		a.raw[3] = letters[i] == 'p' ? 9 : 10;
		link_put_u8(m, letters[i] == 'x');
		wire_put_peer(m, &a);
	}
}

static void
test_announced(void **state UNUSED)
{
	static const char	proxy[] = "proxy";
	static const char	few[] = "proxy networks=10.0.0.0/8";
	static const char	here[] = "networks=127.0.0.1";
	static const char	mad[] = "front-misbehaved";
	static const struct {
		const char	*rules;
		const char	*proxies;
		const char	*xclients;
		const char	*tells;
		const char	*trail;
		const char	*log;
	} cases[] = {
		{ proxy, "127.0.0.1", "1.1.1.1", "p", "W192.0.2.9n", NULL },
		{ proxy, "127.0.0.1", "1.1.1.1", "i", "W127.0.0.1n", NULL },
		{ proxy, "127.0.0.1", "1.1.1.1", "", "", mad },
		{ proxy, "127.0.0.1", "1.1.1.1", "pp", "", mad },
		{ proxy, "127.0.0.1", "1.1.1.1", "ip", "", mad },
		{ proxy, "127.0.0.1", "1.1.1.1", "pi", "", mad },
		{ proxy, "127.0.0.1", "1.1.1.1", "ii", "", mad },
		{ proxy, "127.0.0.2", "1.1.1.1", "p", "",
		    "it is not in proxy_networks" },
		/* XCLIENT is for who the header announces */
		{ proxy, "127.0.0.1", "127.0.0.1", "x", "", mad },
		{ proxy, "127.0.0.1", "127.0.0.1", "px", "", mad },
		{ proxy, "127.0.0.1", "127.0.0.1", "ix", "W192.0.2.10n", NULL },
		{ proxy, "127.0.0.1", "192.0.2.9", "px", "W192.0.2.10n", NULL },
		{ "", "127.0.0.1", "127.0.0.1", "", "W127.0.0.1n", NULL },
		{ "", "127.0.0.1", "127.0.0.1", "p", "", mad },
		{ "", "127.0.0.1", "127.0.0.1", "i", "", mad },
		{ "", "127.0.0.1", "127.0.0.1", "x", "W192.0.2.10n", NULL },
		{ "", "127.0.0.1", "0.0.0.0/0", "xx", "", mad },
		{ "", "127.0.0.1", "127.0.0.2", "x", "", mad },
		/* networks= is about who connects, as far as that is known */
		{ few, "127.0.0.1", "1.1.1.1", "p", "", mad },
		{ few, "127.0.0.1", "1.1.1.1", "i", "W127.0.0.1n", NULL },
		{ here, "127.0.0.1", "1.1.1.1", "", "W127.0.0.1n", NULL },
		{ here, "127.0.0.1", "127.0.0.1", "x", "W192.0.2.10n", NULL },
		{ "networks=10.0.0.0/8", "127.0.0.1", "1.1.1.1", "", "", mad },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		list(&conf.role.proxy_networks, cases[i].proxies);
		list(&conf.role.xclient_networks, cases[i].xclients);
		plan(cases[i].tells);
		run_at(cases[i].rules);
		if (out.status != 0 || strcmp(out.trail, cases[i].trail) != 0)
			fail_msg("%zu: %s", i, out.trail);
		expect(cases[i].trail, cases[i].log);
	}
}

/* What is one octet short, or long, and addresses that are none. */
static void
test_announced_nonsense(void **state UNUSED)
{
	static const struct {
		uint8_t		xclient;
		uint8_t		family;
		size_t		n;
		uint32_t	port;
	} bad[] = {
		{ 2, 4, 4, 1 }, { 0, 0, 0, 1 }, { 0, 4, 16, 1 }, { 0, 6, 4, 1 },
		{ 0, 9, 0, 1 }, { 0, 4, 0, 1 }, { 0, 4, 4, 65536 },
	};
	struct link_out	*m = &script.clients[0];
	struct link_out	 whole;

	list(&conf.role.proxy_networks, "127.0.0.1");
	plan("p");
	whole = *m;
	for (size_t n = 0; n < whole.n; n++) {
		link_out_init(m, whole.type);
		link_put_raw(m, span_of(whole.b, n));
		run_at("proxy");
		expect("", "front-misbehaved");
	}
	*m = whole;
	link_put_u8(m, 0);
	run_at("proxy");
	expect("", "front-misbehaved");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		static const uint8_t raw[16] = { 192, 0, 2, 9 };

		link_out_init(m, MSG_CLIENT);
		link_put_u8(m, bad[i].xclient);
		link_put_u8(m, bad[i].family);
		link_put_span(m, span_of(raw, bad[i].n));
		link_put_u32(m, bad[i].port);
		run_at("proxy");
		expect("", "front-misbehaved");
	}
}

/* --------------------------------------------------------------- grants */

/* Refused: the front is told ERROR, no session begins. */
static void
refuse(const struct link_out *m, const char *why)
{
	script.grant = m;
	run(WORKER_GRANTS, NULL);
	script.grant = NULL;
	expect("We", why);
}

static void
refuse_identity(const struct identity *id, const char *why)
{
	static struct link_out m;

	put_grant(&m, id);
	refuse(&m, why);
}

static void
test_grants(void **state UNUSED)
{
	static const struct {
		uid_t		 uid;
		gid_t		 gid;
		const char	*why;
	} ids[] = {
		{ 0, 65533, "uid" },
		{ 999, 65533, "uid" },
		{ 65535, 65533, "uid" },
		{ UINT32_MAX, 65533, "uid" },
		{ 65533, 0, "gid" },
		{ 65533, 99, "gid" },
		{ 65533, 4711, "gid" },
		{ 65533, UINT32_MAX, "gid" },
	};
	static struct link_out	m;
	static struct link_out	whole;
	struct identity		id;

	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		id = user;
		id.uid = ids[i].uid;
		id.gid = ids[i].gid;
		refuse_identity(&id, ids[i].why);
	}
	id = user;
	id.ngids = IDENTITY_GIDS_MAX + 1;
	refuse_identity(&id, "groups");
	id.ngids = UINT32_MAX;
	refuse_identity(&id, "groups");
	id = user;
	(void)snprintf(id.home, sizeof(id.home), "/home/ann\nuid 33");
	refuse_identity(&id, "control characters");
	id = user;
	(void)snprintf(id.maildrop, sizeof(id.maildrop), "/x\177");
	refuse_identity(&id, "control characters");
	/* What is one octet short, or long, at every place. */
	put_grant(&whole, &user);
	for (size_t n = 1; n < whole.n; n++) {
		link_out_init(&m, whole.type);
		link_put_raw(&m, span_of(whole.b, n));
		refuse(&m, "grant-refused");
	}
	put_grant(&m, &user);
	link_put_u8(&m, 0);
	refuse(&m, "too many");
}

/* Names and paths that are longer than they may be, or hold a NUL. */
static void
test_grant_texts(void **state UNUSED)
{
	static const struct {
		size_t	user;
		size_t	home;
		size_t	drop;
		uint8_t	fill;
	} texts[] = {
		{ IDENTITY_USER_MAX + 1, 0, 0, 'x' },
		{ 3, IDENTITY_PATH_MAX + 1, 0, 'x' },
		{ 3, 0, IDENTITY_PATH_MAX + 1, 'x' },
		{ 3, 3, 3, '\0' },
		{ 0, 3, 3, '\0' },
		{ 0, 0, 3, '\0' },
	};
	static uint8_t		text[IDENTITY_PATH_MAX + 1];
	static struct link_out	m;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		memset(text, texts[i].fill, sizeof(text));
		link_out_init(&m, MSG_GRANT);
		link_put_span(&m, span_of(text, texts[i].user));
		link_put_u32(&m, user.uid);
		link_put_u32(&m, user.gid);
		link_put_u32(&m, 0);
		link_put_span(&m, span_of(text, texts[i].home));
		link_put_span(&m, span_of(text, texts[i].drop));
		link_put_u8(&m, 0);
		refuse(&m, "grant-refused");
	}
	put_grant(&m, &user);
	m.b[m.n - 6] = AUTH_METHODS;
	refuse(&m, "grant-refused");
}

/* --------------------------------------- nonsense of a monitor: the front */

static int
listen_to(int fd, char *text, size_t cap)
{
	struct pollfd	p = { .fd = fd, .events = POLLIN };
	size_t		n = 0;
	ssize_t		got = 1;

	while (got > 0 && n < cap - 1 && poll(&p, 1, 10000) > 0) {
		got = read(fd, text + n, cap - 1 - n);
		n += got > 0 ? (size_t)got : 0;
	}
	text[n] = '\0';
	return got == 0 ? 0 : -1;
}

/* A real front, its client, and this test as its monitor. */
struct real {
	pid_t	pid;
	int	client;
	int	link;
	int	credential;
};

static void
front_begin(struct real *r)
{
	struct fault	f;
	static const struct listen_rules none;
	struct front	c = { .conf = &conf, .host = "host", .rules = &none };
	struct sock_addr peer = { .text = "test" };
	int		client[2];
	int		log_link;

	c.peer = c.local = &peer;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, client), 0);
	assert_int_equal(link_pair(&r->link, &c.link, &f), 0);
	assert_int_equal(link_pair(&r->credential, &c.credential, &f), 0);
	assert_int_equal(link_pair(&log_link, &c.log_link, &f), 0);
	c.in = c.out = client[1];
	r->client = client[0];
	r->pid = test_fork();
	assert_true(r->pid >= 0);
	if (r->pid == 0)
		__real_front_main(&c);
	(void)close(client[1]);
	(void)close(c.link);
	(void)close(c.credential);
	(void)close(c.log_link);
	(void)close(log_link);
}

static void
front_end(struct real *r, const struct say *s, const char *want)
{
	char	text[2000];
	char   *last;
	int	ended = listen_to(r->client, text, sizeof(text));
	int	status;

	(void)shutdown(r->client, SHUT_WR);
	status = wait_for(r->pid);
	if (ended != 0 || status != 0)
		fail_msg("message %u with %u octets and %u descriptors: the"
		    " client's end %d, the front's %d: %s", s->type, s->n,
		    s->fds, ended, status, text);
	last = strstr(text, "required.\r\n");
	assert_string_equal(last == NULL ? "" : last + 11, want);
	(void)close(r->client);
	(void)close(r->link);
	(void)close(r->credential);
	read_log();
}

static void
test_front(void **state UNUSED)
{
	static const char	ask[] = "USER ann\r\nPASS x\r\n";
	static const char	no[] = "-ERR [SYS/TEMP] Authentication is not"
				    " available now, try again later.\r\n";
	static struct link_in	in;
	struct say		s = { 0 };
	struct real		r;
	struct fault		f;

	if (geteuid() != 0)
		skip();
	do {
		if (is(&s, MSG_ANSWER, 1, 0))
			continue;	/* 0 is yes */
		front_begin(&r);
		(void)!write(r.client, ask, sizeof(ask) - 1);
		assert_int_equal(link_recv(r.link, permit_from_front,
		    permit_from_front_n, PHASE_STRANGER, 10000, &in, &f), 1);
		say(r.link, &s);
		front_end(&r, &s, no);
		if (s.n == BODY || s.fds == 2)
			continue;
		front_begin(&r);	/* and what it has not asked for */
		say(r.link, &s);
		front_end(&r, &s, "");
	} while (next_say(&s));
}

/* ------------------------------------- nonsense of a monitor: the session */

static void
session_begin(struct real *r, struct host *h)
{
	struct fault		f;
	static struct sock_addr	peer = { .text = "test" };
	struct session_start	c = {
		.conf = &conf, .id = &user, .facts = h, .hostname = "host",
		.peer = &peer, .far = -1,
	};
	int			client[2];
	int			log_link;
	int			none;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, client), 0);
	assert_int_equal(link_pair(&r->link, &c.link, &f), 0);
	assert_int_equal(link_pair(&log_link, &c.log_link, &f), 0);
	assert_int_equal(fd_pipe(&c.rest_fd, &none, &f), 0);
	c.in = c.out = client[1];
	r->client = client[0];
	r->pid = test_fork();
	assert_true(r->pid >= 0);
	if (r->pid == 0)
		__real_session_main(&c);
	(void)close(client[1]);
	(void)close(c.link);
	(void)close(c.log_link);
	(void)close(log_link);
	(void)close(c.rest_fd);
	(void)close(none);
}

/* Its first question is answered with nonsense: no maildrop, and the end. */
static void
test_session_hears(void **state UNUSED)
{
	static struct link_in	in;
	struct host		h;
	struct say		s = { 0 };
	struct real		r;
	struct fault		f;
	char			text[2000];

	if (geteuid() != 0)
		skip();
	assert_int_equal(host_open(&h, &conf, &user, &f), 0);
	h.system_spool = true;		/* then LOCK is its first question */
	do {
		if (is(&s, MSG_DONE, 9, 0))
			continue;	/* all zero: done */
		session_begin(&r, &h);
		assert_int_equal(link_recv(r.link, permit_from_session,
		    permit_from_session_n, PHASE_SESSION, 10000, &in, &f), 1);
		assert_int_equal(in.type, MSG_LOCK_SCAN);
		say(r.link, &s);
		(void)close(r.link);
		(void)listen_to(r.client, text, sizeof(text));
		(void)shutdown(r.client, SHUT_WR);
		assert_int_equal(wait_for(r.pid), 0);
		(void)close(r.client);
		if (strncmp(text, "-ERR [SYS/", 10) != 0)
			fail_msg("message %u, %u octets, %u descriptors: %s",
			    s.type, s.n, s.fds, text);
	} while (next_say(&s));
	read_log();
	host_close(&h);
}

/* ------------------------------------------------------------------ frame */

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

static int
setup(void **state UNUSED)
{
	static const char *const	names[] = { "state", "run", "mail" };
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
	(void)snprintf(paths[4], sizeof(paths[4]), "%s/empty", folder);
	(void)snprintf(log_path, sizeof(log_path), "%s/log", folder);
	(void)snprintf(maildrop, sizeof(maildrop), "%s/%%u", paths[2]);
	conf = (struct settings){
		.role = {
			.isolation = ISOLATION_SPLIT, .front_user = "65534",
			.sasl_mechanisms = "plain login",
			.chroot_dir = paths[4], .state_dir = paths[0],
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
	return make_key_path(paths[3], sizeof(paths[3]));
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
		cmocka_unit_test(test_stranger),
		cmocka_unit_test(test_no_method),
		cmocka_unit_test(test_asked),
		cmocka_unit_test(test_granted),
		cmocka_unit_test(test_worker),
		cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_behind_our_back),
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_handed),
		cmocka_unit_test(test_recovery),
		cmocka_unit_test(test_log_links),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_announced),
		cmocka_unit_test(test_announced_nonsense),
		cmocka_unit_test(test_grants),
		cmocka_unit_test(test_grant_texts),
		cmocka_unit_test(test_front),
		cmocka_unit_test(test_session_hears),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
