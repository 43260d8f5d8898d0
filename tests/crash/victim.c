/* SPDX-License-Identifier: ISC */
/*
 * What the injector is tried on: a parent and a caged child as popper has
 * them.  The child waits for QUIT on standard input, appends two lines to a
 * file, each made durable, and answers; the parent then appends a third line
 * that tells how the child ended.
 *
 *	victim FILE UID
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALLOW(nr) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), \
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* Not dumpable, no new privileges, and killed by any call not listed. */
static int
cage(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		ALLOW(SYS_read), ALLOW(SYS_write), ALLOW(SYS_fsync),
		ALLOW(SYS_exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = {
		.len = sizeof(code) / sizeof(code[0]), .filter = code,
	};

	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int
append(int fd, const char *line)
{
	return write(fd, line, 4) == 4 && fsync(fd) == 0;
}

static int
child(int fd, uid_t uid)
{
	char command[4];
	int good;

	if (setresuid(uid, uid, uid) != 0 || !cage())
		return 9;
	if (read(0, command, sizeof(command)) != sizeof(command))
		return 8;
	good = append(fd, "one\n") && append(fd, "two\n");
	if (write(1, good ? "+OK\n" : "-NO\n", 4) != 4)
		return 7;
	return good ? 0 : 1;
}

int
main(int argc, char **argv)
{
	char line[32];
	int status = -1;
	pid_t pid;
	int fd;

	if (argc != 3)
		return 64;
	fd = open(argv[1], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return 1;
	pid = fork();
	if (pid == 0)
		_exit(child(fd, (uid_t)strtoul(argv[2], NULL, 10)));
	if (waitpid(pid, &status, 0) != pid)
		return 1;
	snprintf(line, sizeof(line), "%s %d\n",
	    WIFSIGNALED(status) ? "killed" : "ended",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return write(fd, line, strlen(line)) > 0 ? 0 : 1;
}
