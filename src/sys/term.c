/* SPDX-License-Identifier: ISC */
/*
 * Asking for a password.
 * Runs as: whoever started `popper passwd`.
 * Reads from: the terminal, or standard input.
 */
#include "sys/term.h"

#include "sys/file.h"
#include "sys/sys_priv.h"

#include <fcntl.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };

static volatile sig_atomic_t	caught;

static void
on_signal(int number)
{
	caught = number;
}

bool
term_shows(void)
{
	return isatty(STDERR_FILENO) == 1;
}

bool
term_interactive(void)
{
	return isatty(STDIN_FILENO) == 1;
}

static int
read_line(int fd, struct secret *x, struct fault *f)
{
	uint8_t	c;
	ssize_t	n;

	secret_wipe(x);
	for (;;) {
		n = read(fd, &c, 1);
		if (n == -1 && errno == EINTR && caught == 0)
			continue;
		if (n == -1)
			return SYS_FAULT(f, "read the password");
		if (n == 0 || c == '\n')
			break;
		if (x->n == sizeof(x->b))
			return fault_set(f, FAULT_LIMIT,
			    "the password is longer than %d octets",
			    SECRET_MAX);
		x->b[x->n++] = c;
	}
	if (x->n > 0 && x->b[x->n - 1] == '\r')
		x->n--;
	return 0;
}

int
term_read(struct secret *x, struct fault *f)
{
	caught = 0;
	return read_line(STDIN_FILENO, x, f);
}

static int
ask_silently(int fd, const char *prompt, struct secret *x, struct fault *f)
{
	struct termios	shown;
	struct termios	silent;
	int		rc;

	if (tcgetattr(fd, &shown) == -1)
		return SYS_FAULT(f, "ask the terminal");
	silent = shown;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(fd, TCSAFLUSH, &silent) == -1)
		return SYS_FAULT(f, "silence the terminal");
	rc = file_write(fd, prompt, strlen(prompt), f);
	if (rc == 0)
		rc = read_line(fd, x, f);
	if (tcsetattr(fd, TCSAFLUSH, &shown) == -1 && rc == 0)
		rc = SYS_FAULT(f, "restore the terminal");
	if (file_write(fd, "\n", 1, NULL) == -1)
		return rc;		/* what was typed counts */
	return rc;
}

int
term_ask(const char *prompt, struct secret *x, struct fault *f)
{
	const struct sigaction	on = { .sa_handler = on_signal };
	struct sigaction	was[ARRAY_LEN(signals)];
	AUTO(fd_close) int	fd = -1;
	int			rc;

	fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
	if (fd == -1)
		return SYS_FAULT(f, "open the terminal");
	caught = 0;
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		(void)sigaction(signals[i], &on, &was[i]);
	rc = ask_silently(fd, prompt, x, f);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		(void)sigaction(signals[i], &was[i], NULL);
	if (caught != 0)
		(void)raise(caught);
	return rc;
}
