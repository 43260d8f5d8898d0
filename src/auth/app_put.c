/* SPDX-License-Identifier: ISC */
/* Making and removing app passwords. */
#include "auth/app_priv.h"
#include "auth/auth_priv.h"

#include "base/codec.h"
#include "sys/keyhash.h"
#include "sys/sock.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

#define ROW_MAX		4096		/* octets of a row that we write */
#define GROUP		4
#define DATE_TEXT	16

/* 32 of them, none like another: five bits each. */
static const char alphabet[] = "abcdefghijkmnpqrstuvwxyz23456789";
static_assert(sizeof(alphabet) == 32 + 1, "no remainder");

struct edit {
	const struct app_new	*fresh;		/* NULL: remove */
	struct span		 user;
	struct span		 name;		/* "": all of them */
	int64_t			 now;
	const char		*password;
	uint32_t		 id;
	unsigned		 found;
};

static void
make_password(char out[APP_PASSWORD + 1])
{
	uint8_t	raw[APP_CHARS];
	size_t	n = 0;

	random_bytes(raw, sizeof(raw));
	for (size_t i = 0; i < sizeof(raw); i++) {
		if (i > 0 && i % GROUP == 0)
			out[n++] = '-';
		out[n++] = alphabet[raw[i] % (sizeof(alphabet) - 1)];
	}
	out[n] = '\0';
	explicit_bzero(raw, sizeof(raw));
}

static int
put_hash(struct buf *out, const char *password)
{
	uint8_t	salt[APP_SALT];
	uint8_t	hash[APP_HASH];
	char	salt_text[BASE64_SIZE(APP_SALT)];
	char	hash_text[BASE64_SIZE(APP_HASH)];
	char	plain[APP_CHARS];
	size_t	n = 0;

	for (const char *c = password; *c != '\0'; c++)
		if (*c != '-')
			plain[n++] = *c;
	random_bytes(salt, sizeof(salt));
	app_hash(span_of(plain, n), salt, hash);
	explicit_bzero(plain, sizeof(plain));
	return buf_appendf(out, " hash=%.*s$%.*s",
	    (int)base64_encode(span_of(salt, sizeof(salt)), salt_text), salt_text,
	    (int)base64_encode(span_of(hash, sizeof(hash)), hash_text),
	    hash_text);
}

static int
put_row(const struct edit *e, struct buf *out)
{
	const struct app_new	*n = e->fresh;
	time_t			 now = (time_t)e->now;
	char			 date[DATE_TEXT];
	struct tm		 t;

	ASSERT(gmtime_r(&now, &t) != NULL &&
	    strftime(date, sizeof(date), "%Y-%m-%d", &t) > 0);
	if (buf_appendf(out, "%s %s id=%u", n->user, n->name, e->id) < 0 ||
	    put_hash(out, e->password) < 0)
		return -1;
	if (n->networks[0] != '\0' &&
	    buf_appendf(out, " networks=%s", n->networks) < 0)
		return -1;
	if (n->expires[0] != '\0' &&
	    buf_appendf(out, " expires=%s", n->expires) < 0)
		return -1;
	return buf_appendf(out, " created=%s\n", date);
}

static bool
is_meant(const struct edit *e, const struct app_row *row)
{
	return span_eq(row->user, e->user) &&
	    (e->name.n == 0 || span_eq(row->name, e->name));
}

/* What is there already, and the next id. */
static int
look(struct edit *e, struct span text, struct fault *f)
{
	struct span	line;
	struct app_row	row;
	unsigned	of_user = 0;

	while (span_line(&text, &line)) {
		if (!app_row_parse(line, &row))
			continue;
		if (row.id >= e->id)
			e->id = row.id + 1;
		of_user += span_eq(row.user, e->user) ? 1 : 0;
		e->found += is_meant(e, &row) ? 1 : 0;
	}
	if (e->found > 0)
		return fault_set(f, FAULT_AUTH, "%s has one named %s already: "
		    "remove that first", e->fresh->user, e->fresh->name);
	if (of_user >= APP_MAX)
		return fault_set(f, FAULT_AUTH, "%s has %u already",
		    e->fresh->user, of_user);
	return e->id <= APP_ID_MAX ? 0 :
	    fault_set(f, FAULT_LIMIT, "no number is left");
}

static int
edit_add(void *ctx, struct span old, struct buf *out, struct fault *f)
{
	struct edit	*e = ctx;
	bool		 open = old.n > 0 && old.p[old.n - 1] != '\n';

	e->id = 1;
	if (look(e, old, f) < 0)
		return -1;
	if (buf_append(out, old) == 0 &&
	    (!open || buf_append(out, SPAN("\n")) == 0) && put_row(e, out) == 0)
		return 0;
	return fault_set(f, FAULT_LIMIT, "a row is longer than %d octets",
	    ROW_MAX);
}

static int
edit_remove(void *ctx, struct span old, struct buf *out, struct fault *f)
{
	struct edit	*e = ctx;
	struct span	 line;
	struct app_row	 row;

	while (span_line(&old, &line)) {
		if (app_row_parse(line, &row) && is_meant(e, &row)) {
			e->found++;
			continue;
		}
		if (buf_append(out, line) < 0 || buf_append(out, SPAN("\n")) < 0)
			return fault_set(f, FAULT_LIMIT, "too long");
	}
	return e->found > 0 ? 0 :
	    fault_set(f, FAULT_AUTH, "there is no such app password");
}

static int
check(const char *user, const char *name, struct fault *f)
{
	if (!policy_name_valid(span_str(user)))
		return fault_set(f, FAULT_PROTO, "no user can have this name");
	if (name != NULL && !app_name_valid(span_str(name)))
		return fault_set(f, FAULT_PROTO, "a device's name is at most %d "
		    "printable characters without blanks and '=', and does not "
		    "start with '#'", APP_NAME_MAX);
	return 0;
}

static int
check_new(const struct app_new *n, int64_t now, struct fault *f)
{
	char	expected[160];
	int64_t	day;

	if (check(n->user, n->name, f) < 0)
		return -1;
	if (!app_networks_valid(span_str(n->networks), expected,
	    sizeof(expected)))
		return fault_set(f, FAULT_PROTO, "networks: expected %s",
		    expected);
	if (n->expires[0] == '\0')
		return 0;
	if (!app_day(span_str(n->expires), &day))
		return fault_set(f, FAULT_PROTO,
		    "expires: expected a day, such as 2027-01-31");
	return day + APP_DAY_S > now ? 0 :
	    fault_set(f, FAULT_PROTO, "expires: that day is over");
}

int
app_add(const char *path, const struct app_new *n, int64_t now, int used_fd,
    char out[APP_PASSWORD + 1], struct fault *f)
{
	struct edit e = {
		.fresh = n,
		.user = span_str(n->user),
		.name = span_str(n->name),
		.now = now,
		.password = out,
	};

	if (check_new(n, now, f) < 0 || keyhash_open(f) != 0)
		return -1;
	make_password(out);
	if (file_edit(path, true, ROW_MAX, edit_add, &e, f) < 0)
		return -1;
	/* A row of that number may have been removed. */
	app_used_set(used_fd, e.id, 0);
	return 0;
}

int
app_remove(const char *path, const char *user, const char *name,
    struct fault *f)
{
	struct edit e = {
		.user = span_str(user),
		.name = span_str(name == NULL ? "" : name),
	};

	if (check(user, name, f) < 0)
		return -1;
	return file_edit(path, false, 1, edit_remove, &e, f);
}

int
app_each(const char *path, app_each_fn *fn, void *ctx, struct fault *f)
{
	AUTO(buf_fini) struct buf	text = { 0 };
	struct span			rest;
	struct span			line;
	struct span			said;

	if (file_text(path, &text, f) < 0)
		return -1;
	rest = buf_span(&text);
	for (unsigned n = 1; span_line(&rest, &line); n++) {
		struct app_row row;

		said = span_trim(line);
		if (app_row_parse(line, &row))
			fn(ctx, n, &row);
		else if (said.n > 0 && said.p[0] != '#')
			fn(ctx, n, NULL);
	}
	return 0;
}
