/* SPDX-License-Identifier: ISC */
#include "drop/path.h"

#include "base/span.h"

#include <stdio.h>

struct builder {
	char	*out;
	size_t	 n;
	size_t	 cap;
	bool	 full;
};

static void
put(struct builder *b, const char *s, size_t n)
{
	if (n >= b->cap - b->n) {
		b->full = true;
		return;
	}
	memcpy(b->out + b->n, s, n);
	b->n += n;
	b->out[b->n] = '\0';
}

static void
put_hash(struct builder *b, const char *user, size_t i)
{
	put(b, i < strlen(user) ? user + i : "_", 1);
}

/* The characters behind '%'; false when the letter means nothing. */
static bool
put_letter(struct builder *b, char letter, const char *user, const char *home)
{
	switch (letter) {
	case 'u':
		put(b, user, strlen(user));
		return true;
	case '1':
		put_hash(b, user, 0);
		return true;
	case '2':
		put_hash(b, user, 1);
		return true;
	case 'h':
		put(b, home, strlen(home));
		return true;
	case '%':
		put(b, "%", 1);
		return true;
	default:
		return false;
	}
}

static bool
wants_home(const char *t)
{
	return t[0] == '~' || strstr(t, "%h") != NULL;
}

static bool
is_file_name(const char *user)
{
	return user[0] != '\0' && user[0] != '.' && strchr(user, '/') == NULL;
}

static bool
has_word(const char *t)
{
	return strncmp(t, DROP_PATH_MAILDIR, strlen(DROP_PATH_MAILDIR)) == 0;
}

bool
drop_path_is_maildir(const char *t)
{
	size_t n = strlen(t);

	return has_word(t) || (n > 1 && t[n - 1] == '/');
}

int
drop_path_expand(const char *template, const char *user, const char *home,
    char *out, size_t cap, struct fault *f)
{
	struct builder	 b = { .out = out, .cap = cap };
	const char	*t = template;

	out[0] = '\0';
	if (!is_file_name(user))
		return fault_set(f, FAULT_PERM,
		    "the user's name is no file name");
	if (has_word(t))
		t += strlen(DROP_PATH_MAILDIR);
	if (home[0] == '\0' && wants_home(t))
		return fault_set(f, FAULT_PERM,
		    "maildrop = %s, but the user has no home folder", template);
	if (t[0] == '~' && (t[1] == '/' || t[1] == '\0')) {
		put(&b, home, strlen(home));
		t++;
	}
	for (; *t != '\0'; t++) {
		if (*t != '%')
			put(&b, t, 1);
		else if (!put_letter(&b, *++t, user, home))
			return fault_set(f, FAULT_PERM,
			    "maildrop = %s: %%%c is unknown (%%u %%1 %%2 %%h"
			    " %%%%)", template, *t == '\0' ? ' ' : *t);
	}
	if (b.full)
		return fault_set(f, FAULT_PERM, "maildrop = %s: too long",
		    template);
	while (b.n > 1 && out[b.n - 1] == '/')
		out[--b.n] = '\0';
	return 0;
}

bool
drop_path_common(const char *t, char *out, size_t cap)
{
	size_t n;

	if (has_word(t))
		t += strlen(DROP_PATH_MAILDIR);
	if (wants_home(t))
		return false;
	n = strcspn(t, "%");
	while (n > 0 && t[n - 1] != '/')
		n--;
	if (n > 1)
		n--;			/* "/var/mail", but "/" */
	return (size_t)snprintf(out, cap, "%.*s", n == 0 ? 1 : (int)n,
	    n == 0 ? "." : t) < cap;
}
