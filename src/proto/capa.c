/* SPDX-License-Identifier: ISC */
#include "proto/reply.h"

#define BEFORE	(1u << CAPA_BEFORE_LOGIN)
#define AFTER	(1u << CAPA_AFTER_LOGIN)

enum { USER = 1, UTF8 = 6 };	/* the rows that are not always as they stand */

/*
 * All are told in both phases: RFC 2449 s.5 wants what is available before
 * login listed after it as well.
 */
static const struct {
	const char	*line;
	unsigned	 phases;
	const char	*source;
} lines[] = {
	{ "TOP",		BEFORE | AFTER, "2449 s.6.1" },
	[USER] = { "USER",	BEFORE | AFTER, "2449 s.6.2" },
	{ "UIDL",		BEFORE | AFTER, "2449 s.6.8" },
	{ "RESP-CODES",		BEFORE | AFTER, "2449 s.6.4" },
	{ "AUTH-RESP-CODE",	BEFORE | AFTER, "3206 s.6" },
	{ "PIPELINING",		BEFORE | AFTER, "2449 s.6.6" },
	[UTF8] = { "UTF8",	BEFORE | AFTER, "6856 s.2" },
	{ "LANG",		BEFORE | AFTER, "6856 s.3" },
};

int
reply_capa(struct buf *out, const struct capa_facts *facts)
{
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if ((lines[i].phases & (1u << facts->phase)) != 0 &&
		    !(facts->no_user && i == USER) &&
		    reply_line(out, "%s%s", lines[i].line,
		    i == UTF8 && facts->utf8_user ? " USER" : "") < 0)
			return -1;
	if (reply_line(out, "EXPIRE %s", facts->expire == NULL ? "NEVER" :
	    facts->expire) < 0)
		return -1;
	if (facts->sasl != NULL && facts->sasl[0] != '\0' &&
	    reply_line(out, "SASL %s", facts->sasl) < 0)
		return -1;
	if ((facts->login_delay_s > 0 || facts->own_delays) &&
	    reply_line(out, "LOGIN-DELAY %u%s", facts->login_delay_s,
	    facts->own_delays && facts->phase == CAPA_BEFORE_LOGIN ?
	    " USER" : "") < 0)
		return -1;
	if (facts->stls && reply_line(out, "STLS") < 0)
		return -1;
	if (facts->xclient && facts->phase == CAPA_BEFORE_LOGIN &&
	    reply_line(out, "XCLIENT ADDR PORT") < 0)
		return -1;
	if (facts->implementation == NULL)
		return 0;
	return reply_line(out, "IMPLEMENTATION %s", facts->implementation);
}
