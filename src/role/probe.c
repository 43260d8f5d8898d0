/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, and in children that give up what a front or auth does.  Reads
 * from: nobody; the certificates, in the cage.
 */
#include "role/probe.h"

#include "role/ask.h"
#include "role/secure.h"

#include "sys/cage.h"
#include "sys/signals.h"
#include "sys/spawn.h"
#include "watch/log.h"

#define PROBE_MS	10000

static NORETURN void
try_cage(const struct settings *conf, enum cage_kind kind)
{
	const struct role_settings	*s = &conf->role;
	static struct certificates	files;
	struct secure_house		tls = { .tls = NULL };
	struct fault			f;
	bool				degraded;

	signals_take(SIGNALS_CONNECTION);
	shed_descriptors(NULL, 0);
	if (kind == CAGE_FRONTS && secure_house_open(&tls, conf, &files,
	    &f) != 0) {
		log_fault(LEVEL_ERR, "tls-certificate", &f);
		spawn_exit(1);
	}
	if (cage_step_down(kind == CAGE_AUTH ? s->auth_user : s->front_user,
	    s->chroot_dir, kind, &f) != 0 || cage_enter(kind, &degraded, &f) != 0) {
		log_fault(LEVEL_ERR, kind == CAGE_AUTH ? "auth-cage" :
		    "front-cage", &f);
		spawn_exit(1);
	}
	if (files.n == 0 || secure_house_use(&tls, &files, &f) == 0)
		spawn_exit(0);
	log_fault(LEVEL_ERR, "tls-certificate", &f);
	spawn_exit(1);
}

int
probe_cages(const struct settings *s, struct fault *f)
{
	static const enum cage_kind kinds[] = { CAGE_FRONTS, CAGE_AUTH };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		pid_t	pid = spawn_fork(f);
		int	status = 1;

		if (pid < 0)
			return -1;
		if (pid == 0)
			try_cage(s, kinds[i]);
		if (spawn_wait(pid, PROBE_MS, &status) == 0)
			spawn_kill(pid);
		if (status != 0)
			return fault_set(f, FAULT_PERM, "%s cannot begin, as the"
			    " line before tells", kinds[i] == CAGE_AUTH ?
			    "auth" : "a front");
	}
	return 0;
}
