/* SPDX-License-Identifier: ISC */
#include "watch/form.h"

#include "watch/pen.h"

#include <stdio.h>

static const int severities[] = {
	[LEVEL_ERR] = 3, [LEVEL_WARN] = 4, [LEVEL_NOTE] = 5, [LEVEL_DEBUG] = 7,
};
static const char *const level_words[] = {
	[LEVEL_ERR] = "err", [LEVEL_WARN] = "warn", [LEVEL_NOTE] = "note",
	[LEVEL_DEBUG] = "debug",
};

/* RFC 3339, UTC. */
static void
put_time(struct pen *p, const struct form_facts *facts)
{
	struct tm	tm = { .tm_mday = 1 };
	char		text[96];

	(void)gmtime_r(&facts->now.tv_sec, &tm);
	(void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
	    tm.tm_min, tm.tm_sec, (int)(facts->now.tv_nsec / 1000));
	(void)pen_word(p, text);
}

static void
put_number(struct pen *p, int n)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", n);
	(void)pen_word(p, text);
}

/* ------------------------------------------------------- text */

/* Gives the place of the date. */
static size_t
put_stamp(struct pen *p, const struct log_line *l,
    const struct form_facts *facts)
{
	static const char months[12][4] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun",
		"Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
	};
	struct tm	tm = { .tm_mday = 1 };
	char		text[64];
	size_t		date;

	(void)localtime_r(&facts->now.tv_sec, &tm);
	(void)snprintf(text, sizeof(text), "<%d>",
	    facts->facility * 8 + severities[l->level]);
	(void)pen_word(p, text);
	date = p->n;
	(void)snprintf(text, sizeof(text), "%s %2d %02d:%02d:%02d popper[%d]: ",
	    months[tm.tm_mon % 12], tm.tm_mday, tm.tm_hour, tm.tm_min,
	    tm.tm_sec, facts->pid);
	(void)pen_word(p, text);
	return date;
}

void
form_text(struct wire *w, const struct log_line *l,
    const struct form_facts *facts)
{
	struct pen p = { w->b, 0, FORM_MAX };

	w->body = put_stamp(&p, l, facts);
	(void)pen_put(&p, l->b, l->n);
	w->n = p.n;
}

/* ------------------------------------------------------- JSON */

/* The text is printable ASCII without a quote: log.c has seen to that. */
static bool
put_string(struct pen *p, const char *s, size_t n)
{
	bool fits = pen_put(p, "\"", 1);

	for (size_t i = 0; i < n; i++)
		fits = fits && (s[i] == '\\' ? pen_put(p, "\\\\", 2) :
		    pen_put(p, s + i, 1));
	return fits && pen_put(p, "\"", 1);
}

/* The whole of a field or nothing of it. */
static void
put_member(struct pen *p, const struct log_line *l, const struct log_part *part)
{
	size_t	before = p->n;
	bool	fits;

	fits = pen_put(p, ",", 1) &&
	    put_string(p, part->key, strlen(part->key)) && pen_put(p, ":", 1);
	fits = fits && (part->number ? pen_put(p, l->b + part->at, part->n) :
	    put_string(p, l->b + part->at, part->n));
	if (!fits)
		p->n = before;
}

void
form_json(struct wire *w, const struct log_line *l,
    const struct form_facts *facts)
{
	struct pen p = { w->b, 0, FORM_MAX - 32 };	/* the end has room */

	(void)put_stamp(&p, l, facts);
	w->body = p.n;
	(void)pen_word(&p, "{\"time\":\"");
	put_time(&p, facts);
	(void)pen_word(&p, "\",\"level\":\"");
	(void)pen_word(&p, level_words[l->level]);
	(void)pen_word(&p, "\",\"id\":\"");
	(void)pen_word(&p, l->id);
	(void)pen_word(&p, "\"");
	for (size_t i = 0; i < l->nparts; i++)
		put_member(&p, l, &l->parts[i]);
	p.cap = FORM_MAX;
	(void)pen_word(&p, ",\"pid\":");
	put_number(&p, facts->pid);
	(void)pen_word(&p, "}");
	w->n = p.n;
}

/* ------------------------------------------------------- the journal */

/*
 * NAME, LF, the length as 64 bit little-endian, the value, LF.  The other form,
 * NAME=value, is only for what we have made ourselves: so nobody need look
 * whether a value could end its field early.
 */
static void
put_counted(struct pen *p, const char *prefix, const char *key,
    const char *value, size_t n)
{
	size_t	before = p->n;
	char	length[8];
	bool	fits = pen_word(p, prefix);

	for (; *key != '\0'; key++) {
		char up = *key >= 'a' && *key <= 'z' ? (char)(*key - 'a' + 'A') :
		    *key;

		fits = fits && pen_put(p, &up, 1);
	}
	for (size_t i = 0; i < sizeof(length); i++)
		length[i] = (char)((uint64_t)n >> (8 * i) & 0xff);
	fits = fits && pen_put(p, "\n", 1) &&
	    pen_put(p, length, sizeof(length)) && pen_put(p, value, n) &&
	    pen_put(p, "\n", 1);
	if (!fits)
		p->n = before;
}

void
form_journal(struct wire *w, const struct log_line *l,
    const struct form_facts *facts)
{
	struct pen p = { w->b, 0, FORM_MAX };

	(void)pen_word(&p, "PRIORITY=");
	put_number(&p, severities[l->level]);
	(void)pen_word(&p, "\nSYSLOG_FACILITY=");
	put_number(&p, facts->facility);
	(void)pen_word(&p, "\nSYSLOG_IDENTIFIER=popper\nSYSLOG_PID=");
	put_number(&p, facts->pid);
	(void)pen_word(&p, "\nPOPPER_TIME=");
	put_time(&p, facts);
	(void)pen_word(&p, "\nPOPPER_ID=");
	(void)pen_word(&p, l->id);
	(void)pen_word(&p, "\n");
	put_counted(&p, "", "MESSAGE", l->b, l->n);
	for (size_t i = 0; i < l->nparts; i++)
		put_counted(&p, "POPPER_", l->parts[i].key,
		    l->b + l->parts[i].at, l->parts[i].n);
	w->n = p.n;
	w->body = 0;
}
