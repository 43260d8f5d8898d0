/* SPDX-License-Identifier: ISC */
/*
 * The sessions as the master sees them, in a loop of this test's, which plays the
 * spawner, the fronts' clients and the sessions, sane and mad.
 */
#include "role/mad_test.h"
#include "role/places.h"
#include "role/session.h"
#include "role/trace.h"
#include "role/wire.h"

#include "sys/file.h"
#include "sys/spawn.h"
#include "sys/test_fork.h"
#include "sys/test_lock.h"
#include "watch/log.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define LONG_MS		60000		/* longer than anything here takes */
#define EXPECTED_MS	10000		/* the master's: from the grant to START */

int	__real_link_send(int fd, const struct link_out *m, const int *fds,
	    uint8_t nfds, struct fault *f);
int	__wrap_link_send(int fd, const struct link_out *m, const int *fds,
	    uint8_t nfds, struct fault *f);

void	__real_loop_watch_set(struct loop_watch *w, unsigned what, uint64_t ms);
void	__wrap_loop_watch_set(struct loop_watch *w, unsigned what, uint64_t ms);

static char		log_path[] = "/tmp/popper-places-test.XXXXXX";
static struct settings	conf;

static struct {
	struct loop		*loop;
	struct loop_watch	 stop;
	struct tally		*tally;
	struct places		*places;
	struct nest		nest;
	int			 ours;		/* the spawner's end */
	int			 fail_err;	/* of what is sent on that */
	bool			 late;		/* EXPECTED_MS are over soon */
	unsigned		 reaps;		/* orders to reap */
	uint32_t		 reaped;	/* the last one's slot */
	size_t			 fds;		/* at the beginning */
	struct link_in		 in;
	struct link_out		 out;
} it;

/* One session, and who is at its ends. */
struct one {
	uint64_t		sid;
	uint32_t		slot;
	struct sock_addr	peer;
	int			client;		/* the client's end */
	int			served;		/* the server's, as a front has it */
	int			link;		/* the session's end */
	pid_t			pid;		/* what FACTS say */
	pid_t			parent;
};

/* The linker puts this in its place. */
int
__wrap_link_send(int fd, const struct link_out *m, const int *fds, uint8_t nfds,
    struct fault *f)
{
	if (fd == it.nest.orders.link && it.fail_err != 0)
		return fault_errno(f, FAULT_TEMP, it.fail_err, "send");
	return __real_link_send(fd, m, fds, nfds, f);
}

void
__wrap_loop_watch_set(struct loop_watch *w, unsigned what, uint64_t ms)
{
	__real_loop_watch_set(w, what, it.late && ms == EXPECTED_MS ? 1 : ms);
}

/* ------------------------------------------------------------- the house */

static void
on_stop(void *ctx UNUSED, unsigned what UNUSED)
{
	loop_end(it.loop);
}

static void
run(unsigned ms)
{
	loop_watch_set(&it.stop, 0, ms);
	loop_run(it.loop);
	loop_watch_fini(&it.stop);
}

static int
begin(void **state UNUSED)
{
	struct fault	f;
	int		theirs;

	it.fds = mad_count_fds("self");
	it.fail_err = 0;
	it.late = false;
	it.loop = loop_new(&f);
	it.tally = tally_new(1, 100, &f);
	if (it.loop == NULL || it.tally == NULL ||
	    link_pair(&it.ours, &theirs, &f) != 0)
		return -1;
	loop_watch_init(&it.stop, it.loop, -1, on_stop, NULL);
	it.places = places_new(it.loop, it.tally, TALLY_MASTER);
	nest_init(&it.nest, it.places, &conf);
	it.nest.spawner = getpid();
	it.nest.orders.link = theirs;
	return truncate(log_path, 0);
}

/* Nothing may be left of any session. */
static int
end(void **state UNUSED)
{
	size_t left = places_count(it.places) + it.nest.n;

	outbox_clear(&it.nest.orders);
	loop_free(it.loop);
	free(it.places);
	tally_free(it.tally);
	fd_close(&it.ours);
	fd_close(&it.nest.orders.link);
	if (left == 0 && mad_count_fds("self") == it.fds)
		return 0;
	(void)fprintf(stderr, "%zu places and %zu descriptors are left\n", left,
	    mad_count_fds("self") - it.fds);
	return -1;
}

static size_t
count(const char *word)
{
	return mad_count(log_path, word);
}

/* ------------------------------------------------------------ one session */

/* As auth has granted it. */
static void
admit(struct one *o, uint64_t sid)
{
	struct wire_admit who = { .sid = sid,
	    .id = { .user = "ann", .uid = 1500, .gid = 1501 } };

	*o = (struct one){ .sid = sid, .link = -1,
	    .pid = 1000000000 + (pid_t)sid, .parent = it.nest.spawner };
	mad_connect(&o->client, &o->served, &o->peer);
	who.peer = who.socket = o->peer;
	assert_int_equal(places_admit(it.places, &it.nest, 0, &who), ANSWER_YES);
}

/* The front hands it over. */
static int
start_with(struct one *o, uint8_t words)
{
	struct fault f = { 0 };
	int	     r;

	it.in = (struct link_in){
		.type = MSG_START, .nfds = 1, .fds = { fd_take(&o->served) },
	};
	link_out_init(&it.out, MSG_START);
	link_put_u64(&it.out, o->sid);
	link_put_u8(&it.out, words);
	memcpy(it.in.b, it.out.b, it.out.n);
	it.in.n = it.out.n;
	r = places_start(it.places, 0, &it.in, &f);
	assert_true(r == 0 || f.class == FAULT_PEER);
	link_in_fini(&it.in);
	return r;
}

static void
start(struct one *o)
{
	assert_int_equal(start_with(o, 0), 0);
}

/* The next one that the spawner has; REAP comes at its own time, and is counted. */
static int
next_order(int ms, struct fault *f)
{
	for (;;) {
		int got = link_recv(it.ours, permit_spawn, permit_spawn_n, 0,
		    ms, &it.in, f);

		if (got != 1 || it.in.type != MSG_REAP)
			return got;
		it.reaped = link_get_u32(&it.in);
		it.reaps++;
	}
}

/* The spawner has an order; its first descriptor, for this session. */
static int
take_order(struct one *o, uint16_t type)
{
	struct fault	f = { .text = "the end" };
	uint32_t	tag;
	int		fd;

	run(0);
	if (next_order(LONG_MS, &f) != 1)
		fail_msg("no order: %s", f.text);
	assert_int_equal(it.in.type, type);
	tag = link_get_u32(&it.in);
	if (type == MSG_SPAWN)
		o->slot = tag;
	else if (type != MSG_SIGNAL_ALL)
		assert_int_equal(tag & ~0x80000000u, o->slot);
	if (type == MSG_HAND) {
		(void)link_get_u64(&it.in);
		(void)link_get_u8(&it.in);
		(void)link_get_u8(&it.in);
		assert_int_equal(link_get_u8(&it.in), HOST_ELSE);
	}
	fd = link_get_fd(&it.in, 0);
	link_in_fini(&it.in);
	return fd;
}

static void
no_order(void)
{
	struct fault f = { 0 };

	run(0);
	assert_int_equal(next_order(0, &f), -1);
	assert_int_equal(f.err, ETIMEDOUT);
}

/* A session without a maildrop, or with one. */
static void
say_facts_of(struct one *o, const char *path, uint64_t dotlock)
{
	struct fault f;

	link_out_init(&it.out, MSG_FACTS);
	link_put_u32(&it.out, (uint32_t)o->pid);
	link_put_u32(&it.out, (uint32_t)o->parent);
	link_put_u8(&it.out, 0);
	link_put_u8(&it.out, path[0] == '\0' ? 0 : 1);
	link_put_u8(&it.out, HOST_ELSE);
	link_put_span(&it.out, span_str(path));
	link_put_span(&it.out, span_str("key"));
	link_put_span(&it.out, span_str("lock"));
	link_put_u64(&it.out, dotlock);
	assert_int_equal(__real_link_send(o->link, &it.out, NULL, 0, &f), 0);
	run(0);
}

static void
say_facts(struct one *o, const char *path)
{
	say_facts_of(o, path, 0);
}

static void
open_session(struct one *o, uint64_t sid)
{
	admit(o, sid);
	start(o);
	o->link = take_order(o, MSG_SPAWN);
	say_facts(o, "");
}

static void
expect_end_of(int fd)
{
	char b;

	for (int i = 0; i < LONG_MS; i++) {
		ssize_t n = recv(fd, &b, 1, MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return;
		run(1);
	}
	fail_msg("a connection has not ended");
}

/* The process ends, and the spawner says so. */
static void
close_session(struct one *o, uint32_t status)
{
	fd_close(&o->link);
	run(0);
	places_ended(it.places, &it.nest, o->slot, status);
	run(0);
	fd_close(&o->client);
	fd_close(&o->served);
}

static void
ask(struct one *o, uint16_t type)
{
	struct fault f;

	link_out_init(&it.out, type);
	assert_int_equal(__real_link_send(o->link, &it.out, NULL, 0, &f), 0);
	run(0);
}

/* Its answer is that nobody could look at it. */
static void
expect_refusal(struct one *o)
{
	struct fault f = { .text = "the end" };

	if (link_recv(o->link, permit_done, permit_done_n, 0, LONG_MS, &it.in,
	    &f) != 1)
		fail_msg("no answer: %s", f.text);
	assert_int_equal(it.in.type, MSG_DONE);
	assert_int_equal(link_get_u8(&it.in), FAULT_TEMP);
	link_in_fini(&it.in);
}

/* ------------------------------------------------------------------- time */

/* Who is not asked for in time has no place any more; who was, keeps it. */
static void
test_late(void **state UNUSED)
{
	struct one in_time, late;

	it.late = true;
	admit(&in_time, 1);
	start(&in_time);
	in_time.link = take_order(&in_time, MSG_SPAWN);
	admit(&late, 2);
	for (int i = 0; places_count(it.places) == 2 && i < LONG_MS; i++)
		run(1);
	assert_int_equal(places_count(it.places), 1);
	start(&late);
	no_order();
	fd_close(&late.client);
	close_session(&in_time, 0);
}

/* ----------------------------------------------------------------- orders */

/* A link at an end is told, once, where it helps: not of a process that nobody
 * knows, nor of one that is ours. */
static void
test_reap(void **state UNUSED)
{
	struct one o;

	it.reaps = 0;
	open_session(&o, 1);
	no_order();
	assert_int_equal(it.reaps, 0);
	fd_close(&o.link);
	no_order();
	assert_int_equal(it.reaps, 1);
	assert_int_equal(it.reaped, o.slot);
	close_session(&o, 0);
	admit(&o, 2);
	start(&o);
	o.link = take_order(&o, MSG_SPAWN);
	close_session(&o, 0);
	open_session(&o, 3);
	places_ended(it.places, &it.nest, o.slot, 0);
	close_session(&o, 0);
	open_session(&o, 4);
	it.nest.spawner++;
	fd_close(&o.link);
	no_order();
	places_reaped(it.places, o.pid, 0);
	close_session(&o, 0);
	it.nest.spawner--;
	assert_int_equal(it.reaps, 1);
}

/* What passes by itself is waited for, whoever says when. */
static void
test_busy_spawner(void **state UNUSED)
{
	static const int	errs[] = { EAGAIN, ENOBUFS, ENOMEM, ETOOMANYREFS };
	struct one		o;

	for (size_t i = 0; i < ARRAY_LEN(errs); i++) {
		admit(&o, 1);
		it.fail_err = errs[i];
		start(&o);
		run(30);
		it.fail_err = 0;
		run(100);
		o.link = take_order(&o, MSG_SPAWN);
		say_facts(&o, "");
		assert_int_equal(tally_count(it.tally, TALLY_ADDRESS, &o.peer), 1);
		close_session(&o, 0);
		assert_int_equal(places_count(it.places), 0);
		assert_int_equal(tally_count(it.tally, TALLY_ADDRESS, &o.peer), 0);
	}
	assert_int_equal(count("popper"), 0);
}

/* An order that waits takes what it says, not what a message may take. */
static void
test_small_orders(void **state UNUSED)
{
	static struct one	o[60];
	size_t			before;

	for (size_t i = 0; i < ARRAY_LEN(o); i++)
		admit(&o[i], i + 1);
	it.fail_err = EAGAIN;
	before = mallinfo2().uordblks;
	for (size_t i = 0; i < ARRAY_LEN(o); i++)
		start(&o[i]);
	assert_true(mallinfo2().uordblks - before < ARRAY_LEN(o) * 1024);
	it.fail_err = 0;
	run(50);
	for (size_t i = 0; i < ARRAY_LEN(o); i++) {
		o[i].link = take_order(&o[i], MSG_SPAWN);
		close_session(&o[i], 0);
	}
}

/* What can never be sent ends its session, which stands in the log. */
static void
test_lost_order(void **state UNUSED)
{
	static const int	errs[] = { EMSGSIZE, EPIPE, EBADF };
	struct one		o;

	for (size_t i = 0; i < ARRAY_LEN(errs); i++) {
		admit(&o, 1);
		it.fail_err = errs[i];
		start(&o);
		expect_end_of(o.client);
		run(0);
		assert_int_equal(places_count(it.places), 0);
		assert_int_equal(tally_count(it.tally, TALLY_ADDRESS, &o.peer), 0);
		assert_int_equal(count(": spawner-link "), i + 1);
		assert_int_equal(count(": login-failed "), i + 1);
		fd_close(&o.client);
	}
}

/* One that had to wait before it was lost; those behind it are not. */
static void
test_lost_while_it_waited(void **state UNUSED)
{
	struct one a, b;

	admit(&a, 1);
	admit(&b, 2);
	it.fail_err = EAGAIN;
	start(&a);
	run(0);
	it.fail_err = EMSGSIZE;
	expect_end_of(a.client);
	run(0);
	assert_int_equal(places_count(it.places), 1);
	it.fail_err = 0;
	start(&b);
	b.link = take_order(&b, MSG_SPAWN);
	close_session(&b, 0);
	fd_close(&a.client);
	assert_int_equal(count(": spawner-link "), 1);
}

/* A question that no hand can look at is refused, and the next one is not. */
static void
test_lost_hand(void **state UNUSED)
{
	struct one	o;
	int		hand;

	open_session(&o, 1);
	it.fail_err = EMSGSIZE;
	ask(&o, MSG_TEMPFILE);
	expect_refusal(&o);
	it.fail_err = 0;
	ask(&o, MSG_TEMPFILE);
	hand = take_order(&o, MSG_HAND);
	fd_close(&hand);
	places_ended(it.places, &it.nest, o.slot | 0x80000000u, 1);
	expect_refusal(&o);
	close_session(&o, 0);
}

/* One that was killed may have answered before. */
static void
test_killed_hand(void **state UNUSED)
{
	struct one	o;
	int		hand;

	open_session(&o, 1);
	ask(&o, MSG_TEMPFILE);
	hand = take_order(&o, MSG_HAND);
	fd_close(&hand);
	places_ended(it.places, &it.nest, o.slot | 0x80000000u, 128 + 9);
	expect_end_of(o.link);
	close_session(&o, 0);
}

/* A signal that is lost costs nobody anything. */
static void
test_lost_signal(void **state UNUSED)
{
	struct one o;

	open_session(&o, 1);
	it.fail_err = EMSGSIZE;
	places_stop(it.places);
	nest_stop(&it.nest);
	it.fail_err = 0;
	no_order();
	close_session(&o, 0);
}

/* A stop is one order, however many they are. */
static void
test_stop(void **state UNUSED)
{
	static struct one	o[60];
	struct one		waits;
	int			none;

	for (size_t i = 0; i < ARRAY_LEN(o); i++)
		open_session(&o[i], i + 1);
	admit(&waits, 1000);
	places_stop(it.places);
	nest_stop(&it.nest);
	none = take_order(&waits, MSG_SIGNAL_ALL);
	assert_int_equal(none, -1);
	no_order();
	assert_int_equal(places_count(it.places), ARRAY_LEN(o));
	for (size_t i = 0; i < ARRAY_LEN(o); i++)
		close_session(&o[i], 0);
	fd_close(&waits.client);
	fd_close(&waits.served);
}

/* ----------------------------------------------------------- mad sessions */

enum phase { BEFORE_FACTS, WITHOUT_DROP, WITH_DROP, WITH_DOTLOCK, PHASES };

/* A session of that phase.  What has to be done of its maildrop fails, since its
 * folders do not exist. */
static void
open_in(struct one *o, enum phase phase)
{
	admit(o, 1);
	start(o);
	o->link = take_order(o, MSG_SPAWN);
	if (phase != BEFORE_FACTS)
		say_facts_of(o, phase == WITHOUT_DROP ? "" : "/nonexistent/ann",
		    phase == WITH_DOTLOCK ? 1 : 0);
}

/* What is done when the form is right; '-': the session is ended. */
static char
effect_of(enum phase phase, const struct mad *c)
{
	if (phase == BEFORE_FACTS || !c->formal)
		return '-';
	switch (c->type) {
	case MSG_LOG_ASK:
	case MSG_TRACE_ASK:
		return 'a';			/* it is answered */
	case MSG_LOCK_SCAN:
	case MSG_LOCK_UPDATE:
	case MSG_REFRESH:
	case MSG_RELEASE:
	case MSG_GIVE_UP:
		return phase == WITHOUT_DROP ? '-' : 'a';
	case MSG_UNLOCK:
		/* done, unsaid; it says it for nothing */
		return phase == WITH_DOTLOCK ? 'u' : '-';
	case MSG_SUMMARY:
		return c->chance ? '-' : 's';	/* taken, once */
	default:
		return 'h';			/* for a hand */
	}
}

static void
try(enum phase phase, const struct mad *c, int spare)
{
	char		effect = effect_of(phase, c);
	struct one	o;

	assert_int_equal(truncate(log_path, 0), 0);
	open_in(&o, phase);
	assert_true(mad_say(c, o.link, spare));
	run(0);
	if (effect == 's') {
		no_order();
		assert_int_equal(count(": session-misbehaved "), 0);
		assert_true(mad_say(c, o.link, spare));
		run(0);
		effect = '-';
	}
	if (effect == '-') {
		assert_int_equal(take_order(&o, MSG_SIGNAL), -1);
		expect_end_of(o.link);
	} else if (effect == 'a') {
		assert_true(recv(o.link, it.in.b, sizeof(it.in.b),
		    MSG_DONTWAIT) >= LINK_HEADER);
	} else if (effect == 'u') {
		assert_int_equal(recv(o.link, it.in.b, sizeof(it.in.b),
		    MSG_DONTWAIT), -1);
		assert_int_equal(errno, EAGAIN);
		assert_int_equal(count(": drop-unlock-failed "), 1);
	} else {
		assert_int_equal(close(take_order(&o, MSG_HAND)), 0);
		/* Until it is done nothing else is heard. */
		assert_true(mad_say(c, o.link, spare));
		no_order();
		places_ended(it.places, &it.nest, o.slot | 0x80000000u, 0);
		run(0);
		assert_int_equal(close(take_order(&o, MSG_HAND)), 0);
		places_ended(it.places, &it.nest, o.slot | 0x80000000u, 0);
	}
	if (count(": session-misbehaved ") != (effect == '-'))
		fail_msg("phase %d: message %u with %u octets and %u"
		    " descriptors", phase, c->type, c->size, c->fds);
	no_order();
	close_session(&o, 0);
	assert_int_equal(places_count(it.places), 0);
}

static void
test_mad_session(void **state UNUSED)
{
	int	spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	size_t	fds = mad_count_fds("self");

	assert_true(spare >= 0);
	for (enum phase phase = BEFORE_FACTS; phase < PHASES; phase++) {
		struct mad c;

		if (phase == BEFORE_FACTS)
			mad_init(&c, permit_facts, permit_facts_n);
		else
			mad_init(&c, permit_from_served, permit_from_served_n);
		while (mad_next(&c)) {
			try(phase, &c, spare);
			assert_int_equal(mad_count_fds("self"), fds);
		}
	}
	(void)close(spare);
}

/*
 * What a session sends along is not the master's to close, which may wait for whoever
 * serves that file: a close of ours would be the end of our lock on it as well.
 */
static void
test_takes_no_file(void **state UNUSED)
{
	static const uint16_t	types[] = { MSG_SUBMIT, MSG_FORGET, MSG_HANDED };
	FILE			*file = tmpfile();
	struct flock		 lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct one		 o;
	struct fault		 f;

	assert_non_null(file);
	assert_int_equal(fcntl(fileno(file), F_SETLK, &lock), 0);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		admit(&o, 1);
		start(&o);
		o.link = take_order(&o, MSG_SPAWN);
		say_facts(&o, "");
		link_out_init(&it.out, types[i]);
		assert_int_equal(__real_link_send(o.link, &it.out,
		    (int[]){ fileno(file) }, 1, &f), 0);
		run(0);
		assert_int_equal(take_order(&o, MSG_SIGNAL), -1);
		assert_true(test_locked(fileno(file)));
		close_session(&o, 0);
	}
	(void)fclose(file);
}

/* A session has the socket of who traces if it is meant; the place says who it is. */
static void
test_trace(void **state UNUSED)
{
	static const struct {
		const char	*user;
		uint64_t	 sid;
		bool		 meant;
	} cases[] = {
		{ "", 0, false }, { "bob", 0, false }, { "ann", 0, true },
		{ "", 1, true }, { "", 2, false },
	};
	char		dir[] = "/tmp/popper-places-XXXXXX";
	char		path[64];
	struct fault	f = { .text = "the end" };
	struct one	o;
	int		listener;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(trace_new(dir, &f), 0);
	assert_int_equal(trace_listen(0, &listener, &f), 0);
	open_in(&o, WITH_DROP);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct trace_whom w = { .sid = cases[i].sid };

		(void)snprintf(w.user, sizeof(w.user), "%s", cases[i].user);
		if (i > 0)
			(void)trace_begin(&w, LONG_MS);
		link_out_init(&it.out, MSG_TRACE_ASK);
		assert_int_equal(link_send(o.link, &it.out, NULL, 0, &f), 0);
		run(0);
		if (link_recv(o.link, permit_trace_fd, permit_trace_fd_n, 0,
		    LONG_MS, &it.in, &f) != 1)
			fail_msg("case %zu: %s", i, f.text);
		assert_int_equal(it.in.type, cases[i].meant ? MSG_TRACE_FD :
		    MSG_TRACE_NONE);
		link_in_fini(&it.in);
	}
	close_session(&o, 0);
	trace_free();
	fd_close(&listener);
	(void)snprintf(path, sizeof(path), "%s/trace", dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

/* ------------------------------------------------- the end of the spawner */

#define OLD	1111111111	/* no process has such numbers */
#define NEW	1222222222

static void
spawner_dies(void)
{
	it.nest.spawner = 0;
	places_spawner_died(it.places, &it.nest);
	it.nest.spawner = NEW;
}

static pid_t
fork_one(void)
{
	pid_t pid = test_fork();

	assert_true(pid >= 0);
	if (pid == 0)
		spawn_tie(getppid());
	for (int fd = 3; pid == 0 && fd < 256; fd++)
		(void)close(fd);
	while (pid == 0)
		(void)pause();
	return pid;
}

static uint32_t
reap(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	return 128u + (uint32_t)WTERMSIG(status);
}

/* Who has lost its parent is signalled and reaped by us. */
static void
test_orphans(void **state UNUSED)
{
	struct one	o[2];
	uint32_t	status;

	it.nest.spawner = OLD;
	for (size_t i = 0; i < 2; i++) {
		admit(&o[i], i + 1);
		start(&o[i]);
		o[i].link = take_order(&o[i], MSG_SPAWN);
		o[i].pid = fork_one();
		say_facts(&o[i], "");
	}
	spawner_dies();
	ask(&o[0], MSG_FACTS);		/* what it never says then */
	status = reap(o[0].pid);
	assert_int_equal(status, 128 + SIGKILL);
	expect_end_of(o[0].link);
	fd_close(&o[0].link);
	run(0);
	assert_int_equal(places_count(it.places), 2);	/* not dead yet, for us */
	places_reaped(it.places, o[0].pid, status);
	assert_int_equal(places_count(it.places), 1);
	assert_int_equal(count("reason=crash status=137"), 1);
	places_stop(it.places);
	nest_stop(&it.nest);
	status = reap(o[1].pid);
	assert_int_equal(status, 128 + SIGTERM);
	places_reaped(it.places, o[1].pid, status);
	assert_int_equal(places_count(it.places), 1);	/* its link is open */
	assert_int_equal(take_order(&o[1], MSG_SIGNAL_ALL), -1);
	for (size_t i = 0; i < 2; i++)
		close_session(&o[i], 0);
}

/* One of which we hear when it has lost its parent, and perhaps its life. */
static void
test_late_orphans(void **state UNUSED)
{
	struct one	o[2];

	it.nest.spawner = OLD;
	for (size_t i = 0; i < 2; i++) {
		admit(&o[i], i + 1);
		start(&o[i]);
		o[i].link = take_order(&o[i], MSG_SPAWN);
		o[i].pid = i == 0 ? fork_one() : OLD + 1;
	}
	spawner_dies();
	places_stop(it.places);
	nest_stop(&it.nest);
	assert_int_equal(take_order(&o[0], MSG_SIGNAL_ALL), -1);
	for (size_t i = 0; i < 2; i++)
		say_facts(&o[i], "");
	places_reaped(it.places, o[0].pid, reap(o[0].pid));
	for (size_t i = 0; i < 2; i++) {
		fd_close(&o[i].link);
		fd_close(&o[i].client);
	}
	run(0);
	assert_int_equal(places_count(it.places), 0);
}

/* An order that died with the spawner ends its place; one that it had not read
 * is for the next one. */
static void
test_lost_orders_of_a_dead_spawner(void **state UNUSED)
{
	struct one lost, kept;

	it.nest.spawner = OLD;
	admit(&lost, 1);
	admit(&kept, 2);
	kept.parent = NEW;
	start(&lost);
	lost.link = take_order(&lost, MSG_SPAWN);
	start(&kept);
	spawner_dies();
	fd_close(&lost.link);
	expect_end_of(lost.client);
	run(0);
	assert_int_equal(places_count(it.places), 1);
	assert_int_equal(count(": login-failed "), 1);
	kept.link = take_order(&kept, MSG_SPAWN);
	say_facts(&kept, "");
	ask(&kept, MSG_TEMPFILE);
	assert_int_equal(close(take_order(&kept, MSG_HAND)), 0);
	places_ended(it.places, &it.nest, kept.slot | 0x80000000u, 0);
	close_session(&kept, 0);
	fd_close(&lost.client);
	assert_int_equal(tally_count(it.tally, TALLY_ADDRESS, &kept.peer), 0);
}

/* A hand whose spawner dies answers once, or the session sees the end. */
static void
test_hands_of_a_dead_spawner(void **state UNUSED)
{
	struct one	o[2];
	int		hand[2];
	struct fault	f;

	it.nest.spawner = OLD;
	for (size_t i = 0; i < 2; i++) {
		open_session(&o[i], i + 1);
		ask(&o[i], MSG_TEMPFILE);
		hand[i] = take_order(&o[i], MSG_HAND);
	}
	spawner_dies();
	fd_close(&hand[0]);
	expect_end_of(o[0].link);
	link_out_init(&it.out, MSG_FILE);
	assert_int_equal(__real_link_send(hand[1], &it.out, &o[1].client, 1, &f),
	    0);
	fd_close(&hand[1]);
	assert_int_equal(link_recv(o[1].link, permit_done, permit_done_n, 0,
	    LONG_MS, &it.in, &f), 1);
	assert_int_equal(it.in.type, MSG_FILE);
	link_in_fini(&it.in);
	expect_end_of(o[1].link);
	for (size_t i = 0; i < 2; i++) {
		places_reaped(it.places, o[i].pid, 0);
		fd_close(&o[i].link);
		fd_close(&o[i].client);
	}
	assert_int_equal(places_count(it.places), 0);
}

/* ------------------------------------------------------------------ frame */

static int
setup(void **state UNUSED)
{
	struct log_conf	c = { .to = LOG_TO_FILE, .trace_fd = -1, .socket = "" };
	int		fd = mkstemp(log_path);

	if (fd < 0)
		return -1;
	(void)close(fd);
	conf = (struct settings){
		.role = { .max_sessions = 100,
		    .max_sessions_per_user = 100, .run_dir = "/proc/none",
		    .state_dir = "/proc/none" },
		.krb = { .keytab = "", .realms = "" },
		.token = { .jwks = "", .introspection = "" },
		.auth = { .uid_min = 1000, .uid_max = 60000, .gid_min = 100,
		    .gids_denied = "4711", .shells_file = "/nonexistent" },
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

/* A maildrop whose UPDATE is unfinished, as far as the journal says. */
static void
unfinished(char dir[static 32], char journal[static 64])
{
	FILE *file;

	(void)snprintf(dir, 32, "/tmp/popper-places-XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(journal, 64, "%s/journal", dir);
	assert_int_equal(mkdir(journal, 0700), 0);
	(void)snprintf(journal, 64, "%s/journal/key", dir);
	file = fopen(journal, "w");
	assert_non_null(file);
	assert_int_equal(fputs("x", file) >= 0, true);
	assert_int_equal(fclose(file), 0);
}

static void
remove_all(const char *dir, char journal[static 64])
{
	assert_int_equal(unlink(journal), 0);
	(void)snprintf(journal, 64, "%s/journal", dir);
	assert_int_equal(rmdir(journal), 0);
	assert_int_equal(rmdir(dir), 0);
}

/*
 * Who shared a process has no lock when he has ended: the UPDATE is another's, who
 * is at it.  Who held it has died in it: a recovery follows.
 */
static void
test_released(void **state UNUSED)
{
	const char	*old = conf.role.state_dir;	/* of both */
	char		 dir[32];
	char		 journal[64];
	struct one	 o;

	unfinished(dir, journal);
	conf.role.state_dir = conf.role.run_dir = dir;
	admit(&o, 1);
	start(&o);
	o.link = take_order(&o, MSG_SPAWN);
	say_facts(&o, "/nowhere/ann");
	close_session(&o, ENDED_RELEASED);
	no_order();
	assert_int_equal(places_count(it.places), 0);
	admit(&o, 2);
	start(&o);
	o.link = take_order(&o, MSG_SPAWN);
	say_facts(&o, "/nowhere/ann");
	close_session(&o, 137);
	o.link = take_order(&o, MSG_HAND);
	say_facts(&o, "");
	remove_all(dir, journal);
	close_session(&o, 0);
	conf.role.state_dir = conf.role.run_dir = old;
}

static void
give_up(struct one *o, uint64_t sid)
{
	struct fault f;

	admit(o, sid);
	start(o);
	o->link = take_order(o, MSG_SPAWN);
	say_facts(o, "/nowhere/ann");
	ask(o, MSG_GIVE_UP);
	assert_int_equal(link_recv(o->link, permit_done, permit_done_n, 0, LONG_MS,
	    &it.in, &f), 1);
	assert_int_equal(link_get_u8(&it.in), FAULT_NONE);
	link_in_fini(&it.in);
}

/*
 * Who gives up an UPDATE that is unfinished has the maildrop still, until it is
 * recovered.  Who gives up a maildrop as it was has it no more: what is unfinished
 * when he ends is another's.
 */
static void
test_given_up(void **state UNUSED)
{
	const char	*old = conf.role.state_dir;	/* of both */
	char		 dir[32];
	char		 journal[64];
	char		 away[64];
	struct one	 o;

	unfinished(dir, journal);
	conf.role.state_dir = conf.role.run_dir = dir;
	(void)snprintf(away, sizeof(away), "%s/away", dir);
	give_up(&o, 1);
	close_session(&o, 0);
	o.link = take_order(&o, MSG_HAND);
	say_facts(&o, "");
	assert_int_equal(rename(journal, away), 0);
	close_session(&o, 0);
	give_up(&o, 2);
	assert_int_equal(rename(away, journal), 0);
	close_session(&o, 0);
	no_order();
	assert_int_equal(places_count(it.places), 0);
	remove_all(dir, journal);
	conf.role.state_dir = conf.role.run_dir = old;
}

#define CASE(test)	cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_late),
		CASE(test_reap),
		CASE(test_busy_spawner),
		CASE(test_small_orders),
		CASE(test_lost_order),
		CASE(test_lost_while_it_waited),
		CASE(test_lost_hand),
		CASE(test_killed_hand),
		CASE(test_lost_signal),
		CASE(test_stop),
		CASE(test_mad_session),
		CASE(test_takes_no_file),
		CASE(test_trace),
		CASE(test_orphans),
		CASE(test_late_orphans),
		CASE(test_lost_orders_of_a_dead_spawner),
		CASE(test_hands_of_a_dead_spawner),
		CASE(test_released),
		CASE(test_given_up),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
