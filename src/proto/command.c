/* SPDX-License-Identifier: ISC */
#include "proto/command.h"

#include "base/attr.h"
#include "base/num.h"
#include "proto/recode.h"

#include <assert.h>

#define IN_A	(1u << POP_AUTHORIZATION)
#define IN_T	(1u << POP_TRANSACTION)

#define MSGNO_MAX	INT32_MAX
#define COUNT_MAX	INT64_MAX

#define ROW(nm, st, min, max, kinds, fl, src) \
	{ .name = (nm), .states = (st), .args_min = (min), .args_max = (max), \
	  .args = kinds, .flags = (fl), .source = (src) }
#define ARGS(...)	{ __VA_ARGS__ }
#define NO_ARGS		{ ARG_NONE }

static const struct command_row rows[] = {
	[CMD_USER] = ROW("USER", IN_A, 1, 1, ARGS(ARG_WORD),
	    CMD_UTF8_ARGS, "1939 s.7, 6856 s.2.2"),
	[CMD_PASS] = ROW("PASS", IN_A, 1, 1, ARGS(ARG_SECRET),
	    CMD_SECRET_ARGS, "1939 s.7"),
	[CMD_RPOP] = ROW("RPOP", IN_A, 1, 1, ARGS(ARG_WORD), 0, "1081"),
	[CMD_APOP] = ROW("APOP", IN_A, 2, 2, ARGS(ARG_WORD, ARG_WORD),
	    CMD_SECRET_ARGS | CMD_UTF8_ARGS, "1939 s.7, 6856 s.2.2"),
	[CMD_QUIT] = ROW("QUIT", IN_A | IN_T, 0, 0, NO_ARGS, 0, "1939 s.4, 6"),
	[CMD_CAPA] = ROW("CAPA", IN_A | IN_T, 0, 0, NO_ARGS,
	    CMD_MULTILINE, "2449 s.5"),
	[CMD_XCLIENT] = ROW("XCLIENT", IN_A, 1, 1, ARGS(ARG_TEXT), 0,
	    "Postfix's XCLIENT_README"),
	[CMD_STLS] = ROW("STLS", IN_A, 0, 0, NO_ARGS, 0, "2595 s.4"),
	[CMD_AUTH] = ROW("AUTH", IN_A, 0, 2, ARGS(ARG_WORD, ARG_WORD),
	    CMD_SECRET_ARGS, "5034 s.4"),
	[CMD_UTF8] = ROW("UTF8", IN_A, 0, 0, NO_ARGS, 0, "6856 s.2"),
	[CMD_LANG] = ROW("LANG", IN_A | IN_T, 0, 1, ARGS(ARG_WORD),
	    CMD_MULTILINE, "6856 s.3"),
	[CMD_STAT] = ROW("STAT", IN_T, 0, 0, NO_ARGS, 0, "1939 s.5"),
	[CMD_LIST] = ROW("LIST", IN_T, 0, 1, ARGS(ARG_MSGNO),
	    CMD_MULTILINE, "1939 s.5"),
	[CMD_RETR] = ROW("RETR", IN_T, 1, 1, ARGS(ARG_MSGNO),
	    CMD_MULTILINE, "1939 s.5"),
	[CMD_DELE] = ROW("DELE", IN_T, 1, 1, ARGS(ARG_MSGNO), 0, "1939 s.5"),
	[CMD_NOOP] = ROW("NOOP", IN_T, 0, 0, NO_ARGS, 0, "1939 s.5"),
	[CMD_LAST] = ROW("LAST", IN_T, 0, 0, NO_ARGS, 0, "1081"),
	[CMD_RSET] = ROW("RSET", IN_T, 0, 0, NO_ARGS, 0, "1939 s.5"),
	[CMD_TOP] = ROW("TOP", IN_T, 2, 2, ARGS(ARG_MSGNO, ARG_COUNT),
	    CMD_MULTILINE, "1939 s.7"),
	[CMD_UIDL] = ROW("UIDL", IN_T, 0, 1, ARGS(ARG_MSGNO),
	    CMD_MULTILINE, "1939 s.7"),
	[CMD_XTND_BBOARDS] = ROW("XTND BBOARDS", IN_T, 0, 1, ARGS(ARG_WORD),
	    CMD_MULTILINE, "1082"),
	[CMD_XTND_ARCHIVE] = ROW("XTND ARCHIVE", IN_T, 1, 1, ARGS(ARG_WORD),
	    CMD_MULTILINE, "1082"),
	[CMD_XTND_X_BBOARDS] = ROW("XTND X-BBOARDS", IN_T, 1, 1,
	    ARGS(ARG_WORD), CMD_MULTILINE, "1082"),
	[CMD_XTND_XMIT] = ROW("XTND XMIT", IN_T, 0, 0, NO_ARGS, 0,
	    "popper manual"),
	[CMD_XTND_XLST] = ROW("XTND XLST", IN_T, 1, 2,
	    ARGS(ARG_WORD, ARG_MSGNO), CMD_MULTILINE, "popper manual"),
};
static_assert(ARRAY_LEN(rows) == CMD_COUNT, "a row for each command");

static const char *const errors[] = {
	[COMMAND_OK]		= "Unknown command.",	/* never asked for */
	[COMMAND_EMPTY]		= "Unknown command.",
	[COMMAND_MALFORMED]	= "Malformed command.",
	[COMMAND_UNKNOWN]	= "Unknown command.",
	[COMMAND_WRONG_STATE]	= "Unknown command.",
	[COMMAND_FEW_ARGS]	= "Too few arguments.",
	[COMMAND_MANY_ARGS]	= "Too many arguments.",
	[COMMAND_BAD_NUMBER]	= "Not a valid number.",
};
static_assert(ARRAY_LEN(errors) == COMMAND_RESULTS, "a text for each result");

const struct command_row *
command_row(enum command_id id)
{
	ASSERT(id < CMD_COUNT);
	return &rows[id];
}

const char *
command_error(enum command_result r)
{
	ASSERT(r < COMMAND_RESULTS);
	return errors[r];
}

/* Mostly the first letter tells that it is not; a row's is a capital. */
static bool
is_named(const struct command_row *row, struct span name)
{
	return name.n > 0 && row->name[0] == (name.p[0] & ~('a' - 'A')) &&
	    span_eq_nocase(span_str(row->name), name);
}

static enum command_id
find_row(struct span name)
{
	size_t id = 0;

	while (id < CMD_COUNT && !is_named(&rows[id], name))
		id++;
	return (enum command_id)id;
}

static enum command_id
find_xtnd(struct span sub)
{
	static const struct span xtnd = SPAN("XTND ");

	if (span_eq_nocase(sub, SPAN("XLIST")))
		return CMD_XTND_XLST;
	for (size_t id = 0; id < CMD_COUNT; id++) {
		struct span name = span_str(rows[id].name);

		if (span_starts(name, xtnd) &&
		    span_eq_nocase(span_skip(name, xtnd.n), sub))
			return (enum command_id)id;
	}
	return CMD_COUNT;
}

/* Cut the keyword, or XTND and its subcommand, off *rest. */
static enum command_id
take_keyword(struct span *rest)
{
	struct span word = span_word(rest);

	if (span_eq_nocase(word, SPAN("XTND")))
		return find_xtnd(span_word(rest));
	return find_row(word);
}

/* Nothing but printable characters, of ASCII unless in UTF-8, and the blanks
 * between. */
static bool
well_formed(struct span s, bool utf8)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
			return false;
	return utf8 ? utf8_is_valid(s) : span_is_ascii(s);
}

static enum command_result
parse_secret(struct span rest, struct command *out)
{
	if (span_find(rest, '\0') != rest.n)
		return COMMAND_MALFORMED;
	if (rest.n == 0)
		return COMMAND_FEW_ARGS;
	out->word[0] = span_skip(rest, 1);
	out->nargs = 1;
	return COMMAND_OK;
}

static bool
parse_number(struct span s, enum arg_kind kind, uint64_t *out)
{
	uint64_t max = kind == ARG_MSGNO ? MSGNO_MAX : COUNT_MAX;

	if (s.p[0] == '0' && (s.n > 1 || kind == ARG_MSGNO))
		return false;
	return num_parse(s, max, out);
}

static struct span
next_arg(const struct command_row *row, struct span *rest)
{
	struct span text = span_trim(*rest);

	if (row->args[0] != ARG_TEXT)
		return span_word(rest);
	*rest = SPAN("");
	return text;
}

static enum command_result
parse_args(const struct command_row *row, struct span rest,
    struct command *out)
{
	struct span word = next_arg(row, &rest);

	while (word.n > 0) {
		if (out->nargs == row->args_max)
			return COMMAND_MANY_ARGS;
		out->word[out->nargs++] = word;
		word = next_arg(row, &rest);
	}
	if (out->nargs < row->args_min)
		return COMMAND_FEW_ARGS;
	for (size_t i = 0; i < out->nargs; i++)
		if ((row->args[i] == ARG_MSGNO || row->args[i] == ARG_COUNT) &&
		    !parse_number(out->word[i],
		    row->args[i], &out->number[i]))
			return COMMAND_BAD_NUMBER;
	return COMMAND_OK;
}

/* Everything about a line but its state. */
static enum command_result
examine(struct span line, struct command *out)
{
	struct span rest = line;

	*out = (struct command){ .id = take_keyword(&rest) };
	if (out->id < CMD_COUNT && rows[out->id].args[0] == ARG_SECRET)
		return parse_secret(rest, out);
	if (!well_formed(line, out->id < CMD_COUNT &&
	    (rows[out->id].flags & CMD_UTF8_ARGS) != 0))
		return COMMAND_MALFORMED;
	if (span_trim(line).n == 0)
		return COMMAND_EMPTY;
	if (out->id == CMD_COUNT)
		return COMMAND_UNKNOWN;
	return parse_args(&rows[out->id], rest, out);
}

enum command_result
command_parse(struct span line, enum pop_state state, struct command *out)
{
	enum command_result r = examine(line, out);

	if (out->id < CMD_COUNT && r != COMMAND_MALFORMED &&
	    (rows[out->id].states & (1u << state)) == 0)
		return COMMAND_WRONG_STATE;
	return r;
}

/* Append what fits of s to the n octets of out. */
static size_t
put(char *out, size_t cap, size_t n, struct span s)
{
	s = span_first(s, cap - n);
	if (s.n > 0)
		memcpy(out + n, s.p, s.n);
	return n + s.n;
}

size_t
command_redact(struct span line, char *out, size_t cap)
{
	struct command		cmd;
	enum command_result	r = examine(line, &cmd);
	size_t			n = 0;

	if (r == COMMAND_EMPTY)
		return 0;
	if (cmd.id < CMD_COUNT) {
		/* "USER ann secret" is a slip of the hand, too. */
		if ((rows[cmd.id].flags & CMD_SECRET_ARGS) == 0 &&
		    r != COMMAND_MALFORMED && r != COMMAND_MANY_ARGS)
			return put(out, cap, 0, line);
		n = put(out, cap, n, span_str(rows[cmd.id].name));
		n = put(out, cap, n, SPAN(" "));
	}
	return put(out, cap, n, SPAN("***"));
}
