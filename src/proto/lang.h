/* SPDX-License-Identifier: ISC */
/*
 * Reply texts in the languages of lang/?.po (RFC 6856 s.3).  Floor 1, pure.
 * The catalogues are read when popper is built (lang_gen.py), which also makes
 * sure that a translation can stand for its English text as a format.  Number 0
 * is English, and the text in the code is that.
 */
#ifndef PROTO_LANG_H
#define PROTO_LANG_H

#include "base/attr.h"
#include "base/span.h"

/* What CAPA told of this connection, to be told after the login, too (RFC 2449 s.5). */
#define WORDS_EXTERNAL		1u	/* the client has a certificate that is a user's */
#define WORDS_BOUND		2u	/* SCRAM is there with -PLUS */
#define WORDS_NO_PASSWORDS	4u	/* not in the clear, not from there */
#define WORDS_WAYS		8u

/* What a client has told of the words that it takes, and has been told of them; it
 * outlives the login. */
struct words {
	uint8_t	lang;		/* below lang_count() */
	bool	utf8;		/* UTF8 was said (RFC 6856 s.2) */
	uint8_t	way;		/* WORDS_ */
};

/* As one octet, for messages between roles. */
uint8_t	words_pack(struct words w);
/* False: that is nobody's. */
bool	words_unpack(uint8_t octet, struct words *out);

uint8_t		lang_count(void);
const char	*lang_tag(uint8_t lang);
/* The language's own name for itself; UTF-8. */
const char	*lang_name(uint8_t lang);

/*
 * The language for a range of RFC 4647 s.2.1 that a client asked for: that of the
 * same tag, in any case, or else of the longest beginning of it that is one
 * ("pt-BR": pt; s.3.4).  False: there is none.
 */
bool	lang_find(struct span range, uint8_t *lang_r);

/*
 * The translation of an English text, with the same placeholders in the same order;
 * the text itself where there is none.  O(log n), and nothing for English.
 */
const char	*lang_text(uint8_t lang, const char *english)
		    __attribute__((format_arg(2)));

/* The most of s that ends with a whole character, if s is UTF-8. */
struct span	lang_whole(struct span s);

#endif
