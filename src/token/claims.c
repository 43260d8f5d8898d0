/* SPDX-License-Identifier: ISC */
/* What a token says, whoever vouches for it (RFC 7519 s.4.1, RFC 7662 s.2.2). */
#include "token/token_priv.h"

/* NumericDate: seconds, perhaps with a fraction.  False: there is none, or it makes no
 * sense; at 0 no token ends or begins. */
static bool
take_time(const json_t *claims, const char *name, int64_t *out)
{
	const json_t	*j = json_object_get(claims, name);
	double		 v = json_number_value(j);

	/* 1e12 seconds are 30,000 years. */
	if (!json_is_number(j) || !(v >= 1 && v <= 1e12))
		return false;
	*out = (int64_t)v;
	return true;
}

static bool
has(const json_t *claims, const char *name)
{
	return json_object_get(claims, name) != NULL;
}

static const char *
judge_times(const json_t *claims, bool strict, int64_t now, int64_t *until_r)
{
	int64_t	t;

	*until_r = 0;
	if ((strict || has(claims, "exp")) && !take_time(claims, "exp", until_r))
		return "exp: it is missing, or no time";
	if (*until_r != 0 && now >= *until_r + LEEWAY_S)
		return "exp: it has expired";
	if (has(claims, "nbf") && (!take_time(claims, "nbf", &t) ||
	    t > now + LEEWAY_S))
		return "nbf: it is not valid yet";
	if (has(claims, "iat") && (!take_time(claims, "iat", &t) ||
	    t > now + LEEWAY_S))
		return "iat: it was made in the future";
	return NULL;
}

static bool
is_audience(const char *words, const json_t *aud)
{
	return json_is_string(aud) &&
	    words_have(words, span_str(json_string_value(aud)));
}

static bool
has_audience(const char *words, const json_t *aud)
{
	if (!json_is_array(aud))
		return is_audience(words, aud);
	for (size_t i = 0; i < json_array_size(aud); i++)
		if (is_audience(words, json_array_get(aud, i)))
			return true;
	return false;
}

/* RFC 8693 s.4.2: one string. */
static bool
has_scope(const char *wanted, const char *scope)
{
	struct span rest = span_str(wanted);
	struct span w;

	while ((w = span_word(&rest)).n > 0)
		if (scope == NULL || !words_have(scope, w))
			return false;
	return true;
}

static const char *
judge_origin(const struct token_conf *c, const json_t *claims, bool strict)
{
	const char *iss = json_text(claims, "iss");

	return c->issuer[0] != '\0' && (strict || has(claims, "iss")) &&
	    (iss == NULL || strcmp(iss, c->issuer) != 0) ?
	    "iss: it is another one's (oauth_issuer)" : NULL;
}

static const char *
judge_purpose(const struct token_conf *c, const json_t *claims)
{
	if (c->audience[0] != '\0' &&
	    !has_audience(c->audience, json_object_get(claims, "aud")))
		return "aud: it is for others (oauth_audience)";
	if (!has_scope(c->scope, json_text(claims, "scope")))
		return "scope: it does not suffice (oauth_scope)";
	return NULL;
}

const char *
claims_judge(const struct token_conf *c, const json_t *claims, bool strict,
    int64_t now, struct span user, char name_r[TOKEN_NAME_MAX + 1],
    int64_t *until_r)
{
	const char	*wrong = judge_origin(c, claims, strict);
	const char	*name = json_text(claims, c->user_claim);

	name_r[0] = '\0';
	if (wrong != NULL)
		return wrong;
	/* Another issuer's users are not ours. */
	if (name == NULL || name[0] == '\0' ||
	    !span_cstr(span_str(name), name_r, TOKEN_NAME_MAX + 1))
		return "it names no user (oauth_user_claim)";
	wrong = judge_times(claims, strict, now, until_r);
	if (wrong == NULL)
		wrong = judge_purpose(c, claims);
	if (wrong != NULL)
		return wrong;
	if (user.n > 0 && !span_eq(span_str(name), user))
		return "it is another user's";
	return NULL;
}
