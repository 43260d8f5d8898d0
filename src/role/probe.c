/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, and in children that give up what a front or auth does.  Reads
 * from: nobody; the certificates, in the cage.
 */
#include "role/probe.h"

#include "role/ask_log.h"
#include "role/secure.h"

#include "sys/cage.h"
#include "sys/file.h"
#include "sys/signals.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <string.h>

#define PROBE_MS	10000

static int
try_cage(const struct settings *conf, enum cage_kind kind, const char **id_r,
    struct fault *f)
{
	const struct role_settings	*s = &conf->role;
	static struct certificates	files;
	struct secure_house		tls = { .tls = NULL };
	bool				degraded;

	*id_r = "tls-certificate";
	if (kind == CAGE_FRONTS && secure_house_open(&tls, conf, &files, f) != 0)
		return -1;
	*id_r = kind == CAGE_AUTH ? "auth-cage" : "front-cage";
	if (cage_step_down(kind == CAGE_AUTH ? s->auth_user : s->front_user,
	    s->chroot_dir, kind, f) != 0 || cage_enter(kind, &degraded, f) != 0)
		return -1;
	*id_r = "tls-certificate";
	return files.n == 0 ? 0 : secure_house_use(&tls, &files, f);
}

/* What is wrong is said to `to` as well. */
static NORETURN void
probe(const struct settings *conf, enum cage_kind kind, int to)
{
	const char	*id;
	struct fault	 f;
	struct fault	 ignored;

	signals_take(SIGNALS_CONNECTION);
	shed_descriptors(&to, 1);
	if (try_cage(conf, kind, &id, &f) == 0)
		spawn_exit(0);
	log_fault(LEVEL_ERR, id, &f);
	(void)!file_write(to, f.text, strlen(f.text), &ignored);
	spawn_exit(1);
}

static int
probe_one(const struct settings *s, enum cage_kind kind, struct fault *f)
{
	AUTO(fd_close) int	from = -1;
	AUTO(fd_close) int	to = -1;
	char			why[sizeof(f->text)] = "it ended without a word";
	int			status = 1;
	ssize_t			n;
	pid_t			pid;

	if (fd_pipe(&from, &to, f) != 0 || (pid = spawn_fork(f)) < 0)
		return -1;
	if (pid == 0)
		probe(s, kind, to);
	fd_close(&to);
	if (spawn_wait(pid, PROBE_MS, &status) == 0) {
		spawn_kill(pid);
		return fault_set(f, FAULT_PERM, "whether %s can begin was not"
		    " found out within %d seconds", kind == CAGE_AUTH ? "auth" :
		    "a front", PROBE_MS / 1000);
	}
	if (status == 0)
		return 0;
	n = file_read(from, why, sizeof(why) - 1, f);
	if (n > 0)
		why[n] = '\0';
	return fault_set(f, FAULT_PERM, "%s cannot begin: %s",
	    kind == CAGE_AUTH ? "auth" : "a front", why);
}

int
probe_cages(const struct settings *s, struct fault *f)
{
	return probe_one(s, CAGE_FRONTS, f) != 0 ||
	    probe_one(s, CAGE_AUTH, f) != 0 ? -1 : 0;
}
