/* SPDX-License-Identifier: ISC */
/* SCRAM by libgsasl, whose callbacks ask for what is stored. */
#include "sasl/sasl.h"

#include "base/alloc.h"
#include "base/codec.h"

#include <gsasl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sasl {
	struct sasl_setup	 setup;
	Gsasl			*lib;		/* owns */
	Gsasl_session		*session;	/* owns */
	unsigned		 steps;
	bool			 proved;	/* the client's next message ends it */
	char			 user[SASL_NAME_MAX];
};

static bool
set_base64(Gsasl_session *s, Gsasl_property p, struct span octets)
{
	char	text[BASE64_SIZE(128) + 1];
	size_t	n;

	if (octets.n > 128)
		return false;
	n = base64_encode(octets, text);
	text[n] = '\0';
	return gsasl_property_set(s, p, text) == GSASL_OK;
}

/* RFC 4013; empty afterwards is no name. */
static bool
prepare(const char *text, char *out, size_t cap)
{
	char	*made = NULL;
	bool	 ok = gsasl_saslprep(text, GSASL_ALLOW_UNASSIGNED, &made,
		    NULL) == GSASL_OK && made[0] != '\0' && strlen(made) < cap;

	if (ok)
		memcpy(out, made, strlen(made) + 1);
	gsasl_free(made);
	return ok;
}

/* Nobody may act as somebody else. */
static bool
take_user(struct sasl *x)
{
	const char	*name = gsasl_property_fast(x->session, GSASL_AUTHID);
	const char	*acts_as = gsasl_property_fast(x->session, GSASL_AUTHZID);
	char		 other[SASL_NAME_MAX];

	if (name == NULL || !prepare(name, x->user, sizeof(x->user))) {
		x->user[0] = '\0';
		return false;
	}
	return acts_as == NULL || (prepare(acts_as, other, sizeof(other)) &&
	    strcmp(other, x->user) == 0);
}

static int
give_first(struct sasl *x)
{
	struct sasl_scram	known = { 0 };
	char			text[16];

	if (!take_user(x) || !x->setup.stored(x->setup.ctx, x->user, false,
	    &known))
		return GSASL_AUTHENTICATION_ERROR;
	(void)snprintf(text, sizeof(text), "%u", known.iterations);
	return gsasl_property_set(x->session, GSASL_SCRAM_ITER, text) == GSASL_OK &&
	    set_base64(x->session, GSASL_SCRAM_SALT, span_of(known.salt,
	    known.salt_n)) ? GSASL_OK : GSASL_MALLOC_ERROR;
}

static int
give_keys(struct sasl *x)
{
	struct sasl_scram	known = { 0 };
	size_t			n = sasl_hash_size(x->setup.hash);
	bool			ok;

	if (!x->setup.stored(x->setup.ctx, x->user, true, &known))
		return GSASL_AUTHENTICATION_ERROR;
	ok = set_base64(x->session, GSASL_SCRAM_SERVERKEY,
	    span_of(known.server, n)) && set_base64(x->session,
	    GSASL_SCRAM_STOREDKEY, span_of(known.stored, n));
	explicit_bzero(&known, sizeof(known));
	return ok ? GSASL_OK : GSASL_MALLOC_ERROR;
}

/* What libgsasl wants to know and has not been told. */
static int
on_want(Gsasl *lib UNUSED, Gsasl_session *session, Gsasl_property p)
{
	struct sasl *x = gsasl_session_hook_get(session);

	if (p == GSASL_SCRAM_ITER)
		return give_first(x);
	if (p == GSASL_SCRAM_SERVERKEY)
		return give_keys(x);
	return GSASL_NO_CALLBACK;
}

static void
scram_end(struct sasl *x)
{
	if (x->session != NULL)
		gsasl_finish(x->session);
	if (x->lib != NULL)
		gsasl_done(x->lib);
	explicit_bzero(x, sizeof(*x));
	free(x);
}

static int
begin(struct sasl *x)
{
	static const char *const names[2][2] = {
		{ "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS" },
		{ "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS" },
	};
	int rc = gsasl_init(&x->lib);

	if (rc != GSASL_OK)
		return rc;
	gsasl_callback_set(x->lib, on_want);
	rc = gsasl_server_start(x->lib,
	    names[x->setup.hash == SASL_SHA_256][x->setup.plus], &x->session);
	if (rc != GSASL_OK)
		return rc;
	gsasl_session_hook_set(x->session, x);
	if ((x->setup.exporter.n > 0 && !set_base64(x->session,
	    GSASL_CB_TLS_EXPORTER, x->setup.exporter)) ||
	    (x->setup.unique.n > 0 && !set_base64(x->session,
	    GSASL_CB_TLS_UNIQUE, x->setup.unique)))
		return GSASL_MALLOC_ERROR;
	return GSASL_OK;
}

static struct sasl *
scram_start(const struct sasl_setup *s, struct fault *f)
{
	struct sasl	*x = xalloc(1, sizeof(*x));
	int		 rc;

	x->setup = *s;
	rc = begin(x);
	if (rc == GSASL_OK)
		return x;
	(void)fault_set(f, FAULT_TEMP, "libgsasl: %s", gsasl_strerror(rc));
	scram_end(x);
	return NULL;
}

static enum sasl_step
outcome(int rc)
{
	switch (rc) {
	case GSASL_AUTHENTICATION_ERROR:
		return SASL_WRONG;
	case GSASL_MALLOC_ERROR:
	case GSASL_CRYPTO_ERROR:
		return SASL_ERROR;
	default:
		return SASL_MALFORMED;
	}
}

/* What libgsasl does not look at: without -PLUS the client asks for no binding, and
 * does not believe that we have none (RFC 5802 s.6). */
static bool
flag_fits(const struct sasl *x, struct span in)
{
	bool bound = x->setup.exporter.n > 0;

	if (x->setup.plus)
		return in.p[0] == 'p';
	return in.p[0] == 'n' || (in.p[0] == 'y' && !bound);
}

/*
 * The server's last word is a challenge, as POP3 has no other place for it (RFC 5034
 * s.4), and is answered by nothing.
 */
static enum sasl_step
scram_step(struct sasl *x, struct span in, struct buf *out)
{
	char	*said = NULL;
	size_t	 n = 0;
	int	 rc;
	bool	 fits;

	if (x->proved)
		return in.n == 0 ? SASL_DONE : SASL_MALFORMED;
	/* For libgsasl all are C strings. */
	if (in.n == 0 || span_find(in, '\0') < in.n || x->steps++ > 1)
		return SASL_MALFORMED;
	if (x->steps == 1 && !flag_fits(x, in))
		return SASL_MALFORMED;
	rc = gsasl_step(x->session, (const char *)in.p, in.n, &said, &n);
	if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE) {
		gsasl_free(said);
		return outcome(rc);
	}
	x->proved = rc == GSASL_OK;
	fits = buf_append(out, span_of(said, n)) == 0;
	gsasl_free(said);
	return !fits ? SASL_MALFORMED : x->proved ? SASL_PROVEN : SASL_CHALLENGE;
}

static bool
scram_keys(enum sasl_hash hash, struct span password, struct sasl_scram *io)
{
	char	text[1024];
	char	salted[GSASL_HASH_MAX_SIZE];
	char	client[GSASL_HASH_MAX_SIZE];
	bool	ok = span_cstr(password, text, sizeof(text)) &&
		    gsasl_scram_secrets_from_password(hash == SASL_SHA_1 ?
		    GSASL_HASH_SHA1 : GSASL_HASH_SHA256, text, io->iterations,
		    (const char *)io->salt, io->salt_n, salted, client,
		    (char *)io->server, (char *)io->stored) == GSASL_OK;

	explicit_bzero(text, sizeof(text));
	explicit_bzero(salted, sizeof(salted));
	explicit_bzero(client, sizeof(client));
	return ok;
}

const struct sasl_ops popper_sasl = {
	.abi = SASL_ABI,
	.start = scram_start,
	.step = scram_step,
	.end = scram_end,
	.keys = scram_keys,
};
