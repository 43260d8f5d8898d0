/* SPDX-License-Identifier: ISC */
/*
 * Runs as: serve.  Reads from: the environment, once.  The manager that is busy
 * or gone never stops mail: a datagram that it does not take is lost, and told
 * once.
 */
#include "role/notify.h"

#include "sys/sock.h"
#include "watch/log.h"

#include <stdio.h>
#include <string.h>

/* The manager wakes up for each. */
#define STATUS_PAUSE_MS	2000

static void
tell(struct notify *n, const char *text)
{
	struct fault f;

	if (manager_tell(&n->manager, text, &f) == 0) {
		n->failing = false;
		return;
	}
	if (!n->failing)
		log_fault(LEVEL_WARN, "notify", &f);
	n->failing = true;
}

static void
tell_status(struct notify *n, const char *first, const char *status)
{
	char text[NOTIFY_STATUS_MAX + 40];

	(void)snprintf(n->status, sizeof(n->status), "%s", status);
	n->status_due_ms = clock_ms() + STATUS_PAUSE_MS;
	(void)snprintf(text, sizeof(text), "%sSTATUS=%s", first, n->status);
	tell(n, text);
}

int
notify_init(struct notify *n, struct fault *f)
{
	*n = (struct notify){ .failing = false };
	return manager_take(&n->manager, f);
}

void
notify_ready(struct notify *n, const char *status)
{
	tell_status(n, "READY=1\n", status);
}

void
notify_reloading(struct notify *n)
{
	char text[80];

	(void)snprintf(text, sizeof(text),
	    "RELOADING=1\nMONOTONIC_USEC=%llu",
	    (unsigned long long)clock_ms() * 1000);
	tell(n, text);
}

void
notify_stopping(struct notify *n)
{
	tell(n, "STOPPING=1\nSTATUS=Waiting for sessions to end");
}

static int
sooner(int most, uint64_t due_ms)
{
	uint64_t now = clock_ms();

	if (due_ms <= now)
		return 0;
	return due_ms - now < (uint64_t)most ? (int)(due_ms - now) : most;
}

int
notify_turn(struct notify *n, const char *status, int most)
{
	if (n->manager.notify[0] == '\0')
		return most;
	if (strcmp(status, n->status) != 0) {
		if (clock_ms() >= n->status_due_ms)
			tell_status(n, "", status);
		else
			most = sooner(most, n->status_due_ms);
	}
	if (n->manager.beat_ms == 0)
		return most;
	if (clock_ms() >= n->beat_due_ms) {
		n->beat_due_ms = clock_ms() + n->manager.beat_ms;
		tell(n, "WATCHDOG=1");
	}
	return sooner(most, n->beat_due_ms);
}
