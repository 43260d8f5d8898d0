/* SPDX-License-Identifier: ISC */
#include "auth/app.h"

#include "auth/app_priv.h"
#include "auth/auth_priv.h"
#include "auth/network.h"
#include "base/alloc.h"
#include "base/codec.h"
#include "base/num.h"
#include "sys/file.h"
#include "sys/keyhash.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NOTE_S		3600		/* how precisely the last use is kept */

/* ---- rows ---- */

bool
app_day(struct span text, int64_t *begins_r)
{
	struct tm	t = { 0 };
	struct span	digits[3] = { span_first(text, 4) };
	uint64_t	v[3];

	if (text.n != 10 || text.p[4] != '-' || text.p[7] != '-')
		return false;
	digits[1] = span_of(text.p + 5, 2);
	digits[2] = span_of(text.p + 8, 2);
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		if (!num_parse(digits[i], 9999, &v[i]))
			return false;
	t.tm_year = (int)v[0] - 1900;
	t.tm_mon = (int)v[1] - 1;
	t.tm_mday = (int)v[2];
	*begins_r = timegm(&t);
	/* timegm has made a date of whatever it was. */
	return t.tm_year == (int)v[0] - 1900 && t.tm_mon == (int)v[1] - 1 &&
	    t.tm_mday == (int)v[2];
}

bool
app_name_valid(struct span name)
{
	if (name.n == 0 || name.n > APP_NAME_MAX || name.p[0] == '#')
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] > '~' || name.p[i] == '=')
			return false;
	return true;
}

/* The next of a list with commas. */
static struct span
next_network(struct span *rest)
{
	size_t		comma = span_find(*rest, ',');
	struct span	word = span_first(*rest, comma);

	*rest = span_skip(*rest, comma < rest->n ? comma + 1 : comma);
	return word;
}

bool
app_networks_valid(struct span list, char *expected, size_t cap)
{
	struct network n;

	while (list.n > 0)
		if (!network_read(next_network(&list), &n, expected, cap))
			return false;
	return true;
}

static bool
hash_columns(struct span value, struct app_row *r)
{
	size_t dollar = span_find(value, '$');

	r->salt = span_first(value, dollar);
	r->hash = span_skip(value, dollar < value.n ? dollar + 1 : dollar);
	return r->salt.n == BASE64_SIZE(APP_SALT) &&
	    r->hash.n == BASE64_SIZE(APP_HASH);
}

/* One word "key=value"; false when it has no sense: a row that says less than we
 * understand must not say more. */
static bool
take_word(struct span word, struct app_row *r)
{
	size_t		eq = span_find(word, '=');
	struct span	key = span_first(word, eq);
	struct span	value;
	uint64_t	id;
	char		unused[160];

	if (eq == word.n)
		return false;
	value = span_skip(word, eq + 1);
	if (span_eq(key, SPAN("id"))) {
		if (!num_parse(value, APP_ID_MAX, &id))
			return false;
		r->id = (uint32_t)id;
		return id > 0;
	}
	if (span_eq(key, SPAN("hash")))
		return hash_columns(value, r);
	if (span_eq(key, SPAN("networks"))) {
		r->networks = value;
		return value.n > 0 && app_networks_valid(value, unused,
		    sizeof(unused));
	}
	if (span_eq(key, SPAN("expires"))) {
		if (!app_day(value, &r->expires))
			return false;
		r->expires += APP_DAY_S;	/* the day itself is the last one */
		return true;
	}
	if (span_eq(key, SPAN("created"))) {
		r->created = value;
		return true;
	}
	return false;
}

bool
app_row_parse(struct span line, struct app_row *out)
{
	struct span word;

	*out = (struct app_row){ .expires = APP_EVER };
	line = span_trim(line);
	if (line.n == 0 || line.p[0] == '#')
		return false;
	out->user = span_word(&line);
	out->name = span_word(&line);
	if (!app_name_valid(out->name))
		return false;
	while ((word = span_word(&line)).n > 0)
		if (!take_word(word, out))
			return false;
	return out->id != 0 && out->hash.n > 0;
}

/* ---- the rows of one user ---- */

struct entry {
	uint32_t	start;		/* of the line */
	uint32_t	next;		/* number of the user's next row; 0: none */
};

struct app_index {
	struct span	 text;		/* borrows */
	size_t		 nrows;
	struct entry	*row;		/* owns */
	struct slots	 slots;		/* the first row of each user */
};

struct app_query {
	const struct app_index	*x;
	struct span		 user;
};

static struct app_row
row_at(const struct app_index *x, uint32_t nth)
{
	struct span	rest = span_skip(x->text, x->row[nth].start);
	struct span	line;
	struct app_row	row;
	bool		good = span_line(&rest, &line) &&
			    app_row_parse(line, &row);

	ASSERT(good);
	return row;
}

static bool
same(const void *ctx, uint32_t nth)
{
	const struct app_query *q = ctx;

	return span_eq(row_at(q->x, nth).user, q->user);
}

/* False: there is none. */
static bool
first_row(const struct app_query *q, uint32_t *nth_r)
{
	return slots_find(&q->x->slots, slots_hash(&q->x->slots, &q->user, 1),
	    same, q, nth_r);
}

/* Behind the others of its user; more than APP_MAX are not looked at. */
static void
put_row(struct app_index *x, struct span user, uint32_t nth)
{
	const struct app_query	q = { .x = x, .user = user };
	uint32_t		at;

	if (!first_row(&q, &at)) {
		slots_put(&x->slots, slots_hash(&x->slots, &user, 1), same, &q,
		    nth);
		return;
	}
	for (unsigned i = 1; x->row[at].next != 0; i++) {
		if (i == APP_MAX)
			return;
		at = x->row[at].next;
	}
	x->row[at].next = nth;
}

static void
fill(struct app_index *x)
{
	struct span	rest = x->text;
	struct span	line;
	struct app_row	row;

	while (span_line(&rest, &line)) {
		if (!app_row_parse(line, &row))
			continue;
		x->row[x->nrows].start = (uint32_t)(line.p - x->text.p);
		put_row(x, row.user, (uint32_t)x->nrows++);
	}
}

struct app_index *
app_index_new(struct span text)
{
	struct app_index	*x = xalloc(1, sizeof(*x));
	size_t			 most = lines_at_most(text);

	*x = (struct app_index){
		.text = text, .row = xalloc(most, sizeof(*x->row)),
	};
	slots_init(&x->slots, most);
	fill(x);
	return x;
}

void
app_index_free(struct app_index *x)
{
	if (x == NULL)
		return;
	slots_fini(&x->slots);
	free(x->row);
	free(x);
}

/* ---- passwords ---- */

void
app_hash(struct span password, const uint8_t salt[APP_SALT],
    uint8_t out[APP_HASH])
{
	keyhash(span_of(salt, APP_SALT), &password, 1, out, APP_HASH);
}

/* As they are shown, or typed without what stands between the groups. */
static bool
plain_password(const struct secret *x, uint8_t out[APP_CHARS])
{
	size_t n = 0;

	for (size_t i = 0; i < x->n; i++) {
		if (x->b[i] == '-' || x->b[i] == ' ')
			continue;
		if (n == APP_CHARS)
			return false;
		out[n++] = x->b[i];
	}
	return n == APP_CHARS;
}

static bool
is_of(const struct app_row *row, struct span password)
{
	uint8_t	salt[APP_SALT];
	uint8_t	stored[APP_HASH];
	uint8_t	hash[APP_HASH];
	size_t	n;
	size_t	m;

	if (!base64_decode(row->salt, salt, sizeof(salt), &n) ||
	    !base64_decode(row->hash, stored, sizeof(stored), &m) ||
	    n != sizeof(salt) || m != sizeof(stored))
		return false;
	app_hash(password, salt, hash);
	return secret_eq(span_of(hash, sizeof(hash)), span_of(stored, m));
}

static bool
is_from(struct span list, const struct sock_addr *peer)
{
	struct network	n;
	char		unused[160];

	if (list.n == 0)
		return true;
	while (list.n > 0)
		if (network_read(next_network(&list), &n, unused,
		    sizeof(unused)) && network_has(&n, peer))
			return true;
	return false;
}

const char *
app_hindered(const struct app_row *row, const struct sock_addr *peer, int64_t now)
{
	if (row->expires <= now)
		return "it has expired";
	return is_from(row->networks, peer) ? NULL : "it is for other networks";
}

bool
app_match(const struct app_index *x, struct span user,
    const struct secret *password, const struct sock_addr *peer, int64_t now,
    struct app_row *row_r, const char **why_r)
{
	const struct app_query	q = { .x = x, .user = user };
	uint8_t			plain[APP_CHARS];
	bool			found = false;
	uint32_t		at;
	bool			more;

	*why_r = NULL;
	more = x->nrows > 0 && plain_password(password, plain) &&
	    first_row(&q, &at);
	while (more) {
		struct app_row row = row_at(x, at);

		if (is_of(&row, span_of(plain, sizeof(plain)))) {
			found = true;
			*row_r = row;
		}
		at = x->row[at].next;
		more = at != 0;
	}
	explicit_bzero(plain, sizeof(plain));
	if (!found)
		return false;
	*why_r = app_hindered(row_r, peer, now);
	return *why_r == NULL;
}

/* ---- when each was used last ---- */

int
app_used_open(const char *state_dir)
{
	return file_numbers_open(state_dir, APP_USED_NAME);
}

int64_t
app_used(int fd, uint32_t id)
{
	int64_t when;

	if (fd < 0 || file_pread(fd, &when, sizeof(when),
	    (uint64_t)id * sizeof(when), NULL) != sizeof(when))
		return 0;
	return when;
}

void
app_used_set(int fd, uint32_t id, int64_t when)
{
	struct fault f;

	if (fd >= 0 && file_pwrite(fd, &when, sizeof(when),
	    (uint64_t)id * sizeof(when), &f) < 0)
		return;			/* told as "never" or as the last time */
}

void
app_used_note(int fd, uint32_t id, int64_t now)
{
	int64_t last = app_used(fd, id);

	if (now - last >= NOTE_S || now < last)
		app_used_set(fd, id, now);
}
