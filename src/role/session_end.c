/* SPDX-License-Identifier: ISC */
#include "role/session_end.h"

#include "role/attempt.h"
#include "role/session.h"

#include "sys/spawn.h"
#include "watch/log.h"
#include "watch/metrics.h"

/* A line about a session: whose it is, and from where. */
static void
line_begin(struct log_line *l, const char *id, const char *user,
    const char *ip)
{
	log_begin(l, LEVEL_NOTE, id);
	log_str(l, "user", user);
	log_str(l, "ip", ip);
}

void
session_log_login(const char *user, const char *ip, uid_t uid, const char *db,
    bool cached, enum auth_method method)
{
	struct log_line l;

	line_begin(&l, "login", user, ip);
	log_num(&l, "uid", uid);
	if (db[0] != '\0')
		log_str(&l, "db", db);
	if (cached)
		log_str(&l, "cached", "yes");
	log_str(&l, "method", auth_method_word(method));
	log_end(&l);
}

static const char *
reason(const struct session_sum *s, const struct pop_counts *n)
{
	if (s->pop == NULL)
		return s->delayed ? "login-delay" : "no-maildrop";
	if (s->end == PUMP_END_CLOSED && !n->quit)
		return "bad-commands";
	if (s->end != PUMP_END_CLOSED && !n->quit)
		return pump_end_word(s->end);
	return n->updated ? "quit" : "quit-failed";
}

static void
log_silent(const struct session_sum *s)
{
	struct log_line l;

	line_begin(&l, "client-silent", s->user, s->ip);
	log_num(&l, "s", s->gone_s);
	log_end(&l);
}

void
session_log_end(const struct session_sum *s)
{
	struct pop_counts	n = { 0 };
	struct log_line		l;

	if (s->end == PUMP_END_SILENT)
		log_silent(s);
	if (s->pop != NULL)
		pop_count(s->pop, &n);
	line_begin(&l, "session-end", s->user, s->ip);
	log_str(&l, "reason", reason(s, &n));
	log_num(&l, "retrieved", n.retrieved);
	log_num(&l, "deleted", n.deleted);
	log_num(&l, "deleted_octets", n.deleted_octets);
	log_num(&l, "left", n.left);
	log_num(&l, "left_octets", n.left_octets);
	log_num(&l, "octets_in", s->octets_in);
	log_num(&l, "octets_out", s->octets_out);
	log_num(&l, "ms", clock_ms() - s->began_ms);
	if (n.expired > 0)
		log_num(&l, "expired", n.expired);
	log_end(&l);
	if (s->statistics && s->pop != NULL)
		log_stats(span_str(s->user), n.deleted, n.deleted_octets,
		    n.left, n.left_octets, s->ip);
}

/* Of one that was looked for too long. */
static void
log_away(const char *user)
{
	struct log_line l;

	log_begin(&l, LEVEL_ERR, "drop-failed");
	log_str(&l, "user", user);
	log_str(&l, "text", "his home does not answer within lock_timeout; mend its"
	    " file system, or take that away (umount -f, umount -l)");
	log_end(&l);
}

void
session_lost(const char *user, const struct sock_addr *peer, int status)
{
	struct log_line l;

	if (status == SESSION_UNBORN)
		attempt_log_unjudged(user, peer,
		    "see session-cage, session-fork, spawner-link");
	if (status == SPAWN_LATE) {
		attempt_log_unjudged(user, peer, "see drop-failed");
		log_away(user);
	}
	if (status == 0 || status == SESSION_UNBORN || status == SPAWN_LATE)
		return;
	metric_add(METRIC_END_CRASH, 1);
	log_begin(&l, LEVEL_ERR, "session-end");
	log_str(&l, "user", user);
	log_str(&l, "ip", peer->text);
	log_str(&l, "reason", "crash");
	log_num(&l, "status", (uint64_t)status);
	log_end(&l);
}

void
session_log_open(const char *path, bool dotlock_stays)
{
	log_text(LEVEL_ERR, "recovery-open", "%s: an UPDATE is unfinished%s; run"
	    " \"popper recover\" when the cause is gone", path,
	    dotlock_stays ? ", its dotlock stays" : "");
}

void
session_summary(const struct session_sum *s, struct wire_summary *out)
{
	struct pop_counts n = { 0 };

	if (s->pop != NULL)
		pop_count(s->pop, &n);
	*out = (struct wire_summary){
		.end = metric_labelled(METRIC_END_QUIT, METRIC_END_CRASH,
		    reason(s, &n), METRIC_END_CRASH),
		.retrieved = n.retrieved,
		.deleted = n.deleted,
		.octets_in = s->octets_in,
		.octets_out = s->octets_out,
		.ms = clock_ms() - s->began_ms,
		.lock_ms = s->lock_ms,
	};
}
