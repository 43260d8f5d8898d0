/* SPDX-License-Identifier: ISC */
/*
 * Runs when popper is built: prints the seccomp program of each cage as C.
 * This file is the one table of which role may use which system call.
 *
 * What stands in the table for a role is allowed.  What stands in `deadly`
 * and is not allowed ends the process.  What stands in `nowhere` for it says
 * ENOENT.  Everything else says ENOSYS (and is logged by the kernel), so that a C
 * library which tries a newer call goes on to the older one.  A call for another
 * architecture ends the process.
 *
 * socketcall, which hides its arguments from us, is nobody's: sys/direct.c.
 *
 * Besides what popper calls itself the table has what glibc 2.36 and 2.41 call
 * behind its functions (Debian 12 and 13).  With the argument `wide`
 * the table also has what the run time of the sanitizers and of the coverage
 * needs.
 */
#include "sys/cage_pack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SIOCOUTQ
#define SIOCOUTQ	TIOCOUTQ	/* the same number, by another header */
#endif

enum {
	F1	= 1 << 0,		/* FRONT */
	V	= 1 << 1,		/* VERIFY */
	R	= 1 << 2,		/* RESOLVER */
	S	= 1 << 3,		/* SESSION */
	FN	= 1 << 4,		/* FRONTS */
	A	= 1 << 5,		/* AUTH */
	H	= 1 << 6,		/* SHARED */
	C	= 1 << 7,		/* CTL */
	M	= 1 << 8,		/* METRICS */
	K	= 1 << 10,		/* KEEPER */
	T	= 1 << 11,		/* TOKEN */
	Q	= 1 << 12,		/* SQL */
	B	= 1 << 13,		/* KERBEROS */
	NET	= R | T,		/* who makes sockets */
	/* Who has TCP listeners.  One that is shut down connects by what is sent. */
	LISTENS	= FN | M,
	/* Who can send descriptors: those whose messages have some, and METRICS, whose
	 * library for HTTP sends a header and a body by one call. */
	GIVES	= F1 | FN | A | C | K | H | M,
	F	= F1 | FN,
	ALL	= F | V | R | S | A | H | C | M | K | T | Q | B,
	IO	= F | R | S | H,	/* those who wait for a network */
	LOOP	= FN | A | R | H | C | M | K,	/* those with an event loop */
	WIDE	= 1 << 9,		/* every role of a wide build */
};

/* An argument that must have a value, under a mask. */
struct arg {
	bool		set;
	unsigned	index;
	uint64_t	mask;
	uint64_t	value;
};

#define IS(i, v)	{ true, (i), ~(uint64_t)0, (uint64_t)(v) }
/* An int: its upper half is whatever the register held. */
#define INT_IS(i, v)	{ true, (i), 0xffffffff, (uint32_t)(v) }
/* Its flags; the C library adds the other one. */
#define STATX_IS(v)	{ true, 2, 0xffffffff & ~(uint64_t)AT_NO_AUTOMOUNT, (v) }
#define WITHOUT(i, v)	{ true, (i), (v), 0 }
/* A type of socket: beside it are SOCK_CLOEXEC and SOCK_NONBLOCK. */
#define TYPE_IS(i, v)	{ true, (i), 0xffffffff & \
			    ~(uint64_t)(SOCK_CLOEXEC | SOCK_NONBLOCK), (v) }

enum { ARGS_MAX = 3 };

/* All of its arguments must be so. */
struct rule {
	const char	*name;
	int		 call;
	unsigned	 who;
	struct arg	 arg;
	struct arg	 also[ARGS_MAX - 1];
};

#define CALL(x)		#x, SCMP_SYS(x)
#define OPTION(level, o)	INT_IS(1, level), { INT_IS(2, o) }
#define SOCKET(family, type, protocol) \
	INT_IS(0, family), { TYPE_IS(1, type), INT_IS(2, protocol) }

/* Rows for one call add up.  Calls that an architecture lacks fall away. */
static const struct rule rules[] = {
	/* memory; never executable */
	{ CALL(brk),			ALL },
	{ CALL(mmap),			ALL, WITHOUT(2, PROT_EXEC) },
	{ CALL(mmap2),			ALL, WITHOUT(2, PROT_EXEC) },
	{ CALL(mprotect),		ALL, WITHOUT(2, PROT_EXEC) },
	{ CALL(munmap),			ALL },
	{ CALL(mremap),			ALL },
	{ CALL(madvise),		ALL },
	{ CALL(mincore),		S },	/* sys/file_pass.c */
	{ CALL(mlock),			ALL },
	{ CALL(mlock2),			ALL },
	{ CALL(munlock),		ALL },

	/* oneself: the end, signals, time, chance */
	{ CALL(exit),			ALL },
	{ CALL(exit_group),		ALL },
	{ CALL(rt_sigaction),		ALL },
	{ CALL(rt_sigprocmask),		ALL },
	{ CALL(rt_sigreturn),		ALL },
	{ CALL(sigreturn),		ALL },
	{ CALL(restart_syscall),	ALL },
	{ CALL(getpid),			ALL },
	{ CALL(gettid),			ALL },
	{ CALL(getuid),			ALL },
	{ CALL(geteuid),		ALL },
	{ CALL(getgid),			ALL },
	{ CALL(getegid),		ALL },
	{ CALL(getuid32),		ALL },
	{ CALL(geteuid32),		ALL },
	{ CALL(getgid32),		ALL },
	{ CALL(getegid32),		ALL },
	{ CALL(clock_gettime),		ALL },
	{ CALL(clock_gettime64),	ALL },
	{ CALL(gettimeofday),		ALL },
	{ CALL(time),			ALL },
	{ CALL(clock_nanosleep),	ALL },
	{ CALL(clock_nanosleep_time64),	ALL },
	{ CALL(nanosleep),		ALL },
	{ CALL(getrandom),		ALL },
	{ CALL(futex),			ALL },
	{ CALL(futex_time64),		ALL },
	{ CALL(rseq),			ALL },
	{ CALL(set_robust_list),	ALL },
	{ CALL(sysinfo),		S | H },	/* qsort */

	/* descriptors that are open already */
	{ CALL(read),			ALL },
	{ CALL(readv),			ALL },
	{ CALL(pread64),		F | V | Q | S | H | K | B },
	{ CALL(write),			ALL },
	{ CALL(writev),			ALL },
	{ CALL(close),			ALL },
	{ CALL(lseek),			V | Q | S },
	{ CALL(_llseek),		V | Q | S },
	{ CALL(fstat),			ALL },
	{ CALL(fstat64),		ALL },
	{ CALL(newfstatat),		F | V | NET | H | K | B,
					INT_IS(3, AT_EMPTY_PATH) },
#ifndef __NR_newfstatat			/* by statx, says the C library there */
	{ CALL(statx),			F | V | NET | H | K | B,
					STATX_IS(AT_EMPTY_PATH) },
	{ CALL(statx),			Q },
#endif
	{ CALL(poll),			ALL },
	{ CALL(ppoll),			ALL },
	{ CALL(ppoll_time64),		ALL },
	{ CALL(epoll_ctl),		LOOP },
	{ CALL(epoll_wait),		LOOP },
	{ CALL(epoll_pwait),		LOOP },
	{ CALL(epoll_pwait2),		LOOP },
	{ CALL(accept4),		FN | C | M },
	/* Never for datagrams, which could go to any name. */
	{ CALL(socketpair),		F | T, SOCKET(AF_UNIX, SOCK_STREAM, 0) },
	{ CALL(socketpair),		A, SOCKET(AF_UNIX, SOCK_SEQPACKET, 0) },
	{ CALL(fcntl),			ALL, INT_IS(1, F_GETFL) },
	{ CALL(fcntl),			ALL, INT_IS(1, F_SETFL) },
	{ CALL(fcntl),			ALL, INT_IS(1, F_GETFD) },
	{ CALL(fcntl),			ALL, INT_IS(1, F_SETFD) },
	{ CALL(fcntl),			ALL, INT_IS(1, F_DUPFD_CLOEXEC) },
	{ CALL(fcntl64),		ALL, INT_IS(1, F_GETFL) },
	{ CALL(fcntl64),		ALL, INT_IS(1, F_SETFL) },
	{ CALL(fcntl64),		ALL, INT_IS(1, F_GETFD) },
	{ CALL(fcntl64),		ALL, INT_IS(1, F_SETFD) },
	{ CALL(fcntl64),		ALL, INT_IS(1, F_DUPFD_CLOEXEC) },
	{ CALL(ioctl),			IO, INT_IS(1, SIOCOUTQ) },
	{ CALL(ioctl),			ALL, INT_IS(1, TCGETS) }, /* stdio */
	{ CALL(pipe2),			F | H },
	{ CALL(shutdown),		F | S | H | M | C },
	{ CALL(setsockopt),		M, OPTION(IPPROTO_TCP, TCP_NODELAY) },
	{ CALL(setsockopt),		M, OPTION(IPPROTO_TCP, TCP_CORK) },

	/* sockets that are open already: the client, links, the log */
	{ CALL(sendmsg),		GIVES & ~LISTENS },
	{ CALL(sendmsg),		GIVES & LISTENS, WITHOUT(2, MSG_FASTOPEN) },
	{ CALL(recvmsg),		ALL },
	/* To whom the socket is connected, and nobody else. */
	{ CALL(sendto),			ALL & ~(LISTENS | NET), IS(4, 0) },
	{ CALL(sendto),			LISTENS, WITHOUT(3, MSG_FASTOPEN),
					{ IS(4, 0) } },
	{ CALL(sendto),			NET, WITHOUT(3, MSG_FASTOPEN) },
	{ CALL(send),			ALL & ~(LISTENS | NET) },
	{ CALL(send),			LISTENS | NET, WITHOUT(3, MSG_FASTOPEN) },
	{ CALL(sendfile),		S },
	{ CALL(sendfile64),		S },
	{ CALL(recvfrom),		ALL },
	{ CALL(recv),			ALL },
	{ CALL(getsockopt),		ALL, OPTION(SOL_SOCKET, SO_TYPE) },
	{ CALL(getsockopt),		S | H, OPTION(IPPROTO_TCP, TCP_INFO) },
	/* Never SO_LINGER: see sock_forget_unsent. */
	{ CALL(setsockopt),		S | H, OPTION(IPPROTO_TCP, TCP_USER_TIMEOUT) },
	{ CALL(setsockopt),		F | S | H, OPTION(IPPROTO_TCP, TCP_QUICKACK) },
	{ CALL(getsockopt),		C, OPTION(SOL_SOCKET, SO_PEERCRED) },
	{ CALL(getsockopt),		C, OPTION(SOL_SOCKET, SO_PEERGROUPS) },
	{ CALL(setsockopt),		C, OPTION(SOL_SOCKET, SO_PASSCRED) },

	/* name servers, and an authorization server: no protocol for which the
	 * kernel would load a module */
	{ CALL(socket),			NET, SOCKET(AF_INET, SOCK_STREAM, 0) },
	{ CALL(socket),			NET, SOCKET(AF_INET, SOCK_STREAM, IPPROTO_TCP) },
	{ CALL(socket),			NET, SOCKET(AF_INET, SOCK_DGRAM, 0) },
	{ CALL(socket),			NET, SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_UDP) },
	{ CALL(socket),			NET, SOCKET(AF_INET6, SOCK_STREAM, 0) },
	{ CALL(socket),			NET, SOCKET(AF_INET6, SOCK_STREAM, IPPROTO_TCP) },
	{ CALL(socket),			NET, SOCKET(AF_INET6, SOCK_DGRAM, 0) },
	{ CALL(socket),			NET, SOCKET(AF_INET6, SOCK_DGRAM, IPPROTO_UDP) },
	{ CALL(connect),		NET },
	{ CALL(getsockname),		NET | FN },
	{ CALL(getpeername),		NET },
	{ CALL(getsockopt),		NET },
	{ CALL(setsockopt),		NET, OPTION(IPPROTO_TCP, TCP_NODELAY) },
	{ CALL(setsockopt),		NET, OPTION(SOL_SOCKET, SO_RCVBUF) },
	{ CALL(setsockopt),		NET, OPTION(SOL_SOCKET, SO_SNDBUF) },
	{ CALL(ioctl),			NET, INT_IS(1, FIONBIO) },
	{ CALL(ioctl),			NET, INT_IS(1, FIONREAD) },

	/* the user's files, with the user's rights */
	{ CALL(openat),			S },
	{ CALL(openat),			K, { true, 2, O_ACCMODE | O_CREAT | O_TRUNC,
					O_RDONLY } },
	{ CALL(openat2),		S },
	{ CALL(memfd_create),		S },
	{ CALL(newfstatat),		S | Q },
	{ CALL(fstatat64),		S },
	{ CALL(statx),			S },
	{ CALL(fstatfs),		S },
	{ CALL(fstatfs64),		S },
	{ CALL(faccessat),		S },
	{ CALL(faccessat2),		S },
	{ CALL(getdents64),		S },
	{ CALL(getcwd),			S },
	{ CALL(uname),			S },
	{ CALL(pwrite64),		V | Q | S },
	{ CALL(fsync),			S },
	{ CALL(fdatasync),		S },
	{ CALL(ftruncate),		S },
	{ CALL(ftruncate64),		S },
	{ CALL(fallocate),		S },
	{ CALL(fadvise64),		S, INT_IS(3, POSIX_FADV_WILLNEED) },
	{ CALL(fadvise64_64),		S },
	{ CALL(arm_fadvise64_64),	S },
	/* sys/file_pass.c: one at a time, since all on a host share a number of them */
	{ CALL(io_setup),		S, INT_IS(0, 1) },
	{ CALL(io_submit),		S },
	{ CALL(io_getevents),		S },
	{ CALL(io_destroy),		S },
	{ CALL(ioctl),			S, INT_IS(1, FICLONE) },
	{ CALL(fchmod),			S },
	{ CALL(fchmodat),		S },
	{ CALL(fchown),			S },
	{ CALL(fchown32),		S },
	{ CALL(umask),			S },
	{ CALL(mkdirat),		S },
	{ CALL(linkat),			S },
	{ CALL(renameat),		S },
	{ CALL(renameat2),		S },
	{ CALL(unlinkat),		S },
	{ CALL(utimensat),		S },
	{ CALL(utimensat_time64),	S },
	{ CALL(flock),			S },
	{ CALL(fcntl),			S | Q, INT_IS(1, F_SETLK) },
	{ CALL(fcntl),			Q, INT_IS(1, F_GETLK) },
	{ CALL(fcntl),			S, INT_IS(1, F_OFD_SETLK) },
	{ CALL(fcntl),			S, INT_IS(1, F_SETSIG) },
	{ CALL(fcntl),			S, INT_IS(1, F_SETLEASE) },
	{ CALL(fcntl64),		S | Q, INT_IS(1, F_SETLK) },
	{ CALL(fcntl64),		Q, INT_IS(1, F_GETLK) },
	{ CALL(fcntl64),		S, INT_IS(1, F_OFD_SETLK) },
	{ CALL(fcntl64),		S, INT_IS(1, F_SETSIG) },
	{ CALL(fcntl64),		S, INT_IS(1, F_SETLEASE) },
	/* kill(pid, 0) alone: is the owner of a dotlock alive? */
	{ CALL(kill),			S, INT_IS(1, 0) },

	/* the run time of sanitizers, of leak detection, of coverage */
	{ CALL(openat),			WIDE },
	{ CALL(newfstatat),		WIDE },
	{ CALL(readlink),		WIDE },
	{ CALL(readlinkat),		WIDE },
	{ CALL(lseek),			WIDE },
	{ CALL(fcntl),			WIDE },
	{ CALL(ftruncate),		WIDE },
	{ CALL(mkdirat),		WIDE },
	{ CALL(mkdir),			WIDE },
	{ CALL(getdents64),		WIDE },
	{ CALL(dup),			WIDE },
	{ CALL(pipe2),			WIDE },
	{ CALL(getppid),		WIDE },
	{ CALL(tgkill),			WIDE },
	{ CALL(sigaltstack),		WIDE },
	{ CALL(sched_yield),		WIDE },
	{ CALL(sched_getaffinity),	WIDE },
	{ CALL(prlimit64),		WIDE },
	{ CALL(getrlimit),		WIDE },
	{ CALL(prctl),			WIDE },
	{ CALL(clone),			WIDE },
	{ CALL(wait4),			WIDE },
	{ CALL(ptrace),			WIDE },
	{ CALL(uname),			WIDE },
	{ CALL(getcwd),			WIDE },
	{ CALL(process_vm_readv),	WIDE },
};

/* Nobody does these by accident. */
static const struct rule deadly[] = {
	{ CALL(execve) },		{ CALL(execveat) },
	{ CALL(ptrace) },		{ CALL(kcmp) },
	{ CALL(process_vm_readv) },	{ CALL(process_vm_writev) },
	{ CALL(process_madvise) },	{ CALL(pidfd_getfd) },
	{ CALL(socket) },		{ CALL(socketpair) },
	{ CALL(connect) },		{ CALL(bind) },
	{ CALL(listen) },		{ CALL(accept) },
	{ CALL(accept4) },
	{ CALL(setuid) },		{ CALL(setgid) },
	{ CALL(setreuid) },		{ CALL(setregid) },
	{ CALL(setresuid) },		{ CALL(setresgid) },
	{ CALL(setfsuid) },		{ CALL(setfsgid) },
	{ CALL(setuid32) },		{ CALL(setgid32) },
	{ CALL(setreuid32) },		{ CALL(setregid32) },
	{ CALL(setresuid32) },		{ CALL(setresgid32) },
	{ CALL(setfsuid32) },		{ CALL(setfsgid32) },
	{ CALL(setgroups) },		{ CALL(setgroups32) },
	{ CALL(capset) },
	{ CALL(mount) },		{ CALL(umount2) },
	{ CALL(pivot_root) },		{ CALL(chroot) },
	{ CALL(open_tree) },		{ CALL(move_mount) },
	{ CALL(fsopen) },		{ CALL(fsmount) },
	{ CALL(mount_setattr) },	{ CALL(unshare) },
	{ CALL(setns) },		{ CALL(open_by_handle_at) },
	{ CALL(mknod) },		{ CALL(mknodat) },
	{ CALL(kexec_load) },		{ CALL(kexec_file_load) },
	{ CALL(init_module) },		{ CALL(finit_module) },
	{ CALL(delete_module) },	{ CALL(bpf) },
	{ CALL(perf_event_open) },	{ CALL(userfaultfd) },
	{ CALL(io_uring_setup) },	{ CALL(io_uring_enter) },
	{ CALL(io_uring_register) },	{ CALL(memfd_create) },
	{ CALL(keyctl) },		{ CALL(add_key) },
	{ CALL(request_key) },		{ CALL(personality) },
	{ CALL(modify_ldt) },		{ CALL(ioperm) },
	{ CALL(iopl) },			{ CALL(acct) },
	{ CALL(reboot) },		{ CALL(swapon) },
	{ CALL(swapoff) },		{ CALL(quotactl) },
	{ CALL(settimeofday) },		{ CALL(clock_settime) },
	{ CALL(clock_settime64) },	{ CALL(sethostname) },
	{ CALL(setdomainname) },	{ CALL(syslog) },
};

/*
 * A library that looks for a file of its own takes ENOSYS for damage, and that there
 * is none for what it is.
 */
static const struct rule nowhere[] = {
	{ CALL(open),			B },
	{ CALL(openat),			B },
	{ CALL(access),			B },
	{ CALL(faccessat),		B },
	{ CALL(faccessat2),		B },
	{ CALL(stat),			B },
	{ CALL(stat64),			B },
	{ CALL(newfstatat),		B, INT_IS(3, 0) },
	{ CALL(fstatat64),		B, INT_IS(3, 0) },
	{ CALL(statx),			B, STATX_IS(0) },
};

#define LEN(a)	(sizeof(a) / sizeof((a)[0]))

static void
must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	(void)fprintf(stderr, "cage_gen: %s: %s\n", what, strerror(-rc));
	exit(EXIT_FAILURE);
}

static void
add(scmp_filter_ctx ctx, uint32_t action, const struct rule *r)
{
	struct scmp_arg_cmp	args[ARGS_MAX];
	unsigned		n = 0;
	int			rc;

	if (r->call == __NR_SCMP_ERROR)
		must(-EINVAL, r->name);
	for (unsigned i = 0; i < ARGS_MAX; i++) {
		const struct arg *a = i == 0 ? &r->arg : &r->also[i - 1];

		if (a->set)
			args[n++] = (struct scmp_arg_cmp){ a->index,
			    SCMP_CMP_MASKED_EQ, a->mask, a->value };
	}
	rc = seccomp_rule_add_array(ctx, action, r->call, n, args);
	if (rc != -EDOM)		/* not on this architecture */
		must(rc, r->name);
}

static bool
allowed(int call, unsigned who)
{
	for (size_t i = 0; i < LEN(rules); i++)
		if (rules[i].call == call && (rules[i].who & who) != 0)
			return true;
	return false;
}

/* libseccomp asks the kernel what it has, which is not the one that popper will run
 * on, and an emulator has nothing: KILL_PROCESS came with level 3, Linux 4.14. */
static void
expect_kernel(void)
{
	must(seccomp_api_set(3), "kernel");
}

static scmp_filter_ctx
make(unsigned who)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));

	must(ctx == NULL ? -ENOMEM : 0, "init");
	must(seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
	    SCMP_ACT_KILL_PROCESS), "architecture");
	/* A tree, not a list; libseccomp before 2.5 has lists only. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; i < LEN(rules); i++)
		if ((rules[i].who & who) != 0)
			add(ctx, SCMP_ACT_ALLOW, &rules[i]);
	for (size_t i = 0; i < LEN(nowhere); i++)
		if ((nowhere[i].who & who) != 0 && (who & WIDE) == 0)
			add(ctx, SCMP_ACT_ERRNO(ENOENT), &nowhere[i]);
	for (size_t i = 0; i < LEN(deadly); i++)
		if (!allowed(deadly[i].call, who))
			add(ctx, SCMP_ACT_KILL_PROCESS, &deadly[i]);
	return ctx;
}

static void
print_ops(const struct sock_filter *op, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)printf("\t{ 0x%04x, %u, %u, 0x%08x },\n", op[i].code,
		    op[i].jt, op[i].jf, op[i].k);
}

/* Before all else: libseccomp takes a rule for sendto(2) for one about this call,
 * too, and its arguments for the other one's. */
static void
print_no_socketcall(void)
{
#ifdef __NR_socketcall
	static const struct sock_filter ops[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_socketcall, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};

	print_ops(ops, LEN(ops));
#endif
}

/* libseccomp writes the program to a descriptor; back it comes as numbers. */
static void
print(scmp_filter_ctx ctx, const char *name)
{
	static struct sock_filter	full[CAGE_PACK_MAX];
	static struct sock_filter	packed[CAGE_PACK_MAX];
	const struct sock_filter	*op;
	FILE				*file = tmpfile();
	size_t				 nfull;
	size_t				 n;

	must(file == NULL ? -errno : 0, "temporary file");
	must(seccomp_export_bpf(ctx, fileno(file)), "export");
	must(fseek(file, 0, SEEK_SET) == -1 ? -errno : 0, "rewind");
	nfull = fread(full, sizeof(full[0]), CAGE_PACK_MAX, file);
	must(nfull == CAGE_PACK_MAX ? -EFBIG : 0, "program");
	(void)fclose(file);
	n = cage_pack(full, nfull, packed);
	/* Of another architecture, perhaps: a matter of costs alone. */
	op = packed;
	if (n == 0) {
		(void)fprintf(stderr, "cage_gen: %s is not packed\n", name);
		op = full;
		n = nfull;
	}
	(void)printf("static const struct sock_filter filter_%s[] = {\n", name);
	print_no_socketcall();
	print_ops(op, n);
	(void)printf("};\n\n");
}

int
main(int argc, char **argv)
{
	static const struct {
		const char	*name;
		unsigned	 who;
	} kinds[] = {
		{ "front",	F1 },
		{ "fronts",	FN },
		{ "auth",	A },
		{ "ctl",	C },
		{ "metrics",	M },
		{ "verify",	V },
		{ "sql",	Q },
		{ "resolver",	R },
		{ "session",	S },
		{ "keeper",	K },
		{ "shared",	H },
		{ "token",	T },
		{ "kerberos",	B },
	};
	bool wide = argc == 2 && strcmp(argv[1], "wide") == 0;

	expect_kernel();
	(void)printf("/* Made by cage_gen.c; do not edit. */\n");
	for (size_t i = 0; i < LEN(kinds); i++) {
		scmp_filter_ctx ctx = make(kinds[i].who | (wide ? WIDE : 0));

		print(ctx, kinds[i].name);
		seccomp_release(ctx);
	}
	return ferror(stdout) || fflush(stdout) == EOF ? EXIT_FAILURE :
	    EXIT_SUCCESS;
}
