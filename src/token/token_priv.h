/* SPDX-License-Identifier: ISC */
/* What the files of this module share.  Floor 2, private to token/. */
#ifndef TOKEN_TOKEN_PRIV_H
#define TOKEN_TOKEN_PRIV_H

#include "token/token.h"

#include "base/buf.h"

#include <jansson.h>
#include <openssl/evp.h>

#define LEEWAY_S	60		/* clocks differ */
#define DOCUMENT_MAX	(256u << 10)	/* octets of a JWKS, or of a server's answer */
#define DEPTH_MAX	8		/* of JSON within JSON */
#define KEYS_MAX	64
#define KID_MAX		256

/* ---- JSON and base64url, as strict as JOSE wants them (json.c) ---- */

/* An object, or NULL; the caller owns it (json_decref).  No name twice, no NUL, nothing
 * behind it, no deeper than DEPTH_MAX. */
json_t	*json_strict(struct span text) MUSTUSE;
/* RFC 7515 s.2: no padding, and one text for some octets.  False: it is none. */
bool	base64url_decode(struct span text, uint8_t *out, size_t cap, size_t *n_r)
	    MUSTUSE;
/* A member that is a string; NULL. */
const char	*json_text(const json_t *object, const char *name);
/* Is that word among those, with blanks between? */
bool	words_have(const char *words, struct span word);

/* ---- keys (keys.c) ---- */

enum token_alg { ALG_RS256, ALG_ES256, ALG_EDDSA, ALG_COUNT };
/* -1: none of ours; "none" and HS256 are none. */
int	alg_of(const char *name);

struct token_key {
	enum token_alg	 alg;		/* a key is for one alone */
	char		*kid;		/* owns; NULL: it has none */
	EVP_PKEY	*key;		/* owns */
};

/* All zero: none. */
struct token_keys {
	size_t			n;
	struct token_key	v[KEYS_MAX];
};

/* The keys of a JWKS (RFC 7517, RFC 8037) that sign by one of our algorithms and are
 * strong enough; others are left out.  -1: it is no JWKS, or has no such key. */
int	keys_read(struct span text, struct token_keys *out, struct fault *f) MUSTUSE;
void	keys_free(struct token_keys *k);
/* The one that is meant; kid NULL: the only one of its kind.  NULL. */
const struct token_key	*keys_find(const struct token_keys *k,
			    enum token_alg alg, const char *kid);
/* A signature as JWS has it (RFC 7518 s.3). */
bool	key_verifies(const struct token_key *k, struct span text,
	    struct span signature) MUSTUSE;

/* ---- tokens (jwt.c, claims.c) ---- */

struct jwt {
	struct span	 signed_text;	/* borrows from the token */
	enum token_alg	 alg;
	json_t		*header;	/* owns */
	const char	*kid;		/* in the header; NULL: none is named */
	size_t		 signature_n;
	uint8_t		 signature[1024];
};

/* Three parts with dots between. */
bool	jwt_looks_so(struct span token);
/* NULL, or what is wrong; jwt_fini in any case. */
const char	*jwt_read(struct span token, struct jwt *out);
void		 jwt_fini(struct jwt *j);
/* The claims, once the signature was right.  NULL: no JSON.  The caller owns it. */
json_t		*jwt_claims(const struct jwt *j);

/*
 * Issuer, whose it is, times, audience, scope: NULL, or what is wrong.  Then name_r is
 * whom it names, as far as that was looked at.
 * strict: exp, issuer and audience must be there.  *until_r: when it expires, 0 never.
 */
const char	*claims_judge(const struct token_conf *c, const json_t *claims,
		    bool strict, int64_t now, struct span user,
		    char name_r[TOKEN_NAME_MAX + 1], int64_t *until_r);

/* ---- HTTP (fetch.c) ---- */

struct fetch;

/* One URL; hosts: lines of netcurl_look_up, that of its host among them.  client:
 * "name:secret", or empty; roots: PEM, as long as it lives. */
struct fetch	*fetch_new(const char *url, unsigned timeout_s, struct span hosts,
		    struct span client, struct span roots, struct fault *f);
void		 fetch_free(struct fetch *x);
/* What the server says with 200, at most DOCUMENT_MAX octets, to a form (POST), or to
 * GET when that is empty; the caller owns out. */
int	fetch_do(struct fetch *x, struct span form, struct buf *out,
	    struct fault *f) MUSTUSE;

/* ---- yeses of introspection (cache.c) ---- */

#define CACHE_SLOTS	1024
struct cache;
struct cache	*cache_new(void);
void		 cache_free(struct cache *c);
/* What was put for that user and that token, before its time. */
bool	cache_find(const struct cache *c, struct span user, struct span token,
	    int64_t now, char name_r[TOKEN_NAME_MAX + 1]);
void	cache_put(struct cache *c, struct span user, struct span token,
	    int64_t until, const char *name);

#endif
