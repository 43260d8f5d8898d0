/* SPDX-License-Identifier: ISC */
#include "xtnd/bboards.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/num.h"
#include "conf/conf.h"
#include "sys/file.h"
#include "sys/lock.h"
#include "sys/sock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FILE_MAX	(1u << 20)
#define TEXT_MAX	255		/* octets of a row that is sent */
#define PATH_LEN_MAX	4095
#define MAXIMA_MAX	999999999999999999ULL
#define LOCK_TRIES	50
#define LOCK_PAUSE_MS	100

/* ------------------------------------------------------------- reading */

struct loading {
	struct bboards	*out;
	size_t		 cap;
	struct bboard	 now;		/* the block that is open */
	bool		 bad;		/* it has a mistake */
	void		(*tell)(void *ctx, unsigned line, const char *text);
	void		*ctx;
};

static void
bboard_fini(struct bboard *b)
{
	free(b->name);
	free(b->aliases);
	free(b->address);
	free(b->request);
	free(b->flags);
	free(b->maildrop);
	free(b->archive);
	*b = (struct bboard){ 0 };
}

/* RFC 1082's TOKEN. */
static bool
is_token(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t	c = ascii_lower(s.p[i]);
		bool	letter = c >= 'a' && c <= 'z';

		if (!letter && (i == 0 || (!ascii_isdigit(c) && c != '-')))
			return false;
	}
	return s.n > 0 && s.n <= BBOARD_TOKEN_MAX;
}

static bool
is_path(struct span s)
{
	return s.n > 1 && s.n <= PATH_LEN_MAX && s.p[0] == '/';
}

/* One line of a reply. */
static bool
is_text(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] >= 127)
			return false;
	return s.n > 0 && s.n <= TEXT_MAX;
}

static bool
is_octal(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '7')
			return false;
	return s.n > 0 && s.n <= 22;
}

static bool
is_aliases(struct span s)
{
	struct span word;
	bool	    any = false;

	if (s.n > TEXT_MAX)
		return false;
	while ((word = span_word(&s)).n > 0) {
		if (!is_token(word))
			return false;
		any = true;
	}
	return any;
}

static const struct row {
	const char	*key;
	size_t		 offset;
	bool		(*valid)(struct span s);
	const char	*expected;
} rows[] = {
	{ "alias", offsetof(struct bboard, aliases), is_aliases,
	  "alias: names of letters, digits and '-', blanks between" },
	{ "maildrop", offsetof(struct bboard, maildrop), is_path,
	  "maildrop: an absolute path" },
	{ "archive", offsetof(struct bboard, archive), is_path,
	  "archive: an absolute path" },
	{ "address", offsetof(struct bboard, address), is_text,
	  "address: a mail address" },
	{ "request", offsetof(struct bboard, request), is_text,
	  "request: a mail address" },
	{ "flags", offsetof(struct bboard, flags), is_octal,
	  "flags: an octal number" },
};

static char **
row_place(struct bboard *b, const struct row *r)
{
	return (char **)(void *)((char *)b + r->offset);
}

static void
mistake(struct loading *l, unsigned line, const char *text)
{
	l->bad = true;
	l->tell(l->ctx, line, text);
}

static void
on_open(struct loading *l, unsigned line, const char *block, const char *name)
{
	bboard_fini(&l->now);
	l->bad = false;
	l->now.name = xstrdup(name);
	if (!span_eq(span_str(block), SPAN("board")))
		mistake(l, line, "a block is \"board NAME {\"");
	else if (!is_token(span_str(name)))
		mistake(l, line, "a name begins with a letter; letters, digits "
		    "and '-' follow (at most 64 in all)");
}

/* RFC 1082 separates aliases by SP. */
static char *
single_blanks(const char *value)
{
	char		*out = xstrdup(value);
	struct span	 rest = span_str(value);
	struct span	 word;
	size_t		 n = 0;

	while ((word = span_word(&rest)).n > 0) {
		if (n > 0)
			out[n++] = ' ';
		memcpy(out + n, word.p, word.n);
		n += word.n;
	}
	out[n] = '\0';
	return out;
}

static void
on_row(struct loading *l, unsigned line, const char *key, const char *value)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char **place = row_place(&l->now, &rows[i]);

		if (!span_eq(span_str(key), span_str(rows[i].key)))
			continue;
		if (*place != NULL)
			mistake(l, line, "this row stands twice in its block");
		else if (!rows[i].valid(span_str(value)))
			mistake(l, line, rows[i].expected);
		else
			*place = rows[i].valid == is_aliases ?
			    single_blanks(value) : xstrdup(value);
		return;
	}
	mistake(l, line, "unknown name; there are alias, maildrop, archive, "
	    "address, request, flags");
}

/* Is a name of the new group one of the others'? */
static bool
is_taken(const struct bboards *all, const struct bboard *b)
{
	struct span rest = span_str(b->aliases);
	struct span word;

	if (bboards_find(all, span_str(b->name)) != NULL)
		return true;
	while ((word = span_word(&rest)).n > 0)
		if (bboards_find(all, word) != NULL)
			return true;
	return false;
}

static void
on_close(struct loading *l, unsigned line)
{
	struct bboard *b = &l->now;

	if (!l->bad && b->maildrop == NULL)
		mistake(l, line, "the group above has no maildrop");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char **place = row_place(b, &rows[i]);

		if (*place == NULL)
			*place = xstrdup(rows[i].valid == is_octal ? "0" : "");
	}
	if (!l->bad && is_taken(l->out, b))
		mistake(l, line, "a name or an alias of the group above is "
		    "that of another group");
	if (l->bad)
		return;
	l->out->list = xgrow(l->out->list, l->out->n, &l->cap, sizeof(*b));
	l->out->list[l->out->n++] = *b;
	*b = (struct bboard){ 0 };
}

static void
on_line(void *ctx, unsigned line, const char *block, const char *name,
    const char *key, const char *value)
{
	struct span k = span_str(key);

	if (span_eq(k, SPAN("{")))
		on_open(ctx, line, block, name);
	else if (span_eq(k, SPAN("}")))
		on_close(ctx, line);
	else
		on_row(ctx, line, key, value);
}

static void
on_bad(void *ctx, unsigned line, const char *text)
{
	mistake(ctx, line, text);
}

int
bboards_load(const char *path, struct bboards *out,
    void (*tell)(void *ctx, unsigned line, const char *text), void *ctx,
    struct fault *f)
{
	AUTO(fd_close) int		fd = -1;
	AUTO(buf_fini) struct buf	text;
	struct loading			l = {
		.out = out, .tell = tell, .ctx = ctx,
	};
	uint8_t				*p;
	ssize_t				n;

	*out = (struct bboards){ 0 };
	buf_init(&text, FILE_MAX);
	p = buf_reserve(&text, FILE_MAX);
	if (file_open(FILE_CWD, path, FILE_READ | FILE_FOLLOW, 0, &fd, f) == -1)
		return -1;
	n = file_slurp(fd, p, FILE_MAX, f);
	if (n == -1)
		return fault_prefix(f, "%s: ", path);
	conf_blocks(span_of(p, (size_t)n), on_line, on_bad, &l);
	bboard_fini(&l.now);
	return 0;
}

void
bboards_fini(struct bboards *b)
{
	for (size_t i = 0; i < b->n; i++)
		bboard_fini(&b->list[i]);
	free(b->list);
	*b = (struct bboards){ 0 };
}

static bool
has_name(const struct bboard *b, struct span name)
{
	struct span rest = span_str(b->aliases);
	struct span word;

	if (span_eq_nocase(span_str(b->name), name))
		return true;
	while ((word = span_word(&rest)).n > 0)
		if (span_eq_nocase(word, name))
			return true;
	return false;
}

const struct bboard *
bboards_find(const struct bboards *b, struct span name)
{
	for (size_t i = 0; i < b->n; i++)
		if (has_name(&b->list[i], name))
			return &b->list[i];
	return NULL;
}

/* ------------------------------------------------------------- maildrops */

static const char *
path_of(const struct bboard *b, enum bboard_part part)
{
	return part == BBOARD_ARCHIVE ? b->archive : b->maildrop;
}

static int
open_part(const struct bboard *b, enum bboard_part part, int *fd_r,
    struct fault *f)
{
	const char *path = path_of(b, part);

	*fd_r = -1;
	if (path[0] == '\0')
		return fault_set(f, FAULT_PERM, "%s has no archive", b->name);
	return file_open(FILE_CWD, path, FILE_READ | FILE_FOLLOW, 0, fd_r, f);
}

int
bboard_readable(const struct bboard *b, enum bboard_part part, struct fault *f)
{
	AUTO(fd_close) int fd = -1;

	if (open_part(b, part, &fd, f) == 0)
		return 1;
	return f->class == FAULT_PERM || f->err == ENOENT ? 0 :
	    fault_prefix(f, "bboard %s: ", b->name);
}

/* A reader's lock waits for a delivery that is going on, not for ever. */
static int
lock_for_reading(int fd, struct fault *f)
{
	for (int try = 1; lock_fcntl(fd, false, f) == -1; try++) {
		if (f->class != FAULT_IN_USE || try == LOCK_TRIES)
			return -1;
		clock_sleep(LOCK_PAUSE_MS);
	}
	return 0;
}

int
bboard_copy(const struct bboard *b, enum bboard_part part, int to_fd,
    uint64_t max, uint64_t *len_r, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	struct file_facts	facts;

	if (open_part(b, part, &fd, f) == -1 ||
	    lock_for_reading(fd, f) == -1 ||
	    file_facts(fd, &facts, f) == -1)
		return fault_prefix(f, "bboard %s: ", b->name);
	if (facts.size > max)
		return fault_set(f, FAULT_PERM, "bboard %s: %s has more octets"
		    " than temp_max", b->name, path_of(b, part));
	if (file_copy(fd, 0, to_fd, 0, facts.size, f) == -1)
		return fault_prefix(f, "bboard %s: ", b->name);
	*len_r = facts.size;
	return 0;
}

int
bboard_open(const struct bboard *b, enum bboard_part part, int *fd_r,
    struct file_facts *now_r, struct fault *f)
{
	AUTO(fd_close) int fd = -1;

	if (open_part(b, part, &fd, f) == -1 ||
	    file_facts(fd, now_r, f) == -1)
		return fault_prefix(f, "bboard %s: ", b->name);
	*fd_r = fd_take(&fd);
	return 0;
}

int
bboard_settled(int fd, struct file_facts *now_r, struct fault *f)
{
	int r;

	if (lock_for_reading(fd, f) == -1)
		return -1;
	r = file_facts(fd, now_r, f);
	return lock_fcntl_release(fd, r == 0 ? f : NULL) == -1 ? -1 : r;
}

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool
bboard_unchanged(const struct file_facts *a, const struct file_facts *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	    same_time(&a->mtime, &b->mtime) && same_time(&a->ctime, &b->ctime);
}

uint64_t
bboard_next_maxima(uint64_t previous, struct span bboard_id)
{
	uint64_t id;

	if (num_parse(span_trim(bboard_id), MAXIMA_MAX, &id) && id > previous)
		return id;
	return previous + 1;
}

uint64_t
bboard_count_file(const struct bboard *b, enum bboard_part part)
{
	AUTO(fd_close) int	fd = -1;
	char			path[PATH_LEN_MAX + sizeof(".cnt")];
	uint8_t			text[32];
	struct span		rest;
	struct span		line;
	struct fault		f;
	uint64_t		count = 0;
	ssize_t			n;

	(void)snprintf(path, sizeof(path), "%s.cnt", path_of(b, part));
	if (path[0] != '/' ||
	    file_open(FILE_CWD, path, FILE_READ | FILE_FOLLOW, 0, &fd,
	    &f) == -1)
		return 0;
	n = file_slurp(fd, text, sizeof(text), &f);
	rest = span_of(text, n < 0 ? 0 : (size_t)n);
	if (!span_line(&rest, &line) ||
	    !num_parse(span_trim(line), MAXIMA_MAX, &count))
		return 0;
	return count;
}

int
bboard_lastdate(const struct bboard *b, char *out, size_t cap)
{
	static const char	days[] = "SunMonTueWedThuFriSat";
	static const char	months[] =
	    "JanFebMarAprMayJunJulAugSepOctNovDec";
	AUTO(fd_close) int	fd = -1;
	struct file_facts	facts;
	struct fault		f;
	struct tm		t;
	int			n;

	if (open_part(b, BBOARD_MAILDROP, &fd, &f) == -1 ||
	    file_facts(fd, &facts, &f) == -1)
		return -1;
	(void)gmtime_r(&facts.mtime.tv_sec, &t);
	n = snprintf(out, cap, "%.3s, %d %.3s %d %02d:%02d:%02d +0000",
	    days + 3 * t.tm_wday, t.tm_mday, months + 3 * t.tm_mon,
	    t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
	return n > 0 && (size_t)n < cap ? 0 : -1;
}
