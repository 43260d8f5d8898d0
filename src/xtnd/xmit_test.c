/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/attr.h"
#include "sys/test_dir.h"
#include "xtnd/xmit.h"

#define MAX	65536
#define SENDER	"ann@example.org"

static int
temp_file(struct test_dir *d)
{
	int fd = openat(d->fd, "message", O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	return fd;
}

/* Feed in blocks; the octets behind the final line must be left. */
static void
feed(struct xmit *x, struct span in, size_t step, size_t want_left)
{
	while (in.n > 0) {
		struct span	part = span_first(in, step);
		size_t		n = part.n;
		bool		done = xmit_feed(x, &part);

		in = span_skip(in, n - part.n);
		if (done) {
			assert_int_equal(in.n, want_left);
			return;
		}
		assert_int_equal(part.n, 0);
	}
	fail_msg("no end was seen");
}

static void
assert_file(int fd, struct span want)
{
	char	got[1024];
	ssize_t	n = pread(fd, got, sizeof(got), 0);

	assert_true(n >= 0);
	assert_true(span_eq(span_of(got, (size_t)n), want));
}

static void
test_collect(void **state)
{
	static const char in[] = "To: a@x\r\n\r\n..dot\r\n...\r\nbare\n"
	    "NUL\0\xff\r\n.\r\nQUIT\r\n";
	static const char want[] = "To: a@x\n\n.dot\n..\nbare\nNUL\0\xff\n";
	struct xmit x;

	for (size_t step = 1; step < sizeof(in); step++) {
		xmit_init(&x, temp_file(*state), MAX);
		feed(&x, SPAN(in), step, 6);
		xmit_judge(&x, NULL);
		assert_int_equal(x.refusal, XMIT_FINE);
		assert_int_equal(x.octets, sizeof(want) - 1);
		assert_file(x.fd, SPAN(want));
		xmit_fini(&x);
	}
}

/* Exactly the limit passes; one more is swallowed to its end. */
static void
test_too_large(void **state)
{
	static const char in[] = "To: a@x\r\n\r\n0123456789\r\n.\r\n";
	const size_t	  octets = 8 + 1 + 11;
	struct xmit	  x;

	for (size_t max = octets - 2; max <= octets + 1; max++) {
		xmit_init(&x, temp_file(*state), max);
		feed(&x, SPAN(in), 5, 0);
		xmit_judge(&x, NULL);
		assert_int_equal(x.refusal, max >= octets ? XMIT_FINE :
		    XMIT_TOO_LARGE);
		assert_file(x.fd, max < octets ? SPAN("") :
		    SPAN("To: a@x\n\n0123456789\n"));
		xmit_fini(&x);
	}
}

/* Far over the limit: the disk holds at most a block more than it. */
static void
test_flood(void **state)
{
	static char	text[100000];
	struct xmit	x;

	memset(text, 'x', sizeof(text));
	xmit_init(&x, temp_file(*state), MAX);
	for (int i = 0; i < 50; i++) {
		struct span in = span_of(text, sizeof(text));

		assert_false(xmit_feed(&x, &in));
		assert_int_equal(in.n, 0);
	}
	assert_int_equal(x.refusal, XMIT_TOO_LARGE);
	feed(&x, SPAN("\r\n.\r\n"), 5, 0);
	xmit_judge(&x, NULL);
	assert_int_equal(x.refusal, XMIT_TOO_LARGE);
	assert_file(x.fd, SPAN(""));
	xmit_fini(&x);
}

static void
test_no_room(void **state UNUSED)
{
	struct xmit x;

	xmit_init(&x, open("/dev/full", O_RDWR), MAX);
	feed(&x, SPAN("To: a@x\r\n\r\nb\r\n.\r\n"), 3, 0);
	xmit_judge(&x, NULL);
	assert_int_equal(x.refusal, XMIT_NO_ROOM);
	assert_int_equal(x.err, ENOSPC);
	xmit_fini(&x);
}

static const struct {
	const char		*text;
	enum xmit_refusal	 want;
	enum xmit_refusal	 virtual;	/* with SENDER fixed */
} rows[] = {
	{ "To: a@x\n\nb\n", XMIT_FINE, XMIT_FINE },
	{ "To: a@x\n", XMIT_FINE, XMIT_FINE },
	{ "cc: a@x\n\nb\n", XMIT_FINE, XMIT_FINE },
	{ "BCC : a@x\n\nb\n", XMIT_FINE, XMIT_FINE },
	{ "Resent-To: a@x\n\n", XMIT_FINE, XMIT_FINE },
	{ "Resent-Cc: a@x\n\n", XMIT_FINE, XMIT_FINE },
	{ "Resent-Bcc: a@x\n\n", XMIT_FINE, XMIT_FINE },
	{ "To:\nCc:\nBcc: a@x\n\n", XMIT_FINE, XMIT_FINE },
	{ "To: nobody:;\nCc: a@x\n\n", XMIT_FINE, XMIT_FINE },
	{ "Subject: s\nTo: a@x,\n b@y,\n\tc@z\n\nb\n", XMIT_FINE, XMIT_FINE },

	{ "Subject: s\n\nTo: a@x\n", XMIT_NO_RECIPIENT, XMIT_NO_RECIPIENT },
	{ "To: nobody:;\n\n", XMIT_NO_RECIPIENT, XMIT_NO_RECIPIENT },
	{ "To:\n\n", XMIT_NO_RECIPIENT, XMIT_NO_RECIPIENT },
	{ "Reply-To: a@x\n\n", XMIT_NO_RECIPIENT, XMIT_NO_RECIPIENT },
	{ "Tool: a@x\n\n", XMIT_NO_RECIPIENT, XMIT_NO_RECIPIENT },

	{ "To: |x\n\n", XMIT_BAD_RECIPIENT, XMIT_BAD_RECIPIENT },
	{ "To: a@x\nCc: \"|x\"\n\n", XMIT_BAD_RECIPIENT, XMIT_BAD_RECIPIENT },
	{ "To: a@x\nBcc:\n /etc/x\n\n", XMIT_BAD_RECIPIENT,
	  XMIT_BAD_RECIPIENT },
	{ "To: a@x\nResent-Bcc: -oi\n\n", XMIT_BAD_RECIPIENT,
	  XMIT_BAD_RECIPIENT },
	{ "To: a@x\nApparently-To: |x\n\n", XMIT_BAD_RECIPIENT,
	  XMIT_BAD_RECIPIENT },

	{ "From: ann@example.org\nTo: a@x\n\n", XMIT_FINE, XMIT_FINE },
	{ "From: Ann <Ann@Example.ORG>\nTo: a@x\n\n", XMIT_FINE, XMIT_FINE },
	{ "From: bob@example.org\nTo: a@x\n\n", XMIT_FINE, XMIT_BAD_SENDER },
	{ "From: ann@example.org, bob@y\nTo: a@x\n\n", XMIT_FINE,
	  XMIT_BAD_SENDER },
	{ "From: ann@example.org\nFrom: bob@y\nTo: a@x\n\n", XMIT_FINE,
	  XMIT_BAD_SENDER },
	{ "From:\nTo: a@x\n\n", XMIT_FINE, XMIT_BAD_SENDER },
	{ "From: ann@example.org.evil\nTo: a@x\n\n", XMIT_FINE,
	  XMIT_BAD_SENDER },
	{ "Sender: bob@y\nTo: a@x\n\n", XMIT_FINE, XMIT_BAD_SENDER },
	{ "Resent-From: bob@y\nTo: a@x\n\n", XMIT_FINE, XMIT_BAD_SENDER },
	{ "Resent-Sender: bob@y\nTo: a@x\n\n", XMIT_FINE, XMIT_BAD_SENDER },

	{ "", XMIT_MALFORMED, XMIT_MALFORMED },
	{ "\nTo: a@x\n", XMIT_MALFORMED, XMIT_MALFORMED },
	{ "hello\n", XMIT_MALFORMED, XMIT_MALFORMED },
	{ "To: a@x\nhello\n\n", XMIT_MALFORMED, XMIT_MALFORMED },
	{ "From ann Sat Jan  1 00:00:00 2000\nTo: a@x\n\n", XMIT_MALFORMED,
	  XMIT_MALFORMED },
	{ "To: a@x\n\rBcc: |x\n\n", XMIT_MALFORMED, XMIT_MALFORMED },
	{ "Subject: s\rBcc: |x\nTo: a@x\n\n", XMIT_MALFORMED, XMIT_MALFORMED },
	{ " To: a@x\n\n", XMIT_MALFORMED, XMIT_MALFORMED },
};

static enum xmit_refusal
judge(struct test_dir *d, struct span text, const char *sender)
{
	enum xmit_refusal	r;
	struct xmit		x;
	int			fd = temp_file(d);

	assert_int_equal(write(fd, text.p, text.n), text.n);
	xmit_init(&x, fd, MAX);
	x.decoder.done = true;
	xmit_judge(&x, sender);
	r = x.refusal;
	xmit_fini(&x);
	return r;
}

static void
test_judge(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span text = span_str(rows[i].text);

		if (judge(*state, text, NULL) != rows[i].want ||
		    judge(*state, text, SENDER) != rows[i].virtual)
			fail_msg("%s: %d %d", rows[i].text,
			    (int)judge(*state, text, NULL),
			    (int)judge(*state, text, SENDER));
	}
	assert_int_equal(judge(*state, SPAN("To: a@x\nA: \0\n\nb\n"), NULL),
	    XMIT_MALFORMED);
	assert_int_equal(judge(*state, SPAN("To: a@x\n\nb\0\r\n"), NULL),
	    XMIT_FINE);
}

/* A header may have 256 KiB; a body behind it does not count. */
static void
test_long_header(void **state)
{
	const size_t	 limit = 256u << 10;
	char		*text = malloc(2 * limit);

	assert_non_null(text);
	memset(text, 'x', 2 * limit);
	memcpy(text, "To: a@x\nA: ", 11);
	memcpy(text + limit - 2, "\n\n", 2);
	assert_int_equal(judge(*state, span_of(text, 2 * limit), NULL),
	    XMIT_FINE);
	memcpy(text + limit - 2, "xx", 2);
	memcpy(text + limit + 8, "\n\n", 2);
	assert_int_equal(judge(*state, span_of(text, 2 * limit), NULL),
	    XMIT_MALFORMED);
	free(text);
}

static void
test_text(void **state UNUSED)
{
	for (int r = XMIT_FINE; r <= XMIT_NO_ROOM; r++)
		assert_true(xmit_text((enum xmit_refusal)r)[0] != '\0');
}

#define CASE(t) \
	cmocka_unit_test_setup_teardown(t, test_dir_setup, test_dir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_collect),
		CASE(test_too_large),
		CASE(test_flood),
		cmocka_unit_test(test_no_room),
		CASE(test_judge),
		CASE(test_long_header),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
