/* SPDX-License-Identifier: ISC */
/*
 * Is this bearer token good, and whose is it?  Floor 2.  JSON Web Tokens (RFC 7519)
 * that a key of the operator's authorization server has signed are judged here; for
 * others that server is asked (RFC 7662).
 *
 * The room is a module of its own (popper-token.so), since libcurl, OpenSSL and
 * jansson are many times as large as popper: who needs it calls token_load, before its
 * cage.  Files come as octets; `look_up` asks the name service where hosts are, `open`
 * opens nothing, `judge` nothing but sockets, and waits for the network, if it has to,
 * for at most timeout_s at a time.  One thread.
 */
#ifndef TOKEN_TOKEN_H
#define TOKEN_TOKEN_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/fault.h"
#include "base/span.h"
#include "conf/conf.h"

#define TOKEN_ABI	2		/* of struct token_ops; goes up when it changes */
#define TOKEN_MAX	9216		/* octets of a token */
#define TOKEN_NAME_MAX	255		/* of a user's name */
#define TOKEN_HOSTS_MAX	2048		/* octets of what look_up says */

struct token_conf {
	const char	*jwks;		/* a file, or a URL; "" = none */
	const char	*introspection;	/* URL; "" = none */
	const char	*client_file;	/* "name:secret" for that; "" = none */
	const char	*issuer;	/* "" = any, where jwks is "" */
	const char	*audience;	/* words, of which one must fit; likewise */
	const char	*scope;		/* words, of which all must be there */
	const char	*user_claim;
	const char	*ca_file;	/* "" = the host's */
	unsigned	 timeout_s;
	unsigned	 refetch_s;	/* keys of a URL: not more often than that */
	unsigned	 cache_ttl_s;	/* 0: introspection has no cache */
};

/* Rows of popper.conf for it (options.c, which is not of the module). */
extern const struct conf_option	token_options[];

/* Are tokens judged at all? */
static inline bool
token_wanted(const struct token_conf *c)
{
	return c->jwks[0] != '\0' || c->introspection[0] != '\0';
}

/* "https://...", or "http://" and an address of this host. */
bool	token_is_url(const char *value);

/* Which port of its host one names, or means; 0: it is none. */
uint16_t	token_url_port(const char *url);

/* And does that take a network? */
static inline bool
token_needs_network(const struct token_conf *c)
{
	return c->introspection[0] != '\0' || token_is_url(c->jwks);
}

enum token_result {
	TOKEN_GOOD,
	TOKEN_REFUSED,
	TOKEN_UNDECIDED,		/* who should know cannot be asked */
};

struct token_verdict {
	enum token_result	result;
	char			user[TOKEN_NAME_MAX + 1];	/* when GOOD; when
					   REFUSED, though it is of our issuer,
					   whom it names; else "" */
	bool			anew;	/* when UNDECIDED: to close and to open
					   might help */
	char			detail[240];	/* for the log; no word of the token */
};

struct token;

/* What stands in the files of the conf; empty: there is none. */
struct token_files {
	struct span	jwks;
	struct span	client;
	struct span	roots;		/* PEM; for https */
	struct span	hosts;		/* what look_up has said; for URLs */
};

struct token_ops {
	unsigned	 abi;
	/* Where the hosts of the conf's URLs are, as text; the caller owns out. */
	int		 (*look_up)(const struct token_conf *c, struct buf *out,
			    struct fault *f);
	/* The conf is borrowed; the files are for the call alone.  NULL: one cannot be
	 * used, the fault says why. */
	struct token	*(*open)(const struct token_conf *c,
			    const struct token_files *files, struct fault *f);
	/* user: who the client says that he is; empty: whoever the token names.
	 * Exactly that one, or it is refused. */
	void		 (*judge)(struct token *t, struct span user,
			    struct span token, struct token_verdict *v);
	void		 (*close)(struct token *t);
};

/* NULL: there is no such module, or it is another version's.  Opens files. */
const struct token_ops	*token_load(struct fault *f);

/* The module's one symbol. */
extern const struct token_ops	popper_token;

#endif
