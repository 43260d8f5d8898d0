/* SPDX-License-Identifier: ISC */
/*
 * Each cage lets its role do its work, and stops what a role that was taken
 * over would try.  Everything runs in children, since there is no way back.
 */
#include "sys/cage.h"
#include "sys/cage_files.h"
#include "sys/file.h"
#include "sys/link.h"
#include "sys/local.h"
#include "sys/lock.h"
#include "sys/secmem.h"
#include "sys/sock.h"
#include "sys/spawn.h"
#include "sys/test_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <linux/aio_abi.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

enum { REFUSED = 77, FINE = 0 };

/* What the children find: a folder, a link, a pipe, a socket. */
static struct test_dir	*dir;
static int		 near;
static int		 far;
static int		 listener = -1;
static int		 loose = -1;	/* a datagram socket, as the log's is */

/* Limits, cage, then fn; gives what waitpid says. */
static int
in_cage(enum cage_kind kind, int (*fn)(void))
{
	int	status;
	pid_t	pid = fork();

	if (pid == 0) {
		struct fault	f;
		bool		degraded;

		cage_process_defaults();
		if (cage_limits(kind, &f) == -1 ||
		    cage_enter(kind, &degraded, &f) == -1 || degraded)
			_exit(99);
		_exit(fn());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* ------------------------------------------------------- work */

static int	open_copy = -1;

#define MUST(c)	do { if (!(c)) return __LINE__ % 90 + 1; } while (0)

/* What every role does: memory, time, chance, waiting, a line, a message. */
static int
work_common(void)
{
	struct link_out	o;
	struct fault	f;
	struct wait_for	w = { .fd = near, .events = WAIT_WRITE };
	struct tm	tm;
	time_t		now = time(NULL);
	char		text[64];
	uint8_t		random[300];
	char		*p = malloc(3 << 20);

	MUST(p != NULL);
	memset(p, 1, 3 << 20);
	p = realloc(p, 5 << 20);
	MUST(p != NULL);
	free(p);
	for (int i = 0; i < 2000; i++)
		free(malloc((size_t)i * 64));
	random_bytes(random, sizeof(random));
	MUST(localtime_r(&now, &tm) != NULL);
	MUST(strftime(text, sizeof(text), "%b %e", &tm) > 0);
	MUST(snprintf(text, sizeof(text), "%g", (double)now) > 0);
	MUST(clock_ms() > 0);
	clock_sleep(1);
	MUST(sock_wait(&w, 1, 100) == 1);
	secmem_lock(random, sizeof(random));
	link_out_init(&o, 1);
	link_put_u32(&o, 4);
	MUST(link_send(near, &o, NULL, 0, &f) == 0);
	MUST(fprintf(stderr, "%s", "") == 0);
	MUST(getpid() > 0);
	return FINE;
}

static int
work_stream(void)
{
	struct fault	f;
	char		c[4];
	int		high;

	MUST(fd_set_nonblock(near, &f) == 0);
	MUST(fd_dup_high(near, &high, &f) == 0);
	MUST(fd_close_checked(&high, &f) == 0);
	MUST(sock_write(near, SPAN("x"), &f) == 1);
	MUST(sock_read(near, c, 1, &f) == -1 && f.err == EAGAIN);
	(void)sock_unsent(near);
	MUST(fd_is_socket(near));
	sock_shutdown_write(near);
	return FINE;
}

/* What a client had sent ahead goes by a pipe; a pair of sockets is TLS's. */
static int
work_front(void)
{
	struct fault	f;
	char		c[4];
	int		a;
	int		b;

	MUST(fd_pipe(&a, &b, &f) == 0);
	MUST(file_write(b, "abc", 3, &f) == 0);
	MUST(file_read(a, c, 3, &f) == 3);
	MUST(sock_pair(&a, &b, &f) == 0);
	MUST(work_common() == FINE);
	return work_stream();
}

static int
work_auth(void)
{
	struct fault	f;
	int		a;
	int		b;

	MUST(link_pair(&a, &b, &f) == 0);
	fd_close(&a);
	fd_close(&b);
	return work_common();
}

/* Who has connected?  A link's other end is ourselves. */
static int
work_ctl(void)
{
	struct fault f;

	MUST(local_peer(near, getgid()) ==
	    (getuid() == 0 ? LOCAL_PEER_ROOT : LOCAL_PEER_MEMBER));
	(void)local_peer(near, 4711);
	MUST(local_hush(near, &f) == 0);
	return work_common();
}

/* What an HTTP library does to its sockets. */
static int
work_metrics(void)
{
	const int on = 1;

	MUST(setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1 &&
	    errno != ENOSYS);
	MUST(setsockopt(near, SOL_SOCKET, SO_DEBUG, &on, sizeof(on)) == -1 &&
	    errno == ENOSYS);
	MUST(shutdown(near, SHUT_WR) == 0);
	return FINE;
}

static int
try_socketpair(void)
{
	int s[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, s);
}

static int
work_verify(void)
{
	struct link_permit	table[] = { { 1, 0, 100, 0, 1 } };
	struct link_in		m;
	struct fault		f;

	MUST(link_recv(near, table, 1, 0, 10, &m, &f) == -1);
	MUST(f.err == ETIMEDOUT);
	return work_common();
}

static int
work_resolver(void)
{
	struct sockaddr_in	to = {
		.sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int n = 1;

	MUST(fd >= 0);
	MUST(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &n, sizeof(n)) == 0);
	MUST(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
	MUST(send(fd, "x", 1, MSG_NOSIGNAL) == 1);
	MUST(close(fd) == 0);
	MUST(socket(AF_INET6, SOCK_STREAM, 0) >= 0 || errno == EAFNOSUPPORT);
	MUST(socket(AF_UNIX, SOCK_DGRAM, 0) == -1);
	MUST(socket(AF_NETLINK, SOCK_RAW, 0) == -1);
	return work_common();
}

/* An HTTP library wakes itself by a pair. */
static int
work_token(void)
{
	MUST(try_socketpair() == 0);
	return work_resolver();
}

static bool
any_name(void *ctx, const char *name)
{
	(void)name;
	++*(int *)ctx;
	return true;
}

/* A maildrop's life, in small. */
static int
work_session(void)
{
	static uint8_t		block[200000];
	struct file_facts	facts;
	struct fault		f;
	struct dotlock		held;
	struct dotlock		other;
	int			box;
	int			copy;
	int			n = 0;
	int			d;

	MUST(file_open(FILE_CWD, dir->path, FILE_READ | FILE_DIR, 0, &d,
	    &f) == 0);
	MUST(file_open_beneath(d, "box", FILE_READ | FILE_WRITE | FILE_CREATE,
	    0600, &box, &f) == 0);
	MUST(lock_fcntl(box, true, &f) == 0);
	MUST(lock_flock(box, &f) == 0);
	MUST(lock_is_sole(box));
	MUST(dotlock_take(d, "box", getpid(), &held, &f) == 0);
	MUST(dotlock_take(d, "box", getpid(), &other, &f) == -1);
	MUST(dotlock_refresh(d, "box", &held, &f) == 0);
	MUST(dotlock_repid(d, "box", &held, 0, &f) == 0);
	MUST(file_open_unnamed(dir->path, &copy, &f) == 0);
	MUST(file_reserve(copy, 0, sizeof(block), &f) == 0);
	MUST(file_pwrite(copy, block, sizeof(block), 0, &f) == 0);
	MUST(file_copy(copy, 0, box, 0, sizeof(block), &f) == 0);
	MUST(file_pread(box, block, 10, 100, &f) == 10);
	(void)file_times_tell(box);
	errno = 0;			/* whatever the file system says */
	MUST(file_may_clone(box) || !file_clone(box, copy));
	MUST(file_clone(box, copy) || errno != ENOSYS);
	MUST(file_truncate(box, 20, &f) == 0);
	MUST(file_sync(box, &f) == 0 && file_datasync(box, &f) == 0);
	MUST(file_facts(box, &facts, &f) == 0 && facts.size == 20);
	MUST(sock_send_file(near, box, 15, 10, &f) == 5);
	MUST(file_set_atime(box, facts.mtime, &f) == 0);
	MUST(file_chown(box, geteuid(), getegid(), &f) == 0);
	MUST(file_replace(d, ".popbull", 0600, SPAN("7\n"), &f) == 0);
	MUST(file_mkdir(d, "sub", 0700, &f) == 0);
	MUST(file_rename(d, "box", "box2", &f) == 0);
	MUST(file_facts_at(d, "box2", &facts, &f) == 0);
	MUST(file_list(d, any_name, &n, &f) == 0 && n == 4);
	MUST(lock_fcntl_release(box, &f) == 0);
	MUST(dotlock_release(d, "box", &held, &f) == 0);
	MUST(file_unlink(d, "box2", &f) == 0);
	(void)umask(022);
	MUST(work_common() == FINE);
	return work_stream();
}

/* Files of others', to be read and handed on. */
static int
work_keeper(void)
{
	struct file_facts	facts;
	struct fault		f;
	char			text[16];
	int			fd;

	MUST(work_common() == FINE);
	MUST(file_open(FILE_CWD, "/etc/hostname", FILE_READ | FILE_FOLLOW, 0, &fd,
	    &f) == 0);
	MUST(file_facts(fd, &facts, &f) == 0);
	MUST(file_pread(fd, text, 1, 0, &f) >= 0);
	return FINE;
}

/* Of a session among many: its copy is open, and it is an octet of a loop. */
static int
work_shared(void)
{
	struct fault	f;
	unsigned	ms;
	char		c[4];

	MUST(work_common() == FINE);
	MUST(open_copy >= 0 && file_pread(open_copy, c, 3, 1, &f) == 3);
	MUST(memcmp(c, "opy", 3) == 0);
	MUST(!sock_peer_gone(near, 1000, &ms));
	MUST(sock_write(near, SPAN("x"), &f) == 1);
	(void)sock_unsent(near);
	sock_shutdown_write(near);
	return FINE;
}

static int
setup(void **state)
{
	struct fault f;

	if (file_open_memory(&open_copy, &f) != 0 ||
	    file_pwrite(open_copy, "copy", 4, 0, &f) != 0)
		return -1;

	if (test_dir_setup(state) == -1)
		return -1;
	dir = *state;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener == -1 || listen(listener, 1) != 0)
		return -1;
	sock_shutdown(listener);
	return link_pair(&near, &far, NULL);
}

static int
teardown(void **state)
{
	fd_close(&near);
	fd_close(&far);
	fd_close(&open_copy);
	fd_close(&listener);
	return test_dir_teardown(state);
}

static void
test_work(void **state)
{
	static int (*const work[])(void) = {
		[CAGE_FRONT]	= work_front,
		[CAGE_FRONTS]	= work_front,
		[CAGE_AUTH]	= work_auth,
		[CAGE_CTL]	= work_ctl,
		[CAGE_METRICS]	= work_metrics,
		[CAGE_VERIFY]	= work_verify,
		[CAGE_KERBEROS]	= work_verify,
		[CAGE_SQL]	= work_verify,
		[CAGE_RESOLVER]	= work_resolver,
		[CAGE_SESSION]	= work_session,
		[CAGE_KEEPER]	= work_keeper,
		[CAGE_SHARED]	= work_shared,
		[CAGE_TOKEN]	= work_token,
	};

	(void)state;
	for (int kind = 0; kind < (int)ARRAY_LEN(work); kind++) {
		int status = in_cage((enum cage_kind)kind, work[kind]);

		/* A fresh link: the work shuts it down. */
		fd_close(&near);
		fd_close(&far);
		assert_int_equal(link_pair(&near, &far, NULL), 0);
		if (status != 0)
			fail_msg("cage %d: status %d (exit %d)", kind, status,
			    WEXITSTATUS(status));
	}
}

/* ------------------------------------------------------- mischief */

/* Whatever says ENOSYS was refused; a success is a hole. */
static int
outcome(long r)
{
	return r == -1 && errno == ENOSYS ? REFUSED : 1;
}

static int
try_open(void)
{
	return outcome(openat(AT_FDCWD, "/etc/passwd", O_RDONLY));
}

static int
try_open_to_write(void)
{
	return outcome(open("/dev/null", O_WRONLY | O_CLOEXEC));
}

static int
try_stat(void)
{
	struct stat st;

	return outcome(fstatat(AT_FDCWD, "/etc/passwd", &st, 0));
}

static int
try_unlink(void)
{
	return outcome(unlinkat(AT_FDCWD, "/nonexistent", 0));
}

static int
try_exec(void)
{
	char *const argv[] = { (char *)(uintptr_t)"true", NULL };

	return outcome(execve("/bin/true", argv, argv + 1));
}

static int
try_aio(void)
{
	aio_context_t ctx = 0;

	return outcome(syscall(SYS_io_setup, 1, &ctx));
}

/* All of a host have a number of them together. */
static int
try_much_aio(void)
{
	aio_context_t ctx = 0;

	return outcome(syscall(SYS_io_setup, 2, &ctx));
}

/* How much of whose files is in memory. */
static int
try_mincore(void)
{
	unsigned char in;

	return outcome(mincore(NULL, 0, &in));
}

static int
try_stream(void)
{
	return outcome(try_socketpair());
}

static int
try_link(void)
{
	int s[2];

	return outcome(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s));
}

/* All of a user's have so many pages together. */
static int
try_pipe(void)
{
	int s[2];

	return outcome(pipe2(s, O_CLOEXEC));
}

static int
try_socket(void)
{
	return outcome(socket(AF_INET, SOCK_STREAM, 0));
}

static int
try_unix_socket(void)
{
	return outcome(socket(AF_UNIX, SOCK_STREAM, 0));
}

/* For each of these the kernel loads a module, if it has one. */
static int
try_sctp(void)
{
	return outcome(socket(AF_INET6, SOCK_STREAM, IPPROTO_SCTP));
}

static int
try_dccp(void)
{
	return outcome(socket(AF_INET, SOCK_DCCP | SOCK_CLOEXEC, 0));
}

static int
try_ping(void)
{
	return outcome(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
}

static int
try_kernel_tls(void)
{
	return outcome(setsockopt(near, IPPROTO_TCP, TCP_ULP, "tls", 3));
}

static int
try_sendfile(void)
{
	return outcome(sendfile(near, open_copy, NULL, 1));
}

static int
try_connect(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX,
		.sun_path = "/dev/log" };

	return outcome(connect(near, (struct sockaddr *)&un, sizeof(un)));
}

/* A port that others may take for somebody else's. */
static int
try_bind(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };

	return outcome(bind(near, (struct sockaddr *)&at, sizeof(at)));
}

/* A listener that is shut down is a socket like any other, and connects at its first
 * octet. */
static int
try_fast_open(void)
{
	const struct sockaddr_in	to = {
		.sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	return outcome(sendto(listener, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL,
	    (const struct sockaddr *)&to, sizeof(to)));
}

/* As above, but that the cage must look at the flag. */
static int
try_fast_open_nowhere(void)
{
	return outcome(send(listener, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL));
}

/* A datagram socket, the log's, can speak to all that it finds a name for. */
static int
try_send_to(void)
{
	const struct sockaddr_un to = { .sun_family = AF_UNIX,
		.sun_path = "/dev/log" };

	return outcome(sendto(near, "x", 1, MSG_NOSIGNAL,
	    (const struct sockaddr *)&to, sizeof(to)));
}

/* Whoever gets it, wanted or not, has to close it, and may wait there. */
static int
try_give(void)
{
	struct link_out	o;
	struct fault	f;

	link_out_init(&o, 1);
	(void)!link_send(near, &o, &near, 1, &f);
	return f.err == ENOSYS ? REFUSED : 1;
}

static struct sockaddr_un	abstract = { .sun_family = AF_UNIX };
static socklen_t		abstract_n;

/* The log's socket, and a name that no file's rights guard. */
static int
try_abstract(void)
{
	struct iovec		iov = { (void *)(uintptr_t)"x", 1 };
	const struct msghdr	m = { .msg_name = &abstract,
		.msg_namelen = abstract_n, .msg_iov = &iov, .msg_iovlen = 1 };

	return sendmsg(loose, &m, 0) == -1 && errno == EPERM ? REFUSED : 1;
}

static int
try_give_many(void)
{
	struct mmsghdr m = { .msg_len = 0 };

	return outcome(sendmmsg(near, &m, 1, MSG_NOSIGNAL));
}

static int
try_fast_open_message(void)
{
	struct sockaddr_in	to = {
		.sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const struct msghdr	m = { .msg_name = &to,
		.msg_namelen = sizeof(to) };

	return outcome(sendmsg(listener, &m, MSG_FASTOPEN | MSG_NOSIGNAL));
}

/* Its ends can send to whoever has such a socket, by name. */
static int
try_datagrams(void)
{
	int s[2];

	return outcome(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, s));
}

static int
try_listen(void)
{
	return outcome(listen(near, 1));
}

/* Those that the C library takes. */
#ifdef SYS_setuid32
#define CALL_SETUID	SYS_setuid32
#define CALL_SETGROUPS	SYS_setgroups32
#else
#define CALL_SETUID	SYS_setuid
#define CALL_SETGROUPS	SYS_setgroups
#endif

#ifdef SYS_socketcall
/* socketpair(AF_UNIX, SOCK_STREAM, 0), which some roles may do by its own call. */
static int
try_socketcall(void)
{
	int	fds[2];
	long	args[] = { AF_UNIX, SOCK_STREAM, 0, (long)fds };

	return outcome(syscall(SYS_socketcall, 8, args));
}
#endif

static int
try_setuid(void)
{
	return outcome(syscall(CALL_SETUID, 0));
}

static int
try_setgroups(void)
{
	return outcome(syscall(CALL_SETGROUPS, 0, NULL));
}

static int
try_ptrace(void)
{
	return outcome(ptrace(PTRACE_ATTACH, getpid(), 0, 0));
}

static int
try_peek(void)
{
	return outcome(process_vm_readv(1, NULL, 0, NULL, 0, 0));
}

static int
try_kill(void)
{
	return outcome(kill(getpid(), SIGTERM));
}

static int
try_fork(void)
{
	return outcome(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static int
try_mount(void)
{
	return outcome(syscall(SYS_mount, "", "/", "", 0, NULL));
}

static int
try_unshare(void)
{
	return outcome(syscall(SYS_unshare, 0x10000000));
}

static int
try_chroot(void)
{
	return outcome(syscall(SYS_chroot, "/"));
}

static int
try_bpf(void)
{
	return outcome(syscall(SYS_bpf, 0, NULL, 0));
}

static int
try_keyctl(void)
{
	return outcome(syscall(SYS_keyctl, 0, 0, 0, 0, 0));
}

static int
try_uring(void)
{
	return outcome(syscall(SYS_io_uring_setup, 1, NULL));
}

static int
try_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED && errno == ENOSYS ? REFUSED : 1;
}

static int
try_make_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return outcome(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static int
try_terminal(void)
{
	return outcome(syscall(SYS_ioctl, 0, 0x5412, "x"));	/* TIOCSTI */
}

/* The master would wait in the close of such a socket. */
static int
try_linger(void)
{
	const struct linger for_long = { .l_onoff = 1, .l_linger = 3600 };

	return outcome(setsockopt(near, SOL_SOCKET, SO_LINGER, &for_long,
	    sizeof(for_long)));
}

static int
try_dumpable(void)
{
	return outcome(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int
try_limit(void)
{
	struct rlimit limit = { 1, 1 };

	return outcome(setrlimit(RLIMIT_CORE, &limit));
}

enum fate { DIES, IS_REFUSED };

#define BIT(k)		(1u << CAGE_##k)
#define EVERY		(BIT(FRONT) | BIT(FRONTS) | BIT(AUTH) | BIT(VERIFY) | \
			 BIT(RESOLVER) | BIT(SESSION) | BIT(SHARED) | BIT(CTL) | \
			 BIT(METRICS) | BIT(KEEPER) | BIT(TOKEN))
#define NET		(BIT(RESOLVER) | BIT(TOKEN))
#define JUDGES		(BIT(SQL) | BIT(KERBEROS))

static const struct mischief {
	const char	*name;
	int		(*fn)(void);
	enum fate	 fate;
	unsigned	 kinds;
	bool		 narrow;	/* the sanitizers need it */
} mischiefs[] = {
	{ "open",	try_open,	IS_REFUSED,
		EVERY & ~(BIT(SESSION) | BIT(KEEPER)), true },
	{ "write",	try_open_to_write, IS_REFUSED, EVERY & ~BIT(SESSION), true },
	{ "stat",	try_stat,	IS_REFUSED, EVERY & ~BIT(SESSION), true },
	{ "unlink",	try_unlink,	IS_REFUSED, EVERY & ~BIT(SESSION), false },
	{ "exec",	try_exec,	DIES, EVERY, false },
	{ "sendfile",	try_sendfile,	IS_REFUSED, EVERY & ~BIT(SESSION), false },
	{ "aio",	try_aio,	IS_REFUSED, EVERY & ~BIT(SESSION), false },
	{ "much aio",	try_much_aio,	IS_REFUSED, EVERY, false },
	{ "mincore",	try_mincore,	IS_REFUSED, EVERY & ~BIT(SESSION), false },
	{ "socket",	try_socket,	DIES, EVERY & ~NET, false },
	{ "unix",	try_unix_socket, IS_REFUSED, NET, false },
	{ "sctp",	try_sctp,	IS_REFUSED, NET, false },
	{ "dccp",	try_dccp,	IS_REFUSED, NET, false },
	{ "ping",	try_ping,	IS_REFUSED, NET, false },
	{ "kernel tls",	try_kernel_tls,	IS_REFUSED, EVERY, false },
	{ "connect",	try_connect,	DIES, EVERY & ~NET, false },
	{ "pair",	try_socketpair,	DIES, EVERY & ~(BIT(AUTH) | BIT(FRONT) | BIT(FRONTS) | BIT(TOKEN)),
		false },
#ifdef SYS_socketcall
	{ "socketcall",	try_socketcall,	IS_REFUSED, EVERY, false },
#endif
	{ "stream",	try_stream,	IS_REFUSED, BIT(AUTH), false },
	{ "link",	try_link,	IS_REFUSED, BIT(FRONT) | BIT(FRONTS) |
		BIT(TOKEN), false },
	{ "pipe",	try_pipe,	IS_REFUSED, JUDGES | (EVERY & ~(BIT(FRONT) |
		BIT(FRONTS) | BIT(SHARED))), true },
	{ "bind",	try_bind,	DIES, EVERY | JUDGES, false },
	{ "fast open",	try_fast_open,	IS_REFUSED, NET | BIT(FRONTS) |
		BIT(METRICS), false },
	{ "fast open, to nobody", try_fast_open_nowhere, IS_REFUSED,
		NET | BIT(FRONTS) | BIT(METRICS), false },
	{ "send to",	try_send_to,	IS_REFUSED, (EVERY & ~NET) | JUDGES, false },
	{ "give",	try_give,	IS_REFUSED, JUDGES | (EVERY & ~(BIT(FRONT) |
		BIT(FRONTS) | BIT(AUTH) | BIT(CTL) | BIT(METRICS) | BIT(KEEPER) |
		BIT(SHARED))),
		false },
	{ "give many",	try_give_many,	IS_REFUSED, EVERY | JUDGES, false },
	{ "the same, as a message", try_fast_open_message, IS_REFUSED,
		BIT(FRONTS) | BIT(METRICS), false },
	{ "datagrams",	try_datagrams,	IS_REFUSED,
		BIT(AUTH) | BIT(FRONT) | BIT(FRONTS) | BIT(TOKEN), false },
	{ "listen",	try_listen,	DIES, EVERY, false },
	{ "setuid",	try_setuid,	DIES, EVERY, false },
	{ "setgroups",	try_setgroups,	DIES, EVERY, false },
	{ "ptrace",	try_ptrace,	DIES, EVERY, true },
	{ "peek",	try_peek,	DIES, EVERY, true },
	{ "kill",	try_kill,	IS_REFUSED, EVERY, false },
	{ "fork",	try_fork,	IS_REFUSED, EVERY, true },
	{ "mount",	try_mount,	DIES, EVERY, false },
	{ "unshare",	try_unshare,	DIES, EVERY, false },
	{ "chroot",	try_chroot,	DIES, EVERY, false },
	{ "bpf",	try_bpf,	DIES, EVERY, false },
	{ "keyctl",	try_keyctl,	DIES, EVERY, false },
	{ "io_uring",	try_uring,	DIES, EVERY, false },
	{ "code",	try_code,	IS_REFUSED, EVERY, false },
	{ "make code",	try_make_code,	IS_REFUSED, EVERY, false },
	{ "terminal",	try_terminal,	IS_REFUSED, EVERY, false },
	{ "linger",	try_linger,	IS_REFUSED, EVERY, false },
	{ "dumpable",	try_dumpable,	IS_REFUSED, EVERY, true },
	{ "limit",	try_limit,	IS_REFUSED, EVERY, true },
};

/* Landlock's, from version 6 on. */
static void
test_abstract(void **state)
{
	static const enum cage_kind	kinds[] = { CAGE_FRONTS, CAGE_AUTH, CAGE_CTL,
	    CAGE_METRICS, CAGE_SHARED };
	AUTO(fd_close) int		fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct fault			f;

	(void)state;
	if (cage_files_version(&f) < 6)
		skip();
	/* Without a name the kernel picks a free one. */
	assert_int_equal(bind(fd, (const struct sockaddr *)&abstract,
	    sizeof(abstract.sun_family)), 0);
	abstract_n = sizeof(abstract);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&abstract,
	    &abstract_n), 0);
	loose = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(try_abstract(), 1);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		int status = in_cage(kinds[i], try_abstract);

		if (!WIFEXITED(status) || WEXITSTATUS(status) != REFUSED)
			fail_msg("cage %d: status %x", kinds[i], (unsigned)status);
	}
	fd_close(&loose);
}

static void
test_mischief(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mischiefs); i++) {
		const struct mischief *m = &mischiefs[i];

		for (int kind = CAGE_FRONT; kind <= CAGE_TOKEN; kind++) {
			int status;

			if ((m->kinds & 1u << kind) == 0 ||
			    (POPPER_SANITIZED && m->narrow))
				continue;
			status = in_cage((enum cage_kind)kind, m->fn);
			if (m->fate == DIES ? !WIFSIGNALED(status) ||
			    WTERMSIG(status) != SIGSYS : !WIFEXITED(status) ||
			    WEXITSTATUS(status) != REFUSED)
				fail_msg("cage %d, %s: status %x", kind,
				    m->name, (unsigned)status);
		}
	}
}

/* ------------------------------------------------------- the rest */

static int
look_at_limits(void)
{
	struct rlimit	limit;
	struct fault	f;
	int		fd[100];
	size_t		n = 0;

	if (getrlimit(RLIMIT_CORE, &limit) == -1 || limit.rlim_max != 0)
		return 1;
	while (n < ARRAY_LEN(fd) && (fd[n] = dup(2)) >= 0)
		n++;
	if (n == ARRAY_LEN(fd) || prctl(PR_GET_DUMPABLE) != 0)
		return 2;
	for (size_t i = 0; i < n; i++)
		fd_close(&fd[i]);
	/* The core pattern may pipe into a program, whatever the limit is. */
	if (file_open(FILE_CWD, "/proc/self/mem", FILE_READ, 0, &fd[0],
	    &f) == 0 && geteuid() != 0)
		return 3;
	if (!POPPER_SANITIZED && malloc((size_t)3 << 30) != NULL)
		return 4;
	if (!POPPER_SANITIZED && geteuid() != 0 && fork() != -1)
		return 5;
	return 0;
}

/* As a plain user, whom RLIMIT_NPROC binds. */
static void
test_limits(void **state)
{
	struct identity	nobody = { .uid = 65534, .gid = 65534 };
	struct fault	f;
	int		status;
	pid_t		pid = fork();

	(void)state;
	if (pid == 0) {
		if (geteuid() == 0 && identity_become(&nobody, true, &f) == -1)
			_exit(98);
		if (cage_limits(CAGE_FRONT, &f) == -1)
			_exit(99);
		_exit(look_at_limits());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* From now on the kernel has this to say to whoever loads a program. */
static bool
spoil_seccomp(int err)
{
	struct sock_filter		code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog	program = { ARRAY_LEN(code), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* FINE: it went on without.  REFUSED: it did not go on. */
static int
enter_spoilt(enum cage_kind kind, int err)
{
	bool		degraded;
	struct fault	f;
	int		status;
	pid_t		pid = fork();

	if (pid == 0) {
		if (!spoil_seccomp(err))
			_exit(99);
		if (cage_enter(kind, &degraded, &f) == -1)
			_exit(f.err == err ? REFUSED : 3);
		_exit(degraded ? FINE : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

/* Only where there is none does anybody go on without, and then a session alone. */
static void
test_no_seccomp(void **state)
{
	(void)state;
	assert_int_equal(enter_spoilt(CAGE_SESSION, ENOSYS), FINE);
	assert_int_equal(enter_spoilt(CAGE_SESSION, EINVAL), FINE);
	assert_int_equal(enter_spoilt(CAGE_SESSION, ENOMEM), REFUSED);
	assert_int_equal(enter_spoilt(CAGE_SESSION, EACCES), REFUSED);
	assert_int_equal(enter_spoilt(CAGE_FRONT, ENOSYS), REFUSED);
}

static int
chroot_in_child(const char *path)
{
	struct fault	f = { .class = FAULT_NONE };
	int		status;
	pid_t		pid = fork();

	if (pid == 0) {
		int r = cage_chroot(path, &f);

		if (r == 0)
			_exit(access("/etc", F_OK) == -1 &&
			    access("..", F_OK) == 0 ? 0 : 1);
		_exit(f.class == FAULT_PERM ? REFUSED : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void
test_chroot(void **state)
{
	struct test_dir	*d = *state;
	char		 path[100];

	if (geteuid() != 0) {
		print_message("needs root\n");
		skip();
	}
	(void)snprintf(path, sizeof(path), "%s/empty", d->path);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(chroot_in_child(path), 0);
	assert_int_equal(chmod(path, 0775), 0);
	assert_int_equal(chroot_in_child(path), REFUSED);
	assert_int_equal(chmod(path, 0755), 0);
	assert_int_equal(chown(path, 1, 0), 0);
	assert_int_equal(chroot_in_child(path), REFUSED);
	assert_int_equal(chroot_in_child(d->path), REFUSED);	/* not empty */
	(void)snprintf(path, sizeof(path), "%s/link", d->path);
	assert_int_equal(symlink("empty", path), 0);
	assert_int_equal(chroot_in_child(path), REFUSED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_work, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mischief, setup, teardown),
		cmocka_unit_test(test_abstract),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_no_seccomp),
		cmocka_unit_test_setup_teardown(test_chroot, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
