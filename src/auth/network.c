/* SPDX-License-Identifier: ISC */
#include "auth/network.h"

#include "base/num.h"
#include "proto/proxy.h"

#include <stdio.h>

/* ::ffff:0:0/96: such an address is shown and counted as IPv4. */
static const uint8_t v4_mapped[12] = { [10] = 0xff, [11] = 0xff };

static bool
same_bits(const uint8_t *a, const uint8_t *b, size_t bits)
{
	uint8_t rest = (uint8_t)(0xff00u >> bits % 8);

	return memcmp(a, b, bits / 8) == 0 && (bits % 8 == 0 ||
	    ((a[bits / 8] ^ b[bits / 8]) & rest) == 0);
}

/* The same with nothing behind the bits. */
static void
masked(const struct network *n, struct sock_addr *out)
{
	uint8_t raw[16] = { 0 };

	memcpy(raw, n->raw, n->bits / 8);
	if (n->bits % 8 != 0)
		raw[n->bits / 8] = (uint8_t)(n->raw[n->bits / 8] &
		    (0xff00u >> n->bits % 8));
	*out = (struct sock_addr){ .family = n->family };
	memcpy(out->raw, raw, sizeof(raw));
	sock_addr_text(out);
}

bool
network_read(struct span text, struct network *out, char *expected, size_t cap)
{
	size_t			slash = span_find(text, '/');
	struct proxy_client	c = { 0 };
	struct sock_addr	whole;
	uint64_t		bits = 0;

	if (!proxy_address(span_first(text, slash), 0, &c) ||
	    (slash < text.n && !num_parse(span_skip(text, slash + 1),
	    c.family == 4 ? 32 : 128, &bits))) {
		snprintf(expected, cap, "an address or a network, such as "
		    "192.0.2.1, 192.0.2.0/24 or 2001:db8::/32, for \"%.*s\"",
		    (int)(text.n < 60 ? text.n : 60), (const char *)text.p);
		return false;
	}
	*out = (struct network){ .family = c.family };
	out->bits = (uint8_t)(slash < text.n ? bits : c.family == 4 ? 32 : 128);
	memcpy(out->raw, c.raw, sizeof(out->raw));
	if (c.family == 6 && memcmp(c.raw, v4_mapped, sizeof(v4_mapped)) == 0) {
		snprintf(expected, cap, "\"%.*s\" in the form of IPv4",
		    (int)(text.n < 60 ? text.n : 60), (const char *)text.p);
		return false;
	}
	masked(out, &whole);
	if (memcmp(whole.raw, out->raw, sizeof(out->raw)) != 0) {
		snprintf(expected, cap, "%s/%u: there is more than %u bits in "
		    "\"%.*s\"", whole.text, out->bits, out->bits,
		    (int)(text.n < 60 ? text.n : 60), (const char *)text.p);
		return false;
	}
	return true;
}

bool
network_fits(const char *item, char *expected, size_t cap)
{
	struct network n;

	return network_read(span_str(item), &n, expected, cap);
}

bool
network_has(const struct network *n, const struct sock_addr *a)
{
	return n->family == a->family && same_bits(n->raw, a->raw, n->bits);
}

bool
networks_have(const struct conf_list *list, const struct sock_addr *a)
{
	char unused[128];

	for (size_t i = 0; i < list->n; i++) {
		struct network n;

		if (network_read(span_str(list->item[i]), &n, unused,
		    sizeof(unused)) && network_has(&n, a))
			return true;
	}
	return false;
}
