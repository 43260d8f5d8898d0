/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, in the master.  Reads from: the role that hears popper ctl, typed
 * messages.  Trusts it for who may ask, as it must: sessions can be ended by it,
 * and the server, or its configuration be read again.  Nothing here waits.
 */
#include "role/crew.h"
#include "role/master.h"

#include "role/permit.h"

#include "sys/file.h"
#include "sys/spawn.h"

#include <string.h>

#define CHILDREN_MAX	8

static pid_t	children[CHILDREN_MAX];		/* 0: free */

/* Who asks for a reload hears how it went: own. */
static int	askers[CTL_ASKERS_MAX];
static size_t	naskers;
static size_t	nheard;		/* the first of them: by the one under way */

static void
give_child(const struct ctl_host *h, int fd, uint16_t type,
    const struct ctl_whom *w)
{
	struct fault	f;
	size_t		i = 0;

	while (i < CHILDREN_MAX && children[i] != 0)
		i++;
	if (i == CHILDREN_MAX) {
		ctl_done(fd, FAULT_TEMP, 0, "too many ask at a time");
		return;
	}
	children[i] = spawn_fork(&f);
	if (children[i] == 0)
		ctl_answer(h, fd, type, w);
	if (children[i] < 0) {
		ctl_done(fd, FAULT_TEMP, 0, f.text);
		children[i] = 0;
	}
}

void
ctl_reaped(pid_t pid)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (children[i] == pid)
			children[i] = 0;
}

/* One that is dead knows nothing, and would not close what waits on its link. */
static void
ask_auth(struct crew *c, uint16_t type, const struct ctl_whom *w, int fd)
{
	UNZEROED struct link_out m;

	if (c->roles[AUTH].child.pid == 0)
		return;
	link_out_init(&m, type);
	ctl_put_whom(&m, w);
	outbox_put(&c->roles[AUTH].child.out, &m, 0, &fd, 1);
}

struct edition_ears
ctl_reload_begins(void)
{
	nheard = naskers;
	return (struct edition_ears){ askers, nheard };
}

void
ctl_reload_over(const struct fault *refused)
{
	for (size_t i = 0; i < nheard; i++) {
		ctl_done(askers[i], refused == NULL ? FAULT_NONE : refused->class,
		    0, refused == NULL ? "" : refused->text);
		fd_close(&askers[i]);
	}
	naskers -= nheard;
	memmove(askers, askers + nheard, naskers * sizeof(askers[0]));
	nheard = 0;
}

/* When one is under way it is for the next. */
static void
ask_reload(const struct ctl_host *h, int *fd)
{
	if (h->stopping || naskers == CTL_ASKERS_MAX) {
		ctl_done(*fd, FAULT_TEMP, 0, h->stopping ? "popper stops" :
		    "too many ask at a time");
		return;
	}
	askers[naskers++] = fd_take(fd);
	master_reload();
}

int
ctl_act(const struct ctl_host *h, struct link_in *in, struct fault *f)
{
	AUTO(fd_close) int	fd = link_get_fd(in, 0);
	size_t			n = places_count(h->places);
	struct ctl_whom		w;

	if (ctl_get_whom(in, &w, f) != 0)
		return -1;
	switch (in->type) {
	case MSG_CTL_PENALTIES:
	case MSG_CTL_CLEAR:
		ask_auth(h->crew, in->type, &w, fd);
		return 0;
	case MSG_CTL_FLUSH:
		for (struct crew *c = h->crew; c != NULL; c = c->next)
			ask_auth(c, in->type, &w, fd);
		return 0;
	case MSG_CTL_KICK:
	case MSG_CTL_KILL:
		n = places_each(h->places, in->type == MSG_CTL_KILL ?
		    PLACES_KILL : PLACES_KICK, ctl_is, &w);
		break;
	case MSG_CTL_STOP:
		master_stop();
		break;
	case MSG_CTL_RELOAD:
		ask_reload(h, &fd);
		return 0;
	default:
		give_child(h, fd, in->type, &w);
		return 0;
	}
	ctl_done(fd, FAULT_NONE, n, "");
	return 0;
}
