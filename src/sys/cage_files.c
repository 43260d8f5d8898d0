/* SPDX-License-Identifier: ISC */
/*
 * Landlock: which files a process may go on to use, whatever its user may.
 * Runs as: session, recovery, and roles without files, once, after the change of ids and
 * before the system call filter.
 * Trusts: the kernel's own version number of Landlock.
 * Gives up: all files but those beneath the given places; new TCP connections, but to
 * named ports; sockets of the abstract name space, which no file's rights guard.
 *
 * glibc has no wrappers, and the headers may be older than the kernel: what we
 * need of them stands here.
 */
#include "sys/cage_files.h"

#include "sys/file.h"
#include "sys/sys_priv.h"

#include <assert.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of versions 3 to 6. */
#define FS_TRUNCATE	(1ull << 14)
#define FS_IOCTL_DEV	(1ull << 15)
#define NET_BIND_TCP	(1ull << 0)
#define NET_CONNECT_TCP	(1ull << 1)
#define SCOPE_ABSTRACT	(1ull << 0)

#define FS_1	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
		 LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | \
		 LANDLOCK_ACCESS_FS_REMOVE_DIR | \
		 LANDLOCK_ACCESS_FS_REMOVE_FILE | \
		 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
		 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | \
		 LANDLOCK_ACCESS_FS_MAKE_FIFO | \
		 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define FS_2	(FS_1 | LANDLOCK_ACCESS_FS_REFER)
#define FS_3	(FS_2 | FS_TRUNCATE)
#define FS_5	(FS_3 | FS_IOCTL_DEV)
#define NET_4	(NET_BIND_TCP | NET_CONNECT_TCP)

/* The kernel's struct landlock_ruleset_attr, of version 6. */
struct ruleset {
	uint64_t	fs;
	uint64_t	net;
	uint64_t	scoped;
};
static_assert(sizeof(struct ruleset) == 24, "the kernel's layout");

/* Its struct landlock_net_port_attr, and the number of that kind of rule. */
struct port_rule {
	uint64_t	allowed;
	uint64_t	port;
};
#define RULE_PORT	2

/*
 * What a version knows, and so all that is refused from now on unless a place
 * allows it.  Version 1 refuses renames to another folder in any case.
 */
static const struct ruleset versions[] = {
	[1] = { FS_1, 0, 0 },
	[2] = { FS_2, 0, 0 },
	[3] = { FS_3, 0, 0 },
	[4] = { FS_3, NET_4, 0 },
	[5] = { FS_5, NET_4, 0 },
	[6] = { FS_5, NET_4, SCOPE_ABSTRACT },
};

/* A kernel refuses a form that is longer than its own and not all zero. */
static size_t
form_size(const struct ruleset *r)
{
	return r->scoped != 0 ? sizeof(*r) : r->net != 0 ?
	    offsetof(struct ruleset, scoped) : offsetof(struct ruleset, net);
}

/* What each bit of enum cage_how allows. */
static const struct {
	unsigned	how;
	uint64_t	fs;
} rights[] = {
	{ CAGE_READ,	LANDLOCK_ACCESS_FS_READ_FILE },
	{ CAGE_LIST,	LANDLOCK_ACCESS_FS_READ_DIR },
	{ CAGE_WRITE,	LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE },
	{ CAGE_NAMES,	LANDLOCK_ACCESS_FS_MAKE_REG |
			LANDLOCK_ACCESS_FS_REMOVE_FILE },
	{ CAGE_FOLDERS,	LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REFER },
};

unsigned
cage_files_version(struct fault *f)
{
	long v = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0,
	    LANDLOCK_CREATE_RULESET_VERSION);

	if (v > 0)
		return (unsigned)v;
	switch (v == 0 ? ENOSYS : errno) {
	case ENOSYS:
		(void)fault_set(f, FAULT_PERM,
		    "this kernel was built without Landlock");
		break;
	case EOPNOTSUPP:
		(void)fault_set(f, FAULT_PERM, "Landlock is turned off on this"
		    " host (the kernel's parameter lsm=)");
		break;
	default:
		(void)fault_errno(f, FAULT_PERM, errno, "Landlock");
	}
	return 0;
}

static uint64_t
rights_of(unsigned how, uint64_t known)
{
	uint64_t fs = 0;

	for (size_t i = 0; i < ARRAY_LEN(rights); i++)
		if ((how & rights[i].how) != 0)
			fs |= rights[i].fs;
	return fs & known;
}

int
cage_files_begin(struct cage_files *c, unsigned version, struct fault *f)
{
	struct ruleset known;

	*c = (struct cage_files){ .fd = -1 };
	if (version == 0)
		return 0;
	if (version >= ARRAY_LEN(versions))
		version = ARRAY_LEN(versions) - 1;
	known = versions[version];
	c->known = known.fs;
	c->net = known.net != 0;
	c->fd = (int)syscall(SYS_landlock_create_ruleset, &known,
	    form_size(&known), 0);
	return c->fd == -1 ? SYS_FAULT(f, "Landlock") : 0;
}

int
cage_files_allow(struct cage_files *c, int fd, unsigned how, struct fault *f)
{
	const struct landlock_path_beneath_attr rule = {
		.allowed_access	= rights_of(how, c->known),
		.parent_fd	= fd,
	};

	if (c->fd < 0)
		return 0;
	return syscall(SYS_landlock_add_rule, c->fd,
	    LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == -1 ?
	    SYS_FAULT(f, "Landlock: a place") : 0;
}

int
cage_files_enter(struct cage_files *c, struct fault *f)
{
	AUTO(fd_close) int fd = fd_take(&c->fd);

	if (fd < 0)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    syscall(SYS_landlock_restrict_self, fd, 0) == -1)
		return SYS_FAULT(f, "Landlock: locking in");
	return 0;
}

static int
allow_port(const struct cage_files *c, uint16_t port, struct fault *f)
{
	const struct port_rule rule = { NET_CONNECT_TCP, port };

	if (!c->net)
		return 0;
	return syscall(SYS_landlock_add_rule, c->fd, RULE_PORT, &rule, 0) == -1 ?
	    SYS_FAULT(f, "Landlock: port %u", port) : 0;
}

int
cage_files_nothing(const uint16_t *ports, size_t n, struct fault *f)
{
	AUTO(cage_files_fini) struct cage_files	c = { .fd = -1 };
	struct fault				without;

	if (cage_files_begin(&c, cage_files_version(&without), f) != 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (allow_port(&c, ports[i], f) != 0)
			return -1;
	return cage_files_enter(&c, f);
}

void
cage_files_fini(struct cage_files *c)
{
	fd_close(&c->fd);
}
