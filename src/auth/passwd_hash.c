/* SPDX-License-Identifier: ISC */
/*
 * Passwords against what is stored of them, by libxcrypt.
 *
 * crypt(3) takes C strings: a password with a NUL would be cut there, and so
 * would match too much.  It is hashed as something else and never matches.
 */
#include "auth/passwd_file.h"
#include "auth/scram.h"

#include "base/alloc.h"
#include "sys/library.h"

#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define LIBRARY		"libcrypt.so.1"

/* popper itself is not linked with it: other roles need not carry it. */
static struct {
	__typeof__(crypt_rn)		*rn;
	__typeof__(crypt_gensalt_rn)	*gensalt_rn;
} lib;

/* Hashed in place of what cannot be hashed: the default scheme and its cost. */
#define DUMMY_SETTING	"$y$j9T$PopperHasNoSuchUser..."

/*
 * Scheme names as Dovecot spells them, and how their hashes begin ("" = any
 * that libxcrypt knows).  NULL: no hash at all.
 */
struct scheme {
	const char	*name;
	const char	*start;
};

static const struct scheme schemes[] = {
	{ "CRYPT",		"" },
	{ "YESCRYPT",		"$y$" },
	{ "GOST-YESCRYPT",	"$gy$" },
	{ "SCRYPT",		"$7$" },
	{ "SHA512-CRYPT",	"$6$" },
	{ "SHA256-CRYPT",	"$5$" },
	{ "BLF-CRYPT",		"$2" },
	{ "MD5-CRYPT",		"$1$" },
	{ "MD5",		"$1$" },
	{ "SCRAM-SHA-1",	NULL },
	{ "SCRAM-SHA-256",	NULL },
	{ "PLAIN",		NULL },
	{ "CLEAR",		NULL },
	{ "CLEARTEXT",		NULL },
};

/* What `popper passwd` makes.  count 0: libxcrypt's own choice. */
struct maker {
	const char	*word;
	const char	*brace;
	const char	*prefix;
	unsigned long	 count;
	size_t		 max;		/* octets that it looks at; a longer
					   password would promise too much */
};

static const struct maker makers[] = {
	{ "yescrypt",	"{CRYPT}",		"$y$",	0,	0 },
	{ "sha512",	"{SHA512-CRYPT}",	"$6$",	100000,	0 },
	{ "bcrypt",	"{BLF-CRYPT}",		"$2y$",	10,	72 },
};

enum stored_kind { STORED_CRYPT, STORED_PLAIN, STORED_SCRAM_SHA_1,
	STORED_SCRAM_SHA_256, STORED_NONE };

static const struct scheme *
scheme_find(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (span_eq_nocase(name, span_str(schemes[i].name)))
			return &schemes[i];
	return NULL;
}

/* Takes "{SCHEME}" off *stored. */
static enum stored_kind
stored_kind(struct span *stored, struct fault *f)
{
	const struct scheme	*s;
	struct span		 name;
	size_t			 end;

	if (stored->n == 0 || stored->p[0] != '{')
		return STORED_CRYPT;
	end = span_find(*stored, '}');
	name = span_skip(span_first(*stored, end), 1);
	*stored = span_skip(*stored, end + 1);
	s = scheme_find(name);
	if (s == NULL) {
		(void)fault_set(f, FAULT_PERM, "unknown password scheme");
		return STORED_NONE;
	}
	if (span_starts(span_str(s->name), SPAN("SCRAM-")))
		return span_eq(span_str(s->name), SPAN("SCRAM-SHA-1")) ?
		    STORED_SCRAM_SHA_1 : STORED_SCRAM_SHA_256;
	if (s->start == NULL)
		return STORED_PLAIN;
	if (stored->n > 0 && (stored->p[0] == '!' || stored->p[0] == '*'))
		return STORED_NONE;
	if (!span_starts(*stored, span_str(s->start))) {
		(void)fault_set(f, FAULT_PERM, "not a hash of {%s}", s->name);
		return STORED_NONE;
	}
	return STORED_CRYPT;
}

bool
passwd_disabled(struct span stored)
{
	if (span_starts_nocase(stored, SPAN("{NOLOGIN}")))
		return true;
	if (stored_kind(&stored, NULL) == STORED_PLAIN)
		return stored.n == 0;
	return stored.n == 0 || stored.p[0] == '*' || stored.p[0] == '!';
}

bool
passwd_plain(struct span stored, struct span *text_r)
{
	*text_r = stored;
	return stored_kind(text_r, NULL) == STORED_PLAIN;
}

bool
passwd_scram(struct span stored, enum sasl_hash hash, struct span *text_r)
{
	*text_r = stored;
	return stored_kind(text_r, NULL) == (hash == SASL_SHA_1 ?
	    STORED_SCRAM_SHA_1 : STORED_SCRAM_SHA_256);
}

/* The hash is salted and slow: 64 bits of a digest of it give nobody more to try
 * passwords against than an answer does. */
uint64_t
passwd_print(struct span stored)
{
	struct span	hash = stored;
	uint64_t	print;

	if (stored_kind(&hash, NULL) == STORED_PLAIN)
		return 0;
	print = XXH3_64bits(hash.p, hash.n);
	return print == 0 ? 1 : print;
}

int
passwd_hash_open(struct fault *f)
{
	const struct library_call calls[] = {
		{ "crypt_rn",		(void **)&lib.rn },
		{ "crypt_gensalt_rn",	(void **)&lib.gensalt_rn },
	};

	return library_open(LIBRARY, calls, ARRAY_LEN(calls), f);
}

/* The password as a C string; false when it cannot be one. */
static bool
phrase_set(struct crypt_data *d, const struct secret *x)
{
	bool fits = x->n > 0 && span_cstr(secret_span(x), d->input,
	    sizeof(d->input));

	if (!fits)
		memcpy(d->input, "?", sizeof("?"));
	return fits;
}

static bool
crypt_matches(struct span stored, const struct secret *x, struct fault *f)
{
	struct crypt_data	*d;
	bool			 usable;
	bool			 same = false;
	const char		*out = NULL;

	if (passwd_hash_open(f) != 0)
		return false;
	d = xalloc(1, sizeof(*d));
	usable = phrase_set(d, x);
	if (span_cstr(stored, d->setting, sizeof(d->setting)))
		out = lib.rn(d->input, d->setting, d, sizeof(*d));
	if (out != NULL) {
		same = secret_eq(span_str(out), stored);
	} else {
		if (!passwd_disabled(stored))
			(void)fault_set(f, FAULT_PERM, "not a usable hash");
		(void)lib.rn(d->input, DUMMY_SETTING, d, sizeof(*d));
	}
	explicit_bzero(d, sizeof(*d));
	free(d);
	return same && usable;
}

static bool
matches(struct span stored, const struct secret *x, struct fault *f)
{
	switch (stored_kind(&stored, f)) {
	case STORED_PLAIN:
		return secret_eq(stored, secret_span(x)) && x->n > 0;
	case STORED_CRYPT:
		return crypt_matches(stored, x, f);
	case STORED_SCRAM_SHA_1:
		return scram_verify(stored, SASL_SHA_1, x, f) && x->n > 0;
	case STORED_SCRAM_SHA_256:
		return scram_verify(stored, SASL_SHA_256, x, f) && x->n > 0;
	case STORED_NONE:
		break;
	}
	(void)crypt_matches(SPAN(DUMMY_SETTING), x, NULL);
	return false;
}

/* What is locked costs what it would cost else. */
bool
passwd_verify(struct span stored, const struct secret *x, struct fault *f)
{
	size_t locked = 0;

	while (locked < stored.n && stored.p[locked] == '!')
		locked++;
	return matches(span_skip(stored, locked), x, locked > 0 ? NULL : f) &&
	    locked == 0;
}

static int
put(char *out, size_t cap, const char *brace, struct span text,
    struct fault *f)
{
	size_t n = strlen(brace);

	if (text.n >= cap || n >= cap - text.n)
		return fault_set(f, FAULT_LIMIT, "no room for the hash");
	memcpy(out, brace, n);
	memcpy(out + n, text.p, text.n);
	out[n + text.n] = '\0';
	return 0;
}

static int
put_plain(const struct secret *x, char *out, size_t cap, struct fault *f)
{
	for (size_t i = 0; i < x->n; i++)
		if (x->b[i] == ':' || x->b[i] == '\n' || x->b[i] == '\r' ||
		    x->b[i] == '\0')
			return fault_set(f, FAULT_AUTH, "a plain password "
			    "can hold no colon, line end or NUL: use a hash");
	return put(out, cap, "{PLAIN}", secret_span(x), f);
}

static int
put_hash(const struct maker *m, const struct secret *x, char *out, size_t cap,
    struct fault *f)
{
	struct crypt_data	*d;
	const char		*hash = NULL;
	int			 rc;

	if (passwd_hash_open(f) != 0)
		return -1;
	d = xalloc(1, sizeof(*d));
	if (!phrase_set(d, x)) {
		rc = fault_set(f, FAULT_AUTH, "the password holds a NUL or is "
		    "longer than %zu octets", sizeof(d->input) - 1);
	} else {
		if (lib.gensalt_rn(m->prefix, m->count, NULL, 0, d->setting,
		    sizeof(d->setting)) != NULL)
			hash = lib.rn(d->input, d->setting, d, sizeof(*d));
		rc = hash != NULL ? put(out, cap, m->brace, span_str(hash), f) :
		    fault_errno(f, FAULT_TEMP, errno, "crypt: %s", m->word);
	}
	explicit_bzero(d, sizeof(*d));
	free(d);
	return rc;
}

static int
put_scram(enum sasl_hash hash, const struct secret *x, char *out, size_t cap,
    struct fault *f)
{
	char	text[SCRAM_TEXT_MAX];
	int	rc = scram_make(hash, x, text, f);

	if (rc == 0)
		rc = put(out, cap, hash == SASL_SHA_1 ? "{SCRAM-SHA-1}" :
		    "{SCRAM-SHA-256}", span_str(text), f);
	explicit_bzero(text, sizeof(text));
	return rc;
}

static bool
is_scram(const char *scheme, enum sasl_hash *hash_r)
{
	*hash_r = span_eq(span_str(scheme), SPAN("scram-sha-1")) ? SASL_SHA_1 :
	    SASL_SHA_256;
	return *hash_r == SASL_SHA_1 ||
	    span_eq(span_str(scheme), SPAN("scram-sha-256"));
}

static const struct maker *
maker_find(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(makers); i++)
		if (span_eq(span_str(word), span_str(makers[i].word)))
			return &makers[i];
	return NULL;
}

bool
passwd_scheme_known(const char *scheme)
{
	enum sasl_hash hash;

	return maker_find(scheme) != NULL || is_scram(scheme, &hash) ||
	    span_eq(span_str(scheme), SPAN("plain"));
}

const char *
passwd_scheme_word(struct span stored)
{
	if (passwd_disabled(stored))
		return "locked";
	switch (stored_kind(&stored, NULL)) {
	case STORED_PLAIN:
		return "plain";
	case STORED_SCRAM_SHA_1:
		return "scram-sha-1";
	case STORED_SCRAM_SHA_256:
		return "scram-sha-256";
	case STORED_CRYPT:
		if (span_starts(stored, SPAN("$2")))
			return "bcrypt";
		for (size_t i = 0; i < ARRAY_LEN(makers); i++)
			if (span_starts(stored, span_str(makers[i].prefix)))
				return makers[i].word;
		break;
	case STORED_NONE:
		break;
	}
	return "other";
}

int
passwd_hash(const char *scheme, const struct secret *x, char *out, size_t cap,
    struct fault *f)
{
	const struct maker	*m = maker_find(scheme);
	enum sasl_hash		 scram;

	if (x->n == 0)
		return fault_set(f, FAULT_AUTH, "the password is empty");
	if (span_eq(span_str(scheme), SPAN("plain")))
		return put_plain(x, out, cap, f);
	if (is_scram(scheme, &scram))
		return put_scram(scram, x, out, cap, f);
	if (m == NULL)
		return fault_set(f, FAULT_PROTO, "unknown scheme \"%.32s\"",
		    scheme);
	if (m->max > 0 && x->n > m->max)
		return fault_set(f, FAULT_AUTH, "%s takes passwords of at most "
		    "%zu octets", m->word, m->max);
	return put_hash(m, x, out, cap, f);
}
