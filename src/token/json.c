/* SPDX-License-Identifier: ISC */
/* jansson does the work; what it would let pass is looked at before. */
#include "token/token_priv.h"

#include "base/codec.h"

/* Brackets that are open at a time, strings apart; jansson calls itself for each. */
static bool
is_shallow(struct span text)
{
	unsigned	depth = 0;
	bool		quoted = false;

	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '{' || c == '[') && ++depth > DEPTH_MAX)
			return false;
		else if (!quoted && (c == '}' || c == ']') && depth > 0)
			depth--;
	}
	return true;
}

json_t *
json_strict(struct span text)
{
	json_t *j;

	if (!is_shallow(text))
		return NULL;
	j = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	if (j == NULL || json_is_object(j))
		return j;
	json_decref(j);
	return NULL;
}

/* base64 with two other characters, and without its padding. */
bool
base64url_decode(struct span text, uint8_t *out, size_t cap, size_t *n_r)
{
	UNZEROED uint8_t	b[BASE64_SIZE(TOKEN_MAX) + 4];
	size_t			n = text.n;

	*n_r = 0;
	if (n + 4 > sizeof(b))
		return false;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = text.p[i];

		if (c == '+' || c == '/' || c == '=')
			return false;
		b[i] = c == '-' ? '+' : c == '_' ? '/' : c;
	}
	while (n % 4 != 0)
		b[n++] = '=';
	return base64_decode(span_of(b, n), out, cap, n_r);
}

const char *
json_text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

bool
words_have(const char *words, struct span word)
{
	struct span rest = span_str(words);
	struct span w;

	while ((w = span_word(&rest)).n > 0)
		if (span_eq(w, word))
			return true;
	return false;
}
