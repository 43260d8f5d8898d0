/* SPDX-License-Identifier: ISC */
/*
 * Which bulletins a user gets at this login, and their bytes.  Popper's
 * reference, section 5; what differs from the old code:
 *
 * - A bad bulletin is skipped, the others are delivered.
 * - The number that will be recorded is that of the last bulletin that was
 *   delivered, not the greatest name: one that an operator is still writing
 *   (no From_ line yet) is not lost to those who log in meanwhile.
 * - A disk that cannot be read now stops the run before that bulletin, so that
 *   no later number can skip it for ever.
 */
#include "bull/bull.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "bull/bull_priv.h"
#include "bull/filter.h"
#include "bull/popbull.h"
#include "sys/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK		65536
#define ADDRESS_MAX	1024		/* "user@host" */

struct run {
	const char	*dir;
	int		 dirfd;
	int		 out_fd;
	uint64_t	 out_off;	/* of the next octet in the file */
	struct buf	 buf;		/* what is not written yet */
	char		 to[ADDRESS_MAX];
	const struct bull_reader *who;
	struct bull_set	*set;
	size_t		 cap;
	struct fault	*f;
};

static void PRINTF(3, 4)
tell(struct run *r, const char *id, const char *fmt, ...)
{
	char	text[512];
	va_list	ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->who->tell(r->who->ctx, id, text);
}

static int
flush(struct run *r)
{
	struct span s = buf_span(&r->buf);

	if (s.n > 0 && file_pwrite(r->out_fd, s.p, s.n, r->out_off, r->f) == -1)
		return -1;
	r->out_off += s.n;
	buf_clear(&r->buf);
	return 0;
}

static int
put(void *ctx, struct span s)
{
	struct run *r = ctx;

	while (s.n > 0) {
		struct span part = span_first(s, buf_room(&r->buf));

		if (buf_append(&r->buf, part) == -1)
			return -1;
		s = span_skip(s, part.n);
		if (buf_room(&r->buf) == 0 && flush(r) == -1)
			return -1;
	}
	return 0;
}

enum piece_result {
	PIECE_DONE,
	PIECE_SKIP,			/* was told; the next one may be good */
	PIECE_STOP,			/* was told; may be readable tomorrow */
	PIECE_NO_ROOM,			/* r->f: the copy cannot be written */
};

/* The bytes of one bulletin; up to the size that it has now. */
static enum piece_result
copy_piece(struct run *r, int fd, const char *name)
{
	struct bull_filter	filter;
	struct file_facts	facts;
	static uint8_t	block[BLOCK];
	uint64_t		off = 0;

	if (file_facts(fd, &facts, r->f) == -1)
		goto unreadable;
	bull_filter_init(&filter, r->to, put, r);
	while (off < facts.size && filter.verdict == BULL_GOOD) {
		uint64_t	left = facts.size - off;
		ssize_t		n = file_pread(fd, block, left < sizeof(block) ?
		    (size_t)left : sizeof(block), off, r->f);

		if (n == -1)
			goto unreadable;
		if (n == 0)
			break;
		if (bull_filter_feed(&filter, span_of(block, (size_t)n)) == -1)
			return PIECE_NO_ROOM;
		off += (uint64_t)n;
	}
	if (bull_filter_end(&filter) == -1)
		return PIECE_NO_ROOM;
	if (filter.verdict == BULL_GOOD)
		return PIECE_DONE;
	tell(r, "bulletin-bad", "%s: %s", name,
	    bull_verdict_text(filter.verdict));
	return PIECE_SKIP;
unreadable:
	tell(r, "bulletin-unreadable", "%s: %s", name, r->f->text);
	return PIECE_STOP;
}

static enum piece_result
open_piece(struct run *r, const char *name, int *fd_r)
{
	if (bull_open(r->dirfd, name, fd_r, r->f) == 0)
		return PIECE_DONE;
	if (r->f->err == ENOENT)	/* removed since the list was made */
		return PIECE_SKIP;
	tell(r, "bulletin-unreadable", "%s: %s", name, r->f->text);
	return r->f->class == FAULT_PERM ? PIECE_SKIP : PIECE_STOP;
}

/* Append one bulletin as a piece; nothing of it remains when it is bad. */
static enum piece_result
add_piece(struct run *r, const struct bull_file *b)
{
	AUTO(fd_close) int	 fd = -1;
	struct bull_set		*set = r->set;
	uint64_t		 off = r->out_off;
	enum piece_result	 result = open_piece(r, b->name, &fd);

	if (result != PIECE_DONE)
		return result;
	result = copy_piece(r, fd, b->name);
	if (result == PIECE_DONE && flush(r) == -1)
		result = PIECE_NO_ROOM;
	if (result != PIECE_DONE) {
		buf_clear(&r->buf);
		r->out_off = off;
		return result;
	}
	set->pieces = xgrow(set->pieces, set->n, &r->cap, sizeof(*set->pieces));
	set->pieces[set->n++] = (struct bull_piece){
		.number = b->number, .off = off, .len = r->out_off - off,
	};
	set->highest = b->number;
	return PIECE_DONE;
}

/* Give up what was taken of a number, so that all of it comes next time. */
static void
forget(struct bull_set *set, uint64_t number)
{
	while (set->n > 0 && set->pieces[set->n - 1].number == number)
		set->n--;
	set->highest = set->n > 0 ? set->pieces[set->n - 1].number :
	    set->recorded;
}

static int
add_all(struct run *r, const struct bull_names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		switch (add_piece(r, &names->list[i])) {
		case PIECE_DONE:
		case PIECE_SKIP:
			break;
		case PIECE_STOP:
			forget(r->set, names->list[i].number);
			return 0;
		case PIECE_NO_ROOM:
			return fault_prefix(r->f, "copy of the bulletins: ");
		}
	}
	return 0;
}

static void
name_skipped(void *ctx, const char *name, enum bull_name why)
{
	if (why == BULL_NAME_TOO_LONG)
		tell(ctx, "bulletin-bad", "%s: a number has at most %d digits",
		    name, BULL_DIGITS_MAX);
}

static void
tell_unreadable(struct run *r)
{
	tell(r, "bulletin-folder-unreadable", "%s: %s", r->dir, r->f->text);
}

/* False: it was told. */
static bool
list(struct run *r, uint64_t least, struct bull_names *out)
{
	*out = (struct bull_names){
		.least = least, .skipped = name_skipped, .ctx = r,
	};
	if (bull_names_read(out, r->dirfd, r->f) == 0)
		return true;
	tell_unreadable(r);
	return false;
}

/* Of a folder with many, those that have come since are few. */
static int
add_newer(struct run *r)
{
	struct bull_names	newer;
	int			result;

	if (!list(r, r->set->recorded + 1, &newer))
		return 0;
	result = add_all(r, &newer);
	bull_names_fini(&newer);
	return result;
}

/* The greatest number of a regular file: a folder "99.old" is none. */
static int
maximum(struct run *r, const struct bull_names *names, uint64_t *number_r)
{
	struct file_facts facts;

	*number_r = 0;
	for (size_t i = names->n; i > 0; i--) {
		const struct bull_file *b = &names->list[i - 1];

		if (file_facts_at(r->dirfd, b->name, &facts, r->f) == -1) {
			if (r->f->err != ENOENT)
				return -1;
		} else if (facts.is_regular) {
			*number_r = b->number;
			return 0;
		}
	}
	return 0;
}

/* Whoever has no number starts with the maximum: no old bulletins.  He gets none
 * until that can be found out. */
static void
seed(struct run *r)
{
	struct bull_names	all;
	uint64_t		number;
	int			result;

	if (!list(r, 0, &all))
		return;
	result = maximum(r, &all, &number);
	bull_names_fini(&all);
	if (result == -1) {
		tell_unreadable(r);
		return;
	}
	r->set->recorded = number;
	r->set->highest = number;
	if (bull_store(&r->who->place, number, r->f) == -1)
		tell(r, "bulletin-number-not-written", "%s", r->f->text);
}

/*
 * A number that cannot be written would come too late at QUIT, when the
 * bulletins are in the maildrop: so there are none until it can be.
 */
static void
prove(struct run *r)
{
	struct bull_set *set = r->set;

	if (set->highest == set->recorded ||
	    popbull_writable(&r->who->place, set->recorded, r->f) == 0)
		return;
	tell(r, "bulletin-number-not-written", "%s", r->f->text);
	set->n = 0;
	set->highest = set->recorded;
}

static int
collect(struct run *r)
{
	const struct bull_place	*where = &r->who->place;
	uint64_t		 number = 0;

	switch (popbull_read(where, &number, r->f)) {
	case POPBULL_NUMBER:
		r->set->recorded = number;
		r->set->highest = number;
		if (add_newer(r) == -1)
			return -1;
		prove(r);
		return 0;
	case POPBULL_GARBAGE:
		tell(r, "bulletin-number-bad",
		    "%s holds no number: set to the maximum", where->name);
		seed(r);
		return 0;
	case POPBULL_MISSING:
		seed(r);
		return 0;
	case POPBULL_REFUSED:
		tell(r, "bulletin-number-refused", "%s", r->f->text);
		return 0;
	case POPBULL_UNREADABLE:
		break;
	}
	tell(r, "bulletin-number-unreadable", "%s: %s", where->name, r->f->text);
	return 0;
}

/* A virtual user's login name may be an address already. */
static bool
address(char *out, const struct bull_reader *who)
{
	bool	whole = span_find(span_str(who->user), '@') < strlen(who->user);
	int	n = snprintf(out, ADDRESS_MAX, "%s%s%s", who->user,
	    whole ? "" : "@", whole ? "" : who->host);

	return n > 0 && n < ADDRESS_MAX;
}

int
bull_collect(const struct bull_conf *c, const struct bull_reader *who, int out_fd,
    uint64_t out_off, struct bull_set *out, struct fault *f)
{
	AUTO(fd_close) int	dirfd = -1;
	struct run		r = {
		.dir = c->dir, .out_fd = out_fd, .out_off = out_off, .who = who,
		.set = out, .f = f,
	};
	int			result;

	*out = (struct bull_set){ 0 };
	if (c->dir == NULL || c->dir[0] == '\0')
		return 0;
	if (!address(r.to, who))
		return fault_set(f, FAULT_LIMIT, "address for To: too long");
	if (file_open(FILE_CWD, c->dir, FILE_READ | FILE_DIR | FILE_FOLLOW, 0,
	    &dirfd, f) == -1) {
		tell_unreadable(&r);
		return 0;
	}
	r.dirfd = dirfd;
	buf_init(&r.buf, BLOCK);
	result = collect(&r);
	if (result == -1)
		bull_set_fini(out);
	buf_fini(&r.buf);
	return result;
}

void
bull_set_fini(struct bull_set *s)
{
	free(s->pieces);
	*s = (struct bull_set){ 0 };
}
