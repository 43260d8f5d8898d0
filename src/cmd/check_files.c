/* SPDX-License-Identifier: ISC */
/*
 * Files, folders and accounts that popper itself needs: do they exist, who
 * owns them, who may change them?
 */
#include "cmd/check_priv.h"

#include "auth/app.h"
#include "auth/passwd_file.h"
#include "drop/path.h"
#include "sys/identity.h"

#include <errno.h>

#define OTHERS_WRITE	0022u
#define OTHERS_ALL	0007u

/* Who must own what popper trusts: root, or with isolation = single the user. */
static bool
owner_is_good(const struct check *c, const struct file_facts *facts)
{
	return facts->uid == 0 ||
	    (c->s->role.isolation == ISOLATION_SINGLE && facts->uid == c->uid);
}

/* Root's (or ours), and nobody else may write it. */
static void
judge_trusted(struct check *c, const char *option, const char *path,
    const struct file_facts *facts)
{
	if (!owner_is_good(c, facts))
		check_error(c, option, "%s belongs to uid %u, who could change "
		    "what popper does; chown root %s", path, facts->uid, path);
	if ((facts->mode & OTHERS_WRITE) != 0)
		check_error(c, option, "%s has mode %04o, others may write it; "
		    "chmod go-w %s", path, facts->mode, path);
}

enum missing { MAY_MISS, MUST_EXIST };

/* False when there is nothing more to say about it. */
static bool
look(struct check *c, const char *option, const char *path,
    enum missing missing, const char *fix, struct file_facts *out)
{
	struct fault f;

	if (check_look(path, out, &f) == 0)
		return true;
	if (f.err == ENOENT && missing == MAY_MISS)
		return false;
	if (f.err == EACCES && !check_as_served(c))
		check_warn(c, option, "%s cannot be looked at by this user; "
		    "run popper check as root", path);
	else if (f.err == ENOENT)
		check_error(c, option, "%s does not exist; %s", path, fix);
	else
		check_error(c, option, "%s", f.text);
	return false;
}

static void
files_config(struct check *c)
{
	struct file_facts	facts;
	const char		*name = c->s->config_name;

	if (!c->s->config_found)
		return;
	if (look(c, "", name, MUST_EXIST, "", &facts))
		judge_trusted(c, "", c->s->config, &facts);
	/* Who may write the folder may put another file there. */
	if (look(c, "", ".", MUST_EXIST, "", &facts) &&
	    (facts.mode & OTHERS_WRITE) != 0)
		check_error(c, "", "the folder of %s has mode %04o, others "
		    "may put another file there; chmod go-w it", c->s->config,
		    facts.mode);
}

/* The same, for what must be a file that nobody else may change. */
static bool
look_at_file(struct check *c, const char *option, const char *path,
    enum missing missing, const char *fix, struct file_facts *out)
{
	if (!look(c, option, path, missing, fix, out))
		return false;
	if (out->is_regular)
		judge_trusted(c, option, path, out);
	else
		check_error(c, option, "%s is not a file; mend the path", path);
	return out->is_regular;
}

static void
judge_secret(struct check *c, const char *option, const char *path,
    const struct file_facts *facts)
{
	if ((facts->mode & OTHERS_ALL) != 0)
		check_error(c, option, "%s has mode %04o, everybody may read the "
		    "passwords; chmod o= %s", path, facts->mode, path);
}

struct rows {
	struct check	*c;
	const char	*path;
	size_t		 n;
	bool		 late;		/* one took too long to be tried */
};

/* One line of a password file, and what a login made of it. */
static void
on_row(void *ctx, unsigned line, const struct identity *id, const char *wrong)
{
	struct rows	*rows = ctx;
	struct check	*c = rows->c;
	const char	*path = rows->path;
	const char	*template = c->s->drop.maildrop;
	char		 maildrop[IDENTITY_PATH_MAX + 1];
	struct fault	 f;

	rows->n++;
	if (id == NULL && wrong == NULL) {
		check_tell(c, CONF_ERROR, path, line, "this is no row of "
		    "user:password:uid:gid:gecos:home:shell:extra; popper "
		    "passwd writes good ones");
		return;
	}
	if (id == NULL) {
		check_tell(c, CONF_ERROR, path, line, "this user cannot log "
		    "in: %s; see \"The file\" in popper-passwd(8)", wrong);
		return;
	}
	if (wrong[0] != '\0')
		check_tell(c, CONF_WARNING, path, line, "%s", wrong);
	if (id->own_delay && c->s->role.login_delay_max_s == 0)
		check_tell(c, CONF_WARNING, path, line, "login_delay has no "
		    "effect here without login_delay_max; set that, or remove "
		    "the field");
	if (id->maildrop[0] != '\0')
		template = id->maildrop;
	if (drop_path_expand(template, id->user, id->home, maildrop,
	    sizeof(maildrop), &f) != 0)
		check_tell(c, CONF_ERROR, path, line, "this user has no "
		    "maildrop: %s", f.text);
}

static void
files_passwd(struct check *c, const struct auth_conf *db)
{
	const char		*option = db->place != NULL ? "auth" : "passwd_file";
	const char		*path = auth_place(db);
	struct rows		 rows = { .c = c, .path = path };
	struct file_facts	 facts;
	struct fault		 f;

	if (!look_at_file(c, option, path, MUST_EXIST,
	    "make it with popper passwd USER", &facts))
		return;
	judge_secret(c, option, path, &facts);
	if (passwd_file_judge(db, on_row, &rows, &f) != 0)
		check_error(c, option, "%s", f.text);
	else if (rows.n == 0)
		check_warn(c, option, "nobody can log in by %s, for there is "
		    "nobody in it; popper passwd USER makes users", path);
}

/* As libpam looks for it: in small letters. */
static void
pam_service(const struct auth_conf *db, char *out, size_t cap)
{
	(void)snprintf(out, cap, "%s", auth_place(db));
	for (char *p = out; *p != '\0'; p++)
		*p = (char)ascii_lower((uint8_t)*p);
}

static void
files_pam(struct check *c, const struct auth_conf *db)
{
	const char		*option = db->place != NULL ? "auth" : "pam_service";
	struct file_facts	 facts;
	struct fault		 f;
	char			 name[256];
	char			 path[512];
	char			 vendors[512];

	pam_service(db, name, sizeof(name));
	(void)snprintf(path, sizeof(path), "/etc/pam.d/%s", name);
	(void)snprintf(vendors, sizeof(vendors), "/usr/lib/pam.d/%s", name);
	if (check_look(path, &facts, &f) != 0 && f.err == ENOENT &&
	    check_look(vendors, &facts, &f) == 0)
		return;
	(void)look_at_file(c, option, path, MUST_EXIST, "PAM asks its service "
	    "other instead, which lets nobody in as a rule; make it, two lines "
	    "do: @include common-auth and @include common-account", &facts);
}

void
check_pam(struct check *c)
{
	struct auth_conf one = c->s->auth;

	for (size_t i = 0; i < auth_databases(&c->s->auth); i++) {
		auth_select(&one, i);
		if (one.source == AUTH_PAM)
			files_pam(c, &one);
	}
}

static void
files_databases(struct check *c)
{
	struct auth_conf one = c->s->auth;

	for (size_t i = 0; i < auth_databases(&c->s->auth); i++) {
		auth_select(&one, i);
		if (one.source == AUTH_FILE)
			files_passwd(c, &one);
		else if (one.source != AUTH_PAM)
			check_sql(c, &one, c->s->auth.databases.line[i]);
	}
	check_pam(c);
}

static void
on_app(void *ctx, unsigned line, const struct app_row *row)
{
	struct check *c = ctx;

	if (row == NULL)
		check_tell(c, CONF_ERROR, c->s->auth.app_password_file, line,
		    "this is no app password, and not taken; popper passwd app "
		    "writes good ones");
}

static void
files_apps(struct check *c)
{
	const char		*path = c->s->auth.app_password_file;
	struct file_facts	 facts;
	struct fault		 f;

	if (c->s->auth.app_passwords == AUTH_APP_NO)
		return;
	if (!look_at_file(c, "app_password_file", path, MAY_MISS, "", &facts)) {
		if (c->s->auth.app_passwords == AUTH_APP_ONLY &&
		    check_look(path, &facts, &f) != 0)
			check_warn(c, "app_passwords", "only, and %s does not "
			    "exist: nobody can log in; popper passwd app add USER "
			    "NAME makes one", path);
		return;
	}
	judge_secret(c, "app_password_file", path, &facts);
	if (app_each(path, on_app, c, &f) != 0)
		check_error(c, "app_password_file", "%s", f.text);
}

/* Can a password match it? */
static void
on_master(void *ctx, const struct passwd_row *row)
{
	struct rows	*rows = ctx;
	struct fault	 f = { 0 };

	if (row->unsupported.n > 0)
		(void)fault_set(&f, FAULT_PERM, "%.*s is not known here",
		    (int)row->unsupported.n, (const char *)row->unsupported.p);
	else if (passwd_disabled(row->password) || rows->late ||
	    (!passwd_try(row, &f) && f.class == FAULT_NONE))
		return;
	rows->late = f.class == FAULT_TEMP;
	check_tell(rows->c, rows->late ? CONF_WARNING : CONF_ERROR,
	    rows->c->s->config, conf_line(rows->c->s->store, "master_users"),
	    "master_users: %.*s: %s; write name:HASH, as popper passwd --file %s "
	    "makes it", (int)row->user.n, (const char *)row->user.p, f.text,
	    rows->path);
}

static void
files_masters(struct check *c, const struct file_facts *facts)
{
	const char	*path = c->s->auth.master_users;
	struct rows	 rows = { .c = c, .path = path };
	struct fault	 f;

	judge_secret(c, "master_users", path, facts);
	if (passwd_file_each(path, on_master, &rows, &f) != 0)
		check_error(c, "master_users", "%s", f.text);
}

void
check_deny(struct check *c)
{
	const struct auth_conf	*a = &c->s->auth;
	struct file_facts	 facts;

	if (a->deny_file[0] != '\0')
		(void)look_at_file(c, "deny_file", a->deny_file,
		    conf_is_set(c->s->store, "deny_file") ? MUST_EXIST :
		    MAY_MISS, "make it (empty, if nobody is to be denied)", &facts);
}

static void
files_auth(struct check *c)
{
	const struct auth_conf	*a = &c->s->auth;
	struct file_facts	 facts;

	check_deny(c);
	if (a->allow_file[0] != '\0')
		(void)look_at_file(c, "allow_file", a->allow_file, MUST_EXIST,
		    "nobody can log in without it; make it, or remove the line",
		    &facts);
	if (a->master_users[0] != '\0' && look_at_file(c, "master_users",
	    a->master_users, MUST_EXIST, "nobody can log in without it; make "
	    "it, or remove the line", &facts))
		files_masters(c, &facts);
	if (a->rpop_file[0] != '\0')
		(void)look_at_file(c, "rpop_file", a->rpop_file, MUST_EXIST,
		    "make it, or remove the line", &facts);
	files_apps(c);
	if (auth_client_users(a)[0] != '\0')
		(void)look_at_file(c, "tls_client_users", a->client_users,
		    MUST_EXIST, "make it: rows of a user and a certificate's "
		    "fingerprint or subject", &facts);
	if (auth_has(a, AUTH_PAM) && a->shell_check)
		(void)look_at_file(c, "shells_file", a->shells_file, MUST_EXIST,
		    "nobody can log in without it; set shell_check = no, or make "
		    "it", &facts);
}

/* auth_user is for popper serve alone, which does not start then. */
static void
files_services(struct check *c)
{
	const struct role_settings	*r = &c->s->role;
	struct identity			 front;
	struct identity			 auth;
	struct fault			 f;
	bool				 both = true;

	if (r->isolation != ISOLATION_SPLIT)
		return;
	if (identity_service(r->front_user, &front, &f) != 0) {
		check_error(c, "front_user", "%s; make the account (adduser "
		    "--system --group --no-create-home %s), or write a uid "
		    "that nobody has", f.text, r->front_user);
		both = false;
	}
	if (identity_service(r->auth_user, &auth, &f) != 0)
		check_warn(c, "auth_user", "%s; popper serve does not start "
		    "without it: make the account (adduser --system --group "
		    "--no-create-home %s), or write a uid that nobody has",
		    f.text, r->auth_user);
	else if (both && auth.uid == front.uid)
		check_warn(c, "auth_user", "it has the uid of front_user, %u, "
		    "and popper serve does not start so; make an account for "
		    "each", auth.uid);
}

static void
files_accounts(struct check *c)
{
	const struct settings	*s = c->s;
	struct identity		 id;
	enum auth_reason	 why;
	struct fault		 f;

	if (c->nameless)
		return;
	files_services(c);
	if (!auth_has_rows(&s->auth) || s->auth.virtual_user[0] == '\0')
		return;
	if (identity_service(s->auth.virtual_user, &id, &f) != 0)
		check_error(c, "virtual_user", "%s; name an account, or write "
		    "uid:gid", f.text);
	else if (id.uid < s->auth.uid_min || id.uid > s->auth.uid_max)
		check_error(c, "virtual_user", "uid %u lies outside of uid_min "
		    "and uid_max (%u to %u): its users cannot log in; give the "
		    "account another uid (usermod -u), or set uid_min", id.uid,
		    s->auth.uid_min, s->auth.uid_max);
	else if (!auth_identity_allowed(&s->auth, &id, &why))
		check_error(c, "virtual_user", "gid %u lies below gid_min, %u, "
		    "or is one of gids_denied: its users cannot log in", id.gid,
		    s->auth.gid_min);
}

/* It is made when popper starts, but for the folders above it. */
static void
folder_to_come(struct check *c, const char *option, const char *path)
{
	char			above[IDENTITY_PATH_MAX + 1];
	struct file_facts	facts;
	struct fault		f;

	if (!check_above(path, above))
		check_error(c, option, "its path is longer than %u octets; choose "
		    "a shorter one", IDENTITY_PATH_MAX);
	else if (check_look(above, &facts, &f) != 0 && f.err == ENOENT)
		check_error(c, option, "%s cannot be made, since %s does not "
		    "exist; make that, or mend the path", path, above);
	else if (check_may_write(c, above, &f) != 0)
		check_error(c, option, "%s cannot be made: %s; mount it writable, "
		    "or mend the path", path, f.text);
	else
		check_warn(c, option, "%s does not exist yet; popper makes it "
		    "when it starts", path);
}

/* False: no more to say. */
static bool
folder_of_ours(struct check *c, const char *option, const char *path)
{
	struct file_facts facts;
	struct fault	  f;

	if (check_look(path, &facts, &f) != 0) {
		if (f.err == ENOENT)
			folder_to_come(c, option, path);
		else if (f.err != EACCES || check_as_served(c))
			check_error(c, option, "%s", f.text);
		return false;
	}
	if (!facts.is_dir) {
		check_error(c, option, "%s is not a folder", path);
		return false;
	}
	judge_trusted(c, option, path, &facts);
	return true;
}

/* The same, and popper makes files there. */
static void
folder_of_files(struct check *c, const char *option, const char *path)
{
	struct fault f;

	if (folder_of_ours(c, option, path) && check_may_write(c, path, &f) != 0)
		check_error(c, option, "popper can make nothing there: %s; mount it "
		    "writable, or name another folder", f.text);
}

static bool
stop_at_first(void *ctx, const char *name)
{
	(void)snprintf(ctx, 256, "%s", name);
	return false;
}

static void
files_chroot(struct check *c)
{
	const char		*path = c->s->role.chroot_dir;
	AUTO(fd_close) int	 fd = -1;
	struct fault		 f;
	char			 name[256] = "";

	if (c->s->role.isolation != ISOLATION_SPLIT ||
	    !folder_of_ours(c, "chroot_dir", path))
		return;
	if (file_open(FILE_CWD, path, FILE_READ | FILE_DIR | FILE_FOLLOW, 0,
	    &fd, &f) != 0 || file_list(fd, stop_at_first, name, &f) != 0)
		check_error(c, "chroot_dir", "%s", f.text);
	else if (name[0] != '\0')
		check_error(c, "chroot_dir", "%s is not empty (\"%s\"); popper "
		    "locks strangers in there, remove all from it", path, name);
}

void
check_folders(struct check *c)
{
	const char		*path = c->s->role.temp_dir;
	struct file_facts	 facts;
	struct fault		 f;

	folder_of_files(c, "run_dir", c->s->role.run_dir);
	if (path[0] == '\0' || !look(c, "temp_dir", path, MUST_EXIST,
	    "make it, or remove the line", &facts))
		return;
	if (!facts.is_dir)
		check_error(c, "temp_dir", "%s is not a folder", path);
	else if (check_may_write(c, path, &f) != 0)
		check_error(c, "temp_dir", "no copy can be made there: %s; mount it "
		    "writable, or remove the line", f.text);
}

static void
files_folders(struct check *c)
{
	files_chroot(c);
	folder_of_files(c, "state_dir", c->s->role.state_dir);
	check_folders(c);
}

static void
files_xmit(struct check *c)
{
	const char		*path = c->s->xtnd.xmit_command;
	struct file_facts	 facts;

	if (!c->s->xtnd.xmit)
		return;
	if (!look(c, "xmit_command", path, MAY_MISS, "", &facts)) {
		check_warn(c, "xmit_command", "%s cannot be used, so XTND XMIT "
		    "is refused; install a mail transfer agent, or set xmit = "
		    "no", path);
		return;
	}
	if ((facts.mode & 0111u) == 0 || !facts.is_regular)
		check_error(c, "xmit_command", "%s is not a program", path);
	if ((facts.mode & 0002u) != 0)
		check_error(c, "xmit_command", "%s has mode %04o, everybody "
		    "may change it; chmod o-w %s", path, facts.mode, path);
}

static void
log_daemon(struct check *c, const char *option, const char *path)
{
	struct file_facts	facts;
	struct fault		f;

	if (file_facts_at(FILE_CWD, path, &facts, &f) != 0)
		check_warn(c, option, "%s: no log daemon listens there; "
		    "lines are lost until one does", path);
	else if (facts.is_regular || facts.is_dir)
		check_warn(c, option, "%s is no socket of a log daemon: lines are "
		    "lost; mend the path", path);
}

/* Whoever runs popper must be its owner: others cannot tell. */
static void
log_in_file(struct check *c, const char *option, const char *path)
{
	struct fault f;

	if (path[0] == '\0' || !check_as_served(c) ||
	    file_append_judge(path, &f) == 0 || f.err == ENOENT)
		return;
	check_error(c, option, "popper will not use it: %s; make it a plain file "
	    "of %s own that nobody else may write, or remove it", f.text,
	    c->root ? "root's" : "your");
}

static void
files_log(struct check *c)
{
	const struct log_settings *l = &c->s->log;

	if (l->to == LOG_TO_SYSLOG)
		log_daemon(c, "log_socket", l->socket);
	if (l->to == LOG_TO_JOURNAL)
		log_daemon(c, "journal_socket", l->journal);
	if (l->to == LOG_TO_FILE)
		log_in_file(c, "log_file", l->file);
	log_in_file(c, "trace_file", l->trace_file);
}

void
check_files(struct check *c)
{
	files_config(c);
	files_accounts(c);
	files_databases(c);
	files_auth(c);
	files_folders(c);
	files_xmit(c);
	files_log(c);
}
