/* SPDX-License-Identifier: ISC */
#include "pop/transact.h"

#include "pop/authorize.h"

#include "pop/lang.h"
#include "pop/pop_priv.h"
#include "pop/say.h"

#include "base/alloc.h"
#include "sys/file.h"

#include <stdlib.h>

typedef enum pop_next handler(struct pop *p, const struct command *cmd,
    struct buf *out);

/* Mostly it is one of the last. */
static void
find_last(struct view *v, const char *uidl)
{
	struct fault f;

	for (size_t i = v->n; i > 0; i--) {
		const struct view_item *m = view_at(v, i - 1, &f);

		if (m != NULL && strcmp(m->entry.uidl, uidl) == 0) {
			v->last_at_login = (uint32_t)i;
			return;
		}
	}
}

struct pop *
pop_new(const struct pop_conf *c, struct drop *maildrop,
    struct drop *bulletins, const struct bull_set *set, int bulletins_fd,
    const char *last_uidl)
{
	struct pop *p = xalloc(1, sizeof(*p));

	p->conf = c;
	p->maildrop = maildrop;
	p->bulletins = bulletins;
	p->set = set;
	p->bulletins_fd = bulletins_fd;
	p->board_fd = -1;
	p->words = c->words;
	view_init(&p->view, maildrop, bulletins);
	utf8_prepare(p, &p->view);
	if (last_uidl != NULL)
		find_last(&p->view, last_uidl);
	p->view.last = p->view.last_at_login;
	p->counts.left = p->view.left;
	p->counts.left_octets = p->view.left_octets;
	return p;
}

static void
close_drop(struct drop **d)
{
	if (*d != NULL)
		drop_ops_of(*d)->close(*d);
	*d = NULL;
}

void
pop_free(struct pop *p)
{
	stream_fini(&p->stream);
	view_fini(&p->view);
	if (p->xmit != NULL)
		xmit_fini(p->xmit);
	free(p->xmit);
	close_drop(&p->maildrop);
	close_drop(&p->bulletins);
	close_drop(&p->board);
	fd_close(&p->board_fd);
	boards_known_fini(&p->known);
	free(p);
}

static unsigned long long
octets(const struct pop *p)
{
	return p->view.left_octets;
}

void
pop_welcome(struct pop *p, struct buf *out)
{
	out->tag = p->words.lang;
	SAY_OK(out, "Maildrop has %zu messages (%llu octets).", p->view.left,
	    octets(p));
}

void
pop_tell_unreadable(struct pop *p)
{
	p->conf->ask->tell(p->conf->ask->ctx, "message-unreadable",
	    p->fault.text);
}

void
pop_unreadable(struct pop *p, struct buf *out)
{
	pop_tell_unreadable(p);
	SAY_FAULT(out, &p->fault);
}

struct view_item *
pop_wanted(struct pop *p, uint64_t msgno, struct buf *out)
{
	struct view_item *m = view_find(&p->view, msgno, &p->fault);

	if (m == NULL && p->fault.class != FAULT_NONE) {
		pop_unreadable(p, out);
		return NULL;
	}
	if (m == NULL) {
		SAY_ERR(out, CODE_NONE, "Message %llu does not exist.",
		    (unsigned long long)msgno);
		return NULL;
	}
	if (m->deleted) {
		SAY_ERR(out, CODE_NONE, "Message %llu has been deleted.",
		    (unsigned long long)msgno);
		return NULL;
	}
	return m;
}

static enum pop_next
on_stat(struct pop *p, const struct command *cmd UNUSED, struct buf *out)
{
	SAY_OK(out, "%zu %llu", p->view.left, octets(p));
	return POP_NEXT_LINE;
}

static enum pop_next
on_list(struct pop *p, const struct command *cmd, struct buf *out)
{
	struct view_item *m;

	if (cmd->nargs == 0) {
		SAY_OK(out, "%zu messages (%llu octets)", p->view.left,
		    octets(p));
		stream_list(p, STREAM_LIST);
		return POP_NEXT_FILL;
	}
	m = pop_wanted(p, cmd->number[0], out);
	if (m == NULL || utf8_refuses(p, m, out))
		return POP_NEXT_LINE;
	if (p->view.read_only)
		SAY_OK(out, "%u %llu %llu", view_msgno(&p->view, m),
		    (unsigned long long)m->entry.size_wire,
		    (unsigned long long)m->maxima);
	else
		SAY_OK(out, "%u %llu", view_msgno(&p->view, m),
		    (unsigned long long)m->entry.size_wire);
	return POP_NEXT_LINE;
}

static enum pop_next
on_uidl(struct pop *p, const struct command *cmd, struct buf *out)
{
	struct view_item *m;

	if (cmd->nargs == 0) {
		SAY_OK(out, "Unique-ids follow.");
		stream_list(p, STREAM_UIDL);
		return POP_NEXT_FILL;
	}
	m = pop_wanted(p, cmd->number[0], out);
	if (m != NULL)
		SAY_OK(out, "%u %s", view_msgno(&p->view, m), m->entry.uidl);
	return POP_NEXT_LINE;
}

static enum pop_next
on_text(struct pop *p, const struct command *cmd, struct buf *out)
{
	bool			 top = cmd->id == CMD_TOP;
	struct view_item	*m = pop_wanted(p, cmd->number[0], out);

	if (m == NULL || utf8_refuses(p, m, out))
		return POP_NEXT_LINE;
	if (stream_message(p, m, top, top ? cmd->number[1] : 0,
	    &p->fault) != 0) {
		pop_unreadable(p, out);
		return POP_NEXT_LINE;
	}
	if (top) {
		SAY_OK(out, "Top of message follows.");
		return POP_NEXT_FILL;
	}
	SAY_OK(out, "%llu octets", (unsigned long long)m->entry.size_wire);
	view_retrieve(&p->view, m);
	p->counts.retrieved++;
	return p->stream.lent_end > 0 ? POP_NEXT_FILE : POP_NEXT_FILL;
}

static enum pop_next
on_dele(struct pop *p, const struct command *cmd, struct buf *out)
{
	struct view_item *m = pop_wanted(p, cmd->number[0], out);

	if (m == NULL)
		return POP_NEXT_LINE;
	view_delete(&p->view, m);
	if (p->view.read_only)
		SAY_OK(out, "Messages of a board are not deleted.");
	else
		SAY_OK(out, "Message %u has been deleted.",
		    view_msgno(&p->view, m));
	return POP_NEXT_LINE;
}

static enum pop_next
on_noop(struct pop *p UNUSED, const struct command *cmd UNUSED,
    struct buf *out)
{
	SAY_OK(out, "Nothing done.");
	return POP_NEXT_LINE;
}

static enum pop_next
on_last(struct pop *p, const struct command *cmd UNUSED, struct buf *out)
{
	SAY_OK(out, "%u is the last message seen.", p->view.last);
	return POP_NEXT_LINE;
}

static enum pop_next
on_rset(struct pop *p, const struct command *cmd UNUSED, struct buf *out)
{
	view_reset(&p->view);
	SAY_OK(out, "Maildrop has %zu messages (%llu octets).", p->view.left,
	    octets(p));
	return POP_NEXT_LINE;
}

static enum pop_next
on_capa(struct pop *p, const struct command *cmd UNUSED, struct buf *out)
{
	char			sasl[AUTHORIZE_MECHANISMS_MAX];
	const bool		passwords = (p->words.way &
				    WORDS_NO_PASSWORDS) == 0;
	const struct capa_facts facts = {
		.phase = CAPA_AFTER_LOGIN,
		.implementation = p->conf->implementation,
		.no_user = !passwords,
		.sasl = sasl,
		.login_delay_s = p->conf->login_delay_s,
		.own_delays = p->conf->own_delays,
		.expire = p->conf->expire,
		.utf8_user = p->conf->utf8_user,
	};

	/* What was there before is there now (RFC 5034 s.3). */
	authorize_mechanisms(p->conf->offers | (p->conf->tokens ?
	    AUTHORIZE_TOKENS : 0), passwords, sasl);
	SAY_OK(out, "Capability list follows.");
	ASSERT(reply_capa(out, &facts) == 0);
	SAY_END(out);
	return POP_NEXT_LINE;
}

static enum pop_next
on_lang(struct pop *p, const struct command *cmd, struct buf *out)
{
	if (!lang_command(cmd, p->conf->preferred, &p->words.lang, out))
		SAY_ERR(out, CODE_NONE, "Unknown language.");
	return POP_NEXT_LINE;
}

static enum pop_next
on_quit(struct pop *p, const struct command *cmd UNUSED, struct buf *out)
{
	p->counts.quit = true;
	if (p->maildrop != NULL && update_run(p) != 0) {
		update_give_up(p);
		SAY_FAULT(out, &p->fault);
	} else {
		SAY_OK(out, "popper at %s signing off.", p->conf->host);
	}
	return POP_NEXT_CLOSE;
}

static handler *const handlers[CMD_COUNT] = {
	[CMD_QUIT]		= on_quit,
	[CMD_CAPA]		= on_capa,
	[CMD_LANG]		= on_lang,
	[CMD_STAT]		= on_stat,
	[CMD_LIST]		= on_list,
	[CMD_RETR]		= on_text,
	[CMD_DELE]		= on_dele,
	[CMD_NOOP]		= on_noop,
	[CMD_LAST]		= on_last,
	[CMD_RSET]		= on_rset,
	[CMD_TOP]		= on_text,
	[CMD_UIDL]		= on_uidl,
	[CMD_XTND_BBOARDS]	= extend_handle,
	[CMD_XTND_ARCHIVE]	= extend_handle,
	[CMD_XTND_X_BBOARDS]	= extend_handle,
	[CMD_XTND_XMIT]		= extend_handle,
	[CMD_XTND_XLST]		= extend_handle,
};

static enum pop_next
bad(struct pop *p, struct buf *out, const char *text)
{
	if (++p->bad >= p->conf->bad_max) {
		SAY_ERR(out, CODE_SYS_TEMP, "Too many bad commands.");
		return POP_NEXT_CLOSE;
	}
	SAY_ERR_TEXT(out, CODE_NONE, text);
	return POP_NEXT_LINE;
}

enum pop_next
pop_line(struct pop *p, struct span line, struct buf *out)
{
	enum command_result	r;
	struct command		cmd;

	out->tag = p->words.lang;
	r = command_parse(line, POP_TRANSACTION, &cmd);
	if (r != COMMAND_OK)
		return bad(p, out, command_error(r));
	p->bad = 0;
	ASSERT(handlers[cmd.id] != NULL);
	return handlers[cmd.id](p, &cmd, out);
}

enum pop_next
pop_too_long(struct pop *p, struct buf *out)
{
	out->tag = p->words.lang;
	return bad(p, out, "Line too long.");
}

enum pop_next
pop_fill(struct pop *p, struct buf *out)
{
	return stream_fill(p, out);
}

enum pop_next
pop_file(struct pop *p, uint64_t sent, struct pop_file *out)
{
	return stream_file(p, sent, out);
}

void
pop_count(const struct pop *p, struct pop_counts *out)
{
	*out = p->counts;
}

int
pop_marks_get(const struct pop *p, struct pop_marks *out, struct fault *f)
{
	const struct view *v = &p->view;

	if (v->own > POP_MARKS_MAX)
		return fault_set(f, FAULT_LIMIT, "%zu messages", v->own);
	out->last = v->last;
	out->retrieved = p->counts.retrieved;
	out->n = v->own;
	for (size_t i = 0; i < v->own; i++)
		out->of[i] = (v->items[i].deleted ? POP_MARK_DELETED : 0) |
		    (v->items[i].retrieved ? POP_MARK_RETRIEVED : 0);
	return 0;
}

int
pop_marks_set(struct pop *p, const struct pop_marks *in, struct fault *f)
{
	struct view *v = &p->view;

	if (in->n != v->own || in->last > v->own)
		return fault_set(f, FAULT_PEER, "marks of %zu messages, LAST"
		    " %u, for %zu", in->n, in->last, v->own);
	if (view_all(v, f) == -1)
		return -1;
	for (size_t i = 0; i < v->own; i++) {
		if ((in->of[i] & POP_MARK_RETRIEVED) != 0)
			view_retrieve(v, &v->items[i]);
		if ((in->of[i] & POP_MARK_DELETED) != 0)
			view_delete(v, &v->items[i]);
	}
	v->last = in->last;
	p->counts.retrieved = in->retrieved;
	return 0;
}

bool
pop_is_changed(struct pop *p)
{
	struct view	*v = &p->view;
	struct fault	 f;

	if (update_is_idle(p))
		return false;
	if (view_all(v, &f) == -1)
		return true;		/* UPDATE will say why not */
	for (size_t i = 0; i < v->n; i++)
		if (v->items[i].deleted || v->items[i].retrieved ||
		    update_expires(p, &v->items[i]))
			return true;
	return false;
}

struct words
pop_words(const struct pop *p)
{
	return p->words;
}
