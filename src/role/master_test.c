/* SPDX-License-Identifier: ISC */
/*
 * The master, a real process, among roles whose processes do nothing but give
 * their ends of all links to this test, which plays them, sane and mad.
 */
#include "role/auth.h"
#include "role/child.h"
#include "role/ctl.h"
#include "role/fronts.h"
#include "role/host.h"
#include "role/mad_test.h"
#include "role/master.h"
#include "role/resolver.h"
#include "role/wire.h"

#include "pop/authorize.h"
#include "sys/loop.h"
#include "sys/shared.h"
#include "sys/spawn.h"
#include "sys/test_dir.h"
#include "sys/test_fork.h"
#include "watch/log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define LONG_MS		60000		/* longer than anything here takes */
#define FRONTS		2
#define RESPAWN_MS	1000		/* the master's */

enum part { AUTH, WARDEN, SPAWNER, RESOLVER, CTL, METRICS, FRONT,
	    CREW = FRONT + FRONTS };	/* from there on, those after a reload */

/* What a role has been given. */
struct part_of {
	pid_t	pid;
	size_t	said;			/* descriptors so far; all: 0 */
	int	master;			/* own these; -1; the warden's to auth */
	int	log;
	int	auth[FRONTS];		/* to fronts, or the front's to auth */
	int	other[FRONTS];		/* auth: warden; front: resolver;
					   resolver: its second front */
};

/* How much faster the master's clock runs. */
static unsigned	haste = 1;

/* Where it listens, when inetd has started it; -1: it was not. */
static int	inetd = -1;

/* What a front writes into its row of the tally, in its process. */
static unsigned	false_counts;

/* Somebody is within at the first of the fronts, until it dies.  Shared. */
static uint32_t	*within;

NORETURN void	__wrap_auth_main(const struct auth_start *a);
NORETURN void	__wrap_warden_main(const struct settings *c, int auth, int log_link);
NORETURN void	__wrap_spawner_main(const struct settings *c, const char *host,
		    int master, int log_link);
NORETURN void	__wrap_resolver_main(const struct resolver_conf *c,
		    const int *fronts, size_t n, int master, int log_link);
NORETURN void	__wrap_ctl_main(const struct ctl_start *a);
NORETURN void	__wrap_exporter_main(const struct settings *c,
		    const struct tally *t, int listener, int log_link);
NORETURN void	__wrap_fronts_main(const struct fronts_start *a);
uint64_t	__real_clock_ms(void);
uint64_t	__wrap_clock_ms(void);
void		__real_loop_watch_set(struct loop_watch *w, unsigned what,
		    uint64_t ms);
void		__wrap_loop_watch_set(struct loop_watch *w, unsigned what,
		    uint64_t ms);

static char		folder[] = "/tmp/popper-master-test.XXXXXX";
static char		paths[5][100];	/* state, run, empty, log, metrics */
static struct edition	edition;
static int		spare[2];	/* descriptors to send */
static int		judged = -1;

static struct {
	pid_t		master;
	int		ours;		/* where roles say what they have */
	int		theirs;
	struct part_of	part[2 * CREW];
	struct link_in	in;
	struct link_out	out;
} it;

/* ------------------------------------------------- in the master's process */

/* Which reading of the configuration it is stands where its roles see it. */
static struct edition *
edition_copy(unsigned nth)
{
	struct edition *e = edition_new();

	*e = edition;
	e->s.role.peer_check_timeout_s = nth;
	return e;
}

static size_t
nth_crew(const struct settings *s)
{
	return s->role.peer_check_timeout_s * CREW;
}

static void
reopen(void *ctx UNUSED, const struct edition *now UNUSED)
{
}

/* At its end, at once. */
static pid_t
judge(void *ctx UNUSED, const struct edition *now UNUSED,
    const struct edition_ears *ears UNUSED, int *fd_r, struct fault *f)
{
	int end = -1;

	fd_close(&judged);
	if (link_pair(&judged, &end, f) != 0)
		return -1;
	fd_close(&end);
	*fd_r = judged;
	return 0;
}

static struct edition *
load(void *ctx UNUSED, const struct edition *now, struct fault *f UNUSED)
{
	return edition_copy(now->s.role.peer_check_timeout_s + 1);
}

static void
use(void *ctx UNUSED, const struct edition *now UNUSED,
    const struct edition *next UNUSED)
{
}

static void
drop(void *ctx UNUSED, struct edition *next)
{
	edition_free(next);
}

static const struct edition_source source = { NULL, reopen, judge, load,
    use, drop };

/* ------------------------------------------------- in the roles' processes */

/* The linker puts these in their places. */
void
__wrap_loop_watch_set(struct loop_watch *w, unsigned what, uint64_t ms)
{
	__real_loop_watch_set(w, what, what == 0 && ms == RESPAWN_MS ? 1 : ms);
}

uint64_t
__wrap_clock_ms(void)
{
	return haste * __real_clock_ms();
}

/* What it has, some descriptors at a time, and then nothing. */
static NORETURN void
tell_test(size_t part, const int *fds, size_t n)
{
	struct fault f;

	spawn_tie(getppid());
	/* First: who has been told of it may make the master stop it at once. */
	(void)signal(SIGTERM, SIG_DFL);
	for (size_t i = 0; i < n; i++) {
		link_out_init(&it.out, 1);
		link_put_u32(&it.out, (uint32_t)part);
		link_put_u32(&it.out, (uint32_t)getpid());
		link_put_u32(&it.out, i + 1 == n ? 1 : 0);
		if (link_send(it.theirs, &it.out, &fds[i], 1, &f) != 0)
			_exit(1);
	}
	for (int fd = 3; fd < 1024; fd++)
		(void)close(fd);
	for (;;)
		(void)pause();
}

void
__wrap_auth_main(const struct auth_start *a)
{
	const int fds[] = {
		a->master, a->log_link, a->fronts[0] < 0 ? a->log_link :
		    a->fronts[0], a->fronts[1], a->warden,
	};

	tell_test(nth_crew(a->conf) + AUTH, fds, ARRAY_LEN(fds));
}

void
__wrap_warden_main(const struct settings *c, int auth, int log_link)
{
	const int fds[] = { auth, log_link };

	tell_test(nth_crew(c) + WARDEN, fds, ARRAY_LEN(fds));
}

void
__wrap_spawner_main(const struct settings *c, const char *host UNUSED,
    int master, int log_link)
{
	const int fds[] = { master, log_link };

	tell_test(nth_crew(c) + SPAWNER, fds, ARRAY_LEN(fds));
}

void
__wrap_resolver_main(const struct resolver_conf *c, const int *fronts,
    size_t n UNUSED, int master, int log_link)
{
	/* Of a crew that leaves it has no link to the master. */
	const int fds[] = {
		master < 0 ? log_link : master, log_link, fronts[0], fronts[1],
	};

	tell_test(c->timeout_ms / 1000 * CREW + RESOLVER, fds, ARRAY_LEN(fds));
}

void
__wrap_ctl_main(const struct ctl_start *a)
{
	const int fds[] = { a->master, a->log_link };

	tell_test(nth_crew(a->conf) + CTL, fds, ARRAY_LEN(fds));
}

/* The master never hears it but for its log: that link stands for both. */
void
__wrap_exporter_main(const struct settings *c,
    const struct tally *t UNUSED, int listener UNUSED, int log_link)
{
	const int fds[] = { log_link, log_link };

	tell_test(nth_crew(c) + METRICS, fds, ARRAY_LEN(fds));
}

void
__wrap_fronts_main(const struct fronts_start *a)
{
	const int fds[] = { a->master, a->log_link, a->auth, a->resolver };

	for (unsigned i = 0; a->index == TALLY_MASTER + 1 && i < false_counts; i++)
		tally_add(a->tally, a->index, &(struct sock_addr){ .family = 4,
		    .raw = { 10, (uint8_t)i, (uint8_t)(i >> 8) } }, -1);
	if (a->index == TALLY_MASTER + 1 && *within > 0 &&
	    tally_enter(a->tally, a->index))
		*within = 0;
	/* Rows: two fronts, auth, and so on. */
	tell_test(nth_crew(a->conf) + FRONT + (a->index - (TALLY_MASTER + 1)) %
	    (FRONTS + 1), fds, ARRAY_LEN(fds));
}

/* ---------------------------------------------------------------- the house */

static void
forget_part(struct part_of *p)
{
	fd_close(&p->master);
	fd_close(&p->log);
	for (size_t i = 0; i < FRONTS; i++) {
		fd_close(&p->auth[i]);
		fd_close(&p->other[i]);
	}
	p->pid = 0;
}

/* One descriptor of a role that begins; true: its last one. */
static bool
take_one(size_t *part_r)
{
	static const struct link_permit any[] = { { 1, 12, 12, 1, 1 } };
	struct fault	 f = { .text = "the end" };
	struct part_of	*p;
	pid_t		 pid;
	bool		 last;
	bool		 auth;

	if (link_recv(it.ours, any, 1, 0, LONG_MS, &it.in, &f) != 1)
		fail_msg("no role begins: %s", f.text);
	*part_r = link_get_u32(&it.in);
	assert_true(*part_r < ARRAY_LEN(it.part));
	p = &it.part[*part_r];
	auth = *part_r % CREW == AUTH;
	pid = (pid_t)link_get_u32(&it.in);
	if (p->said == 0 || pid != p->pid) {
		p->said = 0;		/* whoever began may have been ended */
		forget_part(p);
	}
	p->pid = pid;
	last = link_get_u32(&it.in) != 0;
	{
		int *to[] = { &p->master, &p->log, &p->auth[0],
		    auth ? &p->auth[1] : &p->other[0],
		    &p->other[0] };

		assert_true(p->said < ARRAY_LEN(to));
		*to[p->said++] = link_get_fd(&it.in, 0);
	}
	link_in_fini(&it.in);
	if (last)
		p->said = 0;
	return last;
}

/* The next role that has begun; they may speak at the same time. */
static size_t
take_part(void)
{
	size_t part;

	while (!take_one(&part))
		;
	return part;
}

/* It has ended, and another one has begun. */
static void
expect_new(size_t part)
{
	size_t got = take_part();

	if (got != part)
		fail_msg("role %zu has begun, not %zu", got, part);
}

/* The new link to auth that a front is given. */
static int
take_auth(size_t front)
{
	struct fault f = { .text = "the end" };

	if (link_recv(it.part[FRONT + front].master, permit_to_front,
	    permit_to_front_n, 0, LONG_MS, &it.in, &f) != 1)
		fail_msg("no new auth: %s", f.text);
	assert_int_equal(it.in.type, MSG_AUTH);
	return link_get_fd(&it.in, 0);
}

/* It begins anew with its warden. */
static void
expect_auth(void)
{
	size_t first = take_part();

	assert_true(first == AUTH || first == WARDEN);
	expect_new(first == AUTH ? WARDEN : AUTH);
}

static void
expect_again(size_t part)
{
	if (part == AUTH)
		expect_auth();
	else
		expect_new(part);
	for (size_t i = 0; part == AUTH && i < FRONTS; i++)
		fd_close(&(int){ take_auth(i) });
}

static size_t
count(const char *word)
{
	return mad_count(paths[3], word);
}

static size_t
master_fds(void)
{
	char pid[20];

	(void)snprintf(pid, sizeof(pid), "%d", (int)it.master);
	return mad_count_fds(pid);
}

static int
begin(void **state UNUSED)
{
	struct fault f;

	if (geteuid() != 0)
		return 0;
	if (truncate(paths[3], 0) != 0 ||
	    link_pair(&it.ours, &it.theirs, &f) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(it.part); i++)
		it.part[i] = (struct part_of){ 0, 0, -1, -1, { -1, -1 },
		    { -1, -1 } };
	it.master = test_fork();
	if (it.master == 0) {
		spawn_tie(getppid());
		fd_close(&it.ours);
		_exit(master_run(edition_copy(0), &source, inetd, &f));
	}
	fd_close(&it.theirs);
	for (size_t i = 0; i < CREW; i++)
		(void)take_part();
	return 0;
}

static int
wait_for_master(void)
{
	int status = -1;

	for (int i = 0; i < LONG_MS; i++) {
		if (waitpid(it.master, &status, WNOHANG) == it.master)
			return status;
		(void)usleep(1000);
	}
	(void)kill(it.master, SIGKILL);
	(void)waitpid(it.master, &status, 0);
	return -1;
}

/* Nothing is left of it. */
static int
end(void **state UNUSED)
{
	int status;

	if (geteuid() != 0)
		return 0;
	(void)kill(it.master, SIGTERM);
	status = wait_for_master();
	for (size_t i = 0; i < ARRAY_LEN(it.part); i++)
		forget_part(&it.part[i]);
	fd_close(&it.ours);
	return status == 0 ? 0 : -1;
}

/* ------------------------------------------------------------- what they say */

/* As auth: somebody has logged in at that front. */
static int
admit(uint64_t sid, uint32_t front, const struct sock_addr *peer, struct fault *f)
{
	const struct wire_admit who = { .sid = sid, .front = front,
	    .peer = *peer, .socket = *peer,
	    .id = { .user = "ann", .uid = 1500, .gid = 1501 } };

	wire_put_admit(&it.out, &who);
	return link_send(it.part[AUTH].master, &it.out, NULL, 0, f);
}

static void
must_admit(uint64_t sid, uint32_t front, const struct sock_addr *peer)
{
	struct fault f = { 0 };

	while (admit(sid, front, peer, &f) != 0) {
		assert_int_equal(f.err, EAGAIN);
		(void)usleep(1000);
	}
}

/* What that front hears of the master. */
static uint8_t
hear(size_t front, uint64_t *sid_r)
{
	struct fault f = { .text = "the end" };

	if (link_recv(it.part[FRONT + front].master, permit_verdict,
	    permit_verdict_n, 0, LONG_MS, &it.in, &f) != 1)
		fail_msg("front %zu hears no verdict after %lu: %s", front,
		    (unsigned long)*sid_r, f.text);
	*sid_r = link_get_u64(&it.in);
	return link_get_u8(&it.in);
}

static struct sock_addr
nobody(void)
{
	struct sock_addr a = { .family = 4, .raw = { 192, 0, 2, 7 } };

	sock_addr_text(&a);
	return a;
}

/* ------------------------------------------------------------------- tests */

/* More verdicts than a link takes, for a front that is busy: it hears all. */
static void
test_busy_front(void **state UNUSED)
{
	enum { MANY = 1000 };
	const struct sock_addr	a = nobody();
	static bool		heard[MANY + 1];
	uint64_t		sid = 0;

	if (geteuid() != 0)
		skip();
	for (uint64_t i = 1; i <= MANY; i++)
		must_admit(i, 0, &a);
	must_admit(MANY + 1, 1, &a);
	assert_int_equal(hear(1, &sid), ANSWER_YES);	/* nobody else waits */
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(hear(0, &sid), ANSWER_YES);
		assert_in_range(sid, 1, MANY);
		assert_false(heard[sid]);
		heard[sid] = true;
	}
	assert_int_equal(count("front-link"), 0);
}

/* Who leaves thousands of messages unread does not listen at all: it is ended. */
static void
test_deaf_front(void **state UNUSED)
{
	const struct sock_addr	a = nobody();
	uint64_t		i = 0;

	if (geteuid() != 0)
		skip();
	while (i < CHILD_UNREAD_MAX)
		must_admit(++i, 0, &a);
	assert_int_equal(count("role-misbehaved"), 0);
	while (i % 100 != 0 || count("role-misbehaved") == 0)
		must_admit(++i, 0, &a);
	assert_in_range(i, CHILD_UNREAD_MAX + 1, 2 * CHILD_UNREAD_MAX);
	expect_new(FRONT);
	assert_int_equal(count("role-misbehaved"), 1);
	assert_int_equal(count("popper-front"), 1);
}

/* A front that dies takes the places with it of those whom it had not handed
 * over: there is room at once for others. */
static void
test_places_of_a_dead_front(void **state UNUSED)
{
	const struct sock_addr	a = nobody();
	uint64_t		sid;

	if (geteuid() != 0)
		skip();
	for (uint64_t i = 1; i <= edition.s.role.max_sessions; i++)
		must_admit(i, 0, &a);
	must_admit(7777, 1, &a);
	assert_int_equal(hear(1, &sid), ANSWER_FULL);
	assert_int_equal(kill(it.part[FRONT].pid, SIGKILL), 0);
	expect_new(FRONT);
	must_admit(8888, 1, &a);
	assert_int_equal(hear(1, &sid), ANSWER_YES);
	assert_int_equal(sid, 8888);
}

/* The new link that auth, or the resolver, is given of a new front. */
static int
take_front(int link, uint32_t index)
{
	struct fault f = { .text = "the end" };

	if (link_recv(link, permit_to_auth, permit_to_auth_n, 0, LONG_MS,
	    &it.in, &f) != 1)
		fail_msg("no new front: %s", f.text);
	assert_int_equal(link_get_u32(&it.in), index);
	return link_get_fd(&it.in, 0);
}

static void
expect_linked(int a, int b)
{
	char	c = '\0';

	assert_int_equal(send(a, "x", 1, 0), 1);
	assert_int_equal(recv(b, &c, 1, 0), 1);
	assert_int_equal(c, 'x');
}

/* A front that shuts its links down, or says what is for nobody, leaves nothing of
 * that to its successor: all its links are new, and whoever has the other ends is
 * told. */
static void
test_new_links(void **state UNUSED)
{
	if (geteuid() != 0)
		skip();
	for (uint32_t i = 0; i < 6; i++) {
		struct part_of	*front = &it.part[FRONT + i % FRONTS];
		int		 auth, resolver;

		assert_int_equal(send(front->auth[0], "old", 3, 0), 3);
		assert_int_equal(send(front->other[0], "old", 3, 0), 3);
		(void)shutdown(front->auth[0], SHUT_RDWR);
		(void)shutdown(front->other[0], SHUT_RDWR);
		if (i % 3 == 0)
			(void)shutdown(front->master, SHUT_RDWR);
		else if (i % 3 == 1)
			(void)shutdown(front->log, SHUT_RDWR);
		else
			(void)kill(front->pid, SIGKILL);
		expect_new(FRONT + i % FRONTS);
		auth = take_front(it.part[AUTH].master, i % FRONTS);
		resolver = take_front(it.part[RESOLVER].master, i % FRONTS);
		expect_linked(front->auth[0], auth);
		expect_linked(resolver, front->other[0]);
		fd_close(&auth);
		fd_close(&resolver);
	}
	assert_int_equal(count("role-misbehaved"), 4);
}

/* Nor does an auth that dies: what it was asked, and had not yet said, is nobody's,
 * and all fronts are told. */
static void
test_new_auth(void **state UNUSED)
{
	if (geteuid() != 0)
		skip();
	(void)kill(it.part[AUTH].pid, SIGKILL);
	expect_auth();
	for (size_t i = 0; i < FRONTS; i++) {
		int auth = take_auth(i);

		expect_linked(auth, it.part[AUTH].auth[i]);
		fd_close(&auth);
	}
}

/* Which link of a role's; the receiver's table. */
struct way {
	const char			*name;
	size_t				 part;
	bool				 log;
	const struct link_permit	*table;
	const size_t			*n;
};

static int
link_of(const struct way *w)
{
	return w->log ? it.part[w->part].log : it.part[w->part].master;
}

/* Wherever the form is permitted: does the master take it nevertheless? */
static bool
is_taken(const struct way *w, const struct mad *c)
{
	if (!c->formal)
		return false;
	return w->log || c->type == MSG_ENDED || c->type == MSG_START ||
	    c->type == MSG_START_REST ||
	    c->type == MSG_START_RELAY;	/* of nobody whom it knows */
}

static void
say_mad(const struct way *w, const struct mad *c)
{
	assert_int_equal(truncate(paths[3], 0), 0);
	if (!mad_say(c, link_of(w), spare[0]))
		fail_msg("%s: message %u cannot be sent", w->name, c->type);
	if (is_taken(w, c))
		return;
	expect_again(w->part);
	if (w->part == FRONT) {
		fd_close(&(int){ take_front(it.part[AUTH].master, 0) });
		fd_close(&(int){ take_front(it.part[RESOLVER].master, 0) });
	}
	if (count("role-misbehaved") != 1)
		fail_msg("%s: message %u with %u octets and %u descriptors",
		    w->name, c->type, c->size, c->fds);
}

/* Whatever a role says that it never says: that one is ended, and nobody else; the
 * next one is listened to, and no descriptor is left. */
static void
test_mad_roles(void **state UNUSED)
{
	static const size_t	none = 0;
	const struct way	ways[] = {
		{ "auth", AUTH, false, permit_admit, &permit_admit_n },
		{ "auth's log", AUTH, true, permit_log_ask, &permit_log_ask_n },
		{ "warden's log", WARDEN, true, permit_log_ask,
		    &permit_log_ask_n },
		{ "spawner", SPAWNER, false, permit_ended, &permit_ended_n },
		{ "resolver", RESOLVER, false, NULL, &none },
		{ "ctl", CTL, false, permit_ctl_act, &permit_ctl_act_n },
		{ "ctl's log", CTL, true, permit_log_ask, &permit_log_ask_n },
		{ "metrics' log", METRICS, true, permit_log_ask,
		    &permit_log_ask_n },
		{ "front", FRONT, false, permit_start, &permit_start_n },
		{ "front's log", FRONT, true, permit_serves_ask,
		    &permit_serves_ask_n },
	};
	const struct sock_addr	a = nobody();
	uint64_t		sid = 0;
	size_t			fds;

	if (geteuid() != 0)
		skip();
	fds = master_fds();
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct mad c;

		mad_init(&c, ways[i].table, *ways[i].n);
		while (mad_next(&c))
			say_mad(&ways[i], &c);
		must_admit(1000 + i, 1, &a);
		assert_int_equal(hear(1, &sid), ANSWER_YES);
		assert_int_equal(sid, 1000 + i);
	}
	assert_int_equal(master_fds(), fds);
}

/* A role that shuts its link down is no more than one that says nonsense. */
static void
test_shut_links(void **state UNUSED)
{
	const struct sock_addr	a = nobody();
	uint64_t		sid = 0;

	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < 2u * FRONT; i++) {
		size_t part = i / 2;

		if (i == 2 * WARDEN)
			continue;	/* the master is no party to that one */
		(void)shutdown(i % 2 == 0 ? it.part[part].master :
		    it.part[part].log, SHUT_RDWR);
		if (part == AUTH)
			(void)shutdown(it.part[AUTH].other[0], SHUT_RDWR);
		expect_again(part);
		if (part == AUTH)
			expect_linked(it.part[AUTH].other[0],
			    it.part[WARDEN].master);
		must_admit(1000 + i, 1, &a);
		assert_int_equal(hear(1, &sid), ANSWER_YES);
	}
	assert_int_equal(count("role-misbehaved"), 2 * FRONT - 1);
}

/* A session under the dotlock of its UPDATE, or another one, that does not end. */
static void
open_session(bool dotlock, int *client_r, int *link_r)
{
	struct sock_addr	peer;
	struct fault		f = { .text = "the end" };
	uint64_t		sid;
	int			served;

	mad_connect(client_r, &served, &peer);
	must_admit(5, 0, &peer);
	assert_int_equal(hear(0, &sid), ANSWER_YES);
	link_out_init(&it.out, MSG_START);
	link_put_u64(&it.out, 5);
	link_put_u8(&it.out, 0);
	assert_int_equal(link_send(it.part[FRONT].master, &it.out, &served, 1,
	    &f), 0);
	fd_close(&served);
	if (link_recv(it.part[SPAWNER].master, permit_spawn, permit_spawn_n, 0,
	    LONG_MS, &it.in, &f) != 1)
		fail_msg("no session is wanted: %s", f.text);
	*link_r = link_get_fd(&it.in, 0);
	link_in_fini(&it.in);
	link_out_init(&it.out, MSG_FACTS);
	link_put_u32(&it.out, 1000000000);
	link_put_u32(&it.out, (uint32_t)it.part[SPAWNER].pid);
	link_put_u8(&it.out, 0);
	link_put_u8(&it.out, 1);
	link_put_u8(&it.out, HOST_NAMED);
	link_put_span(&it.out, span_str("/nonexistent/ann"));
	link_put_span(&it.out, span_str("key"));
	link_put_span(&it.out, span_str("lock"));
	link_put_u64(&it.out, dotlock ? 77 : 0);
	assert_int_equal(link_send(*link_r, &it.out, NULL, 0, &f), 0);
	/* What is said later is heard later. */
	link_out_init(&it.out, MSG_LOG_ASK);
	assert_int_equal(link_send(*link_r, &it.out, NULL, 0, &f), 0);
	assert_int_equal(link_recv(*link_r, permit_log_fd, permit_log_fd_n, 0,
	    LONG_MS, &it.in, &f), 1);
	link_in_fini(&it.in);
}

/* How long a stop takes, by the master's clock. */
static uint64_t
stop_ms(bool dotlock)
{
	uint64_t	start;
	int		client, link;

	open_session(dotlock, &client, &link);
	start = __real_clock_ms();
	(void)kill(it.master, SIGTERM);
	assert_int_equal(wait_for_master(), 0);
	assert_int_equal(count("1 sessions did not end in time"), 1);
	fd_close(&client);
	fd_close(&link);
	return 10 * (__real_clock_ms() - start);
}

static int
begin_hasty(void **state)
{
	int result;

	haste = 10;
	result = begin(state);
	haste = 1;
	return result;
}

static int
end_stopped(void **state UNUSED)
{
	for (size_t i = 0; geteuid() == 0 && i < ARRAY_LEN(it.part); i++)
		forget_part(&it.part[i]);
	fd_close(&it.ours);
	return 0;
}

/* A stop waits ten seconds for a session, */
static void
test_stop(void **state UNUSED)
{
	if (geteuid() != 0)
		skip();
	assert_in_range(stop_ms(false), 9000, 55000);
}

/* and a minute for one whose dotlock is the master's to remove. */
static void
test_stop_under_dotlock(void **state UNUSED)
{
	if (geteuid() != 0)
		skip();
	assert_true(stop_ms(true) >= 58000);
}

static int
begin_false(void **state)
{
	int result;

	false_counts = 1000;
	result = begin(state);
	false_counts = 0;
	return result;
}

/* A front that counts whom it does not have is ended. */
static void
test_false_tally(void **state UNUSED)
{
	if (geteuid() != 0)
		skip();
	while (take_part() != FRONT)
		;			/* the first ones may still begin */
	assert_true(count("a false tally") > 0);
}

/* Who was not told to leave does not say that it does. */
static void
test_front_that_leaves_untold(void **state UNUSED)
{
	struct fault f;

	if (geteuid() != 0)
		skip();
	link_out_init(&it.out, MSG_LEAVES);
	assert_int_equal(link_send(it.part[FRONT].master, &it.out, NULL, 0, &f),
	    0);
	expect_new(FRONT);
	assert_int_equal(count("role-misbehaved"), 1);
}

/* After a SIGHUP: all of the new crew, and so many of the old one. */
static void
expect_crew(size_t others)
{
	size_t n[2] = { 0, 0 };

	while (n[1] < CREW || n[0] < others)
		n[take_part() / CREW]++;
	assert_int_equal(n[0], others);
	assert_int_equal(n[1], CREW);
}

/* What a front of the old crew is told, whatever is first: to leave, and, if there
 * is one, of a new auth, whose link is returned. */
static int
told_to_leave(size_t front, bool auth)
{
	struct fault	f = { .text = "the end" };
	int		fd = -1;

	for (size_t i = 0; i < 1 + (size_t)auth; i++) {
		if (link_recv(it.part[FRONT + front].master, permit_to_front,
		    permit_to_front_n, 0, LONG_MS, &it.in, &f) != 1)
			fail_msg("not told to leave: %s", f.text);
		if (it.in.type == MSG_AUTH)
			fd = link_get_fd(&it.in, 0);
		else
			assert_int_equal(it.in.type, MSG_LEAVE);
	}
	assert_int_equal(fd >= 0, auth);
	return fd;
}

static void
say_as_front(size_t front, uint16_t type)
{
	struct fault f;

	link_out_init(&it.out, type);
	assert_int_equal(link_send(it.part[FRONT + front].master, &it.out, NULL,
	    0, &f), 0);
}

/* Whoever has the other end has closed it. */
static void
expect_end(int link)
{
	struct pollfd	w = { .fd = link, .events = POLLIN };
	char		c;

	assert_int_equal(poll(&w, 1, LONG_MS), 1);
	assert_int_equal(recv(link, &c, 1, 0), 0);
}

static void
linked_to_new_auth(const int *auth)
{
	for (size_t i = 0; i < FRONTS; i++) {
		expect_linked(auth[i], it.part[AUTH].auth[i]);
		fd_close(&it.part[FRONT + i].auth[0]);
		it.part[FRONT + i].auth[0] = auth[i];
	}
	expect_linked(it.part[AUTH].other[0], it.part[WARDEN].master);
}

/* Each of a crew that leaves whom its strangers may need: when he dies another one
 * is there, with all links. */
static void
expect_others_anew(void)
{
	int	auth[FRONTS];

	(void)kill(it.part[AUTH].pid, SIGKILL);
	expect_auth();
	for (size_t i = 0; i < FRONTS; i++)
		auth[i] = take_auth(i);
	for (size_t i = WARDEN; i <= RESOLVER; i++) {
		(void)kill(it.part[i].pid, SIGKILL);
		expect_new(i);
	}
	linked_to_new_auth(auth);
	expect_linked(it.part[FRONT].other[0], it.part[RESOLVER].auth[0]);
}

/* That goes on as long as a front of it has strangers; then all that it had is at an
 * end, even if a front has died that had not read of the last auth. */
static void
test_reload(void **state UNUSED)
{
	if (geteuid() != 0)
		skip();
	(void)kill(it.master, SIGHUP);
	expect_crew(0);
	for (size_t i = 0; i < FRONTS; i++)
		(void)told_to_leave(i, false);
	expect_others_anew();

	say_as_front(0, MSG_LEAVES);
	say_as_front(0, MSG_RELAYS);
	fd_close(&it.part[FRONT].auth[0]);
	expect_end(it.part[AUTH].auth[0]);
	(void)kill(it.part[AUTH].pid, SIGKILL);
	expect_auth();
	(void)kill(it.part[FRONT + 1].pid, SIGKILL);
	forget_part(&it.part[FRONT + 1]);
	expect_end(it.part[AUTH].auth[1]);
	fd_close(&it.part[AUTH].other[0]);
	expect_end(it.part[WARDEN].master);
	for (size_t i = AUTH; i <= FRONT; i++)
		if (i != SPAWNER && i != CTL && i != METRICS)
			(void)kill(it.part[i].pid, SIGKILL);
	expect_end(it.part[SPAWNER].master);
	assert_int_equal(recv(it.ours, &(char){ 0 }, 1, MSG_DONTWAIT), -1);
	assert_int_equal(count("role-misbehaved"), 0);
}

/* A stop ends a reload as well: that old fronts leave means nothing any more. */
static void
test_stop_in_a_reload(void **state UNUSED)
{
	int		client, link;
	struct fault	f;

	if (geteuid() != 0)
		skip();
	open_session(false, &client, &link);	/* the stop waits for it */
	(void)kill(it.master, SIGHUP);
	expect_crew(0);
	(void)kill(it.master, SIGTERM);
	for (size_t i = 0; i < 2 * FRONTS; i++)
		while (kill(it.part[i / FRONTS * CREW + FRONT + i % FRONTS].pid,
		    0) == 0)
			(void)usleep(1000);
	for (size_t i = 0; i < FRONTS; i++)
		say_as_front(i, MSG_LEAVES);
	(void)usleep(100000);
	link_out_init(&it.out, MSG_ENDED);
	link_put_u32(&it.out, 1);
	link_put_u32(&it.out, 0);
	assert_int_equal(link_send(it.part[SPAWNER].master, &it.out, NULL, 0,
	    &f), 0);
	fd_close(&client);
	fd_close(&link);
	assert_int_equal(wait_for_master(), 0);
	if (count("it does not leave") == 0)	/* for half a minute: a slow machine */
		assert_int_equal(count(": reloaded "), 0);
}

/* Nor does it matter when he died: a moment before the old crew was to leave. */
static void
test_reload_without_auth(void **state UNUSED)
{
	int	auth[FRONTS];

	if (geteuid() != 0)
		skip();
	(void)kill(it.master, SIGSTOP);
	(void)kill(it.part[AUTH].pid, SIGKILL);
	(void)kill(it.master, SIGHUP);
	(void)kill(it.master, SIGCONT);
	expect_crew(2);
	for (size_t i = 0; i < FRONTS; i++)
		auth[i] = told_to_leave(i, true);
	linked_to_new_auth(auth);
}

static int
begin_by_inetd(void **state)
{
	int result;

	inetd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (inetd < 0 || listen(inetd, 1) != 0)
		return -1;
	*within = 1;
	result = begin(state);
	fd_close(&inetd);
	return result;
}

/* Not as long as a front has somebody, whatever else it counts. */
static void
test_end_without_clients(void **state UNUSED)
{
	int status;

	if (geteuid() != 0)
		skip();
	(void)usleep(1500000);
	assert_int_equal(waitpid(it.master, &status, WNOHANG), 0);
	assert_int_equal(count("listening-ended"), 0);
	(void)kill(it.part[FRONT].pid, SIGKILL);
	assert_int_equal(wait_for_master(), 0);
	assert_int_equal(count("listening-ended"), 1);
}

/* ------------------------------------------------------------------ frame */

static int
setup(void **state UNUSED)
{
	static const char *const	names[] = { "state", "run", "empty", "log",
					"metrics" };
	struct log_conf			c = { .to = LOG_TO_FILE,
					    .trace_fd = -1, .socket = "" };

	struct fault			f;

	within = shared_new(sizeof(*within), &f);
	if (within == NULL || mkdtemp(folder) == NULL ||
	    pipe2(spare, O_CLOEXEC) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		(void)snprintf(paths[i], sizeof(paths[i]), "%s/%s", folder,
		    names[i]);
	for (size_t i = 0; i < 3; i++)
		if (mkdir(paths[i], 0755) != 0)
			return -1;
	edition.s = (struct settings){
		.role = {
			.front_user = "65534", .auth_user = "65533",
			.fronts = FRONTS, .max_sessions = 1100,
			.max_sessions_per_user = 1100,
			.max_strangers = 100, .peer_check = true,
			.inetd_idle_s = 1,
			.state_dir = paths[0], .run_dir = paths[1],
			.chroot_dir = paths[2], .name_servers = "",
			.ctl_socket = "", .ctl_group = "", .metrics = paths[4],
		},
		.krb = { .keytab = "", .realms = "" },
		.token = { .jwks = "", .introspection = "" },
		.auth = {
			.source = AUTH_FILE, .uid_min = 1000, .uid_max = 60000,
			.gid_min = 100, .gids_denied = "4711",
			.shells_file = "/nonexistent",
		},
	};
	c.file = paths[3];
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
		CASE(test_busy_front),
		CASE(test_deaf_front),
		CASE(test_places_of_a_dead_front),
		CASE(test_new_links),
		CASE(test_new_auth),
		CASE(test_mad_roles),
		CASE(test_shut_links),
		cmocka_unit_test_setup_teardown(test_stop, begin_hasty,
		    end_stopped),
		cmocka_unit_test_setup_teardown(test_stop_under_dotlock,
		    begin_hasty, end_stopped),
		cmocka_unit_test_setup_teardown(test_false_tally, begin_false,
		    end),
		CASE(test_front_that_leaves_untold),
		CASE(test_reload),
		CASE(test_reload_without_auth),
		cmocka_unit_test_setup_teardown(test_stop_in_a_reload, begin,
		    end_stopped),
		cmocka_unit_test_setup_teardown(test_end_without_clients,
		    begin_by_inetd, end_stopped),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
