/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root in the master (listening), whoever calls popper ctl.
 * Trusts: the kernel for who has connected.
 */
#include "sys/local.h"

#include "base/attr.h"
#include "base/span.h"
#include "sys/file.h"
#include "sys/sys_priv.h"

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define QUEUE		64
#define GROUPS_MOST	1024

static const int types[] = {
	[LOCAL_PACKETS]	= SOCK_SEQPACKET,
	[LOCAL_STREAM]	= SOCK_STREAM,
};

static int
named_socket(const char *path, int type, struct sockaddr_un *un, int *fd_r,
    struct fault *f)
{
	*fd_r = -1;
	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!span_cstr(span_str(path), un->sun_path, sizeof(un->sun_path)))
		return fault_errno(f, FAULT_PERM, ENAMETOOLONG, "%s", path);
	*fd_r = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	return *fd_r == -1 ? SYS_FAULT(f, "socket") : 0;
}

/* What an earlier server has left. */
static int
remove_old(const char *path, struct fault *f)
{
	struct stat st;

	if (lstat(path, &st) == -1)
		return errno == ENOENT ? 0 : SYS_FAULT(f, "%s", path);
	if (!S_ISSOCK(st.st_mode))
		return fault_set(f, FAULT_PERM, "%s is there, and no socket",
		    path);
	return unlink(path) == -1 ? SYS_FAULT(f, "remove %s", path) : 0;
}

/* Nobody else can connect before the mode is set. */
static int
bind_as(int fd, const struct sockaddr_un *un, gid_t gid, struct fault *f)
{
	mode_t	before = umask(0177);
	int	rc = bind(fd, (const struct sockaddr *)un, sizeof(*un));

	(void)umask(before);
	if (rc == -1 || (gid != LOCAL_NO_GROUP &&
	    (lchown(un->sun_path, (uid_t)-1, gid) == -1 ||
	    chmod(un->sun_path, 0660) == -1)) || listen(fd, QUEUE) == -1)
		return SYS_FAULT(f, "listen on %s", un->sun_path);
	return 0;
}

int
local_listen(const char *path, enum local_kind kind, gid_t gid, int *fd_r,
    struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	struct sockaddr_un	un;

	if (named_socket(path, types[kind], &un, &fd, f) != 0 ||
	    remove_old(path, f) != 0 || bind_as(fd, &un, gid, f) != 0 ||
	    fd_set_nonblock(fd, f) != 0)
		return -1;
	*fd_r = fd_take(&fd);
	return 0;
}

static int
connect_as(const char *path, int type, int *fd_r, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	struct sockaddr_un	un;

	if (named_socket(path, type, &un, &fd, f) != 0)
		return -1;
	if (SYS_RETRY(connect(fd, (const struct sockaddr *)&un,
	    sizeof(un))) == -1)
		return SYS_FAULT(f, "connect to %s", path);
	*fd_r = fd_take(&fd);
	return 0;
}

int
local_connect(const char *path, int *fd_r, struct fault *f)
{
	return connect_as(path, SOCK_SEQPACKET, fd_r, f);
}

int
local_connect_now(const char *path, int *fd_r, struct fault *f)
{
	return connect_as(path, SOCK_SEQPACKET | SOCK_NONBLOCK, fd_r, f);
}

void
local_peer_ids(int fd, uid_t *uid_r, pid_t *pid_r)
{
	struct ucred	who = { .uid = (uid_t)-1 };
	socklen_t	n = sizeof(who);

	/* Fails for what is no such socket. */
	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n);
	*uid_r = who.uid;
	*pid_r = who.pid;
}

enum local_peer
local_peer(int fd, gid_t gid)
{
	struct ucred	who;
	gid_t		groups[GROUPS_MOST];
	socklen_t	n = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == -1)
		return LOCAL_PEER_OTHER;
	if (who.uid == 0)
		return LOCAL_PEER_ROOT;
	if (gid == LOCAL_NO_GROUP)
		return LOCAL_PEER_OTHER;
	if (who.gid == gid)
		return LOCAL_PEER_MEMBER;
	n = sizeof(groups);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) == -1)
		return LOCAL_PEER_OTHER;
	for (size_t i = 0; i < n / sizeof(groups[0]); i++)
		if (groups[i] == gid)
			return LOCAL_PEER_MEMBER;
	return LOCAL_PEER_OTHER;
}

/* One packet less, with what came along; false: there is none.  While SO_PASSCRED is on,
 * the kernel says of a packet alone, be it empty, that something was left out. */
static bool
throw_away(int fd)
{
	char		octet;
	struct iovec	iov = { &octet, 1 };
	struct msghdr	m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t		n = SYS_RETRY(recvmsg(fd, &m, MSG_DONTWAIT));

	/* Reset: the other end is closed, which is told before what lies there. */
	return n == -1 ? errno == ECONNRESET : (m.msg_flags & MSG_CTRUNC) != 0;
}

static int
tell_packets(int fd, int on, struct fault *f)
{
	return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == -1 ?
	    SYS_FAULT(f, "SO_PASSCRED") : 0;
}

int
local_hush(int fd, struct fault *f)
{
	if (shutdown(fd, SHUT_RD) == -1)
		return SYS_FAULT(f, "shutdown");
	if (tell_packets(fd, 1, f) != 0)
		return -1;
	/* Nothing comes any more, so this ends. */
	while (throw_away(fd))
		;
	return tell_packets(fd, 0, f);
}

gid_t
local_group(const char *name)
{
	const struct group *g = name[0] == '\0' ? NULL : getgrnam(name);

	return g == NULL ? LOCAL_NO_GROUP : g->gr_gid;
}
