/* SPDX-License-Identifier: ISC */
#include "krb/forge_test.h"

#include "base/attr.h"

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5.h>
#include <stdio.h>
#include <string.h>

#define CACHE	"MEMORY:forged"

/* Of the library for a KDC: exported, and in no header that is installed. */
krb5_error_code	krb5_encrypt_tkt_part(krb5_context c, const krb5_keyblock *key,
		    krb5_ticket *t);
krb5_error_code	encode_krb5_ticket(const krb5_ticket *t, krb5_data **out);

static void
must(krb5_error_code rc)
{
	ASSERT(rc == 0);
}

static krb5_context
begin(void)
{
	krb5_context c;

	must(krb5_init_context(&c));
	return c;
}

static void
make_key(krb5_context c, int seed, krb5_keyblock *key)
{
	char		octets[32];
	krb5_data	random = { .length = sizeof(octets), .data = octets };
	krb5_keyblock	*made = NULL;

	memset(octets, seed, sizeof(octets));
	must(krb5_init_keyblock(c, ENCTYPE_AES256_CTS_HMAC_SHA1_96,
	    sizeof(octets), &made));
	must(krb5_c_random_to_key(c, made->enctype, &random, made));
	must(krb5_copy_keyblock_contents(c, made, key));
	krb5_free_keyblock(c, made);
}

void
forge_key(const char *path, const char *service, unsigned kvno, int seed)
{
	krb5_context		c = begin();
	krb5_keytab		file;
	krb5_keytab_entry	e = { .vno = kvno };
	char			name[1100];

	(void)snprintf(name, sizeof(name), "WRFILE:%s", path);
	must(krb5_parse_name(c, service, &e.principal));
	make_key(c, seed, &e.key);
	must(krb5_kt_resolve(c, name, &file));
	must(krb5_kt_add_entry(c, file, &e));
	must(krb5_kt_close(c, file));
	krb5_free_keyblock_contents(c, &e.key);
	krb5_free_principal(c, e.principal);
	krb5_free_context(c);
}

static krb5_data
data_of(struct span s)
{
	return (krb5_data){ .length = (unsigned)s.n,
	    .data = (char *)(uintptr_t)s.p };
}

/* Encrypts the ticket; *out is the caller's. */
static void
seal(krb5_context c, const struct forged *t, int seed, const krb5_creds *cred,
    krb5_data **out)
{
	krb5_timestamp		now = (krb5_timestamp)time(NULL);
	krb5_keyblock		key;
	krb5_keyblock		session = cred->keyblock;
	krb5_enc_tkt_part	inner = {
		.session = &session,
		.client = cred->client,
		.transited = { .tr_type = KRB5_DOMAIN_X500_COMPRESS },
		.times = { .authtime = now, .starttime = now + (krb5_timestamp)t->starts,
		    .endtime = now + (krb5_timestamp)t->ends },
	};
	krb5_ticket		ticket = { .server = cred->server, .enc_part2 = &inner };

	make_key(c, seed, &key);
	must(krb5_encrypt_tkt_part(c, &key, &ticket));
	ticket.enc_part.kvno = t->kvno;
	must(encode_krb5_ticket(&ticket, out));
	krb5_free_data_contents(c, &ticket.enc_part.ciphertext);
	krb5_free_keyblock_contents(c, &key);
}

/* To the client it looks good, whatever is within. */
static void
fill_cache(krb5_context c, krb5_ccache cache, krb5_creds *cred)
{
	krb5_timestamp now = (krb5_timestamp)time(NULL);

	cred->times = (krb5_ticket_times){ .authtime = now, .starttime = now,
	    .endtime = now + 36000 };
	must(krb5_cc_initialize(c, cache, cred->client));
	must(krb5_cc_store_cred(c, cache, cred));
}

static gss_cred_id_t
take_cred(void)
{
	gss_key_value_element_desc	place = { "ccache", CACHE };
	gss_key_value_set_desc		store = { 1, &place };
	gss_cred_id_t			cred;
	OM_uint32			minor;

	ASSERT(gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE,
	    GSS_C_NO_OID_SET, GSS_C_INITIATE, &store, &cred, NULL, NULL) ==
	    GSS_S_COMPLETE);
	return cred;
}

gss_cred_id_t
forge_ticket(const struct forged *t, int seed)
{
	krb5_context	 c = begin();
	krb5_ccache	 cache;
	krb5_principal_data client = { .realm = data_of(t->realm), .length = t->n,
			    .type = KRB5_NT_PRINCIPAL };
	krb5_data	 parts[3];
	krb5_data	*sealed = NULL;
	krb5_creds	 cred = { .client = &client };

	for (size_t i = 0; i < 3; i++)
		parts[i] = data_of(t->parts[i]);
	client.data = parts;
	must(krb5_parse_name(c, t->service != NULL ? t->service : FORGE_SERVICE,
	    &cred.server));
	make_key(c, 'S', &cred.keyblock);
	seal(c, t, seed, &cred, &sealed);
	cred.ticket = *sealed;
	must(krb5_cc_resolve(c, CACHE, &cache));
	fill_cache(c, cache, &cred);
	gss_cred_id_t out = take_cred();
	(void)krb5_cc_close(c, cache);
	krb5_free_data(c, sealed);
	krb5_free_keyblock_contents(c, &cred.keyblock);
	krb5_free_principal(c, cred.server);
	krb5_free_context(c);
	return out;
}

gss_name_t
forge_target(const char *service)
{
	gss_buffer_desc	text;
	gss_name_t	name;
	OM_uint32	minor;

	if (service == NULL)
		service = FORGE_SERVICE;
	text = (gss_buffer_desc){ strlen(service), (void *)(uintptr_t)service };
	ASSERT(gss_import_name(&minor, &text, GSS_KRB5_NT_PRINCIPAL_NAME, &name) ==
	    GSS_S_COMPLETE);
	return name;
}
