/* SPDX-License-Identifier: ISC */
/*
 * A user database in PostgreSQL: popper-pgsql.so.  Whatever waits for the server
 * waits no longer than `timeout`, whether the server is slow, hangs, or is gone.
 */
#include "auth/sql.h"

#include "base/alloc.h"
#include "base/attr.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATEMENT	"popper"

struct pg {
	PGconn			*conn;
	PGresult		*columns;	/* of the prepared query */
	const struct sql_conf	*c;
	uint64_t		 end_ms;	/* of what is waited for */
};

static void
say_nothing(void *ctx UNUSED, const char *text UNUSED)
{
}

/* libpq's texts have several lines. */
static int
wrong(const char *text, struct fault *f)
{
	return fault_set(f, FAULT_TEMP, "%.*s", (int)strcspn(text, "\n"), text);
}

static void
pg_close(void *db)
{
	struct pg *p = db;

	PQclear(p->columns);
	PQfinish(p->conn);
	free(p);
}

static int
await(struct pg *p, bool writes, struct fault *f)
{
	uint64_t now = p->c->clock_ms();

	if (now >= p->end_ms || p->c->wait(PQsocket(p->conn), writes,
	    (int)(p->end_ms - now)) <= 0)
		return fault_set(f, FAULT_TEMP, "no answer of the server in %u s",
		    p->c->timeout_s);
	return PQconsumeInput(p->conn) ? 0 : wrong(PQerrorMessage(p->conn), f);
}

/* The answer to what was sent; the caller clears it.  NULL: there is none. */
static PGresult *
answer(struct pg *p, bool sent, ExecStatusType want, struct fault *f)
{
	PGresult	*first = NULL;
	PGresult	*r;
	int		 left;

	p->end_ms = p->c->clock_ms() + 1000ull * p->c->timeout_s;
	while (sent && (left = PQflush(p->conn)) != 0)
		if (left < 0 || await(p, true, f) != 0)
			sent = false;
	if (!sent) {
		(void)wrong(PQerrorMessage(p->conn), f);
		return NULL;
	}
	do {
		while (PQisBusy(p->conn))
			if (await(p, false, f) != 0) {
				PQclear(first);
				return NULL;
			}
		r = PQgetResult(p->conn);
		if (first == NULL)
			first = r;
		else
			PQclear(r);
	} while (r != NULL);
	if (first != NULL && PQresultStatus(first) == want)
		return first;
	(void)wrong(first != NULL ? PQresultErrorMessage(first) :
	    PQerrorMessage(p->conn), f);
	PQclear(first);
	return NULL;
}

static int
command(struct pg *p, const char *text, struct fault *f)
{
	PGresult *r = answer(p, PQsendQuery(p->conn, text) != 0,
	    PGRES_COMMAND_OK, f);

	PQclear(r);
	return r != NULL ? 0 : -1;
}

static int
prepare(struct pg *p, struct fault *f)
{
	PGresult *r = answer(p, PQsendPrepare(p->conn, STATEMENT, p->c->query, 0,
	    NULL) != 0, PGRES_COMMAND_OK, f);

	PQclear(r);
	if (r == NULL)
		return fault_prefix(f, "query: ");
	p->columns = answer(p, PQsendDescribePrepared(p->conn, STATEMENT) != 0,
	    PGRES_COMMAND_OK, f);
	if (p->columns == NULL)
		return fault_prefix(f, "query: ");
	if (PQnparams(p->columns) != 1)
		return fault_set(f, FAULT_PERM, "query: it has %d parameters; "
		    "write $1 where the user's name belongs, and no others",
		    PQnparams(p->columns));
	return 0;
}

/* The server, too, ends what takes too long. */
static int
begin(struct pg *p, struct fault *f)
{
	char text[64];

	if (PQstatus(p->conn) != CONNECTION_OK)
		return wrong(PQerrorMessage(p->conn), f);
	(void)PQsetNoticeProcessor(p->conn, say_nothing, NULL);
	(void)snprintf(text, sizeof(text), "SET statement_timeout = %u",
	    1000 * p->c->timeout_s);
	if (PQsetnonblocking(p->conn, 1) != 0 || command(p, text, f) != 0 ||
	    command(p, "SET default_transaction_read_only = on", f) != 0)
		return -1;
	return prepare(p, f);
}

static void *
pg_open(const struct sql_conf *c, struct fault *f)
{
	char			 seconds[16];
	/* Of two for one keyword the later one counts.  HOME is root's yet: who may
	 * not look there for a certificate gets no TLS; so there is none, but where
	 * connect says so. */
	const char *const	 words[] = { "fallback_application_name",
				    "connect_timeout", "sslcert", "dbname", NULL };
	const char *const	 values[] = { "popper", seconds, "/nonexistent",
				    c->connect, NULL };
	struct pg		*p = xalloc(1, sizeof(*p));

	(void)snprintf(seconds, sizeof(seconds), "%u", c->timeout_s);
	*p = (struct pg){ .c = c };
	p->conn = PQconnectdbParams(words, values, 1);
	if (begin(p, f) == 0)
		return p;
	pg_close(p);
	return NULL;
}

static const char *
pg_column(void *db, int i)
{
	const struct pg *p = db;

	return i < PQnfields(p->columns) ? PQfname(p->columns, i) : NULL;
}

static int
pg_find(void *db, const char *user, sql_put *put, void *ctx, struct fault *f)
{
	struct pg	*p = db;
	PGresult	*r;
	int		 rows;

	r = answer(p, PQsendQueryPrepared(p->conn, STATEMENT, 1, &user, NULL, NULL,
	    0) != 0, PGRES_TUPLES_OK, f);
	if (r == NULL)
		return -1;
	rows = PQntuples(r);
	for (int i = 0; rows > 0 && i < PQnfields(r); i++)
		put(ctx, PQfname(r, i), PQgetisnull(r, 0, i) ? NULL :
		    PQgetvalue(r, 0, i), (size_t)PQgetlength(r, 0, i));
	PQclear(r);
	return rows > 1 ? 2 : rows;
}

static int
pg_fd(void *db)
{
	const struct pg *p = db;

	return PQsocket(p->conn);
}

const struct sql_ops popper_pgsql = {
	.abi = SQL_ABI,
	.open = pg_open,
	.column = pg_column,
	.find = pg_find,
	.fd = pg_fd,
	.close = pg_close,
};
