/* SPDX-License-Identifier: ISC */
/*
 * Who is seated with whom, and what becomes of a group.  The linker puts this
 * file's usher in place of the real one (--wrap): it tells over a session's link
 * which process it is, and does what the session's sid says.  The test is the
 * spawner.
 */
#include "role/ask_log.h"
#include "role/groups.h"
#include "role/permit.h"
#include "role/usher.h"
#include "role/wire.h"

#include "sys/file.h"
#include "sys/sock.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS	20000
#define SEATS		16u
#define IDLE_MS		60000		/* of groups.c */
#define TOLD		9		/* status of who was told to end */

enum what { STAYS = 1, DIES, LIES };	/* by sid */

void	__real_loop_watch_set(struct loop_watch *w, unsigned what, uint64_t ms);
void	__wrap_loop_watch_set(struct loop_watch *w, unsigned what, uint64_t ms);
NORETURN void	__wrap_usher_main(const struct usher_start *c);

static struct settings	conf;
static struct loop	*loop;
static struct groups	*groups;
static bool		 impatient;	/* who is idle ends soon */
static struct {
	int		link;		/* our end; -1: not given */
	pid_t		usher;
	bool		ended;
	int		status;
} seats[SEATS];

void
__wrap_loop_watch_set(struct loop_watch *w, unsigned what, uint64_t ms)
{
	__real_loop_watch_set(w, what, ms == IDLE_MS && impatient ? 1 : ms);
}

/* --------------------------------------------------------------- the usher */

static void
say_ended(int link, uint32_t slot)
{
	struct link_out	m;
	struct fault	f;

	link_out_init(&m, MSG_ENDED);
	link_put_u32(&m, slot);
	link_put_u32(&m, TOLD);
	if (link_send(link, &m, NULL, 0, &f) != 0)
		_exit(1);
}

static void
seat(const struct usher_start *c, const struct order *o)
{
	pid_t self = getpid();

	if (write(o->link, &self, sizeof(self)) != sizeof(self) ||
	    o->id.uid != c->id->uid || !fd_is_socket(o->client))
		_exit(1);
	if (o->sid == DIES)
		_exit(3);
	if (o->sid == LIES)
		say_ended(c->spawner, o->slot + SEATS);
}

void
__wrap_usher_main(const struct usher_start *c)
{
	const int	keep[] = { c->spawner };
	struct link_in	m;
	struct order	o;
	struct fault	f;

	spawn_tie(getppid());
	shed_descriptors(keep, 1);
	while (link_recv(c->spawner, permit_usher, permit_usher_n, 0, -1, &m,
	    &f) == 1) {
		if (m.type == MSG_SIGNAL)
			say_ended(c->spawner, link_get_u32(&m));
		else if (order_read(&m, &o, &f) == 0)
			seat(c, &o);
		else
			_exit(1);
		link_in_fini(&m);
	}
	_exit(0);
}

/* -------------------------------------------------------------- the spawner */

static void
on_ended(void *ctx, uint32_t slot, int status)
{
	assert_ptr_equal(ctx, &seats);
	assert_true(slot < SEATS && seats[slot].link >= 0);
	assert_false(seats[slot].ended);
	seats[slot].ended = true;
	seats[slot].status = status;
}

static unsigned reaped;

static void
on_child(void *ctx UNUSED)
{
	pid_t	pid;
	int	status;

	while ((pid = spawn_reap(&status)) > 0) {
		reaped++;
		groups_reaped(groups, pid, status);
	}
}

static struct loop_watch	look;
static bool			(*condition)(uint32_t slot);
static uint32_t			condition_slot;
static uint64_t			condition_end;

static void
on_look(void *ctx UNUSED, unsigned what UNUSED)
{
	if (condition(condition_slot) || clock_ms() > condition_end)
		loop_end(loop);
	else
		loop_watch_set(&look, 0, 5);
}

static void
until(bool (*fn)(uint32_t slot), uint32_t slot)
{
	condition = fn;
	condition_slot = slot;
	condition_end = clock_ms() + PATIENCE_MS;
	loop_watch_set(&look, 0, 0);
	loop_run(loop);
	assert_true(fn(slot));
}

static bool
has_ended(uint32_t slot)
{
	return seats[slot].ended;
}

static bool
were_reaped(uint32_t n)
{
	return reaped >= n;
}

static const struct identity ann = { .user = "ann", .uid = 5000, .gid = 5000,
	.virtual = true };

static bool
give_type(uint16_t type, uint32_t slot, enum what sid, const struct identity *id)
{
	static struct link_out	out;
	static struct link_in	in;
	struct sock_addr	peer = { .family = 4, .port = 1 };
	struct order		o = { .rest = -1, .far = -1 };
	struct fault		f;
	bool			given;

	assert_int_equal(link_pair(&seats[slot].link, &o.link, &f), 0);
	assert_int_equal(link_pair(&o.client, &in.fds[0], &f), 0);
	fd_close(&in.fds[0]);
	link_out_init(&out, type);
	link_put_u32(&out, slot);
	link_put_u64(&out, sid);
	link_put_u8(&out, 0);
	link_put_u8(&out, 0);
	link_put_u8(&out, HOST_ANY);
	wire_put_peer(&out, &peer);
	wire_put_identity(&out, id);
	link_put_u8(&out, 0);
	in.type = type;
	in.n = out.n;
	memcpy(in.b, out.b, out.n);
	o.slot = slot;
	o.sid = sid;
	o.id = *id;
	given = groups_give(groups, &in, &o);
	order_close(&o);
	if (given)
		assert_int_equal(read(seats[slot].link, &seats[slot].usher,
		    sizeof(seats[slot].usher)), sizeof(seats[slot].usher));
	return given;
}

static pid_t
give(uint32_t slot, enum what sid, const struct identity *id)
{
	assert_true(give_type(MSG_SPAWN, slot, sid, id));
	return seats[slot].usher;
}

/* They live as long as their process, and so do all of ours. */
static struct groups *
new_groups(void)
{
	static struct groups	*kept[32];
	static size_t		 n;

	assert_true(n < ARRAY_LEN(kept));
	kept[n] = groups_new(&conf, "host", loop, on_ended, &seats);
	return kept[n++];
}

static int
setup(void **state UNUSED)
{
	struct fault f;

	conf = (struct settings){
		.role = { .sessions_per_process = 3 },
		.drop = { .status_headers = true },
	};
	for (size_t i = 0; i < SEATS; i++)
		seats[i].link = -1;
	reaped = 0;
	impatient = false;
	loop = loop_new(&f);
	if (loop == NULL)
		return -1;
	loop_on_signal(loop, LOOP_CHILD, on_child, NULL);
	loop_watch_init(&look, loop, -1, on_look, NULL);
	groups = new_groups();
	return 0;
}

/* Nobody is left: all seats are over, and idle ushers end. */
static int
teardown(void **state UNUSED)
{
	for (uint32_t i = 0; i < SEATS; i++) {
		if (seats[i].usher != 0 && !seats[i].ended) {
			(void)groups_signal(groups, i, false);
			until(has_ended, i);
		}
		fd_close(&seats[i].link);
		memset(&seats[i], 0, sizeof(seats[i]));
	}
	loop_watch_fini(&look);
	return 0;
}

/* -------------------------------------------------------------------- tests */

static void
test_with_whom(void **state UNUSED)
{
	struct identity	other[5];
	pid_t		pid = give(0, STAYS, &ann);

	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		other[i] = ann;
	(void)snprintf(other[0].user, sizeof(other[0].user), "bob");
	other[1].uid++;
	other[2].gid++;
	other[3].ngids = 1;
	other[3].gids[0] = 7;
	other[4].ngids = 1;
	other[4].gids[0] = 8;
	assert_int_equal(give(1, STAYS, &other[0]), pid);
	for (uint32_t i = 1; i < ARRAY_LEN(other); i++) {
		(void)give(i + 1, STAYS, &other[i]);
		for (uint32_t k = 0; k <= i; k++)
			assert_int_not_equal(seats[i + 1].usher,
			    seats[k].usher);
	}
}

static void
test_who_does_not(void **state UNUSED)
{
	struct identity system = ann;

	system.virtual = false;
	assert_false(give_type(MSG_SPAWN, 0, STAYS, &system));
	assert_false(give_type(MSG_HAND, 0, STAYS, &ann));
	conf.bull.dir = "/bulletins";
	assert_false(give_type(MSG_SPAWN, 0, STAYS, &ann));
	conf.bull.dir = "";
	conf.drop.status_headers = false;
	assert_false(give_type(MSG_SPAWN, 0, STAYS, &ann));
	conf.drop.status_headers = true;
	conf.role.sessions_per_process = 1;
	groups = new_groups();
	assert_false(give_type(MSG_SPAWN, 0, STAYS, &ann));
	assert_false(groups_signal(groups, 0, false));
}

static void
test_full(void **state UNUSED)
{
	pid_t first = give(0, STAYS, &ann);
	pid_t second;

	assert_int_equal(give(1, STAYS, &ann), first);
	assert_int_equal(give(2, STAYS, &ann), first);
	second = give(3, STAYS, &ann);
	assert_int_not_equal(second, first);
	assert_int_equal(give(4, STAYS, &ann), second);
	assert_int_equal(give(5, STAYS, &ann), second);
	assert_true(groups_signal(groups, 1, false));
	until(has_ended, 1);
	assert_int_equal(seats[1].status, TOLD);
	assert_int_equal(give(6, STAYS, &ann), first);
	assert_int_not_equal(give(7, STAYS, &ann), first);
	assert_int_not_equal(seats[7].usher, second);
}

static void
test_death(void **state UNUSED)
{
	struct identity	bob = ann;
	pid_t		first = give(0, STAYS, &ann);

	bob.uid++;
	(void)give(1, STAYS, &bob);
	assert_int_equal(give(2, DIES, &ann), first);
	until(has_ended, 2);
	until(has_ended, 0);
	assert_int_equal(seats[0].status, 3);
	assert_int_equal(seats[2].status, 3);
	assert_false(seats[1].ended);
	assert_int_not_equal(give(3, STAYS, &ann), first);
}

static void
test_nonsense(void **state UNUSED)
{
	(void)give(0, STAYS, &ann);
	(void)give(1, LIES, &ann);
	until(has_ended, 0);
	until(has_ended, 1);
	assert_int_equal(seats[0].status, 128 + SIGKILL);
}

static void
test_idle(void **state UNUSED)
{
	pid_t first = give(0, STAYS, &ann);

	assert_int_equal(give(1, STAYS, &ann), first);
	impatient = true;
	(void)groups_signal(groups, 0, false);
	until(has_ended, 0);
	clock_sleep(50);
	assert_int_equal(give(2, STAYS, &ann), first);
	(void)groups_signal(groups, 1, false);
	(void)groups_signal(groups, 2, false);
	until(were_reaped, 1);
	assert_true(seats[1].ended && seats[2].ended);
	assert_int_not_equal(give(3, STAYS, &ann), first);
}

int
main(void)
{
	static const struct log_conf none = { .to = LOG_TO_FILE,
		.file = "/dev/null", .trace_fd = -1, .socket = "" };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_with_whom, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_does_not, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_death, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nonsense, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
	};

	log_open(&none);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
