/* SPDX-License-Identifier: ISC */
/*
 * Runs as: whoever serves clients; the switch also in the master and as the role that
 * hears popper ctl.  Reads from: the switch, which that role writes: it may have been
 * taken over.
 */
#include "role/trace.h"

#include "role/permit.h"
#include "role/wire.h"

#include "sys/file.h"
#include "sys/local.h"
#include "sys/shared.h"

#include <stdio.h>
#include <time.h>

#define AGAIN_MS	2000		/* until a socket is asked for once more */

struct board {
	uint32_t		serial;	/* 0: off */
	uint32_t		last;
	uint64_t		end_ms;
	struct trace_whom	whom;
};

static struct board	*board;		/* NULL: nobody is ever traced */
static char		 path[IDENTITY_PATH_MAX + 1];

/* What this process knows. */
static struct {
	struct board	 seen;
	bool		 good;		/* that makes sense */
	int		 fd;		/* owns; -1: none */
	bool		 asked;
	uint64_t	 asked_ms;
	uint64_t	 lost;
	int		 (*ask)(void *ctx);
	void		*ctx;
} my = { .fd = -1 };

/* --- the switch ------------------------------------------------------------------ */

int
trace_new(const char *run_dir, struct fault *f)
{
	(void)snprintf(path, sizeof(path), "%s/trace", run_dir);
	board = shared_new(sizeof(*board), f);
	return board == NULL ? -1 : 0;
}

void
trace_free(void)
{
	fd_close(&my.fd);
	if (board != NULL)
		shared_free(board, sizeof(*board));
	board = NULL;
	my.seen.serial = 0;
}

int
trace_listen(size_t n, int *fd_r, struct fault *f)
{
	size_t used = strlen(path);

	if (n > 0)
		(void)snprintf(path + used, sizeof(path) - used, ".%zu", n + 1);
	return local_listen(path, LOCAL_PACKETS, LOCAL_NO_GROUP, fd_r, f);
}

int
trace_own(bool turns, struct fault *f)
{
	return turns || board == NULL ? 0 :
	    shared_read_only(board, sizeof(*board), f);
}

int
trace_connect(void)
{
	struct fault	f;
	int		fd = -1;

	return trace_on() && local_connect_now(path, &fd, &f) == 0 ? fd : -1;
}

uint32_t
trace_begin(const struct trace_whom *w, uint64_t ms)
{
	__atomic_store_n(&board->serial, 0, __ATOMIC_SEQ_CST);
	board->whom = *w;
	board->end_ms = clock_ms() + ms;
	board->last = board->last == UINT32_MAX ? 1 : board->last + 1;
	__atomic_store_n(&board->serial, board->last, __ATOMIC_SEQ_CST);
	return board->last;
}

bool
trace_end(uint32_t which, struct trace_whom *w)
{
	uint32_t now = __atomic_load_n(&board->serial, __ATOMIC_SEQ_CST);

	if (now == 0 || (which != 0 && which != now))
		return false;
	*w = board->whom;
	__atomic_store_n(&board->serial, 0, __ATOMIC_SEQ_CST);
	return true;
}

bool
trace_on(void)
{
	return board != NULL &&
	    __atomic_load_n(&board->serial, __ATOMIC_ACQUIRE) != 0;
}

/* --- who serves clients ------------------------------------------------------------ */

void
trace_set_ask(int (*ask)(void *ctx), void *ctx)
{
	my.ask = ask;
	my.ctx = ctx;
}

static bool
makes_sense(const struct trace_whom *w)
{
	const struct network *n = &w->network;

	return memchr(w->user, '\0', sizeof(w->user)) != NULL &&
	    (n->family == 0 ? n->bits == 0 :
	    n->family == 4 ? n->bits <= 32 : n->family == 6 && n->bits <= 128) &&
	    (w->sid != 0 || w->user[0] != '\0' || n->family != 0);
}

/* Another trace, or none any more: what there was of the last one goes. */
static void
look(uint32_t serial)
{
	my.seen = *board;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	/* It may have been turned while we read. */
	my.good = __atomic_load_n(&board->serial, __ATOMIC_SEQ_CST) == serial &&
	    makes_sense(&my.seen.whom);
	my.seen.serial = serial;
	fd_close(&my.fd);
	my.asked = false;
	my.lost = 0;
}

bool
trace_wants(const struct trace_who *w)
{
	const struct trace_whom	*whom = &my.seen.whom;
	uint32_t		 serial;

	if (!trace_on() || w->peer == NULL)
		return false;
	serial = __atomic_load_n(&board->serial, __ATOMIC_SEQ_CST);
	if (serial != my.seen.serial || !my.good)
		look(serial);
	return serial != 0 && my.good && clock_ms() < my.seen.end_ms &&
	    (whom->sid == 0 || whom->sid == w->sid) &&
	    (whom->user[0] == '\0' || span_eq(w->user, span_str(whom->user))) &&
	    (whom->network.family == 0 || network_has(&whom->network, w->peer));
}

static bool
is_connected(void)
{
	if (my.fd >= 0)
		return true;
	if (my.ask == NULL || (my.asked &&
	    clock_ms() - my.asked_ms < AGAIN_MS))
		return false;
	my.fd = my.ask(my.ctx);
	my.asked = true;
	my.asked_ms = clock_ms();
	return my.fd >= 0;
}

static uint64_t
wall_us(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void
put(const struct trace_who *w, enum trace_what what, struct span text,
    uint64_t lines, uint64_t octets)
{
	UNZEROED struct link_out m;
	struct fault		 f;

	if (!is_connected()) {
		my.lost++;
		return;
	}
	link_out_init(&m, MSG_TRACE_LINE);
	link_put_u8(&m, (uint8_t)what);
	link_put_u64(&m, wall_us());
	link_put_u64(&m, w->sid);
	wire_put_peer(&m, w->peer);
	link_put_span(&m, span_first(w->user, IDENTITY_USER_MAX));
	link_put_span(&m, span_first(text, TRACE_TEXT_MAX));
	link_put_u64(&m, lines);
	link_put_u64(&m, octets);
	link_put_u64(&m, my.lost);
	if (link_send(my.fd, &m, NULL, 0, &f) == 0) {
		my.lost = 0;
		return;
	}
	my.lost++;
	if (!link_busy(&f))
		fd_close(&my.fd);	/* nobody reads any more */
}

bool
trace_say(const struct trace_who *w, enum trace_what what, struct span text)
{
	if (!trace_wants(w))
		return false;
	put(w, what, text, 0, 0);
	return true;
}

void
trace_count(const struct trace_who *w, enum trace_what what, uint64_t lines,
    uint64_t octets)
{
	if (trace_wants(w))
		put(w, what, SPAN(""), lines, octets);
}

/* --- fields -------------------------------------------------------------------------- */

int
trace_get_line(struct link_in *m, struct trace_line *l, struct fault *f)
{
	uint8_t what = link_get_u8(m);

	*l = (struct trace_line){ .at_us = link_get_u64(m) };
	l->sid = link_get_u64(m);
	if (what >= TRACE_WHATS || wire_get_peer(m, &l->peer, f) != 0)
		return fault_set(f, FAULT_PEER, "a line of a trace");
	l->what = (enum trace_what)what;
	l->user = link_get_span(m, IDENTITY_USER_MAX);
	l->text = link_get_span(m, TRACE_TEXT_MAX);
	l->lines = link_get_u64(m);
	l->octets = link_get_u64(m);
	l->lost = link_get_u64(m);
	return link_get_end(m, f);
}

void
trace_put_whom(struct link_out *m, const struct trace_whom *w)
{
	struct sock_addr a = { .family = w->network.family };

	memcpy(a.raw, w->network.raw, sizeof(a.raw));
	link_put_u64(m, w->sid);
	link_put_span(m, span_str(w->user));
	link_put_u8(m, w->network.bits);
	wire_put_peer(m, &a);
}

int
trace_get_whom(struct link_in *m, struct trace_whom *w, struct fault *f)
{
	struct sock_addr a;

	*w = (struct trace_whom){ .sid = link_get_u64(m) };
	if (!link_get_cstr(m, w->user, sizeof(w->user)))
		return fault_set(f, FAULT_PEER, "a request without sense");
	w->network.bits = link_get_u8(m);
	if (wire_get_peer(m, &a, f) != 0)
		return -1;
	w->network.family = a.family;
	memcpy(w->network.raw, a.raw, sizeof(w->network.raw));
	if (link_get_end(m, f) != 0)
		return -1;
	return makes_sense(w) ? 0 :
	    fault_set(f, FAULT_PEER, "a request without sense");
}

void
trace_whom_text(const struct trace_whom *w, char out[TRACE_WHOM_TEXT])
{
	const struct network	*n = &w->network;
	struct sock_addr	 a = { .family = n->family };
	char			 where[SOCK_ADDR_MAX + 6] = "";

	memcpy(a.raw, n->raw, sizeof(a.raw));
	sock_addr_text(&a);
	if (n->family != 0 && n->bits == (n->family == 4 ? 32 : 128))
		(void)snprintf(where, sizeof(where), "@%s", a.text);
	else if (n->family != 0)
		(void)snprintf(where, sizeof(where), "@%s/%u", a.text, n->bits);
	if (w->sid != 0)
		wire_sid_text(w->sid, out);
	else
		(void)snprintf(out, TRACE_WHOM_TEXT, "%s%s", w->user, where);
}
