/* SPDX-License-Identifier: ISC */
#include "proto/proxy.h"

#include "base/attr.h"
#include "base/num.h"

#include <arpa/inet.h>
#include <string.h>

#define V2_HEAD		16u		/* signature, version, family, length */
#define PORT_MAX	65535u
#define TLV_CRC32C	0x03
#define TLV_SSL		0x20
#define SSL_LEAST	5u		/* octets: the client's flags, verify */
#define SSL_IS_USED	0x01		/* of those flags */
#define ADDRESS_MAX	46		/* octets of one as text */

static const struct span v1_begin = SPAN("PROXY ");
static const struct span v2_begin = SPAN("\r\n\r\n\0\r\nQUIT\n");

bool
proxy_address(struct span text, uint8_t family, struct proxy_client *out)
{
	char	 t[ADDRESS_MAX];
	uint8_t	 raw[16] = { 0 };
	uint8_t	 is = span_find(text, ':') < text.n ? 6 : 4;

	if ((family != 0 && family != is) || !span_cstr(text, t, sizeof(t)) ||
	    inet_pton(is == 6 ? AF_INET6 : AF_INET, t, raw) != 1)
		return false;
	out->family = is;
	memcpy(out->raw, raw, sizeof(raw));
	return true;
}

static bool
port(struct span text, uint16_t *out)
{
	uint64_t n;

	if (!num_parse(text, PORT_MAX, &n) || (text.n > 1 && text.p[0] == '0'))
		return false;
	*out = (uint16_t)n;
	return true;
}

static enum proxy_result
bad(struct proxy_reader *r, const char *why)
{
	r->why = why;
	return PROXY_BAD;
}

/* ------------------------------------------------------------- version 1 */

/* The next field behind exactly one blank; the last one has none. */
static struct span
field(struct span *rest)
{
	struct span word = span_first(*rest, span_find(*rest, ' '));

	*rest = span_skip(*rest, word.n + 1);
	return word;
}

/* A whole line, without CRLF. */
static enum proxy_result
v1_parse(struct proxy_reader *r, struct span line, struct proxy_client *out)
{
	struct span		rest = span_skip(line, v1_begin.n);
	struct span		word = field(&rest);
	uint8_t			family;
	struct proxy_client	to = { 0 };

	if (span_eq(word, SPAN("UNKNOWN")))
		return PROXY_DONE;
	if (!span_eq(word, SPAN("TCP4")) && !span_eq(word, SPAN("TCP6")))
		return bad(r, "version 1: neither TCP4, TCP6 nor UNKNOWN");
	family = word.p[3] == '4' ? 4 : 6;
	if (!proxy_address(field(&rest), family, out) ||
	    !proxy_address(field(&rest), family, &to) ||
	    !port(field(&rest), &out->port) || !port(rest, &to.port))
		return bad(r, "version 1: an address or a port");
	return PROXY_DONE;
}

static enum proxy_result
v1_octet(struct proxy_reader *r, uint8_t c, struct proxy_client *out)
{
	bool after_cr = r->n > 1 && r->b[r->n - 2] == '\r';

	if (r->n <= v1_begin.n)
		return c == v1_begin.p[r->n - 1] ? PROXY_MORE :
		    bad(r, "no PROXY header");
	if (after_cr && c == '\n')
		return v1_parse(r, span_of(r->b, r->n - 2), out);
	if (after_cr || (c != '\r' && (c < ' ' || c >= 0x7f)))
		return bad(r, "version 1: an odd octet");
	return r->n < LIMIT_PROXY_V1 ? PROXY_MORE :
	    bad(r, "version 1: longer than 107 octets");
}

/* ------------------------------------------------------------- version 2 */

/* Castagnoli's, bit by bit: headers are short. */
static uint32_t
crc32c(uint32_t crc, uint8_t c)
{
	crc ^= c;
	for (int i = 0; i < 8; i++)
		crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
	return crc;
}

static size_t
number16(const uint8_t *p)
{
	return (size_t)p[0] << 8 | p[1];
}

/* Octets of both addresses and ports, by family. */
static const size_t	addresses[] = { 0, 12, 36, 216 };

/* The first 16 octets are there. */
static enum proxy_result
v2_head(struct proxy_reader *r)
{
	size_t	length = number16(r->b + 14);
	unsigned command = r->b[12] & 0x0f;
	unsigned family = r->b[13] >> 4;
	unsigned transport = r->b[13] & 0x0f;

	if (r->b[12] >> 4 != 2)
		return bad(r, "version 2: another version");
	if (command > 1)
		return bad(r, "version 2: an unknown command");
	r->total = V2_HEAD + length;
	if (r->total > LIMIT_PROXY_V2)
		return bad(r, "version 2: longer than 4096 octets");
	/* Of LOCAL, and of who tells no family, all else is to be skipped. */
	r->tlvs_at = r->total;
	if (command == 0 || r->b[13] == 0)
		return PROXY_MORE;
	if (family == 0 || family >= ARRAY_LEN(addresses) || transport != 1)
		return bad(r, "version 2: not a connection of TCP");
	if (length < addresses[family])
		return bad(r, "version 2: addresses do not fit");
	r->tlvs_at = V2_HEAD + addresses[family];
	return PROXY_MORE;
}

/* Type and length are there. */
static enum proxy_result
v2_tlv_head(struct proxy_reader *r)
{
	r->tlv_left = number16(r->tlv + 1);
	if (r->tlv_left > r->total - r->n)
		return bad(r, "version 2: a TLV is too long");
	if (r->tlv[0] == TLV_SSL && r->tlv_left < SSL_LEAST)
		return bad(r, "version 2: a TLV of TLS is too short");
	if (r->tlv[0] == TLV_CRC32C && (r->tlv_left != 4 || r->crc_seen))
		return bad(r, "version 2: an odd checksum");
	r->crc_seen |= r->tlv[0] == TLV_CRC32C;
	return PROXY_MORE;
}

static enum proxy_result
v2_tlv_octet(struct proxy_reader *r, uint8_t c)
{
	if (r->tlv_n < sizeof(r->tlv)) {
		r->tlv[r->tlv_n++] = c;
		if (r->tlv_n < sizeof(r->tlv))
			return PROXY_MORE;
		if (v2_tlv_head(r) == PROXY_BAD)
			return PROXY_BAD;
	} else {
		if (r->tlv[0] == TLV_CRC32C)
			r->crc_said = r->crc_said << 8 | c;
		if (r->tlv[0] == TLV_SSL && r->tlv_left == number16(r->tlv + 1))
			r->tls = (c & SSL_IS_USED) != 0;
		r->tlv_left--;
	}
	if (r->tlv_left == 0)
		r->tlv_n = 0;
	return PROXY_MORE;
}

static enum proxy_result
v2_end(struct proxy_reader *r, struct proxy_client *out)
{
	unsigned family = r->b[13] >> 4;

	if (r->tlv_n != 0)
		return bad(r, "version 2: a TLV is cut off");
	if (r->crc_seen && r->crc_said != ~r->crc)
		return bad(r, "version 2: the checksum is wrong");
	if ((r->b[12] & 0x0f) == 0 || family == 0 || family == 3)
		return PROXY_DONE;
	out->family = family == 1 ? 4 : 6;
	out->tls = r->tls;
	memcpy(out->raw, r->b + V2_HEAD, family == 1 ? 4 : 16);
	out->port = (uint16_t)number16(r->b + V2_HEAD +
	    (family == 1 ? 8 : 32));
	return PROXY_DONE;
}

static enum proxy_result
v2_octet(struct proxy_reader *r, uint8_t c, struct proxy_client *out)
{
	bool of_crc = r->n > r->tlvs_at && r->tlv_n == sizeof(r->tlv) &&
	    r->tlv[0] == TLV_CRC32C;

	/* The checksum's own octets count as zeros. */
	r->crc = crc32c(r->crc, of_crc ? 0 : c);
	if (r->n <= v2_begin.n)
		return c == v2_begin.p[r->n - 1] ? PROXY_MORE :
		    bad(r, "no PROXY header");
	if (r->n < V2_HEAD)
		return PROXY_MORE;
	if ((r->n == V2_HEAD ? v2_head(r) : r->n > r->tlvs_at ?
	    v2_tlv_octet(r, c) : PROXY_MORE) == PROXY_BAD)
		return PROXY_BAD;
	return r->n < r->total ? PROXY_MORE : v2_end(r, out);
}

/* ------------------------------------------------------------------ both */

void
proxy_init(struct proxy_reader *r)
{
	*r = (struct proxy_reader){ .crc = UINT32_MAX };
}

enum proxy_result
proxy_feed(struct proxy_reader *r, struct span *in, struct proxy_client *out)
{
	enum proxy_result result = r->why != NULL ? PROXY_BAD : PROXY_MORE;

	*out = (struct proxy_client){ 0 };
	while (result == PROXY_MORE && in->n > 0) {
		uint8_t c = in->p[0];

		if (r->n < sizeof(r->b))
			r->b[r->n] = c;
		r->n++;
		*in = span_skip(*in, 1);
		result = r->b[0] == v2_begin.p[0] ? v2_octet(r, c, out) :
		    v1_octet(r, c, out);
	}
	if (result != PROXY_DONE)
		*out = (struct proxy_client){ 0 };
	return result;
}
