/* SPDX-License-Identifier: ISC */
/*
 * Which way a token goes: one that looks like a JWT is judged by our keys, if there
 * are any; else the server is asked.
 */
#include "token/token_priv.h"

#include "base/alloc.h"
#include "sys/netcurl.h"

#include <curl/curl.h>
#include <openssl/rand.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define KEYS_TTL_S	3600		/* then keys of a URL are fetched anew */

struct token {
	const struct token_conf	*c;		/* borrows */
	struct token_keys	 keys;		/* owns */
	struct fetch		*keys_at;	/* owns; NULL: they are a file's */
	int64_t			 fetched_s;	/* when they were */
	int64_t			 tried_s;	/* or that failed */
	struct fetch		*server;	/* owns: introspection; NULL: none */
	struct cache		*cache;		/* owns; NULL: none */
	struct buf		 roots;		/* owns */
};

static void
say(struct token_verdict *v, enum token_result result, const char *why)
{
	v->result = result;
	(void)snprintf(v->detail, sizeof(v->detail), "%s", why);
}

/* The server may have moved; but keys that were fetched are worth keeping while it is
 * away. */
static void
give_up(const struct token *t, int64_t now, const char *why,
    struct token_verdict *v)
{
	say(v, TOKEN_UNDECIDED, why);
	v->anew = t->keys_at == NULL || t->keys.n == 0 ||
	    now - t->fetched_s > 2 * KEYS_TTL_S;
}

/* ---- our keys ---- */

/* 0 when there are new ones; the old ones stay otherwise. */
static int
fetch_keys(struct token *t, int64_t now, struct fault *f)
{
	struct buf		text;
	struct token_keys	keys;
	int			rc;

	t->tried_s = now;
	if (fetch_do(t->keys_at, SPAN(""), &text, f) != 0)
		return -1;
	rc = keys_read(buf_span(&text), &keys, f);
	buf_fini(&text);
	if (rc != 0)
		return fault_prefix(f, "%s: ", t->c->jwks);
	keys_free(&t->keys);
	t->keys = keys;
	t->fetched_s = now;
	return 0;
}

/*
 * The key of this token.  A server's keys change without our knowing: who names one
 * that we do not have makes us look, but nobody makes us look more often than we like.
 * NULL with an empty fault: there is none.
 */
static const struct token_key *
find_key(struct token *t, const struct jwt *j, int64_t now, struct fault *f)
{
	const struct token_key	*key = keys_find(&t->keys, j->alg, j->kid);
	bool			 old = now - t->fetched_s >= KEYS_TTL_S;
	bool			 may = now - t->tried_s >= t->c->refetch_s;

	f->class = FAULT_NONE;
	if (t->keys_at == NULL || (key != NULL && !old))
		return key;
	if (may && fetch_keys(t, now, f) == 0)
		return keys_find(&t->keys, j->alg, j->kid);
	if (!may && t->keys.n == 0)
		(void)fault_set(f, FAULT_TEMP, "%s: no keys, see above",
		    t->c->jwks);
	if (key != NULL)
		f->class = FAULT_NONE;	/* the old ones do, while there are no others */
	return key;
}

static void
judge_claims(struct token *t, const struct jwt *j, struct span user, int64_t now,
    struct token_verdict *v)
{
	json_t		*claims = jwt_claims(j);
	int64_t		 until;
	const char	*wrong = claims == NULL ? "its claims are no JSON" :
			    claims_judge(t->c, claims, true, now, user, v->user,
			    &until);

	json_decref(claims);
	if (wrong != NULL)
		say(v, TOKEN_REFUSED, wrong);
	else
		v->result = TOKEN_GOOD;
}

static void
judge_jwt(struct token *t, struct span user, struct span token,
    struct token_verdict *v)
{
	UNZEROED struct jwt	 j;
	int64_t			 now = (int64_t)time(NULL);
	const char		*wrong = jwt_read(token, &j);
	const struct token_key	*key;
	struct fault		 f;

	if (wrong != NULL) {
		say(v, TOKEN_REFUSED, wrong);
	} else if ((key = find_key(t, &j, now, &f)) == NULL) {
		if (f.class == FAULT_NONE)
			say(v, TOKEN_REFUSED, "kid: no such key");
		else
			give_up(t, now, f.text, v);
	} else if (!key_verifies(key, j.signed_text,
	    span_of(j.signature, j.signature_n))) {
		say(v, TOKEN_REFUSED, "its signature is wrong");
	} else {
		judge_claims(t, &j, user, now, v);
	}
	jwt_fini(&j);
}

/* ---- the server's word (RFC 7662) ---- */

static int
ask_server(struct token *t, struct span token, struct buf *out, struct fault *f)
{
	char		*escaped = curl_easy_escape(NULL, (const char *)token.p,
			    (int)token.n);
	struct buf	 form;
	int		 rc = -1;

	buf_init(&form, 3 * TOKEN_MAX + 64);
	if (escaped != NULL &&
	    buf_append(&form, SPAN("token_type_hint=access_token&token=")) == 0 &&
	    buf_append(&form, span_str(escaped)) == 0)
		rc = fetch_do(t->server, buf_span(&form), out, f);
	else
		(void)fault_set(f, FAULT_LIMIT, "a token too long");
	buf_fini(&form);
	if (escaped != NULL)
		explicit_bzero(escaped, strlen(escaped));
	curl_free(escaped);
	return rc;
}

/* The sooner of both; a token without end is asked about again. */
static int64_t
good_until(const struct token *t, int64_t now, int64_t until)
{
	int64_t most = now + t->c->cache_ttl_s;

	return until != 0 && until < most ? until : most;
}

static void
judge_answer(struct token *t, struct span answer, struct span user,
    struct span token, struct token_verdict *v)
{
	json_t		*claims = json_strict(answer);
	int64_t		 now = (int64_t)time(NULL);
	int64_t		 until;
	const char	*wrong = NULL;

	if (claims == NULL ||
	    !json_is_boolean(json_object_get(claims, "active"))) {
		say(v, TOKEN_UNDECIDED, "oauth_introspection: the answer is not"
		    " that of RFC 7662");
	} else if (!json_is_true(json_object_get(claims, "active")) ||
	    (wrong = claims_judge(t->c, claims, false, now, user, v->user,
	    &until)) != NULL) {
		say(v, TOKEN_REFUSED, wrong != NULL ? wrong :
		    "the server calls it invalid");
	} else {
		v->result = TOKEN_GOOD;
		cache_put(t->cache, user, token, good_until(t, now, until),
		    v->user);
	}
	json_decref(claims);
}

static void
judge_by_server(struct token *t, struct span user, struct span token,
    struct token_verdict *v)
{
	struct buf	answer;
	struct fault	f;

	if (cache_find(t->cache, user, token, (int64_t)time(NULL), v->user)) {
		v->result = TOKEN_GOOD;
		return;
	}
	if (ask_server(t, token, &answer, &f) != 0) {
		give_up(t, (int64_t)time(NULL), f.text, v);
		return;
	}
	judge_answer(t, buf_span(&answer), user, token, v);
	buf_fini(&answer);
}

/* ---- all of it ---- */

static void
token_judge(struct token *t, struct span user, struct span token,
    struct token_verdict *v)
{
	*v = (struct token_verdict){ .result = TOKEN_REFUSED };
	if (token.n == 0)
		say(v, TOKEN_REFUSED, "no token");
	else if (token.n > TOKEN_MAX)
		say(v, TOKEN_REFUSED, "longer than 9216 octets");
	else if (t->c->jwks[0] != '\0' &&
	    (t->server == NULL || jwt_looks_so(token)))
		judge_jwt(t, user, token, v);
	else
		judge_by_server(t, user, token, v);
}

static void
token_close(struct token *t)
{
	if (t == NULL)
		return;
	keys_free(&t->keys);
	fetch_free(t->keys_at);
	fetch_free(t->server);
	cache_free(t->cache);
	buf_fini(&t->roots);
	free(t);
}

/* The first line of client_file. */
static struct span
client_of(struct span text)
{
	struct span line = SPAN("");

	(void)span_line(&text, &line);
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return span_trim(line);
}

static int
open_keys(struct token *t, const struct token_files *files, struct fault *f)
{
	const char *jwks = t->c->jwks;

	if (jwks[0] == '\0')
		return 0;
	if (!token_is_url(jwks))
		return keys_read(files->jwks, &t->keys, f) == 0 ? 0 :
		    fault_prefix(f, "%s: ", jwks);
	/* Long ago: the first one who needs them fetches them. */
	t->tried_s = t->fetched_s = INT64_MIN / 2;
	t->keys_at = fetch_new(jwks, t->c->timeout_s, files->hosts, SPAN(""),
	    buf_span(&t->roots), f);
	return t->keys_at == NULL ? -1 : 0;
}

static int
open_server(struct token *t, const struct token_files *files, struct fault *f)
{
	if (t->c->introspection[0] == '\0')
		return 0;
	t->server = fetch_new(t->c->introspection, t->c->timeout_s, files->hosts,
	    client_of(files->client), buf_span(&t->roots), f);
	if (t->server != NULL && t->c->cache_ttl_s > 0)
		t->cache = cache_new();
	return t->server == NULL ? -1 : 0;
}

static int
token_look_up(const struct token_conf *c, struct buf *out, struct fault *f)
{
	const char *const	urls[] = { c->jwks, c->introspection };
	int			rc = 0;

	buf_init(out, TOKEN_HOSTS_MAX);
	for (size_t i = 0; i < ARRAY_LEN(urls) && rc == 0; i++)
		if (token_is_url(urls[i]))
			rc = netcurl_look_up(urls[i], out, f);
	return rc;
}

static struct token *
token_open(const struct token_conf *c, const struct token_files *files,
    struct fault *f)
{
	struct token	*t = xalloc(1, sizeof(*t));
	size_t		 seed;

	t->c = c;
	/* jansson would look for chance in /dev, which is not there. */
	if (RAND_bytes((unsigned char *)&seed, sizeof(seed)) == 1)
		json_object_seed(seed);
	if (c->jwks[0] != '\0' && (c->issuer[0] == '\0' ||
	    c->audience[0] == '\0')) {
		(void)fault_set(f, FAULT_PERM, "oauth_jwks: set oauth_issuer and"
		    " oauth_audience, or tokens for others open mailboxes");
		free(t);
		return NULL;
	}
	buf_init(&t->roots, files->roots.n);
	if ((token_needs_network(c) &&
	    curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) ||
	    buf_append(&t->roots, files->roots) != 0) {
		(void)fault_set(f, FAULT_PERM, "libcurl does not start");
	} else if (open_keys(t, files, f) == 0 && open_server(t, files, f) == 0) {
		return t;
	}
	token_close(t);
	return NULL;
}

const struct token_ops popper_token = {
	.abi = TOKEN_ABI,
	.look_up = token_look_up,
	.open = token_open,
	.judge = token_judge,
	.close = token_close,
};
