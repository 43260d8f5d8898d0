/* SPDX-License-Identifier: ISC */
#include "pop/authorize_priv.h"

#include "pop/lang.h"
#include "pop/say.h"
#include "sasl/bearer.h"
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

void
authorize_fini(struct authorize *a)
{
	authorize_forget(a);
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

enum authorize_next
authorize_bad(struct authorize *a, struct buf *out, const char *text)
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

static enum authorize_next
on_user(struct authorize *a, struct span name, struct buf *out)
{
	if (a->prep == NULL && !span_is_ascii(name))
		return authorize_bad(a, out, command_error(COMMAND_MALFORMED));
	if (!authorize_take_name(a, name))
		return authorize_bad(a, out, "User name too long.");
	a->named = true;
	a->bad = 0;
	SAY_OK(out, "Password required.");
	return AUTHORIZE_MORE;
}

static enum authorize_next
on_secret(struct authorize *a, bool rpop, struct span secret, struct buf *out)
{
	if (!a->named)
		return authorize_bad(a, out, "Say USER first.");
	return authorize_ask(a, rpop ? BY_RPOP : BY_PASS, secret);
}

static enum authorize_next
on_apop(struct authorize *a, struct span user, struct span digest,
    struct buf *out)
{
	if (a->prep == NULL && !span_is_ascii(user))
		return authorize_bad(a, out, command_error(COMMAND_MALFORMED));
	return authorize_ask_digest(a, BY_APOP, a->stamp, user, digest);
}

static enum authorize_next
on_xclient(struct authorize *a, struct span args, struct buf *out)
{
	const char *wrong = xclient_parse(args, &a->announced);

	return wrong == NULL ? AUTHORIZE_CLIENT : authorize_bad(a, out, wrong);
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
		return authorize_bad(a, out, "Unknown language.");
	a->bad = 0;
	return AUTHORIZE_MORE;
}

static enum authorize_next
on_stls(struct authorize *a, struct buf *out)
{
	if (a->secure)
		return authorize_bad(a, out, "TLS is active.");
	a->bad = 0;
	SAY_OK(out, "Begin TLS negotiation.");
	return AUTHORIZE_TLS;
}

static enum authorize_next
on_capa(struct authorize *a, struct buf *out)
{
	char			sasl[AUTHORIZE_MECHANISMS_MAX];
	const struct capa_facts facts = {
		.phase = CAPA_BEFORE_LOGIN,
		.implementation = a->version == NULL ? NULL : POPPER_IDENT,
		.xclient = a->xclient,
		.stls = a->stls && !a->secure,
		.no_user = !authorize_takes_passwords(a),
		.sasl = sasl,
		.login_delay_s = a->login_delay_s,
		.own_delays = a->own_delays,
		.expire = a->expire,
		.utf8_user = a->prep != NULL,
	};

	a->bad = 0;
	authorize_mechanisms(authorize_offers_now(a),
	    authorize_takes_passwords(a), sasl);
	SAY_OK(out, "Capability list follows.");
	ASSERT(reply_capa(out, &facts) == 0);
	SAY_END(out);
	return AUTHORIZE_MORE;
}

static enum authorize_next
on_quit(struct authorize *a, struct buf *out)
{
	a->bad = 0;
	a->quit = true;
	SAY_OK(out, "popper at %s signing off.", a->host);
	return AUTHORIZE_CLOSE;
}

static enum authorize_next
on_command(struct authorize *a, const struct command *cmd, struct buf *out)
{
	if ((cmd->id == CMD_USER || cmd->id == CMD_PASS ||
	    cmd->id == CMD_RPOP) && !authorize_takes_passwords(a))
		return authorize_in_the_clear(a, out);
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
		return authorize_on_auth(a, cmd, out);
	if (cmd->id == CMD_XCLIENT)
		return on_xclient(a, cmd->word[0], out);
	if (cmd->id == CMD_UTF8)
		return on_utf8(a, out);
	if (cmd->id == CMD_LANG)
		return on_lang(a, cmd, out);
	if (cmd->id == CMD_CAPA)
		return on_capa(a, out);
	ASSERT(cmd->id == CMD_QUIT);
	return on_quit(a, out);
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
		return authorize_on_response(a, line, out);
	r = command_parse(line, POP_AUTHORIZATION, &cmd);
	/* No failed login: nobody was asked. */
	if (((cmd.id == CMD_RPOP && !a->rpop) ||
	    (cmd.id == CMD_APOP && !a->stamped) ||
	    (cmd.id == CMD_XCLIENT && !a->xclient) ||
	    (cmd.id == CMD_STLS && !a->stls && !a->secure)) &&
	    r != COMMAND_MALFORMED)
		r = COMMAND_UNKNOWN;
	if (r != COMMAND_OK)
		return authorize_bad(a, out, command_error(r));
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
		return authorize_fail(a, out);
	a->exchange = EXCHANGE_NONE;
	return too_many(a, out) ? AUTHORIZE_CLOSE :
	    authorize_bad(a, out, "Line too long.");
}

enum authorize_next
authorize_fail(struct authorize *a, struct buf *out)
{
	a->exchange = EXCHANGE_NONE;
	SAY_ERR(out, CODE_AUTH, "Authentication failed.");
	return a->failures >= a->tries ? AUTHORIZE_CLOSE : AUTHORIZE_MORE;
}

enum authorize_next
authorize_answer(struct authorize *a, enum authorize_answer answer,
    struct buf *out)
{
	authorize_forget(a);
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
		return authorize_say_challenge(a, EXCHANGE_REFUSED,
		    SASL_OAUTHBEARER_REFUSED, out);
	if (a->ask.method == BY_XOAUTH2)
		return authorize_say_challenge(a, EXCHANGE_REFUSED,
		    SASL_XOAUTH2_REFUSED, out);
	return authorize_fail(a, out);
}
