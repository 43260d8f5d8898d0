/* SPDX-License-Identifier: ISC */
#include "watch/options.h"

#include "sys/sock.h"

#include <assert.h>

static_assert(sizeof(enum log_to) == sizeof(int), "CONF_WORD");

static const char *const destinations[] = {
	[LOG_TO_SYSLOG]	= "syslog",
	[LOG_TO_STDERR]	= "stderr",
	[LOG_TO_FILE]	= "file",
	[LOG_TO_JOURNAL] = "journal",
	NULL
};

static_assert(sizeof(enum log_form) == sizeof(int), "CONF_WORD");

static const char *const forms[] = {
	[LOG_TEXT]	= "text",
	[LOG_JSON]	= "json",
	NULL
};

/* RFC 3164 s.4.1.1; both tables in the same order. */
static const char *const facilities[] = {
	"mail", "daemon", "auth", "local0", "local1", "local2", "local3",
	"local4", "local5", "local6", "local7", NULL
};
static const int facility_numbers[] = {
	2, 3, 4, 16, 17, 18, 19, 20, 21, 22, 23
};
static_assert(ARRAY_LEN(facilities) == ARRAY_LEN(facility_numbers) + 1,
    "one number for each facility");

#define AT(member)	offsetof(struct log_settings, member)

const struct conf_option log_options[] = {
	{
		.name = "debug", .type = CONF_BOOL, .offset = AT(debug),
		.fallback = "no", .flag = 'd',
		.meaning = "whether debugging is logged",
		.man = "Log debugging information, and set the socket to "
		    "debugging.\n"
		    "This is a lot of text.\n"
		    "Passwords are never in it.",
	},
	{
		.name = "statistics", .type = CONF_BOOL,
		.offset = AT(statistics), .fallback = "no", .flag = 's',
		.meaning = "whether a line of statistics is logged for each "
		    "session",
		.man = "Log a line of statistics at the end of each session.",
	},
	{
		.name = "trace_file", .type = CONF_PATH,
		.offset = AT(trace_file), .fallback = "", .flag = 't',
		.meaning = "which file takes the debugging information",
		.man = "Turn on debugging and append it to this file instead "
		    "of the log.\n"
		    "Warnings and failed logins still reach the log.\n"
		    "A file that cannot be opened safely is reported and left "
		    "out.",
	},
	{
		.name = "log", .type = CONF_WORD, .offset = AT(to),
		.fallback = "syslog", .words = destinations,
		.meaning = "where the log goes",
		.man = "Where log lines go.\n"
		    ".Cm stderr\n"
		    "is for\n"
		    ".Nm popper Cm serve .\n"
		    ".Cm journal\n"
		    "is systemd's journal, with a field for each key; see\n"
		    ".Xr popper-log 5 .",
	},
	{
		.name = "log_format", .type = CONF_WORD,
		.offset = AT(form), .fallback = "text", .words = forms,
		.meaning = "in which form lines are logged",
		.man = "The form of lines to syslog, standard error or a "
		    "file:\n"
		    ".Cm text\n"
		    "or\n"
		    ".Cm json ,\n"
		    "one object a line; see\n"
		    ".Xr popper-log 5 .\n"
		    "A trace file is always text.",
	},
	{
		.name = "log_file", .type = CONF_PATH, .offset = AT(file),
		.fallback = "",
		.meaning = "which file the log is appended to",
		.man = "The file of\n.Ic log No = Cm file .\n"
		    "Every process of popper has it open, a user's session as "
		    "well: one that somebody\n"
		    "has taken over could empty it.\n"
		    "What a log daemon has is out of reach.",
	},
	{
		.name = "log_socket", .type = CONF_PATH, .offset = AT(socket),
		.fallback = "/dev/log", .min = 1, .valid = sock_path_fits,
		.meaning = "at which socket the log daemon listens, in at most "
		    "107 octets",
		.man = "The socket at which the log daemon listens.",
	},
	{
		.name = "journal_socket", .type = CONF_PATH,
		.offset = AT(journal),
		.fallback = "/run/systemd/journal/socket", .min = 1,
		.valid = sock_path_fits,
		.meaning = "at which socket systemd's journal listens, in at "
		    "most 107 octets",
		.man = "The socket of\n.Ic log No = Cm journal .",
	},
	{
		.name = "log_facility", .type = CONF_WORD,
		.offset = AT(facility_word), .fallback = "mail",
		.words = facilities,
		.meaning = "under which facility the log daemon files our "
		    "lines",
		.man = "The facility under which lines go to\n.Xr syslog 3 .",
	},
	{ .name = NULL }
};

void
log_conf_of(const struct log_settings *s, struct log_conf *out)
{
	*out = (struct log_conf){
		.to = s->to,
		.file = s->file,
		.socket = s->socket,
		.journal = s->journal,
		.form = s->form,
		.facility = facility_numbers[s->facility_word],
		.debug = s->debug,
		.trace_fd = -1,
	};
}
