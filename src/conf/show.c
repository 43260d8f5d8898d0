/* SPDX-License-Identifier: ISC */
/*
 * Settings as lines of a popper.conf that means the same.  Pure.
 */
#include "conf/conf_priv.h"

#include <inttypes.h>
#include <stdio.h>

struct out {
	void			(*put)(void *ctx, const char *text);
	void			 *ctx;
	const struct conf_option *row;
	const char		 *before;	/* of each line: "" or "#" */
};

/* As it is, where the reader would take it for itself. */
static bool
is_plain(const char *value)
{
	const struct span s = span_str(value);

	return s.n > 0 && s.p[0] != '"' && s.p[0] != '#' &&
	    span_trim(s).n == s.n && strstr(value, " #") == NULL &&
	    strstr(value, "\t#") == NULL;
}

static void
put_value(const struct out *o, const char *value)
{
	if (is_plain(value)) {
		o->put(o->ctx, value);
		return;
	}
	o->put(o->ctx, "\"");
	for (; *value != '\0'; value++) {
		const char one[2] = { *value, '\0' };

		if (*value == '"' || *value == '\\')
			o->put(o->ctx, "\\");
		o->put(o->ctx, one);
	}
	o->put(o->ctx, "\"");
}

static void
put_line(const struct out *o, const char *value)
{
	o->put(o->ctx, o->before);
	o->put(o->ctx, o->row->name);
	o->put(o->ctx, " = ");
	put_value(o, value);
	o->put(o->ctx, "\n");
}

static void
put_size(const struct out *o, uint64_t v)
{
	static const char	units[] = "KMGT";
	char			text[32];
	size_t			i = 0;

	while (v > 0 && v % 1024 == 0 && units[i] != '\0') {
		v /= 1024;
		i++;
	}
	(void)snprintf(text, sizeof(text), "%" PRIu64 "%.*s", v, i > 0,
	    i > 0 ? &units[i - 1] : "");
	put_line(o, text);
}

static void
put_number(const struct out *o, unsigned v)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%u", v);
	put_line(o, text);
}

/* One line each; the first replaces the default. */
static void
put_list(const struct out *o, const struct conf_list *list)
{
	if (list->n == 0)
		put_line(o, "");
	for (size_t i = 0; i < list->n; i++)
		put_line(o, list->item[i]);
}

/* Copied out: a field of a struct that is known by its offset alone. */
static void
put_field(const struct out *o, const void *field)
{
	union {
		bool		 is;
		int		 word;
		unsigned	 number;
		uint64_t	 size;
		const char	*text;
	} v;

	switch (o->row->type) {
	case CONF_BOOL:
		memcpy(&v.is, field, sizeof(v.is));
		put_line(o, v.is ? "yes" : "no");
		break;
	case CONF_WORD:
		memcpy(&v.word, field, sizeof(v.word));
		put_line(o, o->row->words[v.word]);
		break;
	case CONF_SECONDS:
	case CONF_COUNT:
		memcpy(&v.number, field, sizeof(v.number));
		put_number(o, v.number);
		break;
	case CONF_SIZE:
		memcpy(&v.size, field, sizeof(v.size));
		put_size(o, v.size);
		break;
	case CONF_TEXT:
	case CONF_PATH:
		memcpy(&v.text, field, sizeof(v.text));
		put_line(o, v.text != NULL ? v.text : "");
		break;
	case CONF_LIST:
	case CONF_LINES:
		put_list(o, field);
		break;
	}
}

void
conf_show(const struct conf_store *s, const struct conf_room *rooms, size_t n,
    const void *settings, bool all, void (*put)(void *ctx, const char *text),
    void *ctx)
{
	for (size_t i = 0; i < n; i++)
		for (const struct conf_option *r = rooms[i].rows;
		    r->name != NULL; r++) {
			const bool	 set = conf_is_set(s, r->name);
			const struct out o = { put, ctx, r, set ? "" : "#" };

			if (set || all)
				put_field(&o, (const uint8_t *)settings +
				    rooms[i].offset + r->offset);
		}
}
