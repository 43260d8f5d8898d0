/* SPDX-License-Identifier: ISC */
/*
 * TCP sockets, addresses, waiting.  Floor 1.
 */
#ifndef SYS_SOCK_H
#define SYS_SOCK_H

#include "base/attr.h"
#include "base/fault.h"
#include "base/span.h"

#include <sys/types.h>

#define SOCK_ADDR_MAX	64	/* octets of an address as text */
#define SOCK_WHERE_MAX	(SOCK_ADDR_MAX + 10)	/* ... with its port */

/* One end of a connection; a v4-mapped IPv6 address is shown as IPv4. */
struct sock_addr {
	char		text[SOCK_ADDR_MAX];	/* "192.0.2.1", "2001:db8::1",
						   "local" when not an IP socket */
	uint16_t	port;			/* host order; 0 when none */
	uint8_t		family;			/* 4, 6, or 0 */
	uint8_t		raw[16];		/* network order; 4 or 16 octets */
};

/* Make the text from the rest. */
void	sock_addr_text(struct sock_addr *a);
/* One that somebody tells; v4-mapped as above.  family 4 or 6. */
void	sock_addr_set(struct sock_addr *a, uint8_t family,
	    const uint8_t raw[16], uint16_t port);
/* The same address, port and all. */
bool	sock_addr_same(const struct sock_addr *a, const struct sock_addr *b);
/* An address alone, without a port: all of *out.  False: it is none. */
bool	sock_addr_parse(const char *text, struct sock_addr *out) MUSTUSE;
int	sock_peer(int fd, struct sock_addr *out, struct fault *f) MUSTUSE;
int	sock_local(int fd, struct sock_addr *out, struct fault *f) MUSTUSE;

/*
 * Name of this host: its own name when that has a dot, else the canonical name
 * that the resolver has for it, else what there is.  May ask DNS, once.
 */
void	sock_host_name(char *out, size_t cap);

/*
 * Which addresses "1.2.3.4:110", "[::1]:110", "*:110" or ":110" (both families:
 * IPv6, then IPv4) mean: how many, 0 when the text is none.
 */
size_t	sock_listen_parse(const char *where, struct sock_addr at[2]);
bool	sock_listen_valid(const char *where);
/* Listen there; close-on-exec, never waits.  One of IPv6 takes no IPv4.
 * `shared`: also beside listeners of ours for which sock_share is on. */
int	sock_listen(const struct sock_addr *at, bool shared, int *fd_r,
	    struct fault *f) MUSTUSE;
/* Is it this host's, and may we use the port (0: any)?  Perhaps somebody listens. */
int	sock_may_bind(const struct sock_addr *at, struct fault *f) MUSTUSE;
bool	sock_listens(int fd);
void	sock_share(int fd, bool on);	/* off: a plain one is refused again */
/* Make a socket that somebody has handed over one of these, if it is a
 * listening one for TCP; *at is where. */
int	sock_listen_given(int fd, struct sock_addr *at, struct fault *f) MUSTUSE;
/* "192.0.2.1:110", "[::]:110" */
void	sock_addr_where(const struct sock_addr *a, char *out, size_t cap);
/* Whether the kernel would refuse to listen at one beside the other. */
bool	sock_addr_overlaps(const struct sock_addr *a,
	    const struct sock_addr *b);
/* Next connection, close-on-exec; -1 with err EAGAIN when none waits. */
int	sock_accept(int fd, int *fd_r, struct sock_addr *peer_r,
	    struct fault *f) MUSTUSE;

/*
 * Connected to the local socket at path (a log daemon's), whether it takes
 * datagrams or a stream; never waits; close-on-exec.
 */
int	sock_connect_local(const char *path, int *fd_r, struct fault *f) MUSTUSE;
bool	sock_is_stream(int fd);
/* Is it short enough for the path of a local socket? */
#define SOCK_PATH_MAX	107u		/* octets */
bool	sock_path_fits(const char *path);

/*
 * TCP_NODELAY, and keepalive, so that the kernel ends an idle connection whose
 * peer has not answered for gone_s seconds; best effort (a pipe has neither).
 */
void	sock_tune(int fd, unsigned gone_s);
/*
 * The same for a connection with octets on their way, where keepalive does not
 * look: whether the peer's kernel has acknowledged nothing for gone_ms in spite
 * of being asked.  *look_ms_r: when it is worth another look.  (TCP_USER_TIMEOUT
 * would do less and more: since Linux 5.11 it also ends a peer that answers each
 * probe of a window that it keeps closed, which is a slow reader.)
 */
bool	sock_peer_gone(int fd, unsigned gone_ms, unsigned *look_ms_r);
/* Two connected ends of a stream, close-on-exec. */
int	sock_pair(int *a_r, int *b_r, struct fault *f) MUSTUSE;
/* Neither direction any more: whoever waits for this socket wakes.  Of one that
 * listens: nobody can come, by whatever copy, and who was not accepted is cut off. */
void	sock_shutdown(int fd);
/* SO_DEBUG; -1 with the reason, which is only worth a note. */
int	sock_debug(int fd, struct fault *f) MUSTUSE;
/* Octets that the kernel still holds for the peer (SIOCOUTQ); 0 if unknown. */
uint64_t sock_unsent(int fd);
/* When it is closed, what the kernel still holds for the peer is forgotten the next
 * time that the peer does not take it; else it would be kept for as long as a slow
 * peer likes.  (SO_LINGER would do it at once, but no cage allows it: who can set
 * it can make the close of whoever gets the socket wait for ever.) */
void	sock_forget_unsent(int fd);
/* The peer's kernel hears now that its octets have come, not with what we say next:
 * some peers wait for that before they send the rest of a line (RFC 9293 s.3.7.4,
 * s.3.8.6.3).  Best effort. */
void	sock_ack(int fd);
/* No more from us; the peer sees the end after the last octet. */
void	sock_shutdown_write(int fd);

/* Non-blocking read and write.  -1 with err EAGAIN: not now; read 0: end. */
ssize_t	sock_read(int fd, void *p, size_t n, struct fault *f) MUSTUSE;
ssize_t	sock_write(int fd, struct span s, struct fault *f) MUSTUSE;
/* The kernel waits a moment for what follows at once: a write, or the end. */
ssize_t	sock_write_more(int fd, struct span s, struct fault *f) MUSTUSE;
/* As sock_write, from octet `off` of a file on.  They are not copied: what the peer
 * gets is what the file has when it takes them (sock_unsent). */
ssize_t	sock_send_file(int fd, int file, uint64_t off, size_t n,
	    struct fault *f) MUSTUSE;

enum { WAIT_READ = 1, WAIT_WRITE = 2, WAIT_HANGUP = 4 };
struct wait_for {
	int		fd;		/* -1: left out */
	uint8_t		events;		/* in: WAIT_READ | WAIT_WRITE */
	uint8_t		ready;		/* out; errors and hang-ups show as all
					   that was asked, plus WAIT_HANGUP */
};
/* Number ready, 0 after timeout_ms (-1: none) or on a signal, also on one that
 * came since the last wait (sys/signals.h). */
int	sock_wait(struct wait_for *w, size_t n, int timeout_ms);

/* Milliseconds of a clock that is never set back. */
uint64_t clock_ms(void);
/* Microseconds of processor time, of this process and those that it has waited for. */
uint64_t clock_spent_us(void);
/* Milliseconds since 1970 by the clock that the times of files come from. */
uint64_t clock_file_ms(void);
/* Whether the kernel says that a time service keeps the clock of the day (adjtimex).
 * Not in a cage.  A host without one, or where nobody may ask: false. */
bool	clock_is_kept(void);
/* Sleep at least ms. */
void	clock_sleep(unsigned ms);

/* n unpredictable octets. */
void	random_bytes(void *p, size_t n);

#endif
