/* SPDX-License-Identifier: ISC */
#include "pop/authorize.h"

#include "pop/say.h"
#include "proto/command.h"

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
	};
}

void
authorize_fini(struct authorize *a)
{
	secret_wipe(&a->ask.secret);
}

void
authorize_greet(const struct authorize *a, struct buf *out)
{
	bool		 told = a->version != NULL;
	const char	*version = told ? a->version : "";
	const char	*open = told ? " (version " : "";
	const char	*close = told ? ")" : "";

	if (a->xclient)
		SAY_OK_XCLIENT(out, "popper%s%s%s at %s starting.", open,
		    version, close, a->host);
	else
		SAY_OK(out, "popper%s%s%s at %s starting.", open, version,
		    close, a->host);
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
	SAY_ERR(out, CODE_NONE, "%s", text);
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
	if (name.n > sizeof(a->name))
		return bad(a, out, "User name too long.");
	memcpy(a->name, name.p, name.n);
	a->name_n = name.n;
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
on_secret(struct authorize *a, bool rpop, struct span secret, struct buf *out)
{
	if (!a->named)
		return bad(a, out, "Say USER first.");
	a->named = false;
	a->ask.rpop = rpop;
	if (!secret_set(&a->ask.secret, secret))
		set_unusable(&a->ask.secret);
	a->bad = 0;
	return AUTHORIZE_ASK;
}

static enum authorize_next
on_xclient(struct authorize *a, struct span args, struct buf *out)
{
	const char *wrong = xclient_parse(args, &a->announced);

	return wrong == NULL ? AUTHORIZE_CLIENT : bad(a, out, wrong);
}

static enum authorize_next
on_command(struct authorize *a, const struct command *cmd, struct buf *out)
{
	const struct capa_facts facts = {
		.phase = CAPA_BEFORE_LOGIN,
		.implementation = a->version == NULL ? NULL : POPPER_IDENT,
		.xclient = a->xclient,
	};

	if (cmd->id == CMD_USER)
		return on_user(a, cmd->word[0], out);
	if (cmd->id == CMD_PASS || cmd->id == CMD_RPOP)
		return on_secret(a, cmd->id == CMD_RPOP, cmd->word[0], out);
	a->named = false;
	if (cmd->id == CMD_XCLIENT)
		return on_xclient(a, cmd->word[0], out);
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

	if (too_many(a, out))
		return AUTHORIZE_CLOSE;
	r = command_parse(line, POP_AUTHORIZATION, &cmd);
	/* No failed login: nobody was asked. */
	if (((cmd.id == CMD_RPOP && !a->rpop) ||
	    (cmd.id == CMD_XCLIENT && !a->xclient)) && r != COMMAND_MALFORMED)
		r = COMMAND_UNKNOWN;
	if (r != COMMAND_OK)
		return bad(a, out, command_error(r));
	return on_command(a, &cmd, out);
}

void
authorize_moved(struct authorize *a, struct buf *out)
{
	a->xclient = false;	/* it is not for who was announced */
	a->bad = 0;
	SAY_OK(out, "Updated.");
}

enum authorize_next
authorize_too_long(struct authorize *a, struct buf *out)
{
	return too_many(a, out) ? AUTHORIZE_CLOSE :
	    bad(a, out, "Line too long.");
}

enum authorize_next
authorize_answer(struct authorize *a, enum authorize_answer answer,
    struct buf *out)
{
	secret_wipe(&a->ask.secret);
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
	SAY_ERR(out, CODE_AUTH, "Authentication failed.");
	return ++a->failures >= a->tries ? AUTHORIZE_CLOSE : AUTHORIZE_MORE;
}
