/* SPDX-License-Identifier: ISC */
#include "role/limit.h"

#include "base/attr.h"
#include "watch/log.h"

#define QUIET_MS	10000		/* between two lines that say the same */

static const char *const words[] = {
	[LIMIT_SESSIONS]	= "max_sessions",
	[LIMIT_USER]		= "max_sessions_per_user",
	[LIMIT_ADDRESS]		= "max_sessions_per_address",
	[LIMIT_NETWORK]		= "max_sessions_per_network",
	[LIMIT_STRANGERS]	= "max_strangers",
	[LIMIT_COMMANDS]	= "max_commands_before_login",
	[LIMIT_BAD_COMMANDS]	= "max_bad_commands",
	[LIMIT_LOGIN_TIME]	= "login_timeout",
	[LIMIT_MIN_RATE]	= "min_rate",
	[LIMIT_NETWORKS]	= "networks",
};

const char *
limit_word(enum limit which)
{
	ASSERT(which < LIMITS);
	return words[which];
}

bool
quiet_speak(struct quiet *q, uint64_t *n_r)
{
	uint64_t now = clock_ms();

	q->n++;
	if (now < q->until_ms)
		return false;
	*n_r = q->n;
	*q = (struct quiet){ .until_ms = now + QUIET_MS };
	return true;
}

void
limit_reached(struct limit_log *l, enum limit which,
    const struct sock_addr *peer)
{
	struct log_line	line;
	uint64_t	n;

	if (l->refused != NULL)
		__atomic_store_n(&l->refused[which], l->refused[which] + 1,
		    __ATOMIC_RELAXED);
	if (!quiet_speak(&l->quiet[which], &n))
		return;
	log_begin(&line, LEVEL_WARN, "limit-reached");
	log_str(&line, "limit", limit_word(which));
	log_str(&line, "ip", peer->text);
	log_num(&line, "times", n);
	log_end(&line);
}

void
limit_ended(struct limit_log *l, enum metric end, const struct sock_addr *peer)
{
	if (end == METRIC_END_TOO_SLOW)
		limit_reached(l, LIMIT_MIN_RATE, peer);
	else if (end == METRIC_END_BAD_COMMANDS)
		limit_reached(l, LIMIT_BAD_COMMANDS, peer);
}
