/* SPDX-License-Identifier: ISC */
#include "pop/authorize.h"

#include "base/codec.h"
#include "pop/lang.h"
#include "pop/say.h"
#include "proto/command.h"
#include "sasl/bearer.h"
#include "sasl/prep.h"
#include "sasl/simple.h"
#include "sys/sock.h"

void
authorize_init(struct authorize *a, const char *host, const char *version,
    unsigned tries, unsigned bad_max, unsigned lines_max, bool rpop)
{
	*a = (struct authorize){
		.host = host,
		.version = version,
		.tries = tries,
		.bad_max = bad_max,
		.lines_max = lines_max,
		.rpop = rpop,
		.offers = 1u << BY_PLAIN | 1u << BY_LOGIN,
	};
}

static void
forget_question(struct authorize *a)
{
	secret_wipe(&a->ask.secret);
	buf_fini(&a->ask.message);
	buf_fini(&a->ask.token);
}

void
authorize_fini(struct authorize *a)
{
	forget_question(a);
}

struct span
authorize_secret(const struct authorize *a)
{
	return buf_len(&a->ask.token) > 0 ? buf_span(&a->ask.token) :
	    secret_span(&a->ask.secret);
}

void
authorize_asked(struct authorize *a)
{
	forget_question(a);
}

bool
authorize_exchanges(const struct authorize *a)
{
	return a->exchange == EXCHANGE_RESPONSE || a->exchange == EXCHANGE_ASKED;
}

void
authorize_greet(struct authorize *a, struct buf *out)
{
	bool		 told = a->version != NULL;
	const char	*version = told ? a->version : "";
	const char	*open = told ? " (version " : "";
	const char	*close = told ? ")" : "";
	char		 stamp[SASL_STAMP_MAX + 1] = "";

	a->stamped = (a->offers & 1u << BY_APOP) != 0;
	if (a->stamped) {
		random_bytes(a->stamp, sizeof(a->stamp));
		stamp[0] = ' ';
		sasl_stamp(a->stamp, a->host, stamp + 1);
	}
	if (a->xclient)
		SAY_OK_XCLIENT(out, "popper%s%s%s at %s starting.%s", open,
		    version, close, a->host, stamp);
	else
		SAY_OK(out, "popper%s%s%s at %s starting.%s", open, version,
		    close, a->host, stamp);
}

/* Count a command that was none; too many in a row end the session. */
static enum authorize_next
bad(struct authorize *a, struct buf *out, const char *text)
{
	a->named = false;
	if (++a->bad >= a->bad_max) {
		SAY_ERR(out, CODE_SYS_TEMP, "Too many bad commands.");
		return AUTHORIZE_CLOSE;
	}
	SAY_ERR_TEXT(out, CODE_NONE, text);
	return AUTHORIZE_MORE;
}

/* Good ones cost something too. */
static bool
too_many(struct authorize *a, struct buf *out)
{
	if (++a->lines <= a->lines_max)
		return false;
	SAY_ERR(out, CODE_SYS_TEMP, "Too many commands before login.");
	return true;
}

/* Where the name of a master user begins, with the mark before it; name.n: nowhere. */
static size_t
find_master(const struct authorize *a, struct span name)
{
	size_t at = name.n;

	while (a->master != '\0' && at > 0 && name.p[at - 1] != (uint8_t)a->master)
		at--;
	return a->master != '\0' && at > 0 ? at - 1 : name.n;
}

/* One name of it as it is compared.  A mark that preparing would make is none. */
static bool
prepare(const struct authorize *a, struct span part, uint8_t *out, size_t cap,
    size_t *n_r)
{
	return a->prep->prepare(PREP_NAME, part, out, cap, n_r) &&
	    (a->master == '\0' || span_is_ascii(part) ||
	    span_find(span_of(out, *n_r), (uint8_t)a->master) == *n_r);
}

/* What cannot be prepared is nobody's name, and stays as it was said. */
static bool
take_name(struct authorize *a, struct span name)
{
	uint8_t	made[AUTHORIZE_NAME_MAX];
	size_t	mark = find_master(a, name);
	size_t	n;
	size_t	more = 0;

	if (name.n > sizeof(a->name) || span_find(name, '\0') < name.n)
		return false;
	memcpy(a->name, name.p, name.n);
	a->name_n = name.n;
	if (a->prep == NULL || span_is_ascii(name) ||
	    !prepare(a, span_first(name, mark), made, sizeof(made), &n))
		return true;
	if (mark < name.n && (n == sizeof(made) || (made[n++] = name.p[mark],
	    !prepare(a, span_skip(name, mark + 1), made + n, sizeof(made) - n,
	    &more))))
		return true;
	memcpy(a->name, made, n + more);
	a->name_n = n + more;
	return true;
}

static enum authorize_next
on_user(struct authorize *a, struct span name, struct buf *out)
{
	if (a->prep == NULL && !span_is_ascii(name))
		return bad(a, out, command_error(COMMAND_MALFORMED));
	if (!take_name(a, name))
		return bad(a, out, "User name too long.");
	a->named = true;
	a->bad = 0;
	SAY_OK(out, "Password required.");
	return AUTHORIZE_MORE;
}

/*
 * A password that is too long to be one is as wrong as any other, and is
 * refused, timed and counted like it.  No line holds a NUL, so this is
 * nobody's; an empty one would have a reason of its own.
 */
static void
set_unusable(struct secret *x)
{
	static const uint8_t zeros[SECRET_MAX];

	ASSERT(secret_set(x, span_of(zeros, sizeof(zeros))));
}

static enum authorize_next
ask(struct authorize *a, enum authorize_method method, struct span secret)
{
	a->named = false;
	a->exchange = EXCHANGE_NONE;
	a->ask.method = method;
	a->ask.says_messages = false;
	if (!secret_set(&a->ask.secret, secret))
		set_unusable(&a->ask.secret);
	a->bad = 0;
	return AUTHORIZE_ASK;
}

static enum authorize_next
on_secret(struct authorize *a, bool rpop, struct span secret, struct buf *out)
{
	if (!a->named)
		return bad(a, out, "Say USER first.");
	return ask(a, rpop ? BY_RPOP : BY_PASS, secret);
}

/* --- AUTH (RFC 5034) ------------------------------------------------------------ */

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

/* Nobody must hear what goes by it, and somebody may. */
static bool
is_overheard(const struct authorize *a, const struct mechanism *m)
{
	return m->needs_tls && a->needs_tls && !a->secure;
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

/* Whoever listens has heard no password yet, so nobody is asked for one. */
static enum authorize_next
in_the_clear(struct authorize *a, struct buf *out)
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

/* EXTERNAL only to whom TLS vouches for. */
static unsigned
offers_now(const struct authorize *a)
{
	return a->offers | (a->vouched.proof.n > 0 ? 1u << BY_EXTERNAL : 0) |
	    (a->tokens ? AUTHORIZE_TOKENS : 0);
}

static bool
is_offered(const struct authorize *a, const struct mechanism *m)
{
	return (offers_now(a) & 1u << m->method) != 0 && !is_overheard(a, m);
}

struct words
authorize_words(const struct authorize *a)
{
	struct words w = a->words;

	if (a->vouched.proof.n > 0)
		w.way |= WORDS_EXTERNAL;
	if ((a->offers & AUTHORIZE_PLUS) != 0)
		w.way |= WORDS_BOUND;
	if (a->needs_tls && !a->secure)
		w.way |= WORDS_NO_PASSWORDS;
	return w;
}

/* What is no response is as wrong as any password, at the same time. */
static enum authorize_next
ask_in_vain(struct authorize *a, enum authorize_method method)
{
	enum authorize_next n = ask(a, method, SPAN(""));

	a->name_n = 0;
	set_unusable(&a->ask.secret);
	return n;
}

/* Who acts for another user is a master user, or nobody. */
static bool
take_names(struct authorize *a, const struct sasl_login *l)
{
	uint8_t	both[AUTHORIZE_NAME_MAX];
	size_t	mark = l->authz.n;

	if (mark == 0 || span_eq(l->authz, l->user))
		return take_name(a, l->user);
	if (a->master == '\0' || mark + 1 + l->user.n > sizeof(both) ||
	    span_find(l->user, (uint8_t)a->master) < l->user.n)
		return false;
	memcpy(both, l->authz.p, mark);
	both[mark] = (uint8_t)a->master;
	memcpy(both + mark + 1, l->user.p, l->user.n);
	return take_name(a, span_of(both, mark + 1 + l->user.n));
}

/* For who knows the secret to compare. */
static enum authorize_next
ask_digest(struct authorize *a, enum authorize_method method,
    const uint8_t seed[SASL_STAMP_SEED], struct span user, struct span digest)
{
	char	text[SASL_STAMP_MAX + SASL_MD5_TEXT];
	size_t	n;

	if (!sasl_md5_text(digest) || !take_name(a, user))
		return ask_in_vain(a, method);
	sasl_stamp(seed, a->host, text);
	n = strlen(text);
	memcpy(text + n, digest.p, SASL_MD5_TEXT);
	return ask(a, method, span_of(text, n + SASL_MD5_TEXT));
}

static enum authorize_next
on_apop(struct authorize *a, struct span user, struct span digest,
    struct buf *out)
{
	if (a->prep == NULL && !span_is_ascii(user))
		return bad(a, out, command_error(COMMAND_MALFORMED));
	return ask_digest(a, BY_APOP, a->stamp, user, digest);
}

static enum authorize_next
on_cram(struct authorize *a, struct span message)
{
	struct span	user;
	struct span	digest;

	if (!sasl_cram_md5(message, &user, &digest))
		return ask_in_vain(a, BY_CRAM_MD5);
	return ask_digest(a, BY_CRAM_MD5, a->challenge, user, digest);
}

static enum authorize_next
on_plain(struct authorize *a, struct span message)
{
	struct sasl_login l;

	if (!sasl_plain(message, &l) || !take_names(a, &l))
		return ask_in_vain(a, BY_PLAIN);
	return ask(a, BY_PLAIN, l.password);
}

/* Whether it may be whom it wants to be is judged by who has the rows. */
static enum authorize_next
on_external(struct authorize *a, struct span authz)
{
	if (!take_name(a, authz.n > 0 ? authz : a->vouched.user))
		return ask_in_vain(a, BY_EXTERNAL);
	return ask(a, BY_EXTERNAL, a->vouched.proof);
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
	enum authorize_next		next = ask(a, method, SPAN(""));

	a->name_n = 0;
	buf_init(&a->ask.token, AUTHORIZE_MESSAGE_MAX);
	if (good && take_name(a, span_of(b.user, b.user_n)))
		ASSERT(buf_append(&a->ask.token, b.token) == 0);
	return next;
}

static enum authorize_next
fail(struct authorize *a, struct buf *out)
{
	a->exchange = EXCHANGE_NONE;
	SAY_ERR(out, CODE_AUTH, "Authentication failed.");
	return a->failures >= a->tries ? AUTHORIZE_CLOSE : AUTHORIZE_MORE;
}

/* For somebody else to take apart. */
static enum authorize_next
ask_message(struct authorize *a, struct span message, bool broken)
{
	enum authorize_next next = a->exchange == EXCHANGE_FIRST ?
	    AUTHORIZE_ASK : AUTHORIZE_RESPOND;

	a->exchange = EXCHANGE_ASKED;
	a->ask.says_messages = true;
	a->ask.broken = broken;
	buf_init(&a->ask.message, AUTHORIZE_MESSAGE_MAX);
	ASSERT(buf_append(&a->ask.message, message) == 0);
	if (next == AUTHORIZE_ASK)
		a->name_n = 0;
	a->bad = 0;
	return next;
}

static enum authorize_next
challenge(struct authorize *a, enum authorize_exchange next, const char *base64,
    struct buf *out)
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
		if (message.n == 0 || !take_name(a, message))
			return ask_in_vain(a, BY_LOGIN);
		return challenge(a, EXCHANGE_LOGIN_PASSWORD,
		    SASL_LOGIN_PASSWORD, out);
	case EXCHANGE_LOGIN_PASSWORD:
		if (message.n == 0 || span_find(message, '\0') < message.n)
			return ask_in_vain(a, BY_LOGIN);
		return ask(a, BY_LOGIN, message);
	case EXCHANGE_EXTERNAL:
		return on_external(a, message);
	case EXCHANGE_BEARER:
		return on_bearer(a, message);
	case EXCHANGE_CRAM:
		return on_cram(a, message);
	case EXCHANGE_REFUSED:
	case EXCHANGE_FIRST:
	case EXCHANGE_RESPONSE:
		return ask_message(a, message, false);
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
		return ask_message(a, SPAN(""), true);
	return ask_in_vain(a, a->ask.method);
}

static enum authorize_next
on_response(struct authorize *a, struct span line, struct buf *out)
{
	UNZEROED uint8_t	message[AUTHORIZE_MESSAGE_MAX];
	enum authorize_next	next;
	size_t			n;

	if (a->exchange == EXCHANGE_REFUSED)
		return fail(a, out);
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
	return challenge(a, EXCHANGE_CRAM, base64, out);
}

static enum authorize_next
on_auth(struct authorize *a, const struct command *cmd, struct buf *out)
{
	const struct mechanism	*m;

	a->named = false;
	if (cmd->nargs == 0 && offers_none(a))
		return in_the_clear(a, out);
	if (cmd->nargs == 0) {
		a->bad = 0;
		say_mechanisms(a, out);
		return AUTHORIZE_MORE;
	}
	m = mechanism_find(cmd->word[0]);
	if (m != NULL && is_overheard(a, m))
		return in_the_clear(a, out);
	if (m == NULL || !is_offered(a, m))
		return bad(a, out, "Unknown mechanism.");
	a->exchange = m->first;
	a->ask.method = m->method;
	if (m->opens == NULL)
		return cmd->nargs > 1 ? ask_in_vain(a, m->method) :
		    challenge_cram(a, out);
	if (cmd->nargs > 1)
		return on_response(a, span_eq(cmd->word[1], SPAN("=")) ?
		    SPAN("") : cmd->word[1], out);
	return challenge(a, a->exchange, m->opens, out);
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
	if (user.n > 0 && !take_name(a, user))
		a->name_n = 0;
	(void)challenge(a, EXCHANGE_RESPONSE, base64, out);
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

/* --- commands --------------------------------------------------------------------- */

static enum authorize_next
on_xclient(struct authorize *a, struct span args, struct buf *out)
{
	const char *wrong = xclient_parse(args, &a->announced);

	return wrong == NULL ? AUTHORIZE_CLIENT : bad(a, out, wrong);
}

static enum authorize_next
on_utf8(struct authorize *a, struct buf *out)
{
	a->bad = 0;
	a->words.utf8 = true;
	SAY_OK(out, "UTF-8 mode is on.");
	return AUTHORIZE_MORE;
}

static enum authorize_next
on_lang(struct authorize *a, const struct command *cmd, struct buf *out)
{
	if (!lang_command(cmd, a->preferred, &a->words.lang, out))
		return bad(a, out, "Unknown language.");
	a->bad = 0;
	return AUTHORIZE_MORE;
}

static enum authorize_next
on_stls(struct authorize *a, struct buf *out)
{
	if (a->secure)
		return bad(a, out, "TLS is active.");
	a->bad = 0;
	SAY_OK(out, "Begin TLS negotiation.");
	return AUTHORIZE_TLS;
}

static enum authorize_next
on_command(struct authorize *a, const struct command *cmd, struct buf *out)
{
	char			sasl[AUTHORIZE_MECHANISMS_MAX];
	const struct capa_facts facts = {
		.phase = CAPA_BEFORE_LOGIN,
		.implementation = a->version == NULL ? NULL : POPPER_IDENT,
		.xclient = a->xclient,
		.stls = a->stls && !a->secure,
		.no_user = a->needs_tls && !a->secure,
		.sasl = sasl,
		.login_delay_s = a->login_delay_s,
		.own_delays = a->own_delays,
		.expire = a->expire,
		.utf8_user = a->prep != NULL,
	};

	authorize_mechanisms(offers_now(a), a->secure || !a->needs_tls, sasl);
	if (facts.no_user && (cmd->id == CMD_USER || cmd->id == CMD_PASS ||
	    cmd->id == CMD_RPOP))
		return in_the_clear(a, out);
	if (cmd->id == CMD_USER)
		return on_user(a, cmd->word[0], out);
	if (cmd->id == CMD_PASS || cmd->id == CMD_RPOP)
		return on_secret(a, cmd->id == CMD_RPOP, cmd->word[0], out);
	a->named = false;
	if (cmd->id == CMD_APOP)
		return on_apop(a, cmd->word[0], cmd->word[1], out);
	if (cmd->id == CMD_STLS)
		return on_stls(a, out);
	if (cmd->id == CMD_AUTH)
		return on_auth(a, cmd, out);
	if (cmd->id == CMD_XCLIENT)
		return on_xclient(a, cmd->word[0], out);
	if (cmd->id == CMD_UTF8)
		return on_utf8(a, out);
	if (cmd->id == CMD_LANG)
		return on_lang(a, cmd, out);
	a->bad = 0;
	if (cmd->id == CMD_CAPA) {
		SAY_OK(out, "Capability list follows.");
		ASSERT(reply_capa(out, &facts) == 0);
		SAY_END(out);
		return AUTHORIZE_MORE;
	}
	ASSERT(cmd->id == CMD_QUIT);
	a->quit = true;
	SAY_OK(out, "popper at %s signing off.", a->host);
	return AUTHORIZE_CLOSE;
}

enum authorize_next
authorize_line(struct authorize *a, struct span line, struct buf *out)
{
	enum command_result	r;
	struct command		cmd;

	out->tag = a->words.lang;
	if (too_many(a, out))
		return AUTHORIZE_CLOSE;
	if (a->exchange != EXCHANGE_NONE)
		return on_response(a, line, out);
	r = command_parse(line, POP_AUTHORIZATION, &cmd);
	/* No failed login: nobody was asked. */
	if (((cmd.id == CMD_RPOP && !a->rpop) ||
	    (cmd.id == CMD_APOP && !a->stamped) ||
	    (cmd.id == CMD_XCLIENT && !a->xclient) ||
	    (cmd.id == CMD_STLS && !a->stls && !a->secure)) &&
	    r != COMMAND_MALFORMED)
		r = COMMAND_UNKNOWN;
	if (r != COMMAND_OK)
		return bad(a, out, command_error(r));
	return on_command(a, &cmd, out);
}

void
authorize_moved(struct authorize *a, struct buf *out)
{
	a->xclient = false;	/* it is not for who was announced */
	authorize_vouched(a, SPAN(""), SPAN(""));	/* nor is this */
	a->bad = 0;
	out->tag = a->words.lang;
	SAY_OK(out, "Updated.");
}

void
authorize_secured(struct authorize *a)
{
	a->secure = true;
	a->stamped = false;
	a->named = false;
	a->words = (struct words){ 0 };
	a->name_n = 0;
	explicit_bzero(a->name, sizeof(a->name));
	a->bad = 0;
}

void
authorize_vouched(struct authorize *a, struct span user, struct span proof)
{
	a->vouched.user = user;
	a->vouched.proof = proof;
}

enum authorize_next
authorize_too_long(struct authorize *a, struct buf *out)
{
	out->tag = a->words.lang;
	if (a->exchange == EXCHANGE_REFUSED)
		return fail(a, out);
	a->exchange = EXCHANGE_NONE;
	return too_many(a, out) ? AUTHORIZE_CLOSE :
	    bad(a, out, "Line too long.");
}

enum authorize_next
authorize_answer(struct authorize *a, enum authorize_answer answer,
    struct buf *out)
{
	forget_question(a);
	a->exchange = EXCHANGE_NONE;
	out->tag = a->words.lang;
	switch (answer) {
	case ANSWER_YES:
	case ANSWER_NO:
		break;
	case ANSWER_ERROR:
		SAY_ERR(out, CODE_SYS_TEMP,
		    "Authentication is not available now, try again later.");
		return AUTHORIZE_CLOSE;
	case ANSWER_FULL:
		SAY_ERR(out, CODE_SYS_TEMP,
		    "Too many sessions, try again later.");
		return AUTHORIZE_CLOSE;
	case ANSWER_USER_FULL:
		SAY_ERR(out, CODE_IN_USE,
		    "Too many sessions of this user, try again later.");
		return AUTHORIZE_CLOSE;
	}
	a->failures++;
	if (a->ask.method == BY_OAUTHBEARER)
		return challenge(a, EXCHANGE_REFUSED, SASL_OAUTHBEARER_REFUSED, out);
	if (a->ask.method == BY_XOAUTH2)
		return challenge(a, EXCHANGE_REFUSED, SASL_XOAUTH2_REFUSED, out);
	return fail(a, out);
}
