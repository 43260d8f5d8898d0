/* SPDX-License-Identifier: ISC */
#include "proto/proxy.h"

#include "base/attr.h"
#include "base/num.h"

#include <string.h>

#define VALUE_MAX	64u		/* octets of an address or a port */

/* What is said about a client and means nothing to us: Postfix's, Dovecot's. */
static const char *const ignored[] = {
	"NAME", "HELO", "PROTO", "LOGIN", "DESTADDR", "DESTPORT", "DESTNAME",
	"SESSION", "TTL", "CLIENT-TRANSPORT", "FORWARD",
};

static bool
is_ignored(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		if (span_eq_nocase(name, span_str(ignored[i])))
			return true;
	return false;
}

/* -1: no hexadecimal digit; xtext has capital letters. */
static int
hex(uint8_t c)
{
	if (ascii_isdigit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* xtext (RFC 3461 s.4) decoded; false when it is none, or too long. */
static bool
decode(struct span s, uint8_t out[VALUE_MAX], struct span *out_r)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (n == VALUE_MAX || c <= ' ' || c >= 0x7f || c == '=')
			return false;
		if (c == '+') {
			int high = i + 2 < s.n ? hex(s.p[i + 1]) : -1;
			int low = high < 0 ? -1 : hex(s.p[i + 2]);

			if (low < 0)
				return false;
			c = (uint8_t)(high << 4 | low);
			i += 2;
		}
		out[n++] = c;
	}
	*out_r = span_of(out, n);
	return true;
}

static bool
is_unavailable(struct span s)
{
	return span_eq_nocase(s, SPAN("[UNAVAILABLE]")) ||
	    span_eq_nocase(s, SPAN("[TEMPUNAVAIL]"));
}

static bool
set_address(struct span value, struct proxy_client *out)
{
	static const struct span prefix = SPAN("IPV6:");

	if (is_unavailable(value))
		return true;
	if (span_starts_nocase(value, prefix))
		return proxy_address(span_skip(value, prefix.n), 6, out);
	return proxy_address(value, 0, out);
}

static bool
set_port(struct span value, struct proxy_client *out)
{
	uint64_t n;

	if (is_unavailable(value))
		return true;
	if (!num_parse(value, UINT16_MAX, &n))
		return false;
	out->port = (uint16_t)n;
	return true;
}

const char *
xclient_parse(struct span args, struct proxy_client *out)
{
	bool		addr = false;
	bool		port = false;
	struct span	word;

	*out = (struct proxy_client){ 0 };
	while ((word = span_word(&args)).n > 0) {
		struct span	name = span_first(word, span_find(word, '='));
		struct span	value;
		uint8_t		room[VALUE_MAX];

		if (name.n == word.n)
			return "XCLIENT: NAME=VALUE is expected.";
		if (is_ignored(name))
			continue;
		if (!decode(span_skip(word, name.n + 1), room, &value))
			return "XCLIENT: a value that is none.";
		if (span_eq_nocase(name, SPAN("ADDR"))) {
			if (addr || !set_address(value, out))
				return "XCLIENT: ADDR is not an address.";
			addr = true;
		} else if (span_eq_nocase(name, SPAN("PORT"))) {
			if (port || !set_port(value, out))
				return "XCLIENT: PORT is not a port.";
			port = true;
		} else {
			return "XCLIENT: no such attribute.";
		}
	}
	if (!addr)
		return "XCLIENT: ADDR= is missing.";
	if (out->family == 0)
		out->port = 0;
	return NULL;
}
