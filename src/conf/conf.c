/* SPDX-License-Identifier: ISC */
/*
 * The store: what was set where, the strings, the mistakes.  Pure.
 */
#include "conf/conf_priv.h"

#include "base/alloc.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define MISTAKES_MAX	200		/* a binary file has one a line */

/* A row that was set. */
struct set_row {
	const struct conf_option	*row;
	unsigned			 line;	/* 0: the command line */
};

struct conf_store {
	char			**texts;	/* owns, each */
	size_t			  ntexts;
	size_t			  texts_cap;
	struct set_row		 *sets;		/* owns */
	size_t			  nsets;
	size_t			  sets_cap;
	struct conf_mistake	 *mistakes;	/* owns */
	size_t			  nmistakes;
	size_t			  mistakes_cap;
};

/* All options of all rooms, as one row after the other. */
struct walk {
	const struct conf_room		*room;
	const struct conf_option	*row;
	size_t				 i;
};

static bool
walk_next(struct walk *w, const struct conf_room *rooms, size_t n)
{
	if (w->row != NULL)
		w->row++;
	while (w->row == NULL || w->row->name == NULL) {
		if (w->i == n)
			return false;
		w->room = &rooms[w->i++];
		w->row = w->room->rows;
	}
	return true;
}

static void *
field_of(const struct walk *w, void *settings)
{
	return (uint8_t *)settings + w->room->offset + w->row->offset;
}

struct conf_store *
conf_new(void)
{
	return xalloc(1, sizeof(struct conf_store));
}

void
conf_free(struct conf_store *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->ntexts; i++)
		free(s->texts[i]);
	free(s->texts);
	free(s->sets);
	free(s->mistakes);
	free(s);
}

static const char *
keep(void *ctx, const char *folder, const char *text)
{
	struct conf_store	*s = ctx;
	size_t			 nf = strlen(folder), nt = strlen(text);
	char			*copy = xalloc(nf + nt + 1, 1);

	memcpy(copy, folder, nf);
	memcpy(copy + nf, text, nt);
	s->texts = xgrow(s->texts, s->ntexts, &s->texts_cap, sizeof(*s->texts));
	s->texts[s->ntexts++] = copy;
	return copy;
}

/* Mistakes quote foreign text; a terminal shall see no control byte of it. */
static void
make_printable(char *text)
{
	for (; *text != '\0'; text++) {
		if ((uint8_t)*text < 0x20 || *text == 0x7f)
			*text = '?';
	}
}

void
conf_complain(struct conf_store *s, enum conf_severity severity, unsigned line,
    const char *fmt, ...)
{
	struct conf_mistake	*m;
	va_list			 ap;

	if (s->nmistakes > MISTAKES_MAX)
		return;
	s->mistakes = xgrow(s->mistakes, s->nmistakes, &s->mistakes_cap,
	    sizeof(*s->mistakes));
	m = &s->mistakes[s->nmistakes++];
	*m = (struct conf_mistake){ .severity = severity, .line = line };
	if (s->nmistakes > MISTAKES_MAX) {
		m->severity = CONF_ERROR;
		snprintf(m->text, sizeof(m->text),
		    "more than %d mistakes; the rest is not shown",
		    MISTAKES_MAX);
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(m->text, sizeof(m->text), fmt, ap);	/* cut is fine */
	va_end(ap);
	make_printable(m->text);
}

size_t
conf_mistakes(const struct conf_store *s, const struct conf_mistake **list_r)
{
	*list_r = s->mistakes;
	return s->nmistakes;
}

static struct set_row *
set_row_of(const struct conf_store *s, const char *name)
{
	for (size_t i = 0; i < s->nsets; i++) {
		if (strcmp(s->sets[i].row->name, name) == 0)
			return &s->sets[i];
	}
	return NULL;
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
same_list(const struct conf_list *a, const struct conf_list *b)
{
	for (size_t i = 0; i < a->n && a->n == b->n; i++)
		if (strcmp(a->item[i], b->item[i]) != 0)
			return false;
	return a->n == b->n;
}

/* Copied out: the fields of a struct that is known by offsets alone. */
static bool
same_value(enum conf_type type, const void *a, const void *b)
{
	const char *text[2];

	switch (type) {
	case CONF_BOOL:
		return memcmp(a, b, sizeof(bool)) == 0;
	case CONF_WORD:
		return memcmp(a, b, sizeof(int)) == 0;
	case CONF_SECONDS:
	case CONF_COUNT:
		return memcmp(a, b, sizeof(unsigned)) == 0;
	case CONF_SIZE:
		return memcmp(a, b, sizeof(uint64_t)) == 0;
	case CONF_TEXT:
	case CONF_PATH:
		memcpy(&text[0], a, sizeof(text[0]));
		memcpy(&text[1], b, sizeof(text[1]));
		return same_text(text[0], text[1]);
	case CONF_LIST:
	case CONF_LINES:
		return same_list(a, b);
	}
	return false;
}

bool
conf_same(const struct conf_option *rows, const void *a, const void *b)
{
	for (; rows->name != NULL; rows++)
		if (!same_value(rows->type, (const uint8_t *)a + rows->offset,
		    (const uint8_t *)b + rows->offset))
			return false;
	return true;
}

bool
conf_is_set(const struct conf_store *s, const char *name)
{
	return set_row_of(s, name) != NULL;
}

unsigned
conf_line(const struct conf_store *s, const char *name)
{
	const struct set_row *r = set_row_of(s, name);

	return r == NULL ? 0 : r->line;
}

static void
note_set(struct conf_store *s, const struct conf_option *row, unsigned line)
{
	struct set_row *r = set_row_of(s, row->name);

	if (r == NULL) {
		s->sets = xgrow(s->sets, s->nsets, &s->sets_cap,
		    sizeof(*s->sets));
		r = &s->sets[s->nsets++];
	}
	*r = (struct set_row){ .row = row, .line = line };
}

void
conf_defaults(struct conf_store *s, const struct conf_room *rooms, size_t n,
    void *settings)
{
	struct walk	w = { 0 };
	char		expected[200];

	while (walk_next(&w, rooms, n)) {
		struct value_place where = {
			.field = field_of(&w, settings), .folder = "",
			.keep = keep, .ctx = s,
		};

		ASSERT(value_set(w.row, w.row->fallback, &where, expected,
		    sizeof(expected)));
	}
}

/* Set one row, or say what is wrong with the value. */
static bool
set_one(struct conf_store *s, const struct walk *w, void *settings,
    const char *folder, unsigned line, const char *value)
{
	struct value_place where = {
		.field = field_of(w, settings), .folder = folder,
		.keep = keep, .ctx = s,
		.add = line != 0 && conf_is_set(s, w->row->name),
		.line = line,
	};
	char expected[200];

	if (!value_set(w->row, value, &where, expected, sizeof(expected))) {
		conf_complain(s, CONF_ERROR, line,
		    "%s: \"%.60s\" does not fit. It says %s; write %s",
		    w->row->name, value, w->row->meaning, expected);
		return false;
	}
	note_set(s, w->row, line);
	return true;
}

static void
complain_unknown(struct conf_store *s, const struct conf_room *rooms, size_t n,
    unsigned line, const char *name)
{
	struct walk		 w = { 0 };
	const struct conf_option *best = NULL;
	unsigned		 best_distance = UINT_MAX;

	while (walk_next(&w, rooms, n)) {
		unsigned d = suggest_distance(name, w.row->name);

		if (d < best_distance) {
			best_distance = d;
			best = w.row;
		}
	}
	if (best != NULL && suggest_close(best_distance, best->name))
		conf_complain(s, CONF_WARNING, line,
		    "%s: no such option, the line is ignored; did you mean "
		    "\"%s\" (%s)?", name, best->name, best->meaning);
	else
		conf_complain(s, CONF_WARNING, line,
		    "%s: no such option, the line is ignored; "
		    "popper.conf(5) lists them", name);
}

static void
read_row(struct conf_store *s, const struct conf_room *rooms, size_t n,
    void *settings, const char *folder, unsigned line,
    const struct line_parts *l)
{
	struct walk w = { 0 };

	while (walk_next(&w, rooms, n)) {
		if (strcmp(w.row->name, l->key) != 0)
			continue;
		if (w.row->type != CONF_LIST && w.row->type != CONF_LINES &&
		    conf_is_set(s, l->key))
			conf_complain(s, CONF_WARNING, line,
			    "%s: set before, in line %u; this later line "
			    "counts, remove one of them", l->key,
			    conf_line(s, l->key));
		(void)set_one(s, &w, settings, folder, line, l->value);
		return;
	}
	complain_unknown(s, rooms, n, line, l->key);
}

/* "etc/" of "etc/popper.conf", "" of "popper.conf". */
static char *
folder_of(const char *path)
{
	const char	*slash = strrchr(path, '/');
	size_t		 n = slash == NULL ? 0 : (size_t)(slash - path) + 1;
	char		*folder = xalloc(n + 1, 1);

	memcpy(folder, path, n);
	return folder;
}

void
conf_read(struct conf_store *s, const struct conf_room *rooms, size_t n,
    void *settings, const char *path, struct span text)
{
	char			*folder = folder_of(path);
	struct line_parts	 l;
	struct span		 line;
	unsigned		 no = 0;

	if (span_starts(text, SPAN("\xef\xbb\xbf")))
		text = span_skip(text, 3);	/* an editor's byte order mark */
	while (span_line(&text, &line)) {
		no++;
		line_take_apart(line, &l);
		switch (l.kind) {
		case LINE_BLANK:
			break;
		case LINE_ROW:
			read_row(s, rooms, n, settings, folder, no, &l);
			break;
		case LINE_BAD:
			conf_complain(s, CONF_ERROR, no, "%s%s%s", l.key,
			    l.key[0] != '\0' ? ": " : "", l.bad);
			break;
		case LINE_OPEN:
		case LINE_CLOSE:
			conf_complain(s, CONF_ERROR, no, "there are no blocks "
			    "in this file; write \"name = value\"");
			break;
		}
	}
	free(folder);
}

bool
conf_set(struct conf_store *s, const struct conf_room *rooms, size_t n,
    void *settings, const struct conf_option *row, const char *value)
{
	struct walk w = { 0 };

	while (walk_next(&w, rooms, n)) {
		if (w.row == row)
			return set_one(s, &w, settings, "", 0, value);
	}
	ASSERT(!"a row of these rooms");
	return false;
}

const struct conf_option *
conf_by_flag(const struct conf_room *rooms, size_t n, char flag)
{
	struct walk w = { 0 };

	while (walk_next(&w, rooms, n)) {
		if (w.row->flag == flag && flag != '\0')
			return w.row;
	}
	return NULL;
}
