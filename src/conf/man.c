/* SPDX-License-Identifier: ISC */
/*
 * The option tables as mdoc(7), for popper.conf(5).  Pure.
 */
#include "conf/conf_priv.h"

#include <stdio.h>

struct out {
	void	(*put)(void *ctx, const char *text);
	void	 *ctx;
};

/* A macro's argument: in quotes, never taken for a macro or an escape. */
static void
put_quoted(const struct out *o, const char *text)
{
	o->put(o->ctx, "\"\\&");
	for (; *text != '\0'; text++) {
		char one[2] = { *text, '\0' };

		if (*text == '\\')
			o->put(o->ctx, "\\e");
		else if (*text == '"')
			o->put(o->ctx, "\\(dq");
		else if (*text == '~')
			o->put(o->ctx, "\\(ti");
		else
			o->put(o->ctx, one);
	}
	o->put(o->ctx, "\"");
}

static void
put_type(const struct out *o, const struct conf_option *row)
{
	static const char *const names[] = {
		[CONF_BOOL]	= "Cm yes | no",
		[CONF_TEXT]	= "Ar text",
		[CONF_PATH]	= "Ar path",
		[CONF_SECONDS]	= "Ar seconds",
		[CONF_SIZE]	= "Ar size",
		[CONF_COUNT]	= "Ar number",
		[CONF_LIST]	= "Op Ar address ...",
		[CONF_LINES]	= "Ar address ... Op Ar rule ...",
	};

	if (row->type != CONF_WORD) {
		o->put(o->ctx, names[row->type]);
		return;
	}
	o->put(o->ctx, "Cm");
	for (const char *const *w = row->words; *w != NULL; w++) {
		o->put(o->ctx, w == row->words ? " " : " | ");
		o->put(o->ctx, *w);
	}
}

static void
put_option(const struct out *o, const struct conf_option *row)
{
	char flag[2] = { row->flag, '\0' };

	o->put(o->ctx, ".It Ic ");
	o->put(o->ctx, row->name);
	o->put(o->ctx, " No = ");
	put_type(o, row);
	o->put(o->ctx, "\n");
	o->put(o->ctx, row->man);
	o->put(o->ctx, "\n.br\n");
	if (row->fallback[0] == '\0') {
		o->put(o->ctx, "Default: empty.\n");
	} else {
		o->put(o->ctx, "Default:\n.Ql ");
		put_quoted(o, row->fallback);
		o->put(o->ctx, " .\n");
	}
	if (row->flag != '\0') {
		o->put(o->ctx, "On the command line:\n.Fl ");
		o->put(o->ctx, flag);
		o->put(o->ctx, " .\n");
	}
}

void
conf_print_man(const struct conf_room *rooms, size_t n,
    void (*put)(void *ctx, const char *text), void *ctx)
{
	struct out o = { .put = put, .ctx = ctx };

	for (size_t i = 0; i < n; i++) {
		put(ctx, ".Ss ");
		put(ctx, rooms[i].title);
		put(ctx, "\n.Bl -tag -width Ds\n");
		for (const struct conf_option *r = rooms[i].rows;
		    r->name != NULL; r++)
			put_option(&o, r);
		put(ctx, ".El\n");
	}
}
