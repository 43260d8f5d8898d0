/* SPDX-License-Identifier: ISC */
/*
 * Back ends of SQLite and PostgreSQL, as far as they are the same: the file with
 * their settings, the module, what the columns of the query mean.
 */
#include "auth/sql.h"

#include "auth/auth_priv.h"
#include "auth/passwd_file.h"

#include "base/alloc.h"
#include "conf/conf.h"
#include "sys/module.h"
#include "sys/sock.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLE_MAX	384	/* octets of a hash that unknown names meet */

enum column {
	COL_USER, COL_PASSWORD, COL_UID, COL_GID, COL_HOME, COL_MAILDROP,
	COL_NOLOGIN, COL_LOGIN_DELAY, COL_COUNT
};

static const char *const column_names[COL_COUNT] = {
	[COL_USER]	= "user",
	[COL_PASSWORD]	= "password",
	[COL_UID]	= "uid",
	[COL_GID]	= "gid",
	[COL_HOME]	= "home",
	[COL_MAILDROP]	= "maildrop",
	[COL_NOLOGIN]	= "nologin",
	[COL_LOGIN_DELAY] = "login_delay",
};

struct sql {
	const struct sql_ops	*ops;
	void			*db;		/* owns; NULL: not connected */
	struct conf_store	*store;		/* owns the texts of conf */
	struct sql_conf		 conf;
	const char		*place;		/* for faults; borrows */
	/* The row that was found last. */
	char			 text[COL_COUNT][SQL_TEXT_MAX + 1];
	size_t			 size[COL_COUNT];
	bool			 changed;	/* a column that was not there */
	bool			 too_long;
	char			 user[IDENTITY_USER_MAX + 1];
	/* A stored password, for whose name is not known. */
	char			 sample[SAMPLE_MAX];
	size_t			 sample_n;
};

#define AT(member)	offsetof(struct sql_conf, member)

#define QUERY_ROW { \
	.name = "query", .type = CONF_TEXT, .offset = AT(query), \
	.fallback = "", .meaning = "which SELECT finds a user by name", \
}
#define TIMEOUT_ROW { \
	.name = "timeout", .type = CONF_SECONDS, .offset = AT(timeout_s), \
	.fallback = "5", .min = 1, .max = 600, \
	.meaning = "how long an answer may take", \
}

static const struct conf_option sqlite_options[] = {
	{
		.name = "file", .type = CONF_PATH, .offset = AT(file),
		.fallback = "", .meaning = "which file is the database",
	},
	QUERY_ROW,
	TIMEOUT_ROW,
	{ .name = NULL }
};

static const struct conf_option pgsql_options[] = {
	{
		.name = "connect", .type = CONF_TEXT, .offset = AT(connect),
		.fallback = "", .meaning = "how libpq connects",
	},
	QUERY_ROW,
	TIMEOUT_ROW,
	{ .name = NULL }
};

static int
wait_one(int fd, bool writes, int ms)
{
	struct wait_for w = { .fd = fd, .events = writes ? WAIT_WRITE : WAIT_READ };

	return sock_wait(&w, 1, ms);
}

static void
sql_free(struct sql *q)
{
	if (q->db != NULL)
		q->ops->close(q->db);
	conf_free(q->store);
	explicit_bzero(q, sizeof(*q));
	free(q);
}

/* What is missing, too, is told by the first mistake. */
static int
first_mistake(struct sql *q, struct fault *f)
{
	const struct conf_mistake *list;

	if (q->conf.query[0] == '\0')
		conf_complain(q->store, CONF_ERROR, 0, "query is missing; write "
		    "query = SELECT password FROM users WHERE name = %s",
		    q->conf.connect != NULL ? "$1" : "?1");
	if (q->conf.file != NULL && q->conf.file[0] == '\0')
		conf_complain(q->store, CONF_ERROR, 0, "file is missing; write "
		    "file = PATH");
	if (conf_mistakes(q->store, &list) == 0)
		return 0;
	return list[0].line > 0 ? fault_set(f, FAULT_PERM, "%s:%u: %s", q->place,
	    list[0].line, list[0].text) : fault_set(f, FAULT_PERM, "%s: %s",
	    q->place, list[0].text);
}

static int
read_conf(struct sql *q, const struct conf_option *options, struct fault *f)
{
	AUTO(buf_fini) struct buf	text = { 0 };
	const struct conf_room		room = { .rows = options };

	if (auth_load(q->place, LOAD_SECRET, &text, f) < 0)
		return -1;
	q->store = conf_new();
	conf_defaults(q->store, &room, 1, &q->conf);
	conf_read(q->store, &room, 1, &q->conf, q->place, buf_span(&text));
	q->conf.wait = wait_one;
	q->conf.clock_ms = clock_ms;
	return first_mistake(q, f);
}

static int
load(struct sql *q, const char *module, const char *symbol, struct fault *f)
{
	q->ops = module_symbol(module, symbol, f);
	if (q->ops == NULL)
		return -1;
	return q->ops->abi == SQL_ABI ? 0 : fault_set(f, FAULT_PERM,
	    "%s is of another version of popper", module);
}

static int
prepare(const struct auth_conf *c, const struct conf_option *options,
    const char *module, const char *symbol, void **state_r, struct fault *f)
{
	struct auth_state *s = state_new(c, f);

	*state_r = NULL;
	if (s == NULL)
		return -1;
	s->sql = xalloc(1, sizeof(*s->sql));
	s->sql->place = auth_place(c);
	if (passwd_hash_open(f) != 0 ||
	    rows_virtual_user(c, &s->virtual_user, f) < 0 ||
	    read_conf(s->sql, options, f) < 0 ||
	    load(s->sql, module, symbol, f) < 0) {
		sql_free(s->sql);
		state_free(s);
		return -1;
	}
	*state_r = s;
	return 0;
}

static int
sqlite_prepare(const struct auth_conf *c, void **state_r, struct fault *f)
{
	return prepare(c, sqlite_options, "popper-sqlite.so", "popper_sqlite",
	    state_r, f);
}

static int
pgsql_prepare(const struct auth_conf *c, void **state_r, struct fault *f)
{
	return prepare(c, pgsql_options, "popper-pgsql.so", "popper_pgsql",
	    state_r, f);
}

/* COL_COUNT: none of ours. */
static enum column
column_of(const char *name)
{
	size_t k = 0;

	while (k < COL_COUNT && (name == NULL || strcmp(name, column_names[k]) != 0))
		k++;
	return (enum column)k;
}

static int
judge_columns(struct sql *q, struct fault *f)
{
	bool		 seen[COL_COUNT] = { false };
	const char	*name;

	for (int i = 0; (name = q->ops->column(q->db, i)) != NULL; i++) {
		enum column k = column_of(name);

		if (k == COL_COUNT || seen[k])
			return fault_set(f, FAULT_PERM, "query: a column %.40s is "
			    "%s; there are user, password, uid, gid, home, "
			    "maildrop, nologin and login_delay, see AS", name,
			    k == COL_COUNT ? "not known" : "there twice");
		seen[k] = true;
	}
	return seen[COL_PASSWORD] ? 0 : fault_set(f, FAULT_PERM, "query: the "
	    "column password is missing; give it that name with AS");
}

static int
sql_connect(void *state, struct fault *f)
{
	struct sql *q = ((struct auth_state *)state)->sql;

	q->db = q->ops->open(&q->conf, f);
	return q->db != NULL && judge_columns(q, f) == 0 ? 0 :
	    fault_prefix(f, "%s: ", q->place);
}

static void
on_value(void *ctx, const char *column, const char *p, size_t n)
{
	struct sql	*q = ctx;
	enum column	 k = column_of(column);

	q->changed = q->changed || k == COL_COUNT;
	q->too_long = q->too_long || n > SQL_TEXT_MAX;
	if (q->changed || q->too_long)
		return;
	if (p != NULL && n > 0)
		memcpy(q->text[k], p, n);
	q->text[k][n] = '\0';
	q->size[k] = p == NULL ? 0 : n;
}

static struct span
value(const struct sql *q, enum column k)
{
	return span_of(q->text[k], q->size[k]);
}

/* As databases and people spell no. */
static bool
says_yes(struct span s)
{
	static const char *const no[] = { "", "0", "f", "n", "no", "false" };

	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (span_eq_nocase(s, span_str(no[i])))
			return false;
	return true;
}

static void
remember_sample(struct sql *q, struct span password)
{
	if (password.n == 0 || password.n > sizeof(q->sample))
		return;
	memcpy(q->sample, password.p, password.n);
	q->sample_n = password.n;
}

static int
sql_lookup(void *state, const char *user, struct passwd_row *row_r,
    struct fault *f)
{
	struct sql	*q = ((struct auth_state *)state)->sql;
	int		 n;

	memset(q->size, 0, sizeof(q->size));
	q->changed = q->too_long = false;
	*row_r = (struct passwd_row){ .password = span_of(q->sample, q->sample_n) };
	n = q->ops->find(q->db, user, on_value, q, f);
	if (n < 0)
		return fault_prefix(f, "%s: ", q->place);
	if (n > 1 || q->changed || q->too_long)
		return fault_set(f, FAULT_PERM, "%s: query: %s", q->place, n > 1 ?
		    "it finds more than one row for this name" : q->changed ?
		    "its columns are others now" :
		    "it gives a value of more than 1023 octets");
	if (n == 0 || !span_cstr(span_str(user), q->user, sizeof(q->user)))
		return 0;
	*row_r = (struct passwd_row){
		.user = value(q, COL_USER).n > 0 ? value(q, COL_USER) :
		    span_str(q->user),
		.password = value(q, COL_PASSWORD),
		.uid = value(q, COL_UID),
		.gid = value(q, COL_GID),
		.home = value(q, COL_HOME),
		.maildrop = value(q, COL_MAILDROP),
		.nologin = says_yes(value(q, COL_NOLOGIN)),
		.login_delay = value(q, COL_LOGIN_DELAY),
	};
	remember_sample(q, row_r->password);
	return 1;
}

/* A connection that speaks unasked is lost, or about to be. */
static int
sql_idle_fd(void *state)
{
	const struct auth_state *s = state;

	if (s == NULL || s->sql->db == NULL)
		return -1;		/* it never was connected */
	return s->sql->ops->fd(s->sql->db);
}

static void
sql_done(void *state)
{
	struct auth_state *s = state;

	if (s == NULL)
		return;
	sql_free(s->sql);
	state_free(s);
}

const struct auth_ops auth_sqlite_ops = {
	.name = "sqlite",
	.needs_root = false,
	.preload = rows_preload,
	.prepare = sqlite_prepare,
	.connect = sql_connect,
	.idle_fd = sql_idle_fd,
	.lookup = sql_lookup,
	.done = sql_done,
};

const struct auth_ops auth_pgsql_ops = {
	.name = "pgsql",
	.needs_root = false,
	.preload = rows_preload,
	.prepare = pgsql_prepare,
	.connect = sql_connect,
	.idle_fd = sql_idle_fd,
	.lookup = sql_lookup,
	.done = sql_done,
};
