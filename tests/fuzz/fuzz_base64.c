/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: base64 (src/base/codec.c), and what PLAIN takes from it
 * (src/sasl/simple.c).  The input is read as text, and as octets.
 */
#include "base/codec.h"
#include "sasl/simple.h"

#include <stdlib.h>
#include <string.h>

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool
within(struct span part, struct span whole)
{
	return part.n == 0 || (part.p >= whole.p &&
	    part.p + part.n <= whole.p + whole.n);
}

static void
check_plain(struct span message)
{
	struct sasl_login login;

	if (!sasl_plain(message, &login))
		return;
	ASSERT(login.user.n > 0 && login.password.n > 0);
	ASSERT(login.authz.n + login.user.n + login.password.n + 2 == message.n);
	ASSERT(within(login.authz, message) && within(login.user, message) &&
	    within(login.password, message));
	ASSERT(span_find(login.user, '\0') == login.user.n &&
	    span_find(login.password, '\0') == login.password.n);
}

/* What is taken is the one text for its octets; with too little room it is not. */
static void
check_text(struct span text)
{
	size_t	 cap = text.n / 4 * 3;
	uint8_t	*out = malloc(cap + 1);
	char	*again = malloc(text.n + 1);
	size_t	 n = 1;

	ASSERT(out != NULL && again != NULL);
	if (base64_decode(text, out, cap, &n)) {
		ASSERT(n <= cap && BASE64_SIZE(n) == text.n);
		ASSERT(base64_encode(span_of(out, n), again) == text.n);
		ASSERT(memcmp(again, text.p, text.n) == 0 || text.n == 0);
		check_plain(span_of(out, n));
		if (n > 0)
			ASSERT(!base64_decode(text, out, n - 1, &n) && n == 0);
	} else {
		ASSERT(n == 0);
	}
	free(out);
	free(again);
}

static void
check_octets(struct span s)
{
	char	*text = malloc(BASE64_SIZE(s.n) + 1);
	uint8_t	*back = malloc(s.n + 1);
	size_t	 n;

	ASSERT(text != NULL && back != NULL);
	ASSERT(base64_encode(s, text) == BASE64_SIZE(s.n));
	ASSERT(base64_decode(span_of(text, BASE64_SIZE(s.n)), back, s.n, &n));
	ASSERT(n == s.n && (n == 0 || memcmp(back, s.p, n) == 0));
	free(text);
	free(back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	check_text(span_of(data, n));
	check_octets(span_of(data, n));
	check_plain(span_of(data, n));
	return 0;
}
