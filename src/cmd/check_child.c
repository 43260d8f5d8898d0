/* SPDX-License-Identifier: ISC */
#include "cmd/check_priv.h"

#include "cmd/start.h"
#include "sys/sock.h"
#include "sys/spawn.h"

#include <string.h>

#define TOGETHER_MS	20000		/* all children of one check */
#define LATE_S		60		/* whether or not somebody waits for it */
#define END_MS		1000		/* of one that was killed, or has spoken */

static NORETURN void
try_it(check_fn *fn, const struct check *c, const void *what, int pipe)
{
	struct fault	f;
	struct fault	ignored;

	spawn_deadline(LATE_S);
	if (fn(c, what, &f) == 0)
		spawn_exit(0);
	(void)!file_write(pipe, f.text, strlen(f.text), &ignored);
	spawn_exit(f.class == FAULT_TEMP ? STATUS_TEMP : 1);
}

/* It has spoken, or is at its end. */
static bool
wait_for_it(struct check *c, int from)
{
	struct wait_for	w = { .fd = from, .events = WAIT_READ };
	uint64_t	now = clock_ms();

	if (c->end_ms == 0)
		c->end_ms = now + TOGETHER_MS;
	while (sock_wait(&w, 1, now < c->end_ms ? (int)(c->end_ms - now) : 0) == 0 &&
	    now < c->end_ms)
		now = clock_ms();
	return w.ready != 0;
}

int
check_in_child(struct check *c, check_fn *fn, const void *what, struct fault *f)
{
	AUTO(fd_close) int	from = -1;
	AUTO(fd_close) int	to = -1;
	char			text[sizeof(f->text)] = "";
	int			status = 1;
	ssize_t			n;
	pid_t			pid;

	if (c->out != NULL)
		(void)fflush(c->out);
	if (fd_pipe(&from, &to, f) != 0 || (pid = spawn_fork(f)) < 0)
		return -1;
	if (pid == 0)
		try_it(fn, c, what, to);
	fd_close(&to);
	if (!wait_for_it(c, from)) {
		spawn_kill(pid);
		(void)spawn_wait(pid, END_MS, &status);
		return fault_set(f, FAULT_TEMP, "no answer within %d seconds (is a"
		    " server away, or who knows its name?)", TOGETHER_MS / 1000);
	}
	n = file_read(from, text, sizeof(text) - 1, f);
	(void)spawn_wait(pid, END_MS, &status);
	return status == 0 ? 0 : fault_set(f, status == STATUS_TEMP ? FAULT_TEMP :
	    FAULT_PERM, "%s", n > 0 ? text : "it ended without a word");
}
