/* SPDX-License-Identifier: ISC */
/*
 * The service manager: its variables, its sockets, its datagrams.
 * Runs as: serve.  Reads from: the environment it was started with; the manager
 * never answers.  Trusts: who started it.
 *
 * By hand, without libsystemd: docs/design.md, section 1.
 */
#include "sys/manager.h"

#include "base/num.h"
#include "sys/file.h"
#include "sys/sys_priv.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	TELL_WAIT_S	= 1,
	FDS_MAX		= 1024,
};
#define USEC_MAX	(365ull * 86400 * 1000000)

static const char *const variables[] = {
	"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
	"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
};

static bool
number_of(const char *name, uint64_t max, uint64_t *out)
{
	const char *value = getenv(name);

	return value != NULL && num_parse(span_str(value), max, out);
}

static bool
is_for_us(const char *name)
{
	uint64_t pid;

	return number_of(name, INT32_MAX, &pid) && (pid_t)pid == getpid();
}

static void
take_watchdog(struct manager *m)
{
	uint64_t usec;

	if (!is_for_us("WATCHDOG_PID") ||
	    !number_of("WATCHDOG_USEC", USEC_MAX, &usec) || usec == 0)
		return;
	/* At half of the time, as sd_watchdog_enabled(3) advises. */
	m->beat_ms = usec < 2000 ? 1 : (unsigned)(usec / 2000);
}

static int
take_sockets(struct manager *m, struct fault *f)
{
	uint64_t n;

	if (!is_for_us("LISTEN_PID") || getenv("LISTEN_FDS") == NULL)
		return 0;
	if (!number_of("LISTEN_FDS", FDS_MAX, &n))
		return fault_set(f, FAULT_PERM,
		    "LISTEN_FDS is no number of sockets");
	for (int fd = MANAGER_FD; fd < MANAGER_FD + (int)n; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
			return SYS_FAULT(f, "descriptor %d, one of the %u that "
			    "LISTEN_FDS announces", fd, (unsigned)n);
	m->nfds = (unsigned)n;
	return 0;
}

int
manager_take(struct manager *m, struct fault *f)
{
	const char	*notify = getenv("NOTIFY_SOCKET");
	int		 rc;

	*m = (struct manager){ .nfds = 0 };
	if (notify != NULL)
		(void)snprintf(m->notify, sizeof(m->notify), "%s", notify);
	take_watchdog(m);
	rc = take_sockets(m, f);
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		(void)unsetenv(variables[i]);	/* fails for bad names only */
	return rc;
}

/* Its length; 0 when it is none: '@' stands for the NUL of the kernel's names
 * that are in no folder. */
static socklen_t
address(const char *notify, struct sockaddr_un *un)
{
	size_t n = strlen(notify);

	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if ((notify[0] != '/' && notify[0] != '@') || n < 2 ||
	    n >= sizeof(un->sun_path))
		return 0;
	memcpy(un->sun_path, notify, n);
	if (notify[0] == '@')
		un->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

int
manager_tell(const struct manager *m, const char *text, struct fault *f)
{
	const struct timeval	wait = { .tv_sec = TELL_WAIT_S };
	AUTO(fd_close) int	fd = -1;
	struct sockaddr_un	un;
	socklen_t		n;

	if (m->notify[0] == '\0')
		return 0;
	n = address(m->notify, &un);
	if (n == 0)
		return fault_set(f, FAULT_PERM,
		    "NOTIFY_SOCKET=%.60s: not a socket that we know to use",
		    m->notify);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait,
	    sizeof(wait)) == -1 || SYS_RETRY(sendto(fd, text, strlen(text),
	    MSG_NOSIGNAL, (const struct sockaddr *)&un, n)) == -1)
		return SYS_FAULT(f, "tell %.60s", m->notify);
	return 0;
}
