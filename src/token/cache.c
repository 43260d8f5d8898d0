/* SPDX-License-Identifier: ISC */
/*
 * Which tokens a server has called good a short while ago: bound to the token and to
 * who has said it, as a keyed hash of both, so that memory that leaks tells none.
 * A place of a table each: who comes later takes it.
 */
#include "token/token_priv.h"

#include "base/alloc.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <stdlib.h>

#define DIGEST		32
#define KEY		32

struct slot {
	int64_t	until;
	uint8_t	digest[DIGEST];
	char	name[TOKEN_NAME_MAX + 1];
};

struct cache {
	uint8_t		key[KEY];
	struct slot	slots[CACHE_SLOTS];
};

struct cache *
cache_new(void)
{
	struct cache *c = xalloc(1, sizeof(*c));

	if (RAND_bytes(c->key, sizeof(c->key)) == 1)
		return c;
	free(c);
	return NULL;
}

void
cache_free(struct cache *c)
{
	if (c == NULL)
		return;
	OPENSSL_cleanse(c, sizeof(*c));
	free(c);
}

/* Names have a length of their own before them: no two pairs are one text. */
static bool
digest_of(const struct cache *c, struct span user, struct span token,
    uint8_t out[DIGEST])
{
	UNZEROED uint8_t	text[1 + TOKEN_NAME_MAX + TOKEN_MAX];
	size_t			n = 1 + user.n + token.n;
	size_t			made = 0;
	bool			good;

	if (user.n > TOKEN_NAME_MAX || token.n > TOKEN_MAX)
		return false;
	text[0] = (uint8_t)user.n;
	if (user.n > 0)
		memcpy(text + 1, user.p, user.n);
	memcpy(text + 1 + user.n, token.p, token.n);
	good = EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, c->key,
	    sizeof(c->key), text, n, out, DIGEST, &made) != NULL &&
	    made == DIGEST;
	OPENSSL_cleanse(text, n);
	return good;
}

static size_t
slot_of(const uint8_t digest[DIGEST])
{
	return (digest[0] | (size_t)digest[1] << 8) % CACHE_SLOTS;
}

bool
cache_find(const struct cache *c, struct span user, struct span token,
    int64_t now, char name_r[TOKEN_NAME_MAX + 1])
{
	uint8_t			 digest[DIGEST];
	const struct slot	*s;

	if (c == NULL || !digest_of(c, user, token, digest))
		return false;
	s = &c->slots[slot_of(digest)];
	if (s->until <= now || CRYPTO_memcmp(s->digest, digest, DIGEST) != 0)
		return false;
	memcpy(name_r, s->name, sizeof(s->name));
	return true;
}

void
cache_put(struct cache *c, struct span user, struct span token, int64_t until,
    const char *name)
{
	uint8_t		 digest[DIGEST];
	struct slot	*s;

	if (c == NULL || !digest_of(c, user, token, digest))
		return;
	s = &c->slots[slot_of(digest)];
	memcpy(s->digest, digest, DIGEST);
	s->until = span_cstr(span_str(name), s->name, sizeof(s->name)) ? until : 0;
}
