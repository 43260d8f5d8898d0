/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root in the monitor (the user himself with isolation = single).
 * Reads from: the configuration, the folders named there, the identity that a
 * worker found; no octet of a client's.
 * Trusts: nothing below a user's folder: such paths are walked with the user's
 * own rights (identity_fs_begin), names are one component beneath an open folder.
 */
#include "role/host.h"

#include "drop/digest.h"
#include "drop/path.h"
#include "drop/promise.h"
#include "role/elsewhere.h"
#include "role/pace.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/codec.h"
#include "base/num.h"
#include "sys/file.h"
#include "sys/lock.h"
#include "sys/sock.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SUBMIT_TIMEOUT_S	120
#define OWNER_MAX		8192	/* octets of an owner file */
#define HOLDER_MAX		256	/* octets of a session lock */
#define PLACE_MAX		2048	/* octets of a path of ours */
/* A full disk has to take the owner file too: 64 KiB more for it. */
#define RESERVE_MAX		(DROP_RESERVE + 65536)

/* snprintf into a path; FAULT_PERM when it is too long. */
static int PRINTF(4, 5)
path_printf(char *out, size_t cap, struct fault *f, const char *fmt, ...)
{
	va_list	ap;
	int	n;

	va_start(ap, fmt);
	n = vsnprintf(out, cap, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= cap)
		return fault_set(f, FAULT_PERM, "a path is too long");
	return 0;
}

static int
open_or_make(int dirfd, const char *name, mode_t mode, int *fd_r,
    struct fault *f)
{
	if (file_open(dirfd, name, FILE_READ | FILE_DIR, 0, fd_r, f) == 0)
		return 0;
	return f->err != ENOENT || file_mkdir(dirfd, name, mode, f) != 0 ? -1 :
	    file_open(dirfd, name, FILE_READ | FILE_DIR, 0, fd_r, f);
}

/* A folder of ours below base, made when missing. */
static int
our_folder(const char *base, const char *name, mode_t mode, int *fd_r,
    struct fault *f)
{
	AUTO(fd_close) int dirfd = -1;

	if (open_or_make(FILE_CWD, base, 0711, &dirfd, f) != 0 ||
	    open_or_make(dirfd, name, mode, fd_r, f) != 0)
		return fault_prefix(f, "%s/%s: ", base, name);
	return 0;
}

/*
 * A file of ours by its whole path: to walk through our folders costs the kernel
 * less than to open them.  *out: PLACE_MAX octets.
 */
static int
place(char *out, const char *base, const char *folder, const char *name,
    struct fault *f)
{
	return path_printf(out, PLACE_MAX, f, "%s/%s/%s", base, folder, name);
}

static int
lock_place(const struct settings *conf, const char *lock, char *out,
    struct fault *f)
{
	return place(out, conf->role.run_dir, "lock", lock, f);
}

static int
journal_place(const struct settings *conf, const char *key, char *out,
    struct fault *f)
{
	return place(out, conf->role.state_dir, "journal", key, f);
}

/* A name that is safe as one path component, from one that may not be.  No
 * two names have the same: one that is too long has none. */
static int
component(char *out, size_t cap, const char *text, struct fault *f)
{
	size_t n = 0;

	for (; *text != '\0' && n + 4 < cap; text++) {
		unsigned char c = (unsigned char)*text;

		if (c <= ' ' || c >= 0x7f || c == '/' || c == '%' ||
		    (c == '.' && n == 0))
			n += (size_t)snprintf(out + n, cap - n, "%%%02x", c);
		else
			out[n++] = (char)c;
	}
	out[n] = '\0';
	return *text == '\0' ? 0 :
	    fault_set(f, FAULT_PERM, "a name is too long");
}

/* Is there something in its journal? */
static bool
is_unfinished(const struct host *h)
{
	UNZEROED char		path[PLACE_MAX];
	struct file_facts	facts;
	struct fault		f;

	return journal_place(h->conf, h->key, path, &f) == 0 &&
	    file_facts_at(FILE_CWD, path, &facts, &f) == 0 && facts.size > 0;
}

/* What an older popper may have left beside the spool. */
static int
legacy_name(const struct host *h, char *out, size_t cap, struct fault *f)
{
	return path_printf(out, cap, f, ".%s.pop", h->name);
}

/* Split the spool's path into folder and name. */
static int
split(struct host *h, char *dir, size_t cap, struct fault *f)
{
	const char	*slash = strrchr(h->path, '/');
	size_t		 n = slash == NULL ? 0 : (size_t)(slash - h->path);

	if (path_printf(h->name, sizeof(h->name), f, "%s",
	    slash == NULL ? h->path : slash + 1) != 0)
		return -1;
	if (h->name[0] == '\0')
		return fault_set(f, FAULT_PERM, "maildrop %s is a folder",
		    h->path);
	if (slash == NULL)
		return path_printf(dir, cap, f, ".");
	return path_printf(dir, cap, f, "%.*s", n == 0 ? 1 : (int)n,
	    n == 0 ? "/" : h->path);
}

/*
 * Does the path lead through a folder of the user's?  Whatever it leads to by
 * then, links and all, is reached with no more than the user's rights.
 */
static bool
users_path(const struct host *h)
{
	const char	*home = h->id->home;
	size_t		 n = strlen(home);

	while (n > 0 && home[n - 1] == '/')
		n--;
	return n > 0 && strncmp(h->path, home, n) == 0 && h->path[n] == '/';
}

static bool
leads_home(struct host *h, const char *template)
{
	struct fault f;

	return drop_path_expand(template, h->id->user, h->id->home, h->path,
	    sizeof(h->path), &f) == 0 && users_path(h);
}

static int
open_folder(struct host *h, const char *dir, struct fault *f)
{
	bool	as_user = identity_is_root() && (h->which == HOST_ELSE ||
		    h->id->maildrop[0] != '\0' || users_path(h));
	int	result;

	if (as_user && identity_fs_begin(h->id->uid, h->id->gid, f) != 0)
		return -1;
	result = file_open(FILE_CWD, dir, FILE_READ | FILE_DIR | FILE_FOLLOW, 0,
	    &h->dirfd, f);
	if (as_user)
		identity_fs_end();
	if (result != 0) {
		f->class = FAULT_PERM;
		return fault_prefix(f, "folder of the maildrop, %s: ", dir);
	}
	return 0;
}

/* Its folder's identity and its name in it, so that aliases and other
 * spellings of a path lead to one lock. */
static int
name_lock(struct host *h, const struct file_facts *dir, const char *safe,
    struct fault *f)
{
	return path_printf(h->lock, sizeof(h->lock), f, "%llx-%llx-%s",
	    (unsigned long long)dir->dev, (unsigned long long)dir->ino, safe);
}

/* A journal outlives a boot, in which a device may get another number: it is
 * named after the path that the folder has without links. */
static int
name_journal(struct host *h, const char *safe, struct fault *f)
{
	char		path[IDENTITY_PATH_MAX + 1];
	char		hex[2 * DIGEST_SIZE + 1] = "";
	uint8_t		d[DIGEST_SIZE];

	if (file_path(h->dirfd, path, sizeof(path), f) != 0)
		return -1;
	digest_span(span_str(path), d);
	hex_encode(span_of(d, sizeof(d)), hex);
	return path_printf(h->key, sizeof(h->key), f, "%s-%s", hex, safe);
}

static int
make_names(struct host *h, const struct file_facts *dir, struct fault *f)
{
	char safe[HOST_KEY_MAX];

	if (component(safe, sizeof(safe) - 40, h->name, f) != 0)
		return -1;
	return name_lock(h, dir, safe, f) != 0 ? -1 : name_journal(h, safe, f);
}

/*
 * Who names a home has one, also while it is away (not mounted): were the state
 * folder used meanwhile, its number of bulletins would be another one.
 * Debian's name for none is /nonexistent.
 */
static bool
has_home(const struct identity *id)
{
	static const char	none[] = "/nonexistent";
	size_t			n = sizeof(none) - 1;

	return id->home[0] != '\0' && (strncmp(id->home, none, n) != 0 ||
	    (id->home[n] != '\0' && id->home[n] != '/'));
}

/* Users without a home keep their state with us, in a folder of their own. */
static int
user_folder(struct host *h, struct fault *f)
{
	AUTO(fd_close) int	 users = -1;
	AUTO(fd_close) int	 own = -1;
	char			 safe[HOST_KEY_MAX];

	h->has_home = has_home(h->id);
	if (h->has_home && h->conf->drop.status_headers)
		return 0;
	if (component(safe, sizeof(safe), h->id->user, f) != 0 ||
	    our_folder(h->conf->role.state_dir, "users", 0711, &users, f) != 0 ||
	    file_mkdir(users, safe, 0700, f) != 0 ||
	    file_open(users, safe, FILE_READ | FILE_DIR, 0, &own, f) != 0)
		return -1;
	if (identity_is_root() && file_chown(own, h->id->uid, h->id->gid, f) != 0)
		return -1;
	return path_printf(h->user_dir, sizeof(h->user_dir), f, "%s/users/%s",
	    h->conf->role.state_dir, safe);
}

static int
journal_folder(const struct settings *conf, int *fd_r, struct fault *f)
{
	return our_folder(conf->role.state_dir, "journal", 0700, fd_r, f);
}

bool
host_is_journal(const char *name)
{
	return (name[0] >= '0' && name[0] <= '9') ||
	    (name[0] >= 'a' && name[0] <= 'f');
}

/*
 * An open journal of another user's, whose account had this maildrop before:
 * its octets are not for this one.  It is kept, for the operator.
 */
static int
put_aside(struct host *h, uid_t owner, struct fault *f)
{
	AUTO(fd_close) int	dirfd = -1;
	char			name[HOST_KEY_MAX + 32];

	if (journal_folder(h->conf, &dirfd, f) != 0 ||
	    path_printf(name, sizeof(name), f, HOST_KEPT "%lld.%s",
	    (long long)time(NULL), h->key) != 0 ||
	    file_rename(dirfd, h->key, name, f) != 0)
		return fault_prefix(f, "journal %s of uid %u: ", h->key, owner);
	fd_close(&h->journal);
	log_text(LEVEL_ERR, "drop-journal-foreign", "%s: an update of uid %u,"
	    " who had this maildrop before, was never finished; what of it is"
	    " missing stands in %s/journal/%s", h->path, owner,
	    h->conf->role.state_dir, name);
	return 0;
}

/* An existing journal is opened, whatever is in it. */
static int
find_journal(struct host *h, struct fault *f)
{
	UNZEROED char	path[PLACE_MAX];
	struct identity	owner;
	struct fault	none;

	if (journal_place(h->conf, h->key, path, f) != 0)
		return -1;
	if (file_open(FILE_CWD, path, FILE_READ | FILE_WRITE, 0, &h->journal,
	    f) != 0)
		return f->err == ENOENT ? 0 :
		    fault_prefix(f, "journal %s: ", h->key);
	if (!host_journal_open(h) ||
	    host_journal_owner(h->conf, h->key, &owner, &none) != 0 ||
	    owner.uid == h->id->uid)
		return 0;
	return put_aside(h, owner.uid, f);
}

static int
find_promises(struct host *h, struct fault *f)
{
	UNZEROED char path[PLACE_MAX];

	if (place(path, h->conf->role.state_dir, "uidl", h->key, f) != 0)
		return -1;
	return file_open(FILE_CWD, path, FILE_READ, 0, &h->promises, f) == 0 ||
	    f->err == ENOENT ? 0 :
	    fault_prefix(f, "promised unique-ids, %s: ", path);
}

/* What there is of this maildrop's besides the spool. */
static int
find_files(struct host *h, struct fault *f)
{
	return find_journal(h, f) != 0 ? -1 : find_promises(h, f);
}

static int
sender_of(struct host *h, struct fault *f)
{
	const char *t = h->conf->xtnd.xmit_sender;

	if (!h->id->virtual || t[0] == '\0')
		return 0;
	return drop_path_expand(t, h->id->user, "", h->sender,
	    sizeof(h->sender), f);
}

/* As Maildirs are made: with all three folders in it. */
static bool
has_folders(int fd)
{
	static const char *const folders[] = { "cur", "new", "tmp" };
	struct file_facts	 facts;
	struct fault		 f;

	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		if (file_facts_at(fd, folders[i], &facts, &f) != 0 ||
		    !facts.is_dir)
			return false;
	return true;
}

/* What is no folder is none: nobody's rights are needed to see that. */
static bool
is_maildir(const struct host *h, const char *template)
{
	AUTO(fd_close) int	fd = -1;
	struct file_facts	facts;
	struct fault		f;
	bool			result;

	if (h->which == HOST_ELSE || drop_path_is_maildir(template))
		return true;
	if (file_facts_at(h->dirfd, h->name, &facts, &f) == 0 ? !facts.is_dir :
	    f.err != EACCES)
		return false;
	if (host_rights_begin(h, &f) != 0)
		return false;
	result = file_open(h->dirfd, h->name, FILE_READ | FILE_DIR, 0, &fd,
	    &f) == 0 && has_folders(fd);
	host_rights_end();
	return result;
}

/* The maildrop of that template, whether anything lies there or not. */
static int
find_at(struct host *h, const char *template, struct fault *f)
{
	const struct settings	*c = h->conf;
	struct file_facts	 dir;
	char			 dirname[IDENTITY_PATH_MAX + 1];

	if (drop_path_expand(template, h->id->user, h->id->home, h->path,
	    sizeof(h->path), f) != 0 ||
	    split(h, dirname, sizeof(dirname), f) != 0 ||
	    open_folder(h, dirname, f) != 0 ||
	    file_facts(h->dirfd, &dir, f) != 0 || make_names(h, &dir, f) != 0)
		return -1;
	h->maildir = is_maildir(h, template);
	h->system_spool = !h->maildir && identity_is_root() && dir.uid == 0 &&
	    !users_path(h);
	if (c->role.temp_dir[0] != '\0')
		(void)snprintf(h->temp, sizeof(h->temp), "%s", c->role.temp_dir);
	else
		(void)snprintf(h->temp, sizeof(h->temp), "%s",
		    h->system_spool ? dirname : c->role.state_dir);
	return 0;
}

/* Mail that an older popper left beside the spool.  Unsure: yes. */
static bool
has_legacy(const struct host *h)
{
	struct file_facts	facts;
	struct fault		f;
	char			name[IDENTITY_PATH_MAX + 16];

	if (legacy_name(h, name, sizeof(name), &f) != 0)
		return true;
	return file_facts_at(h->dirfd, name, &facts, &f) != 0 ?
	    f.err != ENOENT : !facts.is_regular || facts.size > 0;
}

/*
 * Is there nothing where `maildrop` says?  For who was served from elsewhere, an
 * empty file is nothing, too: but not when an UPDATE has emptied it that has not
 * come to its end.
 */
static bool
is_nothing(const struct host *h, bool noted)
{
	struct file_facts	facts;
	struct fault		f;

	if (file_facts_at(h->dirfd, h->name, &facts, &f) != 0 ?
	    f.err != ENOENT : !noted || !facts.is_regular || facts.size > 0)
		return false;
	return !has_legacy(h) && !is_unfinished(h);
}

/* Names of mail: all but those that begin with a dot. */
static bool
stop_at_mail(void *ctx, const char *name)
{
	bool *mail = ctx;

	*mail = name[0] != '.';
	return !*mail;
}

static bool
has_mail(int maildir)
{
	static const char *const folders[] = { "new", "cur" };
	struct fault		 f;
	bool			 mail = false;

	for (size_t i = 0; i < ARRAY_LEN(folders) && !mail; i++) {
		AUTO(fd_close) int fd = -1;

		if (file_open(maildir, folders[i], FILE_READ | FILE_DIR, 0, &fd,
		    &f) != 0 || file_list(fd, stop_at_mail, &mail, &f) != 0)
			return false;
	}
	return mail;
}

/* The Maildir of `maildrop_else`. */
enum other {
	OTHER_NONE,
	OTHER_UNSEEN,		/* it may be away: *f */
	OTHER_EMPTY,
	OTHER_MAIL,
};

/*
 * What is there in its place, a folder, is another's: so it looks where a file system
 * is not mounted.
 */
static enum other
look_below(const struct host *e, struct fault *f)
{
	(void)fault_set(f, FAULT_TEMP, "%s is not there, from where he was served"
	    " (not mounted?); if it is gone for good, remove %s/maildirs/%s",
	    e->path, e->conf->role.state_dir, e->id->user);
	return OTHER_UNSEEN;
}

/* With the user's rights: is it his, and no link?  He can have removed it from a
 * folder of his own. */
static enum other
look_at_other(struct host *e, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	struct file_facts	facts;

	if (file_open(e->dirfd, e->name, FILE_READ | FILE_DIR, 0, &fd, f) == 0) {
		if (file_facts(fd, &facts, f) != 0)
			return OTHER_UNSEEN;
		if (facts.uid != e->id->uid)
			return look_below(e, f);
		return !has_folders(fd) ? OTHER_NONE :
		    has_mail(fd) ? OTHER_MAIL : OTHER_EMPTY;
	}
	if (f->err == ENOENT && file_facts(e->dirfd, &facts, f) == 0 &&
	    facts.uid != e->id->uid)
		return look_below(e, f);
	return f->err == ENOENT || f->err == ENOTDIR || f->err == ELOOP ?
	    OTHER_NONE : OTHER_UNSEEN;
}

/* His name, or what stands before its "@". */
static bool
is_name_of(struct span part, struct span user)
{
	return part.n > 0 && (span_eq(part, user) ||
	    span_eq(part, span_first(user, span_find(user, '@'))));
}

/* Take the last part off a path. */
static struct span
take_part(struct span *path)
{
	size_t end = path->n;
	size_t n;

	while (end > 0 && path->p[end - 1] == '/')
		end--;
	for (n = end; n > 0 && path->p[n - 1] != '/'; n--)
		;
	path->n = n;
	return span_of(path->p + n, end - n);
}

/*
 * Virtual users have one uid, and some one home: there no owner tells whose a Maildir
 * is.  It is his whose name the path has as its last part, or the one above.
 */
static bool
is_his_alone(const struct host *e)
{
	struct span path = span_str(e->path);
	struct span user = span_str(e->id->user);

	return !e->id->virtual || is_name_of(take_part(&path), user) ||
	    is_name_of(take_part(&path), user);
}

static enum other
find_other(struct host *e, struct fault *f)
{
	enum other o;

	e->which = HOST_ELSE;
	if (find_at(e, e->conf->drop.maildrop_else, f) != 0)
		return f->err == 0 ? OTHER_NONE : OTHER_UNSEEN;
	if (!is_his_alone(e))
		return OTHER_NONE;
	if (host_rights_begin(e, f) != 0)
		return OTHER_UNSEEN;
	o = look_at_other(e, f);
	host_rights_end();
	return o;
}

static int
is_far(struct host *h, struct fault *f)
{
	h->which = HOST_ANY;
	return fault_set(f, FAULT_TEMP, "%s was not looked at", h->id->home);
}

/*
 * What `maildrop` names was looked for, with that result.  Where something lies
 * there it is served, and nobody's home is looked at: unless the user was served
 * from there before.  He does not find an empty maildrop because his home is away.
 */
static int
choose(struct host *h, bool near, int result, struct fault *f)
{
	bool		noted = elsewhere_is_noted(&h->conf->role, h->id->user);
	bool		nothing = result != 0 ? f->err == ENOENT :
			    is_nothing(h, noted);
	struct host	e = { .conf = h->conf, .id = h->id, .dirfd = -1,
			    .session_lock = -1, .journal = -1, .promises = -1 };
	struct fault	why = { 0 };
	enum other	o;

	if (!nothing && !noted)
		return result;
	if (near)
		return is_far(h, f);
	o = find_other(&e, &why);
	if (nothing && o >= OTHER_EMPTY) {
		fd_close(&h->dirfd);
		*h = e;
		h->news = noted ? HOST_NEWS_NONE : HOST_NEWS_ELSE;
		return 0;
	}
	fd_close(&e.dirfd);
	if (nothing && noted && o == OTHER_UNSEEN) {
		*f = why;
		f->class = FAULT_TEMP;
		return -1;
	}
	if (noted && o != OTHER_UNSEEN && o != OTHER_EMPTY)
		h->news = o == OTHER_MAIL ? HOST_NEWS_TWO : HOST_NEWS_GONE;
	return result;
}

/* The one function that decides which maildrop it is. */
static int
find_out(struct host *h, struct fault *f)
{
	const struct drop_settings	*c = &h->conf->drop;
	const bool			 own = h->id->maildrop[0] != '\0';
	const char			*template = own ? h->id->maildrop :
					    c->maildrop;
	const enum host_which		 which = h->which;
	int				 result;

	if (which == HOST_ELSE)
		return find_at(h, c->maildrop_else, f);
	if (which == HOST_NEAR && leads_home(h, template))
		return is_far(h, f);
	h->which = HOST_NAMED;
	result = find_at(h, template, f);
	return own || which == HOST_NAMED || c->maildrop_else[0] == '\0' ?
	    result : choose(h, which == HOST_NEAR, result, f);
}

int
host_open(struct host *h, const struct settings *conf,
    const struct identity *id, struct fault *f)
{
	return host_open_again(h, conf, id, HOST_ANY, f);
}

int
host_open_near(struct host *h, const struct settings *conf,
    const struct identity *id, struct fault *f)
{
	return host_open_again(h, conf, id, HOST_NEAR, f);
}

int
host_where(const struct settings *conf, const struct identity *id, char *path,
    enum host_which *which_r, struct fault *f)
{
	struct host	h = { .conf = conf, .id = id, .dirfd = -1 };
	int		result = find_out(&h, f);

	fd_close(&h.dirfd);
	*which_r = h.which;
	memcpy(path, h.path, sizeof(h.path));
	return result;
}

int
host_open_again(struct host *h, const struct settings *conf,
    const struct identity *id, enum host_which which, struct fault *f)
{
	*h = (struct host){
		.conf = conf,
		.id = id,
		.which = which,
		.dirfd = -1,
		.session_lock = -1,
		.journal = -1,
		.promises = -1,
	};
	if (find_out(h, f) != 0 || user_folder(h, f) != 0 ||
	    sender_of(h, f) != 0) {
		host_close(h);
		return -1;
	}
	return 0;
}

int
host_attach(struct host *h, const struct settings *conf,
    const struct identity *id, const struct host_facts *facts, struct fault *f)
{
	*h = (struct host){
		.conf = conf,
		.id = id,
		.dirfd = -1,
		.session_lock = -1,
		.journal = -1,
		.promises = -1,
		.system_spool = facts->system_spool,
		.locked = facts->locked,
		.which = facts->which,
		.dotlock = facts->dotlock,
	};
	return path_printf(h->path, sizeof(h->path), f, "%s", facts->path) != 0 ||
	    path_printf(h->key, sizeof(h->key), f, "%s", facts->key) != 0 ||
	    path_printf(h->lock, sizeof(h->lock), f, "%s", facts->lock) != 0 ?
	    -1 : 0;
}

/* Who is attached has no folder open, until there is a dotlock to do with. */
static int
need_folder(struct host *h, struct fault *f)
{
	char dir[IDENTITY_PATH_MAX + 1];

	if (!h->system_spool || h->dirfd >= 0)
		return 0;
	return split(h, dir, sizeof(dir), f) != 0 ? -1 : file_open(FILE_CWD,
	    dir, FILE_READ | FILE_DIR | FILE_FOLLOW, 0, &h->dirfd, f);
}

void
host_detach(struct host *h, struct host_facts *facts)
{
	facts->locked = h->locked;
	facts->dotlock = h->dotlock;
	fd_close(&h->dirfd);
}

void
host_facts_fini(struct host_facts *facts)
{
	free(facts->path);
	free(facts->key);
	free(facts->lock);
	facts->path = facts->key = facts->lock = NULL;
}

static void
sweep_lock(const struct host *h)
{
	AUTO(fd_close) int	fd = -1;
	UNZEROED char		path[PLACE_MAX];
	struct fault		f;

	if (lock_place(h->conf, h->lock, path, &f) == 0 &&
	    file_open(FILE_CWD, path, FILE_READ | FILE_WRITE, 0, &fd, &f) == 0 &&
	    lock_flock(fd, &f) == 0 && file_unlink(FILE_CWD, path, &f) != 0)
		log_fault(LEVEL_DEBUG, "lock-litter", &f);
}

static void
drop_dotlock(struct host *h)
{
	struct fault f;

	if (h->dotlock.ino != 0 && host_unlock(h, &f) != 0)
		log_fault(LEVEL_WARN, "drop-unlock-failed", &f);
}

bool
host_leave(struct host *h)
{
	bool open = is_unfinished(h);

	if (!open)
		drop_dotlock(h);
	if (h->locked)
		sweep_lock(h);
	return !open;
}

void
host_close(struct host *h)
{
	drop_dotlock(h);
	host_session_unlock(h);
	fd_close(&h->journal);
	fd_close(&h->promises);
	fd_close(&h->dirfd);
}

/*
 * For whoever finds the maildrop in use.  The session inherits the descriptor
 * that is locked, which can only read: it cannot make the operator kill another
 * process.  Without this text the lock holds as well.
 */
static void
write_holder(const char *path, unsigned how, pid_t pid, const char *sid,
    const char *ip, uint64_t since_ms)
{
	AUTO(fd_close) int	fd = -1;
	struct fault		f;
	char			text[HOLDER_MAX];
	int			n;

	n = snprintf(text, sizeof(text), "pid=%d sid=%s ip=%s since_ms=%llu\n",
	    (int)pid, sid, ip,
	    (unsigned long long)since_ms);
	if (file_open(FILE_CWD, path, FILE_WRITE | how, 0, &fd, &f) != 0 ||
	    file_pwrite(fd, text, (size_t)n, 0, &f) != 0)
		log_fault(LEVEL_DEBUG, "lock-text", &f);
}

/* One word "key=value" of it. */
static bool
holder_word(struct host_holder *o, struct span key, struct span value,
    uint64_t *since_ms)
{
	if (span_eq(key, SPAN("sid")))
		return span_cstr(value, o->sid, sizeof(o->sid));
	if (span_eq(key, SPAN("ip")))
		return span_cstr(value, o->ip, sizeof(o->ip));
	if (span_eq(key, SPAN("pid")))
		return num_parse(value, INT32_MAX, &o->pid);
	return span_eq(key, SPAN("since_ms")) &&
	    num_parse(value, INT64_MAX, since_ms);
}

/* It may be half written, or left by one who died: then nobody is known. */
static void
read_holder(struct host *h, int fd)
{
	struct host_holder	o = { .known = false };
	uint64_t		now = clock_ms();
	uint64_t		since_ms = 0;
	char			text[HOLDER_MAX];
	ssize_t			n = file_pread(fd, text, sizeof(text), 0, NULL);
	struct span		rest = span_of(text, n < 0 ? 0 : (size_t)n);
	struct span		line;
	struct span		word;

	if (n <= 0 || text[n - 1] != '\n' || !span_line(&rest, &line))
		return;
	while ((word = span_word(&line)).n > 0) {
		size_t cut = span_find(word, '=');

		if (!holder_word(&o, span_first(word, cut),
		    span_skip(word, cut + 1), &since_ms))
			return;
	}
	if (since_ms == 0 || since_ms > now)
		return;
	o.age_s = (now - since_ms) / 1000;
	o.known = true;
	h->holder = o;
}

/* The first lock of all makes the folder. */
static int
open_lock(const struct host *h, const char *path, int *fd_r, struct fault *f)
{
	AUTO(fd_close) int	dirfd = -1;
	const unsigned		how = FILE_READ | FILE_CREATE;

	if (file_open(FILE_CWD, path, how, 0600, fd_r, f) == 0)
		return 0;
	return f->err != ENOENT ||
	    our_folder(h->conf->role.run_dir, "lock", 0700, &dirfd, f) != 0 ?
	    -1 : file_open(FILE_CWD, path, how, 0600, fd_r, f);
}

/*
 * The lock file is removed by its holder while it is locked; so after locking
 * one, see that it still has its name.
 */
int
host_session_lock(struct host *h, const char *sid, const char *ip,
    struct fault *f)
{
	struct file_facts	facts;
	UNZEROED char		path[PLACE_MAX];

	if (lock_place(h->conf, h->lock, path, f) != 0)
		return -1;
	for (;;) {
		AUTO(fd_close) int fd = -1;

		if (open_lock(h, path, &fd, f) != 0 ||
		    lock_flock(fd, f) != 0 || file_facts(fd, &facts, f) != 0) {
			if (fd >= 0 && f->class == FAULT_IN_USE)
				read_holder(h, fd);
			return fault_prefix(f, "session lock %s: ", h->lock);
		}
		if (facts.nlink > 0) {
			h->session_lock = fd_take(&fd);
			h->locked = true;
			break;
		}
	}
	write_holder(path, facts.size == 0 ? 0 : FILE_TRUNCATE,
	    h->server != 0 ? h->server : spawn_self(), sid, ip, clock_ms());
	/* Not before: the last session may have made one and died since. */
	if (find_files(h, f) == 0)
		return 0;
	host_session_unlock(h);
	return -1;
}

/* Whatever comes of it, the session goes on. */
static void
heed_news(const struct host *h)
{
	const char	*user = h->id->user;
	struct log_line	 l;
	struct fault	 f;

	if ((h->news == HOST_NEWS_ELSE &&
	    elsewhere_note(&h->conf->role, user, &f) != 0) ||
	    (h->news == HOST_NEWS_GONE &&
	    elsewhere_forget(&h->conf->role, user, &f) != 0))
		log_fault(LEVEL_WARN, "maildrop-note", &f);
	if (h->news != HOST_NEWS_TWO)
		return;
	log_begin(&l, LEVEL_WARN, "maildrop-two");
	log_str(&l, "user", user);
	log_str(&l, "maildrop", h->path);
	log_str(&l, "else", h->conf->drop.maildrop_else);
	log_end(&l);
}

int
host_login(struct host *h, const char *sid, const char *ip, struct fault *f)
{
	if (host_session_lock(h, sid, ip, f) != 0)
		return -1;
	h->wait_s = pace_begin(&h->conf->role, pace_of(&h->conf->role, h->id),
	    h->lock);
	if (h->wait_s == 0) {
		heed_news(h);
		return 0;
	}
	fd_close(&h->journal);
	fd_close(&h->promises);
	host_session_unlock(h);
	return fault_set(f, FAULT_DELAY, "%u s of login_delay are left",
	    h->wait_s);
}

int
host_login_wait(const struct settings *conf, const struct identity *id,
    unsigned *wait_s_r, struct fault *f)
{
	struct host	h = { .conf = conf, .id = id, .dirfd = -1 };
	int		result = find_out(&h, f) != 0 ? -1 :
			    pace_left(&conf->role, pace_of(&conf->role, id),
			    h.lock, wait_s_r, f);

	fd_close(&h.dirfd);
	return result;
}

void
host_session_end(struct host *h)
{
	if (h->locked)
		pace_end(&h->conf->role, h->lock);
	host_session_unlock(h);
}

int
host_session_adopt(struct host *h, int lock, struct fault *f)
{
	h->session_lock = lock;
	h->locked = true;
	return find_files(h, f);
}

void
host_session_hold(const struct host *h, const char *sid, const char *ip,
    uint64_t since_ms)
{
	UNZEROED char	path[PLACE_MAX];
	struct fault	f;

	if (lock_place(h->conf, h->lock, path, &f) == 0)
		write_holder(path, FILE_TRUNCATE, spawn_self(), sid, ip, since_ms);
	else
		log_fault(LEVEL_DEBUG, "lock-text", &f);
}

bool
host_has_remains(const struct host *h)
{
	struct file_facts	facts;
	struct fault		f;
	char			name[IDENTITY_PATH_MAX + 16];

	return host_journal_open(h) || legacy_name(h, name, sizeof(name), &f) != 0 ||
	    file_facts_at(h->dirfd, name, &facts, &f) == 0 || f.err != ENOENT;
}

void
host_session_forget(const struct settings *conf, const char *lock)
{
	UNZEROED char	path[PLACE_MAX];
	struct fault	f;

	if (lock_place(conf, lock, path, &f) != 0 ||
	    file_unlink(FILE_CWD, path, &f) != 0)
		log_fault(LEVEL_DEBUG, "lock-litter", &f);
}

void
host_session_unlock(struct host *h)
{
	if (!h->locked)
		return;
	h->locked = false;
	host_session_forget(h->conf, h->lock);
	fd_close(&h->session_lock);
}

int
host_rights_begin(const struct host *h, struct fault *f)
{
	struct file_facts dir;

	if (!identity_is_root())
		return 0;
	if (!h->system_spool)
		return identity_fs_begin(h->id->uid, h->id->gid, f);
	if (file_facts(h->dirfd, &dir, f) != 0)
		return -1;
	return identity_fs_begin(h->id->uid, dir.gid, f);
}

void
host_rights_end(void)
{
	if (identity_is_root())
		identity_fs_end();
}

/* A missing spool is made, for the user, as Debian's MTAs make it. */
static int
make_spool(struct host *h, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	int			result;

	/* Never root's, not even for a moment: we may die in it. */
	if (host_rights_begin(h, f) != 0)
		return -1;
	result = file_open(h->dirfd, h->name, FILE_WRITE | FILE_CREATE |
	    FILE_EXCLUSIVE, 0660, &fd, f);
	host_rights_end();
	return result == 0 || f->err == EEXIST ? 0 : -1;
}

int
host_lock(struct host *h, enum drop_lock_purpose why, struct fault *f)
{
	pid_t	pid = why == DROP_LOCK_UPDATE ? 0 : spawn_self();
	int	result;

	if (!h->system_spool)
		return fault_set(f, FAULT_PEER, "no dotlock of ours here");
	if (need_folder(h, f) != 0 || host_rights_begin(h, f) != 0)
		return -1;
	/* One that is held is of a session that died: recovery. */
	result = h->dotlock.ino == 0 ? -1 : dotlock_repid(h->dirfd, h->name,
	    &h->dotlock, pid, f);
	if (result != 0)
		result = dotlock_take(h->dirfd, h->name, pid, &h->dotlock, f);
	if (result != 0 && f->class == FAULT_IN_USE && h->locked)
		result = dotlock_adopt(h->dirfd, h->name, h->id->uid,
		    &h->dotlock, f);
	host_rights_end();
	if (result != 0)
		return -1;
	if (why == DROP_LOCK_UPDATE && make_spool(h, f) != 0) {
		struct fault second;

		if (!host_journal_open(h) && host_unlock(h, &second) != 0)
			log_fault(LEVEL_WARN, "drop-unlock-failed", &second);
		return fault_prefix(f, "%s: ", h->path);
	}
	return 0;
}

void
host_lock_ahead(struct host *h)
{
	struct fault not_yet;

	if (h->system_spool && !host_journal_open(h) &&
	    host_lock(h, DROP_LOCK_SCAN, &not_yet) != 0)
		h->dotlock.ino = 0;
}

int
host_refresh(struct host *h, struct fault *f)
{
	int result;

	if (h->dotlock.ino == 0)
		return fault_set(f, FAULT_PEER, "no dotlock is held");
	if (need_folder(h, f) != 0 || host_rights_begin(h, f) != 0)
		return -1;
	result = dotlock_refresh(h->dirfd, h->name, &h->dotlock, f);
	host_rights_end();
	return result;
}

int
host_unlock(struct host *h, struct fault *f)
{
	int result;

	if (h->dotlock.ino == 0)
		return fault_set(f, FAULT_PEER, "no dotlock is held");
	if (need_folder(h, f) != 0 || host_rights_begin(h, f) != 0)
		return -1;
	result = dotlock_release(h->dirfd, h->name, &h->dotlock, f);
	host_rights_end();
	h->dotlock.ino = 0;
	return result;
}

int
host_tempfile(struct host *h, int *fd_r, struct fault *f)
{
	AUTO(fd_close) int fd = -1;

	if (file_open_unnamed(h->temp, &fd, f) != 0 ||
	    (identity_is_root() && file_chown(fd, h->id->uid, h->id->gid, f) != 0))
		return fault_prefix(f, "temporary file in %s: ", h->temp);
	*fd_r = fd_take(&fd);
	return 0;
}

/* Root's, in the midst of what is done with the user's rights on files. */
static int
copy_tempfile(void *ctx, int *fd_r, struct fault *f)
{
	struct host	*h = ctx;
	int		 r;

	host_rights_end();
	r = host_tempfile(h, fd_r, f);
	ASSERT(host_rights_begin(h, f) == 0);
	return r;
}

static void
copy_tell(void *ctx, const char *id, const char *text)
{
	const struct host	*h = ctx;
	struct log_line		 l;

	log_begin(&l, LEVEL_WARN, id);
	log_str(&l, "user", h->id->user);
	log_str(&l, "text", text);
	log_end(&l);
}

/* We have the rights of a program of the user's that is set-gid mail, so the dotlock
 * is made as in a folder of his own. */
int
host_copy(struct host *h, uint64_t most, int *fd_r, uint64_t *size_r,
    struct fault *f)
{
	const struct drop_host	ask = {
		.ctx = h,
		.tempfile = copy_tempfile,
		.tell = copy_tell,
	};
	const struct drop_conf	c = {
		.path = h->path,
		.uid = h->id->uid,
		.journal_fd = -1,
		.memory_max = HOST_MEMORY_MAX,
		.host = &ask,
	};
	int			r;

	if (h->maildir)
		return fault_set(f, FAULT_PERM, "%s is a Maildir", h->path);
	if (host_rights_begin(h, f) != 0)
		return -1;
	r = mbox_copy(&c, most, fd_r, size_r, f);
	host_rights_end();
	return r;
}

int
host_promise(const struct host *h, struct span text, struct fault *f)
{
	AUTO(fd_close) int dirfd = -1;

	return our_folder(h->conf->role.state_dir, "uidl", 0700, &dirfd, f) != 0 ||
	    (h->promises >= 0 && lock_flock(h->promises, f) != 0) ||
	    file_replace(dirfd, h->key, 0600, text, f) != 0 ?
	    fault_prefix(f, "promised unique-ids: ") : 0;
}

static int
put_groups(struct buf *b, const struct identity *id)
{
	for (size_t i = 0; i < id->ngids; i++)
		if (buf_appendf(b, "group %u\n", id->gids[i]) != 0)
			return -1;
	return 0;
}

/* Who must finish an update of this journal, for `popper recover`.  A key
 * begins with a hexadecimal digit: no maildrop's key looks like this. */
static int
owner_name(char *out, size_t cap, const char *key, struct fault *f)
{
	return path_printf(out, cap, f, HOST_OWNER "%s", key);
}

/* As in a row of the user's, so that nobody decides anew. */
static int
put_maildrop(struct buf *b, const struct host *h)
{
	const char	*t = h->conf->drop.maildrop_else;
	size_t		 n = strlen(DROP_PATH_MAILDIR);

	if (h->which != HOST_ELSE)
		return buf_appendf(b, "maildrop %s\n", h->id->maildrop);
	return buf_appendf(b, "maildrop " DROP_PATH_MAILDIR "%s\n",
	    strncmp(t, DROP_PATH_MAILDIR, n) == 0 ? t + n : t);
}

static int
write_owner(struct host *h, int dirfd, struct fault *f)
{
	char		name[HOST_KEY_MAX + 8];
	struct buf	b;
	int		result = -1;

	if (owner_name(name, sizeof(name), h->key, f) != 0)
		return -1;
	buf_init(&b, OWNER_MAX);
	if (buf_appendf(&b, "user %s\nuid %u\ngid %u\nhome %s\nvirtual %d\n",
	    h->id->user, h->id->uid, h->id->gid, h->id->home,
	    h->id->virtual ? 1 : 0) == 0 && put_maildrop(&b, h) == 0 &&
	    put_groups(&b, h->id) == 0)
		result = file_replace(dirfd, name, 0600, buf_span(&b), f);
	else
		(void)fault_set(f, FAULT_PERM, "owner of %s: too long", h->key);
	buf_fini(&b);
	return result;
}

/*
 * Blocks kept back for a full disk: one file, handed to one journal at a time.
 * Made again when it is missing and the disk has room.
 */
static void
keep_reserve(int dirfd)
{
	static const uint8_t	zeros[65536];
	AUTO(fd_close) int	fd = -1;
	struct file_facts	facts;
	struct fault		f;
	uint64_t		off = 0;

	/* It may be there already: another process is at it, or died in it. */
	if (file_open(dirfd, "reserve.new", FILE_WRITE | FILE_CREATE, 0600, &fd,
	    &f) != 0 || lock_flock(fd, &f) != 0 ||
	    file_facts(fd, &facts, &f) != 0) {
		if (f.class != FAULT_IN_USE)
			log_fault(LEVEL_WARN, "no-reserve", &f);
		return;
	}
	if (facts.nlink == 0)
		return;		/* somebody has just made it */
	while (off < RESERVE_MAX &&
	    file_pwrite(fd, zeros, sizeof(zeros), off, &f) == 0)
		off += sizeof(zeros);
	if (off == RESERVE_MAX && file_sync(fd, &f) == 0 &&
	    file_rename(dirfd, "reserve.new", "reserve", &f) == 0)
		return;
	log_fault(LEVEL_WARN, "no-reserve", &f);
	if (file_unlink(dirfd, "reserve.new", &f) != 0)
		log_fault(LEVEL_WARN, "no-reserve", &f);
}

int
host_folders(const struct settings *conf, struct fault *f)
{
	AUTO(fd_close) int	dirfd = -1;
	struct file_facts	reserve;
	struct fault		none;

	if (journal_folder(conf, &dirfd, f) != 0 ||
	    file_mkdir(FILE_CWD, conf->role.chroot_dir, 0755, f) != 0)
		return -1;
	if (file_facts_at(dirfd, "reserve", &reserve, &none) != 0 ||
	    reserve.size < RESERVE_MAX)
		keep_reserve(dirfd);
	return 0;
}

/* Give back what the reserve has for the owner file. */
static int
shrink_reserve(int dirfd, struct fault *f)
{
	AUTO(fd_close) int fd = -1;

	if (file_open(dirfd, "reserve", FILE_WRITE, 0, &fd, f) != 0)
		return -1;
	return file_truncate(fd, DROP_RESERVE, f);
}

int
host_journal(struct host *h, bool reserve, int *fd_r, struct fault *f)
{
	AUTO(fd_close) int dirfd = -1;

	if (journal_folder(h->conf, &dirfd, f) != 0)
		return -1;
	if (reserve && shrink_reserve(dirfd, f) != 0)
		return fault_prefix(f, "the reserve for a full disk: ");
	/* The owner first: no journal without one. */
	if (write_owner(h, dirfd, f) != 0 || (reserve &&
	    file_rename(dirfd, "reserve", h->key, f) != 0))
		return fault_prefix(f, "journal %s: ", h->key);
	fd_close(&h->journal);
	if (file_open(dirfd, h->key, FILE_READ | FILE_WRITE | FILE_CREATE, 0600,
	    &h->journal, f) != 0 || file_sync(dirfd, f) != 0)
		return fault_prefix(f, "journal %s: ", h->key);
	return fd_dup_high(h->journal, fd_r, f);
}

/* Ours, so it counts for no user's quota; what is in it the session's to say. */
int
host_index(struct host *h, int *fd_r, struct fault *f)
{
	AUTO(fd_close) int dirfd = -1;

	if (our_folder(h->conf->role.state_dir, "index", 0700, &dirfd, f) != 0 ||
	    file_open(dirfd, h->key, FILE_READ | FILE_WRITE | FILE_CREATE, 0600,
	    fd_r, f) != 0)
		return fault_prefix(f, "index %s: ", h->key);
	return 0;
}

bool
host_journal_open(const struct host *h)
{
	struct file_facts	facts;
	struct fault		f;

	return h->journal >= 0 && file_facts(h->journal, &facts, &f) == 0 &&
	    facts.size > 0;
}

/* One row "word value" of an owner file. */
static bool
owner_row(struct identity *id, struct span word, struct span value)
{
	uint64_t v;

	if (span_eq(word, SPAN("user")))
		return span_cstr(value, id->user, sizeof(id->user));
	if (span_eq(word, SPAN("home")))
		return span_cstr(value, id->home, sizeof(id->home));
	if (span_eq(word, SPAN("maildrop")))
		return span_cstr(value, id->maildrop, sizeof(id->maildrop));
	if (!num_parse(value, UINT32_MAX - 1, &v))
		return false;
	if (span_eq(word, SPAN("uid")))
		id->uid = (uid_t)v;
	else if (span_eq(word, SPAN("gid")))
		id->gid = (gid_t)v;
	else if (span_eq(word, SPAN("virtual")))
		id->virtual = v != 0;
	else if (span_eq(word, SPAN("group")) && id->ngids < IDENTITY_GIDS_MAX)
		id->gids[id->ngids++] = (gid_t)v;
	else
		return false;
	return true;
}

int
host_journal_owner(const struct settings *conf, const char *key,
    struct identity *id, struct fault *f)
{
	AUTO(fd_close) int	dirfd = -1;
	AUTO(fd_close) int	fd = -1;
	char			name[HOST_KEY_MAX + 8];
	char			text[OWNER_MAX];
	struct span		rest;
	struct span		line;
	ssize_t			n;

	*id = (struct identity){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
	if (owner_name(name, sizeof(name), key, f) != 0 ||
	    journal_folder(conf, &dirfd, f) != 0 ||
	    file_open(dirfd, name, FILE_READ, 0, &fd, f) != 0)
		return -1;
	n = file_slurp(fd, text, sizeof(text), f);
	if (n < 0)
		return -1;
	rest = span_of(text, (size_t)n);
	while (span_line(&rest, &line)) {
		size_t cut = span_find(line, ' ');

		if (!owner_row(id, span_first(line, cut),
		    span_skip(line, cut + 1)))
			return fault_set(f, FAULT_PERM, "%s is damaged", name);
	}
	if (id->uid == (uid_t)-1 || id->gid == (gid_t)-1)
		return fault_set(f, FAULT_PERM, "%s is damaged", name);
	return 0;
}

int
host_drop_legacy(struct host *h, struct fault *f)
{
	struct file_facts	facts;
	char			name[IDENTITY_PATH_MAX + 16];
	int			result;

	if (legacy_name(h, name, sizeof(name), f) != 0)
		return -1;
	if (host_rights_begin(h, f) != 0)
		return -1;
	result = file_facts_at(h->dirfd, name, &facts, f);
	if (result == 0 && (!facts.is_regular || facts.uid != h->id->uid ||
	    facts.size != 0))
		result = fault_set(f, FAULT_PERM, "%s is not empty", name);
	if (result == 0)
		result = file_unlink(h->dirfd, name, f);
	host_rights_end();
	return result;
}

/*
 * Messages per hour: a small file per user in the run folder, "HOUR COUNT".
 * Counts this one; FAULT_LIMIT when it is too many.
 */
static int
count_submission(struct host *h, struct fault *f)
{
	AUTO(fd_close) int	dirfd = -1;
	AUTO(fd_close) int	fd = -1;
	unsigned long long	hour = (unsigned long long)time(NULL) / 3600;
	unsigned long long	then = 0;
	unsigned		count = 0;
	char			text[64] = "";
	char			name[HOST_KEY_MAX];
	int			n;

	if (component(name, sizeof(name), h->id->user, f) != 0 ||
	    our_folder(h->conf->role.run_dir, "xmit", 0700, &dirfd, f) != 0 ||
	    file_open(dirfd, name, FILE_READ | FILE_WRITE | FILE_CREATE, 0600,
	    &fd, f) != 0 || lock_flock(fd, f) != 0 ||
	    file_pread(fd, text, sizeof(text) - 1, 0, f) < 0)
		return -1;
	if (sscanf(text, "%llu %u", &then, &count) != 2 || then != hour)
		count = 0;
	if (count >= h->conf->xtnd.xmit_rate)
		return fault_set(f, FAULT_LIMIT,
		    "%u messages this hour (xmit_rate)", count);
	n = snprintf(text, sizeof(text), "%llu %u\n", hour, count + 1);
	if (file_truncate(fd, 0, f) != 0)
		return -1;
	return file_pwrite(fd, text, (size_t)n, 0, f);
}

/* What the session hands over must be a file as host_tempfile makes them. */
static int
check_handed(const struct host *h, int fd, struct fault *f)
{
	struct file_facts facts;

	if (file_facts(fd, &facts, f) != 0)
		return -1;
	if (!facts.is_regular || facts.nlink != 0 || facts.uid != h->id->uid)
		return fault_set(f, FAULT_PEER,
		    "what was handed over is not a temporary file");
	return 0;
}

int
host_submit(struct host *h, int fd, struct fault *f)
{
	const char	*argv[6] = { "sendmail", "-oi", "-t" };
	char		 env[3][IDENTITY_PATH_MAX + 16];
	const char	*envp[] = {
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
		env[0], env[1], env[2], NULL,
	};
	const struct spawn s = {
		.path = h->conf->xtnd.xmit_command,
		.argv = argv,
		.env = envp,
		.as = identity_is_root() ? h->id : NULL,
		.dir = "/",
		.stdin_fd = fd,
		.timeout_s = SUBMIT_TIMEOUT_S,
	};
	char	said[256] = "";
	int	status;

	(void)snprintf(env[0], sizeof(env[0]), "HOME=%s",
	    h->id->home[0] != '\0' ? h->id->home : "/");
	(void)snprintf(env[1], sizeof(env[1]), "USER=%s", h->id->user);
	(void)snprintf(env[2], sizeof(env[2]), "LOGNAME=%s", h->id->user);
	if (h->id->virtual && h->sender[0] == '\0')
		return fault_set(f, FAULT_PERM,
		    "virtual users need xmit_sender");
	if (h->sender[0] != '\0') {
		argv[3] = "-f";
		argv[4] = h->sender;
	}
	if (check_handed(h, fd, f) != 0 || count_submission(h, f) != 0 ||
	    spawn_run(&s, said, sizeof(said), &status, f) != 0)
		return -1;
	if (status != 0)
		return fault_set(f, FAULT_TEMP, "%s ended with %d: %s", s.path,
		    status, said);
	return 0;
}

/* --- promised unique-ids that no message has ---------------------------------- */

/*
 * Its session may be dead by now, and somebody else have its lock.  So the file that
 * is there is locked, and written only while it is there.
 */
static int
lock_promises(struct host *h, struct fault *f)
{
	struct file_facts facts;

	fd_close(&h->promises);
	if (find_promises(h, f) != 0)
		return -1;
	if (h->promises < 0)
		return fault_set(f, FAULT_PEER, "there are no promised unique-ids");
	if (lock_flock(h->promises, f) != 0 ||
	    file_facts(h->promises, &facts, f) != 0)
		return -1;
	return facts.nlink > 0 ? 0 :
	    fault_set(f, FAULT_IN_USE, "the promised unique-ids are others now");
}

/* What is left of them. */
static int
replace_promises(struct host *h, struct span text, size_t rows, struct fault *f)
{
	char path[PLACE_MAX];

	if (rows > 0)
		return host_promise(h, text, f);
	return place(path, h->conf->role.state_dir, "uidl", h->key, f) != 0 ? -1 :
	    file_unlink(FILE_CWD, path, f);
}

int
host_forget(struct host *h, int fd, struct fault *f)
{
	struct promises	 p = { 0 };
	struct buf	 text;
	uint8_t		*dead = NULL;
	ssize_t		 n = -1;
	size_t		 rows;
	int		 r = -1;

	buf_init(&text, PROMISE_TEXT_MAX);
	if (check_handed(h, fd, f) == 0 && lock_promises(h, f) == 0 &&
	    promises_load(h->promises, &p, f) == 0) {
		dead = xalloc(PROMISE_DEAD_MAX, 1);
		n = file_slurp(fd, dead, PROMISE_DEAD_MAX, f);
	}
	if (n >= 0 && promises_forget(&p, span_of(dead, (size_t)n), &text, &rows,
	    f) == 0)
		r = replace_promises(h, buf_span(&text), rows, f);
	free(dead);
	buf_fini(&text);
	promises_fini(&p);
	return r;
}
