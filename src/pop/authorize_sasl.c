/* SPDX-License-Identifier: ISC */
#include "pop/authorize_priv.h"

#include "base/codec.h"
#include "pop/say.h"
#include "sasl/bearer.h"
#include "sys/sock.h"

struct mechanism {
	const char		*name;
	enum authorize_method	 method;
	enum authorize_exchange	 first;		/* what a client's first line is */
	const char		*opens;		/* the challenge before it, in base64;
						   NULL: a stamp, and the client
						   cannot be first */
	bool			 needs_tls;	/* it says a password, where those are
						   not taken in the clear */
};

/* As CAPA has them. */
static const struct mechanism mechanisms[] = {
	{ "SCRAM-SHA-256-PLUS", BY_SCRAM_SHA_256_PLUS, EXCHANGE_FIRST, "", false },
	{ "SCRAM-SHA-1-PLUS", BY_SCRAM_SHA_1_PLUS, EXCHANGE_FIRST, "", false },
	{ "SCRAM-SHA-256", BY_SCRAM_SHA_256, EXCHANGE_FIRST, "", false },
	{ "SCRAM-SHA-1", BY_SCRAM_SHA_1, EXCHANGE_FIRST, "", false },
	{ "GSSAPI", BY_GSSAPI, EXCHANGE_FIRST, "", false },
	{ "CRAM-MD5", BY_CRAM_MD5, EXCHANGE_CRAM, NULL, false },
	{ "OAUTHBEARER", BY_OAUTHBEARER, EXCHANGE_BEARER, "", true },
	{ "XOAUTH2", BY_XOAUTH2, EXCHANGE_BEARER, "", true },
	{ "PLAIN", BY_PLAIN, EXCHANGE_PLAIN, "", true },
	{ "LOGIN", BY_LOGIN, EXCHANGE_LOGIN_USER, SASL_LOGIN_USER, true },
	{ "EXTERNAL", BY_EXTERNAL, EXCHANGE_EXTERNAL, "", false },
};

static const struct mechanism *
mechanism_find(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (span_eq_nocase(name, span_str(mechanisms[i].name)))
			return &mechanisms[i];
	return NULL;
}

bool
authorize_takes_passwords(const struct authorize *a)
{
	return a->secure || !a->needs_tls;
}

/* Nobody must hear what goes by it, and somebody may. */
static bool
is_overheard(const struct authorize *a, const struct mechanism *m)
{
	return m->needs_tls && !authorize_takes_passwords(a);
}

/* What a mail program can be set to here; NULL: nothing that we know of. */
static const char *
way_in(const struct authorize *a)
{
	const unsigned usable = a->offers & ~AUTHORIZE_PLUS;

	if (a->stls)
		return "TLS (STLS)";
	if (a->proxied)
		return "TLS (port 995)";
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (!mechanisms[i].needs_tls &&
		    (usable & 1u << mechanisms[i].method) != 0)
			return mechanisms[i].name;
	return a->stamped ? "APOP" : NULL;
}

enum authorize_next
authorize_in_the_clear(struct authorize *a, struct buf *out)
{
	const char *way = way_in(a);

	a->named = false;
	if (way != NULL)
		SAY_ERR(out, CODE_SYS_PERM, "Passwords are not taken in the "
		    "clear: set your mail program to use %s.", way);
	else
		SAY_ERR(out, CODE_SYS_PERM, "Passwords are not taken in the "
		    "clear, and TLS is not offered here.");
	return AUTHORIZE_MORE;
}

unsigned
authorize_offers_now(const struct authorize *a)
{
	return a->offers | (a->vouched.proof.n > 0 ? 1u << BY_EXTERNAL : 0) |
	    (a->tokens ? AUTHORIZE_TOKENS : 0);
}

static bool
is_offered(const struct authorize *a, const struct mechanism *m)
{
	return (authorize_offers_now(a) & 1u << m->method) != 0 && !is_overheard(a, m);
}

struct words
authorize_words(const struct authorize *a)
{
	struct words w = a->words;

	if (a->vouched.proof.n > 0)
		w.way |= WORDS_EXTERNAL;
	if ((a->offers & AUTHORIZE_PLUS) != 0)
		w.way |= WORDS_BOUND;
	if (!authorize_takes_passwords(a))
		w.way |= WORDS_NO_PASSWORDS;
	return w;
}

bool
authorize_exchanges(const struct authorize *a)
{
	return a->exchange == EXCHANGE_RESPONSE || a->exchange == EXCHANGE_ASKED;
}

static enum authorize_next
on_cram(struct authorize *a, struct span message)
{
	struct span	user;
	struct span	digest;

	if (!sasl_cram_md5(message, &user, &digest))
		return authorize_ask_in_vain(a, BY_CRAM_MD5);
	return authorize_ask_digest(a, BY_CRAM_MD5, a->challenge, user, digest);
}

static enum authorize_next
on_plain(struct authorize *a, struct span message)
{
	struct sasl_login l;

	if (!sasl_plain(message, &l) || !authorize_take_names(a, &l))
		return authorize_ask_in_vain(a, BY_PLAIN);
	return authorize_ask(a, BY_PLAIN, l.password);
}

/* Whether it may be whom it wants to be is judged by who has the rows. */
static enum authorize_next
on_external(struct authorize *a, struct span authz)
{
	if (!authorize_take_name(a, authz.n > 0 ? authz : a->vouched.user))
		return authorize_ask_in_vain(a, BY_EXTERNAL);
	return authorize_ask(a, BY_EXTERNAL, a->vouched.proof);
}

/* Whose token it is, is for who judges it to say; what is no message is asked about
 * with no token at all. */
static enum authorize_next
on_bearer(struct authorize *a, struct span message)
{
	UNZEROED struct sasl_bearer	b;
	enum authorize_method		method = a->ask.method;
	bool				good = method == BY_XOAUTH2 ?
					    sasl_xoauth2(message, &b) :
					    sasl_oauthbearer(message, &b);
	enum authorize_next		next = authorize_ask(a, method, SPAN(""));

	a->name_n = 0;
	buf_init(&a->ask.token, AUTHORIZE_MESSAGE_MAX);
	if (good && authorize_take_name(a, span_of(b.user, b.user_n)))
		ASSERT(buf_append(&a->ask.token, b.token) == 0);
	return next;
}

enum authorize_next
authorize_say_challenge(struct authorize *a, enum authorize_exchange next,
    const char *base64, struct buf *out)
{
	a->exchange = next;
	ASSERT(reply_challenge(out, base64) == 0);
	return AUTHORIZE_MORE;
}

/* One message, decoded. */
static enum authorize_next
on_message(struct authorize *a, struct span message, struct buf *out)
{
	switch (a->exchange) {
	case EXCHANGE_NONE:
		break;
	case EXCHANGE_PLAIN:
		return on_plain(a, message);
	case EXCHANGE_LOGIN_USER:
		if (message.n == 0 || !authorize_take_name(a, message))
			return authorize_ask_in_vain(a, BY_LOGIN);
		return authorize_say_challenge(a, EXCHANGE_LOGIN_PASSWORD,
		    SASL_LOGIN_PASSWORD, out);
	case EXCHANGE_LOGIN_PASSWORD:
		if (message.n == 0 || span_find(message, '\0') < message.n)
			return authorize_ask_in_vain(a, BY_LOGIN);
		return authorize_ask(a, BY_LOGIN, message);
	case EXCHANGE_EXTERNAL:
		return on_external(a, message);
	case EXCHANGE_BEARER:
		return on_bearer(a, message);
	case EXCHANGE_CRAM:
		return on_cram(a, message);
	case EXCHANGE_REFUSED:
	case EXCHANGE_FIRST:
	case EXCHANGE_RESPONSE:
		return authorize_ask_message(a, message, false);
	case EXCHANGE_ASKED:
		break;
	}
	return AUTHORIZE_CLOSE;		/* it is not called then */
}

/* No base64. */
static enum authorize_next
on_broken(struct authorize *a)
{
	if (a->exchange == EXCHANGE_FIRST || a->exchange == EXCHANGE_RESPONSE)
		return authorize_ask_message(a, SPAN(""), true);
	return authorize_ask_in_vain(a, a->ask.method);
}

enum authorize_next
authorize_on_response(struct authorize *a, struct span line, struct buf *out)
{
	UNZEROED uint8_t	message[AUTHORIZE_MESSAGE_MAX];
	enum authorize_next	next;
	size_t			n;

	if (a->exchange == EXCHANGE_REFUSED)
		return authorize_fail(a, out);
	if (span_eq(line, SPAN("*"))) {
		a->exchange = EXCHANGE_NONE;	/* no failure */
		SAY_ERR(out, CODE_NONE, "Authentication cancelled.");
		return AUTHORIZE_MORE;
	}
	if (base64_decode(line, message, sizeof(message), &n))
		next = on_message(a, span_of(message, n), out);
	else if (a->exchange == EXCHANGE_BEARER)
		next = on_bearer(a, SPAN(""));
	else
		next = on_broken(a);
	explicit_bzero(message, n);
	return next;
}

static void
say_mechanisms(const struct authorize *a, struct buf *out)
{
	SAY_OK(out, "Mechanisms follow.");
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (is_offered(a, &mechanisms[i]))
			SAY_LINE(out, "%s", mechanisms[i].name);
	SAY_END(out);
}

void
authorize_mechanisms(unsigned offers, bool secure,
    char out[AUTHORIZE_MECHANISMS_MAX])
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
		const struct mechanism	*m = &mechanisms[i];
		size_t			 more = strlen(m->name);

		if ((offers & 1u << m->method) == 0 ||
		    (m->needs_tls && !secure))
			continue;
		ASSERT(n + more + 2 <= AUTHORIZE_MECHANISMS_MAX);
		if (n > 0)
			out[n++] = ' ';
		memcpy(out + n, m->name, more + 1);
		n += more;
	}
}

static bool
offers_none(const struct authorize *a)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (is_offered(a, &mechanisms[i]))
			return false;
	return true;
}

static enum authorize_next
challenge_cram(struct authorize *a, struct buf *out)
{
	char	text[SASL_STAMP_MAX];
	char	base64[BASE64_SIZE(SASL_STAMP_MAX) + 1];

	random_bytes(a->challenge, sizeof(a->challenge));
	sasl_stamp(a->challenge, a->host, text);
	base64[base64_encode(span_str(text), base64)] = '\0';
	return authorize_say_challenge(a, EXCHANGE_CRAM, base64, out);
}

enum authorize_next
authorize_on_auth(struct authorize *a, const struct command *cmd,
    struct buf *out)
{
	const struct mechanism	*m;

	a->named = false;
	if (cmd->nargs == 0 && offers_none(a))
		return authorize_in_the_clear(a, out);
	if (cmd->nargs == 0) {
		a->bad = 0;
		say_mechanisms(a, out);
		return AUTHORIZE_MORE;
	}
	m = mechanism_find(cmd->word[0]);
	if (m != NULL && is_overheard(a, m))
		return authorize_in_the_clear(a, out);
	if (m == NULL || !is_offered(a, m))
		return authorize_bad(a, out, "Unknown mechanism.");
	a->exchange = m->first;
	a->ask.method = m->method;
	if (m->opens == NULL)
		return cmd->nargs > 1 ? authorize_ask_in_vain(a, m->method) :
		    challenge_cram(a, out);
	if (cmd->nargs > 1)
		return authorize_on_response(a, span_eq(cmd->word[1], SPAN("=")) ?
		    SPAN("") : cmd->word[1], out);
	return authorize_say_challenge(a, a->exchange, m->opens, out);
}

void
authorize_challenge(struct authorize *a, struct span user, struct span octets,
    struct buf *out)
{
	char	base64[BASE64_SIZE(AUTHORIZE_CHALLENGE_MAX) + 1];
	size_t	n = base64_encode(span_first(octets, AUTHORIZE_CHALLENGE_MAX),
		    base64);

	base64[n] = '\0';
	buf_fini(&a->ask.message);
	if (user.n > 0 && !authorize_take_name(a, user))
		a->name_n = 0;
	(void)authorize_say_challenge(a, EXCHANGE_RESPONSE, base64, out);
}

enum line_width
authorize_width(const struct authorize *a)
{
	return a->exchange == EXCHANGE_NONE ? LINE_AUTH : LINE_WIDE;
}

bool
authorize_is_secret(const struct authorize *a)
{
	return a->exchange != EXCHANGE_NONE;
}
