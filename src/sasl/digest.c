/* SPDX-License-Identifier: ISC */
#include "sasl/digest.h"

#include <stdio.h>

static bool
is_alnum(uint8_t c)
{
	return ascii_isdigit(c) || (ascii_lower(c) >= 'a' &&
	    ascii_lower(c) <= 'z');
}

/* As one or more labels with a dot between: the form of RFC 5322. */
static void
host_of(const char *host, char out[SASL_STAMP_HOST + 1])
{
	size_t n = 0;

	for (; *host != '\0' && n < SASL_STAMP_HOST; host++)
		if (is_alnum((uint8_t)*host) ||
		    (*host == '.' && n > 0 && out[n - 1] != '.'))
			out[n++] = *host;
	if (n > 0 && out[n - 1] == '.')
		n--;
	out[n] = '\0';
}

static unsigned
number_of(const uint8_t *p)
{
	return (unsigned)p[0] << 24 | (unsigned)p[1] << 16 |
	    (unsigned)p[2] << 8 | p[3];
}

void
sasl_stamp(const uint8_t seed[SASL_STAMP_SEED], const char *host,
    char out[SASL_STAMP_MAX])
{
	char	name[SASL_STAMP_HOST + 1];
	int	n = snprintf(out, SASL_STAMP_MAX, "<%u.%u.", number_of(seed),
		    number_of(seed + 4));

	host_of(host, name);
	for (size_t i = 8; i < SASL_STAMP_SEED; i++)
		n += snprintf(out + n, SASL_STAMP_MAX - (size_t)n, "%02x",
		    seed[i]);
	n += snprintf(out + n, SASL_STAMP_MAX - (size_t)n, "@%s>",
	    name[0] == '\0' ? "localhost" : name);
	ASSERT(n < SASL_STAMP_MAX);
}

bool
sasl_md5_text(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_isdigit(s.p[i]) && (s.p[i] < 'a' || s.p[i] > 'f'))
			return false;
	return s.n == SASL_MD5_TEXT;
}

bool
sasl_cram_md5(struct span message, struct span *user_r, struct span *digest_r)
{
	size_t n = message.n;

	if (n < SASL_MD5_TEXT + 2 || message.p[n - SASL_MD5_TEXT - 1] != ' ')
		return false;
	*user_r = span_first(message, n - SASL_MD5_TEXT - 1);
	*digest_r = span_skip(message, n - SASL_MD5_TEXT);
	return sasl_md5_text(*digest_r) && span_find(*user_r, '\0') == user_r->n;
}
