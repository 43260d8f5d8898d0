/* SPDX-License-Identifier: ISC */
#include "base/codec.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* 0 to 63; 64: none of them.  Without a table, whose lines in the cache would tell
 * something of a password. */
static unsigned
value_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0') + 52;
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* Four characters, of which the last `pad` are '='.  False: not so. */
static bool
quartet(const uint8_t *p, unsigned pad, uint8_t out[3])
{
	unsigned v = 0;

	for (unsigned i = 0; i < 4; i++) {
		unsigned x = i < 4 - pad ? value_of(p[i]) : p[i] == '=' ? 0 : 64;

		if (x == 64)
			return false;
		v = v << 6 | x;
	}
	out[0] = (uint8_t)(v >> 16);
	out[1] = (uint8_t)(v >> 8);
	out[2] = (uint8_t)v;
	return pad == 0 || (pad == 1 ? out[2] == 0 : (out[1] | out[2]) == 0);
}

bool
base64_decode(struct span text, uint8_t *out, size_t cap, size_t *out_n)
{
	unsigned	pad = text.n > 0 && text.p[text.n - 1] != '=' ? 0 :
			    text.n > 1 && text.p[text.n - 2] == '=' ? 2 : 1;
	size_t		n = 0;

	*out_n = 0;
	if (text.n == 0)
		return true;
	if (text.n % 4 != 0 || text.n / 4 * 3 - pad > cap)
		return false;
	for (size_t i = 0; i < text.n; i += 4) {
		bool	last = i + 4 == text.n;
		size_t	octets = last ? 3 - pad : 3;
		uint8_t	b[3];

		if (!quartet(text.p + i, last ? pad : 0, b)) {
			explicit_bzero(out, n);
			return false;
		}
		memcpy(out + n, b, octets);
		n += octets;
	}
	*out_n = n;
	return true;
}

size_t
base64_encode(struct span s, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i += 3) {
		size_t		left = s.n - i;
		unsigned	v = (unsigned)s.p[i] << 16;

		if (left > 1)
			v |= (unsigned)s.p[i + 1] << 8;
		if (left > 2)
			v |= s.p[i + 2];
		out[n++] = alphabet[v >> 18];
		out[n++] = alphabet[v >> 12 & 63];
		out[n++] = left > 1 ? alphabet[v >> 6 & 63] : '=';
		out[n++] = left > 2 ? alphabet[v & 63] : '=';
	}
	return n;
}

void
hex_encode(struct span s, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < s.n; i++) {
		out[2 * i] = digits[s.p[i] >> 4];
		out[2 * i + 1] = digits[s.p[i] & 15];
	}
}
