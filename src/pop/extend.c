/* SPDX-License-Identifier: ISC */
/*
 * XTND: RFC 1082's discussion groups, and popper's XMIT and XLST.
 *
 * Where we differ from RFC 1082: it closes the current maildrop (removing
 * what is marked deleted) before it looks whether the name is valid, so that a
 * typing error ends with no maildrop at all.  Here the name is looked up and the
 * group's maildrop opened first; only then is the current one closed.
 */
#include "pop/pop_priv.h"
#include "pop/say.h"

#include "base/alloc.h"
#include "sys/file.h"

#include <stdlib.h>

#define NO_SUCH_BOARD	"no such bboard"
#define SCAN_TRIES	3	/* of a group's maildrop that changes meanwhile */

static void
tell_mistake(void *ctx, unsigned line, const char *text)
{
	const struct pop	*p = ctx;
	char			 both[512];
	struct buf		 b;

	buf_init(&b, sizeof(both));
	if (buf_appendf(&b, "%s:%u: %s", p->conf->bboards, line, text) == 0 &&
	    span_cstr(buf_span(&b), both, sizeof(both)))
		p->conf->ask->tell(p->conf->ask->ctx, "bboards-mistake", both);
	buf_fini(&b);
}

/* The list of groups; empty when there is none.  -1: it was told why. */
static int
load_boards(struct pop *p, struct bboards *list, struct fault *f)
{
	*list = (struct bboards){ 0 };
	if (p->conf->bboards[0] == '\0' ||
	    bboards_load(p->conf->bboards, list, tell_mistake, p, f) == 0)
		return 0;
	p->conf->ask->tell(p->conf->ask->ctx, "bboards-unreadable", f->text);
	return -1;
}

/*
 * A copy of a group's maildrop as a read-only drop, with the messages'
 * maxima; the group's own in *maxima_r.
 */
static int
open_board(struct pop *p, const struct bboard *b, enum bboard_part part,
    struct drop **drop_r, int *fd_r, struct fault *f)
{
	const struct pop_host	*ask = p->conf->ask;
	AUTO(fd_close) int	 fd = -1;
	uint64_t		 len;

	if (ask->tempfile(ask->ctx, &fd, f) != 0 ||
	    bboard_copy(b, part, fd, p->conf->copy_max, &len, f) != 0 ||
	    mbox_open_image(fd, len, drop_r, f) != 0)
		return -1;
	*fd_r = fd_take(&fd);
	return 0;
}

static int
number_messages(struct view *v, uint64_t *maxima_r, struct fault *f)
{
	char	id[32];
	ssize_t	n;

	*maxima_r = 0;
	for (size_t i = 0; i < v->n; i++) {
		const struct view_item *m = view_at(v, i, f);

		n = m == NULL ? -1 : text_field(m, SPAN("BBoard-Id"), id,
		    sizeof(id), f);
		if (n < 0)
			return -1;
		*maxima_r = bboard_next_maxima(*maxima_r,
		    span_of(id, (size_t)n));
		v->items[i].maxima = *maxima_r;
	}
	v->read_only = true;
	return 0;
}

/* The group's maxima: its messages', or more when the count file says so. */
static uint64_t
group_maxima(const struct bboard *b, enum bboard_part part, uint64_t greatest)
{
	uint64_t counted = bboard_count_file(b, part);

	return counted > greatest ? counted : greatest;
}

struct opened {
	struct drop	*drop;
	int		 fd;
	struct view	 view;
	uint64_t	 maxima;
};

static void
opened_fini(struct opened *o)
{
	view_fini(&o->view);
	if (o->drop != NULL)
		drop_ops_of(o->drop)->close(o->drop);
	o->drop = NULL;
	fd_close(&o->fd);
}

static int
open_whole(struct pop *p, const struct bboard *b, enum bboard_part part,
    struct opened *o, struct fault *f)
{
	*o = (struct opened){ .fd = -1 };
	if (open_board(p, b, part, &o->drop, &o->fd, f) != 0)
		return -1;
	view_init(&o->view, o->drop, NULL);
	utf8_prepare(p, &o->view);
	if (number_messages(&o->view, &o->maxima, f) != 0) {
		opened_fini(o);
		return -1;
	}
	o->maxima = group_maxima(b, part, o->maxima);
	return 0;
}

/* ---- MAXIMA without opening ---- */

void
boards_known_fini(struct boards_known *k)
{
	for (size_t i = 0; i < k->n; i++)
		free(k->list[i].path);
	free(k->list);
	*k = (struct boards_known){ 0 };
}

/* What is known of this maildrop; nothing yet: an entry that fits no file. */
static struct board_known *
known_of(struct pop *p, const char *path)
{
	struct boards_known *k = &p->known;

	for (size_t i = 0; i < k->n; i++)
		if (strcmp(k->list[i].path, path) == 0)
			return &k->list[i];
	k->list = xgrow(k->list, k->n, &k->cap, sizeof(*k->list));
	k->list[k->n] = (struct board_known){ .path = xstrdup(path) };
	return &k->list[k->n++];
}

/* The greatest MAXIMA in the first octets of a maildrop that may be changing. */
static int
scan_board(int fd, uint64_t len, uint64_t *greatest_r, struct fault *f)
{
	struct opened	o = { .fd = -1 };
	int		r;

	if (mbox_open_image(fd, len, &o.drop, f) != 0)
		return -1;
	view_init(&o.view, o.drop, NULL);
	r = number_messages(&o.view, greatest_r, f);
	opened_fini(&o);
	return r;
}

/*
 * What was scanned is what a delivery had left, when nobody wrote meanwhile;
 * else it is scanned again.  Mail that is appended each time does not matter:
 * who asks again gets another scan.
 */
static int
scan_settled(int fd, struct board_known *known, struct fault *f)
{
	struct file_facts	before;
	struct file_facts	after;
	uint64_t		greatest = 0;
	int			r = 0;

	for (int try = 0; try < SCAN_TRIES; try++) {
		if (bboard_settled(fd, &before, f) != 0)
			return -1;
		r = scan_board(fd, before.size, &greatest, f);
		if (file_facts(fd, &after, NULL) != 0 ||
		    bboard_unchanged(&before, &after))
			break;
	}
	if (r != 0)
		return -1;
	known->facts = before;
	known->greatest = greatest;
	return 0;
}

/* A group's MAXIMA, from its maildrop where it lies: neither a copy nor a lock
 * that a delivery would wait for. */
static int
find_maxima(struct pop *p, const struct bboard *b, uint64_t *maxima_r,
    struct fault *f)
{
	struct board_known	*known = known_of(p, b->maildrop);
	AUTO(fd_close) int	 fd = -1;
	struct file_facts	 now;

	if (bboard_open(b, BBOARD_MAILDROP, &fd, &now, f) != 0)
		return -1;
	if (!bboard_unchanged(&now, &known->facts) &&
	    scan_settled(fd, known, f) != 0)
		return fault_prefix(f, "bboard %s: ", b->name);
	*maxima_r = group_maxima(b, BBOARD_MAILDROP, known->greatest);
	return 0;
}

/* Close the current drop; the maildrop with its UPDATE. */
static int
leave_current(struct pop *p)
{
	if (p->maildrop != NULL && update_run(p) != 0)
		return -1;
	if (p->board != NULL)
		drop_ops_of(p->board)->close(p->board);
	p->board = NULL;
	fd_close(&p->board_fd);
	stream_fini(&p->stream);
	view_fini(&p->view);
	return 0;
}

static void
enter(struct pop *p, struct opened *o)
{
	p->board = o->drop;
	p->board_fd = o->fd;
	p->view = o->view;
	view_reset(&p->view);
	p->view.last = 0;
	p->view.last_at_login = 0;
	*o = (struct opened){ .fd = -1 };
}

static enum pop_next
switch_to(struct pop *p, const struct bboard *b, enum bboard_part part,
    struct buf *out)
{
	const struct pop_host	*ask = p->conf->ask;
	AUTO(opened_fini) struct opened o = { .fd = -1 };
	struct fault		 f;

	if (open_whole(p, b, part, &o, &f) != 0) {
		ask->tell(ask->ctx, "bboard-unreadable", f.text);
		SAY_FAULT(out, &f);
		return POP_NEXT_LINE;
	}
	if (leave_current(p) != 0) {
		SAY_FAULT(out, &p->fault);
		if (!p->unfinished)
			return POP_NEXT_LINE;
		update_give_up(p);
		return POP_NEXT_CLOSE;
	}
	SAY_OK(out, "XTND");
	SAY_LINE(out, "%s %llu", b->name, (unsigned long long)o.maxima);
	SAY_END(out);
	enter(p, &o);
	return POP_NEXT_LINE;
}

static enum pop_next
list_boards(struct pop *p, const struct bboards *list, struct buf *out)
{
	struct buf	*lines = stream_listing(p);
	struct fault	 f;
	uint64_t	 maxima;

	SAY_OK(out, "XTND");
	for (size_t i = 0; i < list->n; i++) {
		const struct bboard *b = &list->list[i];

		if (bboard_readable(b, BBOARD_MAILDROP, &f) == 0)
			continue;
		if (find_maxima(p, b, &maxima, &f) != 0) {
			p->conf->ask->tell(p->conf->ask->ctx,
			    "bboard-unreadable", f.text);
			continue;
		}
		SAY_LINE(lines, "%s %llu", b->name,
		    (unsigned long long)maxima);
	}
	return POP_NEXT_FILL;
}

/* RFC 1082's fourteen lines; what is local to us or secret stays empty. */
static enum pop_next
describe(struct pop *p, const struct bboard *b, struct buf *out)
{
	struct buf	*lines;
	struct fault	 f;
	uint64_t	 maxima;
	char		 date[64];

	if (find_maxima(p, b, &maxima, &f) != 0) {
		p->conf->ask->tell(p->conf->ask->ctx, "bboard-unreadable",
		    f.text);
		SAY_FAULT(out, &f);
		return POP_NEXT_LINE;
	}
	if (bboard_lastdate(b, date, sizeof(date)) != 0)
		date[0] = '\0';
	SAY_OK(out, "XTND");
	lines = stream_listing(p);
	SAY_LINE(lines, "%s", b->name);			/* 1 NAME */
	SAY_LINE(lines, "%s", b->aliases);		/* 2 ALIASES */
	for (int i = 3; i <= 8; i++)			/* paths, password... */
		SAY_LINE(lines, "%s", "");
	SAY_LINE(lines, "%s", b->address);		/* 9 ADDRESS */
	SAY_LINE(lines, "%s", b->request);		/* 10 REQUEST */
	SAY_LINE(lines, "%s", "");			/* feeds */
	SAY_LINE(lines, "%s", "");
	SAY_LINE(lines, "%s %llu", b->flags,		/* 13 FLAGS MAXIMA */
	    (unsigned long long)maxima);
	SAY_LINE(lines, "%s", date);			/* 14 LASTDATE */
	return POP_NEXT_FILL;
}

static enum pop_next
on_boards(struct pop *p, const struct command *cmd, struct buf *out)
{
	const struct bboard	*b;
	struct bboards		 list;
	struct fault		 f;
	enum bboard_part	 part;
	enum pop_next		 next = POP_NEXT_LINE;

	if (load_boards(p, &list, &f) != 0) {
		SAY_FAULT(out, &f);
		return POP_NEXT_LINE;
	}
	part = cmd->id == CMD_XTND_ARCHIVE ? BBOARD_ARCHIVE : BBOARD_MAILDROP;
	b = cmd->nargs == 0 ? NULL : bboards_find(&list, cmd->word[0]);
	if (cmd->nargs == 0)
		next = list_boards(p, &list, out);
	else if (b == NULL || bboard_readable(b, part, &f) == 0)
		SAY_ERR(out, CODE_NONE, NO_SUCH_BOARD);
	else if (cmd->id == CMD_XTND_X_BBOARDS)
		next = describe(p, b, out);
	else
		next = switch_to(p, b, part, out);
	bboards_fini(&list);
	return next;
}

static enum pop_next
on_xlst(struct pop *p, const struct command *cmd, struct buf *out)
{
	const struct view_item *m;

	if (cmd->word[0].n > UINT8_MAX) {
		SAY_ERR(out, CODE_NONE, "Header name too long.");
		return POP_NEXT_LINE;
	}
	if (cmd->nargs == 1) {
		stream_fields(p, cmd->word[0]);
	} else if ((m = pop_wanted(p, cmd->number[1], out)) == NULL) {
		return POP_NEXT_LINE;
	} else if (stream_field(p, cmd->word[0], m, &p->fault) != 0) {
		pop_unreadable(p, out);
		return POP_NEXT_LINE;
	}
	SAY_OK(out, "xlst command accepted; headers coming.");
	return POP_NEXT_FILL;
}

/* The codes are for what is the host's fault (RFC 3206). */
static void
say_unsent(struct buf *out, const struct fault *f)
{
	if (f->class == FAULT_LIMIT)
		SAY_ERR(out, CODE_SYS_TEMP, "Too many messages, try again later.");
	else
		SAY_ERR(out, f->class == FAULT_PERM ? CODE_SYS_PERM :
		    f->class == FAULT_PROTO ? CODE_NONE : CODE_SYS_TEMP,
		    "Unable to send message.");
}

static enum pop_next
on_xmit(struct pop *p, struct buf *out)
{
	const struct pop_host	*ask = p->conf->ask;
	struct fault		 f;
	int			 fd;

	if (!p->conf->xmit) {
		SAY_ERR(out, CODE_NONE, "Sending mail is not offered here.");
		return POP_NEXT_LINE;
	}
	if (ask->draft(ask->ctx, &fd, &f) != 0) {
		bool none = f.class == FAULT_PERM;

		ask->tell(ask->ctx, none ? "xmit-failed" : "xmit-no-file", f.text);
		if (none)
			say_unsent(out, &f);
		else
			SAY_ERR(out, CODE_SYS_TEMP,
			    "Unable to create temporary message file.");
		return POP_NEXT_LINE;
	}
	p->xmit = xalloc(1, sizeof(*p->xmit));
	xmit_init(p->xmit, fd, p->conf->xmit_max);
	SAY_OK(out, "Start sending message.");
	return POP_NEXT_COLLECT;
}

static void
send_message(struct pop *p, struct buf *out)
{
	const struct pop_host	*ask = p->conf->ask;
	struct fault		 f;

	xmit_judge(p->xmit, p->conf->xmit_sender);
	if (p->xmit->refusal != XMIT_FINE) {
		ask->tell(ask->ctx, "xmit-refused",
		    xmit_text(p->xmit->refusal));
		SAY_ERR_TEXT(out, p->xmit->refusal == XMIT_NO_ROOM ?
		    CODE_SYS_TEMP : CODE_NONE, xmit_text(p->xmit->refusal));
		return;
	}
	if (ask->submit(ask->ctx, p->xmit->fd, &f) == 0) {
		SAY_OK(out, "Message sent successfully.");
		return;
	}
	ask->tell(ask->ctx, "xmit-failed", f.text);
	say_unsent(out, &f);
}

enum pop_next
pop_collect(struct pop *p, struct span *in, struct buf *out)
{
	ASSERT(p->xmit != NULL);
	out->tag = p->words.lang;
	if (!xmit_feed(p->xmit, in))
		return POP_NEXT_COLLECT;
	send_message(p, out);
	xmit_fini(p->xmit);
	free(p->xmit);
	p->xmit = NULL;
	return POP_NEXT_LINE;
}

enum pop_next
extend_handle(struct pop *p, const struct command *cmd, struct buf *out)
{
	if (cmd->id == CMD_XTND_XLST)
		return on_xlst(p, cmd, out);
	if (cmd->id == CMD_XTND_XMIT)
		return on_xmit(p, out);
	return on_boards(p, cmd, out);
}
