/* SPDX-License-Identifier: ISC */
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

static const struct {
	const char	*line;
	const char	*user;		/* NULL: no row */
	const char	*password;
	const char	*uid;
	const char	*gid;
	const char	*home;
	const char	*shell;
	const char	*maildrop;
	bool		 nologin;
	const char	*unsupported;
	const char	*login_delay;	/* NULL: "" */
} rows[] = {
	{ "ann:x::::::nologin login_delay=60", "ann", "x", "", "", "", "", "",
	    true, "", "60" },
	{ "ann:x::::::login_delay=", "ann", "x", "", "", "", "", "", false, "",
	    "login_delay" },
	{ "ann:x", "ann", "x", "", "", "", "", "", false, "" },
	{ "ann:", "ann", "", "", "", "", "", "", false, "" },
	{ "ann:{PLAIN}x:1:2:Ann A.:/h:/bin/sh:", "ann", "{PLAIN}x", "1", "2",
	    "/h", "/bin/sh", "", false, "" },
	{ "ann:x:1:2::/h\r", "ann", "x", "1", "2", "/h", "", "", false, "" },
	{ "a@b.c:x::::::userdb_mail=mbox:/m/a", "a@b.c", "x", "", "", "", "",
	    "/m/a", false, "" },
	{ "ann:x::::::userdb_mail=mbox:/m/a:INDEX=/i nologin", "ann", "x", "",
	    "", "", "", "/m/a", true, "INDEX" },
	{ "ann:x::::::userdb_mail=mbox:~/mail:INBOX=/s/ann", "ann", "x", "",
	    "", "", "", "/s/ann", false, "" },
	{ "ann:x::::::userdb_mail=~/mail:INBOX=~/mbox", "ann", "x", "",
	    "", "", "", "~/mbox", false, "" },
	{ "ann:x::::::userdb_mail=mbox:~/mail:INBOX=/s:INDEX=MEMORY", "ann",
	    "x", "", "", "", "", "/s", false, "INDEX" },
	{ "ann:x::::::userdb_mail=mbox:~/mail:LAYOUT=fs:INBOX=/s", "ann",
	    "x", "", "", "", "", "/s", false, "LAYOUT" },
	{ "ann:x::::::userdb_mail=mbox:~/mail:INBOX=", "ann", "x", "",
	    "", "", "", "~/mail", false, "INBOX" },
	{ "ann:x::::::userdb_mail=mbox:~/mail:UTF-8", "ann", "x", "",
	    "", "", "", "~/mail", false, "UTF-8" },
	{ "ann:x::::::userdb_mail=/m/a:", "ann", "x", "",
	    "", "", "", "/m/a", false, "" },
	{ "ann:x::::::userdb_mail=mbox:", "ann", "x", "",
	    "", "", "", "mbox:", false, "" },
	{ "ann:x::::::userdb_mail=mbox:m:INBOX=/s", "ann", "x", "",
	    "", "", "", "mbox:m:INBOX=/s", false, "" },
	{ "ann:x::::::  userdb_mail=~/mbox  k=v:w\t", "ann", "x", "", "", "",
	    "", "~/mbox", false, "" },
	{ "ann:x::::::userdb_mail=maildir:/m", "ann", "x", "", "", "", "",
	    "maildir:/m", false, "" },
	{ "ann:x::::::userdb_mail=maildir:~/m:", "ann", "x", "", "", "", "",
	    "maildir:~/m", false, "" },
	{ "ann:x::::::userdb_mail=maildir:/m:INDEX=/i", "ann", "x", "", "", "",
	    "", "maildir:/m", false, "INDEX" },
	{ "ann:x::::::userdb_mail=maildir:/m:INBOX=/n", "ann", "x", "", "", "",
	    "", "maildir:/m", false, "INBOX" },
	{ "ann:x::::::userdb_mail=~/m/", "ann", "x", "", "", "", "", "~/m/",
	    false, "" },
	{ "ann:x::::::userdb_mail=mbox:~/m/", "ann", "x", "", "", "", "",
	    "mbox:~/m/", false, "" },
	{ "ann:x::::::userdb_mail=mbox:~/m/:INBOX=~/in", "ann", "x", "", "",
	    "", "", "~/in", false, "" },
	{ "ann:x::::::nologin=moved", "ann", "x", "", "", "", "", "", true,
	    "" },
	{ "ann:x::::::allow_nets=10.0.0.0/8", "ann", "x", "", "", "", "", "",
	    false, "allow_nets" },
	{ "ann:x::::::proxy host=h", "ann", "x", "", "", "", "", "", false,
	    "proxy" },
	{ "ann:x::::::userdb_mailx=/m", "ann", "x", "", "", "", "", "", false,
	    "" },
	{ "ann", NULL },
	{ ":x", NULL },
	{ "", NULL },
	{ "\r", NULL },
	{ "#ann:x", NULL },
	{ ":", NULL },
};

static void
check_span(struct span got, const char *want)
{
	assert_true(span_eq(got, span_str(want)));
}

static void
parse_table(void **state)
{
	struct passwd_row row;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool is = passwd_row_parse(span_str(rows[i].line), &row);

		print_message("%s\n", rows[i].line);
		assert_int_equal(is, rows[i].user != NULL);
		if (!is)
			continue;
		check_span(row.user, rows[i].user);
		check_span(row.password, rows[i].password);
		check_span(row.uid, rows[i].uid);
		check_span(row.gid, rows[i].gid);
		check_span(row.home, rows[i].home);
		check_span(row.shell, rows[i].shell);
		check_span(row.maildrop, rows[i].maildrop);
		assert_int_equal(row.nologin, rows[i].nologin);
		check_span(row.unsupported, rows[i].unsupported);
		check_span(row.login_delay, rows[i].login_delay == NULL ? "" :
		    rows[i].login_delay);
	}
}

/* ---- changing the file ---- */

static char	folder[] = "/tmp/popper-passwd-test.XXXXXX";
static char	path[64];

static int
make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/users", folder);
	return 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(folder);		/* fails when anything was left behind */
}

static void
put_text(const char *text, mode_t mode)
{
	int fd;

	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

static void
check_text(const char *want)
{
	char	 got[2048] = "";
	int	 fd = open(path, O_RDONLY);
	ssize_t	 n;

	assert_true(fd >= 0);
	n = read(fd, got, sizeof(got) - 1);
	assert_true(n >= 0);
	(void)close(fd);
	assert_string_equal(got, want);
}

static const struct {
	const char		*before;
	const char		*user;
	bool			 remove;
	struct passwd_change	 change;
	enum fault_class	 class;
	const char		*after;		/* NULL: unchanged */
} puts_[] = {
	{ "", "ann", false, { .password = "P" }, 0, "ann:P::::::\n" },
	{ "# c\n\nbob:B\n", "ann", false, { .password = "P", .uid = "1001",
	    .gid = "1002", .home = "/h", .maildrop = "/m" }, 0,
	    "# c\n\nbob:B\nann:P:1001:1002::/h::userdb_mail=mbox:/m\n" },
	{ "ann:A::::::userdb_mail=mbox:/m\n", "ann", false,
	    { .maildrop = "~/m/" }, 0,
	    "ann:A::::::userdb_mail=maildir:~/m/\n" },
	{ "bob:B", "ann", false, { .password = "P" }, 0,
	    "bob:B\nann:P::::::\n" },
	{ "x\nann:A:1:2:Ann:/h:/s:k=v userdb_mail=mbox:/m nologin\nbob:B\n",
	    "ann", false, { .password = "P" }, 0,
	    "x\nann:P:1:2:Ann:/h:/s:k=v userdb_mail=mbox:/m nologin\nbob:B\n" },
	{ "ann:A:1:2:Ann:/h:/s:k=v userdb_mail=mbox:/m nologin\n", "ann",
	    false, { .uid = "", .gid = "", .home = "", .maildrop = "~/n" }, 0,
	    "ann:A:::Ann::/s:k=v nologin userdb_mail=mbox:~/n\n" },
	{ "ann:A::::::userdb_mail=/m\n", "ann", false, { .maildrop = "" }, 0,
	    "ann:A::::::\n" },
	{ "ann:A\nanna:B\nan:C\nann:D\n", "ann", false, { .password = "P" },
	    0, "ann:P::::::\nanna:B\nan:C\n" },
	{ "ann:A\nbob:B\nann:D\n", "ann", true, { 0 }, 0, "bob:B\n" },
	{ "#ann:A\nbob:B\n", "ann", true, { 0 }, FAULT_AUTH, NULL },
	{ "bob:B\n", "ann", false, { .uid = "1" }, FAULT_AUTH, NULL },
	{ "bob:B\n", "bob", false, { .uid = "-1" }, FAULT_PROTO, NULL },
	{ "bob:B\n", "bob", false, { .gid = "mail" }, FAULT_PROTO, NULL },
	{ "bob:B\n", "bob", false, { .home = "h" }, FAULT_PROTO, NULL },
	{ "bob:B\n", "bob", false, { .home = "/h:" }, FAULT_PROTO, NULL },
	{ "bob:B\n", "bob", false, { .maildrop = "m" }, FAULT_PROTO, NULL },
	{ "bob:B\n", "bob", false, { .maildrop = "/m n" }, FAULT_PROTO, NULL },
	{ "bob:B\n", "bob", false, { .password = "a\nx:y" }, FAULT_PROTO,
	    NULL },
	{ "bob:B\n", "bob", false, { .password = "a:0:0" }, FAULT_PROTO,
	    NULL },
	{ "bob:B\n", "b:b", false, { .password = "P" }, FAULT_PROTO, NULL },
	{ "bob:B\n", "#b", false, { .password = "P" }, FAULT_PROTO, NULL },
	{ "bob:B\n", "", false, { .password = "P" }, FAULT_PROTO, NULL },
	{ "bob:B\n", "a\nb", false, { .password = "P" }, FAULT_PROTO, NULL },
};

static void
put_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(puts_); i++) {
		struct fault	f = { 0 };
		int		rc;

		print_message("put %zu\n", i);
		put_text(puts_[i].before, 0640);
		rc = passwd_file_put(path, puts_[i].user,
		    puts_[i].remove ? NULL : &puts_[i].change, &f);
		print_message("%s\n", f.text);
		assert_int_equal(f.class, puts_[i].class);
		assert_int_equal(rc, puts_[i].class == FAULT_NONE ? 0 : -1);
		check_text(puts_[i].after != NULL ? puts_[i].after :
		    puts_[i].before);
	}
}

static void
mode_is_kept_and_new_is_private(void **state)
{
	const struct passwd_change	c = { .password = "P" };
	struct stat			st;

	(void)state;
	put_text("ann:A\n", 0640);
	(void)umask(077);
	assert_int_equal(passwd_file_put(path, "ann", &c, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	(void)unlink(path);
	(void)umask(0);
	assert_int_equal(passwd_file_put(path, "ann", &c, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	check_text("ann:P::::::\n");
	(void)umask(022);
}

static void
nothing_is_made_for_a_removal(void **state)
{
	struct fault f = { 0 };

	(void)state;
	(void)unlink(path);
	assert_int_equal(passwd_file_put(path, "ann", NULL, &f), -1);
	assert_int_equal(access(path, F_OK), -1);
}

static const struct {
	mode_t	mode;
	bool	fine;
} modes[] = {
	{ 0600, true }, { 0400, true }, { 0640, true }, { 0644, false },
	{ 0604, false }, { 0620, false }, { 0602, false }, { 0601, false },
	{ 0777, false },
};

static void
check_modes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		put_text("ann:A\n", modes[i].mode);
		assert_int_equal(passwd_file_check(path, NULL),
		    modes[i].fine ? 0 : -1);
	}
}

static void
check_kinds(void **state)
{
	struct fault f = { 0 };

	(void)state;
	(void)unlink(path);
	assert_int_equal(passwd_file_check(path, &f), -1);
	assert_int_equal(passwd_file_check(folder, &f), -1);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(passwd_file_check(path, &f), -1);	/* at once */
	if (geteuid() == 0) {
		put_text("", 0600);
		assert_int_equal(chown(path, 12345, 0), 0);
		assert_int_equal(passwd_file_check(path, &f), -1);
	}
}

static int
put_too_much(void *ctx, struct span old, struct buf *out, struct fault *f)
{
	(void)ctx;
	(void)old;
	(void)f;
	assert_non_null(buf_reserve(out, AUTH_FILE_MAX));
	buf_extend(out, AUTH_FILE_MAX);
	return 0;
}

/* Nobody could log in with such a file. */
static void
no_file_grows_too_large(void **state)
{
	struct fault f = { 0 };

	(void)state;
	(void)unlink(path);
	put_text("ann:A\n", 0600);
	assert_int_equal(file_edit(path, false, AUTH_FILE_MAX, put_too_much,
	    NULL, &f), -1);
	assert_int_equal(f.class, FAULT_LIMIT);
	check_text("ann:A\n");
}

/* ---- rows one after the other ---- */

/* form: with a number in the place of its question mark. */
static bool
refused(struct hash_kinds *all, const char *form, unsigned i)
{
	struct fault		f = { 0 };
	char			text[128];
	struct passwd_row	row = { 0 };
	size_t			mark = span_find(span_str(form), '?');
	bool			is;

	(void)snprintf(text, sizeof(text), "%.*s%03u%s", (int)mark, form, i,
	    form + mark + 1);
	row.password = span_str(text);
	is = hash_kinds_refuse(all, &row, &f);
	assert_int_equal(is, f.text[0] != '\0');
	return is;
}

#define TAIL	"$0123456789abcdefghijABCDEFGHIJ./0123456789012"

static const struct {
	const char	*form;
	bool		 refused;
	size_t		 kinds;		/* that have been tried by then */
} kinds[] = {
	{ "$5$rounds=2000$saltsalt?" TAIL, false, 1 },
	{ "{SHA256-CRYPT}$5$rounds=2000$saltsalt?" TAIL, false, 2 },
	{ "$5$rounds=1999$saltsalt?" TAIL, false, 3 },
	{ "$5$rounds=1999$saltsalta?" TAIL, false, 4 },
	{ "$2b$04$abcdefghijklmnopqrs?", false, 5 },
	{ "$2b$99$abcdefghijklmnopqrs?", true, 6 },
	{ "$9$saltsalt?$abc", true, 7 },
	{ "{OTHER-CRYPT}$5$rounds=2000$saltsalt?" TAIL, true, 8 },
	{ "{PLAIN}?", false, 8 },
	{ "{plain}abcdefgh?", false, 8 },
};

static void
each_kind_is_tried_once(void **state)
{
	struct hash_kinds all = { .n = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		print_message("%s\n", kinds[i].form);
		for (unsigned user = 0; user < 100; user++)
			assert_int_equal(refused(&all, kinds[i].form, user),
			    kinds[i].refused);
		assert_int_equal(all.n, kinds[i].kinds);
	}
}

static void
kinds_have_a_bound(void **state)
{
	struct hash_kinds all = { .n = 0 };

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		(void)refused(&all, "$2b$99$a?", i);
	assert_int_equal(all.n, ARRAY_LEN(all.list));
	assert_true(refused(&all, "$2b$99$a?", 0));
	assert_false(refused(&all, "$2b$99$a?", 99));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_table),
		cmocka_unit_test(put_table),
		cmocka_unit_test(mode_is_kept_and_new_is_private),
		cmocka_unit_test(nothing_is_made_for_a_removal),
		cmocka_unit_test(check_modes),
		cmocka_unit_test(check_kinds),
		cmocka_unit_test(no_file_grows_too_large),
		cmocka_unit_test(each_kind_is_tried_once),
		cmocka_unit_test(kinds_have_a_bound),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
