/* SPDX-License-Identifier: ISC */
/*
 * The log against a daemon of our own: a socket in a temporary folder.
 */
#include "sys/file.h"
#include "sys/sock.h"
#include "sys/spawn.h"
#include "sys/test_dir.h"
#include "watch/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

struct daemon {
	struct test_dir	*dir;
	char		 path[100];
	int		 fd;		/* -1: does not listen */
	char		 line[8192];	/* the last one received */
	size_t		 n;
};

static struct daemon	d;

static void
daemon_start(int type)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct timeval tv = { .tv_sec = 60 };

	memcpy(un.sun_path, d.path, strlen(d.path));
	(void)unlink(d.path);
	d.fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(d.fd, (struct sockaddr *)&un, sizeof(un)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(d.fd, 5), 0);
	assert_int_equal(setsockopt(d.fd, SOL_SOCKET, SO_RCVTIMEO, &tv,
	    sizeof(tv)), 0);
}

static void
daemon_stop(void)
{
	fd_close(&d.fd);
	(void)unlink(d.path);
}

/* The next line without its stamp; "": it has none. */
static const char *
daemon_line(void)
{
	ssize_t		 n = recv(d.fd, d.line, sizeof(d.line) - 1, 0);
	const char	*text;

	d.n = n < 0 ? 0 : (size_t)n;
	d.line[d.n] = '\0';
	text = strstr(d.line, "]: ");
	return text == NULL ? "" : text + 3;
}

static bool
daemon_hears_nothing(void)
{
	struct pollfd p = { .fd = d.fd, .events = POLLIN };

	return poll(&p, 1, 200) == 0;
}

static void
open_log(bool debug, int trace_fd)
{
	const struct log_conf c = {
		.to = LOG_TO_SYSLOG, .socket = d.path, .facility = 2,
		.debug = debug, .trace_fd = trace_fd,
	};

	log_open(&c);
}

static int
setup(void **state)
{
	if (test_dir_setup(state) == -1)
		return -1;
	d.dir = *state;
	(void)snprintf(d.path, sizeof(d.path), "%s/log", d.dir->path);
	daemon_start(SOCK_DGRAM);
	return 0;
}

static int
teardown(void **state)
{
	log_close();
	daemon_stop();
	return test_dir_teardown(state);
}

/* ------------------------------------------------------- form */

static void
test_form(void **state)
{
	struct log_line	l;
	struct fault	f;
	int		day;
	int		hh, mm, ss, pid, used = 0;
	char		month[4];

	(void)state;
	open_log(false, -1);
	log_begin(&l, LEVEL_WARN, "login-failed");
	log_str(&l, "user", "alice");
	log_str(&l, "ip", "2001:db8::1");
	log_num(&l, "n", UINT64_MAX);
	log_end(&l);
	assert_string_equal(daemon_line(),
	    "login-failed user=alice ip=2001:db8::1 n=18446744073709551615");
	assert_int_equal(sscanf(d.line, "<20>%3s %2d %d:%d:%d popper[%d]: %n",
	    month, &day, &hh, &mm, &ss, &pid, &used), 6);
	assert_true(used > 0);
	assert_int_equal(pid, getpid());
	/* The day has two places, the first of them perhaps blank. */
	assert_int_equal(strcspn(d.line, ":"), strlen("<20>Jan 01 00"));

	log_set_sid("s1");
	log_text(LEVEL_NOTE, "conf-note", "%d of %s", 3, "four");
	assert_string_equal(daemon_line(),
	    "conf-note sid=s1 text=\"3 of four\"");
	assert_memory_equal(d.line, "<21>", 4);
	(void)fault_set(&f, FAULT_TEMP, "a \"b\"\n");
	log_fault(LEVEL_ERR, "drop-error", &f);
	assert_string_equal(daemon_line(),
	    "drop-error sid=s1 text=\"a \\x22b\\x22\\x0a\"");
	assert_memory_equal(d.line, "<19>", 4);
	log_stats(SPAN("a b\n="), 1, 2, 3, UINT64_MAX, "h 1.2.3.4\n");
	assert_string_equal(daemon_line(), "Stats: a\\x20b\\x0a\\x3d 1 2 3 "
	    "18446744073709551615 h 1.2.3.4\\x0a sid=s1");
}

static const struct value_case {
	struct span	 value;
	const char	*want;
} value_cases[] = {
	{ { (const uint8_t *)"", 0 },		"x v=\"\"" },
	{ { (const uint8_t *)"a", 1 },		"x v=a" },
	{ { (const uint8_t *)"a b", 3 },	"x v=\"a b\"" },
	{ { (const uint8_t *)"a=b", 3 },	"x v=\"a=b\"" },
	{ { (const uint8_t *)"\"", 1 },		"x v=\"\\x22\"" },
	{ { (const uint8_t *)"\\", 1 },		"x v=\"\\x5c\"" },
	{ { (const uint8_t *)"\0", 1 },		"x v=\"\\x00\"" },
	{ { (const uint8_t *)"\r\n", 2 },	"x v=\"\\x0d\\x0a\"" },
	{ { (const uint8_t *)"\xc3\xa4", 2 },	"x v=\"\\xc3\\xa4\"" },
	{ { (const uint8_t *)"\x7f~!", 3 },	"x v=\"\\x7f~!\"" },
	{ { (const uint8_t *)"%s%n", 4 },	"x v=%s%n" },
	{ { (const uint8_t *)"\033[2J", 4 },	"x v=\"\\x1b[2J\"" },
};

static void
test_values(void **state)
{
	(void)state;
	open_log(false, -1);
	for (size_t i = 0; i < ARRAY_LEN(value_cases); i++) {
		struct log_line l;

		log_begin(&l, LEVEL_NOTE, "x");
		log_field(&l, "v", value_cases[i].value);
		log_end(&l);
		assert_string_equal(daemon_line(), value_cases[i].want);
	}
}

/* ------------------------------------------------------- property */

static int
hex_of(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

/* What an operator's script does: the value at s; NULL when malformed. */
static const char *
parse_value(const char *s, uint8_t *out, size_t *n)
{
	bool quoted = *s == '"';

	*n = 0;
	for (s += quoted; *s != '\0' && (quoted ? *s != '"' : *s != ' '); s++) {
		if (*s < ' ' || *s > '~')
			return NULL;
		if (*s != '\\') {
			out[(*n)++] = (uint8_t)*s;
			continue;
		}
		if (!quoted || s[1] != 'x' || hex_of(s[2]) < 0 ||
		    hex_of(s[3]) < 0)
			return NULL;
		out[(*n)++] = (uint8_t)(hex_of(s[2]) << 4 | hex_of(s[3]));
		s += 3;
	}
	if (!quoted)
		return s;
	return *s == '"' ? s + 1 : NULL;
}

static void
test_round_trip(void **state)
{
	(void)state;
	open_log(false, -1);
	for (int round = 0; round < 3000; round++) {
		uint8_t		value[2][256];
		size_t		n[2];
		uint8_t		back[4096];
		size_t		got;
		const char	*s;
		struct log_line	l;

		log_begin(&l, LEVEL_NOTE, "x");
		for (int k = 0; k < 2; k++) {
			uint8_t len;

			random_bytes(&len, 1);
			random_bytes(value[k], sizeof(value[k]));
			n[k] = round % 3 == 0 ? len : len % 20u;
			if (round % 2 == 0)	/* mostly printable */
				for (size_t i = 0; i < n[k]; i++)
					value[k][i] = ' ' + value[k][i] % 97;
			/* Both fit: at most 4 x 220 octets each. */
			n[k] = n[k] < 220 ? n[k] : 220;
			log_field(&l, k == 0 ? "a" : "b",
			    span_of(value[k], n[k]));
		}
		log_end(&l);
		s = daemon_line();
		assert_memory_equal(s, "x a=", 4);
		s += 4;
		for (int k = 0; k < 2; k++) {
			s = parse_value(s, back, &got);
			assert_non_null(s);
			assert_int_equal(got, n[k]);
			assert_memory_equal(back, value[k], got);
			if (k == 0) {
				assert_memory_equal(s, " b=", 3);
				s += 3;
			}
		}
		assert_string_equal(s, "");
		assert_null(memchr(d.line, '\n', d.n));
	}
}

/* Fields of any length: the bound holds and the line can be parsed. */
static void
test_bounds(void **state)
{
	static uint8_t	block[5000];
	struct log_line	l;
	uint8_t		back[4096];
	size_t		got;

	(void)state;
	open_log(false, -1);
	for (size_t len = 0; len < sizeof(block); len += 61) {
		const char *s;

		random_bytes(block, sizeof(block));
		log_begin(&l, LEVEL_NOTE, "x");
		for (int k = 0; k < 40; k++) {
			log_field(&l, "k", span_of(block, len));
			assert_true(l.n <= sizeof(l.b));
		}
		log_end(&l);
		s = daemon_line();
		assert_true(d.n < sizeof(l.b) + 64);
		assert_int_equal(*s++, 'x');
		while (*s != '\0') {
			assert_memory_equal(s, " k=", 3);
			s = parse_value(s + 3, back, &got);
			assert_non_null(s);
			assert_true(got <= 256 + 3);
			if (got < len)
				assert_memory_equal(back + got - 3, "...", 3);
		}
	}
	log_stats(span_of(block, sizeof(block)), 0, 0, 0, 0, "");
	assert_true(strlen(daemon_line()) > 0);
	assert_true(d.n <= sizeof(l.b) + 64);
	log_begin(&l, LEVEL_NOTE, "x");
	memset(block, 'a', 300);
	log_field(&l, "v", span_of(block, 300));
	log_end(&l);
	assert_int_equal(strlen(daemon_line()), strlen("x v=") + 256 + 3);
}

/* A number is there whole or not at all. */
static void
test_numbers(void **state)
{
	struct log_line	l;
	uint8_t		block[256];
	size_t		seen = 0;

	(void)state;
	memset(block, 'a', sizeof(block));
	open_log(false, -1);
	for (size_t len = 0; len < sizeof(block); len++) {
		const char *n;

		log_begin(&l, LEVEL_NOTE, "x");
		for (int k = 0; k < 8; k++)
			log_field(&l, "k", span_of(block, k < 7 ? 250 : len));
		log_num(&l, "n", UINT64_MAX);
		log_end(&l);
		n = strstr(daemon_line(), " n=");
		if (n == NULL)
			continue;
		assert_string_equal(n, " n=18446744073709551615");
		seen++;
	}
	assert_true(seen > 100 && seen < 256);
}

/* More fields than there is a place for are left out. */
static void
test_parts(void **state)
{
	struct log_line	l;
	size_t		n = 0;

	(void)state;
	open_log(false, -1);
	log_begin(&l, LEVEL_NOTE, "x");
	for (int k = 0; k < 2 * LOG_PARTS_MAX; k++)
		log_num(&l, "k", 1);
	log_end(&l);
	for (const char *s = daemon_line(); (s = strstr(s, " k=")) != NULL; s++)
		n++;
	assert_int_equal(n, LOG_PARTS_MAX);
}

/* ------------------------------------------------------- levels, trace */

static size_t
read_file(const char *name, char *out, size_t cap)
{
	AUTO(fd_close) int fd = -1;
	ssize_t n;

	assert_int_equal(file_open(d.dir->fd, name, FILE_READ, 0, &fd, NULL),
	    0);
	n = file_slurp(fd, out, cap - 1, NULL);
	assert_true(n >= 0);
	out[n] = '\0';
	return (size_t)n;
}

static void
test_debug(void **state)
{
	(void)state;
	open_log(false, -1);
	assert_false(log_wants(LEVEL_DEBUG));
	assert_true(log_wants(LEVEL_NOTE));
	log_text(LEVEL_DEBUG, "x", "no");
	log_dialogue('C', SPAN("NOOP"));
	assert_true(daemon_hears_nothing());
	open_log(true, -1);
	log_dialogue('C', SPAN("USER \xff"));
	assert_string_equal(daemon_line(),
	    "dialogue from=C line=\"USER \\xff\"");
	assert_memory_equal(d.line, "<23>", 4);
}

static void
test_trace(void **state)
{
	char		path[100];
	char		text[1000];
	struct fault	f;
	int		fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/trace", d.dir->path);
	assert_int_equal(log_trace_open(path, &fd, &f), 0);
	open_log(false, fd);
	assert_true(log_wants(LEVEL_DEBUG));
	log_text(LEVEL_DEBUG, "one", "only here");
	log_text(LEVEL_WARN, "two", "both");
	assert_string_equal(daemon_line(), "two text=both");
	assert_true(daemon_hears_nothing());
	(void)read_file("trace", text, sizeof(text));
	assert_non_null(strstr(text, "]: one text=\"only here\"\n"));
	assert_non_null(strstr(text, "]: two text=both\n"));
	assert_true(text[0] != '<');
}

static void
test_trace_is_safe(void **state)
{
	struct fault	f;
	char		path[128];
	int		fd;

	(void)state;
#define TRY(name)	(snprintf(path, sizeof(path), "%s/" name, d.dir->path), \
			 log_trace_open(path, &fd, &f))
	assert_int_equal(TRY("new"), 0);
	fd_close(&fd);
	assert_int_equal(TRY("new"), 0);
	fd_close(&fd);
	assert_int_equal(symlinkat("new", d.dir->fd, "link"), 0);
	assert_int_equal(TRY("link"), -1);
	assert_int_equal(linkat(d.dir->fd, "new", d.dir->fd, "twin", 0), 0);
	assert_int_equal(TRY("twin"), -1);
	assert_int_equal(mkfifoat(d.dir->fd, "fifo", 0600), 0);
	assert_int_equal(TRY("fifo"), -1);
	assert_int_equal(TRY("absent/file"), -1);
	assert_int_equal(TRY("new/file"), -1);
	assert_int_equal(TRY(""), -1);
	assert_int_equal(TRY("open"), 0);
	assert_int_equal(fchmod(fd, 0622), 0);
	fd_close(&fd);
	assert_int_equal(TRY("open"), -1);
	/* A link of ours to a folder is followed, but not where others write. */
	assert_int_equal(mkdirat(d.dir->fd, "sub", 0755), 0);
	assert_int_equal(symlinkat("sub", d.dir->fd, "dirlink"), 0);
	assert_int_equal(TRY("dirlink/file"), 0);
	fd_close(&fd);
	assert_int_equal(fchmod(d.dir->fd, 01777), 0);
	assert_int_equal(TRY("dirlink/file"), -1);
	assert_int_equal(TRY("sub/file"), 0);
	fd_close(&fd);
	if (geteuid() == 0) {
		assert_int_equal(fchownat(d.dir->fd, "sub/file", 1, 1, 0), 0);
		assert_int_equal(TRY("sub/file"), -1);
	}
}

static void
test_file(void **state)
{
	char			path[100];
	char			text[1000];
	struct log_conf		c = {
		.to = LOG_TO_FILE, .file = path, .socket = d.path,
		.facility = 2, .trace_fd = -1,
	};

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/file", d.dir->path);
	log_open(&c);
	log_text(LEVEL_NOTE, "x", "a");
	(void)read_file("file", text, sizeof(text));
	assert_non_null(strstr(text, "]: x text=a\n"));
	/* It cannot be opened: syslog, which is told so first. */
	(void)snprintf(path, sizeof(path), "%s/absent/file", d.dir->path);
	log_open(&c);
	assert_non_null(strstr(daemon_line(), "log-file text="));
	log_text(LEVEL_NOTE, "x", "b");
	assert_string_equal(daemon_line(), "x text=b");
}

/* ------------------------------------------------------- the daemon */

static void
test_restart(void **state)
{
	(void)state;
	open_log(false, -1);
	log_text(LEVEL_NOTE, "x", "1");
	assert_string_equal(daemon_line(), "x text=1");
	daemon_stop();
	daemon_start(SOCK_DGRAM);
	log_text(LEVEL_NOTE, "x", "2");
	assert_string_equal(daemon_line(), "x text=2");
	daemon_stop();
	log_text(LEVEL_NOTE, "x", "3");
	log_text(LEVEL_NOTE, "x", "4");
	daemon_start(SOCK_DGRAM);
	log_close();			/* the last chance */
	assert_string_equal(daemon_line(), "x text=3");
	assert_string_equal(daemon_line(), "x text=4");
	assert_true(daemon_hears_nothing());
}

static void
test_not_there_yet(void **state)
{
	int	said[2];
	int	there[2];
	pid_t	pid;
	char	c;

	(void)state;
	daemon_stop();
	assert_int_equal(pipe2(said, O_CLOEXEC), 0);
	assert_int_equal(pipe2(there, O_CLOEXEC), 0);
	pid = spawn_fork(NULL);
	if (pid == 0) {
		open_log(false, -1);
		for (int i = 0; i < 40; i++)
			log_text(LEVEL_NOTE, "x", "%d", i);
		(void)!write(said[1], "x", 1);
		(void)!read(there[0], &c, 1);
		clock_sleep(1100);
		log_text(LEVEL_NOTE, "x", "last");
		spawn_exit(0);
	}
	assert_int_equal(read(said[0], &c, 1), 1);
	daemon_start(SOCK_DGRAM);
	assert_int_equal(write(there[1], "x", 1), 1);
	/* 32 were kept, the first 8 went. */
	for (int i = 8; i < 40; i++) {
		char want[20];

		(void)snprintf(want, sizeof(want), "x text=%d", i);
		assert_string_equal(daemon_line(), want);
	}
	assert_string_equal(daemon_line(), "x text=last");
	assert_string_equal(daemon_line(), "log-lost lines=8");
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	for (int i = 0; i < 2; i++) {
		(void)close(said[i]);
		(void)close(there[i]);
	}
}

static int	reopened;

static int
give_fresh(void *ctx)
{
	assert_ptr_equal(ctx, &d);
	reopened++;
	log_text(LEVEL_NOTE, "x", "while asking");
	return log_connect();
}

static int
give_nothing(void *ctx)
{
	(void)ctx;
	reopened++;
	return -1;
}

static void
test_reopen(void **state)
{
	(void)state;
	open_log(false, -1);
	log_set_reopen(give_fresh, &d);
	log_text(LEVEL_NOTE, "x", "1");
	assert_string_equal(daemon_line(), "x text=1");
	assert_int_equal(reopened, 0);
	daemon_stop();
	daemon_start(SOCK_DGRAM);
	log_text(LEVEL_NOTE, "x", "2");
	assert_int_equal(reopened, 1);
	assert_string_equal(daemon_line(), "x text=2");
	log_text(LEVEL_NOTE, "x", "3");
	assert_string_equal(daemon_line(), "x text=\"while asking\"");
	assert_string_equal(daemon_line(), "x text=3");
	log_set_reopen(give_nothing, NULL);
	daemon_stop();
	for (int i = 0; i < 100; i++)
		log_text(LEVEL_NOTE, "x", "4");
	assert_true(reopened < 5);	/* not for each line */
}

static void
test_stream(void **state)
{
	int	from;
	char	text[200];
	ssize_t	n;

	(void)state;
	daemon_stop();
	daemon_start(SOCK_STREAM);
	open_log(false, -1);
	log_text(LEVEL_NOTE, "x", "1");
	log_text(LEVEL_NOTE, "x", "2");
	from = accept(d.fd, NULL, NULL);
	n = read(from, text, sizeof(text));
	assert_true(n > 20);
	assert_int_equal(text[n - 1], '\0');
	assert_non_null(strstr(text, "]: x text=1"));
	assert_non_null(strstr(text + strlen(text) + 1, "]: x text=2"));
	(void)close(from);
	(void)shutdown(d.fd, SHUT_RDWR);
}

static void
open_journal(enum log_form form)
{
	const struct log_conf c = {
		.to = LOG_TO_JOURNAL, .socket = "/nowhere", .journal = d.path,
		.facility = 2, .form = form, .trace_fd = -1,
	};

	log_open(&c);
}

/* The same as for syslog: kept while it is away, and a fresh descriptor. */
static void
test_journal(void **state)
{
	(void)state;
	open_journal(LOG_JSON);		/* which is nothing to the journal */
	log_text(LEVEL_ERR, "x", "1");
	assert_string_equal(daemon_line(), "");
	assert_memory_equal(d.line, "PRIORITY=3\nSYSLOG_FACILITY=2\n", 29);
	assert_memory_equal(d.line + d.n - 22, "POPPER_TEXT\n\1\0\0\0\0\0\0\0"
	    "1\n", 22);
	log_set_reopen(give_fresh, &d);
	reopened = 0;
	daemon_stop();
	daemon_start(SOCK_DGRAM);
	log_text(LEVEL_ERR, "x", "2");
	assert_int_equal(reopened, 1);
	(void)daemon_line();
	assert_int_equal(d.line[d.n - 2], '2');
	daemon_stop();
	log_set_reopen(NULL, NULL);
	log_text(LEVEL_ERR, "x", "3");
	daemon_start(SOCK_DGRAM);
	log_close();
	(void)daemon_line();		/* "while asking" */
	(void)daemon_line();
	assert_int_equal(d.line[d.n - 2], '3');
}

/* A daemon that reads nothing holds us up for a moment, not for ever. */
static void
test_busy(void **state)
{
	uint64_t start = clock_ms();

	(void)state;
	open_log(false, -1);
	for (int i = 0; i < 20; i++)
		log_text(LEVEL_NOTE, "x", "%d", i);
	while (!daemon_hears_nothing())
		assert_memory_equal(daemon_line(), "x text=", 7);
	assert_true(clock_ms() - start < 10000);
}

/* One that hangs costs its time once in a second, not each line. */
static void
test_stuck(void **state)
{
	enum { STUCK_LINES = 60 };
	uint64_t start = clock_ms();

	(void)state;
	open_log(false, -1);
	for (int i = 0; i < STUCK_LINES; i++)
		log_text(LEVEL_NOTE, "x", "%d", i);
	assert_true(clock_ms() - start < STUCK_LINES * 100 / 3);
	for (int i = 0; i < 5; i++)		/* it goes on */
		assert_memory_equal(daemon_line(), "x text=", 7);
	log_text(LEVEL_NOTE, "x", "more");
	for (int i = 0; i < 10; i++)
		assert_memory_equal(daemon_line(), "x text=", 7);
	log_close();
}

static void
test_fork(void **state)
{
	char	want[40];
	pid_t	pid;

	(void)state;
	daemon_stop();
	open_log(false, -1);
	log_text(LEVEL_NOTE, "x", "parent");
	daemon_start(SOCK_DGRAM);
	pid = spawn_fork(NULL);
	if (pid == 0) {
		clock_sleep(1100);
		log_text(LEVEL_NOTE, "x", "child");
		spawn_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_string_equal(daemon_line(), "x text=child");
	(void)snprintf(want, sizeof(want), "popper[%d]: ", (int)pid);
	assert_non_null(strstr(d.line, want));
	log_close();
	assert_string_equal(daemon_line(), "x text=parent");
	(void)snprintf(want, sizeof(want), "popper[%d]: ", (int)getpid());
	assert_non_null(strstr(d.line, want));
}

static void
test_fds(void **state)
{
	struct log_line	l;
	int		fds[2];

	(void)state;
	assert_int_equal(log_fds(fds), 0);
	log_text(LEVEL_ERR, "x", "not open");
	log_begin(&l, LEVEL_ERR, "x");
	assert_int_equal(l.n, 0);
	open_log(false, dup(2));
	assert_int_equal(log_fds(fds), 2);
	assert_true(fd_is_socket(fds[0]));
}

#define WITH_DAEMON(t)	cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DAEMON(test_form),
		WITH_DAEMON(test_values),
		WITH_DAEMON(test_round_trip),
		WITH_DAEMON(test_bounds),
		WITH_DAEMON(test_numbers),
		WITH_DAEMON(test_parts),
		WITH_DAEMON(test_debug),
		WITH_DAEMON(test_trace),
		WITH_DAEMON(test_trace_is_safe),
		WITH_DAEMON(test_file),
		WITH_DAEMON(test_restart),
		WITH_DAEMON(test_not_there_yet),
		WITH_DAEMON(test_reopen),
		WITH_DAEMON(test_stream),
		WITH_DAEMON(test_journal),
		WITH_DAEMON(test_busy),
		WITH_DAEMON(test_stuck),
		WITH_DAEMON(test_fork),
		WITH_DAEMON(test_fds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
