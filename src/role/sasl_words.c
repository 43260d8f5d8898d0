/* SPDX-License-Identifier: ISC */
#include "role/sasl_words.h"

#define IS(method)	(1u << AUTH_METHOD_##method)

static const struct {
	const char	*word;
	unsigned	 mask;
} words[] = {
	{ "plain",		IS(PLAIN) },
	{ "login",		IS(LOGIN) },
	{ "cram-md5",		IS(CRAM_MD5) },
	{ "scram-sha-1",	IS(SCRAM_SHA_1) | IS(SCRAM_SHA_1_PLUS) },
	{ "scram-sha-256",	IS(SCRAM_SHA_256) | IS(SCRAM_SHA_256_PLUS) },
};

static unsigned
mask_of(struct span word)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (span_eq_nocase(word, span_str(words[i].word)))
			return words[i].mask;
	return 0;
}

unsigned
sasl_words_mask(const char *text)
{
	struct span	rest = span_str(text);
	struct span	word;
	unsigned	mask = 0;

	while ((word = span_word(&rest)).n > 0) {
		unsigned one = mask_of(word);

		if (one == 0)
			return 0;
		mask |= one;
	}
	return mask;
}
