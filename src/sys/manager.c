/* SPDX-License-Identifier: ISC */
/*
 * The service manager: its variables, its sockets, its datagrams.
 * Runs as: serve.  Reads from: the environment it was started with; the manager
 * never answers.  Trusts: who started it.
 */
#include "sys/manager.h"

#include "base/num.h"
#include "sys/file.h"
#include "sys/sock.h"
#include "sys/sys_priv.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
	TELL_WAIT_S	= 1,
	FDS_MAX		= 1024,
	STATUS_PAUSE_MS	= 2000,		/* the manager wakes up for each */
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

/* Copied, since the variable goes; empty when it is too long to be whole. */
static void
copy(const char *name, char *out, size_t cap)
{
	const char *value = getenv(name);

	out[0] = '\0';
	if (value != NULL && strlen(value) < cap)
		memcpy(out, value, strlen(value) + 1);
}

int
manager_take(struct manager *m, struct fault *f)
{
	int rc;

	*m = (struct manager){ .nfds = 0 };
	copy("NOTIFY_SOCKET", m->notify, sizeof(m->notify));
	copy("LISTEN_FDNAMES", m->names, sizeof(m->names));
	take_watchdog(m);
	rc = take_sockets(m, f);
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		(void)unsetenv(variables[i]);	/* fails for bad names only */
	return rc;
}

void
manager_fd_name(const struct manager *m, size_t i, char *out, size_t cap)
{
	const char *name = m->names;

	for (; i > 0 && name[0] != '\0'; i--) {
		name += strcspn(name, ":");
		name += name[0] == ':';
	}
	(void)snprintf(out, cap, "%.*s", (int)strcspn(name, ":"), name);
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

static int
send_to(const struct manager *m, bool wait_for_it, const char *text,
    struct fault *f)
{
	const struct timeval	wait = { .tv_sec = TELL_WAIT_S };
	AUTO(fd_close) int	fd = -1;
	struct sockaddr_un	un;
	socklen_t		n;

	n = address(m->notify, &un);
	if (n == 0)
		return fault_set(f, FAULT_PERM,
		    "NOTIFY_SOCKET=%.60s: not a socket that we know to use",
		    m->notify);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait,
	    sizeof(wait)) == -1 || SYS_RETRY(sendto(fd, text, strlen(text),
		    MSG_NOSIGNAL | (wait_for_it ? 0 : MSG_DONTWAIT),
	    (const struct sockaddr *)&un, n)) == -1)
		return SYS_FAULT(f, "tell %.60s", m->notify);
	return 0;
}

static void
tell(struct manager *m, bool wait_for_it, const char *text)
{
	bool		failed_before = m->failing;
	struct fault	f;

	if (m->notify[0] == '\0')
		return;
	m->failing = send_to(m, wait_for_it, text, &f) != 0;
	if (m->failing && !failed_before && m->failed != NULL)
		m->failed(&f);
}

static void
tell_status(struct manager *m, const char *first, const char *status)
{
	char text[MANAGER_STATUS_MAX + 40];

	(void)snprintf(m->status, sizeof(m->status), "%s", status);
	m->status_due_ms = clock_ms() + STATUS_PAUSE_MS;
	(void)snprintf(text, sizeof(text), "%s%sSTATUS=%s",
	    m->ready_due ? "READY=1\n" : "", first, m->status);
	tell(m, m->ready_due || first[0] != '\0', text);
	m->ready_due = m->ready_due && m->failing;
}

void
manager_ready(struct manager *m, const char *status)
{
	m->ready_due = true;
	tell_status(m, "", status);
}

/* The time is compared with that of systemd's order, so that milliseconds would
 * not do: it must not be earlier. */
void
manager_reloading(struct manager *m)
{
	struct timespec	t = { .tv_sec = 0 };
	char		text[80];

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	(void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
	    (unsigned long long)t.tv_sec * 1000000 +
	    (unsigned long long)t.tv_nsec / 1000);
	tell(m, true, text);
}

void
manager_stopping(struct manager *m)
{
	m->ready_due = false;
	tell_status(m, "STOPPING=1\n", "Waiting for sessions to end");
}

static void
sooner(uint64_t *ms, uint64_t due_ms, uint64_t now)
{
	uint64_t wait = due_ms > now ? due_ms - now : 0;

	if (wait < *ms)
		*ms = wait;
}

void
manager_turn(struct manager *m, const char *status, uint64_t *ms)
{
	uint64_t now = clock_ms();

	if (m->notify[0] == '\0')
		return;
	if (status == NULL)
		status = m->status;
	if (m->ready_due || strcmp(status, m->status) != 0) {
		if (now >= m->status_due_ms)
			tell_status(m, "", status);
		else
			sooner(ms, m->status_due_ms, now);
	}
	if (m->beat_ms == 0)
		return;
	if (now >= m->beat_due_ms) {
		tell(m, false, "WATCHDOG=1");
		m->beat_due_ms = now + m->beat_ms / (m->failing ? 2 : 1);
	}
	sooner(ms, m->beat_due_ms, now);
}
