/* SPDX-License-Identifier: ISC */
/*
 * Runs as: who serves, root as a rule.  Reads from: the configuration file, once
 * more.  New settings beside those in use, judged as at a start, and as
 * replacements.
 */
#include "cmd/reload.h"

#include "cmd/check.h"
#include "cmd/start.h"
#include "role/monitor.h"

#include "sys/file.h"
#include "watch/log.h"
#include "watch/options.h"

#include <string.h>

static void
reopen(void *ctx UNUSED, const struct edition *now)
{
	const struct log_settings *log = &now->s.log;

	/* Of a daemon nothing is to be opened, and lines may be kept for it. */
	if (log->to == LOG_TO_FILE || log->trace_file[0] != '\0')
		start_log(&now->s, false);
}

static int
check_same(const struct settings *new, const char *option, const char *old,
    const char *wanted, struct fault *f)
{
	if (strcmp(old, wanted) == 0)
		return 0;
	return fault_set(f, FAULT_PERM, "%s:%u: %s cannot be changed by a"
	    " reload; restart popper for that", new->config,
	    conf_line(new->store, option), option);
}

static int
check(const struct settings *old, const struct settings *new, struct fault *f)
{
	const struct role_settings	*o = &old->role;
	const struct role_settings	*n = &new->role;

	/* At a start a missing default file is fine; here it is being edited,
	 * or lost. */
	if (old->config_found && !new->config_found)
		return fault_set(f, FAULT_PERM, "%s is gone", new->config);
	if (old->role.isolation != new->role.isolation)
		return fault_set(f, FAULT_PERM, "%s:%u: isolation cannot be"
		    " changed by a reload; restart popper for that",
		    new->config, conf_line(new->store, "isolation"));
	if (start_allowed(new, false) != STATUS_OK)
		return fault_set(f, FAULT_PERM, "%s does not fit who runs"
		    " popper", new->config);
	if (check_start(new, false, f) != 0)
		return -1;
	/* Sessions that run have their locks and journals in both folders, where
	 * others must find them.  The other three are sockets that stay. */
	if (check_same(new, "run_dir", o->run_dir, n->run_dir, f) != 0 ||
	    check_same(new, "state_dir", o->state_dir, n->state_dir, f) != 0 ||
	    check_same(new, "ctl_socket", o->ctl_socket, n->ctl_socket, f) != 0 ||
	    check_same(new, "ctl_group", o->ctl_group, n->ctl_group, f) != 0)
		return -1;
	return check_same(new, "metrics", o->metrics, n->metrics, f);
}

/* How many, and the first: the log has all. */
static int
refuse(const struct settings *s, struct fault *f)
{
	const struct conf_mistake	*list;
	const struct conf_mistake	*first = NULL;
	size_t				 n = conf_mistakes(s->store, &list);
	size_t				 errors = 0;

	for (size_t i = n; i-- > 0;)
		if (list[i].severity == CONF_ERROR) {
			first = &list[i];
			errors++;
		}
	return first == NULL ? fault_set(f, FAULT_PERM, "%s: mistakes: 0",
	    s->config) : fault_set(f, FAULT_PERM, "%s: mistakes: %zu, the first"
	    " %s:%u: %s", s->config, errors, s->config, first->line, first->text);
}

static void
drop(void *ctx, struct edition *e)
{
	struct reload	*r = ctx;
	struct fault	 f;

	edition_free(e);
	if (file_cwd_set(r->folder, &f) != 0)
		log_fault(LEVEL_ERR, "reload-folder", &f);
	fd_close(&r->folder);
}

static int
judge(const struct reload *r, const struct edition *now, struct edition *e,
    struct fault *f)
{
	enum settings_result result = settings_again(&now->s, r->argc, r->argv,
	    r->flags, &e->s);

	start_tell(&e->s, false);
	if (result != SETTINGS_GOOD)
		return refuse(&e->s, f);
	if (check(&now->s, &e->s, f) != 0)
		return -1;
	if (e->s.role.isolation != ISOLATION_SINGLE &&
	    names_to_numbers(&e->s, &e->names, f) != 0)
		return -1;
	return check_absent(&e->s, CHECK_RELOAD, false, f);
}

static struct edition *
load(void *ctx, const struct edition *now, struct fault *f)
{
	struct reload	*r = ctx;
	struct edition	*e;

	if (file_cwd(&r->folder, f) != 0)
		return NULL;
	e = edition_new();
	if (judge(r, now, e, f) != 0) {
		drop(r, e);
		return NULL;
	}
	/* A name service may take its time: it is asked for a new answer alone. */
	if (strcmp(e->s.role.hostname, now->s.role.hostname) == 0)
		memcpy(e->hostname, now->hostname, sizeof(e->hostname));
	else
		monitor_hostname(&e->s, e->hostname, sizeof(e->hostname));
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

struct edition_source
reload_source(struct reload *r)
{
	return (struct edition_source){ r, reopen, load, use, drop };
}
