/* SPDX-License-Identifier: ISC */
/* Bearer tokens: the keys, and the server that is asked. */
#include "cmd/check_priv.h"

#include "role/tokens.h"

#include <string.h>

/* Nobody's, with a header that makes it look for a key: {"alg":"ES256","kid":"popper
 * check"}.  The other one is no JWT. */
#define NOBODYS		"eyJhbGciOiJFUzI1NiIsImtpZCI6InBvcHBlciBjaGVjayJ9.e30.AAAA"
#define OPAQUE		"popper-check"

/* What is good is refused: such a token was never made. */
static void
try_token(struct check *c, const struct tokens *t, const char *option,
    struct span token)
{
	static const struct fault	away = { .class = FAULT_TEMP };
	struct token_verdict		v;

	t->ops->judge(t->t, SPAN("popper-check"), token, &v);
	if (v.result == TOKEN_UNDECIDED)
		check_fault(c, option, conf_line(c->s->store, option), &away,
		    "nobody can log in with a token: %s", v.detail);
	else if (v.result == TOKEN_GOOD)
		check_error(c, option, "the server calls a token good that nobody"
		    " has made");
}

static void
judge_rules(struct check *c, const struct token_conf *t)
{
	if (t->introspection[0] == '\0')
		return;
	if (t->client_file[0] == '\0')
		check_warn(c, "oauth_introspection", "servers answer none but "
		    "those who have an account there; set oauth_client_file");
	if (t->audience[0] == '\0')
		check_warn(c, "oauth_introspection", "tokens of the same server "
		    "for other services open mailboxes, too; set oauth_audience");
}

static const char *
option_of(const struct token_conf *conf)
{
	return conf->jwks[0] != '\0' ? "oauth_jwks" : "oauth_introspection";
}

static int
open_files(const struct check *c, const void *what UNUSED, struct fault *f)
{
	return tokens_files(c->s, f);
}

void
check_token_files(struct check *c)
{
	struct fault f;

	if (token_wanted(&c->s->token) &&
	    check_in_child(c, open_files, NULL, &f) != 0)
		check_error(c, option_of(&c->s->token), "%s", f.text);
}

static int
open_all(const struct check *c, const void *what UNUSED, struct fault *f)
{
	struct tokens t;

	if (tokens_open(c->s, &t, f) != 0)
		return -1;
	tokens_close(&t);
	return 0;
}

/* A name server may be away: first in a child, which need not wait for it. */
void
check_tokens(struct check *c)
{
	const struct token_conf	*conf = &c->s->token;
	struct tokens		 t;
	struct fault		 f;

	if (!token_wanted(conf))
		return;
	judge_rules(c, conf);
	if (check_in_child(c, open_all, NULL, &f) != 0 ||
	    tokens_open(c->s, &t, &f) != 0) {
		check_fault(c, option_of(conf), conf_line(c->s->store,
		    option_of(conf)), &f, "%s", f.text);
		return;
	}
	if (conf->jwks[0] != '\0')
		try_token(c, &t, "oauth_jwks", SPAN(NOBODYS));
	if (conf->introspection[0] != '\0')
		try_token(c, &t, "oauth_introspection", SPAN(OPAQUE));
	tokens_close(&t);
}
