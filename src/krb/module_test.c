/* SPDX-License-Identifier: ISC */
/*
 * Tickets that no KDC would make, and keytabs that nobody should have, against the
 * server's end.  tests/gssapi has those of a real KDC.
 */
#include "krb/krb.h"

#include "krb/forge_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SEED	7
#define HOUR	3600
#define REALM	SPAN(FORGE_REALM)

static char	dir[] = "/tmp/popper-krb.XXXXXX";
static char	keytab[sizeof(dir) + 20];

static const struct forged good = {
	.realm = { (const uint8_t *)FORGE_REALM, sizeof(FORGE_REALM) - 1 },
	.parts = { { (const uint8_t *)"ann", 3 } },
	.n = 1, .ends = HOUR, .kvno = 3,
};

/* What a client does, and what comes of it. */
struct talk {
	bool		 secret;	/* to the server; and */
	bool		 mutual;	/* the client's wish */
	struct span	 last;		/* {0}: 1 0 0 0 */
	bool		 unwrapped;	/* it is said as it is */
};

static const struct talk usual = { .mutual = true };

static struct krb *
open_keys(const char *realms)
{
	struct krb_conf	 c = { .keytab = keytab, .realms = realms };
	struct fault	 f = { 0 };
	struct krb	*k = popper_krb.open(&c, &f);

	if (k == NULL)
		fail_msg("%s", f.text);
	return k;
}

static gss_buffer_desc
client_step(gss_ctx_id_t *context, gss_cred_id_t cred, bool mutual, struct span in)
{
	gss_buffer_desc	token = { in.n, (void *)(uintptr_t)in.p };
	gss_buffer_desc	out = GSS_C_EMPTY_BUFFER;
	gss_name_t	target = forge_target(NULL);
	OM_uint32	minor;
	OM_uint32	major = gss_init_sec_context(&minor, cred, context, target,
			    GSS_C_NO_OID, GSS_C_INTEG_FLAG |
			    (mutual ? GSS_C_MUTUAL_FLAG : 0), 0,
			    GSS_C_NO_CHANNEL_BINDINGS, in.n > 0 ? &token : NULL,
			    NULL, &out, NULL, NULL);

	assert_false(GSS_ERROR(major));
	(void)gss_release_name(&minor, &target);
	return out;
}

static enum krb_step
hear(struct krb_exchange *x, gss_buffer_desc *said, struct buf *out,
    struct krb_proof *p)
{
	OM_uint32	minor;
	enum krb_step	s;

	buf_fini(out);
	buf_init(out, 1 << 16);
	s = popper_krb.step(x, span_of(said->value, said->length), out, p);
	(void)gss_release_buffer(&minor, said);
	return s;
}

static gss_buffer_desc
copy_of(struct span s)
{
	gss_buffer_desc out = { s.n, s.n > 0 ? malloc(s.n) : NULL };

	assert_true(s.n == 0 || out.value != NULL);
	if (s.n > 0)
		memcpy(out.value, s.p, s.n);
	return out;
}

static gss_buffer_desc
last_word(gss_ctx_id_t context, const struct talk *how)
{
	struct span	said = how->last.p != NULL ? how->last : SPAN("\1\0\0\0");
	gss_buffer_desc	in = { said.n, (void *)(uintptr_t)said.p };
	gss_buffer_desc	out = GSS_C_EMPTY_BUFFER;
	OM_uint32	minor;

	if (how->unwrapped)
		return copy_of(said);
	assert_int_equal(gss_wrap(&minor, context, 0, GSS_C_QOP_DEFAULT, &in, NULL,
	    &out), GSS_S_COMPLETE);
	return out;
}

/* A whole exchange, as far as the server lets it. */
static enum krb_step
talk(const struct krb *k, const struct forged *t, int seed, const struct talk *how,
    struct krb_proof *p)
{
	gss_cred_id_t		 cred = forge_ticket(t, seed);
	gss_ctx_id_t		 context = GSS_C_NO_CONTEXT;
	struct krb_exchange	*x = popper_krb.start(k, how->secret);
	struct buf		 out = { 0 };
	gss_buffer_desc		 said = client_step(&context, cred, how->mutual,
				     SPAN(""));
	enum krb_step		 s = hear(x, &said, &out, p);
	OM_uint32		 minor;

	if (s == KRB_CHALLENGE && how->mutual) {
		said = client_step(&context, cred, true, buf_span(&out));
		assert_int_equal(said.length, 0);
		s = hear(x, &said, &out, p);
	}
	if (s == KRB_CHALLENGE) {
		said = last_word(context, how);
		s = hear(x, &said, &out, p);
		assert_int_not_equal(s, KRB_CHALLENGE);
	}
	buf_fini(&out);
	said = (gss_buffer_desc)GSS_C_EMPTY_BUFFER;
	assert_int_equal(hear(x, &said, &out, &(struct krb_proof){ 0 }), KRB_REFUSED);
	buf_fini(&out);
	popper_krb.end(x);
	(void)gss_delete_sec_context(&minor, &context, GSS_C_NO_BUFFER);
	(void)gss_release_cred(&minor, &cred);
	return s;
}

static void
refused(const struct krb *k, const struct forged *t, int seed,
    const struct talk *how, const char *why)
{
	struct krb_proof p;

	if (talk(k, t, seed, how, &p) != KRB_REFUSED)
		fail_msg("not refused: %s", why);
	if (strstr(p.why, why) == NULL)
		fail_msg("'%s' for '%s'", p.why, why);
}

static void
accepted(const struct krb *k, const struct forged *t, const struct talk *how,
    const char *user)
{
	struct krb_proof p;

	if (talk(k, t, SEED, how, &p) != KRB_PROVEN)
		fail_msg("%s: %s", user, p.why);
	assert_string_equal(p.user, user);
}

/* ------------------------------------------------------------------ names */

/* A user's name of one part, in our realm. */
static struct forged
named(struct span name)
{
	struct forged t = good;

	t.parts[0] = name;
	return t;
}

static void
test_names(void **state)
{
	static const struct span odd[] = {
		SPAN(""), SPAN("ann@EXAMPLE.ORG"), SPAN("@"), SPAN("ann/"),
		SPAN("/ann"), SPAN("ann/admin"), SPAN("ann\\"), SPAN("ann\0"),
		SPAN("ann\0x"), SPAN("\0ann"), SPAN("a\nb"), SPAN("a\tb"),
		SPAN("a\bb"), SPAN("ann\\@EXAMPLE.ORG"), SPAN("ann@"),
	};
	struct forged	t = good;

	accepted(*state, &t, &usual, "ann");
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		t = named(odd[i]);
		refused(*state, &t, SEED, &usual, "no user's");
	}
	t.n = 0;
	refused(*state, &t, SEED, &usual, "no user's");
}

static void
test_instances(void **state)
{
	struct forged t = good;

	t.n = 2;
	t.parts[1] = SPAN("admin");
	refused(*state, &t, SEED, &usual, "no user's");
	t.parts[1] = SPAN("");
	refused(*state, &t, SEED, &usual, "no user's");
	t.parts[0] = SPAN("");
	t.parts[1] = SPAN("ann");
	refused(*state, &t, SEED, &usual, "no user's");
	t.n = 3;
	refused(*state, &t, SEED, &usual, "no user's");
}

static void
test_lengths(void **state)
{
	char		name[KRB_NAME_MAX + 2];
	struct forged	t;

	memset(name, 'a', sizeof(name));
	t = named(span_of(name, sizeof(name) - 1));
	refused(*state, &t, SEED, &usual, "no user's");
	name[KRB_NAME_MAX] = '\0';
	t = named(span_str(name));
	accepted(*state, &t, &usual, name);
}

static void
test_realms(void **state)
{
	static const struct span odd[] = {
		SPAN(""), SPAN("example.org"), SPAN("OTHER.ORG"), SPAN("EXAMPLE.ORGX"),
		SPAN("EXAMPLE.OR"), SPAN("EXAMPLE.ORG\0"), SPAN("X@EXAMPLE.ORG"),
		SPAN(" EXAMPLE.ORG"), SPAN("EXAMPLE.ORG EXAMPLE.NET"),
	};
	struct krb_proof	 p;
	struct krb		*k = open_keys("OTHER.ORG  EXAMPLE.NET");
	struct forged		 t = good;

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		t.realm = odd[i];
		assert_int_equal(talk(*state, &t, SEED, &usual, &p), KRB_REFUSED);
	}
	t.realm = SPAN("OTHER.ORG");
	accepted(k, &t, &usual, "ann");
	refused(*state, &t, SEED, &usual, "another realm");
	t.realm = SPAN("EXAMPLE.NET");
	accepted(k, &t, &usual, "ann");
	t.realm = SPAN("OTHER.ORG  EXAMPLE.NET");
	assert_int_equal(talk(k, &t, SEED, &usual, &p), KRB_REFUSED);
	refused(k, &good, SEED, &usual, "another realm");
	popper_krb.close(k);
}

/* --------------------------------------------------------- tickets, and what is said */

static void
test_tickets(void **state)
{
	struct forged t = good;

	t.starts = -2 * HOUR;
	t.ends = -HOUR;
	refused(*state, &t, SEED, &usual, "expired");
	t.starts = HOUR;
	t.ends = 2 * HOUR;
	refused(*state, &t, SEED, &usual, "not yet valid");
	refused(*state, &good, SEED + 1, &usual, "");
}

static void
test_layers(void **state)
{
	static const struct {
		struct span	 said;
		const char	*why;	/* NULL: it is good */
	} rows[] = {
		{ SPAN("\1\0\0\0ann"), NULL },
		{ SPAN("\1\xff\xff\xff"), NULL },
		{ SPAN("\1\0\0\0ann\0"), "somebody else" },
		{ SPAN("\1\0\0\0an"), "somebody else" },
		{ SPAN("\1\0\0\0bob"), "somebody else" },
		{ SPAN("\1\0\0\0ann@EXAMPLE.ORG"), "somebody else" },
		{ SPAN("\0\0\0\0"), "security layer" },
		{ SPAN("\2\0\x10\0"), "security layer" },
		{ SPAN("\4\0\x10\0ann"), "security layer" },
		{ SPAN("\1\0\0"), "no choice" },
		{ SPAN(""), "no choice" },
	};
	struct talk how = usual;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		how.last = rows[i].said;
		if (rows[i].why == NULL)
			accepted(*state, &good, &how, "ann");
		else
			refused(*state, &good, SEED, &how, rows[i].why);
	}
	how = (struct talk){ .mutual = true, .last = SPAN("\1\0\0\0"),
	    .unwrapped = true };
	refused(*state, &good, SEED, &how, "");
}

/* Who has heard it could say it again, unless nobody hears it. */
static void
test_mutual(void **state)
{
	const struct talk in_secret = { .secret = true };

	refused(*state, &good, SEED, &(struct talk){ 0 }, "without mutual");
	accepted(*state, &good, &in_secret, "ann");
}

/* Nothing but a message that is wanted: the first, and the one between. */
static void
test_order(void **state)
{
	struct krb_exchange	*x;
	struct krb_proof	 p;
	struct buf		 out = { 0 };
	gss_buffer_desc		 said = copy_of(SPAN(""));
	gss_ctx_id_t		 context = GSS_C_NO_CONTEXT;
	gss_cred_id_t		 cred = forge_ticket(&good, SEED);
	OM_uint32		 minor;
	char			*much = calloc(1, 1 << 15);

	assert_non_null(much);
	x = popper_krb.start(*state, true);
	assert_int_equal(hear(x, &said, &out, &p), KRB_REFUSED);
	popper_krb.end(x);
	x = popper_krb.start(*state, true);
	said = copy_of(span_of(much, 1 << 15));
	assert_int_equal(hear(x, &said, &out, &p), KRB_REFUSED);
	assert_string_equal(p.why, "a message without sense");
	popper_krb.end(x);
	x = popper_krb.start(*state, true);
	said = client_step(&context, cred, true, SPAN(""));
	assert_int_equal(hear(x, &said, &out, &p), KRB_CHALLENGE);
	said = copy_of(SPAN("x"));
	assert_int_equal(hear(x, &said, &out, &p), KRB_REFUSED);
	assert_string_equal(p.why, "a message without sense");
	popper_krb.end(x);
	free(much);
	buf_fini(&out);
	(void)gss_delete_sec_context(&minor, &context, GSS_C_NO_BUFFER);
	(void)gss_release_cred(&minor, &cred);
}

/* An octet of the token is another one.  What is not encrypted may say the same in
 * another way, but not whose it is. */
static void
test_damage(void **state)
{
	gss_ctx_id_t	 context = GSS_C_NO_CONTEXT;
	gss_cred_id_t	 cred = forge_ticket(&good, SEED);
	gss_buffer_desc	 token = client_step(&context, cred, true, SPAN(""));
	struct buf	 out = { 0 };
	struct krb_proof p;
	OM_uint32	 minor;

	for (size_t i = 0; i < token.length; i++) {
		struct krb_exchange	*x = popper_krb.start(*state, true);
		gss_buffer_desc		 said = copy_of(span_of(token.value,
					     token.length));

		((uint8_t *)said.value)[i] ^= 1;
		if (hear(x, &said, &out, &p) != KRB_REFUSED)
			assert_string_equal(p.user, "ann");
		popper_krb.end(x);
	}
	buf_fini(&out);
	(void)gss_release_buffer(&minor, &token);
	(void)gss_delete_sec_context(&minor, &context, GSS_C_NO_BUFFER);
	(void)gss_release_cred(&minor, &cred);
}

/* ------------------------------------------------------------------- keytabs */

static void
write_file(const char *octets, size_t n)
{
	FILE *f = fopen(keytab, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(octets, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void
no_keys(const char *why)
{
	struct krb_conf	 c = { .keytab = keytab, .realms = "" };
	struct fault	 f = { 0 };

	assert_null(popper_krb.open(&c, &f));
	if (strstr(f.text, why) == NULL)
		fail_msg("'%s' for '%s'", f.text, why);
}

static void
test_keytabs(void **state UNUSED)
{
	static char	path[2000];
	struct krb_conf	c = { .keytab = path, .realms = "" };
	struct fault	f = { 0 };

	assert_int_equal(unlink(keytab), 0);
	no_keys("not found");
	write_file("", 0);
	no_keys("keytab");
	write_file("\5\2\0\0\0\x7f" "garbage", 13);
	no_keys("keytab");
	assert_int_equal(unlink(keytab), 0);
	forge_key(keytab, "imap/mail.example.org@EXAMPLE.ORG", 3, SEED);
	forge_key(keytab, "pop@EXAMPLE.ORG", 3, SEED);
	forge_key(keytab, "pop/a/b@EXAMPLE.ORG", 3, SEED);
	forge_key(keytab, "pop3/mail.example.org@EXAMPLE.ORG", 3, SEED);
	no_keys("no key of the service pop");
	memset(path, 'a', sizeof(path) - 1);
	assert_null(popper_krb.open(&c, &f));
}

/* All that are in it, of whatever realm and age. */
static void
test_many_keys(void **state UNUSED)
{
	struct forged	 t = good;
	struct krb	*k;

	assert_int_equal(unlink(keytab), 0);
	forge_key(keytab, FORGE_SERVICE, 4, SEED + 1);
	forge_key(keytab, "pop/mail.example.org@EXAMPLE.NET", 3, SEED);
	forge_key(keytab, FORGE_SERVICE, 3, SEED);
	k = open_keys("");
	accepted(k, &t, &usual, "ann");
	t.realm = SPAN("EXAMPLE.NET");
	accepted(k, &t, &usual, "ann");
	popper_krb.close(k);
}

/* ------------------------------------------------------------------------ */

static int
begin(void **state)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(keytab, sizeof(keytab), "%s/keytab", dir);
	forge_key(keytab, FORGE_SERVICE, 3, SEED);
	*state = open_keys("");
	return 0;
}

static int
finish(void **state)
{
	popper_krb.close(*state);
	(void)unlink(keytab);
	return rmdir(dir);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_instances),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_realms),
		cmocka_unit_test(test_tickets),
		cmocka_unit_test(test_layers),
		cmocka_unit_test(test_mutual),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_damage),
		/* These come last: the file is another one from here on. */
		cmocka_unit_test(test_keytabs),
		cmocka_unit_test(test_many_keys),
	};

	return cmocka_run_group_tests(tests, begin, finish);
}
