/* SPDX-License-Identifier: ISC */
#include "role/gauges.h"

unsigned
gauges_strangers(const struct tally *t)
{
	unsigned n = 0;

	for (size_t i = TALLY_MASTER + 1; i < tally_rows(t); i++)
		n += tally_total(t, i);
	return n;
}

void
gauges_read(const struct role_settings *r, const struct tally *t,
    size_t sessions, struct gauge out[LIMITS])
{
	for (size_t i = 0; i < LIMITS; i++)
		out[i] = (struct gauge){
			.name = limit_word((enum limit)i),
			.refused = tally_refusals(t, (enum limit)i),
		};
	out[LIMIT_SESSIONS].now = sessions;
	out[LIMIT_SESSIONS].most = r->max_sessions;
	out[LIMIT_STRANGERS].now = gauges_strangers(t);
	out[LIMIT_STRANGERS].most = r->max_strangers;
	out[LIMIT_ADDRESS].now = tally_fullest(t, TALLY_ADDRESS);
	out[LIMIT_ADDRESS].most = r->max_sessions_per_address;
	out[LIMIT_NETWORK].now = tally_fullest(t, TALLY_NETWORK);
	out[LIMIT_NETWORK].most = settings_per_network(r);
}
