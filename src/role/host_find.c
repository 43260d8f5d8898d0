/* SPDX-License-Identifier: ISC */
/*
 * Which maildrop is it, and what are its locks and journals named after?
 *
 * Runs as: root in the monitor (the user himself with isolation = single).
 * Reads from: the configuration, the folders named there, the identity that a
 * worker found.
 * Trusts: nothing below a user's folder: such paths are walked with the user's
 * own rights (identity_fs_begin).
 */
#include "role/host_priv.h"

#include "drop/digest.h"
#include "drop/path.h"
#include "role/elsewhere.h"

#include "base/codec.h"
#include "sys/file.h"
#include "watch/log.h"

#include <errno.h>
#include <stdio.h>

int
host_split(struct host *h, char *dir, size_t cap, struct fault *f)
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

	if (path_component(safe, sizeof(safe) - 40, h->name, f) != 0)
		return -1;
	return name_lock(h, dir, safe, f) != 0 ? -1 : name_journal(h, safe, f);
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
	    host_split(h, dirname, sizeof(dirname), f) != 0 ||
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
	return !host_has_legacy(h) && !host_is_unfinished(h);
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

int
host_find(struct host *h, struct fault *f)
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

/*
 * The folders between the one that all maildrops have in common, which must be there,
 * and this user's, as a mail transfer agent makes them at the first delivery.  With
 * the user's rights: in a system spool he has none for that.
 */
static int
make_folders(const struct host *h, char *dir, struct fault *f)
{
	char	 common[IDENTITY_PATH_MAX + 1];
	char	*end = dir;
	char	 was;
	int	 result = 0;

	if (!drop_path_common(h->conf->drop.maildrop, common, sizeof(common)) ||
	    (identity_is_root() &&
	    identity_fs_begin(h->id->uid, h->id->gid, f) != 0))
		return -1;
	if (strncmp(dir, common, strlen(common)) == 0)
		end += strlen(common);
	while (result == 0 && *end != '\0') {
		end += strspn(end, "/");
		end += strcspn(end, "/");
		was = *end;
		*end = '\0';
		result = file_mkdir(FILE_CWD, dir, 0700, f);
		*end = was;
	}
	if (identity_is_root())
		identity_fs_end();
	return result;
}

int
host_find_or_make(struct host *h, struct fault *f)
{
	const enum host_which	 which = h->which;
	char			 dir[IDENTITY_PATH_MAX + 1];
	struct fault		 unmade;

	if (host_find(h, f) == 0)
		return 0;
	/* FAULT_TEMP: his home may be away, and his mail with it. */
	if (f->class != FAULT_PERM || f->err != ENOENT ||
	    h->which != HOST_NAMED || h->id->maildrop[0] != '\0' ||
	    host_split(h, dir, sizeof(dir), &unmade) != 0 ||
	    make_folders(h, dir, &unmade) != 0)
		return -1;
	log_text(LEVEL_NOTE, "drop-folder", "made %s", dir);
	h->which = which;
	return host_find(h, f);
}

int
host_where(const struct settings *conf, const struct identity *id, char *path,
    enum host_which *which_r, struct fault *f)
{
	struct host	h = { .conf = conf, .id = id, .dirfd = -1 };
	int		result = host_find(&h, f);

	fd_close(&h.dirfd);
	*which_r = h.which;
	memcpy(path, h.path, sizeof(h.path));
	return result;
}
