/* SPDX-License-Identifier: ISC */
/*
 * What is missed when popper runs, not before: libraries that a role opens by
 * itself, groups, folders in which it makes sockets and logs.
 */
#include "cmd/check_priv.h"

#include "auth/auth.h"
#include "auth/prep.h"
#include "base/num.h"
#include "role/ctl.h"
#include "role/exporter.h"
#include "role/resolver.h"
#include "sys/keyhash.h"
#include "sys/local.h"
#include "sys/loop.h"
#include "sys/sock.h"

#include <string.h>

static void
need_serving(struct check *c)
{
	const struct role_settings	*r = &c->s->role;
	struct fault			 f;
	struct loop			*l = loop_new(&f);

	if (l == NULL)
		check_error(c, "listen", "popper serve cannot begin: %s", f.text);
	loop_free(l);
	if (r->peer_check && resolver_library(&f) != 0)
		check_warn(c, "peer_check", "there will be none: %s; install "
		    "libcares2 (Debian 12: libc-ares2), or set it to no", f.text);
	if (r->metrics[0] != '\0' && exporter_library(&f) != 0)
		check_warn(c, "metrics", "there will be none: %s; install "
		    "libmicrohttpd12, or remove the line", f.text);
}

static void
need_judging(struct check *c)
{
	const struct settings	*s = c->s;
	struct auth_conf	 one = s->auth;
	struct fault		 f;
	bool			 cached = false;

	for (size_t i = 0; i < auth_databases(&s->auth); i++) {
		const struct auth_ops *ops;

		auth_select(&one, i);
		ops = auth_ops_of(&one);
		cached = cached || !ops->needs_root || s->role.auth_cache_pam;
		if (ops->preload != NULL && ops->preload(&one, &f) != 0)
			check_error(c, "auth", "nobody can log in: %s", f.text);
	}
	if (prep_open(&s->auth, &f) != 0)
		check_error(c, "utf8_user", "nobody can log in: %s", f.text);
	if (s->auth.app_passwords != AUTH_APP_NO && keyhash_open(&f) != 0)
		check_error(c, "app_passwords", "nobody can log in: %s", f.text);
	else if (cached && s->role.auth_cache_ttl_s > 0 && keyhash_open(&f) != 0)
		check_warn(c, "auth_cache_ttl", "no password is remembered: %s; "
		    "install libsodium23, or set it to 0", f.text);
}

static void
need_ctl_group(struct check *c)
{
	const char *name = c->s->role.ctl_group;

	if (name[0] != '\0' && !c->nameless &&
	    conf_is_set(c->s->store, "ctl_group") &&
	    local_group(name) == LOCAL_NO_GROUP)
		check_warn(c, "ctl_group", "there is no group %s, so popper ctl "
		    "is root's alone; addgroup --system %s, or leave the name "
		    "out", name, name);
}

/* Of those that stand there by default not all hosts have all. */
static void
need_gids_denied(struct check *c)
{
	struct span	rest = span_str(c->s->auth.gids_denied);
	struct span	word;

	if (c->nameless || !conf_is_set(c->s->store, "gids_denied"))
		return;
	while ((word = span_word(&rest)).n > 0) {
		char		name[64];
		uint64_t	number;

		if (!num_parse(word, UINT32_MAX, &number) &&
		    span_cstr(word, name, sizeof(name)) &&
		    local_group(name) == LOCAL_NO_GROUP)
			check_warn(c, "gids_denied", "there is no group %s, so "
			    "nobody is refused for it; mend the name, or remove "
			    "it", name);
	}
}

/* run_dir is made when popper starts. */
static void
need_folder_of(struct check *c, const char *option, const char *path)
{
	char			above[IDENTITY_PATH_MAX + 1];
	struct file_facts	facts;
	struct fault		f;

	if (path[0] == '\0' || !check_above(path, above) ||
	    strcmp(above, c->s->role.run_dir) == 0)
		return;
	if (check_look(above, &facts, &f) != 0 ||
	    (facts.is_dir && check_may_write(c, above, &f) != 0))
		check_warn(c, option, "%s cannot be made: %s", path, f.text);
	else if (!facts.is_dir)
		check_warn(c, option, "%s cannot be made: %s is not a folder",
		    path, above);
}

/* An old socket gives way to a new one, nothing else does. */
static void
need_place(struct check *c, const char *option, const char *path)
{
	struct file_facts	facts;
	struct fault		f;

	if (path[0] != '/')
		return;
	if (file_facts_at(FILE_CWD, path, &facts, &f) == 0 &&
	    (facts.is_regular || facts.is_dir))
		check_warn(c, option, "%s is there and no socket, so popper serve "
		    "makes none; remove it, or mend the path", path);
	else
		need_folder_of(c, option, path);
}

static void
need_ctl_socket(struct check *c)
{
	const struct role_settings	*r = &c->s->role;
	char				 path[IDENTITY_PATH_MAX + 8];

	if (r->isolation == ISOLATION_SINGLE)
		return;
	ctl_path(c->s, 1, path, sizeof(path));
	if (!sock_path_fits(path))
		check_warn(c, "run_dir", "popper ctl will not reach popper serve, "
		    "for %s is too long for a socket; set ctl_socket, or choose "
		    "a folder with a shorter path", path);
	else
		need_place(c, "ctl_socket", r->ctl_socket);
}

static void
need_folders(struct check *c)
{
	const struct settings *s = c->s;

	need_ctl_socket(c);
	need_place(c, "metrics", s->role.metrics);
	if (s->log.to == LOG_TO_FILE)
		need_folder_of(c, "log_file", s->log.file);
	need_folder_of(c, "trace_file", s->log.trace_file);
}

void
check_needs(struct check *c)
{
	need_serving(c);
	need_judging(c);
	need_ctl_group(c);
	need_gids_denied(c);
	need_folders(c);
}
