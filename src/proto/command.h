/* SPDX-License-Identifier: ISC */
/*
 * A command line to a command: one table says what exists, in which states,
 * with which arguments.  Floor 1, pure.  What a command does is above.
 *
 * Lenient where old clients need it: any case, tabs, leading, repeated and
 * trailing blanks.  Strict otherwise: a control byte or an octet >= 0x80 outside
 * PASS is malformed; a number has no sign, no leading zero, and fits.  PASS
 * keeps every octet behind its first blank (only NUL is malformed there).
 *
 * Cost of everything here: one pass over the line and one over the table.
 */
#ifndef PROTO_COMMAND_H
#define PROTO_COMMAND_H

#include "base/span.h"
#include "proto/limits.h"

/* Those in which a command is read; in UPDATE none is. */
enum pop_state {
	POP_AUTHORIZATION,
	POP_TRANSACTION,
};

enum command_id {
	CMD_USER,
	CMD_PASS,
	CMD_RPOP,
	CMD_APOP,
	CMD_QUIT,
	CMD_CAPA,
	CMD_XCLIENT,
	CMD_STLS,
	CMD_AUTH,
	CMD_UTF8,
	CMD_LANG,
	CMD_STAT,
	CMD_LIST,
	CMD_RETR,
	CMD_DELE,
	CMD_NOOP,
	CMD_LAST,
	CMD_RSET,
	CMD_TOP,
	CMD_UIDL,
	CMD_XTND_BBOARDS,
	CMD_XTND_ARCHIVE,
	CMD_XTND_X_BBOARDS,
	CMD_XTND_XMIT,
	CMD_XTND_XLST,			/* also spelled XLIST */
	CMD_COUNT
};

enum arg_kind {
	ARG_NONE,
	ARG_WORD,
	ARG_MSGNO,			/* 1 .. 2^31-1 */
	ARG_COUNT,			/* 0 .. 2^63-1 */
	ARG_SECRET,			/* all octets behind the first blank */
	ARG_TEXT,			/* all words, as one */
};

enum {					/* command_row.flags */
	CMD_MULTILINE	 = 1u << 0,
	CMD_SECRET_ARGS	 = 1u << 1,	/* arguments are never logged */
	CMD_UTF8_ARGS	 = 1u << 2,	/* UTF-8 may stand in them */
};

struct command_row {
	const char	*name;		/* "XTND XMIT" for a subcommand */
	uint8_t		 states;	/* mask of 1u << enum pop_state */
	uint8_t		 args_min;
	uint8_t		 args_max;
	enum arg_kind	 args[LIMIT_ARGS];
	uint8_t		 flags;
	const char	*source;	/* "1939 s.7" */
};

struct command {
	enum command_id	id;
	uint8_t		nargs;
	struct span	word[LIMIT_ARGS];	/* borrows the line */
	uint64_t	number[LIMIT_ARGS];	/* for ARG_MSGNO, ARG_COUNT */
};

enum command_result {
	COMMAND_OK,
	COMMAND_EMPTY,			/* a line of blanks */
	COMMAND_MALFORMED,		/* an octet that this command has not */
	COMMAND_UNKNOWN,
	COMMAND_WRONG_STATE,
	COMMAND_FEW_ARGS,
	COMMAND_MANY_ARGS,
	COMMAND_BAD_NUMBER,
	COMMAND_RESULTS			/* their number */
};

/*
 * Parse one line.  *out is filled when COMMAND_OK; out->id is also set (and
 * otherwise CMD_COUNT) when the keyword was recognised but something else was
 * wrong.  XTND without a known subcommand is unknown.  "PASS " is an empty
 * password, for authentication to refuse; "PASS" has too few arguments.
 */
enum command_result	command_parse(struct span line, enum pop_state state,
			    struct command *out);

/* What the client is told for a result other than OK: text behind "-ERR ". */
const char	*command_error(enum command_result r);

const struct command_row	*command_row(enum command_id id);

/*
 * The line as it may be logged: arguments of commands with SECRET_ARGS are
 * replaced by "***", and so is the whole of a line whose keyword is no known
 * command, since it may be a near miss ("PAS x").  Arguments of other commands
 * are hidden when the line is malformed or has too many of them ("USER ann
 * secret").  Writes at most cap octets, returns their number.
 */
size_t	command_redact(struct span line, char *out, size_t cap);

#endif
