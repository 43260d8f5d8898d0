/* SPDX-License-Identifier: ISC */
/*
 * Which mechanisms of AUTH somebody is offered, and what he then asks, on its way from
 * pop/ to a message and from there to auth/.  Floor 4; who talks to strangers, and who
 * judges.
 */
#ifndef ROLE_OFFERS_H
#define ROLE_OFFERS_H

#include "pop/authorize.h"
#include "role/secure.h"
#include "role/settings.h"
#include "role/wire.h"

/* authorize_init, and all of it that is alike for every client.  host is borrowed. */
void		offers_begin(struct authorize *a, const char *host,
		    const struct settings *c);

/* struct authorize's offers; s->stream NULL: in the clear. */
unsigned	offers_of(const struct settings *c, const struct secure *s);

/* The same after the login, for CAPA. */
unsigned	offers_later(const struct settings *c, const struct words *w);

/* Why a client may not even begin that method, there and under TLS or not; NULL: he
 * may. */
const char	*offers_hinder(const struct settings *c, enum auth_method m,
		    const struct sock_addr *client, const struct auth_way *way);

/* Views, good until authorize_asked. */
struct wire_asked	asked_of(const struct authorize *a,
			    const struct secure *s, const struct auth_way *way,
			    uint8_t binding[AUTH_BINDING_MAX]);
/* And at its other end: all of *q but peer and vouched.  The octets of a message or a
 * token stay where they are. */
void	asked_take(const struct wire_asked *a, struct auth_request *q);

#endif
