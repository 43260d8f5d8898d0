/* SPDX-License-Identifier: ISC */
#include "xtnd/options.h"

/* The program is started without a shell and a search path. */
static bool
is_absolute(const char *value)
{
	return value[0] == '/';
}

/* A template of an address: %u is the user; exactly one @. */
static bool
is_sender(const char *value)
{
	struct span	s = span_str(value);
	size_t		at = span_find(s, '@');

	if (s.n == 0)
		return true;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (c <= ' ' || c >= 0x7f || c == '<' || c == '>' ||
		    (c == '%' && (i + 1 == s.n || s.p[i + 1] != 'u')))
			return false;
	}
	return s.p[0] != '-' && at > 0 && at + 1 < s.n &&
	    span_find(span_skip(s, at + 1), '@') == s.n - at - 1;
}

#define AT(member)	offsetof(struct xtnd_settings, member)

const struct conf_option xtnd_options[] = {
	{
		.name = "bboards", .type = CONF_PATH, .offset = AT(bboards),
		.fallback = "",
		.meaning = "which file describes the bulletin boards",
		.man = "The file that describes the discussion groups of "
		    "RFC 1082,\n"
		    "see\n"
		    ".Sx BULLETIN BOARDS .\n"
		    "When empty there are none.",
	},
	{
		.name = "xmit", .type = CONF_BOOL, .offset = AT(xmit),
		.fallback = "yes",
		.meaning = "whether users may send mail with XTND XMIT",
		.man = "Whether users may send mail with XTND XMIT.",
	},
	{
		.name = "xmit_command", .type = CONF_PATH,
		.offset = AT(xmit_command), .fallback = "/usr/sbin/sendmail",
		.valid = is_absolute,
		.meaning = "which program takes a message, as an absolute path",
		.man = "The program that takes a message as\n"
		    ".Xr sendmail 8\n"
		    "does; an absolute path without arguments.",
	},
	{
		.name = "xmit_max_size", .type = CONF_SIZE,
		.offset = AT(xmit_max_size), .fallback = "32M", .min = 1024,
		.meaning = "how large a message may be that XTND XMIT takes",
		.man = "The largest message that XTND XMIT takes.",
	},
	{
		.name = "xmit_rate", .type = CONF_COUNT, .offset = AT(xmit_rate),
		.fallback = "20", .min = 1,
		.meaning = "how many messages a user may send in an hour",
		.man = "How many messages a user may send in an hour.",
	},
	{
		.name = "xmit_sender", .type = CONF_TEXT,
		.offset = AT(xmit_sender), .fallback = "", .valid = is_sender,
		.meaning = "the sender's address of virtual users, such as "
		    "%u@example.org",
		.man = "The only address from which a user of\n"
		    ".Ic passwd_file\n"
		    "may send;\n"
		    ".Ql %u\n"
		    "stands for the user's name, as in\n"
		    ".Ql %u@example.org .\n"
		    "When empty, such users cannot send.",
	},
	{ .name = NULL }
};
