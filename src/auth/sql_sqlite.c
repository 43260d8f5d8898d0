/* SPDX-License-Identifier: ISC */
/*
 * A user database in SQLite: popper-sqlite.so.  Opened for reading alone; what is
 * committed by others is seen by the next query; when another file takes the name,
 * this one answers no more than what was asked before that was heard of.  In its cage
 * it can open nothing, so a journal that a writer has left behind by dying is an error,
 * not data.
 */
#include "auth/sql.h"

#include "base/alloc.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define VALUE_MAX	(1 << 20)	/* octets that SQLite itself takes in hand */
#define OPS_A_LOOK	10000		/* steps of its machine, between looks */

struct lite {
	sqlite3			*db;
	sqlite3_stmt		*query;
	const struct sql_conf	*c;
	int			 moves;		/* owns; inotify: it lost its name */
	uint64_t		 end_ms;	/* of the query that runs */
};

static int
is_late(void *ctx)
{
	const struct lite *l = ctx;

	return l->c->clock_ms() >= l->end_ms;
}

static void
lite_close(void *db)
{
	struct lite *l = db;

	(void)sqlite3_finalize(l->query);
	(void)sqlite3_close_v2(l->db);
	if (l->moves >= 0)
		(void)close(l->moves);
	free(l);
}

static int
wrong(struct lite *l, struct fault *f)
{
	return fault_set(f, FAULT_TEMP, "%s: %s", l->c->file,
	    l->db != NULL ? sqlite3_errmsg(l->db) : "no memory");
}

/* A query, one, that writes nothing and has one parameter. */
static int
prepare(struct lite *l, struct fault *f)
{
	const char *rest = NULL;

	if (sqlite3_prepare_v3(l->db, l->c->query, -1, SQLITE_PREPARE_PERSISTENT,
	    &l->query, &rest) != SQLITE_OK)
		return wrong(l, f);
	if (l->query == NULL || rest[strspn(rest, "; \t")] != '\0' ||
	    !sqlite3_stmt_readonly(l->query))
		return fault_set(f, FAULT_PERM, "query: it must be one SELECT");
	if (sqlite3_bind_parameter_count(l->query) != 1)
		return fault_set(f, FAULT_PERM, "query: it has %d parameters; "
		    "write ?1 where the user's name belongs, and no others",
		    sqlite3_bind_parameter_count(l->query));
	return 0;
}

static int
begin(struct lite *l, const char *user)
{
	l->end_ms = l->c->clock_ms() + 1000ull * l->c->timeout_s;
	return sqlite3_bind_text(l->query, 1, user, -1, SQLITE_STATIC);
}

/* Without it, a query finds out: see is_moved. */
static void
watch(struct lite *l)
{
	l->moves = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (l->moves >= 0)
		(void)inotify_add_watch(l->moves, l->c->file, IN_MOVE_SELF |
		    IN_DELETE_SELF | IN_ATTRIB);
}

static bool
is_moved(struct lite *l)
{
	int moved = 0;

	return sqlite3_file_control(l->db, "main", SQLITE_FCNTL_HAS_MOVED,
	    &moved) == SQLITE_OK && moved != 0;
}

/* Who asks us hears of it by `moves`, before what he reads next, and retires. */
static bool
is_known(const struct lite *l)
{
	return l->moves >= 0 && l->c->wait(l->moves, false, 0) == 1;
}

static int
connect_file(struct lite *l, struct fault *f)
{
	watch(l);
	if (sqlite3_open_v2(l->c->file, &l->db, SQLITE_OPEN_READONLY |
	    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL) != SQLITE_OK)
		return wrong(l, f);
	(void)sqlite3_limit(l->db, SQLITE_LIMIT_LENGTH, VALUE_MAX);
	(void)sqlite3_limit(l->db, SQLITE_LIMIT_ATTACHED, 0);
	(void)sqlite3_db_config(l->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_busy_timeout(l->db, (int)(1000 * l->c->timeout_s));
	sqlite3_progress_handler(l->db, OPS_A_LOOK, is_late, l);
	if (sqlite3_exec(l->db, "PRAGMA temp_store = MEMORY", NULL, NULL, NULL) !=
	    SQLITE_OK)
		return wrong(l, f);
	return prepare(l, f);
}

/* Asked once for nobody: all files that it needs are open then. */
static void *
lite_open(const struct sql_conf *c, struct fault *f)
{
	struct lite	*l = xalloc(1, sizeof(*l));
	int		 got = SQLITE_ERROR;

	*l = (struct lite){ .c = c, .moves = -1 };
	if (connect_file(l, f) != 0) {
		lite_close(l);
		return NULL;
	}
	if (begin(l, "") == SQLITE_OK)
		got = sqlite3_step(l->query);
	if (got != SQLITE_DONE && got != SQLITE_ROW) {
		(void)wrong(l, f);
		lite_close(l);
		return NULL;
	}
	(void)sqlite3_reset(l->query);
	return l;
}

static const char *
lite_column(void *db, int i)
{
	const struct lite *l = db;

	return i < sqlite3_column_count(l->query) ?
	    sqlite3_column_name(l->query, i) : NULL;
}

static int
lite_find(void *db, const char *user, sql_put *put, void *ctx, struct fault *f)
{
	struct lite	*l = db;
	int		 rows = 0;
	int		 got;

	if (is_moved(l) && !is_known(l))
		return fault_set(f, FAULT_TEMP, "%s: another file has that name"
		    " now", l->c->file);
	got = begin(l, user);
	if (got == SQLITE_OK)
		got = sqlite3_step(l->query);
	if (got == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(l->query); i++) {
			const char *p =
			    (const char *)sqlite3_column_text(l->query, i);

			put(ctx, sqlite3_column_name(l->query, i), p,
			    (size_t)sqlite3_column_bytes(l->query, i));
		}
		rows = 1;
		got = sqlite3_step(l->query);
		rows += got == SQLITE_ROW;
	}
	if (got != SQLITE_DONE && got != SQLITE_ROW)
		rows = wrong(l, f);
	(void)sqlite3_reset(l->query);
	(void)sqlite3_clear_bindings(l->query);
	return rows;
}

static int
lite_fd(void *db)
{
	const struct lite *l = db;

	return l->moves;
}

const struct sql_ops popper_sqlite = {
	.abi = SQL_ABI,
	.open = lite_open,
	.column = lite_column,
	.find = lite_find,
	.fd = lite_fd,
	.close = lite_close,
};
