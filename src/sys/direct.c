/* SPDX-License-Identifier: ISC */
/*
 * Where the C library does what is done with sockets through socketcall(2) (on i386
 * and s390x), these stand in its functions' place, for us and for the libraries
 * that we open: socketcall takes its arguments from memory, where no filter can look,
 * and so no cage has it (cage_gen.c); the kernel has had a call for each since
 * Linux 4.3.  Elsewhere there is nothing here.
 *
 * meson.build has the list of their names, which are exported.
 */
#include <sys/syscall.h>

#ifdef SYS_socketcall
#include "base/attr.h"

#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

/* fn is what that name means to the linker.  Where times have 64 bits by choice, some
 * have a second name, and those whose room the compiler knows a third one. */
#define NAME(fn, which, name) \
	extern __typeof__(fn) fn##_##which __asm__(name) \
	    __attribute__((alias(#fn), visibility("default")))

_Noreturn void	__chk_fail(void);

static int
direct_socket(int family, int type, int protocol)
{
	return (int)syscall(SYS_socket, family, type, protocol);
}
NAME(direct_socket, plain, "socket");

static int
direct_socketpair(int family, int type, int protocol, int *fds)
{
	return (int)syscall(SYS_socketpair, family, type, protocol, fds);
}
NAME(direct_socketpair, plain, "socketpair");

static int
direct_bind(int fd, const void *addr, socklen_t n)
{
	return (int)syscall(SYS_bind, fd, addr, n);
}
NAME(direct_bind, plain, "bind");

static int
direct_connect(int fd, const void *addr, socklen_t n)
{
	return (int)syscall(SYS_connect, fd, addr, n);
}
NAME(direct_connect, plain, "connect");

static int
direct_listen(int fd, int most)
{
	return (int)syscall(SYS_listen, fd, most);
}
NAME(direct_listen, plain, "listen");

static int
direct_accept4(int fd, void *addr, socklen_t *n, int flags)
{
	return (int)syscall(SYS_accept4, fd, addr, n, flags);
}
NAME(direct_accept4, plain, "accept4");

static int
direct_accept(int fd, void *addr, socklen_t *n)
{
	return direct_accept4(fd, addr, n, 0);
}
NAME(direct_accept, plain, "accept");

static int
direct_getsockname(int fd, void *addr, socklen_t *n)
{
	return (int)syscall(SYS_getsockname, fd, addr, n);
}
NAME(direct_getsockname, plain, "getsockname");

static int
direct_getpeername(int fd, void *addr, socklen_t *n)
{
	return (int)syscall(SYS_getpeername, fd, addr, n);
}
NAME(direct_getpeername, plain, "getpeername");

static int
direct_shutdown(int fd, int how)
{
	return (int)syscall(SYS_shutdown, fd, how);
}
NAME(direct_shutdown, plain, "shutdown");

static int
direct_getsockopt(int fd, int level, int option, void *p, socklen_t *n)
{
	return (int)syscall(SYS_getsockopt, fd, level, option, p, n);
}
NAME(direct_getsockopt, plain, "getsockopt");
NAME(direct_getsockopt, time64, "__getsockopt64");

static int
direct_setsockopt(int fd, int level, int option, const void *p, socklen_t n)
{
	return (int)syscall(SYS_setsockopt, fd, level, option, p, n);
}
NAME(direct_setsockopt, plain, "setsockopt");
NAME(direct_setsockopt, time64, "__setsockopt64");

static ssize_t
direct_sendto(int fd, const void *p, size_t n, int flags, const void *to,
    socklen_t to_n)
{
	return syscall(SYS_sendto, fd, p, n, flags, to, to_n);
}
NAME(direct_sendto, plain, "sendto");

static ssize_t
direct_send(int fd, const void *p, size_t n, int flags)
{
	return direct_sendto(fd, p, n, flags, NULL, 0);
}
NAME(direct_send, plain, "send");

static ssize_t
direct_sendmsg(int fd, const struct msghdr *m, int flags)
{
	return syscall(SYS_sendmsg, fd, m, flags);
}
NAME(direct_sendmsg, plain, "sendmsg");
NAME(direct_sendmsg, time64, "__sendmsg64");

static ssize_t
direct_recvfrom(int fd, void *p, size_t n, int flags, void *from,
    socklen_t *from_n)
{
	return syscall(SYS_recvfrom, fd, p, n, flags, from, from_n);
}
NAME(direct_recvfrom, plain, "recvfrom");

static ssize_t
direct_recvfrom_chk(int fd, void *p, size_t n, size_t room, int flags, void *from,
    socklen_t *from_n)
{
	if (n > room)
		__chk_fail();
	return direct_recvfrom(fd, p, n, flags, from, from_n);
}
NAME(direct_recvfrom_chk, plain, "__recvfrom_chk");

static ssize_t
direct_recv(int fd, void *p, size_t n, int flags)
{
	return direct_recvfrom(fd, p, n, flags, NULL, NULL);
}
NAME(direct_recv, plain, "recv");

static ssize_t
direct_recv_chk(int fd, void *p, size_t n, size_t room, int flags)
{
	return direct_recvfrom_chk(fd, p, n, room, flags, NULL, NULL);
}
NAME(direct_recv_chk, plain, "__recv_chk");

static ssize_t
direct_recvmsg(int fd, struct msghdr *m, int flags)
{
	return syscall(SYS_recvmsg, fd, m, flags);
}
NAME(direct_recvmsg, plain, "recvmsg");
NAME(direct_recvmsg, time64, "__recvmsg64");

#endif
