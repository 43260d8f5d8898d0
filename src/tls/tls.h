/* SPDX-License-Identifier: ISC */
/*
 * TLS for the roles that talk to strangers (RFC 8446, RFC 5246; RFC 2595, RFC 8314
 * for its use by POP3).  Floor 2.
 *
 * The room is a module of its own (popper-tls.so) since OpenSSL costs each exec
 * that carries it most of a millisecond: who needs it calls tls_load, before its
 * cage, and uses what that returns.  It does no input and no output: certificates
 * come as octets, a stream's octets go through the two calls of struct tls_io.  One
 * thread.
 */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include "base/attr.h"
#include "base/fault.h"
#include "base/span.h"

#include <sys/types.h>

#define TLS_ABI		3		/* of struct tls_ops; goes up when it changes */
#define TLS_PAIRS_MAX	32
#define TLS_NAME_MAX	256		/* of a host, with its NUL */
#define TLS_NAMES_MAX	100		/* of one certificate */
#define TLS_FINGERPRINT_MAX 65		/* SHA-256 in hex, with its NUL */
#define TLS_BINDING_EXPORTER	32
#define TLS_BINDING_MAX	96

/* A certificate with its chain, leaf first, and its key: PEM.  ocsp: a response
 * about it (RFC 6960), DER, or empty; handed on as long as it is valid.  All
 * borrowed, for the call alone. */
struct tls_pair {
	const char	*name;		/* of its file, for faults */
	struct span	 chain;
	struct span	 key;
	struct span	 ocsp;
};

/*
 * The keys of session tickets, of all fronts alike, so that a client resumes at
 * whichever it meets: in memory that another process writes.  The youngest one
 * makes tickets, all of them open some.  RFC 5077 s.4.
 */
#define TLS_TICKET_KEYS	3
struct tls_ticket_key {
	uint8_t		name[16];
	uint8_t		aes[32];
	uint8_t		hmac[32];
};
struct tls_ticket_keys {
	uint64_t		version;	/* odd: being written */
	struct tls_ticket_key	key[TLS_TICKET_KEYS];	/* youngest first */
};

/* Clients are asked for certificates.  PEM; borrowed, for the call alone. */
struct tls_clients {
	struct span	 authorities;	/* that may have signed them */
	bool		 checks_revoked;
	struct span	 revoked;	/* a list of each authority's */
};

struct tls_setup {
	const struct tls_pair		*pair;
	size_t				 npairs;
	bool				 old;	/* TLS 1.0 and 1.1, too, and what
						   devices of their time can */
	volatile const struct tls_ticket_keys *tickets;	/* NULL: none are given */
	uint32_t			 ticket_s;	/* life of a ticket */
	const struct tls_clients	*clients;	/* NULL: none are asked */
};

/* What is to be known of a pair without serving with it. */
struct tls_judgement {
	int64_t		begins;			/* seconds since 1970 */
	int64_t		ends;
	size_t		nnames;
	char		name[TLS_NAMES_MAX][TLS_NAME_MAX];	/* DNS, of the leaf */
	int64_t		ocsp_ends;		/* 0: there is none, or for ever */
};

struct tls_facts {
	char		protocol[16];		/* "TLSv1.3" */
	char		cipher[64];
	char		name[TLS_NAME_MAX];	/* that the client asked for; "" */
	bool		resumed;
	bool		old;			/* good enough with setup.old alone */
};

/* A client's certificate, verified.  A name of which there is none, or there are
 * several, or that holds more than printable ASCII without blanks, is "". */
struct tls_client {
	char		fingerprint[TLS_FINGERPRINT_MAX];	/* lower case */
	char		subject[TLS_NAME_MAX];	/* as RFC 2253 writes it */
	char		common[TLS_NAME_MAX];	/* of the subject */
	char		email[TLS_NAME_MAX];	/* subjectAltName, this and the next */
	char		dns[TLS_NAME_MAX];
};

/* As sock_read and sock_write: -1 with err EAGAIN is "not now", read 0 the end. */
struct tls_io {
	ssize_t	(*read)(void *ctx, void *p, size_t n, struct fault *f);
	ssize_t	(*write)(void *ctx, struct span s, struct fault *f);
};

struct tls_context;
struct tls_stream;

/* What the last call that said EAGAIN waits for. */
enum tls_wants { TLS_WANTS_READ = 1, TLS_WANTS_WRITE = 2 };

struct tls_ops {
	unsigned		 abi;

	/* NULL: a pair is not good; the fault names it and tells why. */
	struct tls_context	*(*context_new)(const struct tls_setup *s,
				    struct fault *f);
	/* Streams that are left keep what they need. */
	void			 (*context_free)(struct tls_context *c);
	/* -1: this pair cannot be used: no PEM, key of another certificate, a
	 * chain whose links do not sign each other, a weak key. */
	int			 (*judge)(const struct tls_pair *p,
				    struct tls_judgement *out, struct fault *f);
	/* *crl_ends: when a list is too old to be used, and nobody's certificate
	 * is good any more; seconds since 1970, 0: never. */
	int			 (*judge_clients)(const struct tls_clients *c,
				    int64_t *crl_ends, struct fault *f);

	/* The server's end.  io is borrowed. */
	struct tls_stream	*(*open)(struct tls_context *c,
				    const struct tls_io *io, void *ctx,
				    struct fault *f);
	/* 0: done; -1 with err EAGAIN: not yet; -1: never. */
	int			 (*handshake)(struct tls_stream *s,
				    struct fault *f);
	/* As those of tls_io; an end that is none of TLS's is an error. */
	ssize_t			 (*read)(struct tls_stream *s, void *p, size_t n,
				    struct fault *f);
	ssize_t			 (*write)(struct tls_stream *s, struct span text,
				    struct fault *f);
	unsigned		 (*wants)(const struct tls_stream *s);
	/* Octets lie here that no event of the socket will tell of. */
	bool			 (*pending)(const struct tls_stream *s);
	/* close_notify; 0, or -1 with EAGAIN: call again; else it is lost. */
	int			 (*end)(struct tls_stream *s, struct fault *f);
	void			 (*facts)(const struct tls_stream *s,
				    struct tls_facts *out);
	/* After the handshake.  1: this is who it is; 0: it has shown no
	 * certificate; -1: one that is not good, of which subject alone is set. */
	int			 (*client)(const struct tls_stream *s,
				    struct tls_client *out, struct fault *f);
	/*
	 * What both ends alone know (RFC 5056): tls-exporter (RFC 9266), and behind
	 * its 32 octets tls-unique (RFC 5929).  Returns how many.  Under TLS 1.2
	 * neither without an extended master secret (RFC 7627), and tls-unique
	 * not after a resumption; under TLS 1.3 there is none.  binds: whether there
	 * is one at all, which costs nothing.
	 */
	bool			 (*binds)(const struct tls_stream *s);
	size_t			 (*binding)(const struct tls_stream *s,
				    uint8_t out[TLS_BINDING_MAX]);
	void			 (*close)(struct tls_stream *s);
};

/* NULL: there is no such module, or it is another version's.  Opens files. */
const struct tls_ops	*tls_load(struct fault *f);

/* The module's one symbol. */
extern const struct tls_ops	popper_tls;

#endif
