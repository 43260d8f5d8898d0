/* SPDX-License-Identifier: ISC */
#include "sasl/bearer.h"

#define SEPARATOR	0x01		/* kvsep of RFC 7628 s.3.1 */

static bool
is_alpha(uint8_t c)
{
	return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}

/* b64token of RFC 6750 s.2.1. */
static bool
is_token(struct span s)
{
	static const struct span others = { (const uint8_t *)"-._~+/", 6 };

	while (s.n > 0 && s.p[s.n - 1] == '=')
		s.n--;
	for (size_t i = 0; i < s.n; i++)
		if (!is_alpha(s.p[i]) && !ascii_isdigit(s.p[i]) &&
		    span_find(others, s.p[i]) == others.n)
			return false;
	return s.n > 0;
}

/* "Bearer TOKEN"; the scheme in any case (RFC 9110 s.11.1). */
static bool
take_token(struct span value, struct sasl_bearer *out)
{
	static const struct span scheme = { (const uint8_t *)"Bearer ", 7 };

	if (out->token.n > 0 || !span_starts_nocase(value, scheme))
		return false;
	value = span_skip(value, scheme.n);
	while (value.n > 0 && value.p[0] == ' ')
		value = span_skip(value, 1);
	out->token = value;
	return is_token(value);
}

static bool
is_pair(struct span key, struct span value)
{
	for (size_t i = 0; i < key.n; i++)
		if (!is_alpha(key.p[i]))
			return false;
	for (size_t i = 0; i < value.n; i++) {
		uint8_t c = value.p[i];

		if (c != '\t' && c != '\r' && c != '\n' && (c < ' ' || c > '~'))
			return false;
	}
	return key.n > 0;
}

/* *kvpair kvsep, to the end. */
static bool
take_pairs(struct span rest, struct sasl_bearer *out)
{
	while (rest.n > 0 && rest.p[0] != SEPARATOR) {
		size_t		end = span_find(rest, SEPARATOR);
		struct span	pair = span_first(rest, end);
		size_t		at = span_find(pair, '=');
		struct span	key = span_first(pair, at);
		struct span	value = span_skip(pair, at + 1);

		if (end == rest.n || at == pair.n || !is_pair(key, value) ||
		    (span_eq(key, SPAN("auth")) && !take_token(value, out)))
			return false;
		rest = span_skip(rest, end + 1);
	}
	return rest.n == 1 && out->token.n > 0;
}

/* saslname of RFC 5801 s.4: ',' and '=' are escaped, and no other octet is. */
static bool
take_name(struct span s, struct sasl_bearer *out)
{
	for (out->user_n = 0; s.n > 0; out->user_n++) {
		struct span	head = span_first(s, 3);
		bool		escaped = s.p[0] == '=';
		uint8_t		c = s.p[0];

		if (span_eq(head, SPAN("=2C")))
			c = ',';
		else if (escaped && !span_eq(head, SPAN("=3D")))
			return false;
		if (c == '\0' || out->user_n == sizeof(out->user))
			return false;
		out->user[out->user_n] = c;
		s = span_skip(s, escaped ? 3 : 1);
	}
	return out->user_n > 0;
}

/* gs2-header: "n," or "y,", then "a=NAME" or nothing, then ",". */
static bool
take_header(struct span header, struct sasl_bearer *out)
{
	if (header.n < 3 || (header.p[0] != 'n' && header.p[0] != 'y') ||
	    header.p[1] != ',' || header.p[header.n - 1] != ',')
		return false;
	header = span_first(span_skip(header, 2), header.n - 3);
	return header.n == 0 || (span_starts(header, SPAN("a=")) &&
	    span_find(header, ',') == header.n &&
	    take_name(span_skip(header, 2), out));
}

bool
sasl_oauthbearer(struct span message, struct sasl_bearer *out)
{
	size_t end = span_find(message, SEPARATOR);

	*out = (struct sasl_bearer){ 0 };
	return end < message.n && take_header(span_first(message, end), out) &&
	    take_pairs(span_skip(message, end + 1), out);
}

bool
sasl_xoauth2(struct span message, struct sasl_bearer *out)
{
	static const struct span key = { (const uint8_t *)"user=", 5 };
	size_t			 end = span_find(message, SEPARATOR);
	struct span		 user = span_skip(span_first(message, end), key.n);

	*out = (struct sasl_bearer){ 0 };
	if (end == message.n || !span_starts(message, key) || user.n == 0 ||
	    user.n > sizeof(out->user) || span_find(user, '\0') < user.n)
		return false;
	memcpy(out->user, user.p, user.n);
	out->user_n = user.n;
	return take_pairs(span_skip(message, end + 1), out);
}
