/* SPDX-License-Identifier: ISC */
/*
 * The generic reader of popper.conf: "name = value" lines, '#' comments,
 * "quoted values" where blanks matter; blocks "word name { ... }" for files
 * that have them (bboards).  Floor 1, pure: text in, settings and a list of
 * all mistakes out.  Each room exports its own option rows.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/attr.h"
#include "base/span.h"

#include <stddef.h>

enum conf_type {
	CONF_BOOL,		/* yes | no: bool */
	CONF_TEXT,		/* char *, owned by the store */
	CONF_PATH,		/* char *; relative to the file's folder, or "" */
	CONF_SECONDS,		/* unsigned; "90", "10m", "2h", "1d" */
	CONF_SIZE,		/* uint64_t octets; "10M" (binary units) */
	CONF_COUNT,		/* unsigned */
	CONF_WORD,		/* int: index in words[] */
	CONF_LIST,		/* struct conf_list: row may be repeated, blanks
				   are between items */
	CONF_LINES,		/* struct conf_list: the same, but an item is all
				   that stands in a line */
};

#define CONF_LIST_MAX	32
struct conf_list {
	size_t		 n;
	const char	*item[CONF_LIST_MAX];
	unsigned	 line[CONF_LIST_MAX];	/* of the file; 0: of none */
};

struct conf_option {
	const char		*name;		/* "auth_fail_delay" */
	enum conf_type		 type;
	size_t			 offset;	/* in the room's struct */
	const char		*fallback;	/* as it would stand in the file */
	uint64_t		 min;
	uint64_t		 max;		/* 0: type's own */
	const char *const	*words;		/* CONF_WORD: NULL at the end */
	char			 flag;		/* 'T': old command line flag, or 0 */
	bool			(*valid)(const char *value);	/* or NULL */
	/* Lists: the same for each item; when it is wrong, what to write is put
	 * into `expected`. */
	bool			(*fits)(const char *item, char *expected,
				    size_t cap);
	const char		*meaning;	/* one sentence, for mistakes */
	const char		*man;		/* mdoc text for popper.conf(5) */
};

/* A room's rows and where its struct lies in the whole settings. */
struct conf_room {
	const char			*title;	/* heading in the man page */
	const struct conf_option	*rows;	/* name NULL at the end */
	size_t				 offset;
};

enum conf_severity { CONF_ERROR, CONF_WARNING };
struct conf_mistake {
	enum conf_severity	severity;
	unsigned		line;		/* 0: the command line, or none */
	char			text[400];	/* what is wrong, what was meant,
						   the fix */
};

struct conf_store;		/* owns the strings and the mistakes */

struct conf_store	*conf_new(void);
void			 conf_free(struct conf_store *s);

/* Set every option to its fallback. */
void	conf_defaults(struct conf_store *s, const struct conf_room *rooms,
	    size_t n, void *settings);

/*
 * Read the text of a file called path (relative CONF_PATH values are put
 * beneath its folder).  Every mistake is recorded; what is good is set.  An
 * unknown name is a warning with a suggestion ("did you mean"); a name set twice
 * is a warning; a bad value is an error and leaves the default.
 */
void	conf_read(struct conf_store *s, const struct conf_room *rooms, size_t n,
	    void *settings, const char *path, struct span text);

/* One option from the command line, by flag or by name. */
bool	conf_set(struct conf_store *s, const struct conf_room *rooms, size_t n,
	    void *settings, const struct conf_option *row, const char *value);
const struct conf_option	*conf_by_flag(const struct conf_room *rooms, size_t n,
				    char flag);

/* Whether a room's options have the same values in two of its structs. */
bool	conf_same(const struct conf_option *rows, const void *a, const void *b);

/* Was it set by the file or the command line? */
bool	conf_is_set(const struct conf_store *s, const char *name);
/* Line of the file where it was set, or 0. */
unsigned	conf_line(const struct conf_store *s, const char *name);

size_t	conf_mistakes(const struct conf_store *s,
	    const struct conf_mistake **list_r);
/* Add one found by somebody else (permissions, combinations). */
void	conf_complain(struct conf_store *s, enum conf_severity severity,
	    unsigned line, const char *fmt, ...) PRINTF(4, 5);

/*
 * Blocks: calls fn for "word name {" (key "{"), each row in it, and "}"
 * (key "}").  Mistakes of form go to bad.  For the bboards file.
 */
void	conf_blocks(struct span text,
	    void (*fn)(void *ctx, unsigned line, const char *block,
	    const char *name, const char *key, const char *value),
	    void (*bad)(void *ctx, unsigned line, const char *text), void *ctx);

/*
 * What was set, in the order of the rows, as lines of a file of its folder that
 * means the same; all: the others, too, as comments.
 */
void	conf_show(const struct conf_store *s, const struct conf_room *rooms, size_t n,
	    const void *settings, bool all, void (*put)(void *ctx, const char *text),
	    void *ctx);

/* The rows as an mdoc list, for popper.conf(5) (see tools in meson.build). */
void	conf_print_man(const struct conf_room *rooms, size_t n,
	    void (*put)(void *ctx, const char *text), void *ctx);

#endif
