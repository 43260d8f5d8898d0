/* SPDX-License-Identifier: ISC */
/* One row of a password file. */
#include "auth/passwd_file.h"

enum column {
	COL_USER, COL_PASSWORD, COL_UID, COL_GID, COL_GECOS, COL_HOME,
	COL_SHELL, COL_EXTRA, COL_COUNT
};

/* The last column is the rest of the line, colons included. */
static size_t
split(struct span line, struct span col[COL_COUNT])
{
	size_t n = 0;

	while (n < COL_EXTRA) {
		size_t at = span_find(line, ':');

		col[n++] = span_first(line, at);
		if (at == line.n)
			return n;
		line = span_skip(line, at + 1);
	}
	col[n++] = line;
	return n;
}

/* Cut a word off *rest, up to the colon behind it. */
static struct span
take(struct span *rest)
{
	struct span word = span_first(*rest, span_find(*rest, ':'));

	*rest = span_skip(*rest, word.n + 1);
	return word;
}

/*
 * A mail location of Dovecot's: [mbox:]PATH[:PARAMETER=VALUE...].  INBOX= is
 * where the spool is, then PATH has only the user's other folders.  Any other
 * parameter says something about the mailbox that we do not know, and so does
 * each of maildir:PATH.  Other kinds keep their word, so that the path is seen to
 * be none; so does an mbox that is a folder.
 */
static void
location(struct span value, struct passwd_row *out)
{
	struct span rest = value;
	struct span word = take(&rest);
	bool	    mbox = span_eq(word, SPAN("mbox"));
	bool	    maildir = span_eq(word, SPAN("maildir"));

	out->maildrop = value;
	if (mbox || maildir)
		word = take(&rest);
	if (word.n == 0 || (word.p[0] != '/' && word.p[0] != '~'))
		return;
	if (maildir)
		out->maildrop.n = (size_t)(word.p - value.p) + word.n;
	else if (!mbox || word.p[word.n - 1] != '/')
		out->maildrop = word;
	while (rest.n > 0) {
		word = take(&rest);
		if (!maildir && span_starts(word, SPAN("INBOX=")) && word.n > 6)
			out->maildrop = span_skip(word, 6);
		else if (word.n > 0)
			out->unsupported = span_first(word,
			    span_find(word, '='));
	}
}

static void
extra_field(struct span word, struct passwd_row *out)
{
	size_t		at = span_find(word, '=');
	struct span	key = span_first(word, at);
	struct span	value = span_skip(word, at + 1);

	if (span_eq(key, SPAN("userdb_mail")))
		location(value, out);
	else if (span_eq(key, SPAN("nologin")) ||
	    (span_eq(key, SPAN("pop3")) && span_eq(value, SPAN("no"))))
		out->nologin = true;
	/* With nothing behind the = it is no number, either. */
	else if (span_eq(key, SPAN("login_delay")))
		out->login_delay = value.n > 0 ? value : key;
	/* Each of these narrows who may log in here, and we cannot obey. */
	else if (span_eq(key, SPAN("allow_nets")) ||
	    span_eq(key, SPAN("proxy")) || span_eq(key, SPAN("proxy_maybe")))
		out->unsupported = key;
}

bool
passwd_row_user(struct span line, struct span *user_r)
{
	size_t at = span_find(line, ':');

	if (at == 0 || at == line.n || line.p[0] == '#')
		return false;
	*user_r = span_first(line, at);
	return true;
}

bool
passwd_row_parse(struct span line, struct passwd_row *out)
{
	struct span	col[COL_COUNT] = { 0 };
	struct span	user;
	struct span	rest;
	struct span	word;

	if (!passwd_row_user(line, &user))
		return false;
	if (line.p[line.n - 1] == '\r')
		line.n--;
	(void)split(line, col);
	*out = (struct passwd_row){
		.user = col[COL_USER],
		.password = col[COL_PASSWORD],
		.uid = col[COL_UID],
		.gid = col[COL_GID],
		.gecos = col[COL_GECOS],
		.home = col[COL_HOME],
		.shell = col[COL_SHELL],
		.extra = col[COL_EXTRA],
	};
	rest = col[COL_EXTRA];
	for (word = span_word(&rest); word.n > 0; word = span_word(&rest))
		extra_field(word, out);
	return true;
}
