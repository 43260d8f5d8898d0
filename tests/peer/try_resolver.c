/* SPDX-License-Identifier: ISC */
/*
 * The resolver by itself, for test_peer.py and test_peers.py:
 *	try_resolver SERVERS TIMEOUT_MS LOG_SOCKET ADDRESS [USER CHROOT]
 *	try_resolver SERVERS TIMEOUT_MS LOG_SOCKET FRONTS [USER CHROOT]
 * With USER and CHROOT (as root) in its cage, else only its two halves.  The
 * table of hosts is $TRY_HOSTS, if that is set.
 *
 * FRONTS is a number: the resolver of popper serve, with so many links.  What is
 * sent on them comes from standard input, a line each:
 *	FRONT SID ADDRESS	a client ("local": none with an address)
 *	FRONT nonsense		a message that no front may send
 *	FRONT short		a client that lacks its port
 *	FRONT fd		a client and a descriptor
 *	FRONT raw		no message at all
 *	FRONT close
 *	0 stop			SIGTERM
 *	0 later MS		from now on it is so much later
 * At its end all links are closed.  "lost" is printed for what the resolver did
 * not take, and at last "ended STATUS".
 */
#include "role/ask_log.h"
#include "role/permit.h"
#include "role/resolver.h"
#include "role/wire.h"
#include "sys/cage.h"
#include "sys/file.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include "base/alloc.h"
#include "base/num.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRONTS_MAX = 64, END_MS = 60000 };

/* The clock of all processes here, put forward; shared. */
static _Atomic uint64_t	*later_ms;

uint64_t	__real_clock_ms(void);
uint64_t	__wrap_clock_ms(void);

uint64_t
__wrap_clock_ms(void)
{
	return __real_clock_ms() + *later_ms;
}

static bool
peer_from(const char *text, struct sock_addr *out)
{
	*out = (struct sock_addr){ .family = 0 };
	if (inet_pton(AF_INET, text, out->raw) == 1)
		out->family = 4;
	else if (inet_pton(AF_INET6, text, out->raw) == 1)
		out->family = 6;
	sock_addr_text(out);
	return out->family != 0;
}

static int
without_cage(const struct resolver_conf *c, const struct sock_addr *peer)
{
	struct resolver	*r;
	struct fault	 f;

	if (resolver_prepare(c, peer, &r, &f) == -1) {
		log_fault(LEVEL_ERR, "peer-check", &f);
		return EXIT_FAILURE;
	}
	if (r != NULL)
		resolver_work(r);
	return EXIT_SUCCESS;
}

/* ------------------------------------------------------- many */

struct many {
	size_t	n;
	int	fronts[FRONTS_MAX];	/* ours; -1: closed */
	int	log_link;
	pid_t	pid;
};

static int
many_without_cage(const struct resolver_conf *c, const int *fronts, size_t n)
{
	struct resolver_many	*m;
	struct fault		 f;

	if (resolver_many_prepare(c, fronts, n, -1, &m, &f) == -1) {
		log_fault(LEVEL_ERR, "peer-check", &f);
		return EXIT_FAILURE;
	}
	resolver_many_work(m);
	return EXIT_SUCCESS;
}

static int
start(struct many *m, const struct resolver_conf *c, struct fault *f)
{
	int theirs[FRONTS_MAX];
	int log_link;

	for (size_t i = 0; i < m->n; i++)
		if (link_pair(&m->fronts[i], &theirs[i], f) != 0)
			return -1;
	if (link_pair(&m->log_link, &log_link, f) != 0 ||
	    (m->pid = spawn_fork(f)) < 0)
		return -1;
	if (m->pid == 0) {
		for (size_t i = 0; i < m->n; i++)
			fd_close(&m->fronts[i]);
		fd_close(&m->log_link);
		if (c->user != NULL)
			resolver_main(c, theirs, m->n, -1, log_link);
		spawn_exit(many_without_cage(c, theirs, m->n));
	}
	for (size_t i = 0; i < m->n; i++)
		fd_close(&theirs[i]);
	fd_close(&log_link);
	return 0;
}

/* A front would not wait; but then a test would not know what was lost. */
static void
send_surely(int fd, const struct link_out *out, const int *fds, uint8_t nfds)
{
	struct fault f;

	while (link_send(fd, out, fds, nfds, &f) != 0) {
		if (f.err != EAGAIN) {
			puts("lost");
			return;
		}
		clock_sleep(1);
	}
}

static void
say(struct many *m, int *fd, const char *what, const char *address)
{
	struct sock_addr	a = { .family = 0 };
	struct link_out		out;
	uint64_t		sid;

	link_out_init(&out, MSG_PEER);
	if (strcmp(what, "close") == 0) {
		fd_close(fd);
	} else if (strcmp(what, "stop") == 0) {
		spawn_stop(m->pid);
	} else if (strcmp(what, "later") == 0) {
		if (num_parse(span_str(address), UINT32_MAX, &sid))
			*later_ms += sid;
	} else if (strcmp(what, "raw") == 0) {
		if (send(*fd, "x", 1, MSG_NOSIGNAL) != 1)
			puts("lost");
	} else if (strcmp(what, "nonsense") == 0) {
		link_out_init(&out, MSG_ADMIT);
		send_surely(*fd, &out, NULL, 0);
	} else if (strcmp(what, "short") == 0) {
		link_put_u64(&out, 1);
		link_put_u8(&out, 4);
		send_surely(*fd, &out, NULL, 0);
	} else if (num_parse(span_str(what), UINT64_MAX, &sid) &&
	    (peer_from(address, &a) || strcmp(address, "local") == 0)) {
		link_put_u64(&out, sid);
		wire_put_peer(&out, &a);
		send_surely(*fd, &out, NULL, 0);
	} else if (strcmp(what, "fd") == 0) {
		link_put_u64(&out, 1);
		wire_put_peer(&out, &a);
		send_surely(*fd, &out, &m->log_link, 1);
	}
}

static void
command(struct many *m, const char *line)
{
	char		what[32];
	char		address[SOCK_ADDR_MAX] = "";
	unsigned	front;

	if (sscanf(line, "%u %31s %63s", &front, what, address) >= 2 &&
	    front < m->n)
		say(m, &m->fronts[front], what, address);
	(void)fflush(stdout);
}

/* Lines of standard input; meanwhile, the resolver may want a new log. */
static void
drive(struct many *m)
{
	char		b[8192];
	size_t		n = 0;
	ssize_t		got = 1;
	struct fault	f;

	while (got > 0) {
		struct wait_for w[2] = {
			{ .fd = 0, .events = WAIT_READ },
			{ .fd = m->log_link, .events = WAIT_READ },
		};
		char *end;

		(void)sock_wait(w, 2, -1);
		if (w[1].ready && ask_serve_log(m->log_link, NULL, &f) != 1)
			fd_close(&m->log_link);
		if (!w[0].ready)
			continue;
		got = read(0, b + n, sizeof(b) - n - 1);
		n += got > 0 ? (size_t)got : 0;
		b[n] = '\0';
		while ((end = strchr(b, '\n')) != NULL) {
			*end = '\0';
			command(m, b);
			n -= (size_t)(end + 1 - b);
			memmove(b, end + 1, n + 1);
		}
	}
}

static int
many(const struct resolver_conf *c, size_t n)
{
	struct many	m = { .n = n };
	struct fault	f;
	int		status = -1;

	if (start(&m, c, &f) != 0) {
		(void)fprintf(stderr, "%s\n", f.text);
		return EXIT_FAILURE;
	}
	drive(&m);
	for (size_t i = 0; i < m.n; i++)
		fd_close(&m.fronts[i]);
	if (spawn_wait(m.pid, END_MS, &status) == 0)
		spawn_kill(m.pid);
	(void)printf("ended %d\n", status);
	(void)fflush(stdout);
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	struct sock_addr	peer;
	struct resolver_conf	c;
	uint64_t		ms;
	uint64_t		fronts = 0;
	int			result;

	if ((argc != 5 && argc != 7) ||
	    !num_parse(span_str(argv[2]), 60000, &ms) ||
	    (!peer_from(argv[4], &peer) &&
	    !num_parse(span_str(argv[4]), FRONTS_MAX, &fronts))) {
		fputs("usage: try_resolver SERVERS TIMEOUT_MS LOG_SOCKET "
		    "ADDRESS|FRONTS [USER CHROOT]\n", stderr);
		return EXIT_FAILURE;
	}
	later_ms = mmap(NULL, sizeof(*later_ms), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (later_ms == MAP_FAILED)
		return EXIT_FAILURE;
	cage_process_defaults();
	log_open(&(struct log_conf){ .to = LOG_TO_SYSLOG, .socket = argv[3],
	    .facility = 2, .debug = true, .trace_fd = -1 });
	c = (struct resolver_conf){ .name_servers = argv[1],
	    .timeout_ms = (unsigned)ms, .user = argv[5],
	    .chroot_dir = argc == 7 ? argv[6] : NULL,
	    .hosts = getenv("TRY_HOSTS") };
	if (fronts > 0)
		result = many(&c, fronts);
	else
		result = argc == 7 ? resolver_run(&c, &peer) :
		    without_cage(&c, &peer);
	log_close();
	spawn_exit(result);		/* as the real one ends */
}
