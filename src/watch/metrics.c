/* SPDX-License-Identifier: ISC */
#include "watch/metrics.h"

#include "base/alloc.h"
#include "sys/shared.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BOUNDS		14
#define BUCKETS		(BOUNDS + 1)		/* the last: above all */
#define SLOTS		(METRIC_PLAIN + \
			 (METRIC_COUNT - METRIC_PLAIN) * (BUCKETS + 1))
#define ROW_OCTETS	(SLOTS * sizeof(uint64_t))

enum kind { COUNTER, GAUGE, MOMENT, INFO, HISTOGRAM, KINDS };

struct row {
	const char	*family;
	enum kind	 kind;
	const char	*label;		/* its name; NULL: none */
	const char	*value;
	const char	*also;		/* more labels, as they are; NULL: none */
	const char	*help;
};

#define LOGIN(result, method)							\
	{ "popper_logins", COUNTER, "result", result, "method=\"" method "\"",	\
	  "Passwords that somebody asked about." }
#define LOGINS(r, result)							\
	[METRIC_LOGIN_##r] = LOGIN(result, "pass"),				\
	[METRIC_LOGIN_##r##_RPOP] = LOGIN(result, "rpop"),			\
	[METRIC_LOGIN_##r##_PLAIN] = LOGIN(result, "plain"),			\
	[METRIC_LOGIN_##r##_LOGIN] = LOGIN(result, "login"),			\
	[METRIC_LOGIN_##r##_EXTERNAL] = LOGIN(result, "external"),		\
	[METRIC_LOGIN_##r##_OAUTHBEARER] = LOGIN(result, "oauthbearer"),	\
	[METRIC_LOGIN_##r##_XOAUTH2] = LOGIN(result, "xoauth2"),		\
	[METRIC_LOGIN_##r##_CRAM_MD5] = LOGIN(result, "cram-md5"),		\
	[METRIC_LOGIN_##r##_APOP] = LOGIN(result, "apop"),			\
	[METRIC_LOGIN_##r##_GSSAPI] = LOGIN(result, "gssapi"),		\
	[METRIC_LOGIN_##r##_SCRAM_SHA_1] = LOGIN(result, "scram-sha-1"),	\
	[METRIC_LOGIN_##r##_SCRAM_SHA_1_PLUS] =				\
	    LOGIN(result, "scram-sha-1-plus"),					\
	[METRIC_LOGIN_##r##_SCRAM_SHA_256] = LOGIN(result, "scram-sha-256"),	\
	[METRIC_LOGIN_##r##_SCRAM_SHA_256_PLUS] =				\
	    LOGIN(result, "scram-sha-256-plus")
#define END(reason)								\
	{ "popper_session_ends", COUNTER, "reason", reason, NULL,		\
	  "Sessions that have ended, by the reason of their line in the log." }
#define DEATHS(role)								\
	{ "popper_role_deaths", COUNTER, "role", role, NULL,			\
	  "Processes of the server that have died and were started anew." }
#define TLS(version)								\
	{ "popper_tls_handshakes", COUNTER, "version", version, NULL,		\
	  "Clients that have begun TLS." }
#define PENALTY(kind)								\
	{ "popper_penalties", GAUGE, "kind", kind, NULL,			\
	  "Those about whom the next refusal would be told later." }
#define PLAIN(name, kind, help)	{ name, kind, NULL, "", NULL, help }

static const struct row rows[METRIC_COUNT] = {
	LOGINS(OK, "ok"),
	LOGINS(REFUSED, "refused"),
	LOGINS(ERROR, "error"),
	LOGINS(UNJUDGED, "unjudged"),
	[METRIC_REFUSAL_DELAYED]	= PLAIN("popper_refusals_delayed", COUNTER,
	    "Refusals told later, since somebody guesses passwords."),
	[METRIC_PENALTY_ADDRESS]	= PENALTY("address"),
	[METRIC_PENALTY_NETWORK]	= PENALTY("network"),
	[METRIC_PENALTY_USER]		= PENALTY("user"),
	[METRIC_CONNECTIONS]		= PLAIN("popper_connections", COUNTER,
	    "Clients that have connected, refused ones among them."),
	[METRIC_STRANGERS]		= PLAIN("popper_strangers", GAUGE,
	    "Clients that have not logged in."),
	[METRIC_TLS_13]			= TLS("1.3"),
	[METRIC_TLS_12]			= TLS("1.2"),
	[METRIC_TLS_OLD]		= TLS("old"),
	[METRIC_TLS_RESUMED]		= PLAIN("popper_tls_resumed", COUNTER,
	    "Handshakes that took an earlier session up again."),
	[METRIC_TLS_FAILED]		= PLAIN("popper_tls_failed", COUNTER,
	    "Handshakes that came to nothing."),
	[METRIC_SESSIONS]		= PLAIN("popper_sessions", GAUGE,
	    "Sessions that run."),
	[METRIC_END_QUIT]		= END("quit"),
	[METRIC_END_QUIT_FAILED]	= END("quit-failed"),
	[METRIC_END_CLIENT_GONE]	= END("client-gone"),
	[METRIC_END_TIMEOUT]		= END("timeout"),
	[METRIC_END_TOO_SLOW]		= END("too-slow"),
	[METRIC_END_BAD_COMMANDS]	= END("bad-commands"),
	[METRIC_END_ABORTED]		= END("aborted"),
	[METRIC_END_STOPPED]		= END("stopped"),
	[METRIC_END_NO_MAILDROP]	= END("no-maildrop"),
	[METRIC_END_LOGIN_DELAY]	= END("login-delay"),
	[METRIC_END_MONITOR_GONE]	= END("monitor-gone"),
	[METRIC_END_CRASH]		= END("crash"),
	[METRIC_RETRIEVED]		= PLAIN("popper_messages_retrieved", COUNTER,
	    "Messages that sessions have sent."),
	[METRIC_DELETED]		= PLAIN("popper_messages_deleted", COUNTER,
	    "Messages that sessions have deleted."),
	[METRIC_OCTETS_IN]		= PLAIN("popper_received_bytes", COUNTER,
	    "Octets that sessions have received."),
	[METRIC_OCTETS_OUT]		= PLAIN("popper_sent_bytes", COUNTER,
	    "Octets that sessions have sent."),
	[METRIC_DEATHS_AUTH]		= DEATHS("auth"),
	[METRIC_DEATHS_WARDEN]		= DEATHS("warden"),
	[METRIC_DEATHS_SPAWNER]		= DEATHS("spawner"),
	[METRIC_DEATHS_RESOLVER]	= DEATHS("resolver"),
	[METRIC_DEATHS_CTL]		= DEATHS("ctl"),
	[METRIC_DEATHS_METRICS]		= DEATHS("metrics"),
	[METRIC_DEATHS_KEEPER]		= DEATHS("keeper"),
	[METRIC_DEATHS_FRONT]		= DEATHS("front"),
	[METRIC_TLS_ENDS]		=
	    PLAIN("popper_tls_expiry_timestamp_seconds", MOMENT,
	    "When the first of the certificates expires, in seconds since 1970."),
	[METRIC_START]			= PLAIN("popper_start_time_seconds", GAUGE,
	    "When the server was started, in seconds since 1970."),
	[METRIC_BUILD]			= { "popper_build", INFO, "version",
	    POPPER_VERSION, NULL, "What runs." },
	[METRIC_LOGIN_MS]		= PLAIN("popper_login_seconds", HISTOGRAM,
	    "From the password to its judgement, without the delay of a refusal."),
	[METRIC_SESSION_MS]		= PLAIN("popper_session_seconds", HISTOGRAM,
	    "How long sessions have lasted."),
	[METRIC_LOCK_MS]		= PLAIN("popper_lock_wait_seconds", HISTOGRAM,
	    "How long sessions have waited for a maildrop that another program"
	    " had locked; those that have waited at all."),
};

/* Three of a decade or two; from a millisecond to most of an hour. */
static const unsigned bounds_ms[BOUNDS] = {
	1, 3, 10, 30, 100, 300, 1000, 3000, 10000, 30000, 100000, 300000,
	1000000, 3000000,
};

static struct {
	uint64_t	**row;		/* NULL: nobody counts */
	size_t		  n;
	size_t		  cap;
	uint64_t	 *own;		/* NULL: this process does not */
} all;

int
metrics_grow(size_t nrows, struct fault *f)
{
	while (all.n < nrows) {
		uint64_t *row = shared_new(ROW_OCTETS, f);

		if (row == NULL)
			return -1;
		all.row = xgrow(all.row, all.n, &all.cap, sizeof(*all.row));
		all.row[all.n++] = row;
	}
	return 0;
}

int
metrics_new(size_t nrows, size_t own, struct fault *f)
{
	if (metrics_grow(nrows, f) != 0)
		return -1;		/* the process will end */
	all.own = all.row[own];
	metric_set(METRIC_START, (uint64_t)time(NULL));
	return 0;
}

int
metrics_own(size_t row, struct fault *f)
{
	for (size_t i = 0; i < all.n; i++)
		if (i != row &&
		    shared_read_only(all.row[i], ROW_OCTETS, f) != 0)
			return -1;
	all.own = row == METRICS_NO_ROW ? NULL : all.row[row];
	return 0;
}

void
metrics_free(void)
{
	for (size_t i = 0; i < all.n; i++)
		shared_free(all.row[i], ROW_OCTETS);
	free(all.row);
	all.row = NULL;
	all.own = NULL;
	all.n = all.cap = 0;
}

void
metrics_died(size_t row)
{
	for (size_t i = 0; i < METRIC_PLAIN; i++)
		if (rows[i].kind == GAUGE || rows[i].kind == MOMENT)
			__atomic_store_n(&all.row[row][i], 0, __ATOMIC_RELAXED);
}

/* One writer: others may read an older number, never half of one. */
static void
put(size_t slot, uint64_t n)
{
	if (all.own != NULL)
		__atomic_store_n(&all.own[slot], n, __ATOMIC_RELAXED);
}

static void
add(size_t slot, uint64_t n)
{
	if (all.own != NULL)
		put(slot, all.own[slot] + n);
}

void
metric_add(enum metric which, uint64_t n)
{
	add(which, n);
}

void
metric_set(enum metric which, uint64_t n)
{
	put(which, n);
}

void
metric_drop(enum metric which)
{
	add(which, UINT64_MAX);
}

/* Its buckets, then the sum. */
static size_t
first_slot(enum metric which)
{
	return METRIC_PLAIN + (size_t)(which - METRIC_PLAIN) * (BUCKETS + 1);
}

void
metric_observe(enum metric which, uint64_t ms)
{
	size_t i = 0;

	while (i < BOUNDS && ms > bounds_ms[i])
		i++;
	add(first_slot(which) + i, 1);
	add(first_slot(which) + BUCKETS, ms);
}

enum metric
metric_labelled(enum metric first, enum metric last, const char *word,
    enum metric otherwise)
{
	for (enum metric i = first; i <= last; i++)
		if (strcmp(rows[i].value, word) == 0)
			return i;
	return otherwise;
}

static uint64_t
sum_of(size_t slot)
{
	uint64_t n = 0;

	for (size_t i = 0; i < all.n; i++)
		n += __atomic_load_n(&all.row[i][slot], __ATOMIC_RELAXED);
	return n;
}

uint64_t
metric_sum(enum metric which)
{
	return sum_of(which);
}

const char *
metric_family(enum metric which)
{
	return rows[which].family;
}

const char *
metric_label(enum metric which)
{
	return rows[which].value;
}

/* --- the text -------------------------------------------------------------------- */

static const char *const types[METRICS_FORMS] = {
	[METRICS_OPEN]	= "application/openmetrics-text; version=1.0.0;"
			  " charset=utf-8",
	[METRICS_OLD]	= "text/plain; version=0.0.4; charset=utf-8",
};

static const char *const kind_words[METRICS_FORMS][KINDS] = {
	[METRICS_OPEN] = {
		[COUNTER]	= "counter",
		[GAUGE]		= "gauge",
		[MOMENT]	= "gauge",
		[INFO]		= "info",
		[HISTOGRAM]	= "histogram",
	},
	[METRICS_OLD] = {
		[COUNTER]	= "counter",
		[GAUGE]		= "gauge",
		[MOMENT]	= "gauge",
		[INFO]		= "gauge",
		[HISTOGRAM]	= "histogram",
	},
};

static const char *const suffixes[] = {
	[COUNTER]	= METRICS_COUNTER,
	[GAUGE]		= "",
	[MOMENT]	= "",
	[INFO]		= "_info",
	[HISTOGRAM]	= "",
};

const char *
metrics_type(enum metrics_form form)
{
	return types[form];
}

/* In the old format a family is called as its series are. */
static int
put_head(struct buf *out, enum metrics_form form, const char *family,
    enum kind kind, const char *help)
{
	const char *suffix = form == METRICS_OLD ? suffixes[kind] : "";

	return buf_appendf(out, "# TYPE %s%s %s\n# HELP %s%s %s\n", family,
	    suffix, kind_words[form][kind], family, suffix, help);
}

int
metrics_head(struct buf *out, enum metrics_form form, const char *family,
    bool counter, const char *help)
{
	return put_head(out, form, family, counter ? COUNTER : GAUGE, help);
}

int
metrics_end(struct buf *out, enum metrics_form form)
{
	return form == METRICS_OPEN ? buf_append(out, SPAN("# EOF\n")) : 0;
}

static int
put_plain(struct buf *out, enum metric which)
{
	const struct row	*r = &rows[which];
	unsigned long long	 n = r->kind == INFO ? 1 : sum_of(which);

	if (r->kind == MOMENT && n == 0)
		return 0;	/* there is none */
	if (r->label == NULL)
		return buf_appendf(out, "%s%s %llu\n", r->family,
		    suffixes[r->kind], n);
	return buf_appendf(out, "%s%s{%s=\"%s\"%s%s} %llu\n", r->family,
	    suffixes[r->kind], r->label, r->value, r->also != NULL ? "," : "",
	    r->also != NULL ? r->also : "", n);
}

static int
put_bucket(struct buf *out, const char *family, size_t i, uint64_t n)
{
	if (i == BOUNDS)
		return buf_appendf(out, "%s_bucket{le=\"+Inf\"} %llu\n", family,
		    (unsigned long long)n);
	/* A canonical number: one digit behind the point, or as many as needed. */
	if (bounds_ms[i] % 1000 == 0)
		return buf_appendf(out, "%s_bucket{le=\"%u.0\"} %llu\n", family,
		    bounds_ms[i] / 1000, (unsigned long long)n);
	return buf_appendf(out, "%s_bucket{le=\"%g\"} %llu\n", family,
	    bounds_ms[i] / 1000.0, (unsigned long long)n);
}

static int
put_histogram(struct buf *out, enum metric which)
{
	const char		*family = rows[which].family;
	uint64_t		 n = 0;
	uint64_t		 ms = sum_of(first_slot(which) + BUCKETS);

	for (size_t i = 0; i < BUCKETS; i++) {
		n += sum_of(first_slot(which) + i);
		if (put_bucket(out, family, i, n) != 0)
			return -1;
	}
	return buf_appendf(out, "%s_count %llu\n%s_sum %llu.%03u\n", family,
	    (unsigned long long)n, family, (unsigned long long)(ms / 1000),
	    (unsigned)(ms % 1000));
}

int
metrics_text(struct buf *out, enum metrics_form form)
{
	const char *family = "";

	for (enum metric i = 0; i < METRIC_COUNT; i++) {
		if (strcmp(family, rows[i].family) != 0 &&
		    put_head(out, form, rows[i].family, rows[i].kind,
		    rows[i].help) != 0)
			return -1;
		family = rows[i].family;
		if ((rows[i].kind == HISTOGRAM ? put_histogram(out, i) :
		    put_plain(out, i)) != 0)
			return -1;
	}
	return 0;
}
