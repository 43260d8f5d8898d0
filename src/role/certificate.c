/* SPDX-License-Identifier: ISC */
#include "role/certificate.h"

#include "base/span.h"

#include <stdio.h>
#include <string.h>

static bool
read_word(struct span word, struct certificate_row *out, bool first)
{
	static const struct span	key = SPAN("key=");
	static const struct span	ocsp = SPAN("ocsp=");

	if (first)
		return span_cstr(word, out->chain, sizeof(out->chain)) &&
		    span_cstr(word, out->key, sizeof(out->key));
	if (span_starts(word, key) && word.n > key.n)
		return span_cstr(span_skip(word, key.n), out->key,
		    sizeof(out->key));
	return span_starts(word, ocsp) && word.n > ocsp.n &&
	    span_cstr(span_skip(word, ocsp.n), out->ocsp, sizeof(out->ocsp));
}

bool
certificate_read(const char *line, struct certificate_row *out, char *expected,
    size_t cap)
{
	struct span	rest = span_str(line);
	struct span	word;
	size_t		n = 0;

	*out = (struct certificate_row){ .ocsp = "" };
	while ((word = span_word(&rest)).n > 0)
		if (!read_word(word, out, n++ == 0))
			break;
	if (n > 0 && word.n == 0)
		return true;
	snprintf(expected, cap, "a file with the certificate and its chain, and "
	    "behind it key=FILE and ocsp=FILE");
	return false;
}

bool
certificate_names(const char *name, const char *host)
{
	const char *dot = strchr(host, '.');

	if (strncmp(name, "*.", 2) == 0 && dot != NULL)
		return span_eq_nocase(span_str(name + 1), span_str(dot));
	return span_eq_nocase(span_str(name), span_str(host));
}

size_t
certificate_due(int64_t left_s)
{
	static const int64_t	days[CERTIFICATE_WARNINGS] = { 21, 7, 1, 0 };
	size_t			due = 0;

	while (due < CERTIFICATE_WARNINGS && left_s <= days[due] * 86400)
		due++;
	return due;
}

bool
certificate_fits(const char *line, char *expected, size_t cap)
{
	struct certificate_row row;

	return certificate_read(line, &row, expected, cap);
}
