/* SPDX-License-Identifier: ISC */
/*
 * Runs as: the user, before the first octet of his is read.  Reads from: the
 * configuration, and the file of groups that it names (an operator's).
 * Trusts: the monitor's view of where the maildrop is.
 * Gives up: every other file, for good.
 *
 * Folders, not files, where a name may get another file meanwhile: a mail
 * reader renames a new spool over the old one, .popbull is replaced by rename.
 * What is not there, or not for this user, is left out: whoever needs it will
 * tell.  The descriptors of journal and temporary files come from the monitor
 * and need no rule.
 */
#include "role/reach.h"

#include "sys/cage_files.h"
#include "sys/file.h"
#include "watch/log.h"
#include "xtnd/bboards.h"

#include <errno.h>
#include <string.h>

enum place {
	PLACE_ROOTS_SPOOL,	/* spool and .USER.pop; dotlocks are the
				   monitor's */
	PLACE_USERS_SPOOL,	/* the session's dotlock, too */
	PLACE_MAILDIR,		/* new, cur and tmp */
	PLACE_HOME,		/* .popbull */
	PLACE_STATE,		/* popbull, last */
	PLACE_BULLETINS,
	PLACE_GROUPS,		/* the file that lists them */
	PLACE_GROUP,		/* a maildrop of RFC 1082's, or its archive */
	PLACE_GROUP_FOLDER,	/* its .cnt, which others replace */
};

static const unsigned hows[] = {
	[PLACE_ROOTS_SPOOL]	= CAGE_READ | CAGE_LIST | CAGE_WRITE,
	[PLACE_USERS_SPOOL]	= CAGE_READ | CAGE_LIST | CAGE_WRITE |
				  CAGE_NAMES,
	[PLACE_MAILDIR]		= CAGE_READ | CAGE_LIST | CAGE_WRITE |
				  CAGE_NAMES | CAGE_FOLDERS,
	[PLACE_HOME]		= CAGE_READ | CAGE_LIST | CAGE_WRITE |
				  CAGE_NAMES,
	[PLACE_STATE]		= CAGE_READ | CAGE_LIST | CAGE_WRITE |
				  CAGE_NAMES,
	[PLACE_BULLETINS]	= CAGE_READ | CAGE_LIST,
	[PLACE_GROUPS]		= CAGE_READ,
	[PLACE_GROUP]		= CAGE_READ,
	[PLACE_GROUP_FOLDER]	= CAGE_READ,
};

static bool
wants_home(const struct host *h)
{
	const char *bulletins = h->conf->bull.dir;

	return h->has_home && ((bulletins != NULL && bulletins[0] != '\0') ||
	    host_journal_open(h));
}

void
reach_open(struct reach *r, const struct host *h)
{
	*r = (struct reach){ .state_fd = -1, .home_fd = -1 };
	if (h->user_dir[0] != '\0' && file_open(FILE_CWD, h->user_dir,
	    FILE_READ | FILE_DIR, 0, &r->state_fd, &r->no_state) != 0)
		r->state_fd = -1;
	if (wants_home(h) && file_open(FILE_CWD, h->id->home, FILE_READ |
	    FILE_DIR | FILE_FOLLOW, 0, &r->home_fd, &r->no_home) != 0)
		r->home_fd = -1;
}

static int
allow_path(struct cage_files *c, const char *path, bool folder,
    enum place place, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	struct fault		none;

	if (file_open(FILE_CWD, path, FILE_READ | FILE_FOLLOW |
	    (folder ? FILE_DIR : 0), 0, &fd, &none) != 0)
		return 0;
	return cage_files_allow(c, fd, hows[place], f);
}

/* A group's file, wherever a link leads to, and the folder of its name. */
static int
allow_group(struct cage_files *c, const char *path, struct fault *f)
{
	const char	*slash = strrchr(path, '/');
	char		 folder[1024];

	if (slash == NULL)
		return 0;		/* there is no archive */
	if (allow_path(c, path, false, PLACE_GROUP, f) != 0)
		return -1;
	if (!span_cstr(span_of(path, (size_t)(slash - path) + 1), folder,
	    sizeof(folder)))
		return 0;
	return allow_path(c, folder, true, PLACE_GROUP_FOLDER, f);
}

/* Mistakes in the file are told when a client asks for groups. */
static void
tell_nobody(void *ctx, unsigned line, const char *text)
{
	(void)ctx;
	(void)line;
	(void)text;
}

static int
allow_groups(struct cage_files *c, const char *path, struct fault *f)
{
	struct bboards	list = { 0 };
	struct fault	none;
	int		result;

	if (path[0] == '\0')
		return 0;
	result = allow_path(c, path, false, PLACE_GROUPS, f);
	if (result == 0 &&
	    bboards_load(path, &list, tell_nobody, NULL, &none) == 0) {
		for (size_t i = 0; i < list.n && result == 0; i++) {
			result = allow_group(c, list.list[i].maildrop, f);
			if (result == 0)
				result = allow_group(c, list.list[i].archive,
				    f);
		}
		bboards_fini(&list);
	}
	return result;
}

/* A Maildir, or the folder in which it may have to be made. */
static int
allow_maildir(struct cage_files *c, const struct host *h, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	struct fault		none;

	if (file_open(h->dirfd, h->name, FILE_READ | FILE_DIR, 0, &fd,
	    &none) == 0)
		return cage_files_allow(c, fd, hows[PLACE_MAILDIR], f);
	return none.err != ENOENT ? 0 :
	    cage_files_allow(c, h->dirfd, hows[PLACE_MAILDIR], f);
}

static int
allow_drop(struct cage_files *c, const struct host *h, struct fault *f)
{
	if (h->dirfd < 0)
		return 0;
	if (h->maildir)
		return allow_maildir(c, h, f);
	return cage_files_allow(c, h->dirfd, hows[h->system_spool ?
	    PLACE_ROOTS_SPOOL : PLACE_USERS_SPOOL], f);
}

/* The user's own: where his mail is, and what popper keeps for him. */
static int
allow_own(struct cage_files *c, const struct reach *r, const struct host *h,
    struct fault *f)
{
	if (allow_drop(c, h, f) != 0)
		return -1;
	if (r->state_fd >= 0 &&
	    cage_files_allow(c, r->state_fd, hows[PLACE_STATE], f) != 0)
		return -1;
	return r->home_fd < 0 ? 0 :
	    cage_files_allow(c, r->home_fd, hows[PLACE_HOME], f);
}

static int
allow_others(struct cage_files *c, const struct settings *conf,
    struct fault *f)
{
	const char *bulletins = conf->bull.dir;

	if (bulletins != NULL && bulletins[0] != '\0' &&
	    allow_path(c, bulletins, true, PLACE_BULLETINS, f) != 0)
		return -1;
	return allow_groups(c, conf->xtnd.bboards, f);
}

/* *known_r false: this kernel has no Landlock. */
static int
begin(struct cage_files *c, bool *known_r, struct fault *f)
{
	struct fault	none;
	unsigned	version = cage_files_version(&none);

	*known_r = version != 0;
	if (version != 0)
		return cage_files_begin(c, version, f);
	log_fault(LEVEL_DEBUG, "session-no-landlock", &none);
	return 0;
}

int
reach_reading(int dirfd, struct fault *f)
{
	AUTO(cage_files_fini) struct cage_files	c = { .fd = -1 };
	bool					known;

	if (begin(&c, &known, f) != 0)
		return -1;
	return !known ? 0 :
	    cage_files_allow(&c, dirfd, CAGE_READ | CAGE_LIST, f) != 0 ? -1 :
	    cage_files_enter(&c, f);
}

int
reach_enter(const struct reach *r, const struct host *h, enum reach_for why,
    struct fault *f)
{
	AUTO(cage_files_fini) struct cage_files	c = { .fd = -1 };
	bool					known;

	if (begin(&c, &known, f) != 0)
		return -1;
	if (!known)
		return 0;
	if (allow_own(&c, r, h, f) != 0 ||
	    (why == REACH_SESSION && allow_others(&c, h->conf, f) != 0))
		return -1;
	return cage_files_enter(&c, f);
}
