/* SPDX-License-Identifier: ISC */
/*
 * The spool's folder, what an older popper left in it, open journals,
 * bulletins and boards.
 */
#include "cmd/check_priv.h"

#include "bull/bull.h"
#include "drop/path.h"
#include "role/elsewhere.h"
#include "role/host.h"
#include "xtnd/bboards.h"

#include <errno.h>
#include <string.h>

#define STICKY		01000u
#define GROUP_WRITE	0020u
#define WORLD_WRITE	0002u
#define GROUP_WX	0030u
#define WORLD_WX	0003u
#define PATH_MAX_HERE	1024
#define LEVELS_MAX	4		/* of a hashed spool */

/* How many folders follow below the one that all maildrops have in common. */
static unsigned
levels_of(const char *template)
{
	unsigned levels = 0;

	for (const char *p = strchr(template, '%'); p != NULL && *p != '\0'; p++)
		levels += *p == '/' && p[1] != '\0';
	return levels;
}

/* Whether some session can make its lock file there, with what host_rights_begin
 * gives it: its user's ids, and in a folder of root's that folder's group. */
static bool
can_lock(const struct check *c, const char *path, const struct file_facts *dir)
{
	const struct auth_conf	*a = &c->s->auth;
	struct identity		 id;
	struct fault		 f;

	if (c->s->role.isolation == ISOLATION_SINGLE)
		return check_may_write(c, path, &f) == 0;
	if ((dir->mode & WORLD_WX) == WORLD_WX)
		return true;
	if (dir->uid == 0)
		return (dir->mode & GROUP_WX) == GROUP_WX;
	if (!auth_has_rows(a))
		return false;
	/* Rows have ids of their own. */
	return c->nameless || a->virtual_user[0] == '\0' ||
	    identity_service(a->virtual_user, &id, &f) != 0 ||
	    id.uid == dir->uid ||
	    (id.gid == dir->gid && (dir->mode & GROUP_WX) == GROUP_WX);
}

struct drops {
	int	dirfd;
	bool	there;
};

static bool
on_drop(void *ctx, const char *name)
{
	struct drops		*d = ctx;
	struct file_facts	 facts;
	struct fault		 f;

	d->there = name[0] != '.' &&
	    file_facts_at(d->dirfd, name, &facts, &f) == 0 && facts.is_regular;
	return !d->there;
}

/* The first is enough. */
static bool
has_drops(const char *path)
{
	AUTO(fd_close) int	fd = -1;
	struct drops		d = { .there = false };
	struct fault		f;

	if (file_open(FILE_CWD, path, FILE_READ | FILE_DIR | FILE_FOLLOW, 0, &fd,
	    &f) != 0)
		return false;
	d.dirfd = fd;
	(void)!file_list(fd, on_drop, &d, &f);
	return d.there;
}

/* Whose mail is in a Maildir can do without. */
static void
tell_no_locks(struct check *c, const char *path, const struct file_facts *dir)
{
	const struct auth_conf	*a = &c->s->auth;
	const char		*owner = auth_has(a, AUTH_PAM) ? "root:mail" :
				    a->virtual_user;
	bool			 spares = c->s->drop.maildrop_else[0] != '\0' &&
				    !has_drops(path);

	check_tell(c, spares ? CONF_WARNING : CONF_ERROR, c->s->config,
	    conf_line(c->s->store, "maildrop"), "maildrop: nobody whose mail is "
	    "in %s can log in (mode %04o, uid %u, gid %u): its user, or the "
	    "group of a folder of root's, must be able to make lock files there; "
	    "chown %s %s; chmod 2775 %s", path, dir->mode, dir->uid, dir->gid,
	    owner[0] != '\0' ? owner : "root:mail", path, path);
}

/* Debian Policy 11.6: 2775 root:mail; a folder of virtual users is theirs. */
static void
judge_spool(struct check *c, const char *path, const struct file_facts *facts)
{
	struct identity	mail;
	struct fault	f;
	bool		flat = !drop_path_is_maildir(c->s->drop.maildrop) &&
			    levels_of(c->s->drop.maildrop) == 0;
	bool		mails = c->nameless ||
			    (facts->mode & WORLD_WX) == WORLD_WX ||
			    (identity_service("mail", &mail, &f) == 0 &&
			    facts->gid == mail.gid &&
			    (facts->mode & GROUP_WRITE) != 0);

	if ((facts->mode & (WORLD_WRITE | STICKY)) == WORLD_WRITE)
		check_error(c, "maildrop", "the folder %s has mode %04o, "
		    "everybody can exchange the maildrops of others; chown "
		    "root:mail %s; chmod 2775 %s", path, facts->mode, path,
		    path);
	else if (flat && !can_lock(c, path, facts))
		tell_no_locks(c, path, facts);
	else if (facts->uid == 0 && !mails &&
	    !drop_path_is_maildir(c->s->drop.maildrop))
		check_warn(c, "maildrop", "the folder %s is not writable by "
		    "the group mail (mode %04o, gid %u), so that mail programs "
		    "cannot make lock files in it; chown root:mail %s; chmod "
		    "2775 %s", path, facts->mode, facts->gid, path, path);
	else if (facts->uid != 0 && auth_has(&c->s->auth, AUTH_PAM))
		check_warn(c, "maildrop", "the folder %s belongs to uid %u, "
		    "who can exchange the maildrops of others; chown root:mail "
		    "%s; chmod 2775 %s", path, facts->uid, path, path);
}

/* ------------------------------------------------------- .user.pop files */

struct leftovers {
	struct check	*c;
	int		 dirfd;
	const char	*path;		/* of the folder */
	unsigned	 levels;	/* folders below */
};

static void	leftovers_below(const struct leftovers *l, const char *name);
static void	leftovers_in(struct leftovers *l, int parent, const char *name,
		    unsigned how);

/* ".joe.pop": the length of "joe", or 0. */
static size_t
leftover_user(const char *name)
{
	size_t n = strlen(name);

	if (n <= strlen("..pop") || name[0] != '.' ||
	    strcmp(name + n - strlen(".pop"), ".pop") != 0)
		return 0;
	return n - strlen("..pop");
}

static void
judge_leftover(const struct leftovers *l, const char *name, size_t n,
    const struct file_facts *facts)
{
	const char *user = name + 1;

	if (!facts->is_regular || facts->nlink != 1)
		check_error(l->c, "maildrop", "%s/%s has the name of a "
		    "temporary maildrop of an older popper, but is not a plain "
		    "file; popper will not touch it, look who put it there",
		    l->path, name);
	else if (facts->size > 0)
		check_warn(l->c, "maildrop", "%s/%s: an older popper or "
		    "qpopper left %llu octets of mail of %.*s; they become the "
		    "first part of his maildrop when he logs in, and the file "
		    "is removed when they are safe there; do not start the "
		    "older one again", l->path, name,
		    (unsigned long long)facts->size, (int)n, user);
}

static bool
on_spool_name(void *ctx, const char *name)
{
	struct leftovers	*l = ctx;
	size_t			 n = leftover_user(name);
	struct file_facts	 facts;
	struct fault		 f;

	if (file_facts_at(l->dirfd, name, &facts, &f) != 0)
		return true;		/* gone meanwhile */
	if (n > 0 && !facts.is_dir)
		judge_leftover(l, name, n, &facts);
	if (facts.is_dir && l->levels > 0 && name[0] != '.')
		leftovers_below(l, name);
	return true;
}

/* They may be users' own: no link is followed, wherever they have put one by now. */
static void
leftovers_below(const struct leftovers *l, const char *name)
{
	char		 path[PATH_MAX_HERE];
	struct leftovers below = {
		.c = l->c, .path = path, .levels = l->levels - 1,
	};

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", l->path, name) <
	    sizeof(path))
		leftovers_in(&below, l->dirfd, name, 0);
}

/* At most LEVELS_MAX deep: the template says how far. */
static void
leftovers_in(struct leftovers *l, int parent, const char *name, unsigned how)
{
	AUTO(fd_close) int fd = -1;
	struct fault	   f;

	if (file_open(parent, name, FILE_READ | FILE_DIR | how, 0, &fd,
	    &f) == 0) {
		l->dirfd = fd;
		if (file_list(fd, on_spool_name, l, &f) == 0)
			return;
	}
	check_warn(l->c, "maildrop", "%s: %s", l->path, f.text);
}

static void
mail_spool(struct check *c)
{
	struct leftovers	 l = { .c = c };
	struct file_facts	 facts;
	struct file_facts	 temp;
	struct fault		 f;
	char			 path[PATH_MAX_HERE];
	bool			 maildirs = drop_path_is_maildir(
				    c->s->drop.maildrop);

	if (!drop_path_common(c->s->drop.maildrop, path, sizeof(path)))
		return;
	l.levels = levels_of(c->s->drop.maildrop);
	if (check_look(path, &facts, &f) != 0) {
		check_error(c, "maildrop", "the folder: %s; make it (mkdir -m "
		    "2775 %s; chown root:mail %s), or mend the path", f.text,
		    path, path);
		return;
	}
	if (!facts.is_dir) {
		check_error(c, "maildrop", "%s is not a folder; mend the path",
		    path);
		return;
	}
	judge_spool(c, path, &facts);
	if (!maildirs && c->s->role.temp_dir[0] != '\0' &&
	    check_look(c->s->role.temp_dir, &temp, &f) == 0 &&
	    temp.dev != facts.dev)
		check_warn(c, "temp_dir", "%s is not on the file system of %s: "
		    "it needs room of its own for the copies of all maildrops "
		    "that are open at a time; remove the line to copy beside "
		    "the spool", c->s->role.temp_dir, path);
	if (maildirs || c->quick)	/* no older popper knows Maildirs */
		return;
	l.path = path;
	if (l.levels > LEVELS_MAX)
		l.levels = LEVELS_MAX;
	leftovers_in(&l, FILE_CWD, path, FILE_FOLLOW);
}

/* ---------------------------------------------------------- maildrop_else */

struct elsewhere {
	struct check	*c;
	unsigned	 n;		/* users with mail in the spool as well */
	char		 path[PATH_MAX_HERE];	/* of the first one's */
};

/* His home is not looked at: it may be on a server that does not answer. */
static bool
on_elsewhere(void *ctx, const char *user)
{
	struct elsewhere	*e = ctx;
	struct file_facts	 facts;
	struct fault		 f;
	char			 path[PATH_MAX_HERE];

	if (drop_path_expand(e->c->s->drop.maildrop, user, "", path,
	    sizeof(path), &f) != 0 || file_facts_at(FILE_CWD, path, &facts, &f)
	    != 0 || (facts.is_regular && facts.size == 0))
		return true;
	if (e->n++ == 0)
		memcpy(e->path, path, sizeof(e->path));
	return true;
}

/* Who was served from his Maildir, and has other mail now. */
static void
mail_elsewhere(struct check *c)
{
	struct elsewhere	e = { .c = c };
	struct fault		f;

	if (c->s->drop.maildrop_else[0] == '\0')
		return;
	if (elsewhere_each(&c->s->role, on_elsewhere, &e, &f) != 0 &&
	    (f.err != EACCES || c->root))
		check_warn(c, "state_dir", "%s", f.text);
	else if (e.n > 0)
		check_warn(c, "maildrop_else", "%u user%s had mail in a Maildir "
		    "and %s mail at maildrop now, as in %s; that is what they "
		    "get, and not the Maildir, until it is fetched: let all mail "
		    "be delivered to one place, and move what lies in the other",
		    e.n, e.n == 1 ? "" : "s", e.n == 1 ? "has" : "have", e.path);
}

/* -------------------------------------------------------------- journals */

struct journals {
	struct check	*c;
	int		 dirfd;
	unsigned	 open;
};

/* As recover.c: one file for each maildrop, empty when its update is finished;
 * the others say whose it is, or are the reserve for a full disk. */
static bool
on_journal(void *ctx, const char *name)
{
	struct journals		*j = ctx;
	struct file_facts	 facts;
	struct fault		 f;

	if (span_starts(span_str(name), SPAN(HOST_KEPT)))
		check_warn(j->c, "state_dir", "journal/%s holds mail of an account"
		    " that was made anew; look what of it is wanted, then remove"
		    " it", name);
	if (host_is_journal(name) &&
	    file_facts_at(j->dirfd, name, &facts, &f) == 0 && facts.size > 0)
		j->open++;
	return true;
}

static void
mail_journals(struct check *c)
{
	AUTO(fd_close) int	fd = -1;
	struct journals		j = { .c = c };
	struct fault		f;
	char			path[PATH_MAX_HERE];

	(void)snprintf(path, sizeof(path), "%s/journal", c->s->role.state_dir);
	if (file_open(FILE_CWD, path, FILE_READ | FILE_DIR, 0, &fd, &f) != 0)
		return;		/* never used, or not ours to see: see above */
	j.dirfd = fd;
	if (file_list(fd, on_journal, &j, &f) != 0)
		check_warn(c, "state_dir", "%s", f.text);
	else if (j.open > 0)
		check_warn(c, "state_dir", "%u maildrop%s in %s wait%s for the "
		    "end of an interrupted update; no mail is lost; run "
		    "popper recover, or let the next login of each finish it",
		    j.open, j.open == 1 ? "" : "s", path,
		    j.open == 1 ? "s" : "");
}

/* What is of mail in our folders is for nobody else to see. */
static void
mail_private(struct check *c, const char *name)
{
	struct file_facts	facts;
	struct fault		f;
	char			path[PATH_MAX_HERE];

	(void)snprintf(path, sizeof(path), "%s/%s", c->s->role.state_dir, name);
	if (file_facts_at(FILE_CWD, path, &facts, &f) != 0)
		return;		/* never used, or not ours to see */
	if (!facts.is_dir)
		check_error(c, "state_dir", "%s is not a folder; remove it", path);
	else if ((facts.mode & 0077u) != 0)
		check_error(c, "state_dir", "%s has mode %04o, but is for popper "
		    "alone; chmod 700 %s", path, facts.mode, path);
}

/* ------------------------------------------------------------- bulletins */

static void
on_bulletin(void *ctx, const char *name, uint64_t number UNUSED,
    struct span subject UNUSED, const char *problem)
{
	struct check	*c = ctx;
	char		 path[PATH_MAX_HERE];

	if (problem == NULL || strcmp(name, ".") == 0)	/* told as an option's */
		return;
	(void)snprintf(path, sizeof(path), "%s/%s", c->s->bull.dir, name);
	check_tell(c, CONF_WARNING, path, 0, "nobody gets this bulletin: %s",
	    problem);
}

/* With what no user has more of, but for groups: the ids of users without uids of
 * their own, else of those who serve strangers. */
static int
reach_as_user(const struct check *c, const void *what, struct fault *f)
{
	const struct auth_conf	*a = &c->s->auth;
	AUTO(fd_close) int	 fd = -1;
	struct identity		 id;

	if (identity_service(!auth_has(a, AUTH_PAM) && a->virtual_user[0] != '\0' ?
	    a->virtual_user : c->s->role.front_user, &id, f) != 0)
		return 0;		/* told with its option */
	return identity_become(&id, true, f) != 0 ? -1 : file_open(FILE_CWD, what,
	    FILE_READ | FILE_DIR | FILE_FOLLOW, 0, &fd, f);
}

static void
bulletins_reached(struct check *c, const char *dir)
{
	struct fault f;

	if (c->root && c->s->role.isolation == ISOLATION_SPLIT && !c->nameless &&
	    check_in_child(c, reach_as_user, dir, &f) != 0)
		check_error(c, "bulletins", "users do not get them: %s; chmod a+rx "
		    "%s, and a+x each folder above it", f.text, dir);
}

void
check_bulletins(struct check *c)
{
	const char		*dir = c->s->bull.dir;
	struct file_facts	 facts;
	struct fault		 f;

	if (dir == NULL)
		return;
	if (check_look(dir, &facts, &f) != 0) {
		check_error(c, "bulletins", "%s; make the folder, or remove "
		    "the line", f.text);
		return;
	}
	bulletins_reached(c, dir);
	if ((facts.mode & WORLD_WRITE) != 0)
		check_error(c, "bulletins", "%s has mode %04o, everybody can "
		    "write to all users; chmod o-w %s", dir, facts.mode, dir);
	else if ((facts.mode & GROUP_WRITE) != 0)
		check_warn(c, "bulletins", "%s has mode %04o, its group can write "
		    "to all users; chmod g-w %s, unless it may", dir, facts.mode,
		    dir);
	if (bull_judge(dir, on_bulletin, c, &f) != 0)
		check_error(c, "bulletins", "%s", f.text);
}

/* ---------------------------------------------------------------- boards */

static void
on_board_mistake(void *ctx, unsigned line, const char *text)
{
	struct check *c = ctx;

	check_tell(c, CONF_ERROR, c->s->xtnd.bboards, line, "%s", text);
}

void
check_boards(struct check *c)
{
	const char	*path = c->s->xtnd.bboards;
	struct bboards	 boards;
	struct fault	 f;

	if (path[0] == '\0')
		return;
	if (bboards_load(path, &boards, on_board_mistake, c, &f) != 0) {
		check_error(c, "bboards", "%s; make the file, or remove the "
		    "line", f.text);
		return;
	}
	for (size_t i = 0; i < boards.n; i++) {
		if (bboard_readable(&boards.list[i], BBOARD_MAILDROP, &f) != 1)
			check_warn(c, "bboards", "the maildrop of %s, %s, "
			    "cannot be read", boards.list[i].name,
			    boards.list[i].maildrop);
	}
	bboards_fini(&boards);
}

void
check_mail(struct check *c)
{
	mail_spool(c);
	if (!c->quick) {
		mail_elsewhere(c);
		mail_journals(c);
	}
	mail_private(c, "journal");
	mail_private(c, "index");
	mail_private(c, "maildirs");
	check_bulletins(c);
	check_boards(c);
}
