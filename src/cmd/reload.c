/* SPDX-License-Identifier: ISC */
/*
 * New settings beside those in use, judged as at a start, and as replacements.
 */
#include "cmd/reload.h"

#include "cmd/start.h"

#include "sys/file.h"
#include "watch/log.h"
#include "watch/options.h"

#include <string.h>

void
reload_reopen(void *ctx)
{
	const struct reload		*r = ctx;
	const struct log_settings	*log = &r->used->log;

	/* Of a daemon nothing is to be opened, and lines may be kept for it. */
	if (log->to == LOG_TO_FILE || log->trace_file[0] != '\0')
		start_log(r->used, false);
}

/* Sessions that run have their locks and journals there; others must find
 * them. */
static int
check_folder(const struct settings *new, const char *option, const char *old,
    const char *wanted, struct fault *f)
{
	if (strcmp(old, wanted) == 0)
		return 0;
	return fault_set(f, FAULT_PERM, "%s:%u: %s cannot be changed while"
	    " sessions run; restart popper for that", new->config,
	    conf_line(new->store, option), option);
}

static int
check(const struct settings *old, const struct settings *new, struct fault *f)
{
	/* At a start a missing default file is fine; here it is being edited,
	 * or lost. */
	if (old->config_found && !new->config_found)
		return fault_set(f, FAULT_PERM, "%s is gone", new->config);
	if (start_allowed(new, false) != STATUS_OK)
		return fault_set(f, FAULT_PERM, "%s does not fit who runs"
		    " popper", new->config);
	if (check_folder(new, "run_dir", old->role.run_dir,
	    new->role.run_dir, f) != 0)
		return -1;
	return check_folder(new, "state_dir", old->role.state_dir,
	    new->role.state_dir, f);
}

static size_t
count_errors(const struct settings *s)
{
	const struct conf_mistake	*list;
	size_t				 n = conf_mistakes(s->store, &list);
	size_t				 errors = 0;

	for (size_t i = 0; i < n; i++)
		errors += list[i].severity == CONF_ERROR;
	return errors;
}

const struct settings *
reload_load(void *ctx, struct fault *f)
{
	struct reload		*r = ctx;
	enum settings_result	 result;
	int			 rc;

	if (file_cwd(&r->folder, f) != 0)
		return NULL;
	result = settings_again(r->used, r->argc, r->argv, r->flags, r->other);
	start_tell(r->other, false);
	if (result == SETTINGS_GOOD)
		rc = check(r->used, r->other, f);
	else
		rc = fault_set(f, FAULT_PERM, "%s: mistakes: %zu",
		    r->other->config, count_errors(r->other));
	if (rc == 0)
		return r->other;
	reload_drop(r);
	return NULL;
}

void
reload_use(void *ctx)
{
	struct reload	*r = ctx;
	struct settings	*old = r->used;
	bool		 same = conf_same(log_options, &old->log,
				&r->other->log);

	r->used = r->other;
	r->other = old;
	settings_fini(old);
	fd_close(&r->folder);
	if (!same)
		start_log(r->used, false);
}

void
reload_drop(void *ctx)
{
	struct reload	*r = ctx;
	struct fault	 f;

	settings_fini(r->other);
	if (file_cwd_set(r->folder, &f) != 0)
		log_fault(LEVEL_ERR, "reload-folder", &f);
	fd_close(&r->folder);
}
