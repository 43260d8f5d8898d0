/* SPDX-License-Identifier: ISC */
/*
 * Why there is no maildrop, for the client and for the log.
 *
 * Runs as: session.c tells.
 */
#include "role/session_priv.h"

#include "pop/say.h"

#include "watch/log.h"

#define MINUTES_FROM_S	120		/* an age is told in minutes from here */

/* Another session of popper's has it; else an MTA, a mail reader. */
static const struct host_holder *
other_session(const struct session *s, const struct fault *f)
{
	const struct host_holder *o = &s->c->facts->holder;

	return f->class == FAULT_IN_USE && o->known ? o : NULL;
}

/* Octets of ours and a number: where the other one is, is for the log alone. */
static void
say_in_use(struct buf *out, uint64_t age_s)
{
	static const char *const units[] = { "minutes", "second", "seconds" };
	uint64_t	n = age_s;
	size_t		unit = age_s == 1 ? 1 : 2;

	if (age_s >= MINUTES_FROM_S) {
		n = age_s / 60;
		unit = 0;
	}
	SAY_ERR(out, CODE_IN_USE, "Maildrop is in use since %llu %s by another"
	    " session.", (unsigned long long)n,
	    lang_text(out->tag, units[unit]));
}

void
session_refuse_delayed(struct session *s)
{
	struct log_line	l;
	unsigned	wait_s = s->c->facts->wait_s;

	log_begin(&l, LEVEL_NOTE, "login-too-soon");
	log_str(&l, "user", s->c->id->user);
	log_str(&l, "ip", s->c->peer->text);
	log_num(&l, "wait_s", wait_s);
	log_end(&l);
	SAY_ERR(&s->pump.out, CODE_LOGIN_DELAY, wait_s == 1 ?
	    "Too soon after the last login, wait %u second." :
	    "Too soon after the last login, wait %u seconds.", wait_s);
}

void
session_refuse(struct session *s, const struct fault *f)
{
	const struct host_holder	*other = other_session(s, f);
	struct log_line			 l;

	log_begin(&l, f->class == FAULT_IN_USE ? LEVEL_NOTE : LEVEL_ERR,
	    f->class == FAULT_IN_USE ? "drop-in-use" : "drop-failed");
	log_str(&l, "user", s->c->id->user);
	log_str(&l, "text", f->text);
	if (other != NULL) {
		log_str(&l, "other_sid", other->sid);
		log_num(&l, "other_pid", other->pid);
		log_str(&l, "other_ip", other->ip);
		log_num(&l, "other_s", other->age_s);
	}
	log_end(&l);
	if (other != NULL)
		say_in_use(&s->pump.out, other->age_s);
	else
		SAY_FAULT(&s->pump.out, f);
}
