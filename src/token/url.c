/* SPDX-License-Identifier: ISC */
/* Which URLs may be asked about tokens: nobody between us and the server. */
#include "token/token.h"

#include "base/span.h"

static bool
is_authority_of_ours(struct span s)
{
	static const struct span hosts[] = {
		{ (const uint8_t *)"127.0.0.1", 9 }, { (const uint8_t *)"[::1]", 5 },
		{ (const uint8_t *)"localhost", 9 },
	};

	s = span_first(s, span_find(s, '/'));
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		if (span_starts(s, hosts[i]) && (s.n == hosts[i].n ||
		    (s.p[hosts[i].n] == ':' &&
		    span_find(s, '@') == s.n)))
			return true;
	return false;
}

bool
token_is_url(const char *value)
{
	struct span s = span_str(value);

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	if (span_starts(s, SPAN("https://")))
		return s.n > SPAN("https://").n;
	return span_starts(s, SPAN("http://")) &&
	    is_authority_of_ours(span_skip(s, SPAN("http://").n));
}
