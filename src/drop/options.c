/* SPDX-License-Identifier: ISC */
#include "drop/options.h"

/* A percent sign and a letter that we know; everything else stands for itself. */
static bool
is_template(const char *value)
{
	bool user = false, home = value[0] == '~';

	if (value[0] == '\0' || (home && value[1] != '/'))
		return false;
	for (const char *p = value; *p != '\0'; p++) {
		if (*p != '%')
			continue;
		p++;
		if (*p == 'u')
			user = true;
		else if (*p == 'h')
			home = true;
		else if (*p != '1' && *p != '2' && *p != '%')
			return false;
	}
	return user || home;
}

#define AT(member)	offsetof(struct drop_settings, member)

const struct conf_option drop_options[] = {
	{
		.name = "maildrop", .type = CONF_TEXT, .offset = AT(maildrop),
		.fallback = "/var/mail/%u", .valid = is_template,
		.meaning = "which file is a user's maildrop, with %u (or a "
		    "home folder, %h or ~/) in it, and perhaps %1, %2 or %%",
		.man = "The file that is a user's maildrop.\n"
		    ".Ql %u\n"
		    "stands for the user's name,\n"
		    ".Ql %1\n"
		    "and\n"
		    ".Ql %2\n"
		    "for its first and second character,\n"
		    ".Ql %h\n"
		    "or a leading\n"
		    ".Ql \\(ti\n"
		    "for the home folder,\n"
		    ".Ql %%\n"
		    "for a percent sign: a hashed spool is\n"
		    ".Pa /var/mail/%1/%2/%u ,\n"
		    "a mailbox at home\n"
		    ".Pa \\(ti/mbox .\n"
		    "A user of\n"
		    ".Ic passwd_file\n"
		    "may have another one in his row.",
	},
	{
		.name = "status_headers", .type = CONF_BOOL,
		.offset = AT(status_headers), .fallback = "yes",
		.meaning = "whether retrieved messages are marked in the "
		    "maildrop",
		.man = "Whether QUIT writes\n"
		    ".Ql Status: RO\n"
		    "into the header of a retrieved message.\n"
		    "With\n"
		    ".Cm no\n"
		    "what LAST needs is kept in\n"
		    ".Ic state_dir .",
	},
	{
		.name = "lock_timeout", .type = CONF_SECONDS,
		.offset = AT(lock_timeout_s), .fallback = "30", .min = 1,
		.max = 600,
		.meaning = "how long to wait for a locked maildrop",
		.man = "How long to try to lock a maildrop that a mail "
		    "transfer agent or a mail reader holds.",
	},
	{ .name = NULL }
};
