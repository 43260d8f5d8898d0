/* SPDX-License-Identifier: ISC */
/*
 * What popper serve counts, for monitoring: counters, gauges and histograms in
 * memory that its processes share.  Each process writes a row of its own and
 * nobody else's; who reads adds the rows up.  Floor 1.  The table (one row for each
 * series: family, type, labels, help) stands in metrics.c; a family is told in one
 * piece, so its series stand together.
 *
 * Without metrics_new (inetd mode, single) all this does nothing.
 */
#ifndef WATCH_METRICS_H
#define WATCH_METRICS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/fault.h"

#include <stdbool.h>
#include <stdint.h>

/* As enum auth_method. */
#define METRICS_OF_LOGIN(result)						\
	METRIC_LOGIN_##result,							\
	METRIC_LOGIN_##result##_RPOP,						\
	METRIC_LOGIN_##result##_PLAIN,						\
	METRIC_LOGIN_##result##_LOGIN,						\
	METRIC_LOGIN_##result##_EXTERNAL,					\
	METRIC_LOGIN_##result##_OAUTHBEARER,					\
	METRIC_LOGIN_##result##_XOAUTH2,					\
	METRIC_LOGIN_##result##_CRAM_MD5,					\
	METRIC_LOGIN_##result##_APOP,						\
	METRIC_LOGIN_##result##_GSSAPI,					\
	METRIC_LOGIN_##result##_SCRAM_SHA_1,					\
	METRIC_LOGIN_##result##_SCRAM_SHA_1_PLUS,				\
	METRIC_LOGIN_##result##_SCRAM_SHA_256,					\
	METRIC_LOGIN_##result##_SCRAM_SHA_256_PLUS

enum metric {
	/* Questions about a password, by method: auth. */
	METRICS_OF_LOGIN(OK),
	METRICS_OF_LOGIN(REFUSED),
	METRICS_OF_LOGIN(ERROR),
	METRICS_OF_LOGIN(UNJUDGED),
	METRIC_REFUSAL_DELAYED,
	METRIC_PENALTY_ADDRESS,	/* as enum penalty_level */
	METRIC_PENALTY_NETWORK,
	METRIC_PENALTY_USER,
	/* Fronts. */
	METRIC_CONNECTIONS,
	METRIC_STRANGERS,
	METRIC_TLS_13,
	METRIC_TLS_12,
	METRIC_TLS_OLD,
	METRIC_TLS_RESUMED,	/* of all those */
	METRIC_TLS_FAILED,
	/* Sessions: the master. */
	METRIC_SESSIONS,
	METRIC_END_QUIT,
	METRIC_END_QUIT_FAILED,
	METRIC_END_CLIENT_GONE,
	METRIC_END_TIMEOUT,
	METRIC_END_TOO_SLOW,
	METRIC_END_BAD_COMMANDS,
	METRIC_END_ABORTED,
	METRIC_END_STOPPED,
	METRIC_END_NO_MAILDROP,
	METRIC_END_LOGIN_DELAY,
	METRIC_END_MONITOR_GONE,
	METRIC_END_CRASH,
	METRIC_RETRIEVED,
	METRIC_DELETED,
	METRIC_OCTETS_IN,
	METRIC_OCTETS_OUT,
	/* Roles that died: the master. */
	METRIC_DEATHS_AUTH,
	METRIC_DEATHS_WARDEN,
	METRIC_DEATHS_SPAWNER,
	METRIC_DEATHS_RESOLVER,
	METRIC_DEATHS_CTL,
	METRIC_DEATHS_METRICS,
	METRIC_DEATHS_KEEPER,
	METRIC_DEATHS_FRONT,
	METRIC_TLS_ENDS,	/* the keeper */
	METRIC_START,
	METRIC_BUILD,
	METRIC_PLAIN,		/* how many those are */
	/* Histograms. */
	METRIC_LOGIN_MS = METRIC_PLAIN,
	METRIC_SESSION_MS,
	METRIC_LOCK_MS,
	METRIC_COUNT
};

#define METRICS_NO_ROW	SIZE_MAX

/* Before the forks; the calling process writes `own` and may write all. */
int	metrics_new(size_t rows, size_t own, struct fault *f) MUSTUSE;
/* So many rows at least.  Children that are there already do not see the new ones. */
int	metrics_grow(size_t rows, struct fault *f) MUSTUSE;
/*
 * In a child: no row but this one can be written any more (METRICS_NO_ROW: none).
 * Before it closes descriptors that it does not know.
 */
int	metrics_own(size_t row, struct fault *f) MUSTUSE;
/* In a child that neither counts nor reads: it has none of this memory any more. */
void	metrics_free(void);
/* Gauges of a process that died; its counters stay. */
void	metrics_died(size_t row);

void	metric_add(enum metric which, uint64_t n);
void	metric_set(enum metric which, uint64_t n);	/* a gauge */
void	metric_drop(enum metric which);			/* a gauge: one less */
/* One value of a histogram. */
void	metric_observe(enum metric which, uint64_t ms);

/* The series of that family with this label, or `otherwise`. */
enum metric	metric_labelled(enum metric first, enum metric last,
		    const char *word, enum metric otherwise);
/* Over all rows; not of a histogram. */
uint64_t	metric_sum(enum metric which);
/* Its name and labels, as the text has them. */
const char	*metric_family(enum metric which);
const char	*metric_label(enum metric which);	/* the value; "" */

/*
 * As text: OpenMetrics 1.0, or Prometheus' format 0.0.4 of before, for who knows
 * that alone.  Names and labels of series are the same in both.  -1: it is larger
 * than the buffer's bound.
 */
enum metrics_form { METRICS_OPEN, METRICS_OLD, METRICS_FORMS };
#define METRICS_TEXT_MAX	65536

/* What HTTP calls it. */
const char	*metrics_type(enum metrics_form form);
/* All that is counted; then others may add families. */
int	metrics_text(struct buf *out, enum metrics_form form) MUSTUSE;
int	metrics_end(struct buf *out, enum metrics_form form) MUSTUSE;
/* What stands before the series of a counter (or a gauge), and how each of them is
 * called behind its family's name. */
int	metrics_head(struct buf *out, enum metrics_form form, const char *family,
	    bool counter, const char *help) MUSTUSE;
#define METRICS_COUNTER		"_total"

#endif
