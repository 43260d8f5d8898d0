/* SPDX-License-Identifier: ISC */
/*
 * Runs as: front_user, in an empty root folder, with seccomp, no processes, no files.
 * Reads from: fronts and sessions, which may have been taken over: typed messages of
 * bounded size, whose texts are escaped.  Trusts: popper serve for the end.  Gives up,
 * in order: descriptors, root folder, limits, groups, gid, uid, system calls.
 */
#include "cmd/tail.h"

#include "cmd/start.h"
#include "role/ask_log.h"
#include "role/ctl.h"
#include "role/permit.h"
#include "role/trace.h"

#include "base/num.h"
#include "sys/cage.h"
#include "sys/file.h"
#include "sys/signals.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SENDERS_MAX	192		/* below CAGE_CTL's descriptors */
#define LINE_MOST	4096		/* two values and numbers */

enum { FROM_CTL, FROM_LISTENER, FROM_SENDERS };

/* What a sender has said, until it is shown. */
struct said {
	bool			there;
	struct trace_line	l;		/* borrows from in */
	struct link_in		in;
};

static struct tail {
	const struct tail_start	*s;
	struct wait_for		 from[FROM_SENDERS + SENDERS_MAX];
	struct said		 said[SENDERS_MAX];
	uint64_t		 end_ms;
	uint64_t		 lines;
	uint64_t		 octets;
	uint64_t		 lost;
	uint64_t		 mad;		/* who sent what is no line */
	enum ctl_trace_end	 why;		/* CTL_TRACE_ENDS: it goes on */
} t;

/* --- one line --------------------------------------------------------------------- */

struct text {
	char	b[LINE_MOST];
	size_t	n;
};

static void	add(struct text *x, const char *fmt, ...) PRINTF(2, 3);

static void
add(struct text *x, const char *fmt, ...)
{
	va_list	ap;
	int	n;

	va_start(ap, fmt);
	n = vsnprintf(x->b + x->n, sizeof(x->b) - x->n, fmt, ap);
	va_end(ap);
	/* It is cut, and still a line. */
	if (n > 0)
		x->n = x->n + (size_t)n < sizeof(x->b) ? x->n + (size_t)n :
		    sizeof(x->b) - 1;
}

/* As the log has it. */
static void
add_value(struct text *x, struct span s)
{
	char	value[LOG_JSON_MAX];

	if (t.s->json)
		log_json(value, s);
	else
		log_value(value, sizeof(value), s);
	add(x, "%s", value);
}

static void
add_time(struct text *x, uint64_t at_us)
{
	time_t		s = (time_t)(at_us / 1000000);
	struct tm	tm = { 0 };
	char		stamp[32] = "";

	if ((t.s->json ? gmtime_r(&s, &tm) : localtime_r(&s, &tm)) != NULL)
		(void)strftime(stamp, sizeof(stamp), t.s->json ?
		    "%Y-%m-%dT%H:%M:%S" : "%H:%M:%S", &tm);
	add(x, t.s->json ? "{\"time\":\"%s.%03uZ\"" : "%s.%03u", stamp,
	    (unsigned)(at_us / 1000 % 1000));
}

static void
add_number(struct text *x, const char *key, uint64_t n)
{
	add(x, t.s->json ? ",\"%s\":%" PRIu64 : " %s=%" PRIu64, key, n);
}

static void
add_text(struct text *x, const char *key, struct span s)
{
	add(x, t.s->json ? ",\"%s\":" : " %s=", key);
	add_value(x, s);
}

static void
make(struct text *x, const struct trace_line *l)
{
	bool	server = l->what == TRACE_SERVER || l->what == TRACE_SERVER_REST;
	char	sid[WIRE_SID_MAX];

	wire_sid_text(l->sid, sid);
	x->n = 0;
	add_time(x, l->at_us);
	add_text(x, "sid", span_str(sid));
	add_text(x, "ip", span_str(l->peer.text));
	if (l->user.n > 0)
		add_text(x, "user", l->user);
	add_text(x, "from", server ? SPAN("S") : SPAN("C"));
	if (l->what == TRACE_CLIENT || l->what == TRACE_SERVER) {
		add_text(x, "line", l->text);
	} else {
		add_number(x, "lines", l->lines);
		add_number(x, "octets", l->octets);
	}
	if (l->lost > 0)
		add_number(x, "lost", l->lost);
	add(x, t.s->json ? "}\n" : "\n");
}

static void
show(const struct trace_line *l)
{
	static struct text x;

	make(&x, l);
	if (t.octets + x.n > t.s->octets) {
		t.why = CTL_TRACE_SIZE;
		return;
	}
	if (fwrite(x.b, 1, x.n, stdout) != x.n || fflush(stdout) == EOF) {
		fprintf(stderr, "popper ctl: standard output: %s\n",
		    strerrordesc_np(errno));
		t.why = CTL_TRACE_OUTPUT;
		return;
	}
	t.lines++;
	t.octets += x.n;
	if (!num_add(t.lost, l->lost, &t.lost))
		t.lost = UINT64_MAX;
}

/* --- who sends them ---------------------------------------------------------------- */

static void
hear(size_t i)
{
	struct said	*x = &t.said[i];
	struct wait_for	*from = &t.from[FROM_SENDERS + i];
	struct fault	 f;
	int		 got = link_recv(from->fd, permit_trace, permit_trace_n, 0,
			    0, &x->in, &f);

	if (got == 1) {
		x->there = trace_get_line(&x->in, &x->l, &f) == 0;
		if (x->there)
			return;
		link_in_fini(&x->in);
		got = -1;
	}
	if (got < 0 && f.err == ETIMEDOUT)
		return;
	if (got < 0 && f.class == FAULT_PEER && t.mad++ == 0)
		fprintf(stderr, "popper ctl: a process that is traced said what"
		    " it never says: %s\n", f.text);
	fd_close(&from->fd);
}

/*
 * The oldest line of all.  What was said before another process could say what is
 * there has come before that: so all have been listened to since.
 */
static bool
show_one(void)
{
	struct said *first = NULL;

	for (struct said *x = t.said; x < t.said + SENDERS_MAX; x++)
		if (x->there && (first == NULL || x->l.at_us < first->l.at_us))
			first = x;
	if (first == NULL)
		return false;
	show(&first->l);
	first->there = false;
	link_in_fini(&first->in);
	return true;
}

static struct wait_for *
free_sender(void)
{
	for (size_t i = 0; i < SENDERS_MAX; i++)
		if (t.from[FROM_SENDERS + i].fd < 0 && !t.said[i].there)
			return &t.from[FROM_SENDERS + i];
	return NULL;
}

static void
take_senders(void)
{
	struct sock_addr	 none;
	struct fault		 f;
	struct wait_for		*from;

	while ((from = free_sender()) != NULL &&
	    sock_accept(t.s->listener, &from->fd, &none, &f) == 0)
		from->ready = WAIT_READ;	/* perhaps */
}

/* The server has ended it. */
static void NORETURN
hear_end(void)
{
	UNZEROED struct link_in	in;
	struct fault		f;
	char			text[CTL_TEXT_MAX + 1] = "popper serve is gone";

	if (link_recv(t.s->ctl, permit_ctl_answer, permit_ctl_answer_n, 0, 0, &in,
	    &f) == 1 && in.type == MSG_CTL_DONE) {
		(void)link_get_u8(&in);
		(void)link_get_u32(&in);
		(void)link_get_cstr(&in, text, sizeof(text));
	}
	fprintf(stderr, "popper ctl: %s\n", text);
	spawn_exit(STATUS_TEMP);
}

/* --- all of it ------------------------------------------------------------------------ */

/* more: there are lines already. */
static bool
turn(bool more)
{
	uint64_t now = clock_ms();

	t.from[FROM_LISTENER].fd = free_sender() != NULL ? t.s->listener : -1;
	(void)sock_wait(t.from, ARRAY_LEN(t.from), more || now >= t.end_ms ? 0 :
	    (int)(t.end_ms - now));
	if (t.from[FROM_LISTENER].ready != 0)
		take_senders();
	for (size_t i = 0; i < SENDERS_MAX; i++)
		if (t.from[FROM_SENDERS + i].ready != 0 && !t.said[i].there)
			hear(i);
	more = show_one();
	if (t.why != CTL_TRACE_ENDS)
		return false;
	if (t.from[FROM_CTL].ready != 0)
		hear_end();
	if (signals_stopping())
		t.why = CTL_TRACE_STOPPED;
	else if (clock_ms() >= t.end_ms)
		t.why = CTL_TRACE_TIME;
	return more;
}

static void
step_down(void)
{
	const int	keep[] = { t.s->ctl, t.s->listener };
	struct fault	f;
	bool		degraded;

	signals_take(SIGNALS_SERVER);
	spawn_name("popper-trace");
	tzset();
	shed_descriptors(keep, ARRAY_LEN(keep));
	if (cage_step_down(t.s->conf->front_user, t.s->conf->chroot_dir, CAGE_CTL,
	    &f) == 0 && cage_enter(CAGE_CTL, &degraded, &f) == 0)
		return;
	fprintf(stderr, "popper ctl: %s\n", f.text);
	spawn_exit(STATUS_FAILED);
}

static void
tell_end(void)
{
	struct link_out	m;
	struct fault	f;

	link_out_init(&m, MSG_CTL_TRACE_END);
	link_put_u8(&m, (uint8_t)t.why);
	link_put_u64(&m, t.lines);
	link_put_u64(&m, t.octets);
	link_put_u64(&m, t.lost);
	if (link_send(t.s->ctl, &m, NULL, 0, &f) != 0)
		fprintf(stderr, "popper ctl: %s\n", f.text);
}

void
tail_main(const struct tail_start *s)
{
	bool more = false;

	t.s = s;
	t.end_ms = clock_ms() + s->ms;
	t.why = CTL_TRACE_ENDS;
	for (size_t i = 0; i < ARRAY_LEN(t.from); i++)
		t.from[i] = (struct wait_for){ .fd = -1, .events = WAIT_READ };
	t.from[FROM_CTL].fd = s->ctl;
	step_down();
	while (t.why == CTL_TRACE_ENDS)
		more = turn(more);
	tell_end();
	if (t.lost > 0)
		fprintf(stderr, "popper ctl: %" PRIu64 " lines lost\n", t.lost);
	spawn_exit(t.why == CTL_TRACE_OUTPUT ? STATUS_FAILED : STATUS_OK);
}
