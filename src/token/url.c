/* SPDX-License-Identifier: ISC */
/* Which URLs may be asked about tokens: nobody between us and the server. */
#include "token/token.h"

#include "base/num.h"
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

/* What is behind the colon that no address of IPv6 has in it. */
static struct span
port_of(struct span authority)
{
	size_t at = authority.n;

	while (at > 0 && authority.p[at - 1] != ':' && authority.p[at - 1] != ']' &&
	    authority.p[at - 1] != '@')
		at--;
	return at > 0 && authority.p[at - 1] == ':' ? span_skip(authority, at) :
	    SPAN("");
}

uint16_t
token_url_port(const char *url)
{
	struct span	s = span_str(url);
	bool		secure = span_starts(s, SPAN("https://"));
	uint64_t	port = secure ? 443 : 80;
	size_t		end = 0;

	if (!token_is_url(url))
		return 0;
	s = span_skip(s, secure ? SPAN("https://").n : SPAN("http://").n);
	while (end < s.n && s.p[end] != '/' && s.p[end] != '?' && s.p[end] != '#')
		end++;
	s = port_of(span_first(s, end));
	return s.n == 0 || num_parse(s, UINT16_MAX, &port) ? (uint16_t)port : 0;
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
