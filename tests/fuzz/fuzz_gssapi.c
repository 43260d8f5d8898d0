/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: the server's end of GSSAPI (src/krb/module.c, MIT's library).  The first
 * octet chooses what the rest is: the client's messages, each behind its length; what
 * is changed in a good token; or whose ticket it is, and the last word within its wrap.
 */
#include "krb/forge_test.h"
#include "krb/krb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEED		7
#define MESSAGES_MAX	4

enum { RAW, CHANGED, FORGED, KINDS };

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct krb *
open_keys(void)
{
	char		folder[] = "/tmp/fuzz-gssapi.XXXXXX";
	char		path[sizeof(folder) + 10];
	struct krb_conf	c = { .keytab = path, .realms = "" };
	struct fault	f;
	struct krb	*k;

	ASSERT(mkdtemp(folder) != NULL);
	(void)snprintf(path, sizeof(path), "%s/keytab", folder);
	forge_key(path, FORGE_SERVICE, 1, SEED);
	k = popper_krb.open(&c, &f);
	ASSERT(unlink(path) == 0 && rmdir(folder) == 0);
	return k;
}

/* An octet says how many follow; two of them for a token. */
static struct span
take(struct span *in, bool wide)
{
	size_t	at = wide ? 2 : 1;
	size_t	n = in->n < at ? 0 : wide ?
		    (size_t)in->p[0] << 8 | in->p[1] : in->p[0];
	struct span rest = span_skip(*in, at);

	*in = span_skip(rest, n);
	return span_first(rest, n);
}

static enum krb_step
say(struct krb_exchange *x, struct span in, struct buf *out, struct krb_proof *p)
{
	enum krb_step s;

	buf_fini(out);
	buf_init(out, 1 << 16);
	s = popper_krb.step(x, in, out, p);
	ASSERT(s != KRB_CHALLENGE || buf_span(out).n > 0);
	ASSERT(s != KRB_REFUSED || p->why[0] != '\0');
	ASSERT(s != KRB_PROVEN || p->user[0] != '\0');
	return s;
}

/* Nobody: without the key there is no ticket. */
static void
raw(struct krb_exchange *x, struct span in)
{
	struct krb_proof	p;
	struct buf		out = { 0 };

	for (int i = 0; i < MESSAGES_MAX; i++)
		ASSERT(say(x, take(&in, true), &out, &p) == KRB_REFUSED);
	buf_fini(&out);
}

/* --------------------------------------------------------------- with a ticket */

struct client {
	gss_cred_id_t	cred;
	gss_ctx_id_t	context;
	bool		mutual;
};

static gss_buffer_desc
client_step(struct client *c, struct span in)
{
	gss_buffer_desc	token = { in.n, (void *)(uintptr_t)in.p };
	gss_buffer_desc	out = GSS_C_EMPTY_BUFFER;
	gss_name_t	target = forge_target(NULL);
	OM_uint32	minor;
	OM_uint32	major = gss_init_sec_context(&minor, c->cred, &c->context,
			    target, GSS_C_NO_OID, GSS_C_INTEG_FLAG |
			    (c->mutual ? GSS_C_MUTUAL_FLAG : 0), 0,
			    GSS_C_NO_CHANNEL_BINDINGS, in.n > 0 ? &token : NULL,
			    NULL, &out, NULL, NULL);

	ASSERT(!GSS_ERROR(major));
	(void)gss_release_name(&minor, &target);
	return out;
}

static void
client_end(struct client *c)
{
	OM_uint32 minor;

	(void)gss_delete_sec_context(&minor, &c->context, GSS_C_NO_BUFFER);
	(void)gss_release_cred(&minor, &c->cred);
}

/* Pairs: where, and by what it is changed.  Whose it is does not change. */
static void
changed(struct krb_exchange *x, struct client *c, struct span in)
{
	struct forged		 t = { .realm = SPAN(FORGE_REALM),
				     .parts = { SPAN("ann") }, .n = 1,
				     .ends = 3600, .kvno = 1 };
	struct krb_proof	 p;
	struct buf		 out = { 0 };
	gss_buffer_desc		 token;
	uint8_t			*octets;
	OM_uint32		 minor;

	c->cred = forge_ticket(&t, SEED);
	token = client_step(c, SPAN(""));
	octets = token.value;
	for (; in.n >= 3; in = span_skip(in, 3))
		octets[((size_t)in.p[0] << 8 | in.p[1]) % token.length] ^= in.p[2];
	if (say(x, span_of(octets, token.length), &out, &p) != KRB_REFUSED)
		ASSERT(strcmp(p.user, "ann") == 0);
	(void)gss_release_buffer(&minor, &token);
	buf_fini(&out);
}

/* The last word, wrapped; who is proven is named by the ticket, in our realm. */
static void
last_word(struct krb_exchange *x, struct client *c, const struct forged *t,
    struct span said, struct buf *out)
{
	gss_buffer_desc		plain = { said.n, (void *)(uintptr_t)said.p };
	gss_buffer_desc		token = GSS_C_EMPTY_BUFFER;
	struct krb_proof	p;
	OM_uint32		minor;

	ASSERT(gss_wrap(&minor, c->context, 0, GSS_C_QOP_DEFAULT, &plain, NULL,
	    &token) == GSS_S_COMPLETE);
	if (say(x, span_of(token.value, token.length), out, &p) == KRB_PROVEN) {
		ASSERT(t->n == 1 && span_eq(t->realm, SPAN(FORGE_REALM)));
		ASSERT(span_eq(t->parts[0], span_str(p.user)));
		ASSERT(said.n >= 4 && said.p[0] == 1);
		ASSERT(said.n == 4 || span_eq(span_skip(said, 4), t->parts[0]));
	}
	(void)gss_release_buffer(&minor, &token);
}

static void
forged(struct krb_exchange *x, struct client *c, struct span in)
{
	struct forged		 t = { .ends = 3600, .kvno = 1 };
	struct krb_proof	 p;
	struct buf		 out = { 0 };
	gss_buffer_desc		 token;
	enum krb_step		 s;
	OM_uint32		 minor;

	t.n = in.n > 0 ? in.p[0] % 4 : 0;
	in = span_skip(in, 1);
	t.realm = take(&in, false);
	for (int i = 0; i < t.n; i++)
		t.parts[i] = take(&in, false);
	c->cred = forge_ticket(&t, SEED);
	token = client_step(c, SPAN(""));
	s = say(x, span_of(token.value, token.length), &out, &p);
	(void)gss_release_buffer(&minor, &token);
	if (s == KRB_CHALLENGE && c->mutual) {
		token = client_step(c, buf_span(&out));
		ASSERT(token.length == 0);
		s = say(x, SPAN(""), &out, &p);
	}
	if (s == KRB_CHALLENGE)
		last_word(x, c, &t, in, &out);
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct krb	*k;
	struct span		 in = span_skip(span_of(data, n), 1);
	struct client		 c = { .context = GSS_C_NO_CONTEXT };
	struct krb_exchange	*x;

	if (n == 0)
		return 0;
	if (k == NULL)
		k = open_keys();
	ASSERT(k != NULL);
	x = popper_krb.start(k, (data[0] & 0x80) != 0);
	c.mutual = (data[0] & 0x40) != 0;
	switch (data[0] % KINDS) {
	case RAW:
		raw(x, in);
		break;
	case CHANGED:
		changed(x, &c, in);
		break;
	default:
		forged(x, &c, in);
		break;
	}
	popper_krb.end(x);
	client_end(&c);
	return 0;
}
