/* SPDX-License-Identifier: ISC */
/*
 * The list of user databases, as popper.conf has it: a type alone, or
 * ID:TYPE[:PLACE].
 */
#include "auth/auth.h"

#include <stdio.h>

static const char *const types[] = {
	[AUTH_PAM]	= "pam",
	[AUTH_FILE]	= "file",
	[AUTH_SQLITE]	= "sqlite",
	[AUTH_PGSQL]	= "pgsql",
};

struct database {
	char			 id[AUTH_DB_ID_MAX + 1];
	enum auth_source	 source;
	const char		*place;		/* of the item; NULL: by its option */
};

/* What stands up to the colon, which is taken off with it. */
static struct span
take(struct span *rest)
{
	struct span word = span_first(*rest, span_find(*rest, ':'));

	*rest = span_skip(*rest, word.n < rest->n ? word.n + 1 : word.n);
	return word;
}

static bool
type_find(struct span word, enum auth_source *out)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (!span_eq(word, span_str(types[i])))
			continue;
		*out = (enum auth_source)i;
		return true;
	}
	return false;
}

/* Of the log and of rules: it needs no quotes there. */
static bool
id_valid(struct span id)
{
	for (size_t i = 0; i < id.n; i++)
		if ((id.p[i] < 'a' || id.p[i] > 'z') &&
		    (id.p[i] < '0' || id.p[i] > '9') && id.p[i] != '-' &&
		    id.p[i] != '_')
			return false;
	return id.n > 0 && id.n <= AUTH_DB_ID_MAX;
}

/* A PAM service is a file's name in pam.d, so it may not be a path. */
static bool
place_valid(enum auth_source source, struct span place)
{
	return place.n > 0 && (source != AUTH_PAM || (place.p[0] != '.' &&
	    span_find(place, '/') == place.n));
}

static bool
is_sql(enum auth_source source)
{
	return source == AUTH_SQLITE || source == AUTH_PGSQL;
}

/* NULL, or what is wrong. */
static const char *
read_item(const char *item, struct database *out)
{
	struct span	rest = span_str(item);
	struct span	id = take(&rest);
	struct span	type = id;
	bool		short_form = id.n == strlen(item);

	*out = (struct database){ .place = NULL };
	if (!short_form)
		type = take(&rest);
	if (!type_find(type, &out->source))
		return short_form ? "pam, file, or ID:TYPE:PLACE such as "
		    "shop:file:/etc/popper/shop" : "one of the types pam, "
		    "file, sqlite and pgsql behind the id, such as shop:file:/etc/popper/shop";
	if (!id_valid(id))
		return "an id of small letters, digits, - and _ before the type";
	if (!span_cstr(id, out->id, sizeof(out->id)))
		return "a shorter id";
	if ((short_form || rest.n == 0) && is_sql(out->source))
		return "the file with its settings behind the type, such as "
		    "shop:pgsql:/etc/popper/shop.conf";
	if (short_form || rest.n == 0)
		return NULL;
	if (!place_valid(out->source, rest))
		return "behind pam: the name of a service, a file in /etc/pam.d";
	out->place = (const char *)rest.p;	/* to the item's end */
	return NULL;
}

bool
auth_database_fits(const char *item, char *expected, size_t cap)
{
	struct database	 d;
	const char	*wrong = read_item(item, &d);

	if (wrong != NULL)
		(void)snprintf(expected, cap, "%s", wrong);
	return wrong == NULL;
}

size_t
auth_databases(const struct auth_conf *c)
{
	return c->databases.n == 0 ? 1 : c->databases.n < AUTH_DB_MAX ?
	    c->databases.n : AUTH_DB_MAX;
}

/* Does one from the nth on have rows? */
static bool
rows_from(const struct auth_conf *c, size_t nth)
{
	struct database d;

	for (; nth < c->databases.n && nth < AUTH_DB_MAX; nth++)
		if (read_item(c->databases.item[nth], &d) == NULL &&
		    d.source != AUTH_PAM)
			return true;
	return false;
}

void
auth_select(struct auth_conf *c, size_t nth)
{
	struct database d;

	if (nth >= c->databases.n || read_item(c->databases.item[nth], &d) != NULL)
		return;
	memcpy(c->db, d.id, sizeof(c->db));
	c->source = d.source;
	c->place = d.place;
	c->more = nth + 1 < auth_databases(c);
	c->more_rows = rows_from(c, nth + 1);
}

bool
auth_has(const struct auth_conf *c, enum auth_source source)
{
	struct auth_conf one = *c;

	for (size_t i = 0; i < auth_databases(c); i++) {
		auth_select(&one, i);
		if (one.source == source)
			return true;
	}
	return false;
}

bool
auth_has_rows(const struct auth_conf *c)
{
	return auth_has(c, AUTH_FILE) || auth_has(c, AUTH_SQLITE) ||
	    auth_has(c, AUTH_PGSQL);
}

bool
auth_has_more(const struct auth_conf *c, enum auth_method m)
{
	return auth_by_digest(m) || auth_by_own_exchange(m) ? c->more_rows :
	    c->more;
}

bool
auth_passes_on(const struct auth_conf *c, const struct auth_verdict *v)
{
	return c->more && !v->settled && v->result == AUTH_REFUSED &&
	    v->reason == REASON_UNKNOWN_USER;
}

const char *
auth_place(const struct auth_conf *c)
{
	return c->place != NULL ? c->place : c->source == AUTH_PAM ?
	    c->pam_service : c->passwd_file;
}
