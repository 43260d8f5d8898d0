/* SPDX-License-Identifier: ISC */
/* The whole question, with the back end of a password file. */
#include "auth/auth_priv.h"
#include "auth/passwd_file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define HASHED	/* wonderland */ \
	"$5$rounds=1000$saltsalt$vBgBHnZUORY1qtmvLflcYV8HWBW8XuM5paPh79lY6F3"

#define USERS \
	"# the house\n" \
	"\n" \
	"ann:{PLAIN}wonderland:::Ann:/h/ann::\n" \
	"bob:{PLAIN}wonderland:1500:1501::::userdb_mail=mbox:/m/bob\n" \
	"cy@example.org:{PLAIN}of all 3:::::::\n" \
	"home:{PLAIN}x:::::/h:\n" \
	"tilde:{PLAIN}x:::" ":/h/t::userdb_mail=~/mbox\n" \
	"folder:{PLAIN}x:::" ":/h/f::userdb_mail=maildir:~/m\n" \
	"homeless:{PLAIN}x::::::userdb_mail=~/mbox\n" \
	"relative:{PLAIN}x::::h::\n" \
	"sdbox:{PLAIN}x::::::userdb_mail=sdbox:/m\n" \
	"root:{PLAIN}x:0:0::::\n" \
	"toor:{PLAIN}x:0:1501::::\n" \
	"low:{PLAIN}x:999:1501::::\n" \
	"high:{PLAIN}x:60001:1501::::\n" \
	"huge:{PLAIN}x:4294967295:1501::::\n" \
	"wrap:{PLAIN}x:4294968796:1501::::\n" \
	"named:{PLAIN}x:ann:1501::::\n" \
	"gid0:{PLAIN}x:1500:0::::\n" \
	"gidlow:{PLAIN}x:1500:99::::\n" \
	"giddenied:{PLAIN}x:1500:1666::::\n" \
	"nogid:{PLAIN}x:1500:::::\n" \
	"star:*::::::\n" \
	"bang:!$6$s$x::::::\n" \
	"empty:::::::\n" \
	"odd:{ODD}x::::::\n" \
	"closed:{PLAIN}x::::::nologin\n" \
	"tabbed:{PLAIN}x::::/h\tx::\n" \
	"slow:{PLAIN}x::::::login_delay=60\n" \
	"slower:{PLAIN}x::::::login_delay=1m\n" \
	"nets:{PLAIN}x::::::allow_nets=127.0.0.1\n" \
	"denied:{PLAIN}x::::::\n" \
	"hashed:" HASHED "::::::\n" \
	"braced:{CRYPT}" HASHED "::::::\n" \
	"shut:" HASHED "::::::nologin\n" \
	"superuser:" HASHED ":0:0::::\n" \
	"twice:{PLAIN}first::::::\n" \
	"twice:{PLAIN}second::::::\n" \
	"joe.lock:{PLAIN}x::::::\n" \
	"-x:{PLAIN}x::::::\n" \
	"..:{PLAIN}x::::::\n"

#define LONG_NAME \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"	/* 255 */

#define DENY	"# not these\ndenied\n\n  ghost  # gone\r\njoe#2\n\ttab\t#x\n#hash\n"

static char		folder[] = "/tmp/popper-auth-test.XXXXXX";
static char		users[64], deny[64], allow[64], rpop[64];
static struct auth_conf	conf;

static void
put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(users, sizeof(users), "%s/users", folder);
	(void)snprintf(deny, sizeof(deny), "%s/deny", folder);
	(void)snprintf(allow, sizeof(allow), "%s/allow", folder);
	(void)snprintf(rpop, sizeof(rpop), "%s/rpop", folder);
	put_text(users, USERS);
	put_text(deny, DENY);
	put_text(rpop, "192.0.2.7 annie ann\n192.0.2.7 s star\n"
	    "192.0.2.7 d denied\n192.0.2.7 few\n192.0.2.7 a b many\n");
	conf = (struct auth_conf){
		.source = AUTH_FILE,
		.pam_service = "popper",
		.passwd_file = users,
		.virtual_user = "5000:5001",
		.uid_min = 1000,
		.uid_max = 60000,
		.gid_min = 100,
		.gids_denied = "root 1666 no-such-group-here",
		.deny_file = deny,
		.allow_file = "",
		.master_users = "",
		.master_separator = "*",
		.shell_check = true,
		.shells_file = "/nonexistent/shells",
		.rpop_file = rpop,
		.client_ca = "", .client_crl = "", .client_users = users,
	};
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	(void)unlink(users);
	(void)unlink(deny);
	(void)unlink(rpop);
	return rmdir(folder);
}

static void
ask_one(struct auth_request *q, bool settle, struct auth_verdict *v)
{
	const struct auth_ops	*ops = auth_ops_of(&conf);
	struct fault		 f = { 0 };
	void			*state;

	if (ops->prepare(&conf, &state, &f) < 0)
		fail_msg("%s", f.text);
	if (settle)
		ops->settle(state);
	auth_check(&conf, state, q, v);
	ops->done(state);
}

/* With an index, the answer is the same. */
static void
ask(struct auth_request *q, struct auth_verdict *v)
{
	struct auth_verdict settled;
	struct auth_request again = *q;

	ask_one(&again, true, &settled);
	ask_one(q, false, v);
	assert_int_equal(settled.result, v->result);
	assert_int_equal(settled.reason, v->reason);
	assert_string_equal(settled.detail, v->detail);
	assert_memory_equal(&settled.id, &v->id, sizeof(v->id));
}

static void
ask_pass(const char *user, struct span password, struct auth_verdict *v)
{
	struct auth_request q = { .method = AUTH_METHOD_PASS };

	assert_true(span_cstr(span_str(user), q.user, sizeof(q.user)));
	assert_true(secret_set(&q.secret, password));
	ask(&q, v);
}

static const struct {
	const char		*user;
	const char		*password;
	enum auth_result	 result;
	enum auth_reason	 reason;
} cases[] = {
	{ "ann",	"wonderland",	AUTH_OK,	REASON_NONE },
	{ "bob",	"wonderland",	AUTH_OK,	REASON_NONE },
	{ "cy@example.org", "of all 3",	AUTH_OK,	REASON_NONE },
	{ "tilde",	"x",		AUTH_OK,	REASON_NONE },
	{ "home",	"x",		AUTH_OK,	REASON_NONE },
	{ "twice",	"first",	AUTH_OK,	REASON_NONE },
	{ "twice",	"second",	AUTH_REFUSED,	REASON_BAD_PASSWORD },
	{ "ann",	"Wonderland",	AUTH_REFUSED,	REASON_BAD_PASSWORD },
	{ "ann",	"wonderland ",	AUTH_REFUSED,	REASON_BAD_PASSWORD },
	{ "ann",	"",		AUTH_REFUSED,	REASON_EMPTY_PASSWORD },
	{ "nobody2",	"",		AUTH_REFUSED,	REASON_EMPTY_PASSWORD },
	{ "empty",	"",		AUTH_REFUSED,	REASON_EMPTY_PASSWORD },
	{ "empty",	"x",		AUTH_REFUSED,	REASON_LOCKED },
	{ "Ann",	"wonderland",	AUTH_REFUSED,	REASON_UNKNOWN_USER },
	{ "an",		"wonderland",	AUTH_REFUSED,	REASON_UNKNOWN_USER },
	{ "anna",	"wonderland",	AUTH_REFUSED,	REASON_UNKNOWN_USER },
	{ "ann%n%s",	"x",		AUTH_REFUSED,	REASON_UNKNOWN_USER },
	{ "ann'--",	"x",		AUTH_REFUSED,	REASON_UNKNOWN_USER },
	{ "*",		"x",		AUTH_REFUSED,	REASON_UNKNOWN_USER },
	{ LONG_NAME,	"x",		AUTH_REFUSED,	REASON_UNKNOWN_USER },
	{ "star",	"*",		AUTH_REFUSED,	REASON_LOCKED },
	{ "bang",	"x",		AUTH_REFUSED,	REASON_LOCKED },
	{ "closed",	"x",		AUTH_REFUSED,	REASON_LOCKED },
	{ "odd",	"x",		AUTH_REFUSED,	REASON_ROW },
	{ "nets",	"y",		AUTH_REFUSED,	REASON_BAD_PASSWORD },
	{ "nets",	"x",		AUTH_REFUSED,	REASON_ROW },
	{ "named",	"x",		AUTH_REFUSED,	REASON_ROW },
	{ "wrap",	"x",		AUTH_REFUSED,	REASON_ROW },
	{ "huge",	"x",		AUTH_REFUSED,	REASON_ROW },
	{ "relative",	"x",		AUTH_REFUSED,	REASON_ROW },
	{ "sdbox",	"y",		AUTH_REFUSED,	REASON_BAD_PASSWORD },
	{ "tabbed",	"x",		AUTH_REFUSED,	REASON_ROW },
	{ "slower",	"x",		AUTH_REFUSED,	REASON_ROW },
	{ "sdbox",	"x",		AUTH_REFUSED,	REASON_ROW },
	{ "homeless",	"x",		AUTH_REFUSED,	REASON_ROW },
	{ "root",	"x",		AUTH_REFUSED,	REASON_UID },
	{ "toor",	"x",		AUTH_REFUSED,	REASON_UID },
	{ "low",	"x",		AUTH_REFUSED,	REASON_UID },
	{ "high",	"x",		AUTH_REFUSED,	REASON_UID },
	{ "gid0",	"x",		AUTH_REFUSED,	REASON_GID },
	{ "gidlow",	"x",		AUTH_REFUSED,	REASON_GID },
	{ "giddenied",	"x",		AUTH_REFUSED,	REASON_GID },
	{ "nogid",	"x",		AUTH_REFUSED,	REASON_GID },
	{ "denied",	"x",		AUTH_REFUSED,	REASON_DENIED },
	{ "ghost",	"x",		AUTH_REFUSED,	REASON_DENIED },
	{ "joe#2",	"x",		AUTH_REFUSED,	REASON_DENIED },
	{ "tab",	"x",		AUTH_REFUSED,	REASON_DENIED },
	{ "joe",	"x",		AUTH_REFUSED,	REASON_UNKNOWN_USER },
	{ "",		"x",		AUTH_REFUSED,	REASON_BAD_NAME },
	{ "..",		"x",		AUTH_REFUSED,	REASON_BAD_NAME },
	{ "-x",		"x",		AUTH_REFUSED,	REASON_BAD_NAME },
	{ "#",		"x",		AUTH_REFUSED,	REASON_BAD_NAME },
	{ "joe.lock",	"x",		AUTH_REFUSED,	REASON_BAD_NAME },
	{ "ann:{PLAIN}wonderland", "x",	AUTH_REFUSED,	REASON_BAD_NAME },
	{ "../ann",	"x",		AUTH_REFUSED,	REASON_BAD_NAME },
};

static void
check_table(void **state)
{
	struct auth_verdict v;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s %s\n", cases[i].user, cases[i].password);
		ask_pass(cases[i].user, span_str(cases[i].password), &v);
		assert_int_equal(v.reason, cases[i].reason);
		assert_int_equal(v.result, cases[i].result);
		if (v.result != AUTH_OK) {
			assert_string_equal(v.id.user, "");
			assert_int_equal(v.id.uid, 0);
		}
		assert_null(strstr(v.detail, "wonderland"));
	}
}

/* Without a password the same is said, as far as it does not matter. */
static void
foreseen(void **state)
{
	const struct auth_ops	*ops = auth_ops_of(&conf);
	struct auth_verdict	 v;
	struct auth_verdict	 judged;
	struct auth_request	 q = { 0 };
	struct fault		 f;
	void			*rules;

	(void)state;
	assert_int_equal(ops->prepare(&conf, &rules, &f), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (cases[i].reason == REASON_BAD_PASSWORD ||
		    cases[i].reason == REASON_EMPTY_PASSWORD)
			continue;
		print_message("%s\n", cases[i].user);
		assert_true(span_cstr(span_str(cases[i].user), q.user,
		    sizeof(q.user)));
		auth_foresee(&conf, rules, &q, &v);
		assert_int_equal(v.reason, cases[i].reason);
		assert_int_equal(v.result, cases[i].result);
		ask_pass(cases[i].user, span_str(cases[i].password), &judged);
		assert_memory_equal(&v.id, &judged.id, sizeof(v.id));
	}
	ops->done(rules);
}

/* Who shows in another way that it is he needs no password that can match. */
static void
foreseen_without_a_password(void **state)
{
	static const struct {
		const char		*user;
		enum auth_method	 method;
		bool			 by_app;
		enum auth_reason	 reason;
	} rows[] = {
		{ "odd", AUTH_METHOD_PASS, false, REASON_ROW },
		{ "odd", AUTH_METHOD_PASS, true, REASON_NONE },
		{ "odd", AUTH_METHOD_EXTERNAL, false, REASON_NONE },
		{ "odd", AUTH_METHOD_XOAUTH2, false, REASON_NONE },
		{ "star", AUTH_METHOD_PASS, true, REASON_LOCKED },
		{ "star", AUTH_METHOD_EXTERNAL, false, REASON_NONE },
		{ "bang", AUTH_METHOD_EXTERNAL, false, REASON_LOCKED },
		{ "nets", AUTH_METHOD_XOAUTH2, false, REASON_ROW },
	};
	const struct auth_ops	*ops = auth_ops_of(&conf);
	struct auth_verdict	 v;
	struct fault		 f;
	void			*rules;

	(void)state;
	assert_int_equal(ops->prepare(&conf, &rules, &f), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct auth_request q = {
			.method = rows[i].method, .by_app = rows[i].by_app,
		};

		assert_true(span_cstr(span_str(rows[i].user), q.user,
		    sizeof(q.user)));
		auth_foresee(&conf, rules, &q, &v);
		if (v.reason != rows[i].reason)
			fail_msg("row %zu: %s", i, auth_reason_word(v.reason));
	}
	ops->done(rules);
}

static void
identities(void **state)
{
	struct auth_verdict v;

	(void)state;
	ask_pass("ann", SPAN("wonderland"), &v);
	assert_string_equal(v.id.user, "ann");
	assert_int_equal(v.id.uid, 5000);
	assert_int_equal(v.id.gid, 5001);
	assert_string_equal(v.id.home, "/h/ann");
	assert_string_equal(v.id.maildrop, "");
	assert_int_equal(v.id.ngids, 0);
	assert_true(v.id.virtual);
	/* Two users with one password stay two. */
	ask_pass("slow", SPAN("x"), &v);
	assert_true(v.result == AUTH_OK && v.id.own_delay);
	assert_int_equal(v.id.login_delay_s, 60);
	ask_pass("bob", SPAN("wonderland"), &v);
	assert_false(v.id.own_delay);
	assert_string_equal(v.id.user, "bob");
	assert_int_equal(v.id.uid, 1500);
	assert_int_equal(v.id.gid, 1501);
	assert_string_equal(v.id.home, "");
	assert_string_equal(v.id.maildrop, "/m/bob");
	ask_pass("tilde", SPAN("x"), &v);
	assert_string_equal(v.id.maildrop, "/h/t/mbox");
	ask_pass("folder", SPAN("x"), &v);
	assert_string_equal(v.id.maildrop, "maildir:/h/f/m");
}

static void
ask_vouched(const char *user, const char *password, uint64_t vouched,
    struct auth_verdict *v)
{
	struct auth_request q = { .vouched = vouched };

	assert_true(span_cstr(span_str(user), q.user, sizeof(q.user)));
	assert_true(secret_set(&q.secret, span_str(password)));
	ask(&q, v);
}

/* What is vouched for is not hashed, which a wrong password shows that nobody
 * would vouch for; all else is judged. */
static void
vouched(void **state)
{
	struct auth_verdict	v;
	uint64_t		print;

	(void)state;
	ask_pass("hashed", SPAN("wonderland"), &v);
	assert_int_equal(v.result, AUTH_OK);
	assert_int_not_equal(v.print, 0);
	print = v.print;
	ask_vouched("hashed", "x", print, &v);
	assert_int_equal(v.result, AUTH_OK);
	assert_string_equal(v.id.user, "hashed");
	assert_int_equal(v.print, print);
	ask_vouched("braced", "x", print, &v);	/* the same hash is there */
	assert_int_equal(v.result, AUTH_OK);
	ask_vouched("hashed", "x", print ^ 1, &v);
	assert_int_equal(v.reason, REASON_BAD_PASSWORD);
	assert_int_equal(v.print, 0);
	ask_vouched("hashed", "", print, &v);
	assert_int_equal(v.reason, REASON_EMPTY_PASSWORD);
	ask_vouched("nosuch", "x", print, &v);
	assert_int_equal(v.reason, REASON_UNKNOWN_USER);
	ask_vouched("shut", "x", print, &v);
	assert_int_equal(v.reason, REASON_LOCKED);
	ask_vouched("superuser", "x", print, &v);
	assert_int_equal(v.reason, REASON_UID);
	ask_vouched("ann", "x", print, &v);
	assert_int_equal(v.reason, REASON_BAD_PASSWORD);
	ask_pass("ann", SPAN("wonderland"), &v);	/* {PLAIN} */
	assert_int_equal(v.result, AUTH_OK);
	assert_int_equal(v.print, 0);
}

/* Every octet, at every place of a name. */
static void
names_by_octet(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		char	b[3][4] = { "xab", "axb", "abx" };
		bool	inside = c > ' ' && c < 0x7f && c != '/' && c != ':';
		bool	first = inside && c != '-' && c != '.' && c != '#';

		for (int i = 0; i < 3; i++)
			b[i][i] = (char)c;
		assert_int_equal(policy_name_valid(span_of(b[0], 3)), first);
		assert_int_equal(policy_name_valid(span_of(b[1], 3)), inside);
		assert_int_equal(policy_name_valid(span_of(b[2], 3)), inside);
	}
	assert_true(policy_name_valid(SPAN(LONG_NAME)));
	assert_false(policy_name_valid(SPAN(LONG_NAME "a")));
	assert_false(policy_name_valid(SPAN("")));
	assert_false(policy_name_valid(SPAN(".lock")));
	assert_true(policy_name_valid(SPAN("lock")));
}

/* Each of the octets can stand in a password; none is cut off or folded. */
static void
passwords_by_octet(void **state)
{
	struct auth_verdict	v;
	char			row[64];
	uint8_t			x[3] = { 'a', 0, 'b' };

	(void)state;
	for (unsigned c = 1; c < 256; c++) {
		x[1] = (uint8_t)c;
		if (c == '\n' || c == '\r' || c == ':')
			continue;
		(void)snprintf(row, sizeof(row), "u:{PLAIN}a%cb:::::::\n",
		    (int)c);
		put_text(users, row);
		ask_pass("u", span_of(x, 3), &v);
		assert_int_equal(v.result, AUTH_OK);
		ask_pass("u", span_of(x, 2), &v);
		assert_int_equal(v.reason, REASON_BAD_PASSWORD);
		x[1] ^= 0x20;
		ask_pass("u", span_of(x, 3), &v);
		assert_int_equal(v.reason, REASON_BAD_PASSWORD);
	}
	put_text(users, USERS);
}

/* ---- RPOP ---- */

static const struct {
	const char		*address;
	uint16_t		 port;
	uint8_t			 family;
	const char		*client;
	const char		*user;
	enum auth_reason	 reason;
} rpops[] = {
	{ "192.0.2.7", 600, 4, "annie", "ann", REASON_NONE },
	{ "192.0.2.7", 512, 4, "annie", "ann", REASON_NONE },
	{ "192.0.2.7", 1023, 4, "annie", "ann", REASON_NONE },
	{ "192.0.2.7", 1024, 4, "annie", "ann", REASON_RPOP },
	{ "192.0.2.7", 511, 4, "annie", "ann", REASON_RPOP },
	{ "192.0.2.7", 600, 0, "annie", "ann", REASON_RPOP },
	{ "192.0.2.70", 600, 4, "annie", "ann", REASON_RPOP },
	{ "192.0.2.7", 600, 4, "anni", "ann", REASON_RPOP },
	{ "192.0.2.7", 600, 4, "", "ann", REASON_RPOP },
	{ "192.0.2.7", 600, 4, "annie", "bob", REASON_RPOP },
	{ "192.0.2.7", 600, 4, "a", "b", REASON_RPOP },
	{ "192.0.2.7", 600, 4, "few", "", REASON_BAD_NAME },
	{ "192.0.2.7", 600, 4, "s", "star", REASON_LOCKED },
	{ "192.0.2.7", 600, 4, "d", "denied", REASON_DENIED },
};

static void
ask_rpop(size_t i, struct auth_verdict *v)
{
	struct auth_request q = { .method = AUTH_METHOD_RPOP };

	q.peer.port = rpops[i].port;
	q.peer.family = rpops[i].family;
	assert_true(span_cstr(span_str(rpops[i].address), q.peer.text,
	    sizeof(q.peer.text)));
	assert_true(span_cstr(span_str(rpops[i].user), q.user,
	    sizeof(q.user)));
	assert_true(secret_set(&q.secret, span_str(rpops[i].client)));
	ask(&q, v);
}

/* Whether the token was good, others say; the rest is as for a password. */
static void
tokens_table(void **state)
{
	static const struct {
		const char		*user;
		bool			 good;
		enum auth_reason	 reason;
	} rows[] = {
		{ "ann", true, REASON_NONE }, { "ann", false, REASON_TOKEN },
		{ "nosuch", true, REASON_UNKNOWN_USER },
		{ "nosuch", false, REASON_TOKEN }, { "", true, REASON_BAD_NAME },
		{ "denied", true, REASON_DENIED }, { "star", true, REASON_NONE },
		{ "bang", true, REASON_LOCKED },
	};
	struct auth_verdict v;

	(void)state;
	for (int m = AUTH_METHOD_OAUTHBEARER; m <= AUTH_METHOD_XOAUTH2; m++)
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			struct auth_request q = {
				.method = (enum auth_method)m,
				.token_good = rows[i].good,
			};

			assert_true(span_cstr(span_str(rows[i].user), q.user,
			    sizeof(q.user)));
			ask(&q, &v);
			if (v.reason != rows[i].reason)
				fail_msg("row %zu: %s", i,
				    auth_reason_word(v.reason));
			assert_int_equal(v.print, 0);
		}
}

static void
rpop_table(void **state)
{
	struct auth_verdict v;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rpops); i++) {
		ask_rpop(i, &v);
		assert_int_equal(v.reason, rpops[i].reason);
		assert_int_equal(v.result, v.reason == REASON_NONE ? AUTH_OK :
		    AUTH_REFUSED);
	}
	conf.rpop_file = "";		/* off: the table is not even read */
	ask_rpop(0, &v);
	assert_int_equal(v.reason, REASON_RPOP);
	conf.rpop_file = rpop;
}

/* ---- EXTERNAL ---- */

#define SHOWN	"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const struct {
	enum external_by	 by;
	const char		*user;
	const char		*proof;
	enum auth_reason	 reason;
} externals[] = {
	{ EXTERNAL_FILE, "ann", SHOWN " CN=Ann", REASON_NONE },
	{ EXTERNAL_FILE, "star", SHOWN " CN=Ann", REASON_NONE },
	{ EXTERNAL_FILE, "bang", SHOWN " CN=Ann", REASON_LOCKED },
	{ EXTERNAL_FILE, "closed", SHOWN " CN=Ann", REASON_LOCKED },
	{ EXTERNAL_FILE, "root", SHOWN " CN=Ann", REASON_UID },
	{ EXTERNAL_FILE, "nobody", SHOWN " CN=Ann", REASON_UNKNOWN_USER },
	{ EXTERNAL_FILE, "denied", SHOWN " CN=Ann", REASON_DENIED },
	{ EXTERNAL_FILE, "bob", SHOWN " CN=Ann", REASON_CERTIFICATE },
	{ EXTERNAL_FILE, "bob", SHOWN " CN=Bob", REASON_CERTIFICATE },
	{ EXTERNAL_FILE, "ann", "wonderland", REASON_CERTIFICATE },
	{ EXTERNAL_FILE, "ann", "", REASON_CERTIFICATE },
	{ EXTERNAL_FILE, "", SHOWN " CN=Ann", REASON_BAD_NAME },
	{ EXTERNAL_CN, "bob", SHOWN " bob", REASON_NONE },
	{ EXTERNAL_CN, "ann", SHOWN " bob", REASON_CERTIFICATE },
};

static void
ask_external(size_t i, struct auth_verdict *v)
{
	struct auth_request q = { .method = AUTH_METHOD_EXTERNAL };

	conf.client_by = externals[i].by;
	assert_true(span_cstr(span_str(externals[i].user), q.user,
	    sizeof(q.user)));
	assert_true(secret_set(&q.secret, span_str(externals[i].proof)));
	ask(&q, v);
}

/* A front that was taken over can say what it likes. */
static void
external_rows(void **state UNUSED)
{
	static const char *const on[] = { "ann", "star", "bang", "closed", "root",
	    "nobody", "denied" };
	char			 rows[64], text[1024] = "";
	struct auth_verdict	 v;

	snprintf(rows, sizeof(rows), "%s/clients", folder);
	for (size_t i = 0; i < ARRAY_LEN(on); i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "%s " SHOWN "\n", on[i]);
	put_text(rows, text);
	conf.client_ca = "authorities";
	conf.client_users = rows;
	for (size_t i = 0; i < ARRAY_LEN(externals); i++) {
		ask_external(i, &v);
		if (v.reason != externals[i].reason)
			fail_msg("case %zu: %s", i, auth_reason_word(v.reason));
		assert_int_equal(v.print, 0);
	}
	assert_int_equal(unlink(rows), 0);
	ask_external(0, &v);			/* it need not exist */
	assert_int_equal(v.reason, REASON_CERTIFICATE);
	conf.client_ca = "";
	ask_external(ARRAY_LEN(externals) - 2, &v);	/* off */
	assert_int_equal(v.reason, REASON_CERTIFICATE);
}

/* ---- rules ---- */

static void
refuses_to_prepare(void)
{
	struct fault	 f = { 0 };
	void		*state = &f;

	assert_int_equal(auth_ops_of(&conf)->prepare(&conf, &state, &f), -1);
	assert_null(state);
	assert_int_not_equal(f.class, FAULT_NONE);
}

static void
rules_of_access(void **state)
{
	struct auth_verdict v;

	(void)state;
	conf.access = (struct conf_list){ .n = 2, .line = { 7, 9 }, .item = {
		"allow user=ann method=pass", "deny group=5001" } };
	ask_pass("ann", SPAN("wonderland"), &v);
	assert_int_equal(v.result, AUTH_OK);
	conf.access.item[0] = "allow user=ann method=plain";
	ask_pass("ann", SPAN("wonderland"), &v);
	assert_int_equal(v.result, AUTH_REFUSED);
	assert_int_equal(v.reason, REASON_RULE);
	assert_string_equal(v.detail, "line 9: access = deny group=5001");
	assert_int_equal(v.id.uid, 0);
	/* Who does not know the password learns nothing of rules. */
	ask_pass("ann", SPAN("wrong"), &v);
	assert_int_equal(v.reason, REASON_BAD_PASSWORD);
	conf.access.n = 0;
}

/* user*master, by the master's password; the rest is the user's own. */
static const struct {
	const char	*name;
	const char	*password;
	enum auth_reason reason;
	bool		 settled;	/* whatever other databases say */
} masters[] = {
	{ "ann*ops", "master", REASON_NONE },
	{ "ann*ops", "wonderland", REASON_BAD_PASSWORD },
	{ "ann*ops", "", REASON_BAD_PASSWORD },
	{ "ann*joe", "master", REASON_UNKNOWN_USER, true },
	{ "ann*off", "master", REASON_LOCKED },
	{ "ann*shut", "master", REASON_LOCKED },
	{ "ann*ann", "wonderland", REASON_UNKNOWN_USER, true },
	{ "star*ops", "master", REASON_LOCKED },
	{ "denied*ops", "master", REASON_DENIED },
	{ "nosuch*ops", "master", REASON_UNKNOWN_USER },
	{ "root*ops", "master", REASON_UID },
	{ ".x*ops", "master", REASON_BAD_NAME },
	{ "*ops", "master", REASON_UNKNOWN_USER },
	{ "ann*", "wonderland", REASON_UNKNOWN_USER },
	{ "ann%ops", "master", REASON_UNKNOWN_USER },
	{ "ann", "master", REASON_BAD_PASSWORD },
};

static void
by_a_master(void **state)
{
	struct auth_verdict v;

	(void)state;
	put_text(allow, "ops:{PLAIN}master\noff:!{PLAIN}master\n"
	    "shut:{PLAIN}master::::::nologin\n");
	conf.master_users = allow;
	conf.more = true;
	for (size_t i = 0; i < ARRAY_LEN(masters); i++) {
		ask_pass(masters[i].name, span_str(masters[i].password), &v);
		if (v.reason != masters[i].reason)
			fail_msg("%s: %s", masters[i].name,
			    auth_reason_word(v.reason));
		assert_int_equal(v.print, 0);	/* nobody can vouch for it */
		/* Of users the next database may know more, of masters not. */
		assert_int_equal(auth_passes_on(&conf, &v),
		    v.reason == REASON_UNKNOWN_USER && !masters[i].settled);
		assert_string_equal(v.id.user,
		    v.reason == REASON_NONE ? "ann" : "");
	}
	conf.more = false;
	conf.access = (struct conf_list){ .n = 1, .item = {
		"deny master=yes network=10.0.0.0/8" } };
	ask_pass("ann*ops", SPAN("master"), &v);
	assert_int_equal(v.result, AUTH_OK);
	conf.access.item[0] = "deny master=yes";
	ask_pass("ann*ops", SPAN("master"), &v);
	assert_int_equal(v.reason, REASON_RULE);
	ask_pass("ann", SPAN("wonderland"), &v);
	assert_int_equal(v.result, AUTH_OK);
	conf.access.n = 0;
	assert_int_equal(chmod(allow, 0604), 0);
	refuses_to_prepare();
	conf.master_users = "";
	ask_pass("ann*ops", SPAN("master"), &v);
	assert_int_equal(v.reason, REASON_UNKNOWN_USER);
	assert_int_equal(unlink(allow), 0);
}

static void
who_alone_may(void **state)
{
	struct auth_verdict v;

	(void)state;
	put_text(allow, "ann\n@example.org\n");
	conf.allow_file = allow;
	ask_pass("ann", SPAN("wonderland"), &v);
	assert_int_equal(v.result, AUTH_OK);
	ask_pass("dan@example.org", SPAN("x"), &v);
	assert_int_not_equal(v.reason, REASON_DENIED);
	ask_pass("dan@Example.net", SPAN("x"), &v);
	assert_int_equal(v.reason, REASON_DENIED);
	ask_pass("bob", SPAN("x"), &v);
	assert_int_equal(v.reason, REASON_DENIED);
	put_text(deny, "@example.org\ndenied\n");
	ask_pass("dan@example.org", SPAN("x"), &v);
	assert_int_equal(v.reason, REASON_DENIED);
	put_text(deny, DENY);
	assert_int_equal(unlink(allow), 0);	/* then nobody may */
	refuses_to_prepare();
	conf.allow_file = "";
}

/* ---- what keeps everybody out ---- */


static void
files_of_others(void **state)
{
	const char *const trusted[] = { users, deny, rpop };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(trusted); i++) {
		assert_int_equal(chmod(trusted[i], 0620), 0);
		refuses_to_prepare();
		assert_int_equal(chmod(trusted[i], 0602), 0);
		refuses_to_prepare();
		assert_int_equal(chmod(trusted[i], 0600), 0);
	}
	assert_int_equal(chmod(users, 0604), 0);
	refuses_to_prepare();
	assert_int_equal(chmod(users, 0600), 0);
	assert_int_equal(unlink(users), 0);
	refuses_to_prepare();
	put_text(users, USERS);
	assert_int_equal(unlink(rpop), 0);
	refuses_to_prepare();
	put_text(rpop, "");
	conf.virtual_user = "no-such-account-here";
	refuses_to_prepare();
	conf.virtual_user = "0:0";
	refuses_to_prepare();
	conf.virtual_user = "5000:5001";
}

static void
no_deny_file_denies_nobody(void **state)
{
	struct auth_verdict v;

	(void)state;
	assert_int_equal(unlink(deny), 0);
	ask_pass("denied", SPAN("x"), &v);
	assert_int_equal(v.result, AUTH_OK);
	put_text(deny, "ann");		/* without a line end */
	ask_pass("ann", SPAN("wonderland"), &v);
	assert_int_equal(v.reason, REASON_DENIED);
	put_text(deny, "");
}

/* Each name has a line; twice, and between others that are like it. */
static void
many_lines(void **state)
{
	struct auth_verdict	v;
	struct auth_request	q = { .method = AUTH_METHOD_RPOP };
	char			name[32];
	FILE			*d = fopen(deny, "we");
	FILE			*r = fopen(rpop, "we");

	(void)state;
	assert_non_null(d);
	assert_non_null(r);
	for (unsigned i = 0; i < 9000; i++) {
		fprintf(d, "%s%u-x\t# %u\n", i % 2 == 0 ? " " : "", i % 6000, i);
		fprintf(r, "192.0.2.7\t%u  c%u \n192.0.2.7 %u c%u more\n", i,
		    i % 6000, i, i + 1);
	}
	assert_int_equal(fclose(d), 0);
	assert_int_equal(fclose(r), 0);
	for (unsigned i = 0; i < 6100; i += 610) {
		(void)snprintf(name, sizeof(name), "%u-x", i);
		ask_pass(name, SPAN("x"), &v);
		assert_int_equal(v.reason, i < 6000 ? REASON_DENIED :
		    REASON_UNKNOWN_USER);
		(void)snprintf(name, sizeof(name), "%u-", i);
		ask_pass(name, SPAN("x"), &v);
		assert_int_equal(v.reason, REASON_UNKNOWN_USER);
	}
	q.peer = (struct sock_addr){ .text = "192.0.2.7", .family = 4,
	    .port = 600 };
	for (unsigned i = 0; i < 9100; i += 910) {
		(void)snprintf(name, sizeof(name), "%u", i);
		assert_true(secret_set(&q.secret, span_str(name)));
		(void)snprintf(q.user, sizeof(q.user), "c%u", i % 6000);
		ask(&q, &v);
		assert_int_equal(v.reason, i < 9000 ? REASON_UNKNOWN_USER :
		    REASON_RPOP);
		(void)snprintf(q.user, sizeof(q.user), "c%u", i % 6000 + 1);
		ask(&q, &v);
		assert_int_equal(v.reason, REASON_RPOP);
	}
	put_text(deny, "");
	put_text(rpop, "");
}

static void
an_empty_file_knows_nobody(void **state)
{
	struct auth_verdict v;

	(void)state;
	put_text(users, "");
	ask_pass("ann", SPAN("x"), &v);
	assert_int_equal(v.reason, REASON_UNKNOWN_USER);
	ask_pass("..", SPAN("x"), &v);
	assert_int_equal(v.reason, REASON_BAD_NAME);
	put_text(users, USERS);
}

/* ---- rules alone ---- */

static void
gids_are_taken_out(void **state)
{
	struct identity id = { .uid = 1000, .gid = 1000, .ngids = 6,
	    .gids = { 0, 100, 1666, 99, 1000, 65534 } };
	enum auth_reason why;

	(void)state;
	assert_true(auth_identity_allowed(&conf, &id, &why));
	assert_int_equal(why, REASON_NONE);
	assert_int_equal(id.ngids, 3);
	assert_int_equal(id.gids[0], 100);
	assert_int_equal(id.gids[1], 1000);
	assert_int_equal(id.gids[2], 65534);
	id.ngids = IDENTITY_GIDS_MAX + 1;
	assert_false(auth_identity_allowed(&conf, &id, &why));
}

static const struct {
	uid_t			uid;
	gid_t			gid;
	enum auth_reason	reason;
} ids[] = {
	{ 1000,		100,		REASON_NONE },
	{ 60000,	60000,		REASON_NONE },
	{ 0,		1000,		REASON_UID },
	{ 999,		1000,		REASON_UID },
	{ 60001,	1000,		REASON_UID },
	{ (uid_t)-1,	1000,		REASON_UID },
	{ 1000,		0,		REASON_GID },
	{ 1000,		99,		REASON_GID },
	{ 1000,		1666,		REASON_GID },
	{ 1000,		(gid_t)-1,	REASON_GID },
};

static void
ranges(void **state)
{
	struct auth_conf wide = conf;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		struct identity	 id = { .uid = ids[i].uid, .gid = ids[i].gid };
		enum auth_reason why;

		assert_int_equal(auth_identity_allowed(&conf, &id, &why),
		    ids[i].reason == REASON_NONE);
		assert_int_equal(why, ids[i].reason);
	}
	/* uid 0 is not for sale, whatever the settings say. */
	wide.uid_min = 0;
	wide.gid_min = 0;
	wide.uid_max = UINT32_MAX;
	wide.gids_denied = "";
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		struct identity	 id = { .uid = ids[i].uid, .gid = ids[i].gid };
		enum auth_reason why;

		assert_int_equal(auth_identity_allowed(&wide, &id, &why),
		    id.uid != 0 && id.uid != (uid_t)-1 && id.gid != 0 &&
		    id.gid != (gid_t)-1);
	}
}

static const struct {
	const char	*shells;
	const char	*shell;
	bool		 allowed;
} shells[] = {
	{ "/bin/sh\n/bin/bash\n", "/bin/bash", true },
	{ "/bin/sh\n/bin/bash", "/bin/bash", true },
	{ "/bin/sh # the shell\n", "/bin/sh", true },
	{ "/bin/sh\n", "/bin/s", false },
	{ "/bin/sh\n", "/bin/sh2", false },
	{ "#/bin/sh\n", "/bin/sh", false },
	{ "/bin/sh\n", "", false },
	{ "", "/bin/sh", false },
	{ "", "", false },
	{ "/POPPER/ANY/SHELL\n", "/usr/sbin/nologin", true },
	{ "/bin/sh\n/POPPER/ANY/SHELL\n", "", true },
	{ "/POPPER/ANY/SHELLS\n", "/usr/sbin/nologin", false },
};

static void
shell_table(void **state)
{
	struct auth_conf	c = conf;
	struct auth_policy	p = { .c = &c };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
		buf_init(&p.shells, 1024);
		assert_int_equal(buf_append(&p.shells,
		    span_str(shells[i].shells)), 0);
		c.shell_check = true;
		assert_int_equal(policy_shell_allowed(&p,
		    span_str(shells[i].shell)), shells[i].allowed);
		c.shell_check = false;
		assert_true(policy_shell_allowed(&p,
		    span_str(shells[i].shell)));
		buf_fini(&p.shells);
	}
}

static void
reason_words(void **state)
{
	(void)state;
	for (int i = 0; i < REASON_COUNT; i++)
		for (int k = 0; k < i; k++)
			assert_string_not_equal(auth_reason_word(i),
			    auth_reason_word(k));
	assert_string_equal(auth_reason_word(REASON_COUNT), "error");
}

/* Whom a look at all rows finds, and whom in place of nobody. */
static void
index_as_scan(void **state)
{
	static char		 text[300000];
	struct fault		 f = { 0 };
	void			*scan, *index;
	struct passwd_row	 a, b;
	size_t			 n = 0;

	(void)state;
	for (int i = 0; i < 5000; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "%s%d%s:{PLAIN}%d:::::::%s", i % 7 == 0 ? "#" : "",
		    i * 31 % 3000, i % 5 == 0 ? "@example.org" : "", i,
		    i % 11 == 0 ? "\r\n" : i % 13 == 0 ? "\n\nno row\n" : "\n");
	put_text(users, text);
	assert_int_equal(auth_file_ops.prepare(&conf, &scan, &f), 0);
	assert_int_equal(auth_file_ops.prepare(&conf, &index, &f), 0);
	auth_file_ops.settle(index);
	for (int i = -10; i < 4000; i++) {
		(void)snprintf(text, sizeof(text), "%d%s", i,
		    i % 2 == 0 ? "" : "@example.org");
		assert_int_equal(file_find(scan, span_str(text), &a),
		    file_find(index, span_str(text), &b));
		assert_true(span_eq(a.user, b.user));
		assert_true(span_eq(a.password, b.password));
	}
	auth_file_ops.done(scan);
	auth_file_ops.done(index);
	put_text(users, USERS);
}

/* What those need who ask for more than a yes or no. */
static void
rows_are_found(void **unused)
{
	const struct auth_ops	*ops = auth_ops_of(&conf);
	struct passwd_row	 row;
	struct fault		 f = { 0 };
	void			*state;

	(void)unused;
	assert_int_equal(ops->prepare(&conf, &state, &f), 0);
	assert_int_equal(ops->lookup(state, "bob", &row, &f), 1);
	assert_true(span_eq(row.user, SPAN("bob")));
	assert_true(span_eq(row.password, SPAN("{PLAIN}wonderland")));
	assert_true(span_eq(row.uid, SPAN("1500")));
	assert_true(span_eq(row.maildrop, SPAN("/m/bob")));
	assert_int_equal(ops->lookup(state, "closed", &row, &f), 1);
	assert_true(row.nologin);
	assert_int_equal(ops->lookup(state, "nobody-here", &row, &f), 0);
	assert_true(row.password.n > 0);	/* to be measured against */
	ops->done(state);

	put_text(users, "# nobody\n");
	assert_int_equal(ops->prepare(&conf, &state, &f), 0);
	assert_int_equal(ops->lookup(state, "bob", &row, &f), 0);
	assert_int_equal(row.password.n, 0);
	ops->done(state);
	put_text(users, USERS);
	assert_null(auth_pam_ops.lookup);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_table),
		cmocka_unit_test(foreseen),
		cmocka_unit_test(foreseen_without_a_password),
		cmocka_unit_test(identities),
		cmocka_unit_test(vouched),
		cmocka_unit_test(names_by_octet),
		cmocka_unit_test(passwords_by_octet),
		cmocka_unit_test(tokens_table),
		cmocka_unit_test(rpop_table),
		cmocka_unit_test(external_rows),
		cmocka_unit_test(rules_of_access),
		cmocka_unit_test(by_a_master),
		cmocka_unit_test(who_alone_may),
		cmocka_unit_test(files_of_others),
		cmocka_unit_test(no_deny_file_denies_nobody),
		cmocka_unit_test(many_lines),
		cmocka_unit_test(an_empty_file_knows_nobody),
		cmocka_unit_test(gids_are_taken_out),
		cmocka_unit_test(index_as_scan),
		cmocka_unit_test(ranges),
		cmocka_unit_test(shell_table),
		cmocka_unit_test(reason_words),
		cmocka_unit_test(rows_are_found),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
