/* SPDX-License-Identifier: ISC */
/*
 * Which mechanisms of AUTH somebody is offered, and what he then asks, on its way from
 * pop/ to a message.  Floor 4; who talks to strangers.
 */
#ifndef ROLE_OFFERS_H
#define ROLE_OFFERS_H

#include "pop/authorize.h"
#include "role/secure.h"
#include "role/settings.h"
#include "role/wire.h"

/* struct authorize's offers; s->stream NULL: in the clear. */
unsigned	offers_of(const struct settings *c, const struct secure *s);

/* The same after the login, for CAPA. */
unsigned	offers_later(const struct settings *c, bool secure);

/* Views, good until authorize_asked. */
struct wire_asked	asked_of(const struct authorize *a,
			    const struct secure *s, const struct auth_way *way,
			    uint8_t binding[AUTH_BINDING_MAX]);

#endif
