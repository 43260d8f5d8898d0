/* SPDX-License-Identifier: ISC */
/*
 * Messages between roles.
 * Runs as: every role, on both sides.
 * Reads from: another role, which may have been taken over: every length, type
 * and descriptor is checked before anything else looks at it.
 * Trusts: the kernel's packet borders.
 */
#include "sys/link.h"

#include "sys/file.h"
#include "sys/sock.h"
#include "sys/sys_priv.h"

#include <assert.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
	BODY_MAX	= LINK_PACKET_MAX - LINK_HEADER,
	HEADER_MARK	= 0x504c,	/* "PL": both sides are this build */
};

static_assert(offsetof(struct link_out, header) + LINK_HEADER ==
    offsetof(struct link_out, b), "a message lies as it is sent");

/*
 * All numbers are big-endian.  The header: mark (2), type (2), octets of the
 * body (4).
 */
static void
put_be(uint8_t *p, uint64_t v, size_t octets)
{
	for (size_t i = octets; i-- > 0; v >>= 8)
		p[i] = (uint8_t)v;
}

static uint64_t
get_be(const uint8_t *p, size_t octets)
{
	uint64_t v = 0;

	for (size_t i = 0; i < octets; i++)
		v = v << 8 | p[i];
	return v;
}

/* ------------------------------------------------------- building */

void
link_out_init(struct link_out *m, uint16_t type)
{
	m->type = type;
	m->overflow = false;
	m->n = 0;
	put_be(m->header, HEADER_MARK, 2);
	put_be(m->header + 2, type, 2);
	put_be(m->header + 4, 0, 4);
}

/* Room for n octets of the body, or NULL and the overflow is remembered. */
static uint8_t *
out_room(struct link_out *m, size_t n)
{
	uint8_t *p = m->b + m->n;

	if (m->overflow || n > BODY_MAX - m->n) {
		m->overflow = true;
		return NULL;
	}
	m->n += n;
	put_be(m->header + 4, m->n, 4);
	return p;
}

static void
put_number(struct link_out *m, uint64_t v, size_t octets)
{
	uint8_t *p = out_room(m, octets);

	if (p != NULL)
		put_be(p, v, octets);
}

void
link_put_u8(struct link_out *m, uint8_t v)
{
	put_number(m, v, 1);
}

void
link_put_u32(struct link_out *m, uint32_t v)
{
	put_number(m, v, 4);
}

void
link_put_u64(struct link_out *m, uint64_t v)
{
	put_number(m, v, 8);
}

void
link_put_span(struct link_out *m, struct span s)
{
	uint8_t *p;

	put_number(m, s.n, 4);
	p = out_room(m, s.n);
	if (p != NULL && s.n > 0)
		memcpy(p, s.p, s.n);
}

void
link_put_raw(struct link_out *m, struct span s)
{
	uint8_t *p = out_room(m, s.n);

	if (p != NULL && s.n > 0)
		memcpy(p, s.p, s.n);
}

void
link_out_wipe(struct link_out *m)
{
	explicit_bzero(m->b, m->n);
	link_out_init(m, m->type);
}

/* ------------------------------------------------------- taking apart */

/* The next n octets of the body, or NULL and the message is bad. */
static const uint8_t *
in_next(struct link_in *m, size_t n)
{
	const uint8_t *p = m->b + m->off;

	if (m->bad || n > m->n - m->off) {
		m->bad = true;
		return NULL;
	}
	m->off += n;
	return p;
}

static uint64_t
get_number(struct link_in *m, size_t octets)
{
	const uint8_t *p = in_next(m, octets);

	return p == NULL ? 0 : get_be(p, octets);
}

uint8_t
link_get_u8(struct link_in *m)
{
	return (uint8_t)get_number(m, 1);
}

uint32_t
link_get_u32(struct link_in *m)
{
	return (uint32_t)get_number(m, 4);
}

uint64_t
link_get_u64(struct link_in *m)
{
	return get_number(m, 8);
}

struct span
link_get_span(struct link_in *m, size_t max)
{
	size_t		 n = link_get_u32(m);
	const uint8_t	*p;

	if (n > max)
		m->bad = true;
	p = in_next(m, n);
	return p == NULL ? SPAN("") : span_of(p, n);
}

bool
link_get_cstr(struct link_in *m, char *out, size_t cap)
{
	struct span s = link_get_span(m, cap - 1);

	if (!span_cstr(s, out, cap))
		m->bad = true;
	return !m->bad;
}

int
link_get_fd(struct link_in *m, uint8_t i)
{
	ASSERT(i < LINK_FDS_MAX);
	return i < m->nfds ? fd_take(&m->fds[i]) : -1;
}

int
link_get_end(struct link_in *m, struct fault *f)
{
	if (m->bad)
		return fault_set(f, FAULT_PEER,
		    "message %u: a field is missing or too long", m->type);
	if (m->off != m->n)
		return fault_set(f, FAULT_PEER,
		    "message %u: %zu octets too many", m->type, m->n - m->off);
	return 0;
}

void
link_in_again(struct link_in *m, uint16_t type, struct span octets)
{
	m->type = type;
	m->n = octets.n;
	m->off = m->nfds = 0;
	m->bad = octets.n > sizeof(m->b);
	if (!m->bad)
		memcpy(m->b, octets.p, octets.n);
}

void
link_in_fini(struct link_in *m)
{
	for (uint8_t i = 0; i < m->nfds; i++)
		fd_close(&m->fds[i]);
	m->nfds = 0;
	explicit_bzero(m->b, m->n);
}

/* ------------------------------------------------------- the wire */

int
link_pair(int *a_r, int *b_r, struct fault *f)
{
	int ends[2];

	*a_r = *b_r = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == -1)
		return SYS_FAULT(f, "socketpair");
	*a_r = ends[0];
	*b_r = ends[1];
	return 0;
}

void
link_ends_close(struct link_ends *p)
{
	fd_close(&p->a);
	fd_close(&p->b);
}

int
link_ends_renew(struct link_ends *p, struct fault *f)
{
	link_ends_close(p);
	return link_pair(&p->a, &p->b, f);
}

/* Room for the descriptors of one message, aligned as the kernel wants it. */
union control {
	struct cmsghdr	align;
	char		b[CMSG_SPACE(LINK_FDS_MAX * sizeof(int))];
};

/* sendmsg: a call that most cages do not have. */
static ssize_t
send_with_fds(int fd, struct iovec iov, const int *fds, uint8_t nfds, int flags)
{
	union control	control = { .b = { 0 } };
	struct msghdr	msg = {
		.msg_iov	= &iov,
		.msg_iovlen	= 1,
		.msg_control	= control.b,
		.msg_controllen	= CMSG_SPACE(nfds * sizeof(int)),
	};
	struct cmsghdr	*c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
	memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	return SYS_RETRY(sendmsg(fd, &msg, flags));
}

static int
send_message(int fd, const struct link_out *m, const int *fds, uint8_t nfds,
    int flags, struct fault *f)
{
	const struct iovec	packet = {
		(uint8_t *)(uintptr_t)m + offsetof(struct link_out, header),
		LINK_HEADER + m->n,
	};
	ssize_t			sent;

	ASSERT(nfds <= LINK_FDS_MAX);
	if (m->overflow)
		return fault_set(f, FAULT_LIMIT,
		    "message %u exceeds %d octets", m->type, LINK_PACKET_MAX);
	flags |= MSG_NOSIGNAL;
	sent = nfds > 0 ? send_with_fds(fd, packet, fds, nfds, flags) :
	    SYS_RETRY(send(fd, packet.iov_base, packet.iov_len, flags));
	return sent == -1 ? SYS_FAULT(f, "send message %u", m->type) : 0;
}

int
link_send(int fd, const struct link_out *m, const int *fds, uint8_t nfds,
    struct fault *f)
{
	return send_message(fd, m, fds, nfds, MSG_DONTWAIT, f);
}

bool
link_busy(const struct fault *f)
{
	return f->err == EAGAIN || f->err == ENOBUFS || f->err == ENOMEM ||
	    f->err == ETOOMANYREFS;
}

int
link_send_wait(int fd, const struct link_out *m, struct fault *f)
{
	return send_message(fd, m, NULL, 0, 0, f);
}

/* Take over every descriptor that came; false when there is anything else. */
static bool
collect_fds(struct msghdr *msg, struct link_in *m)
{
	bool ok = true;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL;
	    c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			ok = false;
			continue;
		}
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int),
			    sizeof(fd));
			if (m->nfds < LINK_FDS_MAX) {
				m->fds[m->nfds++] = fd;
			} else {
				fd_close(&fd);
				ok = false;
			}
		}
	}
	return ok;
}

static const struct link_permit *
permit_find(const struct link_permit *table, size_t n, unsigned phase,
    uint16_t type)
{
	for (size_t i = 0; i < n; i++)
		if (table[i].type == type && phase < 32 &&
		    (table[i].phases & 1u << phase) != 0)
			return &table[i];
	return NULL;
}

/*
 * Who may send none gives us none: the kernel drops what comes.  To close it would be
 * ours, and may wait for whoever serves that file (FUSE's FLUSH), or take a lock of ours
 * away.  Pages that FUSE has not written yet are waited for all the same.
 */
static bool
permits_fds(const struct link_permit *table, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (table[i].fds > 0)
			return true;
	return false;
}

/* All that can be said of a packet before its fields are read. */
static int
check_packet(const uint8_t header[LINK_HEADER], size_t size,
    const struct link_permit *table, size_t n, unsigned phase,
    struct link_in *m, struct fault *f)
{
	const struct link_permit *permit;

	if (size < LINK_HEADER || size > LINK_PACKET_MAX ||
	    get_be(header, 2) != HEADER_MARK)
		return fault_set(f, FAULT_PEER, "not a message (%zu octets)",
		    size);
	m->type = (uint16_t)get_be(header + 2, 2);
	if (get_be(header + 4, 4) != m->n)
		return fault_set(f, FAULT_PEER,
		    "message %u: wrong length", m->type);
	permit = permit_find(table, n, phase, m->type);
	if (permit == NULL)
		return fault_set(f, FAULT_PEER,
		    "message %u is not permitted in phase %u", m->type, phase);
	if (m->n < permit->min || m->n > permit->max)
		return fault_set(f, FAULT_PEER,
		    "message %u must not have %zu octets", m->type, m->n);
	if (m->nfds != permit->fds)
		return fault_set(f, FAULT_PEER,
		    "message %u must not have %u descriptors", m->type,
		    m->nfds);
	return 0;
}

/* 1: something can be read (or the end), -1: the time is over. */
static int
wait_readable(int fd, int timeout_ms, uint64_t start, struct fault *f)
{
	for (;;) {
		struct pollfd	p = { .fd = fd, .events = POLLIN };
		int		left = timeout_ms;
		int		n;

		if (timeout_ms >= 0) {
			uint64_t gone = clock_ms() - start;

			left = gone >= (uint64_t)timeout_ms ? 0 :
			    timeout_ms - (int)gone;
		}
		n = poll(&p, 1, left);
		if (n > 0)
			return 1;
		if (n == -1 && errno != EINTR)
			return SYS_FAULT(f, "wait for a message");
		if (n == 0)
			return fault_errno(f, FAULT_TEMP, ETIMEDOUT,
			    "wait for a message");
	}
}

/* The octets of the next packet; 0: the end, perhaps. */
static ssize_t
receive(int fd, struct msghdr *msg, int timeout_ms, struct fault *f)
{
	uint64_t	start = timeout_ms > 0 ? clock_ms() : 0;
	ssize_t		size;

	do {
		if (timeout_ms != 0 &&
		    wait_readable(fd, timeout_ms, start, f) == -1)
			return -1;
		size = recvmsg(fd, msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (size == -1 && (errno == EINTR ||
	    (errno == EAGAIN && timeout_ms != 0)));
	if (size >= 0)
		return size;
	if (errno == EAGAIN)
		return fault_errno(f, FAULT_TEMP, ETIMEDOUT,
		    "wait for a message");
	if (errno != ECONNRESET)
		return SYS_FAULT(f, "receive a message");
	msg->msg_controllen = 0;	/* closed with messages unread */
	return 0;
}

int
link_recv(int fd, const struct link_permit *table, size_t n, unsigned phase,
    int timeout_ms, struct link_in *m, struct fault *f)
{
	uint8_t		header[LINK_HEADER] = { 0 };
	union control	control;
	struct iovec	iov[2] = {
		{ header, sizeof(header) },
		{ m->b, sizeof(m->b) },
	};
	struct msghdr	msg = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t		size;
	bool		whole;

	m->type = 0;
	m->n = m->off = 0;
	m->nfds = 0;
	m->bad = false;
	if (permits_fds(table, n)) {
		msg.msg_control = control.b;
		msg.msg_controllen = sizeof(control.b);
	}
	size = receive(fd, &msg, timeout_ms, f);
	if (size == -1)
		return -1;
	m->n = size < LINK_HEADER ? 0 : (size_t)size - LINK_HEADER;
	whole = collect_fds(&msg, m) &&
	    (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
	if (size == 0 && m->nfds == 0)
		return 0;		/* an empty packet means the end, too */
	if (!whole)
		(void)fault_set(f, FAULT_PEER,
		    "a message too long or with too many descriptors");
	if (whole && check_packet(header, (size_t)size, table, n, phase, m,
	    f) == 0)
		return 1;
	link_in_fini(m);
	return -1;
}
