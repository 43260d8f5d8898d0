/* SPDX-License-Identifier: ISC */
/*
 * Logins that need more of what is stored than a hash: a mail program takes the
 * mechanism that it likes best, and tries no other one when it is refused.
 */
#include "cmd/check_priv.h"

#include "auth/passwd_file.h"
#include "role/sasl_words.h"
#include "sys/module.h"

#include <string.h>

/* Of all password files. */
struct tally {
	unsigned	mask;		/* mechanisms that are named */
	size_t		plain;
	size_t		without[2];	/* of SCRAM, CRAM-MD5 */
	char		first[2][IDENTITY_USER_MAX + 1];
};

#define IS(method)	(1u << AUTH_METHOD_##method)

static void
note(struct tally *t, size_t which, struct span user)
{
	if (t->without[which]++ == 0 && !span_cstr(user, t->first[which],
	    sizeof(t->first[which])))
		t->first[which][0] = '\0';
}

static void
on_row(void *ctx, const struct passwd_row *row)
{
	struct tally	*t = ctx;
	struct span	 text;

	if (row->nologin || passwd_disabled(row->password))
		return;
	if (passwd_plain(row->password, &text)) {
		t->plain++;
		return;
	}
	note(t, 1, row->user);
	if (((t->mask & IS(SCRAM_SHA_1)) != 0 &&
	    !passwd_scram(row->password, SASL_SHA_1, &text)) ||
	    ((t->mask & IS(SCRAM_SHA_256)) != 0 &&
	    !passwd_scram(row->password, SASL_SHA_256, &text)))
		note(t, 0, row->user);
}

/* False: there is a database whose rows we do not look at. */
static bool
look_at_rows(const struct check *c, struct tally *t)
{
	struct auth_conf	one = c->s->auth;
	struct fault		f;
	bool			all = true;

	for (size_t i = 0; i < auth_databases(&one); i++) {
		auth_select(&one, i);
		if (one.source == AUTH_FILE)
			all &= passwd_file_each(auth_place(&one), on_row, t,
			    &f) == 0;
		else
			all &= one.source == AUTH_PAM;
	}
	return all;
}

static void
need_module(struct check *c, const char *option, const char *file,
    const char *symbol)
{
	struct fault f;

	if (module_symbol(file, symbol, &f) == NULL)
		check_error(c, option, "nobody can log in so: %s", f.text);
}

static void
recoverable(struct check *c, const struct tally *t, bool all)
{
	const char *option = "recoverable_secrets";

	need_module(c, option, "popper-md5.so", "popper_md5");
	if (!auth_has_rows(&c->s->auth))
		check_warn(c, option, "has no effect with auth = pam, which "
		    "shows no password to popper; remove the line");
	else if (c->s->auth.app_passwords == AUTH_APP_ONLY)
		check_warn(c, option, "has no effect with app_passwords = only, "
		    "since those are hashed; remove one of them");
	else if (all && t->plain == 0)
		check_warn(c, option, "no user has a password that can be read, "
		    "so APOP and CRAM-MD5 are good for nobody; remove the line, "
		    "or set some by popper passwd --scheme plain");
	else
		check_warn(c, option, "who can read the user database has the "
		    "passwords of those who log in by APOP and CRAM-MD5; remove "
		    "the line unless they need it");
}

static void
locked_out(struct check *c, size_t n, const char *first, const char *what,
    const char *scheme)
{
	if (n > 0)
		check_warn(c, "sasl_mechanisms", "%zu user%s (%s%s) cannot log "
		    "in with a program that chooses %s; set their passwords by "
		    "popper passwd --scheme %s, or take it out", n,
		    n == 1 ? "" : "s", first, n == 1 ? "" : " first", what,
		    scheme);
}

void
check_secrets(struct check *c)
{
	const unsigned	scram = IS(SCRAM_SHA_1) | IS(SCRAM_SHA_256);
	struct tally	t = {
		.mask = sasl_words_mask(c->s->role.sasl_mechanisms),
	};
	bool		on = c->s->auth.recoverable;
	bool		all;

	if ((t.mask & IS(CRAM_MD5)) != 0 && !on)
		check_warn(c, "sasl_mechanisms", "cram-md5 has no effect without "
		    "recoverable_secrets = yes; remove the word, or set that");
	if ((t.mask & scram) != 0 && !auth_has_rows(&c->s->auth))
		check_warn(c, "sasl_mechanisms", "SCRAM has no effect with auth = "
		    "pam, which shows no password to popper; take it out");
	if ((t.mask & scram) == 0 && !on)
		return;
	all = look_at_rows(c, &t);
	if (on)
		recoverable(c, &t, all);
	if ((t.mask & scram) != 0) {
		need_module(c, "sasl_mechanisms", "popper-sasl.so",
		    "popper_sasl");
		locked_out(c, t.without[0], t.first[0], "SCRAM",
		    (t.mask & scram) == IS(SCRAM_SHA_1) ? "scram-sha-1" :
		    (t.mask & scram) == scram ? "plain" : "scram-sha-256");
	}
	if (on && (t.mask & IS(CRAM_MD5)) != 0)
		locked_out(c, t.without[1], t.first[1], "CRAM-MD5", "plain");
}
