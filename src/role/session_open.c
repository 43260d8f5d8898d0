/* SPDX-License-Identifier: ISC */
/*
 * What a session opens: its folders, the maildrop, bulletins behind it, and all that
 * the protocol asks for.
 *
 * Runs as: session.c tells.  Reads from: the user's mail, home; bulletins.
 */
#include "role/session_priv.h"

#include "pop/say.h"
#include "pop/transact.h"
#include "role/offers.h"
#include "role/pace.h"
#include "role/reach.h"

#include "sys/file.h"

#include <time.h>

#define STATE_MAX	128		/* octets of a small state file */

void
session_open_folders(struct session *s)
{
	const struct host	*h = s->c->facts;
	const char		*bulletins = s->c->conf->bull.dir;
	struct reach		*r = s->c->reach;
	struct reach		 own;

	if (r == NULL) {
		reach_open(&own, h);
		r = &own;
	}
	s->state_fd = fd_take(&r->state_fd);
	s->place_fd = fd_take(&r->home_fd);
	(void)fault_set(&s->no_place, FAULT_PERM,
	    "neither a home nor a state folder");
	if (r->no_state.class != FAULT_NONE) {
		session_tell(s, "state-folder", r->no_state.text);
		s->no_place = r->no_state;
	}
	if (r->no_home.class != FAULT_NONE) {
		s->no_place = r->no_home;
		if (bulletins != NULL && bulletins[0] != '\0') {
			(void)fault_prefix(&s->no_place,
			    "bulletins wait for the home folder: ");
			session_tell(s, "home-folder", s->no_place.text);
		}
	}
	s->place = (struct bull_place){ s->place_fd, ".popbull" };
	if (!h->has_home)
		s->place = (struct bull_place){ s->state_fd, "popbull" };
}

struct drop_conf
session_drop_conf(const struct session *s)
{
	return (struct drop_conf){
		.path = s->c->facts->path,
		.uid = s->c->id->uid,
		.journal_fd = s->c->facts->journal,
		.status = s->c->conf->drop.status_headers,
		.surrogates = s->c->conf->role.utf8_messages !=
		    (int)POP_UTF8_AS_IS,
		.lock_timeout_s = s->c->conf->drop.lock_timeout_s,
		.copy_max = s->c->conf->role.temp_max,
		.in_place = s->c->conf->drop.temp_maildrop == TEMP_MAILDROP_AUTO,
		.memory_max = HOST_MEMORY_MAX,
		.boot = s->c->boot,
		.host = &s->drop_host,
	};
}

/*
 * The new bulletins as a drop of their own; NULL when there are none.  Never a
 * reason to refuse a login.
 */
static struct drop *
open_bulletins(struct session *s)
{
	const struct bull_conf	*c = &s->c->conf->bull;
	const struct bull_reader who = {
		.place = s->place, .user = s->c->id->user,
		.host = s->c->hostname, .tell = session_tell, .ctx = s,
	};
	const struct bull_piece	*last;
	struct drop		*d;
	struct snapshot		 snap;
	struct fault		 f;

	if (c->dir == NULL || c->dir[0] == '\0' || s->place.dirfd < 0)
		return NULL;
	if (session_tempfile(s, &s->bulletins_fd, &f) != 0 ||
	    bull_collect(c, &who, s->bulletins_fd, 0, &s->set, &f) != 0) {
		session_tell(s, "bulletin-failed", f.text);
		return NULL;
	}
	if (s->set.n == 0)
		return NULL;
	last = &s->set.pieces[s->set.n - 1];
	if (mbox_open_image(s->bulletins_fd, last->off + last->len, &d,
	    &f) != 0) {
		session_tell(s, "bulletin-failed", f.text);
		bull_set_fini(&s->set);
		return NULL;
	}
	drop_ops_of(d)->snapshot(d, &snap);
	if (snap.n == s->set.n)
		return d;
	session_tell(s, "bulletin-failed",
	    "the bulletins are not as many messages");
	drop_ops_of(d)->close(d);
	bull_set_fini(&s->set);
	return NULL;
}

static const char *
read_last(const struct session *s, char *text, size_t cap)
{
	AUTO(fd_close) int	fd = -1;
	struct fault		f;
	ssize_t			n;

	if (s->c->conf->drop.status_headers || s->state_fd < 0 ||
	    file_open(s->state_fd, "last", FILE_READ, 0, &fd, &f) != 0)
		return NULL;
	n = file_slurp(fd, text, cap - 1, &f);
	if (n < 0)
		return NULL;
	text[n] = '\0';
	return text;
}

static void
set_pop_conf(struct session *s)
{
	const struct settings	*c = s->c->conf;
	const struct words	 words = s->c->moved != NULL ?
				    s->c->moved->words : s->c->words;

	s->pop_conf = (struct pop_conf){
		.host = s->c->hostname,
		.tokens = token_wanted(&c->token),
		.implementation = c->role.hide_version ? NULL : POPPER_IDENT,
		.offers = offers_later(c, &words),
		.bboards = c->xtnd.bboards,
		.copy_max = c->role.temp_max,
		.xmit = c->xtnd.xmit && (!s->c->id->virtual ||
		    s->c->facts->sender[0] != '\0'),
		.xmit_max = c->xtnd.xmit_max_size,
		.xmit_sender = s->c->facts->sender[0] != '\0' ?
		    s->c->facts->sender : NULL,
		.bad_max = c->role.max_bad_commands,
		.words = words,
		.preferred = (uint8_t)c->role.language,
		.utf8 = (enum pop_utf8)c->role.utf8_messages,
		.status = c->drop.status_headers,
		.login_delay_s = pace_of(&c->role, s->c->id),
		.own_delays = pace_differs(&c->role),
		.expire = drop_expire_told(&c->drop),
		.utf8_user = c->auth.utf8_user,
		.expire_before = drop_expire_before(&c->drop,
		    (uint64_t)time(NULL)),
		.expire_retrieved = drop_expires_retrieved(&c->drop),
		.expire_held = drop_expire_held(&c->drop, s->c->clock_kept),
		.ask = &s->pop_host,
	};
}

/* Other unique-ids than the promised ones would be worse than none. */
static int
load_promises(struct session *s, struct drop_conf *c, struct fault *f)
{
	int fd = s->c->facts->promises;

	if (fd < 0)
		return 0;
	if (promises_open(fd, &s->promises, f) != 0)
		return fault_prefix(f, "%s: ", c->path);
	c->promises = &s->promises;
	return 0;
}

int
session_open_maildrop(struct session *s, struct fault *f)
{
	const struct drop_ops	*ops = s->c->facts->maildir ? &maildir_ops :
				    &mbox_ops;
	struct drop_conf	 c = session_drop_conf(s);
	struct drop		*d;
	struct drop		*bulletins;
	struct fault		 why;
	char			 last[STATE_MAX];
	int			 result;

	if (s->c->refused != NULL) {
		*f = *s->c->refused;
		return -1;
	}
	result = load_promises(s, &c, f);
	if (result == 0)
		result = s->c->moved == NULL ? ops->open(&c, &d, f) :
		    mbox_open_copy(&c, s->c->moved->copy, s->c->moved->size, &d,
		    f);
	/* There was nothing to scan. */
	if (s->drop_host.dotlocked && session_unlock(s, &why) != 0)
		session_tell(s, "drop-unlock", why.text);
	s->drop_host.dotlocked = false;
	if (result != 0)
		return -1;
	set_pop_conf(s);
	bulletins = open_bulletins(s);
	s->pop = pop_new(&s->pop_conf, d, bulletins, &s->set,
	    s->bulletins_fd, read_last(s, last, sizeof(last)));
	return s->c->moved == NULL ? 0 :
	    pop_marks_set(s->pop, &s->c->moved->marks, f);
}
