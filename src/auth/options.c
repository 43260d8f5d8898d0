/* SPDX-License-Identifier: ISC */
#include "auth/options.h"

#include "auth/access.h"
#include "auth/auth.h"

#include <assert.h>

static_assert(sizeof(enum auth_app) == sizeof(int), "CONF_WORD");
static_assert(sizeof(uid_t) == sizeof(unsigned), "CONF_COUNT");
static_assert(sizeof(gid_t) == sizeof(unsigned), "CONF_COUNT");

static const char *const app_words[] = {
	[AUTH_APP_NO]	= "no",
	[AUTH_APP_YES]	= "yes",
	[AUTH_APP_ONLY]	= "only",
	NULL
};

static const char *const client_names[] = {
	[EXTERNAL_FILE]		= "file",
	[EXTERNAL_EMAIL]	= "email",
	[EXTERNAL_CN]		= "cn",
	[EXTERNAL_DNS]		= "dns",
	NULL
};
static_assert(sizeof(enum external_by) == sizeof(int), "CONF_WORD");

/* A PAM service is a file's name in pam.d, so it may not be a path. */
static bool
is_service(const char *value)
{
	struct span s = span_str(value);

	return s.n > 0 && s.p[0] != '.' && span_find(s, '/') == s.n &&
	    span_find(s, ' ') == s.n;
}

/* No character that names are made of, or that means something in them. */
static bool
is_separator(const char *value)
{
	return value[0] != '\0' && value[1] == '\0' &&
	    strchr("*%+|!&^~=", value[0]) != NULL;
}

#define AT(member)	offsetof(struct auth_conf, member)

const struct conf_option auth_options[] = {
	{
		.name = "auth", .type = CONF_LIST, .offset = AT(databases),
		.fallback = "pam", .fits = auth_database_fits,
		.meaning = "where passwords are looked up",
		.man = "Where a name and password are looked up:\n"
		    ".Cm pam\n"
		    "asks the host's accounts through PAM,\n"
		    ".Cm file\n"
		    "reads\n"
		    ".Ic passwd_file .\n"
		    "There may be up to eight such user databases, in one line "
		    "or in several, also as\n"
		    ".Dl id:type:place\n"
		    "with an id of your choice (small letters, digits, - and "
		    "_), as type\n"
		    ".Cm pam , file , sqlite\n"
		    "or\n"
		    ".Cm pgsql ,\n"
		    "and as place the PAM service, the password file, or the "
		    "settings of the SQL database (see\n"
		    ".Sx DATABASES IN SQL ) :\n"
		    ".Dl auth = pam shop:file:/etc/popper/shop\n"
		    "They are asked in this order, and the first one that knows "
		    "the name decides:\n"
		    "a password that is wrong there is tried nowhere else.\n"
		    "When one cannot be asked, nothing is decided about those "
		    "whom the ones before it do not know.\n"
		    "The line of a login in the log names the id; of\n"
		    ".Cm pam\n"
		    "and\n"
		    ".Cm file\n"
		    "it is the type.",
	},
	{
		.name = "pam_service", .type = CONF_TEXT,
		.offset = AT(pam_service), .fallback = "popper",
		.valid = is_service,
		.meaning = "which PAM service is asked, a file name in "
		    "/etc/pam.d",
		.man = "The PAM service, a file in\n.Pa /etc/pam.d .",
	},
	{
		.name = "passwd_file", .type = CONF_PATH,
		.offset = AT(passwd_file), .fallback = "/etc/popper/users",
		.min = 1,
		.meaning = "which file holds the virtual users",
		.man = "The users of\n"
		    ".Ic auth No = Cm file ,\n"
		    "one a line as\n"
		    ".Dl user:password:uid:gid:gecos:home:shell:extra\n"
		    "Managed by\n"
		    ".Nm popper Cm passwd .\n"
		    "It may not be readable by others, nor have 512 MiB or more,"
		    "\nwhich is four million users.",
	},
	{
		.name = "virtual_user", .type = CONF_TEXT,
		.offset = AT(virtual_user), .fallback = "",
		.meaning = "who serves users whose row has no uid, as a name "
		    "or uid:gid",
		.man = "The identity of users whose row in\n"
		    ".Ic passwd_file\n"
		    "names none: an account, or\n"
		    ".Ar uid Ns Op : Ns Ar gid .\n"
		    "When empty, the user who runs popper serves them, unless "
		    "that is root:\n"
		    "then such users cannot log in.",
	},
	{
		.name = "uid_min", .type = CONF_COUNT, .offset = AT(uid_min),
		.fallback = "1000", .min = 1, .max = UINT32_MAX - 1,
		.meaning = "the lowest uid that may log in",
		.man = "The lowest user ID that may log in; never 0.",
	},
	{
		.name = "uid_max", .type = CONF_COUNT, .offset = AT(uid_max),
		.fallback = "60000", .min = 1, .max = UINT32_MAX - 1,
		.meaning = "the highest uid that may log in",
		.man = "The highest user ID that may log in.",
	},
	{
		.name = "gid_min", .type = CONF_COUNT, .offset = AT(gid_min),
		.fallback = "100", .min = 1, .max = UINT32_MAX - 1,
		.meaning = "the lowest primary gid that may log in",
		.man = "The lowest group ID that a user may have.\n"
		    "A user with a lower primary group cannot log in;\n"
		    "lower supplementary groups are left out of the session.",
	},
	{
		.name = "gids_denied", .type = CONF_TEXT,
		.offset = AT(gids_denied),
		.fallback = "root shadow disk mail adm sudo docker",
		.meaning = "which groups no session may have",
		.man = "Groups, by name or number and 128 at most, that no session "
		    "may have,\n"
		    "whatever\n"
		    ".Ic gid_min\n"
		    "says: as a primary group they refuse the login, as "
		    "supplementary ones they are left out.\n"
		    ".Nm popper Cm serve\n"
		    "looks names up when it starts.",
	},
	{
		.name = "deny_file", .type = CONF_PATH, .offset = AT(deny_file),
		.fallback = "/etc/popper/deny",
		.meaning = "which file lists the names that may not log in",
		.man = "A file of login names, one a line, that are refused;\n"
		    "a line\n"
		    ".Ql @example.org\n"
		    "stands for all names of that domain.\n"
		    "A\n"
		    ".Ql #\n"
		    "at the start of a line or behind a blank begins a "
		    "comment; within a name it is a character of it.\n"
		    "It need not exist; one that is named here and missing is "
		    "an error to\n"
		    ".Xr popper-check 8 ,\n"
		    "and denies nobody.",
	},
	{
		.name = "allow_file", .type = CONF_PATH,
		.offset = AT(allow_file), .fallback = "",
		.meaning = "which file lists the only names that may log in",
		.man = "A file in the form of\n"
		    ".Ic deny_file .\n"
		    "When one is named here, who does not stand in it is "
		    "refused.",
	},
	{
		.name = "access", .type = CONF_LINES, .offset = AT(access),
		.fallback = "", .fits = access_fits,
		.meaning = "who may log in from where and how, as allow or deny "
		    "with conditions",
		.man = "Rules for those who know their password, one a line:\n"
		    ".Cm allow\n"
		    "or\n"
		    ".Cm deny ,\n"
		    "and conditions.\n"
		    "The first line whose conditions all hold decides;\n"
		    "if there is none, the user may log in.\n"
		    "Who is denied is answered as if the password had been "
		    "wrong.\n"
		    "A condition is a name, an equals sign and a list with commas, "
		    "of which one must fit, or none when\n"
		    ".Ql \\&!\n"
		    "stands before it:\n"
		    ".Bl -tag -width Ds\n"
		    ".It Cm user Ns = , Cm domain Ns =\n"
		    "The user's name as the database has it, or what follows its "
		    "last\n"
		    ".Ql @ .\n"
		    ".It Cm group Ns =\n"
		    "A group that the user is in, by name or number, whether "
		    "the session\nwill have it or not (see\n"
		    ".Ic gids_denied ) .\n"
		    ".It Cm db Ns =\n"
		    "The database that knows the user.\n"
		    ".It Cm method Ns =\n"
		    "How the password was said, as the log has it:\n"
		    ".Cm pass , plain , login , scram-sha-256 , external ,\n"
		    ".Cm oauthbearer\n"
		    "and so on;\n.Nm popper Cm check\n"
		    "names all of them when it meets another word.\n"
		    ".It Cm network Ns =\n"
		    "An address or a network of the client.\n"
		    ".It Cm listener Ns =\n"
		    "Where the client has connected, in the form of\n"
		    ".Ic listen .\n"
		    ".It Cm tls Ns =\n"
		    ".Cm yes\n"
		    "or\n"
		    ".Cm no .\n"
		    ".It Cm master Ns = , Cm app Ns =\n"
		    ".Cm yes\n"
		    "or\n"
		    ".Cm no :\n"
		    "whether a master user's password was said (see\n"
		    ".Ic master_users ) ,\n"
		    "or an app password (see\n"
		    ".Ic app_passwords ) .\n"
		    ".El\n"
		    ".Pp\n"
		    "Two examples:\n"
		    ".Dl access = deny group=interns network=!10.0.0.0/8\n"
		    ".Dl access = deny domain=example.org tls=no",
	},
	{
		.name = "shell_check", .type = CONF_BOOL,
		.offset = AT(shell_check), .fallback = "yes",
		.meaning = "whether a user's shell must be listed in "
		    "shells_file",
		.man = "Whether a user of the host needs a shell that stands "
		    "in\n.Ic shells_file .",
	},
	{
		.name = "shells_file", .type = CONF_PATH,
		.offset = AT(shells_file), .fallback = "/etc/shells",
		.meaning = "which file lists the good shells",
		.man = "The list of good shells, see\n.Xr shells 5 .",
	},
	{
		.name = "master_users", .type = CONF_PATH,
		.offset = AT(master_users), .fallback = "",
		.meaning = "which file holds those who may log in as others",
		.man = "A file with rows\n"
		    ".Dl name:password\n"
		    "as in\n"
		    ".Ic passwd_file ,\n"
		    "of those who may log in as any user, with a password of "
		    "their own: as\n"
		    ".Ar user Ns Li * Ns Ar name ,\n"
		    "or with PLAIN by naming the user as the one to act for.\n"
		    "All that holds for the user holds then, too: ids, shell, "
		    "files, locks of his account and\n"
		    ".Ic access ,\n"
		    "where\n"
		    ".Li master=yes\n"
		    "is a condition; name networks there, as in\n"
		    ".Dl access = deny master=yes network=!192.0.2.0/24\n"
		    "Both names are logged; who guesses is told from other "
		    "guessers by the master's name.\n"
		    "The file may not be readable by others.\n"
		    "When empty there are no master users.",
	},
	{
		.name = "master_separator", .type = CONF_TEXT,
		.offset = AT(master_separator), .fallback = "*",
		.valid = is_separator,
		.meaning = "what stands between a user's and a master user's "
		    "name, one of * % + | ! & ^ ~ =",
		.man = "What stands between the names of the user and of one "
		    "of\n"
		    ".Ic master_users ,\n"
		    "one of\n"
		    ".Ql *%+|!&^~= .\n"
		    "No user's name may have it.",
	},
	{
		.name = "utf8_user", .type = CONF_BOOL, .offset = AT(utf8_user),
		.fallback = "no",
		.meaning = "whether names and passwords may have characters beyond "
		    "ASCII",
		.man = "Whether names and passwords may have characters beyond "
		    "ASCII, in UTF-8\n"
		    "(RFC 6856; CAPA says\n"
		    ".Ql UTF8 USER ) .\n"
		    "Both are prepared as RFC 4013 (SASLprep) says before they "
		    "are compared, so that it does not matter how a keyboard "
		    "has put an accent on a letter; databases, rules, files and "
		    "paths have names in the prepared form, which\n"
		    ".Nm popper Cm passwd\n"
		    "writes.\n"
		    "Passwords that are no UTF-8 are refused then; ASCII ones are "
		    "what they were.\n"
		    "Accounts of the host have names in ASCII.\n"
		    "Letters that look alike are not told apart: see\n"
		    ".Sx NAMES BEYOND ASCII .",
	},
	{
		.name = "rpop_file", .type = CONF_PATH, .offset = AT(rpop_file),
		.fallback = "",
		.meaning = "which file allows hosts and users the RPOP command",
		.man = "Rows of\n"
		    ".Dl address client-user local-user\n"
		    "that let a client in with RPOP (RFC 1081), without a "
		    "password,\n"
		    "when it comes from that address and a reserved port.\n"
		    "The file must belong to root.\n"
		    "When empty there is no RPOP: it is an unknown command.\n"
		    "Addresses can be forged: use it inside a trusted network "
		    "or not at all.",
	},
	{
		.name = "app_passwords", .type = CONF_WORD,
		.offset = AT(app_passwords), .fallback = "no",
		.words = app_words,
		.meaning = "whether app passwords are taken, or they only",
		.man = "Whether a user may log in with one of the app passwords "
		    "that\n"
		    ".Nm popper Cm passwd app\n"
		    "has made for his devices:\n"
		    ".Cm yes\n"
		    "takes them beside the account's own password,\n"
		    ".Cm only\n"
		    "in its place.\n"
		    "Whose account is closed, or may not log in for another "
		    "reason, is refused all the same.\n"
		    "They count where a password is said: by PASS, and AUTH with "
		    "PLAIN or LOGIN.",
	},
	{
		.name = "recoverable_secrets", .type = CONF_BOOL,
		.offset = AT(recoverable), .fallback = "no",
		.meaning = "whether APOP and CRAM-MD5 are had, which need "
		    "passwords that can be read",
		.man = "Whether users whose password is stored as it is\n"
		    ".Po\n"
		    ".Li {PLAIN} ,\n"
		    "see\n"
		    ".Xr popper-passwd 8\n"
		    ".Pc\n"
		    "may log in by a digest of it: with APOP, for which the "
		    "greeting then has a timestamp, and with CRAM-MD5, where\n"
		    ".Ic sasl_mechanisms\n"
		    "names it.\n"
		    "That is for devices which know neither TLS nor SCRAM: who "
		    "reads the file has all these passwords, and who listens can "
		    "try out words against what he has heard.\n"
		    "Give such users a password that they use nowhere else.\n"
		    "Neither app passwords nor master users can log in so, and "
		    "with\n"
		    ".Ic app_passwords No = Cm only\n"
		    "nobody can; nor can users of\n"
		    ".Ic auth No = Cm pam .\n"
		    "Behind STLS there is no APOP, since the greeting was sent in "
		    "the clear.\n"
		    "Half-made digests, as Dovecot's\n"
		    ".Li {CRAM-MD5} ,\n"
		    "are no password here: nobody logs in by them.",
	},
	{
		.name = "app_password_file", .type = CONF_PATH,
		.offset = AT(app_password_file),
		.fallback = "/etc/popper/app-passwords", .min = 1,
		.meaning = "which file holds the app passwords",
		.man = "Where they are kept, hashed; see\n.Xr popper-passwd 8 .\n"
		    "It must belong to root, and others may not read it.\n"
		    "It need not exist.",
	},
	{
		.name = "tls_client_ca", .type = CONF_PATH,
		.offset = AT(client_ca), .fallback = "",
		.meaning = "which file holds the authorities whose certificates "
		    "clients may log in with",
		.man = "A file of certificate authorities (PEM).\n"
		    "With one, clients under TLS are asked for a certificate, "
		    "which they need not have; one that those authorities have "
		    "signed for TLS clients, and that has not expired, lets "
		    "its user in by\n"
		    ".Ql AUTH EXTERNAL ,\n"
		    "without a password.\n"
		    "It is offered only to clients whose certificate is "
		    "some user's.\n"
		    "When empty no client is asked for a certificate.\n"
		    "Changes of this file and of the next one are noticed as "
		    "those of\n"
		    ".Ic tls_certificate .",
	},
	{
		.name = "tls_client_crl", .type = CONF_PATH,
		.offset = AT(client_crl), .fallback = "",
		.meaning = "which file holds what the authorities of "
		    "tls_client_ca have revoked",
		.man = "A file of certificate revocation lists (PEM), a valid "
		    "one of each authority in a client's chain: without it, or "
		    "when it is too old, no certificate of that authority is "
		    "good.\n"
		    "When empty nothing is known to be revoked.",
	},
	{
		.name = "tls_client_user", .type = CONF_WORD,
		.offset = AT(client_by), .fallback = "file",
		.words = client_names,
		.meaning = "what tells whose a client's certificate is",
		.man = "What tells whose a client's certificate is:\n"
		    ".Cm file\n"
		    "the rows of\n"
		    ".Ic tls_client_users ;\n"
		    ".Cm email , cn , dns\n"
		    "the address in its subjectAltName, the common name of its "
		    "subject, or the host name in its subjectAltName is the "
		    "user's name; a certificate with several of them is "
		    "nobody's.\n"
		    "Then everybody whom an authority of\n"
		    ".Ic tls_client_ca\n"
		    "certifies under a user's name can log in as that user, and "
		    "whoever takes over a process that talks to strangers as "
		    "any user; with\n"
		    ".Cm file\n"
		    "only those who stand there.",
	},
	{
		.name = "tls_client_users", .type = CONF_PATH,
		.offset = AT(client_users),
		.fallback = "/etc/popper/client-certificates",
		.meaning = "which file tells whose a client's certificate is",
		.man = "Rows of\n"
		    ".Dl user fingerprint\n"
		    "or\n"
		    ".Dl user subject\n"
		    "for\n"
		    ".Ic tls_client_user No = Cm file :\n"
		    "the SHA-256 fingerprint in hexadecimal digits, or the "
		    "subject as\n"
		    ".Ql openssl x509 -noout -subject -nameopt RFC2253\n"
		    "writes it.\n"
		    "A user may have several rows; so may a certificate, and "
		    "then the client says as whom it logs in.\n"
		    "A user of\n"
		    ".Ic passwd_file\n"
		    "whose password is\n"
		    ".Ql *\n"
		    "can log in in this way alone.\n"
		    "The file must belong to root, and need not exist.",
	},
	{ .name = NULL }
};
