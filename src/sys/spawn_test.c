/* SPDX-License-Identifier: ISC */
#include "sys/file.h"
#include "sys/sock.h"
#include "sys/spawn.h"
#include "sys/test_fork.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int
input(const char *text)
{
	int fd = -1;

	assert_int_equal(file_open_unnamed("/tmp", &fd, NULL), 0);
	assert_int_equal(file_write(fd, text, strlen(text), NULL), 0);
	return fd;
}

struct outcome {
	char		out[2000];
	int		status;
	struct fault	f;
	uint64_t	ms;
};

static int
shell(const char *script, const struct identity *as, unsigned timeout_s,
    struct outcome *o)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	const char *const env[] = { "PATH=/usr/bin:/bin", "X=y", NULL };
	AUTO(fd_close) int in = input("the input\n");
	struct spawn s = {
		.path = "/bin/sh", .argv = argv, .env = env, .as = as,
		.dir = "/", .stdin_fd = in, .timeout_s = timeout_s,
	};
	uint64_t start = clock_ms();
	int r = spawn_run(&s, o->out, sizeof(o->out), &o->status, &o->f);

	o->ms = clock_ms() - start;
	return r;
}

static void
test_run(void **state)
{
	struct outcome o;

	(void)state;
	assert_int_equal(shell("cat; echo err >&2; pwd; exit 3", NULL, 10, &o),
	    0);
	assert_int_equal(o.status, 3);
	assert_string_equal(o.out, "the input\nerr\n/\n");
	assert_int_equal(shell("kill -9 $$", NULL, 10, &o), 0);
	assert_int_equal(o.status, 128 + 9);
	assert_int_equal(shell("env | sort | grep -v ^_= | grep -v ^PWD",
	    NULL, 10, &o), 0);
	assert_string_equal(o.out, "PATH=/usr/bin:/bin\nX=y\n");
	assert_int_equal(shell("printf 'a\\0b'", NULL, 10, &o), 0);
	assert_string_equal(o.out, "a?b");
}

/* Only 0, 1 and 2 arrive, whatever we have open, and no ignored signal. */
static void
test_clean(void **state)
{
	struct outcome	o;
	sigset_t	usr1;
	unsigned long	blocked = 1;
	unsigned long	ignored = 1;

	(void)state;
	assert_int_equal(dup2(2, 77), 77);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)sigemptyset(&usr1);
	(void)sigaddset(&usr1, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &usr1, NULL);
	assert_int_equal(shell("for i in 0 1 2 3 4 5 6 10 11 12 77; do "
	    "[ -e /proc/$$/fd/$i ] && echo $i; done; "
	    "exec grep -E '^Sig(Blk|Ign)' /proc/self/status", NULL, 10, &o), 0);
	/* 32 and 33 are the C library's own: nobody can set them back */
	assert_int_equal(sscanf(o.out, "0 1 2 SigBlk: %lx SigIgn: %lx",
	    &blocked, &ignored), 2);
	assert_int_equal(blocked, 0);
	assert_int_equal(ignored & ~0x180000000ul, 0);
	(void)sigprocmask(SIG_UNBLOCK, &usr1, NULL);
	(void)close(77);
}

static void
test_much_output(void **state)
{
	struct outcome o;

	(void)state;
	assert_int_equal(shell("head -c 300000 /dev/zero | tr '\\0' x; exit 4",
	    NULL, 20, &o), 0);
	assert_int_equal(o.status, 4);
	assert_int_equal(strlen(o.out), 1024);
}

static void
test_not_started(void **state)
{
	const char *const argv[] = { "x", NULL };
	const char *const env[] = { NULL };
	AUTO(fd_close) int in = input("");
	struct spawn s = { .path = "/nonexistent/x", .argv = argv, .env = env,
		.dir = "/", .stdin_fd = in, .timeout_s = 5 };
	struct identity root = { .uid = 0 };
	struct fault f;
	char out[100];
	int status;

	(void)state;
	assert_int_equal(spawn_run(&s, out, sizeof(out), &status, &f), -1);
	assert_non_null(strstr(f.text, "/nonexistent/x"));
	assert_int_equal(f.class, FAULT_PERM);
	assert_int_equal(f.err, ENOENT);
	s.dir = "/nonexistent";
	s.path = "/bin/sh";
	assert_int_equal(spawn_run(&s, out, sizeof(out), &status, &f), -1);
	assert_non_null(strstr(f.text, "folder /nonexistent"));
	s.dir = "/";
	s.as = &root;
	assert_int_equal(spawn_run(&s, out, sizeof(out), &status, &f), -1);
	assert_non_null(strstr(f.text, "refused"));
}

/* The time-out kills the whole group, grandchildren included. */
static void
test_timeout(void **state)
{
	struct outcome	o;
	int		r;
	int		w;

	(void)state;
	assert_int_equal(shell("sleep 60 & echo $!; wait", NULL, 1, &o), -1);
	assert_int_equal(o.f.err, ETIMEDOUT);
	assert_int_equal(o.status, 128 + SIGTERM);
	assert_true(o.ms >= 1000 && o.ms < 4000);
	r = (int)strtol(o.out, NULL, 10);
	assert_true(r > 1);
	for (w = 0; w < 3000 && kill(r, 0) == 0; w++) {
		/* A zombie until init has waited for it. */
		char path[64];
		char text[256] = "";
		FILE *fp;

		(void)snprintf(path, sizeof(path), "/proc/%d/stat", r);
		fp = fopen(path, "re");
		if (fp == NULL)
			break;
		(void)!fread(text, 1, sizeof(text) - 1, fp);
		(void)fclose(fp);
		if (strstr(text, ") Z ") != NULL)
			break;
		clock_sleep(20);
	}
	assert_true(w < 3000);
	/* One that ignores SIGTERM, and one that ends by itself after it. */
	assert_int_equal(shell("trap '' TERM; while :; do sleep 1; done", NULL,
	    1, &o), -1);
	assert_int_equal(o.status, 128 + SIGKILL);
	assert_int_equal(shell("trap 'exit 7' TERM; sleep 60 & wait", NULL, 1,
	    &o), 0);
	assert_int_equal(o.status, 7);
}

/* A daemon that keeps the output open does not keep us waiting. */
static void
test_background(void **state)
{
	struct outcome o;

	(void)state;
	assert_int_equal(shell("sleep 8 & echo started", NULL, 10, &o), 0);
	assert_string_equal(o.out, "started\n");
	assert_true(o.ms < 4000);
}

static void
test_as(void **state)
{
	struct identity	nobody = { .uid = 65534, .gid = 65533, .ngids = 1,
		.gids = { 65532 } };
	struct outcome	o;

	(void)state;
	if (geteuid() != 0) {
		print_message("needs root\n");
		skip();
	}
	assert_int_equal(shell("id -u; id -G; "
	    "grep NoNewPrivs /proc/self/status", &nobody, 10, &o), 0);
	assert_string_equal(o.out, "65534\n65533 65532\nNoNewPrivs:\t0\n");
}

static void
on_signal(int sig)
{
	(void)sig;
}

static void
test_fork_and_wait(void **state)
{
	struct sigaction act = { .sa_handler = on_signal };
	int	status = -1;
	int	go_on[2];
	char	c;
	pid_t	pid;

	(void)state;
	assert_int_equal(pipe2(go_on, O_CLOEXEC), 0);
	assert_int_equal(sigaction(SIGUSR2, &act, NULL), 0);
	pid = spawn_fork(NULL);
	if (pid == 0) {
		struct sigaction now;

		(void)sigaction(SIGUSR2, NULL, &now);
		if (now.sa_handler != SIG_DFL)
			spawn_exit(1);
		(void)sigaction(SIGPIPE, NULL, &now);
		(void)!read(go_on[0], &c, 1);
		spawn_exit(now.sa_handler == SIG_IGN ? 9 : 2);
	}
	assert_int_equal(spawn_wait(pid, 0, &status), 0);
	assert_int_equal(spawn_wait(pid, 50, &status), 0);
	assert_int_equal(write(go_on[1], "x", 1), 1);
	(void)close(go_on[0]);
	(void)close(go_on[1]);
	assert_int_equal(spawn_wait(pid, 60000, &status), 1);
	assert_int_equal(status, 9);
	assert_int_equal(spawn_wait(pid, 60000, &status), 1);	/* not ours */
	assert_int_equal(status, 127);
	pid = spawn_fork_bare(NULL);
	if (pid == 0)
		for (;;)
			clock_sleep(1000);
	spawn_kill(pid);
	assert_int_equal(spawn_wait(pid, -1, &status), 1);
	assert_int_equal(status, 128 + SIGKILL);
}

/* Who is late is ended; who calls it off is not. */
static void
test_deadline(void **state)
{
	int	status = -1;
	pid_t	pids[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
		pids[i] = spawn_fork(NULL);
		if (pids[i] != 0)
			continue;
		spawn_deadline(1);
		if (i == 1)
			spawn_deadline(0);
		clock_sleep(i == 1 ? 1100 : 5000);
		spawn_exit(7);
	}
	assert_int_equal(spawn_wait(pids[0], 60000, &status), 1);
	assert_int_equal(status, SPAWN_LATE);
	assert_int_equal(spawn_wait(pids[1], 60000, &status), 1);
	assert_int_equal(status, 7);
}

/* Not caught by cmocka in the child, which would go on with all other tests. */
static void
test_a_test_ends(void **state)
{
	int	status = -1;
	pid_t	pid;

	(void)state;
	pid = test_fork();
	if (pid == 0)
		(void)raise(SIGSEGV);
	assert_int_equal(spawn_wait(pid, 60000, &status), 1);
	assert_int_equal(status, 128 + SIGSEGV);
}

static bool
is_mapped(const char *library)
{
	static char		text[65536];
	AUTO(fd_close) int	fd = open("/proc/self/maps", O_RDONLY);
	ssize_t			n = file_read(fd, text, sizeof(text) - 1, NULL);

	if (n < 0)
		return false;
	text[n] = '\0';
	return strstr(text, library) != NULL;
}

static bool
child_has(const char *library)
{
	int	status;
	pid_t	pid = spawn_fork(NULL);

	if (pid == 0)
		_exit(is_mapped(library) ? 1 : 0);
	assert_int_equal(spawn_wait(pid, 60000, &status), 1);
	return status == 1;
}

/* The last of the tests: the next child had better not use cmocka. */
static void
test_without(void **state)
{
	static const char *const names[] = { "libnone.", "libcmocka." };

	(void)state;
	assert_true(child_has("/libcmocka."));
	spawn_without(names, ARRAY_LEN(names));
	assert_true(is_mapped("/libcmocka."));
	assert_int_equal(child_has("/libcmocka."), POPPER_SANITIZED);
	assert_true(child_has("/libc."));
}

/* ---- memory without relatives ---- */

static char	written[5000] = "data";

/* Kibibytes that others have as well, of the mapping in which this lies. */
static unsigned long
shared_kib(uintptr_t at)
{
	FILE		*in = fopen("/proc/self/smaps", "r");
	char		 line[512];
	uintptr_t	 from = 0;
	uintptr_t	 to = 0;
	unsigned long	 kib;
	unsigned long	 sum = 0;

	assert_non_null(in);
	while (fgets(line, sizeof(line), in) != NULL) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2)
			continue;
		if (from <= at && at < to &&
		    (sscanf(line, "Shared_Clean: %lu", &kib) == 1 ||
		    sscanf(line, "Shared_Dirty: %lu", &kib) == 1))
			sum += kib;
	}
	assert_int_equal(fclose(in), 0);
	return sum;
}

static unsigned
use_stack(unsigned depth)
{
	volatile uint8_t room[8192];

	room[0] = (uint8_t)depth;
	room[sizeof(room) - 1] = 1;
	return depth == 0 ? 0 : use_stack(depth - 1) + room[sizeof(room) - 1];
}

/* A child that has begun, and looks once our end is closed: all is as it was. */
static pid_t
fork_witness(const char *heap, int *end_r)
{
	struct fault	f;
	int		ends[2];
	pid_t		pid;
	char		b = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	pid = spawn_fork(&f);
	if (pid == 0) {
		(void)close(ends[0]);
		(void)!write(ends[1], &b, 1);
		(void)!read(ends[1], &b, 1);
		_exit(strcmp(heap, "heap") == 0 && strcmp(written, "data") == 0 &&
		    use_stack(100) == 100 ? 7 : 1);
	}
	(void)close(ends[1]);
	assert_int_equal(read(ends[0], &b, 1), 1);
	*end_r = ends[0];
	return pid;
}

static void
look_at_witness(pid_t pid, int end)
{
	int status;

	(void)close(end);
	assert_int_equal(spawn_wait(pid, 10000, &status), 1);
	assert_int_equal(status, 7);
}

/* Nobody else has a page of ours, whatever it is, and nobody notices. */
static void
test_renew(void **state)
{
	volatile char	 local[] = "local";
	char		*heap = malloc(100000);
	const uintptr_t	 where[] = {
		(uintptr_t)heap, (uintptr_t)written, (uintptr_t)local,
		(uintptr_t)test_renew, (uintptr_t)getpid,
	};
	int		 fds = dup(0);

	(void)state;
	assert_non_null(heap);
	memcpy(heap, "heap", sizeof("heap"));
	for (int round = 0; round < 3; round++) {
		int	end;
		pid_t	pid = fork_witness(heap, &end);

		for (size_t i = 0; i < ARRAY_LEN(where); i++)
			if (shared_kib(where[i]) == 0)
				fail_msg("round %d: mapping %zu is ours alone",
				    round, i);
		spawn_renew();
		for (size_t i = 0; i < ARRAY_LEN(where); i++)
			if (!POPPER_SANITIZED && shared_kib(where[i]) != 0)
				fail_msg("round %d: mapping %zu", round, i);
		assert_string_equal(heap, "heap");
		assert_string_equal(written, "data");
		assert_int_equal(local[4], 'l');
		assert_int_equal(use_stack(400), 400);	/* 3 MiB */
		written[4000]++;
		look_at_witness(pid, end);
	}
	assert_int_equal(written[4000], 3);
	assert_int_equal(dup(0), fds + 1);
	(void)close(fds);
	(void)close(fds + 1);
	free(heap);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_much_output),
		cmocka_unit_test(test_not_started),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_background),
		cmocka_unit_test(test_as),
		cmocka_unit_test(test_fork_and_wait),
		cmocka_unit_test(test_a_test_ends),
		cmocka_unit_test(test_without),
		cmocka_unit_test(test_renew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
