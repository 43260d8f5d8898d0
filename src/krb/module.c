/* SPDX-License-Identifier: ISC */
#include "krb/krb.h"

#include "base/alloc.h"

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS		"MEMORY:popper"
#define NO_LAYER	1		/* RFC 4752 s.3.3 */
#define LAYER_SIZE	4		/* and the largest message: none */
#define TOKENS_MAX	16384

struct krb {
	krb5_context	 context;
	krb5_keytab	 keys;		/* in memory */
	gss_cred_id_t	 cred;
	struct buf	 realms;	/* words */
};

enum at { AT_TOKEN, AT_NOTHING, AT_LAYER, AT_END };

struct krb_exchange {
	const struct krb	*k;
	bool			 secret;
	enum at			 at;		/* what is to be said next */
	gss_ctx_id_t		 context;
	struct krb_proof	 proof;
};

/* ---------------------------------------------------------------------- keys */

static int
krb_fault(const struct krb *k, krb5_error_code rc, const char *what,
    struct fault *f)
{
	const char *text = krb5_get_error_message(k->context, rc);

	(void)fault_set(f, FAULT_PERM, "%s: %s", what, text);
	krb5_free_error_message(k->context, text);
	return -1;
}

static struct span
part(const krb5_data *d)
{
	return span_of(d->data, d->length);
}

static bool
has_word(struct span words, struct span word)
{
	struct span one;

	while (words.n > 0 && (one = span_word(&words)).n > 0)
		if (span_eq(one, word))
			return true;
	return false;
}

static int
learn_realm(struct krb *k, struct span realm, struct fault *f)
{
	if (has_word(buf_span(&k->realms), realm))
		return 0;
	if (buf_append(&k->realms, SPAN(" ")) == 0 &&
	    buf_append(&k->realms, realm) == 0)
		return 0;
	return fault_set(f, FAULT_LIMIT, "keys of too many realms");
}

/* 1: it is one of ours. */
static int
take_key(struct krb *k, krb5_keytab_entry *e, bool learns, struct fault *f)
{
	krb5_const_principal	p = e->principal;
	krb5_error_code		rc;

	if (p->length != 2 || !span_eq(part(&p->data[0]), SPAN(KRB_SERVICE)))
		return 0;
	if (learns && learn_realm(k, part(&p->realm), f) != 0)
		return -1;
	rc = krb5_kt_add_entry(k->context, k->keys, e);
	return rc != 0 ? krb_fault(k, rc, "a key", f) : 1;
}

static int
copy_keys(struct krb *k, krb5_keytab from, bool learns, struct fault *f)
{
	krb5_kt_cursor		at;
	krb5_keytab_entry	e;
	krb5_error_code		rc = krb5_kt_start_seq_get(k->context, from, &at);
	int			got = 0;
	unsigned		n = 0;

	if (rc != 0)
		return krb_fault(k, rc, "the keytab", f);
	while (got >= 0 && (rc = krb5_kt_next_entry(k->context, from, &e,
	    &at)) == 0) {
		got = take_key(k, &e, learns, f);
		n += got == 1;
		(void)krb5_free_keytab_entry_contents(k->context, &e);
	}
	(void)krb5_kt_end_seq_get(k->context, from, &at);
	if (got < 0)
		return -1;
	if (rc != KRB5_KT_END)
		return krb_fault(k, rc, "the keytab", f);
	return n > 0 ? 0 : fault_set(f, FAULT_PERM,
	    "no key of the service " KRB_SERVICE " is in the keytab");
}

static int
read_keys(struct krb *k, const struct krb_conf *c, struct fault *f)
{
	char		path[1024];
	krb5_keytab	from;
	krb5_error_code	rc;
	int		n = snprintf(path, sizeof(path), "FILE:%s", c->keytab);

	if (n < 0 || (size_t)n >= sizeof(path))
		return fault_set(f, FAULT_PERM, "the keytab: too long a path");
	rc = krb5_kt_resolve(k->context, KEYS, &k->keys);
	if (rc != 0)
		return krb_fault(k, rc, "memory for keys", f);
	rc = krb5_kt_resolve(k->context, path, &from);
	if (rc != 0)
		return krb_fault(k, rc, "the keytab", f);
	n = copy_keys(k, from, c->realms[0] == '\0', f);
	(void)krb5_kt_close(k->context, from);
	return n;
}

/* In words: the mechanism's own say more. */
static void
explain(OM_uint32 major, OM_uint32 minor, char *out, size_t cap)
{
	gss_buffer_desc	text = GSS_C_EMPTY_BUFFER;
	OM_uint32	ignored;
	OM_uint32	more = 0;
	bool		own = minor != 0;

	(void)gss_display_status(&ignored, own ? minor : major, own ?
	    GSS_C_MECH_CODE : GSS_C_GSS_CODE, GSS_C_NO_OID, &more, &text);
	(void)snprintf(out, cap, "%.*s", (int)text.length,
	    text.length > 0 ? (const char *)text.value : "");
	(void)gss_release_buffer(&ignored, &text);
}

/* No file remembers what was said: see `secret` in krb.h. */
static int
take_credential(struct krb *k, struct fault *f)
{
	gss_key_value_element_desc	places[] = {
		{ "keytab", KEYS }, { "rcache", "none:" },
	};
	gss_key_value_set_desc		store = { 2, places };
	gss_OID_set_desc		mechs = { 1,
					    (gss_OID)(uintptr_t)gss_mech_krb5 };
	char				why[sizeof(f->text)];
	OM_uint32			minor;
	OM_uint32			major = gss_acquire_cred_from(&minor,
	    GSS_C_NO_NAME, GSS_C_INDEFINITE, &mechs, GSS_C_ACCEPT, &store, &k->cred,
	    NULL, NULL);

	if (major == GSS_S_COMPLETE)
		return 0;
	explain(major, minor, why, sizeof(why));
	return fault_set(f, FAULT_PERM, "the keys: %s", why);
}

static void
krb_close(struct krb *k)
{
	OM_uint32 ignored;

	(void)gss_release_cred(&ignored, &k->cred);
	if (k->keys != NULL)
		(void)krb5_kt_close(k->context, k->keys);
	if (k->context != NULL)
		krb5_free_context(k->context);
	buf_fini(&k->realms);
	free(k);
}

static struct krb_exchange *
krb_start(const struct krb *k, bool secret)
{
	struct krb_exchange *x = xalloc(1, sizeof(*x));

	*x = (struct krb_exchange){ .k = k, .secret = secret,
	    .context = GSS_C_NO_CONTEXT };
	return x;
}

static void
krb_end(struct krb_exchange *x)
{
	OM_uint32 ignored;

	(void)gss_delete_sec_context(&ignored, &x->context, GSS_C_NO_BUFFER);
	free(x);
}

/* ---------------------------------------------------------------- what is said */

static enum krb_step
refuse(struct krb_exchange *x, const char *why)
{
	x->at = AT_END;
	(void)snprintf(x->proof.why, sizeof(x->proof.why), "%s", why);
	return KRB_REFUSED;
}

static enum krb_step
refuse_by(struct krb_exchange *x, OM_uint32 major, OM_uint32 minor)
{
	x->at = AT_END;
	explain(major, minor, x->proof.why, sizeof(x->proof.why));
	return KRB_REFUSED;
}

static enum krb_step
ask(struct krb_exchange *x, gss_buffer_desc *octets, enum at next,
    struct buf *out)
{
	OM_uint32	ignored;
	int		rc = buf_append(out, span_of(octets->value,
			    octets->length));

	(void)gss_release_buffer(&ignored, octets);
	x->at = next;
	return rc == 0 ? KRB_CHALLENGE : refuse(x, "too long an answer");
}

/* The library escapes with '\' what is none of these by itself. */
static enum krb_step
take_name(struct krb_exchange *x, struct span name)
{
	size_t		at = span_find(name, '@');
	struct span	realm = span_skip(name, at + 1);

	if (span_find(name, '/') < name.n || span_find(name, '\\') < name.n ||
	    at == 0 || at == name.n || !span_cstr(span_first(name, at),
	    x->proof.user, sizeof(x->proof.user)))
		return refuse(x, "a principal that is no user's");
	return has_word(buf_span(&x->k->realms), realm) ? KRB_PROVEN :
	    refuse(x, "a principal of another realm");
}

static enum krb_step
know_name(struct krb_exchange *x, gss_name_t from)
{
	gss_buffer_desc	text = GSS_C_EMPTY_BUFFER;
	OM_uint32	minor;
	OM_uint32	ignored;
	OM_uint32	major = gss_display_name(&minor, from, &text, NULL);
	enum krb_step	step = major != GSS_S_COMPLETE ?
			    refuse_by(x, major, minor) :
			    take_name(x, span_of(text.value, text.length));

	(void)gss_release_buffer(&ignored, &text);
	return step;
}

/* RFC 4121 s.4.2.2: made with a subkey of the acceptor's, which is new each time. */
static bool
is_fresh(const gss_buffer_desc *token)
{
	const uint8_t *t = token->value;

	return token->length > 2 && t[0] == 5 && t[1] == 4 && (t[2] & 4) != 0;
}

static enum krb_step
offer_layers(struct krb_exchange *x, struct buf *out)
{
	static uint8_t	none[LAYER_SIZE] = { NO_LAYER };
	gss_buffer_desc	in = { sizeof(none), none };
	gss_buffer_desc	token = GSS_C_EMPTY_BUFFER;
	OM_uint32	minor;
	OM_uint32	major = gss_wrap(&minor, x->context, 0, GSS_C_QOP_DEFAULT, &in,
			    NULL, &token);

	if (major != GSS_S_COMPLETE)
		return refuse_by(x, major, minor);
	if (x->secret || is_fresh(&token))
		return ask(x, &token, AT_LAYER, out);
	(void)gss_release_buffer(&minor, &token);
	return refuse(x, "in the clear, and without mutual authentication");
}

static enum krb_step
on_token(struct krb_exchange *x, struct span in, struct buf *out)
{
	gss_buffer_desc	token = { in.n, (void *)(uintptr_t)in.p };
	gss_buffer_desc	answer = GSS_C_EMPTY_BUFFER;
	gss_name_t	from = GSS_C_NO_NAME;
	OM_uint32	minor;
	OM_uint32	ignored;
	OM_uint32	major = gss_accept_sec_context(&minor, &x->context, x->k->cred,
	    &token, GSS_C_NO_CHANNEL_BINDINGS, &from, NULL, &answer, NULL, NULL,
	    NULL);
	enum krb_step	step = major == GSS_S_COMPLETE ? know_name(x, from) :
			    GSS_ERROR(major) ? refuse_by(x, major, minor) :
			    refuse(x, "it wants more than one token");

	(void)gss_release_name(&ignored, &from);
	if (step == KRB_PROVEN && answer.length > 0)
		return ask(x, &answer, AT_NOTHING, out);
	(void)gss_release_buffer(&ignored, &answer);
	return step == KRB_PROVEN ? offer_layers(x, out) : step;
}

/* RFC 4752 s.3.1: the layer, the largest message, whom to act as. */
static enum krb_step
judge_layer(struct krb_exchange *x, struct span said)
{
	struct span whom = span_skip(said, LAYER_SIZE);

	if (said.n < LAYER_SIZE)
		return refuse(x, "no choice of a layer");
	if (said.p[0] != NO_LAYER)
		return refuse(x, "it wants a security layer");
	if (whom.n > 0 && !span_eq(whom, span_str(x->proof.user)))
		return refuse(x, "it wants to act as somebody else");
	x->at = AT_END;
	return KRB_PROVEN;
}

static enum krb_step
on_layer(struct krb_exchange *x, struct span in)
{
	gss_buffer_desc	token = { in.n, (void *)(uintptr_t)in.p };
	gss_buffer_desc	said = GSS_C_EMPTY_BUFFER;
	OM_uint32	minor;
	OM_uint32	ignored;
	OM_uint32	major = gss_unwrap(&minor, x->context, &token, &said, NULL,
			    NULL);
	enum krb_step	step = major != GSS_S_COMPLETE ?
			    refuse_by(x, major, minor) :
			    judge_layer(x, span_of(said.value, said.length));

	if (said.length == 0)		/* then they do not release it */
		free(said.value);
	else
		(void)gss_release_buffer(&ignored, &said);
	return step;
}

static enum krb_step
step(struct krb_exchange *x, struct span in, struct buf *out)
{
	if (in.n > TOKENS_MAX || (in.n == 0) != (x->at == AT_NOTHING))
		return refuse(x, "a message without sense");
	switch (x->at) {
	case AT_TOKEN:
		return on_token(x, in, out);
	case AT_NOTHING:
		return offer_layers(x, out);
	case AT_LAYER:
		return on_layer(x, in);
	case AT_END:
		break;
	}
	return refuse(x, "it was over");
}

static enum krb_step
krb_step(struct krb_exchange *x, struct span in, struct buf *out,
    struct krb_proof *proof)
{
	enum krb_step s = step(x, in, out);

	*proof = x->proof;
	return s;
}

/* What the library looks for when it meets its first token is there before a cage. */
static void
try_in_vain(const struct krb *k)
{
	/* [APPLICATION 0], krb5's identifier, an AP-REQ without anything. */
	static const uint8_t	nothing[] = {
		0x60, 0x0f, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01,
		0x02, 0x02, 0x01, 0x00, 0x6e, 0x00,
	};
	struct krb_exchange	*x = krb_start(k, true);
	struct buf		 out;

	buf_init(&out, 0);
	(void)step(x, span_of(nothing, sizeof(nothing)), &out);
	buf_fini(&out);
	krb_end(x);
}

static struct krb *
krb_open(const struct krb_conf *c, struct fault *f)
{
	struct krb *k = xalloc(1, sizeof(*k));

	*k = (struct krb){ .cred = GSS_C_NO_CREDENTIAL };
	buf_init(&k->realms, 4096);
	if (krb5_init_secure_context(&k->context) != 0)
		(void)fault_set(f, FAULT_PERM, "krb5.conf cannot be read");
	else if (buf_append(&k->realms, span_str(c->realms)) != 0)
		(void)fault_set(f, FAULT_PERM, "too many realms");
	else if (read_keys(k, c, f) == 0 && take_credential(k, f) == 0) {
		try_in_vain(k);
		return k;
	}
	krb_close(k);
	return NULL;
}

const struct krb_ops popper_krb = {
	.abi = KRB_ABI,
	.open = krb_open,
	.close = krb_close,
	.start = krb_start,
	.step = krb_step,
	.end = krb_end,
};
