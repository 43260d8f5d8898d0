/* SPDX-License-Identifier: ISC */
/*
 * The test plays the clients, with OpenSSL's other half, and the network, which is
 * two buffers.
 */
#include "tls/tls.h"

#include "base/buf.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define TURNS	10000		/* of a handshake, octet by octet */

/* --- certificates ------------------------------------------------------------------ */

struct made {
	X509		*x;
	EVP_PKEY	*key;
	char		*chain;		/* PEM */
	char		*key_pem;
};

static char *
text_of(BIO *b)
{
	char	*p;
	long	 n = BIO_get_mem_data(b, &p);
	char	*copy = calloc(1, (size_t)n + 1);

	memcpy(copy, p, (size_t)n);
	BIO_free(b);
	return copy;
}

static char *
pem_of(X509 *x, const char *below)
{
	BIO *b = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_X509(b, x), 1);
	BIO_puts(b, below);
	return text_of(b);
}

static void
add_names(X509 *x, const char *names)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
	    names);

	assert_non_null(e);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
}

/* by NULL: signed by itself.  rsa_bits 0: ECDSA P-256. */
static struct made
make(const char *common, const char *names, unsigned rsa_bits,
    const struct made *by)
{
	struct made	 m = { .x = X509_new() };
	X509_NAME	*name = X509_get_subject_name(m.x);
	BIO		*b = BIO_new(BIO_s_mem());

	m.key = rsa_bits > 0 ? EVP_RSA_gen(rsa_bits) : EVP_EC_gen("P-256");
	assert_non_null(m.key);
	X509_set_version(m.x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(m.x), 7);
	X509_gmtime_adj(X509_getm_notBefore(m.x), -60);
	X509_gmtime_adj(X509_getm_notAfter(m.x), 86400);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)common, -1, -1, 0);
	X509_set_issuer_name(m.x, by == NULL ? name :
	    X509_get_subject_name(by->x));
	X509_set_pubkey(m.x, m.key);
	if (names != NULL)
		add_names(m.x, names);
	assert_true(X509_sign(m.x, by == NULL ? m.key : by->key,
	    EVP_sha256()) > 0);
	PEM_write_bio_PrivateKey(b, m.key, NULL, NULL, 0, NULL, NULL);
	m.key_pem = text_of(b);
	m.chain = pem_of(m.x, by == NULL ? "" : by->chain);
	return m;
}

static void
unmake(struct made *m)
{
	X509_free(m->x);
	EVP_PKEY_free(m->key);
	free(m->chain);
	free(m->key_pem);
}

static struct tls_pair
pair_of(const struct made *m)
{
	return (struct tls_pair){ .name = "test.pem",
	    .chain = span_str(m->chain), .key = span_str(m->key_pem) };
}

static struct made	ec, rsa, other;

static int
set_up(void **state)
{
	(void)state;
	ec = make("pop.example", "DNS:pop.example,DNS:*.mail.example", 0, NULL);
	rsa = make("pop.example", "DNS:pop.example,DNS:*.mail.example", 2048,
	    NULL);
	other = make("other.example", "DNS:other.example", 0, NULL);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	unmake(&ec);
	unmake(&rsa);
	unmake(&other);
	return 0;
}

/* --- a client and its network ------------------------------------------------------- */

struct net {
	struct buf	 to_server;
	struct buf	 to_client;
	bool		 ended;		/* by the client */
	size_t		 step;		/* octets at a time; 0: all */
	size_t		 window;	/* most that a write takes; 0: all */
	bool		 shut;		/* and the next one takes nothing */
	size_t		 writes;
	SSL_CTX		*ctx;
	SSL		*client;
	BIO		*in;		/* of the client */
	BIO		*out;
	struct tls_stream *server;
};

static ssize_t
net_read(void *ctx, void *p, size_t n, struct fault *f)
{
	struct net	*net = ctx;
	struct span	 s = buf_span(&net->to_server);

	s = span_first(s, net->step > 0 && net->step < n ? net->step : n);
	if (s.n == 0) {
		f->err = EAGAIN;
		return net->ended ? 0 : -1;
	}
	memcpy(p, s.p, s.n);
	buf_consume(&net->to_server, s.n);
	return (ssize_t)s.n;
}

static ssize_t
net_write(void *ctx, struct span s, struct fault *f)
{
	struct net *net = ctx;

	s = span_first(s, buf_room(&net->to_client));
	net->shut = net->window > 0 && !net->shut;
	if (s.n == 0 || net->shut) {
		f->err = EAGAIN;
		return -1;
	}
	if (net->window > 0)
		s = span_first(s, net->window);
	assert_int_equal(buf_append(&net->to_client, s), 0);
	net->writes++;
	return (ssize_t)s.n;
}

static const struct tls_io io = { net_read, net_write };

static void
client_new(struct net *net)
{
	*net = (struct net){ .ctx = SSL_CTX_new(TLS_client_method()) };
	buf_init(&net->to_server, 1 << 20);
	buf_init(&net->to_client, 1 << 16);
	net->client = SSL_new(net->ctx);
	net->in = BIO_new(BIO_s_mem());
	net->out = BIO_new(BIO_s_mem());
	SSL_set_bio(net->client, net->in, net->out);
	SSL_set_connect_state(net->client);
	SSL_set_security_level(net->client, 0);
}

static void
client_free(struct net *net)
{
	popper_tls.close(net->server);
	SSL_free(net->client);
	SSL_CTX_free(net->ctx);
	buf_fini(&net->to_server);
	buf_fini(&net->to_client);
}

/* What each has said goes to the other. */
static void
carry(struct net *net)
{
	char		block[4096];
	int		n;
	struct span	s = buf_span(&net->to_client);

	while ((n = BIO_read(net->out, block, sizeof(block))) > 0)
		assert_int_equal(buf_append(&net->to_server,
		    span_of(block, (size_t)n)), 0);
	if (s.n > 0) {
		assert_int_equal(BIO_write(net->in, s.p, (int)s.n), (int)s.n);
		buf_consume(&net->to_client, s.n);
	}
}

/* 0 when both are through; the fault is the server's. */
static int
shake(struct net *net, struct tls_context *c, struct fault *f)
{
	int done = -1;

	*f = (struct fault){ .err = 0 };
	if (net->server == NULL)
		net->server = popper_tls.open(c, &io, net, f);
	assert_non_null(net->server);
	for (int i = 0; i < TURNS; i++) {
		int theirs = SSL_do_handshake(net->client);
		int error = SSL_get_error(net->client, theirs);

		carry(net);
		if (done != 0)
			done = popper_tls.handshake(net->server, f);
		carry(net);
		if (done == 0 && theirs == 1)
			return 0;
		if (done != 0 && f->err != EAGAIN)
			return -1;
		if (theirs != 1 && error != SSL_ERROR_WANT_READ)
			return fault_set(f, FAULT_PROTO, "client: %s",
			    ERR_reason_error_string(ERR_peek_error()));
	}
	return -1;
}

static struct tls_context *
context_of(const struct tls_pair *p, size_t n, bool old,
    const struct tls_ticket_keys *keys)
{
	const struct tls_setup	 s = { .pair = p, .npairs = n, .old = old,
	    .tickets = keys, .ticket_s = 3600 };
	struct fault		 f = { .err = 0 };
	struct tls_context	*c = popper_tls.context_new(&s, &f);

	if (c == NULL)
		fail_msg("%s", f.text);
	return c;
}

/* --- tests ----------------------------------------------------------------------------- */

/* Both ways, a large one too, and the end. */
static void
talk(struct net *net)
{
	char		 said[64];
	static char	 large[100000];
	struct fault	 f;
	size_t		 sent = 0;
	size_t		 got = 0;
	int		 n;

	SSL_write(net->client, "STLS\r\n", 6);
	carry(net);
	while (got < 6) {
		ssize_t k = popper_tls.read(net->server, said + got,
		    sizeof(said) - got, &f);

		assert_true(k > 0 || f.err == EAGAIN);
		got += k > 0 ? (size_t)k : 0;
	}
	assert_memory_equal(said, "STLS\r\n", 6);
	assert_int_equal(popper_tls.read(net->server, said, 1, &f), -1);
	assert_int_equal(f.err, EAGAIN);
	assert_int_equal(popper_tls.wants(net->server), TLS_WANTS_READ);
	got = 0;
	while (got < sizeof(large)) {
		ssize_t k = sent == sizeof(large) ? 0 : popper_tls.write(
		    net->server, span_of(large + sent, sizeof(large) - sent), &f);

		if (k < 0)
			assert_int_equal(f.err, EAGAIN);
		else
			sent += (size_t)k;
		carry(net);
		while ((n = SSL_read(net->client, said, sizeof(said))) > 0)
			got += (size_t)n;
	}
	while (popper_tls.end(net->server, &f) != 0) {
		assert_int_equal(f.err, EAGAIN);
		carry(net);
	}
	carry(net);
	assert_int_equal(SSL_read(net->client, said, 1), 0);
	assert_int_equal(SSL_get_error(net->client, 0), SSL_ERROR_ZERO_RETURN);
}

static void
good(struct tls_context *c, size_t step, int version)
{
	struct net		net;
	struct tls_facts	facts;
	struct fault		f;

	client_new(&net);
	net.step = step;
	SSL_set_max_proto_version(net.client, version);
	if (shake(&net, c, &f) != 0)
		fail_msg("%s", f.text);
	popper_tls.facts(net.server, &facts);
	assert_string_equal(facts.protocol, version == TLS1_3_VERSION ?
	    "TLSv1.3" : version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1");
	assert_true(facts.cipher[0] != '\0');
	talk(&net);
	client_free(&net);
}

static void
test_dialogue(void **state)
{
	struct tls_pair		 p = pair_of(&ec);
	struct tls_context	*c = context_of(&p, 1, false, NULL);

	(void)state;
	good(c, 0, TLS1_3_VERSION);
	good(c, 1, TLS1_3_VERSION);
	good(c, 0, TLS1_2_VERSION);
	good(c, 1, TLS1_2_VERSION);
	popper_tls.context_free(c);
}

/* The client takes little at a time, and now and then nothing. */
static void
test_narrow(void **state)
{
	static const struct tls_ticket_keys keys = { .version = 2 };
	static const int	 versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_pair		 p = pair_of(&ec);
	struct tls_context	*c = context_of(&p, 1, false, &keys);

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(versions); i++) {
		struct net	net;
		struct fault	f;

		client_new(&net);
		net.window = i < 2 ? 100 : 2000;
		SSL_set_max_proto_version(net.client, versions[i % 2]);
		if (shake(&net, c, &f) != 0)
			fail_msg("%s", f.text);
		talk(&net);
		client_free(&net);
	}
	popper_tls.context_free(c);
}

/* A flight is one write, and the ticket waits for the first reply. */
static void
test_flights(void **state)
{
	static const struct tls_ticket_keys keys = { .version = 2 };
	struct tls_pair		 p = pair_of(&ec);
	struct tls_context	*c = context_of(&p, 1, false, &keys);
	struct net		 net;
	struct fault		 f;
	char			 said[16];

	(void)state;
	client_new(&net);
	assert_int_equal(shake(&net, c, &f), 0);
	assert_int_equal(net.writes, 1);
	assert_int_equal(popper_tls.write(net.server, SPAN("+OK\r\n"), &f), 5);
	assert_int_equal(net.writes, 2);
	carry(&net);
	assert_int_equal(SSL_read(net.client, said, sizeof(said)), 5);
	assert_true(SSL_SESSION_has_ticket(SSL_get_session(net.client)));
	talk(&net);
	client_free(&net);
	popper_tls.context_free(c);
}

/* Who waits for the rest of a record waits for the socket. */
static void
test_half_a_record(void **state)
{
	struct tls_pair		 p = pair_of(&ec);
	struct tls_context	*c = context_of(&p, 1, false, NULL);
	struct net		 net;
	struct fault		 f;
	struct span		 whole;
	struct buf		 rest;
	char			 said[16];

	(void)state;
	client_new(&net);
	buf_init(&rest, 1 << 16);
	assert_int_equal(shake(&net, c, &f), 0);
	for (size_t at = 1; at < 30; at++) {
		SSL_write(net.client, "NOOP\r\n", 6);
		carry(&net);
		whole = buf_span(&net.to_server);
		assert_int_equal(buf_append(&rest, span_skip(whole, at)), 0);
		net.to_server.n -= whole.n > at ? whole.n - at : 0;
		if (whole.n > at) {
			assert_int_equal(popper_tls.read(net.server, said,
			    sizeof(said), &f), -1);
			assert_int_equal(f.err, EAGAIN);
			assert_false(popper_tls.pending(net.server));
		}
		assert_int_equal(buf_append(&net.to_server, buf_span(&rest)), 0);
		buf_fini(&rest);
		assert_int_equal(popper_tls.read(net.server, said, 4, &f), 4);
		assert_true(popper_tls.pending(net.server));
		assert_int_equal(popper_tls.read(net.server, said, 4, &f), 2);
		assert_false(popper_tls.pending(net.server));
	}
	client_free(&net);
	popper_tls.context_free(c);
}

static void
test_old(void **state)
{
	struct tls_pair		 p = pair_of(&rsa);
	struct tls_context	*c = context_of(&p, 1, false, NULL);
	struct net		 net;
	struct fault		 f;

	(void)state;
	client_new(&net);
	SSL_set_max_proto_version(net.client, TLS1_1_VERSION);
	assert_int_equal(shake(&net, c, &f), -1);
	client_free(&net);
	popper_tls.context_free(c);
	c = context_of(&p, 1, true, NULL);
	good(c, 0, TLS1_VERSION);
	good(c, 0, TLS1_3_VERSION);
	popper_tls.context_free(c);
}

/* The kind of key in the certificate that this client is shown; 0: none. */
static int
shown(struct tls_context *c, const char *name, const char *algorithms,
    const char *want)
{
	struct net		net;
	struct fault		f;
	struct tls_facts	facts;
	X509			*x;
	int			kind;

	client_new(&net);
	if (name != NULL)
		SSL_set_tlsext_host_name(net.client, name);
	if (algorithms != NULL)
		assert_int_equal(SSL_set1_sigalgs_list(net.client, algorithms), 1);
	if (shake(&net, c, &f) != 0)
		fail_msg("%s", f.text);
	x = SSL_get1_peer_certificate(net.client);
	assert_int_equal(X509_check_host(x, want, strlen(want), 0, NULL), 1);
	kind = EVP_PKEY_get_base_id(X509_get0_pubkey(x));
	X509_free(x);
	popper_tls.facts(net.server, &facts);
	assert_string_equal(facts.name, name == NULL ? "" : name);
	client_free(&net);
	return kind;
}

static void
test_names(void **state)
{
	struct tls_pair		 p[] = { pair_of(&ec), pair_of(&rsa),
				    pair_of(&other) };
	struct tls_context	*c = context_of(p, 3, false, NULL);
	const char		*rsa_only = "rsa_pss_rsae_sha256";

	(void)state;
	assert_int_equal(shown(c, NULL, NULL, "pop.example"), EVP_PKEY_EC);
	assert_int_equal(shown(c, "pop.example", NULL, "pop.example"),
	    EVP_PKEY_EC);
	assert_int_equal(shown(c, "pop.example", rsa_only, "pop.example"),
	    EVP_PKEY_RSA);
	assert_int_equal(shown(c, "x.mail.example", rsa_only, "x.mail.example"),
	    EVP_PKEY_RSA);
	assert_int_equal(shown(c, "other.example", NULL, "other.example"),
	    EVP_PKEY_EC);
	assert_int_equal(shown(c, "nobody.example", NULL, "pop.example"),
	    EVP_PKEY_EC);
	popper_tls.context_free(c);
}

static bool
alpn(struct tls_context *c, const char *offer, size_t n)
{
	struct net		 net;
	struct fault		 f;
	const unsigned char	*got = NULL;
	unsigned		 got_n = 0;
	bool			 done;

	client_new(&net);
	SSL_set_alpn_protos(net.client, (const unsigned char *)offer,
	    (unsigned)n);
	done = shake(&net, c, &f) == 0;
	SSL_get0_alpn_selected(net.client, &got, &got_n);
	if (done)
		assert_memory_equal(got, "pop3", got_n);
	client_free(&net);
	return done && got_n == 4;
}

static void
test_alpn(void **state)
{
	struct tls_pair		 p = pair_of(&ec);
	struct tls_context	*c = context_of(&p, 1, false, NULL);

	(void)state;
	assert_true(alpn(c, "\4pop3", 5));
	assert_true(alpn(c, "\4imap\4pop3", 10));
	assert_false(alpn(c, "\10http/1.1", 9));
	popper_tls.context_free(c);
}

/* Whether the session is taken up again; *next_r: what to show the next time. */
static bool
resumes(struct tls_context *c, int version, SSL_SESSION *from,
    SSL_SESSION **next_r)
{
	struct net		net;
	struct fault		f;
	struct tls_facts	facts;
	char			octet;

	client_new(&net);
	SSL_set_max_proto_version(net.client, version);
	if (from != NULL)
		SSL_set_session(net.client, from);
	assert_int_equal(shake(&net, c, &f), 0);
	assert_int_equal(popper_tls.write(net.server, SPAN("+"), &f), 1);
	carry(&net);
	assert_int_equal(SSL_read(net.client, &octet, 1), 1);	/* tickets */
	popper_tls.facts(net.server, &facts);
	assert_int_equal(facts.resumed, SSL_session_reused(net.client));
	if (next_r != NULL)
		*next_r = SSL_get1_session(net.client);
	/* Else OpenSSL forgets the session as not resumable. */
	SSL_set_shutdown(net.client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	client_free(&net);
	return facts.resumed;
}

static void
tickets_of(int version)
{
	struct tls_pair		 p = pair_of(&ec);
	struct tls_ticket_keys	 keys = { .version = 2 };
	struct tls_ticket_keys	 others = { .version = 2 };
	struct tls_context	*c = context_of(&p, 1, false, &keys);
	struct tls_context	*second = context_of(&p, 1, false, &keys);
	struct tls_context	*stranger = context_of(&p, 1, false, &others);
	SSL_SESSION		*s;

	memset(&keys.key[0], 1, sizeof(keys.key[0]));
	memset(&keys.key[1], 2, sizeof(keys.key[1]));
	memset(&others.key[0], 3, sizeof(others.key[0]));
	assert_false(resumes(c, version, NULL, &s));
	assert_true(resumes(second, version, s, NULL));
	assert_false(resumes(stranger, version, s, NULL));
	keys.key[1] = keys.key[0];	/* rotated: still good for a while */
	memset(&keys.key[0], 4, sizeof(keys.key[0]));
	assert_true(resumes(second, version, s, NULL));
	memset(&keys.key[1], 5, sizeof(keys.key[1]));
	assert_false(resumes(second, version, s, NULL));
	keys.version = 3;		/* whoever writes has died */
	assert_false(resumes(c, version, s, NULL));
	SSL_SESSION_free(s);
	popper_tls.context_free(c);
	popper_tls.context_free(second);
	popper_tls.context_free(stranger);
}

static void
test_tickets(void **state)
{
	(void)state;
	tickets_of(TLS1_3_VERSION);
	tickets_of(TLS1_2_VERSION);
}

/* A response about m, by m; the caller's (OPENSSL_free). */
static struct span
respond(const struct made *m, int status, long ends_s)
{
	OCSP_BASICRESP	*all = OCSP_BASICRESP_new();
	OCSP_CERTID	*id = OCSP_cert_to_id(NULL, m->x, m->x);
	ASN1_TIME	*begins = X509_gmtime_adj(NULL, -3600);
	ASN1_TIME	*ends = X509_gmtime_adj(NULL, ends_s);
	OCSP_RESPONSE	*r;
	unsigned char	*der = NULL;
	int		 n;

	assert_non_null(OCSP_basic_add1_status(all, id, status, 0, begins, begins,
	    ends));
	assert_int_equal(OCSP_basic_sign(all, m->x, m->key, EVP_sha256(), NULL,
	    0), 1);
	r = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, all);
	n = i2d_OCSP_RESPONSE(r, &der);
	assert_true(n > 0);
	OCSP_RESPONSE_free(r);
	OCSP_BASICRESP_free(all);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(begins);
	ASN1_TIME_free(ends);
	return span_of(der, (size_t)n);
}

/* How many octets of a response a client is given with this certificate. */
static long
stapled(struct tls_pair p, struct span response)
{
	struct tls_context	*c;
	struct net		 net;
	struct fault		 f;
	const unsigned char	*got;
	long			 n;

	p.ocsp = response;
	c = context_of(&p, 1, false, NULL);
	client_new(&net);
	SSL_set_tlsext_status_type(net.client, TLSEXT_STATUSTYPE_ocsp);
	assert_int_equal(shake(&net, c, &f), 0);
	n = SSL_get_tlsext_status_ocsp_resp(net.client, &got);
	if (n > 0)
		assert_memory_equal(got, response.p, response.n);
	client_free(&net);
	popper_tls.context_free(c);
	return n;
}

static void
test_stapling(void **state)
{
	struct span good = respond(&ec, V_OCSP_CERTSTATUS_GOOD, 3600);
	struct span late = respond(&ec, V_OCSP_CERTSTATUS_GOOD, -1);
	struct span revoked = respond(&ec, V_OCSP_CERTSTATUS_UNKNOWN, 3600);
	struct tls_pair p = pair_of(&ec);
	struct tls_judgement j;
	struct fault f;

	(void)state;
	assert_int_equal(stapled(p, good), good.n);
	assert_int_equal(stapled(p, late), -1);	/* not any more */
	assert_int_equal(stapled(p, SPAN("")), -1);
	p.ocsp = good;
	assert_int_equal(popper_tls.judge(&p, &j, &f), 0);
	assert_in_range(j.ocsp_ends - time(NULL), 3500, 3600);
	p.ocsp = revoked;
	assert_int_equal(popper_tls.judge(&p, &j, &f), -1);
	assert_non_null(strstr(f.text, "OCSP"));
	p.ocsp = SPAN("not one");
	assert_int_equal(popper_tls.judge(&p, &j, &f), -1);
	OPENSSL_free((void *)(uintptr_t)good.p);
	OPENSSL_free((void *)(uintptr_t)late.p);
	OPENSSL_free((void *)(uintptr_t)revoked.p);
}

/* What is no TLS: one clear end, whatever it is. */
static void
test_garbage(void **state)
{
	static const char *const said[] = { "USER ann\r\nPASS secret\r\n",
	    "\x16\x03\x01\xff\xff", "\x16\x03\x01\x00\x05\x01\xff\xff\xff\xff",
	    "GET / HTTP/1.0\r\n\r\n" };
	struct tls_pair		 p = pair_of(&ec);
	struct tls_context	*c = context_of(&p, 1, false, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		struct net	net;
		struct fault	f = { .err = 0 };
		char		octet;

		client_new(&net);
		assert_int_equal(buf_append(&net.to_server,
		    span_str(said[i])), 0);
		net.ended = true;
		net.server = popper_tls.open(c, &io, &net, &f);
		assert_int_equal(popper_tls.handshake(net.server, &f), -1);
		assert_int_not_equal(f.err, EAGAIN);
		assert_int_equal(popper_tls.read(net.server, &octet, 1, &f), -1);
		assert_int_not_equal(f.err, EAGAIN);
		assert_int_equal(popper_tls.end(net.server, &f), 0);
		client_free(&net);
	}
	popper_tls.context_free(c);
}

/* Whether there is a binding is known before it is computed. */
static void
test_binding(void **state)
{
	static const struct {
		int		version;
		uint64_t	options;
		size_t		n;
	} cases[] = {
		{ TLS1_3_VERSION, 0, TLS_BINDING_EXPORTER },
		{ TLS1_2_VERSION, 0, TLS_BINDING_EXPORTER + 12 },
		{ TLS1_2_VERSION, SSL_OP_NO_EXTENDED_MASTER_SECRET, 0 },
	};
	struct tls_pair		 p = pair_of(&ec);
	struct tls_context	*c = context_of(&p, 1, false, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct net	net;
		struct fault	f;
		uint8_t		binding[TLS_BINDING_MAX];

		client_new(&net);
		SSL_set_max_proto_version(net.client, cases[i].version);
		SSL_set_options(net.client, cases[i].options);
		assert_int_equal(shake(&net, c, &f), 0);
		assert_int_equal(popper_tls.binding(net.server, binding),
		    cases[i].n);
		assert_int_equal(popper_tls.binds(net.server), cases[i].n > 0);
		client_free(&net);
	}
	popper_tls.context_free(c);
}

/* The end of the connection is not the end of the client's words. */
static void
test_cut(void **state)
{
	struct tls_pair		 p = pair_of(&ec);
	struct tls_context	*c = context_of(&p, 1, false, NULL);
	struct net		 net;
	struct fault		 f;
	char			 octet;

	(void)state;
	client_new(&net);
	assert_int_equal(shake(&net, c, &f), 0);
	popper_tls.context_free(c);	/* a stream that is left goes on */
	net.ended = true;
	assert_int_equal(popper_tls.read(net.server, &octet, 1, &f), -1);
	assert_int_not_equal(f.err, EAGAIN);
	client_free(&net);
}

static void
refused(struct tls_pair p, const char *why)
{
	const struct tls_setup	s = { .pair = &p, .npairs = 1 };
	struct tls_judgement	j;
	struct fault		f;

	assert_int_equal(popper_tls.judge(&p, &j, &f), -1);
	assert_non_null(strstr(f.text, "test.pem: "));
	if (strstr(f.text, why) == NULL)
		fail_msg("%s: not %s", f.text, why);
	assert_null(popper_tls.context_new(&s, &f));
}

static void
test_judge(void **state)
{
	struct made		 root = make("root", NULL, 0, NULL);
	struct made		 leaf = make("pop.example", NULL, 0, &root);
	struct made		 weak = make("pop.example", NULL, 1024, NULL);
	char			*upside = pem_of(root.x, leaf.chain);
	struct tls_pair		 p = pair_of(&ec);
	struct tls_judgement	 j;
	struct fault		 f;

	(void)state;
	assert_int_equal(popper_tls.judge(&p, &j, &f), 0);
	assert_int_equal(j.nnames, 2);
	assert_string_equal(j.name[1], "*.mail.example");
	assert_in_range(j.ends - time(NULL), 86000, 86400);
	assert_in_range(time(NULL) - j.begins, 0, 120);
	p = pair_of(&leaf);
	assert_int_equal(popper_tls.judge(&p, &j, &f), 0);
	assert_int_equal(j.nnames, 1);		/* the common name */

	refused((struct tls_pair){ .name = "test.pem" }, "no certificate");
	p.key = SPAN("");
	refused(p, "cannot be read");
	p.key = span_str(ec.key_pem);
	refused(p, "another certificate");
	p = pair_of(&root);
	p.chain = span_str(upside);
	refused(p, "no chain");
	p = pair_of(&weak);
	refused(p, "key too small");
	unmake(&root);
	unmake(&leaf);
	unmake(&weak);
	free(upside);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dialogue),
		cmocka_unit_test(test_narrow),
		cmocka_unit_test(test_flights),
		cmocka_unit_test(test_half_a_record),
		cmocka_unit_test(test_old),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_alpn),
		cmocka_unit_test(test_tickets),
		cmocka_unit_test(test_stapling),
		cmocka_unit_test(test_binding),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_judge),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
