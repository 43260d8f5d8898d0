/* SPDX-License-Identifier: ISC */
#include "drop/options.h"

#include "base/num.h"
#include "drop/path.h"

#include <string.h>

/* A percent sign and a letter that we know; everything else stands for itself. */
static bool
is_template(const char *value)
{
	bool user = false, home;

	if (span_starts(span_str(value), SPAN(DROP_PATH_MAILDIR)))
		value += strlen(DROP_PATH_MAILDIR);
	home = value[0] == '~';
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

/* The same, or nothing. */
static bool
is_other_template(const char *value)
{
	return value[0] == '\0' || is_template(value);
}

#define DAY_S	86400u
#define DAYS_MAX	36500u

/* Digits as CAPA shows them. */
static bool
is_expire(const char *value)
{
	uint64_t days;

	return strcmp(value, "never") == 0 ||
	    ((value[0] != '0' || value[1] == '\0') &&
	    num_parse(span_str(value), DAYS_MAX, &days));
}

const char *
drop_expire_told(const struct drop_settings *s)
{
	return strcmp(s->expire, "never") == 0 ? NULL : s->expire;
}

unsigned
drop_expire_days(const struct drop_settings *s)
{
	uint64_t days;

	return num_parse(span_str(s->expire), DAYS_MAX, &days) ?
	    (unsigned)days : EXPIRE_NEVER;
}

uint64_t
drop_expire_before(const struct drop_settings *s, uint64_t now)
{
	unsigned	days = drop_expire_days(s);
	uint64_t	age = (uint64_t)DAY_S * (days + 1ull);

	return !s->expire_delete || days == 0 || days == EXPIRE_NEVER ||
	    now <= age ? 0 : now - age;
}

bool
drop_expire_held(const struct drop_settings *s, bool kept)
{
	unsigned days = drop_expire_days(s);

	return s->expire_delete && days != 0 && days != EXPIRE_NEVER &&
	    s->expire_clock == EXPIRE_CLOCK_SYNCHRONIZED && !kept;
}

bool
drop_expires_retrieved(const struct drop_settings *s)
{
	return s->expire_delete && drop_expire_days(s) == 0;
}

#define AT(member)	offsetof(struct drop_settings, member)

static const char *const expire_clocks[] = {
	[EXPIRE_CLOCK_SYNCHRONIZED]	= "synchronized",
	[EXPIRE_CLOCK_ANY]		= "any",
	NULL
};

static const char *const temps[] = {
	[TEMP_MAILDROP_AUTO]	= "auto",
	[TEMP_MAILDROP_ALWAYS]	= "always",
	NULL
};

const struct conf_option drop_options[] = {
	{
		.name = "maildrop", .type = CONF_TEXT, .offset = AT(maildrop),
		.fallback = "/var/mail/%u", .valid = is_template,
		.meaning = "which file is a user's maildrop, or with a slash "
		    "at the end which Maildir, with %u (or a home folder, %h "
		    "or ~/) in it, and perhaps %1, %2 or %%",
		.man = "The file, an mbox, that is a user's maildrop, or the\n"
		    "folder: with a slash at the end, or\n"
		    ".Ql maildir:\n"
		    "before it, a Maildir\n"
		    ".Pq Pa \\(ti/Maildir/ ;\n"
		    "a path without either is an mbox, but where it leads to "
		    "a folder with\n"
		    ".Pa cur , new\n"
		    "and\n"
		    ".Pa tmp\n"
		    "in it.\n"
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
		    "Folders of the path from the first one with the user's name, or "
		    "a character of it, are made at his login, where he may "
		    "do that; what is before them must be there.\n"
		    "A user of\n"
		    ".Ic passwd_file\n"
		    "may have another one in his row.\n"
		    "In a Maildir, mail programs may deliver, mark and "
		    "remove messages at any time; its subfolders are left "
		    "alone.\n"
		    "The sizes\n"
		    ".Ql S=\n"
		    "and\n"
		    ".Ql W=\n"
		    "in the names of files of more than 64 KiB are believed "
		    "where they can be right; any other file is read once.\n"
		    "What was found out about a large Maildir is kept in\n"
		    ".Pa index\n"
		    "in\n"
		    ".Ic state_dir ,\n"
		    "some 100 octets a message, and while its folders stay as "
		    "they are, the next login uses that.\n"
		    "A message's unique-id is the name of its file up to the "
		    "colon, as with qmail-pop3d, where that is printable "
		    "ASCII of at most 70 characters.",
	},
	{
		.name = "maildrop_else", .type = CONF_TEXT,
		.offset = AT(maildrop_else), .fallback = "~/Maildir/",
		.valid = is_other_template,
		.meaning = "which Maildir is the maildrop of a user for whom "
		    "nothing lies at maildrop (as there, with %u or a home "
		    "folder in it), or nothing",
		.man = "Where nothing lies at\n"
		    ".Ic maildrop :\n"
		    "the Maildir that is the user's maildrop then, if it is "
		    "there, with\n"
		    ".Pa cur , new\n"
		    "and\n"
		    ".Pa tmp\n"
		    "in it, the user's, and no symbolic link; the template is "
		    "one as there.\n"
		    "Empty: none, as for users whose row in a database names "
		    "their mail.\n"
		    "Users of a database, who may share a home, need their name "
		    "in its path, without what begins with\n"
		    ".Ql @\n"
		    "or with it: as its last part, or the one above.\n"
		    "A file that is there is the maildrop, if it is empty, "
		    "too: whoever keeps mail of his own in such a folder is "
		    "not handed that because his spool was fetched.\n"
		    "For who was served from the Maildir, which popper notes "
		    "in\n"
		    ".Pa maildirs\n"
		    "in\n"
		    ".Ic state_dir ,\n"
		    "an empty file is none.\n"
		    "When mail comes to\n"
		    ".Ic maildrop\n"
		    "for such a user, that is what he gets, until nothing is "
		    "left of it: the log\n"
		    ".Pq Ql maildrop-two\n"
		    "and\n"
		    ".Xr popper-check 8\n"
		    "tell, for mail should be delivered to one place.\n"
		    "It is looked for with the user's rights, and only where "
		    "nothing lies at\n"
		    ".Ic maildrop ,\n"
		    "or for who was served from it: a login of such a user "
		    "waits for his home, if that lies on a file server that "
		    "does not answer, and who was served from it is told to "
		    "try again later while his home is not there.",
	},
	{
		.name = "status_headers", .type = CONF_BOOL,
		.offset = AT(status_headers), .fallback = "yes",
		.meaning = "whether retrieved messages are marked in the "
		    "maildrop",
		.man = "Whether QUIT writes\n"
		    ".Ql Status: RO\n"
		    "into the header of a retrieved message; in a Maildir, "
		    "its file goes to\n"
		    ".Pa cur\n"
		    "and gets the flag S.\n"
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
		    "transfer agent or a mail reader holds; and, in\n"
		    ".Nm popper Cm serve ,\n"
		    "for a user's home that does not answer.",
	},
	{
		.name = "temp_maildrop", .type = CONF_WORD,
		.offset = AT(temp_maildrop), .fallback = "auto",
		.words = temps,
		.meaning = "whether a session reads a copy of the maildrop "
		    "whatever it costs (always), or where it costs nothing "
		    "(auto)",
		.man = "Of what a session reads, while other programs change "
		    "the maildrop.\n"
		    "With\n"
		    ".Cm always\n"
		    "of a copy that is made at login, within\n"
		    ".Ic temp_max .\n"
		    "With\n"
		    ".Cm auto\n"
		    "of a copy where that costs nothing: a maildrop of at most "
		    "32 KiB, and any on a file system whose files can share "
		    "octets\n"
		    ".Pq XFS and Btrfs , if Ic temp_dir No is there, too .\n"
		    "On other file systems of this host the maildrop itself is "
		    "read, and looked at before and after: when it was changed, "
		    "the session's messages are looked up again by what is in "
		    "them.\n"
		    "A copy is made where nobody can tell in time that a file "
		    "was changed\n"
		    ".Pq NFS .\n"
		    "To read in place promises less than a copy: a message that "
		    "another program removes, changes or marks is refused from "
		    "then on\n"
		    ".Pq Ql [SYS/TEMP] ,\n"
		    "never replaced by other octets; the next session finds it "
		    "as it is by then.\n"
		    "A maildrop that is not copied, or shares its octets, is "
		    "read as a whole only once: what was found out is kept in\n"
		    ".Pa index\n"
		    "in\n"
		    ".Ic state_dir ,\n"
		    "120 octets a message, and as long as the maildrop stays as "
		    "it is, or is only added to, the next login uses that, "
		    "as it does after a\n"
		    ".Ql QUIT\n"
		    "that deleted or marked mail, but not after one that added "
		    "bulletins.",
	},
	{
		.name = "expire", .type = CONF_TEXT, .offset = AT(expire),
		.fallback = "never", .valid = is_expire,
		.meaning = "for how many days mail may lie on the server, as "
		    "clients are told: never, a number, or 0",
		.man = "What CAPA tells of how long mail may stay in a maildrop\n"
		    ".Po\n"
		    ".Ql EXPIRE ,\n"
		    "RFC 2449\n"
		    ".Pc :\n"
		    "with\n"
		    ".Cm never\n"
		    "for as long as its user likes; else a number of days, "
		    "where 0 says that mail is to be fetched, not to be left.\n"
		    "This alone deletes nothing, see\n"
		    ".Ic expire_delete .",
	},
	{
		.name = "expire_delete", .type = CONF_BOOL,
		.offset = AT(expire_delete), .fallback = "no",
		.meaning = "whether QUIT deletes mail that is older than "
		    "expire says",
		.man = "Whether\n"
		    ".Ql QUIT\n"
		    "deletes what\n"
		    ".Ic expire\n"
		    "announces, whether it was read or not: messages that "
		    "were delivered more than so many days, and one day, ago "
		    "(the date in a From_ line tells no time zone); with 0 "
		    "those that were retrieved in this session, as they are.\n"
		    "Until then they are there as ever;\n"
		    ".Ql RSET\n"
		    "changes nothing of it; a session that ends in another "
		    "way, or mail that came since its login, loses nothing.\n"
		    "A message whose From_ line has no date that can be "
		    "right, or one before 1990, is never deleted.\n"
		    "Age is told by the clock of this host, see\n"
		    ".Ic expire_clock .",
	},
	{
		.name = "expire_clock", .type = CONF_WORD,
		.offset = AT(expire_clock), .fallback = "synchronized",
		.words = expire_clocks,
		.meaning = "by which clock expire_delete deletes: one that a "
		    "time service keeps (synchronized), or any",
		.man = "A clock that is years ahead makes all mail old.\n"
		    "With\n"
		    ".Cm synchronized\n"
		    "nothing is deleted for its age by a session that begins "
		    "while the kernel does not say that a time service "
		    "(systemd-timesyncd, chrony, ntpd) keeps the clock; it "
		    "also stops saying so when somebody sets the clock by "
		    "hand, until the service has set it right.\n"
		    "A session that would have deleted something says so in "
		    "the log\n"
		    ".Pq Ql expire-held .\n"
		    "With\n"
		    ".Cm any\n"
		    "the clock is believed as it is: for hosts that have it "
		    "from elsewhere.\n"
		    "What\n"
		    ".Ic expire No = 0\n"
		    "deletes has nothing to do with the clock.",
	},
	{ .name = NULL }
};
