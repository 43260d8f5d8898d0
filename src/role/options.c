/* SPDX-License-Identifier: ISC */
/*
 * This room's rows of popper.conf, and the table of all rooms.  Pure.
 */
#include "role/certificate.h"
#include "role/listen.h"
#include "role/sasl_words.h"

#include "auth/options.h"
#include "bull/options.h"
#include "pop/transact.h"
#include "sys/sock.h"

#include <stdio.h>
#include <string.h>

#define HOSTNAME_OCTETS	255

static const char *const isolations[] = {
	[ISOLATION_SPLIT]	= "split",
	[ISOLATION_SINGLE]	= "single",
	NULL
};

/* In the order of proto/lang.h. */
static const char *const languages[] = {
	"en", "de", "es", "fr", "it", "pt", NULL
};

static const char *const utf8_messages[] = {
	[POP_UTF8_DOWNGRADE]	= "downgrade",
	[POP_UTF8_REFUSE]	= "refuse",
	[POP_UTF8_AS_IS]	= "as-is",
	NULL
};

static bool
are_mechanisms(const char *value)
{
	return sasl_words_mask(value) != 0;
}

/* An address with a port, or one that becomes good with a port behind it. */
static bool
is_server(struct span w)
{
	char	word[SOCK_ADDR_MAX];
	char	v4[SOCK_ADDR_MAX + 8];
	char	v6[SOCK_ADDR_MAX + 8];

	if (w.p[0] == '*' || !span_cstr(w, word, sizeof(word)))
		return false;
	snprintf(v4, sizeof(v4), "%s:53", word);
	snprintf(v6, sizeof(v6), "[%s]:53", word);
	return sock_listen_valid(v6) || (w.p[0] != ':' &&
	    (sock_listen_valid(word) || sock_listen_valid(v4)));
}

/* A socket's path, or a port of this host alone. */
static bool
is_own_place(const char *value)
{
	return value[0] == '\0' || (value[0] == '/' && sock_path_fits(value)) ||
	    (sock_listen_valid(value) &&
	    (span_starts(span_str(value), SPAN("127.")) ||
	    span_starts(span_str(value), SPAN("[::1]:"))));
}

/* Further servers have .2 and so on behind it. */
static bool
is_ctl_socket(const char *value)
{
	return strlen(value) + strlen(".2") <= SOCK_PATH_MAX;
}

static bool
are_servers(const char *value)
{
	struct span rest = span_str(value), w;

	while ((w = span_word(&rest)).n > 0) {
		if (!is_server(w))
			return false;
	}
	return true;
}

/* It goes into the greeting and into To: lines.  RFC 1035 s.2.3.4 has the length. */
static bool
is_hostname(const char *value)
{
	if (strlen(value) > HOSTNAME_OCTETS)
		return false;
	for (; *value != '\0'; value++) {
		uint8_t c = (uint8_t)*value;

		if (!ascii_isdigit(c) && c != '.' && c != '-' && c != '_' &&
		    (ascii_lower(c) < 'a' || ascii_lower(c) > 'z'))
			return false;
	}
	return true;
}

#define AT(member)	offsetof(struct role_settings, member)

static const struct conf_option role_options[] = {
	{
		.name = "isolation", .type = CONF_WORD,
		.offset = AT(isolation), .fallback = "split",
		.words = isolations,
		.meaning = "whether the parts of a session run as processes "
		    "of their own",
		.man = "With\n"
		    ".Cm split\n"
		    "the parts of a session are processes with no more "
		    "rights than they need; popper must be started by "
		    "root.\n"
		    "With\n"
		    ".Cm single\n"
		    "one process does all, as the user who started it, "
		    "for tests and small hosts; only with\n"
		    ".Ic auth No = Cm file .\n"
		    "Files of which this page says that they must belong to root "
		    "may belong to that user.\n"
		    "What is about those parts has no effect then, nor is there "
		    "anybody to count the sessions of a user, to remember "
		    "passwords, to look up names or to answer\n"
		    ".Xr popper-ctl 8 :\n"
		    ".Ic front_user , auth_user , chroot_dir , fronts ,\n"
		    ".Ic auth_workers , auth_timeout , auth_cache_ttl ,\n"
		    ".Ic auth_cache_size , auth_cache_pam , max_strangers ,\n"
		    ".Ic max_sessions_per_user , sessions_per_process ,\n"
		    ".Ic xclient_networks , peer_check , peer_check_timeout ,\n"
		    ".Ic name_servers , ctl_socket , ctl_group , metrics .",
	},
	{
		.name = "listen", .type = CONF_LINES,
		.offset = AT(listen), .fallback = "*:110",
		.fits = listen_fits,
		.meaning = "where popper serve listens, as address:port, and "
		    "by which rules",
		.man = "Where\n"
		    ".Nm popper Cm serve\n"
		    "listens: an address, a colon and a port;\n"
		    ".Ql *\n"
		    "stands for all addresses, an IPv6 address stands "
		    "in brackets.\n"
		    "May be given more than once.\n"
		    "Behind the addresses of a line stand rules for the "
		    "connections that come there:\n"
		    ".Bl -tag -width Ds\n"
		    ".It Cm proxy\n"
		    "Each connection begins with a PROXY header, version 1 or "
		    "2, as HAProxy, nginx and others send it; it comes from "
		    "one of\n"
		    ".Ic proxy_networks ,\n"
		    "and within five seconds.\n"
		    "Other connections are closed at once.\n"
		    "The client that is announced there is the client for all "
		    "limits, penalties, rules, names and lines of the log.\n"
		    "A proxy that speaks for itself (LOCAL, UNKNOWN: mostly "
		    "its health check) has no limit but\n"
		    ".Ic max_strangers ,\n"
		    "and the log is silent about it.\n"
		    "Who has come to the proxy by TLS, as its header of "
		    "version 2 says (of HAProxy:\n"
		    ".Cm send-proxy-v2-ssl ) ,\n"
		    "counts as a client under TLS, and is not offered STLS.\n"
		    "Without this rule nobody looks for such a header.\n"
		    ".It Cm tls\n"
		    "TLS begins at once, as at port 995 (behind the PROXY "
		    "header, if there is one).\n"
		    ".It Cm old_tls\n"
		    "TLS 1.0 and 1.1 with ciphers of their time are good enough, "
		    "for devices that cannot be renewed;\n"
		    ".Li tls-old\n"
		    "in the log tells which users still need it.\n"
		    "Name their networks, too.\n"
		    ".It Cm networks Ns No = Ns Ar network Ns Op , Ns Ar ...\n"
		    "Only clients of these networks may connect.\n"
		    ".It Cm max_per_address Ns No = Ns Ar number\n"
		    "In place of\n"
		    ".Ic max_sessions_per_address .\n"
		    ".El\n"
		    ".Pp\n"
		    "For example\n"
		    ".Ql listen = 10.0.0.5:1110 proxy max_per_address=50 .\n"
		    "Sockets that a service manager hands over\n"
		    ".Pq Ev LISTEN_FDS\n"
		    "replace all of them; each has the rules of the line with "
		    "its address.\n"
		    ".Pp\n"
		    "A\n"
		    ".Nm popper\n"
		    "that a super-server has started does not listen, but heeds "
		    "the rules\n"
		    ".Cm proxy , tls , old_tls\n"
		    "and\n"
		    ".Cm networks\n"
		    "of the line with the address at which its client has "
		    "connected.\n"
		    "It counts nobody: limits are the super-server's, which "
		    "takes a proxy for one client.\n"
		    "So raise\n"
		    ".Va per_source\n"
		    "and\n"
		    ".Va cps\n"
		    "of xinetd, the number behind\n"
		    ".Ql nowait\n"
		    "in inetd.conf, or\n"
		    ".Va MaxConnectionsPerSource\n"
		    "of the socket unit, and have the proxy check seldom: each "
		    "check starts a process.",
	},
	{
		.name = "proxy_networks", .type = CONF_LIST,
		.offset = AT(proxy_networks), .fallback = "",
		.fits = network_fits,
		.meaning = "which proxies may announce clients by a PROXY "
		    "header, as addresses or networks",
		.man = "The proxies that connect to listeners with the rule\n"
		    ".Cm proxy ,\n"
		    "as addresses or networks\n"
		    ".Pq Ql 192.0.2.7 2001:db8::/64 .\n"
		    "popper believes what they say: name no network in which "
		    "anybody else is.\n"
		    "May be given more than once.",
	},
	{
		.name = "xclient_networks", .type = CONF_LIST,
		.offset = AT(xclient_networks), .fallback = "",
		.fits = network_fits,
		.meaning = "which clients may announce others by XCLIENT, as "
		    "addresses or networks",
		.man = "Webmail servers and proxies that may say\n"
		    ".Ql XCLIENT ADDR=... PORT=...\n"
		    "before they log somebody in, as addresses or networks; "
		    "popper believes them.\n"
		    "They alone see it in CAPA and in the greeting, as Dovecot "
		    "does it.\n"
		    "Behind a proxy that sends a PROXY header this is about "
		    "the client which that announces.\n"
		    "May be given more than once.",
	},
	{
		.name = "tls_certificate", .type = CONF_LINES,
		.offset = AT(tls_certificate), .fallback = "",
		.fits = certificate_fits,
		.meaning = "a certificate for TLS, as a file with its chain, "
		    "key=FILE and ocsp=FILE",
		.man = "A certificate for TLS: a file with the certificate and the "
		    "chain above it (PEM, the server's own first), and behind "
		    "it\n"
		    ".Cm key Ns No = Ns Ar file\n"
		    "with its private key, without a passphrase (otherwise the "
		    "key is in the same file), and\n"
		    ".Cm ocsp Ns No = Ns Ar file\n"
		    "with a response of the authority's that is handed on to "
		    "clients (DER).\n"
		    "May be given more than once, 32 times at the most: a "
		    "client is shown one with the name that it asks for, else "
		    "the first, of the kind (RSA, ECDSA) that it can verify.\n"
		    "That a file was renewed is noticed within seconds, if it "
		    "and its folders are root's, or others may read them.\n"
		    "Without one there is no TLS.\n"
		    "With one, STLS is offered wherever TLS does not begin at "
		    "once (see\n"
		    ".Cm tls\n"
		    "under\n"
		    ".Ic listen ) .",
	},
	{
		.name = "plaintext_networks", .type = CONF_LIST,
		.offset = AT(plaintext_networks), .fallback = "",
		.fits = network_fits,
		.meaning = "from where passwords are taken without TLS, as "
		    "addresses or networks",
		.man = "Who may log in without TLS, besides this host itself: "
		    "clients of these addresses or networks.\n"
		    "All others are told to use TLS, and are not asked for a "
		    "password.\n"
		    "May be given more than once.",
	},
	{
		.name = "inetd_idle", .type = CONF_SECONDS,
		.offset = AT(inetd_idle_s), .fallback = "300",
		.max = 86400,
		.meaning = "how long a popper serve that inetd has started "
		    "stays without clients; 0: for good",
		.man = "How long a\n"
		    ".Nm popper Cm serve\n"
		    "to which inetd has handed its socket\n"
		    ".Pq Ql wait\n"
		    "stays when nobody is connected; 0 for as long as it lives.\n"
		    "Then it ends, and inetd starts it anew for the next client; "
		    "until then inetd cannot take its socket away, nor listen "
		    "there again when it has been restarted itself: SIGTERM ends "
		    "it sooner.\n"
		    "Penalties, counts and right passwords that are remembered "
		    "go with it.\n"
		    "Each line of inetd.conf starts a server of its own, with its "
		    "own limits and\n"
		    ".Ic metrics ;\n"
		    ".Xr popper-ctl 8\n"
		    "speaks to all of them.",
	},
	{
		.name = "max_sessions", .type = CONF_COUNT,
		.offset = AT(max_sessions), .fallback = "1000",
		.min = 1, .max = 100000,
		.meaning = "how many sessions popper serve runs at a time",
		.man = "How many sessions\n"
		    ".Nm popper Cm serve\n"
		    "runs at a time; 100000 at the most.\n"
		    "Each takes a descriptor of the process that starts them; "
		    "where its limit\n"
		    "of descriptors is less than that and 256, so is the number "
		    "of sessions.",
	},
	{
		.name = "max_sessions_per_user", .type = CONF_COUNT,
		.offset = AT(max_sessions_per_user), .fallback = "10",
		.min = 2,
		.meaning = "how many sessions one user may have at a time",
		.man = "How many of them one user may have; 2 at the least, since "
		    "who has just quit may come back at once.\n"
		    "A maildrop has one session at a time; this is about those "
		    "that are told so,\n"
		    "and those that are on their way out.",
	},
	{
		.name = "max_sessions_per_address", .type = CONF_COUNT,
		.offset = AT(max_sessions_per_address), .fallback = "20",
		.min = 1,
		.meaning = "how many sessions one address may have at a time",
		.man = "How many of them one client address may have; of IPv6, one\n"
		    "network of 64 bits: a host has as many addresses there as\n"
		    "it likes.",
	},
	{
		.name = "max_sessions_per_network", .type = CONF_COUNT,
		.offset = AT(max_sessions_per_network), .fallback = "200",
		.min = 1,
		.meaning = "how many sessions one network may have at a time",
		.man = "How many of them one network may have: 24 bits of IPv4,\n"
		    "48 of IPv6.\n"
		    "It is never less than\n"
		    ".Ic max_sessions_per_address .",
	},
	{
		.name = "sessions_per_process", .type = CONF_COUNT,
		.offset = AT(sessions_per_process), .fallback = "1",
		.min = 1, .max = 1000,
		.meaning = "how many sessions of virtual users with one uid may "
		    "share a process of popper serve",
		.man = "How many sessions may share a process.\n"
		    "With 1 each has its own, as large installations need not "
		    "have it:\n"
		    "users of\n"
		    ".Ic passwd_file\n"
		    "whose mail belongs to the same uid, gid and groups\n"
		    ".Pq Ic virtual_user\n"
		    "can share one, which makes a login and an idle session "
		    "much cheaper.\n"
		    "What it costs: who finds a hole behind the login can read "
		    "the mail of all who are logged in there, and delete and "
		    "send in their names; not that of anybody else, since such "
		    "a process can open no file.\n"
		    "When it dies, those sessions end.\n"
		    "Never are users with different uids in one process.\n"
		    "A session that writes\n"
		    ".Po\n"
		    ".Ql QUIT\n"
		    "after\n"
		    ".Ql DELE\n"
		    "or the first\n"
		    ".Ql RETR\n"
		    ".Pc ,\n"
		    "one that uses XTND, and a maildrop of more than 512 KiB or "
		    "1024 messages, or that is locked or needs a recovery, have "
		    "a process of their own.\n"
		    "With\n"
		    ".Ic bulletins ,\n"
		    "or\n"
		    ".Ic status_headers No = Cm no ,\n"
		    "all have.",
	},
	{
		.name = "hostname", .type = CONF_TEXT,
		.offset = AT(hostname), .fallback = "",
		.valid = is_hostname,
		.meaning = "the name of this host, for the greeting and for "
		    "bulletins",
		.man = "The name of this host in the greeting and in the\n"
		    ".Ql To:\n"
		    "of bulletins, of at most 255 octets.\n"
		    "When empty, the canonical name of the host.",
	},
	{
		.name = "hide_version", .type = CONF_BOOL,
		.offset = AT(hide_version), .fallback = "no",
		.meaning = "whether strangers are not told the version",
		.man = "Leave the version out of the greeting and of CAPA.",
	},
	{
		.name = "language", .type = CONF_WORD,
		.offset = AT(language), .fallback = "en",
		.words = languages,
		.meaning = "the language of replies for who says LANG *",
		.man = "The language of replies for a client that leaves the "
		    "choice to the server, by\n"
		    ".Ql LANG * :\n"
		    ".Cm de , en , es , fr , it\n"
		    "or\n"
		    ".Cm pt .\n"
		    "A client that says nothing of languages is answered in "
		    "English.",
	},
	{
		.name = "utf8_messages", .type = CONF_WORD,
		.offset = AT(utf8_messages), .fallback = "downgrade",
		.words = utf8_messages,
		.meaning = "what is sent of messages with UTF-8 in their "
		    "headers to clients that have not said UTF8",
		.man = "What becomes of a message with UTF-8 in a header field "
		    "for a client that has not said\n"
		    ".Ql UTF8 .\n"
		    "With\n"
		    ".Cm downgrade\n"
		    "such fields are rewritten for it while they are sent: "
		    "texts and names become encoded words, parameters are "
		    "written as RFC 2231 has it, an address that cannot be "
		    "written becomes the name of one at\n"
		    ".Ql .invalid ,\n"
		    "and fields that only programs read, like\n"
		    ".Ql Received ,\n"
		    "are left out; sizes are those of what is sent.\n"
		    "With\n"
		    ".Cm refuse\n"
		    "such a message is refused with\n"
		    ".Ql [UTF8] .\n"
		    "With\n"
		    ".Cm as-is\n"
		    "it is sent as it is, as most servers do.\n"
		    "Octets that are no UTF-8 are never touched, nor is a "
		    "message in the maildrop.",
	},
	{
		.name = "sasl_mechanisms", .type = CONF_TEXT,
		.offset = AT(sasl_mechanisms), .fallback = "plain login",
		.valid = are_mechanisms,
		.meaning = "which of plain, login, scram-sha-256, scram-sha-1 and "
		    "cram-md5 AUTH has (others have options of their own)",
		.man = "The mechanisms of AUTH, words of\n"
		    ".Cm plain ,\n"
		    ".Cm login ,\n"
		    ".Cm scram-sha-256 ,\n"
		    ".Cm scram-sha-1\n"
		    "(these two each also with\n"
		    ".Li -PLUS\n"
		    "under TLS) and, with\n"
		    ".Ic recoverable_secrets ,\n"
		    ".Cm cram-md5 .\n"
		    "A mail program takes the best one that it knows and does "
		    "not try another:\n"
		    "name SCRAM only when all users have a secret that it can "
		    "use, made by\n"
		    ".Nm popper Cm passwd Fl -scheme Cm scram-sha-256\n"
		    "(one for each of the two), or\n"
		    ".Cm plain .\n"
		    "With\n"
		    ".Ic auth No = Cm pam\n"
		    "there is no SCRAM; where other databases follow it, they "
		    "alone are asked,\nand a name that both know is theirs: keep "
		    "such names apart.",
	},
	{
		.name = "channel_binding", .type = CONF_BOOL,
		.offset = AT(channel_binding), .fallback = "yes",
		.meaning = "whether SCRAM is offered with -PLUS under TLS",
		.man = "Under TLS, offer the mechanisms of SCRAM that\n"
		    ".Ic sasl_mechanisms\n"
		    "names with\n"
		    ".Li -PLUS ,\n"
		    "too: they tie a login to its connection, so that whoever "
		    "sits in the middle, with a certificate that the client "
		    "takes for good, cannot pass it on.\n"
		    "Say\n"
		    ".Cm no\n"
		    "for clients that choose\n"
		    ".Li -PLUS\n"
		    "without being able to, and fail, as the neomutt of "
		    "Debian 12 (20220429) does; where it is\n"
		    ".Cm yes ,\n"
		    "its users set\n"
		    ".Li pop_authenticators=user .\n"
		    "Who can bind, and is told to use SCRAM without\n"
		    ".Li -PLUS\n"
		    "nevertheless, is refused (RFC 5802): in mpop of Debian 13\n"
		    ".Li auth scram-sha-256-plus\n"
		    "is the word under TLS.",
	},
	{
		.name = "front_user", .type = CONF_TEXT,
		.offset = AT(front_user), .fallback = "_popfront",
		.min = 1,
		.meaning = "who runs the part that talks to strangers, as a "
		    "name or uid:gid",
		.man = "The identity of the process that talks to a "
		    "client before it has logged in: an account that "
		    "owns nothing, or\n"
		    ".Ar uid Ns Op : Ns Ar gid .",
	},
	{
		.name = "auth_user", .type = CONF_TEXT,
		.offset = AT(auth_user), .fallback = "_popauth",
		.min = 1,
		.meaning = "who runs the part of popper serve that judges "
		    "passwords, as a name or uid:gid",
		.man = "The identity of the process of\n"
		    ".Nm popper Cm serve\n"
		    "that has passwords judged: an account that owns nothing, "
		    "and another one than\n"
		    ".Ic front_user .",
	},
	{
		.name = "fronts", .type = CONF_COUNT,
		.offset = AT(fronts), .fallback = "0",
		.max = 64,
		.meaning = "how many processes of popper serve talk to "
		    "strangers; 0: one per processor",
		.man = "How many processes of\n"
		    ".Nm popper Cm serve\n"
		    "talk to clients that have not logged in; 0 stands for "
		    "one per processor.",
	},
	{
		.name = "auth_workers", .type = CONF_COUNT,
		.offset = AT(auth_workers), .fallback = "0",
		.max = 256,
		.meaning = "how many passwords popper serve judges at a time; "
		    "0: two per processor",
		.man = "How many passwords\n"
		    ".Nm popper Cm serve\n"
		    "judges at a time; 0 stands for two per processor.\n"
		    "Others wait for their turn.",
	},
	{
		.name = "auth_cache_ttl", .type = CONF_SECONDS,
		.offset = AT(auth_cache_ttl_s), .fallback = "10m",
		.max = 86400,
		.meaning = "how long popper serve remembers that a password "
		    "was right; 0: not at all",
		.man = "How long\n"
		    ".Nm popper Cm serve\n"
		    "remembers that a password was right, so that it need not "
		    "be hashed again, which is slow on purpose; 0 for not at "
		    "all.\n"
		    "Only a hash of it is kept, in memory, by a key of this "
		    "run.\n"
		    "Who was removed, denied or given another password in\n"
		    ".Ic passwd_file\n"
		    "is refused within a second all the same, and a wrong password is "
		    "never answered from memory.",
	},
	{
		.name = "auth_cache_size", .type = CONF_COUNT,
		.offset = AT(auth_cache_size), .fallback = "10000",
		.min = 1, .max = 1000000,
		.meaning = "how many right passwords popper serve remembers",
		.man = "How many of them it remembers, at 56 octets each: as many as "
		    "users log in within\n"
		    ".Ic auth_cache_ttl .\n"
		    "Those for whom there is no room are hashed.",
	},
	{
		.name = "auth_cache_pam", .type = CONF_BOOL,
		.offset = AT(auth_cache_pam), .fallback = "no",
		.meaning = "whether popper serve remembers what PAM said, too",
		.man = "Remember passwords of\n"
		    ".Ic auth No = Cm pam ,\n"
		    "too: PAM is then asked about the account at each login, "
		    "but about the password only once in\n"
		    ".Ic auth_cache_ttl ,\n"
		    "or when it is another one in\n"
		    ".Xr shadow 5 .\n"
		    "One that was changed elsewhere, in LDAP say, stays good "
		    "until that time is over, or until\n"
		    ".Nm popper Cm ctl flush ;\n"
		    "and modules of the first step "
		    "that look at the address or count successes are not "
		    "asked in between.",
	},
	{
		.name = "max_strangers", .type = CONF_COUNT,
		.offset = AT(max_strangers), .fallback = "10000",
		.min = 1, .max = 1000000,
		.meaning = "how many clients may be connected to popper serve "
		    "that have not logged in",
		.man = "How many clients may be connected to\n"
		    ".Nm popper Cm serve\n"
		    "that have not logged in.",
	},
	{
		.name = "chroot_dir", .type = CONF_PATH,
		.offset = AT(chroot_dir), .fallback = "/var/lib/popper/empty",
		.min = 1,
		.meaning = "which empty folder is the root folder of the part "
		    "that talks to strangers",
		.man = "The empty folder, owned by root, into which that "
		    "process is locked.",
	},
	{
		.name = "state_dir", .type = CONF_PATH,
		.offset = AT(state_dir), .fallback = "/var/lib/popper",
		.min = 1,
		.meaning = "which folder keeps journals and what must survive "
		    "a restart",
		.man = "The folder of journals of interrupted updates, of "
		    "promised unique-ids\n"
		    ".Pq see Xr popper-uidl 8 ,\n"
		    "and of other things that must survive a restart.\n"
		    "It belongs to root (with\n"
		    ".Ic isolation No = Cm single ,\n"
		    "to the user who runs popper).\n"
		    "A reload cannot change it.",
	},
	{
		.name = "run_dir", .type = CONF_PATH,
		.offset = AT(run_dir), .fallback = "/run/popper",
		.min = 1,
		.meaning = "which folder holds the session locks",
		.man = "The folder of the session locks, and of what\n"
		    ".Ic login_delay\n"
		    "remembers.\n"
		    "A reload cannot change it.",
	},
	{
		.name = "ctl_socket", .type = CONF_PATH,
		.offset = AT(ctl_socket), .fallback = "",
		.valid = is_ctl_socket,
		.meaning = "at which socket popper serve hears popper ctl, in "
		    "at most 105 octets",
		.man = "The socket at which\n"
		    ".Nm popper Cm serve\n"
		    "hears\n"
		    ".Xr popper-ctl 8 ;\n"
		    "when empty,\n"
		    ".Pa ctl\n"
		    "in\n"
		    ".Ic run_dir .\n"
		    "Further servers of inetd's\n"
		    ".Pq Ql wait\n"
		    "have .2, .3 and so on behind it.",
	},
	{
		.name = "ctl_group", .type = CONF_TEXT,
		.offset = AT(ctl_group), .fallback = "popper",
		.meaning = "whose members may look at popper serve with "
		    "popper ctl",
		.man = "A group whose members may look at what\n"
		    ".Nm popper Cm serve\n"
		    "does, with\n"
		    ".Xr popper-ctl 8 ,\n"
		    "and change nothing.\n"
		    "When it is empty, or the host has no such group, root "
		    "alone may.",
	},
	{
		.name = "metrics", .type = CONF_TEXT,
		.offset = AT(metrics), .fallback = "",
		.valid = is_own_place,
		.meaning = "where popper serve tells its metrics, as a path or "
		    "as 127.0.0.1:port",
		.man = "Where\n"
		    ".Nm popper Cm serve\n"
		    "tells what it counts, as text over HTTP (OpenMetrics, or "
		    "Prometheus' older format) at\n"
		    ".Pa /metrics :\n"
		    "a port of this host\n"
		    ".Po\n"
		    ".Ql 127.0.0.1:9110 ,\n"
		    ".Ql [::1]:9110\n"
		    ".Pc ,\n"
		    "which all of its users can read, or the path of a socket "
		    "for root and\n"
		    ".Ic ctl_group .\n"
		    "When empty, nowhere.\n"
		    "It needs libmicrohttpd.",
	},
	{
		.name = "temp_dir", .type = CONF_PATH,
		.offset = AT(temp_dir), .fallback = "",
		.meaning = "which folder takes the temporary copies of "
		    "maildrops",
		.man = "The folder of the temporary copies of maildrops; "
		    "they have no name there and vanish with the "
		    "session.\n"
		    "When empty, the folder of the spool if it belongs "
		    "to root, else\n"
		    ".Ic state_dir .\n"
		    "A maildrop of at most 32 KiB is copied into memory.",
	},
	{
		.name = "temp_max", .type = CONF_SIZE,
		.offset = AT(temp_max), .fallback = "4G",
		.min = 0,
		.meaning = "how large the temporary copy of a session may be",
		.man = "How large the temporary copy of a session may be.\n"
		    "A maildrop that is larger, or for whose copy the disk "
		    "has no room,\nis read itself: a message that another "
		    "program removes meanwhile is then refused,\nnever "
		    "replaced by another\'s octets.\n"
		    "A discussion group that is larger can be listed and "
		    "described, but not opened.",
	},
	{
		.name = "timeout", .type = CONF_SECONDS,
		.offset = AT(timeout_s), .fallback = "120",
		.flag = 'T', .min = 1,
		.meaning = "how long a client may send nothing before the "
		    "session ends",
		.man = "How long to wait for a command of a client, all of "
		    "it.\n"
		    "The clock runs only while the client takes "
		    "nothing either.\n"
		    "STD 53 asks for at least 600, which the shipped "
		    "file sets; the default is that of the 1990 manual.\n"
		    "A session that times out deletes nothing.",
	},
	{
		.name = "min_rate", .type = CONF_COUNT,
		.offset = AT(min_rate), .fallback = "64",
		.max = 1000000,
		.meaning = "how many octets a second a client must take, or "
		    "send of a message; 0: none",
		.man = "How many octets a second, over the time of\n"
		    ".Ic timeout ,\n"
		    "a client must take of what waits for it, or must send of "
		    "a message for\n"
		    ".Cm XTND XMIT ;\n"
		    "0 for none.\n"
		    "A client that takes less, though not all that was waiting "
		    "for it, does nothing but keep its maildrop locked.\n"
		    "A line of 1 KB a second is sixteen times as fast.\n"
		    "A session that ends so deletes nothing.",
	},
	{
		.name = "login_timeout", .type = CONF_SECONDS,
		.offset = AT(login_timeout_s), .fallback = "60",
		.min = 1,
		.meaning = "how long a client may take to log in",
		.man = "How long a client may take from the greeting to the "
		    "last password.\n"
		    "The time that popper needs to judge it, and the delay "
		    "of a refusal, come on top.",
	},
	{
		.name = "drain_timeout", .type = CONF_SECONDS,
		.offset = AT(drain_timeout_s), .fallback = "5",
		.min = 1,
		.meaning = "how long to wait for a client to take the last "
		    "reply",
		.man = "How long to wait, at the end of a session, until "
		    "the client has taken the last reply.",
	},
	{
		.name = "client_gone_timeout", .type = CONF_SECONDS,
		.offset = AT(client_gone_s), .fallback = "30",
		.min = 3, .max = 3600,
		.meaning = "how long a client's host may answer nothing "
		    "before its session ends",
		.man = "How long the host of a client may stay silent, "
		    "though it was asked, before the session ends and the "
		    "maildrop is free again.\n"
		    "This is about hosts that have vanished, not about users "
		    "who think:\n"
		    "a host that is there acknowledges what it gets and "
		    "answers when TCP asks for it, however slow the line or "
		    "the reader is.\n"
		    "An idle client is asked after a third of this time.\n"
		    "Those that came in one moment are asked in one moment: "
		    "where a proxy on\nthis host opens more than a thousand "
		    "connections at once, raise\n"
		    ".Va net.core.netdev_max_backlog ,\nor some of them are "
		    "taken for gone.\n"
		    "A client that vanishes after it has taken nothing for "
		    "long may be noticed later,\n"
		    "at\n"
		    ".Ic timeout\n"
		    "at the latest.\n"
		    "With\n"
		    ".Ic isolation No = Cm single\n"
		    "only idle clients are looked after in this way.\n"
		    "A session that ends so deletes nothing.",
	},
	{
		.name = "login_delay", .type = CONF_SECONDS,
		.offset = AT(login_delay_s), .fallback = "0",
		.max = 86400,
		.meaning = "how long a user must wait between two logins; 0: "
		    "not at all",
		.man = "How long after a login to a maildrop the next one is "
		    "refused\n"
		    ".Pq Ql [LOGIN-DELAY] ,\n"
		    "for users whose programs ask too often; 0 for never.\n"
		    "CAPA announces it, as RFC 2449 has it.\n"
		    "The time begins at the login; one whose session does not "
		    "come to its\n"
		    ".Ql QUIT\n"
		    "does not count, so that who loses the connection may come "
		    "back at once, unless that happens twice within this "
		    "time.\n"
		    "It is the maildrop's: a login of one of\n"
		    ".Ic master_users\n"
		    "counts, and waits, as the user's own.\n"
		    "What is remembered lies in\n"
		    ".Ic run_dir :\n"
		    "a reload or a restart of popper forgets nothing, and it is "
		    "one for all who serve these maildrops.",
	},
	{
		.name = "login_delay_max", .type = CONF_SECONDS,
		.offset = AT(login_delay_max_s), .fallback = "0",
		.max = 86400,
		.meaning = "how long a user's own login_delay may be; 0: there "
		    "is none",
		.man = "The longest delay that a user may have of his own, in "
		    "place of\n"
		    ".Ic login_delay :\n"
		    "the field\n"
		    ".Li login_delay= Ns Ar seconds\n"
		    "of his row in a password file, or a column of that name in "
		    "SQL; with 0 there is none for him.\n"
		    "What is longer is cut to this.\n"
		    "CAPA tells the largest before the login, as "
		    "RFC 2449 wants it\n"
		    ".Pq Ql LOGIN-DELAY 3600 USER ,\n"
		    "and the user's own behind it, be it 0.\n"
		    "With 0 what rows say has no effect.",
	},
	{
		.name = "auth_tries", .type = CONF_COUNT,
		.offset = AT(auth_tries), .fallback = "1",
		.min = 1, .max = 100,
		.meaning = "how many failed logins end a session",
		.man = "How many failed logins end a session.",
	},
	{
		.name = "auth_fail_delay", .type = CONF_SECONDS,
		.offset = AT(auth_fail_delay_s), .fallback = "3",
		.max = 60,
		.meaning = "how long after the password a refusal is told",
		.man = "A refusal is told so long after the password "
		    "came, whatever its reason, or at the next "
		    "multiple of it.",
	},
	{
		.name = "auth_timeout", .type = CONF_SECONDS,
		.offset = AT(auth_timeout_s), .fallback = "30",
		.min = 1,
		.meaning = "how long a password may take to be judged",
		.man = "How long the judgement of a password may take.\n"
		    "After that the client is told to try again later\n"
		    ".Pq Ql [SYS/TEMP]\n"
		    "and the session ends; it is no failed login.",
	},
	{
		.name = "max_bad_commands", .type = CONF_COUNT,
		.offset = AT(max_bad_commands), .fallback = "20",
		.min = 1,
		.meaning = "how many unknown commands in a row end a session",
		.man = "How many commands in a row that popper does not "
		    "know, or not in that state, end a session.\n"
		    "The last of them is answered\n"
		    ".Ql -ERR [SYS/TEMP] ;\n"
		    "nothing is deleted.",
	},
	{
		.name = "max_commands_before_login", .type = CONF_COUNT,
		.offset = AT(max_commands_before_login), .fallback = "100",
		.min = 3,
		.meaning = "how many commands a client may send before it has "
		    "logged in",
		.man = "How many commands a client may send, good or bad, "
		    "until it has logged in.\n"
		    "A login takes two, and three more if it asks for "
		    "capabilities;\n"
		    "with\n"
		    ".Ic auth_tries\n"
		    "above 1 there are more.",
	},
	{
		.name = "peer_check", .type = CONF_BOOL,
		.offset = AT(peer_check), .fallback = "yes",
		.meaning = "whether the names of clients are looked up",
		.man = "Look up the canonical name of each client and the "
		    "addresses of that name, and log a warning when "
		    "they are missing or do not match.\n"
		    "This never refuses or delays a client.\n"
		    "An address that stands in\n"
		    ".Xr hosts 5\n"
		    "is not looked up.\n"
		    ".Nm popper Cm serve\n"
		    "reads that table, and\n"
		    ".Xr resolv.conf 5 ,\n"
		    "when it starts, keeps what it was told for up to five "
		    "minutes, and leaves clients out when there are too many "
		    "at a time.",
	},
	{
		.name = "peer_check_timeout", .type = CONF_SECONDS,
		.offset = AT(peer_check_timeout_s), .fallback = "5",
		.min = 1, .max = 60,
		.meaning = "how long a look-up may take",
		.man = "How long these look-ups may take.",
	},
	{
		.name = "name_servers", .type = CONF_TEXT,
		.offset = AT(name_servers), .fallback = "",
		.valid = are_servers,
		.meaning = "which name servers are asked, as addresses with "
		    "blanks between",
		.man = "The name servers to ask, as addresses, perhaps "
		    "with a port\n"
		    ".Pq Ql 127.0.0.1:5353 ,\n"
		    "with blanks between.\n"
		    "When empty, those of\n"
		    ".Xr resolv.conf 5 .",
	},
	{ .name = NULL }
};

#define IN(room)	offsetof(struct settings, room)

const struct conf_room settings_rooms[] = {
	{ "Server and processes",	role_options,	IN(role) },
	{ "Authentication",		auth_options,	IN(auth) },
	{ "Bearer tokens",		token_options,	IN(token) },
	{ "Kerberos",			krb_options,	IN(krb) },
	{ "Maildrops",			drop_options,	IN(drop) },
	{ "Bulletins",			bull_options,	IN(bull) },
	{ "Extensions",			xtnd_options,	IN(xtnd) },
	{ "Logging",			log_options,	IN(log) },
};
const size_t settings_nrooms = ARRAY_LEN(settings_rooms);

unsigned
settings_per_network(const struct role_settings *r)
{
	return r->max_sessions_per_network > r->max_sessions_per_address ?
	    r->max_sessions_per_network : r->max_sessions_per_address;
}
