/* SPDX-License-Identifier: ISC */
/*
 * What a process that talks to strangers has of TLS: the certificates of
 * popper.conf, and one connection under it, as pump and relay see that.  Floor 4.
 */
#ifndef ROLE_SECURE_H
#define ROLE_SECURE_H

#include "auth/external.h"
#include "pop/authorize.h"
#include "role/certificates.h"
#include "role/listen.h"
#include "role/pump.h"
#include "role/settings.h"
#include "tls/tls.h"

/* As long as the process. */
struct secure_house {
	const struct tls_ops	*tls;		/* NULL: there is no TLS */
	volatile const struct tls_ticket_keys *tickets;	/* borrows; or NULL */
	struct tls_context	*of[LISTEN_POLICIES];	/* owns */
	enum external_by	 client_by;	/* tls_client_user */
	struct buf		 client_users;	/* owns: rows of tls_client_users */
};

/*
 * What a cage will not let in: the library, the files; nothing is read yet.  No
 * rows: no TLS, and no files.
 */
int	secure_house_open(struct secure_house *h, const struct settings *s,
	    struct certificates *files, struct fault *f) MUSTUSE;
/* In the cage: these, for who comes from now on; -1: all is as before. */
int	secure_house_use(struct secure_house *h, const struct certificates *c,
	    struct fault *f) MUSTUSE;

struct secure {
	const struct tls_ops	*tls;
	struct tls_stream	*stream;	/* owns; NULL: in the clear */
	int			 in;		/* borrows, as the next one */
	int			 out;
	struct buf		 first;		/* read before TLS began, and its */
	bool			 ending;
	struct secure_client	*client;	/* owns; NULL: no certificate that is
						   some user's */
};

/* Whom a client's certificate stands for. */
struct secure_client {
	char	user[IDENTITY_USER_MAX + 1];	/* "": one of several */
	char	proof[EXTERNAL_PROOF_MAX];	/* for who judges */
};

/* `first`: of the client's hello, behind a PROXY header. */
int	secure_open(struct secure *s, const struct secure_house *h,
	    enum listen_policy policy, int in, int out, struct span first,
	    struct fault *f) MUSTUSE;
void	secure_close(struct secure *s);
/*
 * For a process with one client: all of the beginning, to its end.  What the pump was
 * in the midst of is forgotten, and from here on it talks through s; or, -1, that came
 * to nothing, and is logged.
 */
int	secure_begin(struct secure *s, const struct secure_house *h,
	    enum listen_policy policy, struct span first, struct pump *p,
	    const struct sock_addr *peer) MUSTUSE;
/* Behind the handshake: what the client may say with EXTERNAL, if anything. */
void	secure_know(struct secure *s, const struct secure_house *h,
	    const struct sock_addr *peer, struct authorize *a);
/* A handshake that came to nothing. */
void	secure_log_failed(const struct sock_addr *peer, const struct fault *f);
/* Who has logged in with what old_tls alone lets him have: whom to help. */
void	secure_log_old(const struct secure *s, struct span user,
	    const struct sock_addr *peer);
/* Whether anything can tie an exchange to it. */
bool	secure_binds(const struct secure *s);
/* What ties an exchange to it (struct auth_request); 0 octets: in the clear, or
 * nothing can. */
size_t	secure_binding(const struct secure *s, uint8_t out[TLS_BINDING_MAX]);
/* secure_end follows what is written next. */
void	secure_ends(struct secure *s);
/* The last octet; best effort.  The caller shuts the socket down then, which goes out
 * together with it. */
void	secure_end(struct secure *s);
/* struct pump's wire; the context is a struct secure. */
extern const struct pump_wire	secure_wire;

#endif
