/* SPDX-License-Identifier: ISC */
#include "sys/file.h"
#include "sys/link.h"
#include "sys/sock.h"
#include "sys/test_lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ASK = 1, RECORD = 2, HANDOVER = 3, TWO = 4, LATER = 5, BIG = 6 };

static const struct link_permit table[] = {
	{ ASK,		0, 0,		0, 1u << 0 },
	{ RECORD,	5, 100,		0, 1u << 0 | 1u << 1 },
	{ HANDOVER,	0, 10,		1, 1u << 0 },
	{ TWO,		0, 0,		2, 1u << 0 },
	{ LATER,	0, 0,		0, 1u << 1 },
	{ BIG,		0, LINK_PACKET_MAX,	0, 1u << 0 },
};

static int	a;
static int	b;
static int	lowest;			/* the next free descriptor */

static int
next_fd(void)
{
	int fd = dup(2);

	(void)close(fd);
	return fd;
}

static int
setup(void **state)
{
	(void)state;
	if (link_pair(&a, &b, NULL) == -1)
		return -1;
	lowest = next_fd();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	assert_int_equal(next_fd(), lowest);	/* nothing leaked */
	fd_close(&a);
	fd_close(&b);
	return 0;
}

static int
receive(unsigned phase, struct link_in *m, struct fault *f)
{
	return link_recv(b, table, ARRAY_LEN(table), phase, 1000, m, f);
}

static void
test_fields(void **state)
{
	struct link_out	o;
	struct link_in	m;
	struct fault	f;
	char		text[8];

	(void)state;
	link_out_init(&o, RECORD);
	link_put_u8(&o, 0xfe);
	link_put_u32(&o, 0xdeadbeef);
	link_put_u64(&o, 0x0102030405060708);
	link_put_span(&o, SPAN("a\0b"));
	link_put_span(&o, SPAN("name"));
	link_put_span(&o, SPAN(""));
	assert_int_equal(link_send(a, &o, NULL, 0, &f), 0);
	assert_int_equal(receive(0, &m, &f), 1);
	assert_int_equal(m.type, RECORD);
	assert_int_equal(link_get_u8(&m), 0xfe);
	assert_int_equal(link_get_u32(&m), 0xdeadbeef);
	assert_int_equal(link_get_u64(&m), 0x0102030405060708);
	assert_true(span_eq(link_get_span(&m, 3), SPAN("a\0b")));
	assert_true(link_get_cstr(&m, text, sizeof(text)));
	assert_string_equal(text, "name");
	assert_int_equal(link_get_span(&m, 0).n, 0);
	assert_int_equal(link_get_end(&m, &f), 0);
	assert_int_equal(link_get_u8(&m), 0);
	assert_true(m.bad);
	assert_int_equal(link_get_end(&m, &f), -1);
	assert_int_equal(f.class, FAULT_PEER);
	link_in_fini(&m);
}

/* Each reads its field wrongly; the end must say so. */
static void
read_leftover(struct link_in *m)
{
	(void)link_get_u32(m);
}

static void
read_too_much(struct link_in *m)
{
	(void)link_get_span(m, 100);
	(void)link_get_u64(m);
}

static void
read_long(struct link_in *m)
{
	assert_int_equal(link_get_span(m, 2).n, 0);
}

static void
read_nul(struct link_in *m)
{
	char text[10];

	assert_false(link_get_cstr(m, text, sizeof(text)));
	assert_string_equal(text, "");
}

static void
read_small_string(struct link_in *m)
{
	char text[3];

	assert_false(link_get_cstr(m, text, sizeof(text)));
}

static void
test_bad_fields(void **state)
{
	void (*const readers[])(struct link_in *) = {
		read_leftover, read_too_much, read_long, read_nul,
		read_small_string,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
		struct link_out	o;
		struct link_in	m;
		struct fault	f;

		link_out_init(&o, RECORD);
		link_put_span(&o, SPAN("a\0b"));
		assert_int_equal(link_send(a, &o, NULL, 0, &f), 0);
		assert_int_equal(receive(0, &m, &f), 1);
		readers[i](&m);
		assert_int_equal(link_get_end(&m, &f), -1);
		assert_int_equal(f.class, FAULT_PEER);
		link_in_fini(&m);
	}
}

/* A message that a sender may build but the table refuses. */
static void
test_permits(void **state)
{
	static const struct {
		uint16_t	type;
		uint8_t		octets;
		uint8_t		fds;
		unsigned	phase;
		int		want;
	} cases[] = {
		{ ASK,		0, 0, 0, 1 },
		{ ASK,		1, 0, 0, -1 },
		{ ASK,		0, 1, 0, -1 },
		{ ASK,		0, 0, 1, -1 },
		{ ASK,		0, 0, 40, -1 },
		{ RECORD,	4, 0, 0, -1 },
		{ RECORD,	5, 0, 1, 1 },
		{ RECORD,	100, 0, 0, 1 },
		{ RECORD,	101, 0, 0, -1 },
		{ HANDOVER,	0, 1, 0, 1 },
		{ HANDOVER,	0, 0, 0, -1 },
		{ HANDOVER,	0, 2, 0, -1 },
		{ TWO,		0, 2, 0, 1 },
		{ TWO,		0, 1, 0, -1 },
		{ LATER,	0, 0, 0, -1 },
		{ LATER,	0, 0, 1, 1 },
		{ 77,		0, 0, 0, -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct link_out	o;
		struct link_in	m;
		struct fault	f;
		const int	fds[2] = { 1, 2 };

		link_out_init(&o, cases[i].type);
		for (int k = 0; k < cases[i].octets; k++)
			link_put_u8(&o, 0);
		assert_int_equal(link_send(a, &o, fds, cases[i].fds, &f), 0);
		assert_int_equal(receive(cases[i].phase, &m, &f),
		    cases[i].want);
		if (cases[i].want == -1)
			assert_int_equal(f.class, FAULT_PEER);
		else
			link_in_fini(&m);
		assert_int_equal(next_fd(), lowest);
	}
}

static void
test_descriptors(void **state)
{
	struct link_out	o;
	struct link_in	m;
	struct fault	f;
	int		r;
	int		w;
	int		got;
	char		c;

	(void)state;
	assert_int_equal(fd_pipe(&r, &w, &f), 0);
	link_out_init(&o, HANDOVER);
	assert_int_equal(link_send(a, &o, &r, 1, &f), 0);
	fd_close(&r);
	assert_int_equal(receive(0, &m, &f), 1);
	got = link_get_fd(&m, 0);
	assert_true(got >= 0);
	assert_int_equal(link_get_fd(&m, 0), -1);
	assert_int_equal(link_get_fd(&m, 1), -1);
	assert_int_equal(fcntl(got, F_GETFD), FD_CLOEXEC);
	link_in_fini(&m);
	assert_int_equal(write(w, "x", 1), 1);
	assert_int_equal(read(got, &c, 1), 1);
	fd_close(&got);
	fd_close(&w);
}

/* Packets that link_send would never make, as a captured role can. */
static void
test_raw(void **state)
{
	static uint8_t long_one[LINK_PACKET_MAX + LINK_HEADER + 10] = {
		0x50, 0x4c, 0, BIG };
	static const struct {
		const char	*b;
		size_t		 n;
	} cases[] = {
		{ "x", 1 },
		{ "PL\0\1\0\0\0", 7 },
		{ "XX\0\1\0\0\0\0", 8 },
		{ "PL\0\1\0\0\0\1", 8 },
		{ "PL\0\2\0\0\0\4hello", 13 },
		{ "PL\0\2\377\377\377\377hello", 13 },
	};
	struct link_in	m;
	struct fault	f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(send(a, cases[i].b, cases[i].n, 0),
		    cases[i].n);
		assert_int_equal(receive(0, &m, &f), -1);
		assert_int_equal(f.class, FAULT_PEER);
	}
	for (int extra = 0; extra < 20; extra++) {
		size_t n = LINK_PACKET_MAX + (size_t)extra;
		size_t body = n - LINK_HEADER;

		long_one[6] = (uint8_t)(body >> 8);
		long_one[7] = (uint8_t)body;
		if (n > sizeof(long_one))
			break;
		assert_int_equal(send(a, long_one, n, 0), n);
		assert_int_equal(receive(0, &m, &f), extra == 0 ? 1 : -1);
		if (extra == 0)
			link_in_fini(&m);
	}
}

/* More descriptors than we have room for: all of them are closed. */
static void
test_flood(void **state)
{
	union {
		struct cmsghdr	align;
		char		b[CMSG_SPACE(40 * sizeof(int))];
	} control;
	uint8_t		header[] = { 0x50, 0x4c, 0, TWO, 0, 0, 0, 0 };
	struct iovec	iov = { header, sizeof(header) };
	struct link_in	m;
	struct fault	f;

	(void)state;
	for (size_t n = 1; n <= 40; n++) {
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = control.b,
			.msg_controllen = CMSG_SPACE(n * sizeof(int)),
		};
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

		memset(&control, 0, sizeof(control));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		for (size_t i = 0; i < n; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &a, sizeof(a));
		assert_int_equal(sendmsg(a, &msg, 0), sizeof(header));
		assert_int_equal(receive(0, &m, &f), n == 2 ? 1 : -1);
		if (n == 2)
			link_in_fini(&m);
		assert_int_equal(next_fd(), lowest);
	}
}

static void
test_overflow(void **state)
{
	static uint8_t	 big[LINK_PACKET_MAX];
	struct link_out	 o;
	struct link_in	 m;
	struct fault	 f;

	(void)state;
	link_out_init(&o, BIG);
	link_put_span(&o, span_of(big, LINK_PACKET_MAX - LINK_HEADER - 4));
	assert_int_equal(link_send(a, &o, NULL, 0, &f), 0);
	assert_int_equal(receive(0, &m, &f), 1);
	assert_int_equal(link_get_span(&m, LINK_PACKET_MAX).n,
	    LINK_PACKET_MAX - LINK_HEADER - 4);
	link_in_fini(&m);
	link_put_u8(&o, 0);
	assert_true(o.overflow);
	assert_int_equal(link_send(a, &o, NULL, 0, &f), -1);
	assert_int_equal(f.class, FAULT_LIMIT);
	link_out_init(&o, BIG);
	link_put_span(&o, span_of(big, SIZE_MAX));
	assert_true(o.overflow);
	link_out_wipe(&o);
}

static void
test_end_and_timeout(void **state)
{
	struct link_out	o;
	struct link_in	m;
	struct fault	f;
	uint64_t	start = clock_ms();

	(void)state;
	assert_int_equal(link_recv(b, table, ARRAY_LEN(table), 0, 50, &m, &f),
	    -1);
	assert_int_equal(f.class, FAULT_TEMP);
	assert_int_equal(f.err, ETIMEDOUT);
	assert_true(clock_ms() - start >= 49);
	link_out_init(&o, ASK);
	assert_int_equal(link_send(a, &o, NULL, 0, &f), 0);
	fd_close(&a);
	assert_int_equal(receive(0, &m, &f), 1);	/* still delivered */
	link_in_fini(&m);
	assert_int_equal(receive(0, &m, &f), 0);
	assert_int_equal(link_send(b, &o, NULL, 0, &f), -1);	/* no SIGPIPE */
	assert_int_equal(f.err, EPIPE);
	a = dup(2);				/* what teardown closes */
}

#define ON_LINK(t)	cmocka_unit_test_setup_teardown(t, setup, teardown)

/* A close of ours would be the end of our lock, of whatever descriptor. */
static void
test_descriptors_for_nobody(void **state)
{
	static const struct link_permit	none[] = { { ASK, 0, 0, 0, 1 } };
	struct flock			l = { .l_type = F_WRLCK,
					    .l_whence = SEEK_SET };
	struct link_out			out;
	struct link_in			in;
	struct fault			f;
	FILE				*file = tmpfile();
	int				fd;

	(void)state;
	assert_non_null(file);
	fd = fileno(file);
	assert_int_equal(fcntl(fd, F_SETLK, &l), 0);
	assert_true(test_locked(fd));
	link_out_init(&out, ASK);
	assert_int_equal(link_send(a, &out, &fd, 1, &f), 0);
	assert_int_equal(link_recv(b, none, 1, 0, 0, &in, &f), -1);
	assert_int_equal(f.class, FAULT_PEER);
	assert_true(test_locked(fd));
	assert_int_equal(link_send(a, &out, NULL, 0, &f), 0);
	assert_int_equal(link_recv(b, none, 1, 0, 0, &in, &f), 1);
	assert_int_equal(fclose(file), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_LINK(test_fields),
		ON_LINK(test_bad_fields),
		ON_LINK(test_permits),
		ON_LINK(test_descriptors),
		ON_LINK(test_descriptors_for_nobody),
		ON_LINK(test_raw),
		ON_LINK(test_flood),
		ON_LINK(test_overflow),
		ON_LINK(test_end_and_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
