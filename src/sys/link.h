/* SPDX-License-Identifier: ISC */
/*
 * Messages between two roles: SOCK_SEQPACKET, one message one packet of at
 * most LINK_PACKET_MAX octets, a fixed header {type, length}, typed fields, perhaps
 * descriptors.  Floor 1.  The receiver checks everything: the type against a
 * table of what is permitted in the phase it is in, the length, the number of
 * descriptors, and that the fields consume the message exactly.  Whatever does
 * not fit is FAULT_PEER and ends the sender.  What the types mean stands in
 * role/permit.h.
 */
#ifndef SYS_LINK_H
#define SYS_LINK_H

#include "base/attr.h"
#include "base/fault.h"
#include "base/span.h"

#define LINK_PACKET_MAX	10240		/* a message of AUTH, and what is around it */
#define LINK_HEADER	8
#define LINK_FDS_MAX	3

/* One permitted message.  Tables are indexed by nothing; they are short. */
struct link_permit {
	uint16_t	type;
	uint32_t	min;		/* octets of the body */
	uint32_t	max;
	uint8_t		fds;		/* exactly so many descriptors */
	uint32_t	phases;		/* mask of 1u << phase */
};

/* A message being built; UNZEROED on the stack is fine. */
struct link_out {
	uint16_t	type;
	bool		overflow;
	size_t		n;
	uint8_t		header[LINK_HEADER];	/* in front of b, as it is sent */
	uint8_t		b[LINK_PACKET_MAX];
};

void	link_out_init(struct link_out *m, uint16_t type);
void	link_put_u8(struct link_out *m, uint8_t v);
void	link_put_u32(struct link_out *m, uint32_t v);
void	link_put_u64(struct link_out *m, uint64_t v);
/* A length and the bytes; overflow is remembered and fails the send. */
void	link_put_span(struct link_out *m, struct span s);
/* Fields that were put into another message before. */
void	link_put_raw(struct link_out *m, struct span s);
void	link_out_wipe(struct link_out *m);

/* A message received: fields are taken in order. */
struct link_in {
	uint16_t	type;
	size_t		n;
	size_t		off;
	bool		bad;
	uint8_t		nfds;
	int		fds[LINK_FDS_MAX];	/* owns, until taken */
	uint8_t		b[LINK_PACKET_MAX];
};

/* Octets of a message that came before, or of the beginning of one, to be read again;
 * it has no descriptors. */
void		link_in_again(struct link_in *m, uint16_t type, struct span octets);
uint8_t		link_get_u8(struct link_in *m);
uint32_t	link_get_u32(struct link_in *m);
uint64_t	link_get_u64(struct link_in *m);
/* A view into m; empty and m->bad when it is longer than max or the rest. */
struct span	link_get_span(struct link_in *m, size_t max);
/* As a C string; false (and m->bad) when too long or with a NUL. */
bool		link_get_cstr(struct link_in *m, char *out, size_t cap);
int		link_get_fd(struct link_in *m, uint8_t i);	/* takes it */
/* 0 when every field was there and nothing is left, else FAULT_PEER. */
int	link_get_end(struct link_in *m, struct fault *f) MUSTUSE;
/* Close what was not taken, wipe the bytes. */
void	link_in_fini(struct link_in *m);

/* Two connected ends, close-on-exec, blocking. */
int	link_pair(int *a_r, int *b_r, struct fault *f) MUSTUSE;

/* Both, for who keeps them; -1: none. */
struct link_ends {
	int	a;
	int	b;
};
void	link_ends_close(struct link_ends *p);
/* New ones in their place. */
int	link_ends_renew(struct link_ends *p, struct fault *f) MUSTUSE;

/*
 * Send m with nfds descriptors (they stay the caller's).  Never waits: who
 * speaks and listens in turn leaves room for many messages, so a full link is
 * a receiver that does not listen (FAULT_TEMP, err EAGAIN).
 */
int	link_send(int fd, const struct link_out *m, const int *fds, uint8_t nfds,
	    struct fault *f) MUSTUSE;

/*
 * Why a send failed: something that passes by itself (no room in the link, no
 * memory, too many descriptors under way), so that the same message may be sent
 * a little later; else it never can be.
 */
bool	link_busy(const struct fault *f);

/* The same, but waits for room: for one whose receiver never waits for us. */
int	link_send_wait(int fd, const struct link_out *m, struct fault *f)
	    MUSTUSE;

/*
 * Receive one message, waiting at most timeout_ms (-1: for ever).
 * 1: *m is filled, call link_in_fini when done; 0: the other end is closed;
 * -1: FAULT_PEER when it is not permitted by the table (n rows) in this phase
 * or is malformed, FAULT_TEMP on a time-out (err ETIMEDOUT) or a system error.
 */
int	link_recv(int fd, const struct link_permit *table, size_t n,
	    unsigned phase, int timeout_ms, struct link_in *m, struct fault *f)
	    MUSTUSE;

#endif
