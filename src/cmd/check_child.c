/* SPDX-License-Identifier: ISC */
#include "cmd/check_priv.h"

#include "sys/spawn.h"

#include <string.h>

#define LATE_MS		60000

static NORETURN void
try_it(check_fn *fn, const struct check *c, const void *what, int pipe)
{
	struct fault	f;
	struct fault	ignored;

	spawn_deadline(LATE_MS / 1000);	/* whether or not somebody still waits */
	if (fn(c, what, &f) == 0)
		spawn_exit(0);
	spawn_exit(file_write(pipe, f.text, strlen(f.text), &ignored) == 0 ? 1 : 2);
}

int
check_in_child(const struct check *c, check_fn *fn, const void *what,
    struct fault *f)
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
	n = file_read(from, text, sizeof(text) - 1, f);
	(void)spawn_wait(pid, LATE_MS, &status);
	return status == 0 ? 0 : fault_set(f, FAULT_PERM, "%s", n > 0 ? text :
	    "it ended without a word");
}
