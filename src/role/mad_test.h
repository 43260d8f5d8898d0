/* SPDX-License-Identifier: ISC */
/*
 * What a role that was taken over may say on a link: every type with no body, the
 * least, the greatest and one octet more, of zeros and of chance, with too few and
 * too many descriptors; then packets that are no messages.  The cases are made from
 * the receiver's own table, so a new row there has its cases.  For tests.
 */
#ifndef ROLE_MAD_TEST_H
#define ROLE_MAD_TEST_H

#include "role/permit.h"

#include "base/num.h"
#include "sys/file.h"
#include "sys/link.h"
#include "sys/sock.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	MAD_TYPES	= MSG_WENT_ON + 5,	/* 0 and unknown ones among them */
	MAD_FDS		= LINK_FDS_MAX + 2,
	MAD_BODY	= LINK_PACKET_MAX - LINK_HEADER,
};

enum mad_kind {
	MAD_MESSAGE,
	MAD_SHORT,			/* a header is missing, in part */
	MAD_MARK,			/* another mark */
	MAD_LENGTH,			/* another length than it has */
	MAD_LONG,			/* more than LINK_PACKET_MAX */
	MAD_KINDS
};

struct mad {
	const struct link_permit	*table;
	size_t				 n;
	unsigned			 next;
	enum mad_kind			 kind;
	uint16_t			 type;
	uint32_t			 size;
	bool				 chance;	/* the body is of it */
	uint8_t				 fds;
	bool				 formal;	/* its form is permitted */
};

static inline const struct link_permit *
mad_row(const struct mad *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->table[i].type == m->type)
			return &m->table[i];
	return NULL;
}

/* False: there is no such case. */
static inline bool
mad_make(struct mad *m, unsigned i)
{
	const struct link_permit	*row;
	unsigned			 size = i / 2 % 4;

	m->chance = i % 2 != 0;
	m->fds = (uint8_t)(i / 8 % (MAD_FDS + 1));
	m->type = (uint16_t)(i / (8 * (MAD_FDS + 1)));
	m->kind = MAD_MESSAGE;
	row = mad_row(m);
	if (m->type >= MAD_TYPES) {
		m->kind = (enum mad_kind)(MAD_SHORT + m->type - MAD_TYPES);
		m->type = m->n > 0 ? m->table[0].type : 1;
		m->size = m->n > 0 ? m->table[0].min : 0;
		m->formal = false;
		return m->fds < 2 && size == 0 && !m->chance;
	}
	if (row == NULL) {
		static const uint32_t sizes[] = { 0, 9, 64, MAD_BODY };

		m->size = sizes[size];
		m->formal = false;
		return m->fds < 2 && !m->chance && size % 2 == 0;
	}
	m->size = size == 0 ? 0 : size == 1 ? row->min : size == 2 ? row->max :
	    row->max + 1;
	m->formal = m->fds == row->fds && m->size >= row->min &&
	    m->size <= row->max;
	return size == 0 || m->size > 0;
}

static inline void
mad_init(struct mad *m, const struct link_permit *table, size_t n)
{
	*m = (struct mad){ .table = table, .n = n };
	for (size_t i = 0; i < n; i++)
		assert_true(table[i].type < MAD_TYPES);
	srand(1);
}

static inline bool
mad_next(struct mad *m)
{
	const unsigned end = (MAD_TYPES + MAD_KINDS - 1) * 8 * (MAD_FDS + 1);

	while (m->next < end)
		if (mad_make(m, m->next++))
			return true;
	return false;
}

static inline void
mad_header(uint8_t h[LINK_HEADER], const struct mad *m)
{
	uint32_t n = m->size + (m->kind == MAD_LENGTH ? 1 : 0);

	h[0] = m->kind == MAD_MARK ? 'X' : 'P';
	h[1] = 'L';
	h[2] = (uint8_t)(m->type >> 8);
	h[3] = (uint8_t)m->type;
	for (int i = 0; i < 4; i++)
		h[4 + i] = (uint8_t)(n >> (24 - 8 * i));
}

/* True: it was sent.  spare: the descriptor that is sent along, several times. */
static inline bool
mad_say(const struct mad *m, int link, int spare)
{
	static uint8_t	body[2 * LINK_PACKET_MAX];
	uint8_t		h[LINK_HEADER];
	union {
		struct cmsghdr	align;
		char		b[CMSG_SPACE(MAD_FDS * sizeof(int))];
	} control;
	struct iovec	iov[2] = { { h, sizeof(h) }, { body, m->size } };
	struct msghdr	msg = { .msg_iov = iov, .msg_iovlen = 2 };

	assert_true(m->size <= sizeof(body));
	mad_header(h, m);
	for (size_t i = 0; i < m->size; i++)
		body[i] = m->chance ? (uint8_t)(rand() >> 8) : 0;
	if (m->kind == MAD_SHORT)
		iov[0].iov_len = LINK_HEADER - 1, iov[1].iov_len = 0;
	if (m->kind == MAD_LONG)
		iov[1].iov_len = sizeof(body);
	if (m->fds > 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.b;
		msg.msg_controllen = CMSG_SPACE(m->fds * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(m->fds * sizeof(int));
		for (uint8_t i = 0; i < m->fds; i++)
			memcpy(CMSG_DATA(&control.align) + i * sizeof(int),
			    &spare, sizeof(spare));
	}
	return sendmsg(link, &msg, MSG_NOSIGNAL) > 0;
}

/* A connection over loopback: the client's end and the server's. */
static inline void
mad_connect(int *client_r, int *served_r, struct sock_addr *peer_r)
{
	struct sockaddr_in	a = { .sin_family = AF_INET };
	socklen_t		n = sizeof(a);
	int			listener = socket(AF_INET, SOCK_STREAM, 0);
	struct fault		f;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (struct sockaddr *)&a, n), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &n), 0);
	*client_r = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(*client_r, (struct sockaddr *)&a, n), 0);
	*served_r = accept(listener, NULL, NULL);
	assert_true(*served_r >= 0);
	assert_int_equal(close(listener), 0);
	assert_int_equal(sock_peer(*served_r, peer_r, &f), 0);
}

/* How many lines of a log have this word. */
static inline size_t
mad_count(const char *path, const char *word)
{
	static char	text[1 << 20];
	int		fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t		n;
	size_t		hits = 0;

	assert_true(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	(void)close(fd);
	for (const char *p = text; (p = strstr(p, word)) != NULL; p++)
		hits++;
	return hits;
}

/* How many descriptors a process has; "self". */
static inline size_t
mad_count_fds(const char *pid)
{
	char	 path[64];
	DIR	*d;
	size_t	 n = 0;

	(void)snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	d = opendir(path);
	while (d != NULL && readdir(d) != NULL)
		n++;
	if (d != NULL)
		(void)closedir(d);
	return n;
}

#endif
