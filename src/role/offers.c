/* SPDX-License-Identifier: ISC */
#include "role/offers.h"

#include "role/sasl_words.h"

#include <assert.h>

static_assert((int)AUTHORIZE_METHODS == (int)AUTH_METHODS &&
    (int)BY_SCRAM_SHA_256_PLUS == (int)AUTH_METHOD_SCRAM_SHA_256_PLUS,
    "one list in two rooms");
static_assert((int)TLS_BINDING_MAX == (int)AUTH_BINDING_MAX &&
    (int)TLS_BINDING_EXPORTER == (int)AUTH_BINDING_EXPORTER, "likewise");
static_assert((int)AUTHORIZE_MESSAGE_MAX == (int)AUTH_MESSAGE_MAX &&
    (int)AUTHORIZE_CHALLENGE_MAX == (int)AUTH_CHALLENGE_MAX, "likewise");

#define SCRAM_PLUS	(1u << BY_SCRAM_SHA_1_PLUS | 1u << BY_SCRAM_SHA_256_PLUS)
#define SCRAM		(1u << BY_SCRAM_SHA_1 | 1u << BY_SCRAM_SHA_256 | SCRAM_PLUS)

/* Is there a database that can be asked what is stored? */
static bool
has_rows(const struct auth_conf *c)
{
	struct auth_conf one = *c;

	for (size_t i = 0; i < auth_databases(c); i++) {
		auth_select(&one, i);
		if (auth_ops_of(&one)->lookup != NULL)
			return true;
	}
	return false;
}

/* bound: an exchange can be tied to the TLS below it. */
static unsigned
offers(const struct settings *c, bool bound)
{
	unsigned mask = sasl_words_mask(c->role.sasl_mechanisms);

	/* PAM shows nobody what is stored; and of app passwords SCRAM knows nothing. */
	if (!has_rows(&c->auth) ||
	    c->auth.app_passwords == AUTH_APP_ONLY)
		mask &= ~SCRAM;
	return bound ? mask : mask & ~SCRAM_PLUS;
}

unsigned
offers_of(const struct settings *c, const struct secure *s)
{
	uint8_t binding[AUTH_BINDING_MAX];

	return offers(c, secure_binding(s, binding) > 0);
}

unsigned
offers_later(const struct settings *c, bool secure)
{
	return offers(c, secure);
}

struct wire_asked
asked_of(const struct authorize *a, const struct secure *s,
    const struct auth_way *way, uint8_t binding[AUTH_BINDING_MAX])
{
	const bool message = a->ask.says_messages;

	return (struct wire_asked){
		.method = (uint8_t)a->ask.method,
		.way = *way,
		.user = message ? SPAN("") : span_of(a->name, a->name_n),
		.secret = message ? buf_span(&a->ask.message) :
		    authorize_secret(a),
		.broken = message && a->ask.broken,
		.binding = span_of(binding, message ? secure_binding(s,
		    binding) : 0),
	};
}
