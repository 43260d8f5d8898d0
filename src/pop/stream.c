/* SPDX-License-Identifier: ISC */
/*
 * Multi-line replies, written piece by piece as the output has room.  Cost of
 * RETR: each octet is read once and encoded once; memory TEXT_BLOCK, or what the
 * drop has at hand.
 *
 * Of a large message that is on the wire what it is in a file, the greater part goes
 * from there to the socket without a copy.  The client then gets what the file has
 * when it takes it: so the last block is read, which tells whether the file is still
 * what it was, when the client has taken that part, and a message that somebody
 * changed meanwhile is not ended.  Nobody has to wait for that: between that part and
 * the last block stands more than the kernel holds for a connection.
 */
#include "pop/pop_priv.h"
#include "pop/say.h"

#include "base/alloc.h"
#include "base/num.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* Room for a useful piece of text, or of a list. */
#define STREAM_ROOM	512u
/* A line of one: three numbers, or one and a unique-id with a NUL behind it. */
#define LISTED_MAX	(NUM_DIGITS + 1 + DROP_UIDL_MAX + 2)
static_assert(LISTED_MAX >= 3 * NUM_DIGITS + 4, "LIST of a board");
static_assert(LISTED_MAX <= STREAM_ROOM, "one at a time, at least");
/* What a TCP connection may hold: the kernel's tcp_wmem, as it comes. */
#define LENT_REST	(4u << 20)
/* From there on it is worth it. */
#define LENT_FROM	(2 * LENT_REST)
/* How much at a time: then the file is looked at. */
#define LENT_PIECE	(1u << 20)
/* Far more than a bboards file of its greatest size can make. */
#define LISTING_MAX	(16u << 20)

void
stream_fini(struct stream *s)
{
	if (s->text != NULL)
		text_fini(s->text);
	free(s->text);
	buf_fini(&s->listing);
	*s = (struct stream){ 0 };
}

void
stream_list(struct pop *p, enum stream_kind kind)
{
	stream_fini(&p->stream);
	p->stream.kind = kind;
	p->stream.stop = p->view.n;
}

/* Which part of TOP's next piece goes out; false behind the last line. */
static bool
top_wants(struct stream *s, const struct text_piece *piece)
{
	if (!s->in_body) {
		s->in_body = text_is_blank(piece);
		return true;
	}
	if (s->lines == 0)
		return false;
	if (piece->ends_line)
		s->lines--;
	return true;
}

/* The first part of a reply, read ahead: what cannot be read gets an -ERR. */
static int
read_ahead(struct stream *s, bool top, struct fault *f)
{
	struct text_piece piece;

	if (!top)
		return text_block(s->text, &s->pending, f);
	if (text_piece(s->text, &piece, f) != 0)
		return -1;
	if (top_wants(s, &piece))
		s->pending = piece.s;
	return 0;
}

static bool
may_lend(const struct pop *p, const struct view_item *m)
{
	const struct pop_host *ask = p->conf->ask;

	return m->entry.size_disk >= LENT_FROM && !m->recoded &&
	    (m->entry.flags & DROP_AS_SENT) != 0 &&
	    drop_ops_of(m->drop)->lend != NULL &&
	    ask->lends != NULL && ask->lends(ask->ctx);
}

/* What is encoded goes on wherever it may be in a line: none begins with a dot, and
 * before an LF there was a CR. */
static void
encode_from(struct stream *s, uint64_t off)
{
	text_begin_at(s->text, off);
	s->encoder = (struct dot_encoder){ .mid_line = true, .after_cr = true };
}

static int
lend(struct stream *s, int *fd_r, struct fault *f)
{
	const struct view_item *m = s->text->m;

	return drop_ops_of(m->drop)->lend(m->drop, m->index, fd_r, f);
}

static int
begin_lending(struct stream *s, struct fault *f)
{
	int fd;

	s->lent_end = s->text->m->entry.size_disk - LENT_REST;
	encode_from(s, s->lent_end);
	return lend(s, &fd, f);
}

int
stream_message(struct pop *p, struct view_item *m, bool top, uint64_t lines,
    struct fault *f)
{
	struct stream *s = &p->stream;

	stream_fini(s);
	s->text = xalloc(1, sizeof(*s->text));
	s->lines = lines;
	text_init(s->text, m);
	if ((!top && may_lend(p, m) ? begin_lending(s, f) :
	    read_ahead(s, top, f)) != 0) {
		stream_fini(s);
		return -1;
	}
	s->kind = top ? STREAM_TOP : STREAM_MESSAGE;
	return 0;
}

void
stream_fields(struct pop *p, struct span name)
{
	struct stream *s = &p->stream;

	stream_fini(s);
	s->kind = STREAM_FIELD;
	s->stop = p->view.n;
	ASSERT(name.n <= UINT8_MAX);
	memcpy(s->field, name.p, name.n);
	s->field_n = (uint8_t)name.n;
}

/* The next one whose field is looked for. */
static void
field_begin(struct stream *s, const struct view_item *m)
{
	if (s->text == NULL)
		s->text = xalloc(1, sizeof(*s->text));
	text_fini(s->text);
	text_init(s->text, m);
	s->in_field = false;
	s->matched = false;
	s->index++;
}

int
stream_field(struct pop *p, struct span name, const struct view_item *m,
    struct fault *f)
{
	struct stream *s = &p->stream;

	stream_fields(p, name);
	s->stop = view_msgno(&p->view, m);
	s->index = s->stop - 1;
	field_begin(s, m);
	if (text_begin(s->text, f) == 0)
		return 0;
	stream_fini(s);
	return -1;
}

struct buf *
stream_listing(struct pop *p)
{
	stream_fini(&p->stream);
	p->stream.kind = STREAM_LISTING;
	buf_init(&p->stream.listing, LISTING_MAX);
	return &p->stream.listing;
}

static enum pop_next
finish(struct pop *p, struct buf *out)
{
	if (buf_room(out) < STREAM_ROOM)
		return POP_NEXT_FILL;
	ASSERT(dot_encode_end(&p->stream.encoder, out) == 0);
	stream_fini(&p->stream);
	return POP_NEXT_LINE;
}

/* A line of LIST or UIDL; its end, or NULL when it cannot be found out. */
static char *
put_listed(struct pop *p, size_t i, char *out)
{
	uint64_t size;

	out = num_put(out, i + 1);
	*out++ = ' ';
	if (p->stream.kind == STREAM_UIDL) {
		out = view_uidl(&p->view, i, out, &p->fault);
		if (out == NULL)
			return NULL;
	} else {
		if (view_size(&p->view, i, &size, &p->fault) == -1)
			return NULL;
		out = num_put(out, size);
	}
	if (p->stream.kind == STREAM_LIST && p->view.read_only) {
		*out++ = ' ';
		out = num_put(out, p->view.items[i].maxima);
	}
	*out++ = '\r';
	*out++ = '\n';
	return out;
}

/* As many lines as there is room for, which is asked for once. */
static bool
put_lines(struct pop *p, struct buf *out)
{
	struct stream	*s = &p->stream;
	size_t		 n = buf_room(out) / LISTED_MAX;
	char		*begin;
	char		*at;
	char		*end = NULL;

	if (n > s->stop - s->index)
		n = s->stop - s->index;
	begin = at = (char *)buf_reserve(out, n * LISTED_MAX);
	for (; at != NULL && n > 0; s->index++, n--)
		if (!view_is_deleted(&p->view, s->index)) {
			end = at;
			at = put_listed(p, s->index, at);
		}
	buf_extend(out, (size_t)((at == NULL ? end : at) - begin));
	return at != NULL;
}

static enum pop_next
fill_list(struct pop *p, struct buf *out)
{
	struct stream *s = &p->stream;

	while (s->index < s->stop) {
		if (buf_room(out) < STREAM_ROOM)
			return POP_NEXT_FILL;
		if (!put_lines(p, out))
			return POP_NEXT_ABORT;
	}
	return finish(p, out);
}

/* Before the last block of one that was lent: true once. */
static bool
waits_for_taken(struct stream *s)
{
	uint64_t left = s->text->m->entry.size_disk - s->text->off;

	if (s->lent == 0 || s->taken || left > TEXT_BLOCK)
		return false;
	s->taken = true;
	return true;
}

static enum pop_next
fill_message(struct pop *p, struct buf *out)
{
	struct stream *s = &p->stream;

	for (;;) {
		dot_encode(&s->encoder, &s->pending, out);
		if (s->pending.n > 0)
			return POP_NEXT_FILL;
		if (waits_for_taken(s))
			return POP_NEXT_TAKEN;
		if (text_block(s->text, &s->pending, &p->fault) != 0)
			return POP_NEXT_ABORT;
		if (s->pending.n == 0)
			return finish(p, out);
	}
}

enum pop_next
stream_file(struct pop *p, uint64_t sent, struct pop_file *out)
{
	struct stream *s = &p->stream;

	s->lent += sent;
	if (out == NULL) {
		encode_from(s, s->lent);
		return POP_NEXT_FILL;
	}
	if (s->lent == s->lent_end)
		return POP_NEXT_FILL;
	if (lend(s, &out->fd, &p->fault) != 0)
		return POP_NEXT_ABORT;
	out->off = s->lent;
	out->n = s->lent_end - s->lent;
	if (out->n > LENT_PIECE)
		out->n = LENT_PIECE;
	return POP_NEXT_FILE;
}

static enum pop_next
fill_top(struct pop *p, struct buf *out)
{
	struct stream		*s = &p->stream;
	struct text_piece	 piece;

	for (;;) {
		dot_encode(&s->encoder, &s->pending, out);
		if (s->pending.n > 0)
			return POP_NEXT_FILL;
		if (text_piece(s->text, &piece, &p->fault) != 0)
			return POP_NEXT_ABORT;
		if (piece.s.n == 0 || !top_wants(s, &piece))
			return finish(p, out);
		s->pending = piece.s;
	}
}

/* XLST: go to the next message that is not deleted.  0: at the end; -1. */
static int
field_next_message(struct pop *p)
{
	struct stream		*s = &p->stream;
	const struct view_item	*m;

	while (s->index < s->stop && view_is_deleted(&p->view, s->index))
		s->index++;
	if (s->index >= s->stop)
		return 0;
	m = view_at(&p->view, s->index, &p->fault);
	if (m == NULL)
		return -1;
	field_begin(s, m);
	return 1;
}

/*
 * One piece of a header.  Sets s->pending to what is to be sent, with the
 * message number before the first.  False when this message is done.
 */
static bool
field_take(struct stream *s, const struct text_piece *piece, struct buf *out)
{
	struct span prefix;

	if (piece->s.n == 0 || text_is_blank(piece))
		return false;
	if (piece->begins_line && s->in_field)
		s->in_field = piece->s.p[0] == ' ' || piece->s.p[0] == '\t';
	if (s->matched && !s->in_field)
		return false;
	if (!s->matched && text_is_field(piece, span_of(s->field, s->field_n))) {
		s->matched = true;
		s->in_field = true;
		(void)snprintf(s->prefix, sizeof(s->prefix), "%zu ", s->index);
		prefix = span_str(s->prefix);
		dot_encode(&s->encoder, &prefix, out);
	}
	if (s->in_field)
		s->pending = piece->s;
	return true;
}

/* The one that cannot be read; the others can.  Not when the client has part of it. */
static int
field_pass_over(struct pop *p)
{
	struct stream *s = &p->stream;

	if (s->matched)
		return -1;
	if (!s->passed_over)
		pop_tell_unreadable(p);
	s->passed_over = true;
	return field_next_message(p);
}

static enum pop_next
fill_field(struct pop *p, struct buf *out)
{
	struct stream		*s = &p->stream;
	struct text_piece	 piece;
	int			 more = s->text != NULL ? 1 :
				    field_next_message(p);

	while (more == 1) {
		dot_encode(&s->encoder, &s->pending, out);
		if (s->pending.n > 0 || buf_room(out) < STREAM_ROOM)
			return POP_NEXT_FILL;
		if (text_piece(s->text, &piece, &p->fault) != 0) {
			more = field_pass_over(p);
			continue;
		}
		if (field_take(s, &piece, out))
			continue;
		if (s->encoder.mid_line) {
			/* a header that ends without line end */
			s->pending = SPAN("\n");
			continue;
		}
		more = field_next_message(p);
	}
	return more == 0 ? finish(p, out) : POP_NEXT_ABORT;
}

static enum pop_next
fill_listing(struct pop *p, struct buf *out)
{
	struct stream	*s = &p->stream;
	struct span	 rest = buf_span(&s->listing);

	dot_encode(&s->encoder, &rest, out);
	buf_consume(&s->listing, buf_len(&s->listing) - rest.n);
	return rest.n > 0 ? POP_NEXT_FILL : finish(p, out);
}

enum pop_next
stream_fill(struct pop *p, struct buf *out)
{
	switch (p->stream.kind) {
	case STREAM_NONE:
		break;
	case STREAM_LIST:
	case STREAM_UIDL:
		return fill_list(p, out);
	case STREAM_MESSAGE:
		return fill_message(p, out);
	case STREAM_TOP:
		return fill_top(p, out);
	case STREAM_FIELD:
		return fill_field(p, out);
	case STREAM_LISTING:
		return fill_listing(p, out);
	}
	return POP_NEXT_LINE;
}
