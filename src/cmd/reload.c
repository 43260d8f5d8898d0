/* SPDX-License-Identifier: ISC */
/*
 * Runs as: who serves, root as a rule.  Reads from: the configuration file, once
 * more, and who judges it (judge.c).  New settings beside those in use, as
 * replacements.
 */
#include "cmd/reload.h"

#include "cmd/judge.h"
#include "cmd/start.h"

#include "sys/file.h"
#include "sys/link.h"
#include "sys/spawn.h"
#include "watch/log.h"
#include "watch/options.h"

static void
reopen(void *ctx UNUSED, const struct edition *now)
{
	const struct log_settings *log = &now->s.log;

	/* Of a daemon nothing is to be opened, and lines may be kept for it. */
	if (log->to == LOG_TO_FILE || log->trace_file[0] != '\0')
		start_log(&now->s, false);
}

/* The working folder is where the paths of one of both lead from; the other folder
 * is r's. */
static int
swap_folders(struct reload *r, struct fault *f)
{
	AUTO(fd_close) int other = -1;

	if (file_cwd(&other, f) != 0 || file_cwd_set(r->folder, f) != 0)
		return -1;
	fd_close(&r->folder);
	r->folder = fd_take(&other);
	return 0;
}

void
reload_forget(struct reload *r)
{
	edition_free(r->next);
	r->next = NULL;
	fd_close(&r->link);
	fd_close(&r->folder);
}

static void
swap_back(struct reload *r)
{
	struct fault f;

	if (swap_folders(r, &f) != 0)
		log_fault(LEVEL_ERR, "reload-folder", &f);
}

static pid_t
judge(void *ctx, const struct edition *now, const struct edition_ears *ears,
    int *fd_r, struct fault *f)
{
	struct reload	*r = ctx;
	struct judge	 j = { .now = now, .ears = *ears, .link = -1,
			    .server = spawn_self() };
	pid_t		 pid = -1;

	if (file_cwd(&r->folder, f) != 0)
		return -1;
	r->end_ms = clock_ms() + EDITION_JUDGED_MS;
	r->next = j.next = edition_new();
	j.result = settings_again(&now->s, r->argc, r->argv, r->flags, &j.next->s);
	if (link_pair(&r->link, &j.link, f) == 0)
		pid = spawn_fork(f);
	if (pid == 0)
		judge_there(&j);
	fd_close(&j.link);
	swap_back(r);
	if (pid < 0)
		reload_forget(r);
	*fd_r = r->link;
	return pid;
}

static struct edition *
load(void *ctx, const struct edition *now UNUSED, struct fault *f)
{
	struct reload	*r = ctx;
	struct edition	*e = r->next;

	if (judge_hear(r->link, e, r->end_ms, f) != 0 || swap_folders(r, f) != 0) {
		reload_forget(r);
		return NULL;
	}
	fd_close(&r->link);
	r->next = NULL;
	return e;
}

static void
use(void *ctx, const struct edition *now, const struct edition *next)
{
	struct reload *r = ctx;

	fd_close(&r->folder);
	if (!conf_same(log_options, &now->s.log, &next->s.log))
		start_log(&next->s, false);
}

static void
drop(void *ctx, struct edition *e)
{
	struct reload *r = ctx;

	edition_free(e);
	swap_back(r);
	fd_close(&r->folder);
}

struct edition_source
reload_source(struct reload *r)
{
	return (struct edition_source){ r, reopen, judge, load, use, drop };
}
