/* SPDX-License-Identifier: ISC */
#include "role/offers.h"

#include "role/listen.h"
#include "role/pace.h"
#include "role/sasl_words.h"

#include "auth/prep.h"

#include <assert.h>

static_assert((int)AUTHORIZE_METHODS == (int)AUTH_METHODS &&
    (int)BY_SCRAM_SHA_256_PLUS == (int)AUTH_METHOD_SCRAM_SHA_256_PLUS,
    "one list in two rooms");
static_assert((int)TLS_BINDING_MAX == (int)AUTH_BINDING_MAX &&
    (int)TLS_BINDING_EXPORTER == (int)AUTH_BINDING_EXPORTER, "likewise");
static_assert((int)AUTHORIZE_MESSAGE_MAX == (int)AUTH_MESSAGE_MAX &&
    (int)AUTHORIZE_CHALLENGE_MAX == (int)AUTH_CHALLENGE_MAX, "likewise");

#define DIGESTS		(1u << BY_CRAM_MD5 | 1u << BY_APOP)
#define SCRAM		(1u << BY_SCRAM_SHA_1 | 1u << BY_SCRAM_SHA_256 | AUTHORIZE_PLUS)

/* bound: an exchange can be tied to the TLS below it. */
static unsigned
offers(const struct settings *c, bool bound)
{
	unsigned mask = sasl_words_mask(c->role.sasl_mechanisms) | 1u << BY_APOP;

	/* PAM shows nobody what is stored; and app passwords are hashed. */
	if (!auth_has_rows(&c->auth) || c->auth.app_passwords == AUTH_APP_ONLY)
		mask &= ~(SCRAM | DIGESTS);
	if (!c->auth.recoverable)
		mask &= ~DIGESTS;
	if (krb_wanted(&c->krb))
		mask |= 1u << BY_GSSAPI;
	return bound && c->role.channel_binding ? mask : mask & ~AUTHORIZE_PLUS;
}

void
offers_begin(struct authorize *a, const char *host, const struct settings *c)
{
	const struct role_settings *r = &c->role;

	authorize_init(a, host, r->hide_version ? NULL : POPPER_VERSION,
	    r->auth_tries, r->max_bad_commands, r->max_commands_before_login,
	    c->auth.rpop_file[0] != '\0');
	a->proxied = r->proxy_networks.n > 0 || r->xclient_networks.n > 0;
	a->login_delay_s = pace_most(r);
	a->own_delays = pace_differs(r);
	a->prep = prep_library();
	a->expire = drop_expire_told(&c->drop);
	a->preferred = (uint8_t)r->language;
}

unsigned
offers_of(const struct settings *c, const struct secure *s)
{
	return offers(c, secure_binds(s));
}

unsigned
offers_later(const struct settings *c, const struct words *w)
{
	return offers(c, (w->way & WORDS_BOUND) != 0) |
	    ((w->way & WORDS_EXTERNAL) != 0 ? 1u << BY_EXTERNAL : 0);
}

static bool
says_secret(enum auth_method m)
{
	return m <= AUTH_METHOD_EXTERNAL || auth_by_token(m);
}

const char *
offers_hinder(const struct settings *c, enum auth_method m,
    const struct sock_addr *client, const struct auth_way *way)
{
	unsigned		mask = offers(c, way->tls) | 1u << BY_PASS;
	struct listen_rules	rules;

	if (way->local.family != 0) {
		listen_rules_at(&c->role.listen, &way->local, &rules);
		if (!listen_takes(&rules, client))
			return "networks= of that line of listen";
		/* Its stamp is in the greeting. */
		if (m == AUTH_METHOD_APOP && way->tls && !rules.tls &&
		    !rules.proxy)
			return "behind STLS there is no APOP";
	}
	if (c->auth.rpop_file[0] != '\0')
		mask |= 1u << BY_RPOP;
	if (c->auth.client_ca[0] != '\0')
		mask |= 1u << BY_EXTERNAL;
	if (token_wanted(&c->token))
		mask |= AUTHORIZE_TOKENS;
	if ((mask & 1u << m) == 0)
		return "the method is not offered";
	if (says_secret(m) && !way->tls && listen_needs_tls(&c->role, client))
		return "without TLS no password is taken from there"
		    " (plaintext_networks)";
	return NULL;
}

struct wire_asked
asked_of(const struct authorize *a, const struct secure *s,
    const struct auth_way *way, uint8_t binding[AUTH_BINDING_MAX])
{
	const bool	message = a->ask.says_messages;
	/* Who is not offered -PLUS may say so (RFC 5802 s.6): then there is none. */
	const bool	bound = message && (a->offers & AUTHORIZE_PLUS) != 0;

	return (struct wire_asked){
		.method = (uint8_t)a->ask.method,
		.way = *way,
		.user = message ? SPAN("") : span_of(a->name, a->name_n),
		.secret = message ? buf_span(&a->ask.message) :
		    authorize_secret(a),
		.broken = message && a->ask.broken,
		.binding = span_of(binding, bound ? secure_binding(s, binding) : 0),
	};
}

void
asked_take(const struct wire_asked *a, struct auth_request *q)
{
	q->method = (enum auth_method)a->method;
	q->way = a->way;
	q->master[0] = '\0';
	q->token_good = false;
	q->proven = false;
	q->by_app = false;
	if (!span_cstr(a->user, q->user, sizeof(q->user)))
		q->user[0] = '\0';	/* no account has such a name */
	q->binding_n = a->binding.n;
	if (a->binding.n > 0)
		memcpy(q->binding, a->binding.p, a->binding.n);
	if (auth_by_exchange(q->method) || auth_by_token(q->method))
		q->secret.n = 0;
	else
		ASSERT(secret_set(&q->secret, a->secret));
}
