/* SPDX-License-Identifier: ISC */
/*
 * Sockets with a name in the file system, for processes of this host, and who
 * is at their other end.  Floor 1.
 */
#ifndef SYS_LOCAL_H
#define SYS_LOCAL_H

#include "base/attr.h"
#include "base/fault.h"

#include <stdbool.h>
#include <sys/types.h>

#define LOCAL_NO_GROUP	((gid_t)-1)

enum local_kind {
	LOCAL_PACKETS,		/* SOCK_SEQPACKET, as links are */
	LOCAL_STREAM,
};

/*
 * Listen at path, in place of a socket that is there (what is not a socket is
 * FAULT_PERM and stays).  Mode 0660 for gid, or 0600 with LOCAL_NO_GROUP.  The
 * descriptor does not block, close-on-exec.
 */
int	local_listen(const char *path, enum local_kind kind, gid_t gid,
	    int *fd_r, struct fault *f) MUSTUSE;
/* Connected to the packet socket at path, close-on-exec.  Waits until its owner
 * takes new ones. */
int	local_connect(const char *path, int *fd_r, struct fault *f) MUSTUSE;
/* The same, but does not wait, nor does what is read from it or sent. */
int	local_connect_now(const char *path, int *fd_r, struct fault *f) MUSTUSE;

/* Who has connected, as the kernel saw it then. */
enum local_peer {
	LOCAL_PEER_ROOT,
	LOCAL_PEER_MEMBER,	/* gid is its group, or one of its groups */
	LOCAL_PEER_OTHER,
};
enum local_peer	local_peer(int fd, gid_t gid);
/* For the log.  uid -1: it is not known. */
void	local_peer_ids(int fd, uid_t *uid_r, pid_t *pid_r);

/*
 * Nothing can be sent to a packet socket from its other end any more, and nothing lies
 * there: what came along with that, a descriptor perhaps, is closed here and now, which
 * may wait, and not by whoever closes the socket last.
 */
int	local_hush(int fd, struct fault *f) MUSTUSE;

/* The number of a group of this host; LOCAL_NO_GROUP: there is none. */
gid_t	local_group(const char *name);

#endif
