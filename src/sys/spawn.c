/* SPDX-License-Identifier: ISC */
/*
 * Processes: fork, other programs, waiting for them.
 * Runs as: the monitor (root) and serve; the child becomes `as` before exec.
 * Reads from: the output of the program, 1 KiB of it, for the log.
 * Gives up, in the child: the session's terminal, signals, every descriptor
 * but 0, 1 and 2, the identity, the environment.
 */
#include "sys/spawn.h"

#include "sys/file.h"
#include "sys/sock.h"
#include "sys/sys_priv.h"

#include <assert.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum {
	OUTPUT_MAX	= 1024,
	GRACE_S		= 5,		/* between SIGTERM and SIGKILL */
	NO_EXEC		= 127,
	SLICE_MS	= 20,		/* of waiting, without pidfds */
	REPORT_FD	= 3,		/* in the child: why exec failed */
};

/* ------------------------------------------------------- fork */

static void
reset_signal(int sig, bool for_exec)
{
	struct sigaction act = { .sa_handler = SIG_DFL };

	if (sig == SIGPIPE && !for_exec)
		act.sa_handler = SIG_IGN;
	/* KILL, STOP and the C library's own cannot be set. */
	(void)sigaction(sig, &act, NULL);
}

/*
 * SIGPIPE stays ignored, as cage_process_defaults has it: a write says
 * EPIPE.  Before exec it becomes default, too.  Once all are, nobody but us
 * (signals.c, loop.c) changes any: 5 calls, not 62.
 */
static void
reset_signals(bool for_exec)
{
	static const int	ours[] = { SIGHUP, SIGINT, SIGTERM, SIGCHLD,
				    SIGPIPE };
	static bool		all_are_reset;

	if (all_are_reset && !for_exec) {
		for (size_t i = 0; i < ARRAY_LEN(ours); i++)
			reset_signal(ours[i], false);
		return;
	}
	for (int sig = 1; sig < NSIG; sig++)
		reset_signal(sig, for_exec);
	all_are_reset = true;
}

void
spawn_reset_signals(void)
{
	reset_signals(false);
}

/*
 * Signals are blocked over the fork, so that a handler of the parent never
 * runs in the child (it would write into the parent's self-pipe).
 */
static pid_t
fork_clean(pid_t (*how)(void), bool for_exec, struct fault *f)
{
	sigset_t	all;
	sigset_t	old;
	pid_t		pid;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &old);
	pid = how();
	if (pid == -1)
		(void)SYS_FAULT(f, "fork");
	if (pid == 0) {
		reset_signals(for_exec);
		(void)sigemptyset(&old);
	}
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}

pid_t
spawn_fork(struct fault *f)
{
	return fork_clean(fork, false, f);
}

pid_t
spawn_fork_bare(struct fault *f)
{
	return fork_clean(POPPER_SANITIZED ? fork : _Fork, false, f);
}

struct left_out {
	const char *const	*names;
	size_t			 n;
};

static bool
is_left_out(const struct left_out *l, const char *path)
{
	const char *slash = strrchr(path, '/');

	for (size_t i = 0; i < l->n && slash != NULL; i++)
		if (strncmp(slash + 1, l->names[i], strlen(l->names[i])) == 0)
			return true;
	return false;
}

/* What cannot be left out stays: it is a matter of costs alone. */
static int
leave_out(struct dl_phdr_info *lib, size_t size UNUSED, void *ctx)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	if (!is_left_out(ctx, lib->dlpi_name))
		return 0;
	for (size_t i = 0; i < lib->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &lib->dlpi_phdr[i];
		uintptr_t from = (lib->dlpi_addr + p->p_vaddr) & ~(page - 1);
		uintptr_t to = lib->dlpi_addr + p->p_vaddr + p->p_memsz;

		if (p->p_type == PT_LOAD)
			(void)madvise((void *)from, to - from, MADV_DONTFORK);
	}
	return 0;
}

void
spawn_without(const char *const *libraries, size_t n)
{
	struct left_out l = { libraries, n };

	if (!POPPER_SANITIZED)		/* their run time looks into all */
		(void)dl_iterate_phdr(leave_out, &l);
}

pid_t
spawn_self(void)
{
	return getpid();
}

unsigned
spawn_processors(void)
{
	cpu_set_t ours;

	if (sched_getaffinity(0, sizeof(ours), &ours) == -1)
		return 1;		/* more than 1,024 */
	return (unsigned)CPU_COUNT(&ours);
}

void
spawn_tie(pid_t parent)
{
	/* Can only fail for a bad signal; it may have ended before. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(EX_TEMPFAIL);
}

static_assert(SPAWN_LATE == 128 + SIGALRM, "what wait(2) says");

void
spawn_deadline(unsigned seconds)
{
	(void)alarm(seconds);
}

void
spawn_spend(unsigned seconds)
{
	const struct rlimit most = { seconds, seconds + 1 };

	(void)setrlimit(RLIMIT_CPU, &most);
}

/* ------------------------------------------------------- waiting */

void
spawn_adopt(void)
{
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);	/* since 3.4 */
}

/* 1: ended and reaped; 0: runs on. */
static int
reap(pid_t pid, int options, int *status_r)
{
	int	status;
	pid_t	got = SYS_RETRY(waitpid(pid, &status, options));

	if (got == 0)
		return 0;
	if (got == -1)			/* not our child: nothing to wait for */
		*status_r = NO_EXEC;
	else if (WIFSIGNALED(status))
		*status_r = 128 + WTERMSIG(status);
	else
		*status_r = WEXITSTATUS(status);
	return 1;
}

pid_t
spawn_reap(int *status_r)
{
	int	status;
	pid_t	pid = SYS_RETRY(waitpid(-1, &status, WNOHANG));

	if (pid <= 0)
		return 0;
	*status_r = WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
	    WEXITSTATUS(status);
	return pid;
}

static int
ms_until(uint64_t deadline)
{
	uint64_t now = clock_ms();

	return now >= deadline ? 0 : (int)(deadline - now);
}

int
spawn_wait(pid_t pid, int timeout_ms, int *status_r)
{
	AUTO(fd_close) int pidfd = -1;
	uint64_t deadline;

	if (timeout_ms <= 0)
		return reap(pid, timeout_ms < 0 ? 0 : WNOHANG, status_r);
	deadline = clock_ms() + (uint64_t)timeout_ms;
	pidfd = pidfd_open(pid, 0);
	while (reap(pid, WNOHANG, status_r) == 0) {
		int left = ms_until(deadline);

		if (left == 0)
			return 0;
		if (pidfd >= 0) {
			struct pollfd p = { .fd = pidfd, .events = POLLIN };

			(void)poll(&p, 1, left);
		} else {
			clock_sleep(left < SLICE_MS ? (unsigned)left :
			    SLICE_MS);
		}
	}
	return 1;
}

void
spawn_stop(pid_t pid)
{
	ASSERT(pid > 1);
	(void)kill(pid, SIGTERM);	/* it may be gone already */
}

void
spawn_kill(pid_t pid)
{
	ASSERT(pid > 1);
	(void)kill(pid, SIGKILL);	/* likewise */
}

static void	(*last_act)(void);

void
spawn_at_exit(void (*fn)(void))
{
	last_act = fn;
}

void
spawn_exit(int status)
{
	if (last_act != NULL)
		last_act();
	_exit(status);
}

/* ------------------------------------------------------- other programs */

/* Descriptors 0, 1, 2 and REPORT_FD in place, all others closed. */
static int
place_fds(int in, int out, int report, struct fault *f)
{
	int high[3];

	/* First out of the way of their targets. */
	if (fd_dup_high(in, &high[0], f) == -1 ||
	    fd_dup_high(out, &high[1], f) == -1 ||
	    fd_dup_high(report, &high[2], f) == -1)
		return -1;
	if (dup2(high[0], 0) == -1 || dup2(high[1], 1) == -1 ||
	    dup2(high[1], 2) == -1 ||
	    dup3(high[2], REPORT_FD, O_CLOEXEC) == -1)
		return SYS_FAULT(f, "dup2");
	fd_close_others(REPORT_FD + 1, NULL, 0);
	return 0;
}

/* In the child; what goes wrong is told through `report`. */
static NORETURN void
run_child(const struct spawn *s, int out, int report)
{
	struct fault f = { .class = FAULT_NONE };

	(void)setsid();			/* its own group: killed as a whole */
	if (place_fds(s->stdin_fd, out, report, &f) == -1)
		_exit(NO_EXEC);		/* no way to tell */
	if ((s->as == NULL || identity_become(s->as, false, &f) == 0)) {
		if (s->dir != NULL && chdir(s->dir) == -1) {
			(void)SYS_FAULT(&f, "folder %s", s->dir);
		} else {
			(void)execve(s->path,
			    (char *const *)(uintptr_t)s->argv,
			    (char *const *)(uintptr_t)s->env);
			(void)SYS_FAULT(&f, "run %s", s->path);
			if (f.err == ENOENT || f.err == ENOEXEC)
				f.class = FAULT_PERM;	/* there is no program */
		}
	}
	_exit(file_write(REPORT_FD, &f, sizeof(f), NULL) == -1 ? EX_OSERR :
	    NO_EXEC);
}

/* What the program prints, and how far it is. */
struct run {
	pid_t	 pid;
	int	 pidfd;			/* -1: none to be had */
	int	 out;
	int	 report;
	char	*text;
	size_t	 n;
	size_t	 cap;
};

/* Keep the beginning, swallow the rest; without waiting. */
static void
drain(struct run *r)
{
	char	block[512];
	ssize_t	got;

	while (r->out >= 0) {
		got = SYS_RETRY(read(r->out, block, sizeof(block)));
		if (got <= 0) {
			if (got == 0 || errno != EAGAIN)
				fd_close(&r->out);
			return;
		}
		for (ssize_t i = 0; i < got && r->n + 1 < r->cap; i++)
			r->text[r->n++] = block[i] == '\0' ? '?' : block[i];
	}
}

/* 1: it has ended (but was not waited for), 0: the time is over. */
static int
follow(struct run *r, uint64_t deadline)
{
	for (;;) {
		struct pollfd p[2] = {
			{ .fd = r->pidfd, .events = POLLIN },
			{ .fd = r->out, .events = POLLIN },
		};
		siginfo_t	info = { .si_pid = 0 };
		int		left = ms_until(deadline);

		if (r->pidfd == -1 && left > SLICE_MS)
			(void)poll(p, 2, SLICE_MS);
		else
			(void)poll(p, 2, left);
		drain(r);
		if (waitid(P_PID, (id_t)r->pid, &info,
		    WEXITED | WNOHANG | WNOWAIT) == -1 || info.si_pid != 0)
			return 1;
		if (left == 0)
			return 0;
	}
}

/* Its group, or itself when it has not got that far. */
static void
kill_group(pid_t pid, int signal)
{
	if (kill(-pid, signal) == -1)
		(void)kill(pid, signal);
}

/* Until it has ended, by itself or not.  Returns whether the time was over. */
static bool
run_to_end(struct run *r, unsigned timeout_s)
{
	if (follow(r, clock_ms() + (uint64_t)timeout_s * 1000) == 1)
		return false;
	kill_group(r->pid, SIGTERM);
	(void)follow(r, clock_ms() + (uint64_t)GRACE_S * 1000);
	/* Not yet reaped, so the number is still its own. */
	kill_group(r->pid, SIGKILL);
	(void)follow(r, clock_ms() + (uint64_t)GRACE_S * 1000);
	return true;
}

static int
open_pipes(const struct spawn *s, struct run *r, int *out_w, int *report_w,
    struct fault *f)
{
	if (lseek(s->stdin_fd, 0, SEEK_SET) == -1 && errno != ESPIPE)
		return SYS_FAULT(f, "rewind");
	if (fd_pipe(&r->out, out_w, f) == -1 ||
	    fd_pipe(&r->report, report_w, f) == -1)
		return -1;
	return fd_set_nonblock(r->out, f);
}

/* What the child reported before exec; nothing: exec has worked. */
static int
check_started(int report, struct fault *f)
{
	struct fault	why;
	ssize_t		n = file_read(report, &why, sizeof(why), f);

	if (n <= 0)
		return (int)n;
	if (f != NULL)
		*f = why;	/* in one piece: a pipe takes so much at once */
	return -1;
}

int
spawn_run(const struct spawn *s, char *out, size_t cap, int *status_r,
    struct fault *f)
{
	struct run	r = {
		.pidfd = -1, .out = -1, .report = -1, .text = out,
		.cap = cap < OUTPUT_MAX + 1 ? cap : OUTPUT_MAX + 1,
	};
	int		out_w = -1;
	int		report_w = -1;
	bool		late = false;
	int		result = -1;

	out[0] = '\0';
	*status_r = NO_EXEC;
	if (open_pipes(s, &r, &out_w, &report_w, f) == -1)
		goto out;
	r.pid = fork_clean(fork, true, f);
	if (r.pid == -1)
		goto out;
	if (r.pid == 0)
		run_child(s, out_w, report_w);
	fd_close(&out_w);
	fd_close(&report_w);
	r.pidfd = pidfd_open(r.pid, 0);
	late = run_to_end(&r, s->timeout_s);
	out[r.n] = '\0';
	if (reap(r.pid, WNOHANG, status_r) == 0 ||
	    (late && *status_r > 128))
		(void)fault_errno(f, FAULT_TEMP, ETIMEDOUT, "%s", s->path);
	else
		result = check_started(r.report, f);
out:
	fd_close(&r.pidfd);
	fd_close(&r.out);
	fd_close(&r.report);
	fd_close(&out_w);
	fd_close(&report_w);
	return result;
}

void
spawn_name(const char *name)
{
	(void)prctl(PR_SET_NAME, name, 0, 0, 0);	/* cosmetics */
}
