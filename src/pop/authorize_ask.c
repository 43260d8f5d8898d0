/* SPDX-License-Identifier: ISC */
#include "pop/authorize_priv.h"

#include "sasl/prep.h"

void
authorize_forget(struct authorize *a)
{
	secret_wipe(&a->ask.secret);
	buf_fini(&a->ask.message);
	buf_fini(&a->ask.token);
}

void
authorize_asked(struct authorize *a)
{
	authorize_forget(a);
}

struct span
authorize_secret(const struct authorize *a)
{
	return buf_len(&a->ask.token) > 0 ? buf_span(&a->ask.token) :
	    secret_span(&a->ask.secret);
}

/* Where the name of a master user begins, with the mark before it; name.n: nowhere. */
static size_t
find_master(const struct authorize *a, struct span name)
{
	size_t at = name.n;

	while (a->master != '\0' && at > 0 && name.p[at - 1] != (uint8_t)a->master)
		at--;
	return a->master != '\0' && at > 0 ? at - 1 : name.n;
}

/* One name of it as it is compared.  A mark that preparing would make is none. */
static bool
prepare(const struct authorize *a, struct span part, uint8_t *out, size_t cap,
    size_t *n_r)
{
	return a->prep->prepare(PREP_NAME, part, out, cap, n_r) &&
	    (a->master == '\0' || span_is_ascii(part) ||
	    span_find(span_of(out, *n_r), (uint8_t)a->master) == *n_r);
}

bool
authorize_take_name(struct authorize *a, struct span name)
{
	uint8_t	made[AUTHORIZE_NAME_MAX];
	size_t	mark = find_master(a, name);
	size_t	n;
	size_t	more = 0;

	if (name.n > sizeof(a->name) || span_find(name, '\0') < name.n)
		return false;
	memcpy(a->name, name.p, name.n);
	a->name_n = name.n;
	if (a->prep == NULL || span_is_ascii(name) ||
	    !prepare(a, span_first(name, mark), made, sizeof(made), &n))
		return true;
	if (mark < name.n && (n == sizeof(made) || (made[n++] = name.p[mark],
	    !prepare(a, span_skip(name, mark + 1), made + n, sizeof(made) - n,
	    &more))))
		return true;
	memcpy(a->name, made, n + more);
	a->name_n = n + more;
	return true;
}

bool
authorize_take_names(struct authorize *a, const struct sasl_login *l)
{
	uint8_t	both[AUTHORIZE_NAME_MAX];
	size_t	mark = l->authz.n;

	if (mark == 0 || span_eq(l->authz, l->user))
		return authorize_take_name(a, l->user);
	if (a->master == '\0' || mark + 1 + l->user.n > sizeof(both) ||
	    span_find(l->user, (uint8_t)a->master) < l->user.n)
		return false;
	memcpy(both, l->authz.p, mark);
	both[mark] = (uint8_t)a->master;
	memcpy(both + mark + 1, l->user.p, l->user.n);
	return authorize_take_name(a, span_of(both, mark + 1 + l->user.n));
}

/*
 * A password that is too long to be one is as wrong as any other, and is
 * refused, timed and counted like it.  No line holds a NUL, so this is
 * nobody's; an empty one would have a reason of its own.
 */
static void
set_unusable(struct secret *x)
{
	static const uint8_t zeros[SECRET_MAX];

	ASSERT(secret_set(x, span_of(zeros, sizeof(zeros))));
}

enum authorize_next
authorize_ask(struct authorize *a, enum authorize_method method,
    struct span secret)
{
	a->named = false;
	a->exchange = EXCHANGE_NONE;
	a->ask.method = method;
	a->ask.says_messages = false;
	if (!secret_set(&a->ask.secret, secret))
		set_unusable(&a->ask.secret);
	a->bad = 0;
	return AUTHORIZE_ASK;
}

enum authorize_next
authorize_ask_in_vain(struct authorize *a, enum authorize_method method)
{
	enum authorize_next n = authorize_ask(a, method, SPAN(""));

	a->name_n = 0;
	set_unusable(&a->ask.secret);
	return n;
}

enum authorize_next
authorize_ask_digest(struct authorize *a, enum authorize_method method,
    const uint8_t seed[SASL_STAMP_SEED], struct span user, struct span digest)
{
	char	text[SASL_STAMP_MAX + SASL_MD5_TEXT];
	size_t	n;

	if (!sasl_md5_text(digest) || !authorize_take_name(a, user))
		return authorize_ask_in_vain(a, method);
	sasl_stamp(seed, a->host, text);
	n = strlen(text);
	memcpy(text + n, digest.p, SASL_MD5_TEXT);
	return authorize_ask(a, method, span_of(text, n + SASL_MD5_TEXT));
}

enum authorize_next
authorize_ask_message(struct authorize *a, struct span message, bool broken)
{
	enum authorize_next next = a->exchange == EXCHANGE_FIRST ?
	    AUTHORIZE_ASK : AUTHORIZE_RESPOND;

	a->exchange = EXCHANGE_ASKED;
	a->ask.says_messages = true;
	a->ask.broken = broken;
	buf_init(&a->ask.message, AUTHORIZE_MESSAGE_MAX);
	ASSERT(buf_append(&a->ask.message, message) == 0);
	if (next == AUTHORIZE_ASK)
		a->name_n = 0;
	a->bad = 0;
	return next;
}
