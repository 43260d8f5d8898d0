/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, or a worker with its rights.  Reads from: nobody; the formatter
 * of the log escapes what a client said.
 */
#include "role/attempt.h"

#include "auth/auth.h"

#include "watch/log.h"

void
attempt_log_unjudged(const char *user, const struct sock_addr *peer,
    const char *detail)
{
	struct log_line l;

	log_begin(&l, LEVEL_ERR, "login-failed");
	if (user != NULL)
		log_str(&l, "user", user);
	log_str(&l, "ip", peer->text);
	log_str(&l, "reason", auth_reason_word(REASON_ERROR));
	log_str(&l, "detail", detail);
	log_end(&l);
}

uint64_t
attempt_refusal_ms(const struct role_settings *r, uint64_t asked_ms)
{
	uint64_t delay = 1000ull * r->auth_fail_delay_s;
	uint64_t taken = clock_ms() - asked_ms;

	return delay == 0 ? asked_ms : asked_ms + (taken / delay + 1) * delay;
}
