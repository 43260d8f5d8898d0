/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: what a role that was taken over sends to another one.
 * Input: three octets of plan, then the packet.  The plan: descriptors sent
 * along (low half) and the phase (high half); the order in which fields are
 * taken; whether mark and length of the header are made right (odd), so that
 * the fuzzer gets behind them, or left as they are.
 */
#include "sys/file.h"
#include "sys/link.h"

#include "base/attr.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PLAN = 3, FDS_SENT_MAX = 6 };

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct link_permit table[] = {
	{ 1,	0, 0,			0, 1u << 0 },
	{ 2,	1, 64,			0, 1u << 0 | 1u << 1 },
	{ 3,	0, 200,			1, 1u << 0 | 1u << 2 },
	{ 4,	0, LINK_PACKET_MAX,		2, 1u << 2 },
	{ 5,	0, UINT32_MAX,		0, UINT32_MAX },
};

static void
send_raw(int fd, struct span packet, size_t nfds)
{
	union {
		struct cmsghdr	align;
		char		b[CMSG_SPACE(FDS_SENT_MAX * sizeof(int))];
	} control = { .b = { 0 } };
	struct iovec	iov = { (void *)(uintptr_t)packet.p, packet.n };
	struct msghdr	msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nfds > 0) {
		struct cmsghdr *c;

		msg.msg_control = control.b;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		for (size_t i = 0; i < nfds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &fd,
			    sizeof(fd));
	}
	ASSERT(sendmsg(fd, &msg, 0) == (ssize_t)packet.n);
}

static void
make_right(uint8_t *packet, size_t n)
{
	size_t body = n - LINK_HEADER;

	packet[0] = 'P';
	packet[1] = 'L';
	for (size_t i = LINK_HEADER; i > 4; body >>= 8)
		packet[--i] = (uint8_t)body;
}

static void
take_fields(struct link_in *m, uint8_t plan)
{
	char		text[20];
	struct span	s;
	size_t		before;

	for (int i = 0; i < 12 && !m->bad; i++) {
		before = m->off;
		switch ((plan >> (i % 4 * 2)) & 3) {
		case 0:
			(void)link_get_u8(m);
			break;
		case 1:
			(void)link_get_u64(m);
			break;
		case 2:
			s = link_get_span(m, 100);
			ASSERT(s.n <= 100);
			ASSERT(s.n == 0 || (s.p >= m->b &&
			    s.p + s.n <= m->b + m->n));
			break;
		default:
			if (link_get_cstr(m, text, sizeof(text)))
				ASSERT(strlen(text) < sizeof(text));
			break;
		}
		ASSERT(m->off >= before && m->off <= m->n);
	}
	if (link_get_end(m, NULL) == 0)
		ASSERT(!m->bad && m->off == m->n);
}

/* What link_recv let through is what the table says. */
static void
check_permitted(const struct link_in *m, unsigned phase)
{
	bool found = false;

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].type == m->type)
			found = (table[i].phases & 1u << phase) != 0 &&
			    m->n >= table[i].min && m->n <= table[i].max &&
			    m->nfds == table[i].fds;
	ASSERT(found);
	ASSERT(m->n + LINK_HEADER <= LINK_PACKET_MAX);
}

/* The next free descriptor: it stays the same when none leaks. */
static int
next_fd(void)
{
	int fd = dup(0);

	ASSERT(fd >= 0);
	ASSERT(close(fd) == 0);
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static int	a = -1;
	static int	b = -1;
	static int	lowest;
	static uint8_t	packet[LINK_PACKET_MAX * 2];
	struct link_in	m;
	unsigned	phase;
	int		r;

	if (n <= PLAN || n - PLAN > sizeof(packet))
		return 0;
	if (a == -1) {
		ASSERT(link_pair(&a, &b, NULL) == 0);
		lowest = next_fd();
	}
	memcpy(packet, data + PLAN, n - PLAN);
	if ((data[2] & 1) != 0 && n - PLAN >= LINK_HEADER)
		make_right(packet, n - PLAN);
	phase = data[0] >> 4;
	send_raw(a, span_of(packet, n - PLAN),
	    (data[0] & 15u) % (FDS_SENT_MAX + 1));
	r = link_recv(b, table, ARRAY_LEN(table), phase, 0, &m, NULL);
	ASSERT(r == 1 || r == -1);
	if (r == 1) {
		check_permitted(&m, phase);
		take_fields(&m, data[1]);
		if (m.nfds == 2)
			fd_close(&m.fds[0]);
		link_in_fini(&m);
	}
	ASSERT(next_fd() == lowest);
	return 0;
}
