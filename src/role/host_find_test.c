/* SPDX-License-Identifier: ISC */
/* Which maildrop it is: of `maildrop`, or of `maildrop_else`. */
#include "role/host.h"

#include "role/elsewhere.h"
#include "sys/file.h"
#include "sys/test_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define OTHER_UID	4712	/* nobody's here */

enum spool {
	NO_FOLDER,
	NOTHING,
	EMPTY,
	MAIL,
	LINK,			/* that leads nowhere */
	OLD_MAIL,		/* nothing, but what an older popper left */
	OLD_EMPTY,
	UNFINISHED,		/* empty, under an open journal */
};

enum maildir {
	NO_HOME,
	NO_MAILDIR,
	UNMOUNTED,		/* home, root's folder */
	HALF,			/* without tmp */
	LINKED,
	FOREIGN,
	BARE,
	FULL,
};

struct one {
	enum spool	 spool;
	enum maildir	 maildir;
	bool		 noted;
	enum host_which	 which;		/* ANY: the login fails */
	enum host_news	 news;
};

static const struct one ones[] = {
	{ NOTHING,	FULL,		false,	HOST_ELSE,	HOST_NEWS_ELSE },
	{ NOTHING,	BARE,		false,	HOST_ELSE,	HOST_NEWS_ELSE },
	{ NOTHING,	FULL,		true,	HOST_ELSE,	HOST_NEWS_NONE },
	{ NO_FOLDER,	FULL,		false,	HOST_ELSE,	HOST_NEWS_ELSE },
	{ OLD_EMPTY,	FULL,		false,	HOST_ELSE,	HOST_NEWS_ELSE },
	/* What is no Maildir of his. */
	{ NOTHING,	NO_HOME,	false,	HOST_NAMED,	HOST_NEWS_NONE },
	{ NOTHING,	NO_MAILDIR,	false,	HOST_NAMED,	HOST_NEWS_NONE },
	{ NOTHING,	HALF,		false,	HOST_NAMED,	HOST_NEWS_NONE },
	{ NOTHING,	LINKED,		false,	HOST_NAMED,	HOST_NEWS_NONE },
	{ NOTHING,	FOREIGN,	false,	HOST_NAMED,	HOST_NEWS_NONE },
	{ NO_FOLDER,	NO_MAILDIR,	false,	HOST_ANY,	HOST_NEWS_NONE },
	/* Something lies there. */
	{ EMPTY,	FULL,		false,	HOST_NAMED,	HOST_NEWS_NONE },
	{ MAIL,		FULL,		false,	HOST_NAMED,	HOST_NEWS_NONE },
	{ LINK,		FULL,		false,	HOST_NAMED,	HOST_NEWS_NONE },
	{ OLD_MAIL,	FULL,		false,	HOST_NAMED,	HOST_NEWS_NONE },
	{ UNFINISHED,	FULL,		false,	HOST_NAMED,	HOST_NEWS_NONE },
	/* Something has come there. */
	{ EMPTY,	FULL,		true,	HOST_ELSE,	HOST_NEWS_NONE },
	{ EMPTY,	BARE,		true,	HOST_ELSE,	HOST_NEWS_NONE },
	{ MAIL,		FULL,		true,	HOST_NAMED,	HOST_NEWS_TWO },
	{ OLD_MAIL,	FULL,		true,	HOST_NAMED,	HOST_NEWS_TWO },
	{ UNFINISHED,	FULL,		true,	HOST_NAMED,	HOST_NEWS_TWO },
	{ MAIL,		BARE,		true,	HOST_NAMED,	HOST_NEWS_NONE },
	{ MAIL,		NO_MAILDIR,	true,	HOST_NAMED,	HOST_NEWS_GONE },
	{ MAIL,		LINKED,		true,	HOST_NAMED,	HOST_NEWS_GONE },
	/* His home is away: he is not shown an empty maildrop. */
	{ MAIL,		NO_HOME,	true,	HOST_NAMED,	HOST_NEWS_NONE },
	{ EMPTY,	NO_HOME,	true,	HOST_ANY,	HOST_NEWS_NONE },
	{ NOTHING,	NO_HOME,	true,	HOST_ANY,	HOST_NEWS_NONE },
	{ NOTHING,	NO_MAILDIR,	true,	HOST_NAMED,	HOST_NEWS_GONE },
	{ NOTHING,	HALF,		true,	HOST_NAMED,	HOST_NEWS_GONE },
	/* Or what lies below it can be seen. */
	{ NOTHING,	UNMOUNTED,	true,	HOST_ANY,	HOST_NEWS_NONE },
	{ EMPTY,	UNMOUNTED,	true,	HOST_ANY,	HOST_NEWS_NONE },
	{ MAIL,		UNMOUNTED,	true,	HOST_NAMED,	HOST_NEWS_NONE },
	{ NOTHING,	UNMOUNTED,	false,	HOST_NAMED,	HOST_NEWS_NONE },
	{ NOTHING,	FOREIGN,	true,	HOST_ANY,	HOST_NEWS_NONE },
	{ MAIL,		FOREIGN,	true,	HOST_NAMED,	HOST_NEWS_NONE },
};

static const char	*top;		/* the folder of all */
static char		 state_dir[128];
static char		 run_dir[128];
static char		 template[128];
static struct settings	 conf;
static struct identity	 id;

/* The user's, if that can be said. */
static void
give(const char *path)
{
	if (geteuid() == 0)
		assert_int_equal(lchown(path, id.uid, id.gid), 0);
}

static const char *
in(const char *name)
{
	static char	path[4][256];
	static size_t	i;

	i = (i + 1) % 4;
	(void)snprintf(path[i], sizeof(path[i]), "%s/%s", top, name);
	return path[i];
}

static void
make_dir(const char *name)
{
	assert_int_equal(mkdir(in(name), 0700), 0);
	give(in(name));
}

static void
make_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	give(path);
}

static void
make_journal(void)
{
	struct host	h;
	struct fault	f;
	char		name[HOST_KEY_MAX + 32];

	assert_int_equal(host_open_again(&h, &conf, &id, HOST_NAMED, &f), 0);
	(void)snprintf(name, sizeof(name), "state/journal/%s", h.key);
	make_file(in(name), "x");
	host_close(&h);
}

static void
make_spool(enum spool s)
{
	if (s == NO_FOLDER)
		return;
	make_dir("mail");
	if (s == EMPTY || s == UNFINISHED)
		make_file(in("mail/ann"), "");
	if (s == UNFINISHED)
		make_journal();
	if (s == MAIL)
		make_file(in("mail/ann"), "From a Mon Jan  1 00:00:00 2024\n\nx\n");
	if (s == LINK)
		assert_int_equal(symlink("nowhere", in("mail/ann")), 0);
	if (s == OLD_MAIL || s == OLD_EMPTY)
		make_file(in("mail/.ann.pop"), s == OLD_MAIL ? "x" : "");
}

static void
make_maildir(enum maildir m)
{
	const char	*name = m == LINKED ? "home/real" : "home/Maildir";
	char		 path[64];

	if (m == NO_HOME)
		return;
	make_dir("home");
	if (m == UNMOUNTED) {
		assert_int_equal(chmod(in("home"), 0755), 0);
		assert_int_equal(lchown(in("home"), 0, 0), 0);
	}
	if (m == NO_MAILDIR || m == UNMOUNTED)
		return;
	make_dir(name);
	for (const char *const *p = (const char *const []){ "cur", "new", "tmp",
	    NULL }; *p != NULL; p++) {
		(void)snprintf(path, sizeof(path), "%s/%s", name, *p);
		if (m != HALF || strcmp(*p, "tmp") != 0)
			make_dir(path);
	}
	(void)snprintf(path, sizeof(path), "%s/cur/%s", name,
	    m == BARE ? ".hidden" : "1.a.b:2,S");
	make_file(in(path), "Subject: x\n\nx\n");
	if (m == LINKED)
		assert_int_equal(symlink("real", in("home/Maildir")), 0);
	if (m == FOREIGN) {
		assert_int_equal(chmod(in("home/Maildir"), 0755), 0);
		assert_int_equal(lchown(in("home/Maildir"), OTHER_UID, 100), 0);
	}
}

/* All anew, for each decision. */
static void
make(const struct one *o)
{
	struct fault f;

	for (const char *const *p = (const char *const []){ "mail", "home",
	    "state", "run", NULL }; *p != NULL; p++)
		(void)test_dir_remove(in(*p));
	assert_int_equal(mkdir(state_dir, 0755), 0);
	assert_int_equal(mkdir(in("state/journal"), 0700), 0);
	assert_int_equal(mkdir(run_dir, 0755), 0);
	make_spool(o->spool);
	make_maildir(o->maildir);
	if (o->noted)
		assert_int_equal(elsewhere_note(&conf.role, "ann", &f), 0);
}

static bool
is_path(const struct host *h, const char *name)
{
	return strcmp(h->path, in(name)) == 0;
}

static void
check_one(const struct one *o, size_t i)
{
	struct host	h;
	struct fault	f = { 0 };
	int		r = host_open(&h, &conf, &id, &f);

	if (o->which == HOST_ANY) {
		if (r == 0 || (o->noted && f.class != FAULT_TEMP))
			fail_msg("%zu: %d, %s", i, r, f.text);
		return;
	}
	if (r != 0)
		fail_msg("%zu: %s", i, f.text);
	if (h.which != o->which || h.news != o->news ||
	    h.maildir != (o->which == HOST_ELSE) ||
	    !is_path(&h, h.maildir ? "home/Maildir" : "mail/ann"))
		fail_msg("%zu: which %d, news %d, %s", i, (int)h.which,
		    (int)h.news, h.path);
	host_close(&h);
}

static void
test_decision(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(ones); i++) {
		if ((ones[i].maildir == FOREIGN || ones[i].maildir == UNMOUNTED) &&
		    geteuid() != 0)
			continue;
		make(&ones[i]);
		check_one(&ones[i], i);
	}
}

/* Who names his own mail, and nobody where the setting is empty. */
static void
test_whose(void **state UNUSED)
{
	struct host	h;
	struct fault	f;

	make(&(struct one){ .spool = NOTHING, .maildir = FULL });
	(void)snprintf(id.maildrop, sizeof(id.maildrop), "%s/mail/of-ann", top);
	assert_int_equal(host_open(&h, &conf, &id, &f), 0);
	assert_true(is_path(&h, "mail/of-ann"));
	host_close(&h);
	id.maildrop[0] = '\0';
	conf.drop.maildrop_else = "";
	assert_int_equal(host_open(&h, &conf, &id, &f), 0);
	assert_true(is_path(&h, "mail/ann"));
	host_close(&h);
	conf.drop.maildrop_else = "maildir:~/Maildir";
	assert_int_equal(host_open(&h, &conf, &id, &f), 0);
	assert_true(is_path(&h, "home/Maildir"));
	host_close(&h);
	conf.drop.maildrop_else = "~/Maildir/";
	id.home[0] = '\0';
	assert_int_equal(host_open(&h, &conf, &id, &f), 0);
	assert_true(is_path(&h, "mail/ann"));
	host_close(&h);
	(void)snprintf(id.home, sizeof(id.home), "%s/home", top);
}

/* As a hashed spool has it: whose folder is not made yet has no mail yet, but nothing
 * is made where the spool is not, or where his mail may be elsewhere. */
static void
test_folders(void **state UNUSED)
{
	static const struct {
		enum spool	spool;
		enum maildir	maildir;
		bool		noted;
		bool		own;		/* his row names it */
		bool		made;
	} table[] = {
		{ NOTHING,	NO_MAILDIR,	false,	false,	true },
		{ NOTHING,	NO_HOME,	false,	false,	true },
		{ NO_FOLDER,	NO_MAILDIR,	false,	false,	false },
		{ NOTHING,	NO_MAILDIR,	false,	true,	false },
		{ NOTHING,	NO_HOME,	true,	false,	false },
		{ NOTHING,	UNMOUNTED,	true,	false,	false },
	};
	struct host	h;
	struct stat	st;
	struct fault	f;

	(void)snprintf(template, sizeof(template), "%s/mail/%%1/%%2/%%u", top);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (table[i].maildir == UNMOUNTED && geteuid() != 0)
			continue;
		make(&(struct one){ .spool = table[i].spool,
		    .maildir = table[i].maildir, .noted = table[i].noted });
		if (table[i].own)
			(void)snprintf(id.maildrop, sizeof(id.maildrop),
			    "%s/mail/a/n/ann", top);
		assert_int_equal(host_open(&h, &conf, &id, &f),
		    table[i].made ? 0 : -1);
		assert_int_equal(stat(in("mail/a/n"), &st),
		    table[i].made ? 0 : -1);
		id.maildrop[0] = '\0';
		if (!table[i].made)
			continue;
		assert_true(is_path(&h, "mail/a/n/ann"));
		assert_int_equal(st.st_mode & 07777, 0700);
		assert_int_equal(st.st_uid, id.uid);
		host_close(&h);
	}
	(void)snprintf(template, sizeof(template), "%s/mail/%%u", top);
}

/* Folders of a system spool are root's to make. */
static void
test_folders_of_others(void **state UNUSED)
{
	struct host	h;
	struct fault	f;

	if (geteuid() != 0)
		skip();
	make(&(struct one){ .spool = NOTHING, .maildir = NO_MAILDIR });
	assert_int_equal(lchown(in("mail"), 0, 0), 0);
	assert_int_equal(chmod(in("mail"), 0755), 0);
	(void)snprintf(template, sizeof(template), "%s/mail/%%1/%%u", top);
	assert_int_equal(host_open(&h, &conf, &id, &f), -1);
	assert_int_equal(f.err, ENOENT);
	assert_int_equal(access(in("mail/a"), F_OK), -1);
	(void)snprintf(template, sizeof(template), "%s/mail/%%u", top);
}

/* Of virtual users many have one uid, and some one home. */
static void
test_whose_home(void **state UNUSED)
{
	static const struct {
		const char	*user;
		const char	*other;
		bool		 his;
	} table[] = {
		{ "ann",		"~/Maildir/",	false },
		{ "hom",		"~/Maildir/",	false },
		{ "home",		"~/Maildir/",	true },
		{ "home@a.example",	"~//Maildir/",	true },
		{ "Maildir",		"%h/%u/",	true },
		{ "@",			"~//Maildir/",	false },
	};
	struct host	h;
	struct fault	f;

	id.virtual = true;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		make(&(struct one){ .spool = NOTHING, .maildir = FULL });
		(void)snprintf(id.user, sizeof(id.user), "%s", table[i].user);
		conf.drop.maildrop_else = table[i].other;
		assert_int_equal(host_open(&h, &conf, &id, &f), 0);
		if (h.which != (table[i].his ? HOST_ELSE : HOST_NAMED))
			fail_msg("%zu: %s", i, h.path);
		host_close(&h);
	}
	(void)snprintf(id.user, sizeof(id.user), "ann");
	conf.drop.maildrop_else = "~/Maildir/";
	id.virtual = false;
}

/* A session holds to its maildrop, whatever appears or goes meanwhile; so does who
 * finishes its UPDATE. */
static void
test_session_holds(void **state UNUSED)
{
	struct host	h;
	struct host	hand;
	struct identity	owner;
	struct fault	f;
	int		fd;

	make(&(struct one){ .spool = NOTHING, .maildir = FULL });
	assert_int_equal(host_open(&h, &conf, &id, &f), 0);
	assert_int_equal(host_login(&h, "sid", "192.0.2.1", &f), 0);
	assert_int_equal(host_journal(&h, false, &fd, &f), 0);
	assert_int_equal(write(fd, "x", 1), 1);
	fd_close(&fd);
	make_file(in("mail/ann"), "From a Mon Jan  1 00:00:00 2024\n\nx\n");
	assert_int_equal(host_open_again(&hand, &conf, &id, h.which, &f), 0);
	assert_string_equal(hand.key, h.key);
	assert_string_equal(hand.lock, h.lock);
	host_close(&hand);
	assert_int_equal(host_journal_owner(&conf, h.key, &owner, &f), 0);
	assert_int_equal(host_open(&hand, &conf, &owner, &f), 0);
	assert_string_equal(hand.key, h.key);
	host_close(&hand);
	/* Of the spool's own session, too, when the spool is gone. */
	assert_int_equal(host_open(&hand, &conf, &id, &f), 0);
	assert_int_equal(hand.which, HOST_NAMED);
	assert_int_equal(unlink(in("mail/ann")), 0);
	host_close(&h);
	assert_int_equal(host_open_again(&h, &conf, &id, hand.which, &f), 0);
	assert_string_equal(hand.key, h.key);
	host_close(&hand);
	host_close(&h);
}

/* A login notes it, and takes the note away. */
static void
test_note(void **state UNUSED)
{
	struct host	h;
	struct fault	f;

	make(&(struct one){ .spool = NOTHING, .maildir = BARE });
	assert_int_equal(host_open(&h, &conf, &id, &f), 0);
	assert_false(elsewhere_is_noted(&conf.role, "ann"));
	assert_int_equal(host_login(&h, "sid", "192.0.2.1", &f), 0);
	assert_true(elsewhere_is_noted(&conf.role, "ann"));
	assert_false(elsewhere_is_noted(&conf.role, "an"));
	host_close(&h);
	(void)test_dir_remove(in("home/Maildir"));
	assert_int_equal(host_open(&h, &conf, &id, &f), 0);
	assert_int_equal(host_login(&h, "sid", "192.0.2.1", &f), 0);
	assert_false(elsewhere_is_noted(&conf.role, "ann"));
	host_close(&h);
}

static int
setup(void **state)
{
	bool root = geteuid() == 0;

	if (test_dir_setup(state) != 0)
		return -1;
	top = ((struct test_dir *)*state)->path;
	(void)chmod(top, 0755);
	(void)snprintf(state_dir, sizeof(state_dir), "%s/state", top);
	(void)snprintf(run_dir, sizeof(run_dir), "%s/run", top);
	(void)snprintf(template, sizeof(template), "%s/mail/%%u", top);
	conf = (struct settings){
		.role = { .state_dir = state_dir, .run_dir = run_dir,
		    .temp_dir = "" },
		.drop = { .maildrop = template, .maildrop_else = "~/Maildir/",
		    .status_headers = true },
		.xtnd = { .xmit_sender = "" },
	};
	id = (struct identity){ .user = "ann", .uid = root ? 4711 : geteuid(),
	    .gid = root ? 4711 : getegid() };
	(void)snprintf(id.home, sizeof(id.home), "%s/home", top);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decision),
		cmocka_unit_test(test_whose),
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_folders_of_others),
		cmocka_unit_test(test_whose_home),
		cmocka_unit_test(test_session_holds),
		cmocka_unit_test(test_note),
	};

	return cmocka_run_group_tests(tests, setup, test_dir_teardown);
}
