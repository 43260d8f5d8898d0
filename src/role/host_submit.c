/* SPDX-License-Identifier: ISC */
/*
 * A message of the session's is given to the MTA (XTND XMIT).
 *
 * Runs as: root in the monitor, sendmail as the user (all the user himself with
 * isolation = single).
 * Reads from: the session a file, which is sendmail's to read; run_dir.
 * Trusts: run_dir, which is root's.
 */
#include "role/host_priv.h"

#include "drop/path.h"

#include "sys/file.h"
#include "sys/spawn.h"

#include <errno.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>

#define SUBMIT_TIMEOUT_S	120

int
host_find_sender(struct host *h, struct fault *f)
{
	const char *t = h->conf->xtnd.xmit_sender;

	if (!h->id->virtual || t[0] == '\0')
		return 0;
	return drop_path_expand(t, h->id->user, "", h->sender,
	    sizeof(h->sender), f);
}

/* Virtual users send from an address that the operator has chosen. */
static int
check_sender(const struct host *h, struct fault *f)
{
	return h->id->virtual && h->sender[0] == '\0' ? fault_set(f, FAULT_PERM,
	    "virtual users need xmit_sender") : 0;
}

int
host_draft(struct host *h, int *fd_r, struct fault *f)
{
	if (check_sender(h, f) != 0)
		return -1;
	if (file_executable(h->conf->xtnd.xmit_command, f) != 0) {
		if (f->err == ENOENT)
			f->class = FAULT_PERM;	/* no MTA was installed */
		return fault_prefix(f, "xmit_command: ");
	}
	return host_tempfile(h, fd_r, f);
}

/*
 * Messages per hour: a small file per user in the run folder, "HOUR COUNT".
 * Counts this one; FAULT_LIMIT when it is too many.
 */
static int
count_submission(struct host *h, struct fault *f)
{
	AUTO(fd_close) int	dirfd = -1;
	AUTO(fd_close) int	fd = -1;
	unsigned long long	hour = (unsigned long long)time(NULL) / 3600;
	unsigned long long	then = 0;
	unsigned		count = 0;
	char			text[64] = "";
	char			name[HOST_KEY_MAX];
	int			n;

	if (path_component(name, sizeof(name), h->id->user, f) != 0 ||
	    own_folder(h->conf->role.run_dir, "xmit", 0700, &dirfd, f) != 0 ||
	    file_open(dirfd, name, FILE_READ | FILE_WRITE | FILE_CREATE, 0600,
	    &fd, f) != 0 || lock_flock(fd, f) != 0 ||
	    file_pread(fd, text, sizeof(text) - 1, 0, f) < 0)
		return -1;
	if (sscanf(text, "%llu %u", &then, &count) != 2 || then != hour)
		count = 0;
	if (count >= h->conf->xtnd.xmit_rate)
		return fault_set(f, FAULT_LIMIT,
		    "%u messages this hour (xmit_rate)", count);
	n = snprintf(text, sizeof(text), "%llu %u\n", hour, count + 1);
	if (file_truncate(fd, 0, f) != 0)
		return -1;
	return file_pwrite(fd, text, (size_t)n, 0, f);
}

/* What sendmail means by it. */
static enum fault_class
class_of(int status)
{
	switch (status) {
	case EX_OSERR:
	case EX_IOERR:
	case EX_TEMPFAIL:
		return FAULT_TEMP;
	case EX_DATAERR:
	case EX_NOUSER:
	case EX_NOHOST:
		return FAULT_PROTO;
	default:
		return status > 128 ? FAULT_TEMP : FAULT_PERM;
	}
}

int
host_submit(struct host *h, int fd, struct fault *f)
{
	const char	*argv[6] = { "sendmail", "-oi", "-t" };
	char		 env[3][IDENTITY_PATH_MAX + 16];
	const char	*envp[] = {
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
		env[0], env[1], env[2], NULL,
	};
	const struct spawn s = {
		.path = h->conf->xtnd.xmit_command,
		.argv = argv,
		.env = envp,
		.as = identity_is_root() ? h->id : NULL,
		.dir = "/",
		.stdin_fd = fd,
		.timeout_s = SUBMIT_TIMEOUT_S,
	};
	char	said[256] = "";
	int	status;

	(void)snprintf(env[0], sizeof(env[0]), "HOME=%s",
	    h->id->home[0] != '\0' ? h->id->home : "/");
	(void)snprintf(env[1], sizeof(env[1]), "USER=%s", h->id->user);
	(void)snprintf(env[2], sizeof(env[2]), "LOGNAME=%s", h->id->user);
	if (h->sender[0] != '\0') {
		argv[3] = "-f";
		argv[4] = h->sender;
	}
	if (check_sender(h, f) != 0 || count_submission(h, f) != 0 ||
	    spawn_run(&s, said, sizeof(said), &status, f) != 0)
		return -1;
	if (status != 0)
		return fault_set(f, class_of(status), "%s ended with %d: %s",
		    s.path, status, said);
	return 0;
}
