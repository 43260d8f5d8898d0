/* SPDX-License-Identifier: ISC */
/*
 * A signed JSON Web Token in its compact form (RFC 7515 s.7.1, RFC 7519).  Ours and no
 * library's: those follow what a token says about itself (jku, x5u, alg) unless each
 * is told not to; here nothing of a header counts but alg and kid (RFC 8725).
 */
#include "token/token_priv.h"

#define DOT	'.'

bool
jwt_looks_so(struct span token)
{
	size_t		first = span_find(token, DOT);
	struct span	rest = span_skip(token, first + 1);
	size_t		second = span_find(rest, DOT);

	return first < token.n && second < rest.n &&
	    span_find(span_skip(rest, second + 1), DOT) == rest.n - second - 1;
}

static json_t *
decode(struct span part)
{
	UNZEROED uint8_t	b[TOKEN_MAX];
	size_t			n;

	return base64url_decode(part, b, sizeof(b), &n) ?
	    json_strict(span_of(b, n)) : NULL;
}

/* RFC 8725 s.3.11; RFC 9068 s.2.1.  Case-insensitive. */
static bool
is_type_of_ours(const json_t *typ)
{
	struct span s;

	if (typ == NULL)
		return true;
	if (!json_is_string(typ))
		return false;
	s = span_str(json_string_value(typ));
	if (span_starts_nocase(s, SPAN("application/")))
		s = span_skip(s, SPAN("application/").n);
	return span_eq_nocase(s, SPAN("JWT")) || span_eq_nocase(s, SPAN("at+jwt"));
}

static const char *
judge_header(struct jwt *j)
{
	const json_t	*kid = json_object_get(j->header, "kid");
	int		 alg = alg_of(json_text(j->header, "alg"));

	if (alg < 0)
		return "alg: none of RS256, ES256, EdDSA";
	/* We understand none of what these announce (RFC 7515 s.4.1.11). */
	if (json_object_get(j->header, "crit") != NULL ||
	    json_object_get(j->header, "b64") != NULL)
		return "crit: it wants what popper does not know";
	if (!is_type_of_ours(json_object_get(j->header, "typ")))
		return "typ: neither JWT nor at+jwt";
	if (kid != NULL && (!json_is_string(kid) ||
	    json_string_length(kid) > KID_MAX))
		return "kid: no text, or a long one";
	j->alg = (enum token_alg)alg;
	j->kid = json_string_value(kid);
	return NULL;
}

const char *
jwt_read(struct span token, struct jwt *out)
{
	size_t		first = span_find(token, DOT);
	size_t		second = first + 1 + span_find(span_skip(token, first + 1),
			    DOT);

	*out = (struct jwt){ 0 };
	if (token.n > TOKEN_MAX || !jwt_looks_so(token))
		return "no three parts";
	out->signed_text = span_first(token, second);
	if (!base64url_decode(span_skip(token, second + 1), out->signature,
	    sizeof(out->signature), &out->signature_n) || out->signature_n == 0)
		return "no signature";
	out->header = decode(span_first(token, first));
	return out->header == NULL ? "its header is no JSON" : judge_header(out);
}

void
jwt_fini(struct jwt *j)
{
	json_decref(j->header);
	j->header = NULL;
}

json_t *
jwt_claims(const struct jwt *j)
{
	return decode(span_skip(j->signed_text,
	    span_find(j->signed_text, DOT) + 1));
}
