/* SPDX-License-Identifier: ISC */
/*
 * User databases in SQL: one query of the operator's, with the name as its one
 * parameter, so that nothing a client says ever becomes a part of a query.  What
 * needs a client library is a module (popper-sqlite.so, popper-pgsql.so), opened by
 * the worker before its cage.  Floor 2.
 */
#ifndef AUTH_SQL_H
#define AUTH_SQL_H

#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SQL_ABI		1	/* of struct sql_ops; goes up when it changes */
#define SQL_TEXT_MAX	1023	/* octets of a value */

/* The file that is the place of such a database. */
struct sql_conf {
	const char	*connect;	/* libpq's connection string */
	const char	*file;		/* SQLite's */
	const char	*query;
	unsigned	 timeout_s;	/* to connect, and for each query */
	/* Until fd can be read (or written): 1; 0: not in time. */
	int		(*wait)(int fd, bool writes, int ms);
	uint64_t	(*clock_ms)(void);
};

/* A value of the row that was found, with the name of its column; p NULL: it is
 * NULL. */
typedef void	sql_put(void *ctx, const char *column, const char *p, size_t n);

struct sql_ops {
	unsigned	 abi;
	/* Connects and prepares the query; *c stays as long as it is open.  NULL
	 * with what is wrong, for the operator.  May open files. */
	void		*(*open)(const struct sql_conf *c, struct fault *f);
	/* Names of the columns that the query gives; NULL behind the last. */
	const char	*(*column)(void *db, int i);
	/* The number of rows, 2 for all above 1, and `put` for each value of the
	 * first; -1: it could not be asked, and db is of no more use.  Opens
	 * nothing. */
	int		 (*find)(void *db, const char *user, sql_put *put,
			    void *ctx, struct fault *f);
	/* Can be read while nothing is asked: it is lost, or what it says is old.
	 * -1: never. */
	int		 (*fd)(void *db);
	void		 (*close)(void *db);
};

/* The one symbol of each module. */
extern const struct sql_ops	popper_sqlite;
extern const struct sql_ops	popper_pgsql;

#endif
