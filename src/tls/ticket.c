/* SPDX-License-Identifier: ISC */
/*
 * Session tickets (RFC 5077; RFC 8446 s.4.6.1): what a client shows to resume,
 * sealed with keys that all fronts share.
 */
#include "tls/tls_priv.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <string.h>

#define TRIES	1000

static int	slot = -1;	/* of SSL_CTX, for the keys */

/* What is being written is read again; false: its writer died in the middle. */
static bool
copy_keys(volatile const struct tls_ticket_keys *from,
    struct tls_ticket_keys *out)
{
	for (int i = 0; i < TRIES; i++) {
		uint64_t before = __atomic_load_n(&from->version,
		    __ATOMIC_ACQUIRE);

		if ((before & 1) != 0 || before == 0)
			continue;
		memcpy(out, (const void *)(uintptr_t)from, sizeof(*out));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&from->version, __ATOMIC_RELAXED) == before)
			return true;
	}
	return false;
}

/* The index of the key with that name; -1. */
static int
find_key(const struct tls_ticket_keys *keys, const unsigned char *name)
{
	for (int i = 0; i < TLS_TICKET_KEYS; i++)
		if (memcmp(keys->key[i].name, name, sizeof(keys->key[i].name)) == 0)
			return i;
	return -1;
}

static bool
set_key(const struct tls_ticket_key *k, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, bool seal)
{
	uint8_t		hmac[sizeof(k->hmac)];
	char		digest[] = "sha256";
	OSSL_PARAM	params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, hmac,
		    sizeof(hmac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest,
		    0),
		OSSL_PARAM_construct_end(),
	};
	bool		good;

	memcpy(hmac, k->hmac, sizeof(hmac));
	good = EVP_CipherInit_ex2(cipher, EVP_aes_256_cbc(), k->aes, iv, seal,
	    NULL) == 1 && EVP_MAC_CTX_set_params(mac, params) == 1;
	OPENSSL_cleanse(hmac, sizeof(hmac));
	return good;
}

/* OpenSSL's results: 1 done, 2 done but make a new one, 0 no ticket, -1 wrong. */
static int
on_ticket(SSL *s, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int seal)
{
	volatile const struct tls_ticket_keys *from = SSL_CTX_get_ex_data(
	    SSL_get_SSL_CTX(s), slot);
	struct tls_ticket_keys	keys;
	int			i = 0;
	int			result;

	if (!copy_keys(from, &keys))
		return 0;
	if (!seal) {
		i = find_key(&keys, name);
	} else if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) == 1) {
		memcpy(name, keys.key[0].name, sizeof(keys.key[0].name));
	} else {
		i = -1;
	}
	result = i < 0 ? 0 : !set_key(&keys.key[i], iv, cipher, mac, seal != 0) ?
	    -1 : i > 0 ? 2 : 1;
	OPENSSL_cleanse(&keys, sizeof(keys));
	return result;
}

void
tickets_use(SSL_CTX *c, const struct tls_setup *s)
{
	if (slot < 0)
		slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	if (s->tickets == NULL) {
		SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
		(void)SSL_CTX_set_num_tickets(c, 0);
		return;
	}
	(void)SSL_CTX_set_ex_data(c, slot, (void *)(uintptr_t)s->tickets);
	(void)SSL_CTX_set_timeout(c, (long)s->ticket_s);
	(void)SSL_CTX_set_num_tickets(c, 1);
	(void)SSL_CTX_set_tlsext_ticket_key_evp_cb(c, on_ticket);
}
