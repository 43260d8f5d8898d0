/* SPDX-License-Identifier: ISC */
#include "role/auth_stage_test.h"

#include "role/auth.h"
#include "role/ctl.h"
#include "role/warden.h"
#include "role/wire.h"
#include "sys/test_dir.h"
#include "sys/test_fork.h"
#include "watch/log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PATH_ROOM	100
#define MOST_TRIES	3		/* of what that machine was too slow for */

struct stage		 it;
struct settings		 conf;
char			 users_file[PATH_ROOM];
char			 deny_file[PATH_ROOM];
static char		 empty_folder[PATH_ROOM];
static char		 log_file[PATH_ROOM];
static char		 folder[] = "/tmp/popper-auth-test.XXXXXX";
int			 pipe_ends[2];
char			 seen[1 << 20];
struct penalty		*penalty;
struct sock_addr	 peer;
uint8_t			 method;
uint64_t		 delay_ms;
bool			 late;

/* ------------------------------------------------------------ the house */

static pid_t
fork_auth(int *fronts, int master, int warden, int log_link)
{
	const struct auth_start	s = {
		.conf = &conf, .penalty = penalty,
		.fronts = fronts, .nfronts = FRONTS,
		.master = master, .warden = warden, .log_link = log_link,
	};
	pid_t			pid = test_fork();

	assert_true(pid >= 0);
	if (pid == 0)
		auth_main(&s);
	return pid;
}

void
begin(bool real_warden)
{
	int		fronts[FRONTS];
	int		master, warden, log[2];
	struct fault	f;

	if (geteuid() != 0)
		skip();
	for (int i = 0; i < FRONTS; i++)
		assert_int_equal(link_pair(&it.front[i], &fronts[i], &f), 0);
	assert_int_equal(link_pair(&it.master, &master, &f), 0);
	assert_int_equal(link_pair(&it.wardens, &warden, &f), 0);
	assert_int_equal(link_pair(&it.log[0], &log[0], &f), 0);
	assert_int_equal(link_pair(&it.log[1], &log[1], &f), 0);
	it.auth = fork_auth(fronts, master, warden, log[0]);
	for (int i = 0; i < FRONTS; i++)
		fd_close(&fronts[i]);
	fd_close(&master);
	fd_close(&warden);
	it.warden = 0;
	if (real_warden) {
		it.warden = test_fork();
		assert_true(it.warden >= 0);
		if (it.warden == 0)
			warden_main(&conf, it.wardens, log[1]);
		fd_close(&it.wardens);
	}
	fd_close(&log[0]);
	fd_close(&log[1]);
}

int
wait_for(pid_t pid)
{
	int status = -1;

	for (int i = 0; i < LONG_MS; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		(void)usleep(1000);
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	fail_msg("a process does not end");
	return -1;
}

void
end_with(int status)
{
	fd_close(&it.master);
	assert_int_equal(wait_for(it.auth), status);
	if (it.warden > 0)
		assert_int_equal(wait_for(it.warden), 0);
	for (int i = 0; i < FRONTS; i++)
		fd_close(&it.front[i]);
	fd_close(&it.wardens);
	fd_close(&it.log[0]);
	fd_close(&it.log[1]);
}

void
end(void)
{
	end_with(0);
}

size_t
count(const char *word)
{
	int		fd = open(log_file, O_RDONLY | O_CLOEXEC);
	ssize_t		n;
	size_t		hits = 0;

	assert_true(fd >= 0);
	n = read(fd, seen, sizeof(seen) - 1);
	seen[n < 0 ? 0 : n] = '\0';
	(void)close(fd);
	for (const char *p = seen; (p = strstr(p, word)) != NULL; p++)
		hits++;
	return hits;
}

void
forget_log(void)
{
	assert_int_equal(truncate(log_file, 0), 0);
}

void
put_text(const char *path, const char *rows)
{
	char	other[120];
	int	fd;

	(void)snprintf(other, sizeof(other), "%s.new", path);
	fd = open(other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, rows, strlen(rows)), strlen(rows));
	assert_int_equal(close(fd), 0);
	assert_int_equal(rename(other, path), 0);
}

void
try_with(void **state, void (*attempt)(void), unsigned more)
{
	for (unsigned try = 0, factor = 1; try < MOST_TRIES; try++,
	    factor *= more) {
		if (try > 0)
			assert_int_equal(afresh(state), 0);
		conf.role.auth_fail_delay_s = factor * DELAY_MS / 1000;
		conf.role.auth_timeout_s = factor * TIMEOUT_S;
		delay_ms = factor * DELAY_MS;
		late = false;
		attempt();
		if (!late)
			break;
	}
	assert_false(late);
}

void
in_time(void **state, void (*attempt)(void))
{
	try_with(state, attempt, 3);
}

void
expect_taken(uint64_t taken, uint64_t ms, unsigned later)
{
	assert_true(taken >= ms);
	late = late || taken > ms + delay_ms * later / 1000;
}

/* -------------------------------------------------------------- a front */

void
come_from(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	peer = (struct sock_addr){
		.family = 4, .raw = { a, b, c, d }, .port = 1023,
	};
	sock_addr_text(&peer);
}

/* Who is at the other end of the socket. */
static const struct sock_addr proxy = {
	.family = 6, .raw = { 0xfd, [15] = 9 }, .port = 4711,
};

static const struct auth_way way = {
	.local = { .family = 4, .raw = { 192, 0, 2, 1 }, .port = 995 },
	.tls = true,
};

void
put_fields(const char *user, const char *password)
{
	const struct wire_asked asked = {
		.method = method,
		.way = way,
		.user = span_str(user),
		.secret = span_str(password),
	};

	wire_put_peer(&it.out, &peer);
	wire_put_asked(&it.out, &asked);
}

void
put_check(uint64_t sid, const char *user, const char *password)
{
	link_out_init(&it.out, MSG_CHECK);
	link_put_u64(&it.out, sid);
	put_fields(user, password);
	wire_put_peer(&it.out, &proxy);
}

void
check(int front, uint64_t sid, const char *user, const char *password)
{
	struct fault f;

	put_check(sid, user, password);
	for (int i = 0; link_send(it.front[front], &it.out, NULL, 0, &f) != 0;
	    i++) {
		if (f.err != EAGAIN || i > LONG_MS)
			fail_msg("%s", f.text);
		(void)usleep(1000);
	}
}

void
begin_exchange(int front, uint64_t sid)
{
	method = AUTH_METHOD_SCRAM_SHA_256;
	check(front, sid, "", "n,,n=ann,r=abc");
	method = AUTH_METHOD_PASS;
}

void
respond(int front, uint64_t sid)
{
	struct fault f;

	wire_put_response(&it.out, sid, SPAN("y"), false);
	assert_int_equal(link_send(it.front[front], &it.out, NULL, 0, &f), 0);
}

void
wait_read(int front)
{
	for (int i = 0; i < LONG_MS && sock_unsent(it.front[front]) > 0; i++)
		(void)usleep(1000);
	assert_int_equal(sock_unsent(it.front[front]), 0);
}

char
hear(int front, int timeout_ms, uint64_t *sid_r)
{
	static const char	letters[] = "yne";
	struct fault		f;
	int			got;

	got = link_recv(it.front[front], permit_verdict, permit_verdict_n, 0,
	    timeout_ms, &it.in, &f);
	if (got < 0 && f.err == ETIMEDOUT)
		return '-';
	if (got <= 0)
		return '.';
	*sid_r = link_get_u64(&it.in);
	return letters[link_get_u8(&it.in)];
}

void
expect(int front, char answer, uint64_t sid)
{
	uint64_t	got_sid = 0;
	char		got = hear(front, LONG_MS, &got_sid);

	if (got != answer || got_sid != sid)
		fail_msg("front %d heard %c for %lu, not %c for %lu", front,
		    got, got_sid, answer, sid);
}

void
new_front(uint32_t index)
{
	AUTO(fd_close) int	its = -1;
	struct fault		f;

	fd_close(&it.front[index]);
	assert_int_equal(link_pair(&it.front[index], &its, &f), 0);
	link_out_init(&it.out, MSG_FRONT);
	link_put_u32(&it.out, index);
	assert_int_equal(link_send(it.master, &it.out, &its, 1, &f), 0);
}

/* ----------------------------------------------------------- the master */

/* What the master was told: who has logged in.  Whether that was not hashed. */
static bool
get_admit(int front, uint64_t sid, const char *user)
{
	struct sock_addr	a;
	struct identity		id;
	struct fault		f = { .text = "the end" };
	uint8_t			cached;

	assert_int_equal(link_get_u64(&it.in), sid);
	assert_int_equal(link_get_u32(&it.in), front);
	cached = link_get_u8(&it.in);
	assert_in_range(cached, 0, 1);
	assert_int_equal(wire_get_peer(&it.in, &a, &f), 0);
	assert_string_equal(a.text, peer.text);
	assert_int_equal(a.port, peer.port);
	assert_int_equal(wire_get_identity(&it.in, &id, &f), 0);
	assert_int_equal(wire_get_peer(&it.in, &a, &f), 0);
	assert_true(sock_addr_same(&a, &proxy));
	assert_int_equal(link_get_end(&it.in, &f), 0);
	assert_string_equal(id.user, user);
	link_in_fini(&it.in);
	return cached == 1;
}

void
expect_admit_as(int front, uint64_t sid, const char *user, uint8_t cached)
{
	struct fault f = { .text = "the end" };

	if (link_recv(it.master, permit_admit, permit_admit_n, 0, LONG_MS,
	    &it.in, &f) != 1)
		fail_msg("%s", f.text);
	assert_int_equal(get_admit(front, sid, user), cached);
}

void
expect_admit(int front, uint64_t sid, const char *user)
{
	expect_admit_as(front, sid, user, 0);
}

void
log_in(int front, uint64_t sid)
{
	check(front, sid, "ann", "wonderland");
	expect_admit(front, sid, "ann");
}

/* What becomes of ann's question: the master is told ('y', or 'k': known before), or
 * her front is, before or after what becomes of wrong ones. */
static char
outcome(int front, uint64_t sid)
{
	uint64_t	end_ms = clock_ms() + LONG_MS;
	uint64_t	got = 0;
	struct fault	f;
	char		c = '-';

	while (got != sid) {
		if (link_recv(it.master, permit_admit, permit_admit_n, 0, 5,
		    &it.in, &f) == 1)
			return get_admit(front, sid, "ann") ? 'k' : 'y';
		c = hear(front, 5, &got);
		assert_true(c == '-' || c == 'n' || got == sid);
		assert_true(clock_ms() < end_ms);
	}
	return c;
}

void
expect_outcome(int front, uint64_t sid, char answer)
{
	char got = outcome(front, sid);

	if (got != answer)
		print_message("%llu: %c, not %c\n", (unsigned long long)sid,
		    got, answer);
	late = late || got != answer;
}

void
expect_flushed(const char *user, uint32_t n)
{
	struct ctl_whom	w = { .kind = user[0] == '\0' ? CTL_ALL : CTL_USER };
	struct fault	f = { .text = "the end" };
	int		ours, its;

	(void)snprintf(w.user, sizeof(w.user), "%s", user);
	assert_int_equal(link_pair(&ours, &its, &f), 0);
	link_out_init(&it.out, MSG_CTL_FLUSH);
	ctl_put_whom(&it.out, &w);
	assert_int_equal(link_send(it.master, &it.out, &its, 1, &f), 0);
	fd_close(&its);
	if (link_recv(ours, permit_ctl_answer, permit_ctl_answer_n, 0, LONG_MS,
	    &it.in, &f) != 1)
		fail_msg("%s", f.text);
	assert_int_equal(it.in.type, MSG_CTL_DONE);
	assert_int_equal(link_get_u8(&it.in), FAULT_NONE);
	assert_int_equal(link_get_u32(&it.in), n);
	link_in_fini(&it.in);
	fd_close(&ours);
}

/* --------------------------------------------- the warden, and a worker */

int
take_worker(void)
{
	struct fault f = { .text = "the end" };

	if (link_recv(it.wardens, permit_worker, permit_worker_n, 0, LONG_MS,
	    &it.in, &f) != 1)
		fail_msg("no worker is wanted: %s", f.text);
	return link_get_fd(&it.in, 0);
}

int
take_worker_of(uint8_t db)
{
	int link = take_worker();

	assert_int_equal(link_get_u8(&it.in), db);
	return link;
}

uint64_t
take_vouched(int link, uint64_t sid)
{
	uint64_t	vouched;
	struct fault f = { .text = "the end" };

	if (link_recv(link, permit_question, permit_question_n, 0, LONG_MS,
	    &it.in, &f) != 1)
		fail_msg("no question: %s", f.text);
	assert_int_equal(link_get_u64(&it.in), sid);
	vouched = link_get_u64(&it.in);
	link_in_fini(&it.in);
	return vouched;
}

void
take_question(int link, uint64_t sid)
{
	assert_int_equal(take_vouched(link, sid), 0);
}

void
deny(int link, uint8_t undecided)
{
	struct fault f;

	link_out_init(&it.out, MSG_DENY);
	link_put_u8(&it.out, undecided);
	assert_int_equal(link_send(link, &it.out, NULL, 0, &f), 0);
}

void
grant_print(int link, uint64_t print)
{
	const struct identity	id = { .user = "ann", .uid = 1500, .gid = 1501 };
	struct fault		f;

	link_out_init(&it.out, print == 0 ? MSG_GRANT : MSG_GRANT_PRINT);
	if (print != 0)
		link_put_u64(&it.out, print);
	wire_put_identity(&it.out, &id);
	assert_int_equal(link_send(link, &it.out, NULL, 0, &f), 0);
}

void
grant(int link)
{
	grant_print(link, 0);
}

void
retire(int link)
{
	struct fault f;

	link_out_init(&it.out, MSG_RETIRED);
	assert_int_equal(link_send(link, &it.out, NULL, 0, &f), 0);
}

void
put_challenge(int w, uint64_t sid, const char *user)
{
	struct fault f;

	wire_put_challenge(&it.out, sid, span_str(user), SPAN("x"));
	assert_int_equal(link_send(w, &it.out, NULL, 0, &f), 0);
}

void
challenge(int w, int front, uint64_t sid)
{
	struct fault f = { .text = "the end" };

	put_challenge(w, sid, "ann");
	if (link_recv(it.front[front], permit_verdict, permit_verdict_n, 0, LONG_MS,
	    &it.in, &f) != 1)
		fail_msg("%s", f.text);
	assert_int_equal(it.in.type, MSG_CHALLENGE);
	link_in_fini(&it.in);
}

void
take_said(int w, uint16_t type)
{
	struct fault f = { .text = "the end" };

	if (link_recv(w, permit_question, permit_question_n, 0, LONG_MS, &it.in,
	    &f) != 1)
		fail_msg("%s", f.text);
	assert_int_equal(it.in.type, type);
	link_in_fini(&it.in);
}

void
expect_closed(int *link)
{
	struct fault f;

	assert_int_equal(link_recv(*link, permit_question, permit_question_n, 0,
	    LONG_MS, &it.in, &f), 0);
	fd_close(link);
}

/* ---------------------------------------------------------------- frame */

static void
settle(void)
{
	conf = (struct settings){
		.role = {
			.front_user = "65534", .auth_user = "65533",
			.auth_workers = 2, .chroot_dir = empty_folder,
			.auth_timeout_s = TIMEOUT_S,
			.auth_fail_delay_s = DELAY_MS / 1000,
			.auth_cache_size = 64,
		},
		.krb = { .keytab = "", .realms = "" },
		.token = { .jwks = "", .introspection = "" },
		.auth = {
			.source = AUTH_FILE, .passwd_file = users_file,
			.virtual_user = "1500:1501", .uid_min = 1000,
			.uid_max = 60000, .gid_min = 100,
			.gids_denied = "4711", .deny_file = deny_file,
			.allow_file = "", .master_users = "",
			.client_ca = "", .client_crl = "",
			.rpop_file = "", .shells_file = "/nonexistent",
			.pam_service = "popper",
		},
	};
}

int
afresh(void **state UNUSED)
{
	struct fault f;

	if (penalty != NULL)
		penalty_free(penalty);
	penalty = penalty_new(&f);
	if (penalty == NULL)
		return -1;
	settle();
	forget_log();
	put_text(users_file, USERS);
	come_from(127, 0, 0, 1);
	return 0;
}

static void
put_path(char out[PATH_ROOM], const char *name)
{
	(void)snprintf(out, PATH_ROOM, "%s/%s", folder, name);
}

int
setup(void **state UNUSED)
{
	struct log_conf c = { .to = LOG_TO_FILE, .trace_fd = -1, .socket = "" };

	if (mkdtemp(folder) == NULL || pipe2(pipe_ends, O_CLOEXEC) != 0)
		return -1;
	put_path(users_file, "users");
	put_path(deny_file, "deny");
	put_path(empty_folder, "empty");
	put_path(log_file, "log");
	if (chmod(folder, 0711) != 0 || mkdir(empty_folder, 0755) != 0)
		return -1;
	c.file = log_file;
	log_open(&c);
	return 0;
}

int
teardown(void **state UNUSED)
{
	log_close();
	return test_dir_remove(folder);
}
