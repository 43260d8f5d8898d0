/* SPDX-License-Identifier: ISC */
/*
 * The AUTHORIZATION state (RFC 1939 s.4, s.7): lines in, replies out, and now
 * and then a question that somebody else answers.  Floor 3, pure but for octets of
 * chance.
 *
 *   START --USER--> NAMED --PASS/RPOP--> ASKED --yes--> (TRANSACTION)
 *     ^               |other                |no
 *     +---------------+<--------------------+  (or the end: tries)
 *     +--XCLIENT--> (whose is it?) --> START
 *     +--STLS--> (a handshake) --> START
 *     +--APOP--> ASKED
 *     +--AUTH--> EXCHANGE --response--> ASKED      (RFC 5034; "*": START)
 *                   ^                     |challenge
 *                   +---------------------+
 */
#ifndef POP_AUTHORIZE_H
#define POP_AUTHORIZE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/secret.h"
#include "proto/lang.h"
#include "proto/line.h"
#include "proto/proxy.h"
#include "sasl/digest.h"

struct prep_ops;		/* sasl/prep.h */

#define AUTHORIZE_NAME_MAX	255
/* Octets of a message of AUTH, decoded: what LIMIT_AUTH_LINE holds of base64. */
#define AUTHORIZE_MESSAGE_MAX	9216
#define AUTHORIZE_CHALLENGE_MAX	1024

/* How a password was said; AUTH_METHOD_* in another room. */
enum authorize_method {
	BY_PASS,
	BY_RPOP,
	BY_PLAIN,
	BY_LOGIN,
	BY_EXTERNAL,
	BY_OAUTHBEARER,
	BY_XOAUTH2,
	BY_CRAM_MD5,
	BY_APOP,
	BY_GSSAPI,
	BY_SCRAM_SHA_1,
	BY_SCRAM_SHA_1_PLUS,
	BY_SCRAM_SHA_256,
	BY_SCRAM_SHA_256_PLUS,
	AUTHORIZE_METHODS
};

/* Within an exchange of AUTH: what the next line is. */
enum authorize_exchange {
	EXCHANGE_NONE,
	EXCHANGE_PLAIN,
	EXCHANGE_LOGIN_USER,
	EXCHANGE_LOGIN_PASSWORD,
	EXCHANGE_EXTERNAL,
	EXCHANGE_BEARER,
	EXCHANGE_CRAM,
	EXCHANGE_REFUSED,	/* whatever he says to the refusal of his token */
	EXCHANGE_FIRST,		/* the first message for who judges */
	EXCHANGE_RESPONSE,	/* to that one's challenge */
	EXCHANGE_ASKED,		/* nothing: that one has the word */
};

enum authorize_next {
	AUTHORIZE_MORE,		/* go on reading */
	AUTHORIZE_ASK,		/* see ask; then call authorize_answer, or of a
				   mechanism with messages authorize_challenge */
	AUTHORIZE_RESPOND,	/* likewise, to who has asked last */
	AUTHORIZE_CLIENT,	/* see announced; then call authorize_moved, or
				   end it */
	AUTHORIZE_TLS,		/* when out is sent, and all input forgotten, TLS
				   begins; then call authorize_secured */
	AUTHORIZE_CLOSE,	/* the last reply is in out */
};

enum authorize_answer {
	ANSWER_YES,
	ANSWER_NO,
	ANSWER_ERROR,		/* the question could not be decided */
	ANSWER_FULL,		/* yes, but there is no room for a session */
	ANSWER_USER_FULL,	/* or for one more of this user */
};

struct authorize {
	const char	*host;			/* for greeting and farewell */
	const char	*version;		/* NULL: hidden */
	unsigned	 tries;			/* failures allowed */
	unsigned	 bad_max;		/* bad commands in a row */
	unsigned	 lines_max;		/* lines in all */
	bool		 rpop;			/* RPOP is a command */
	bool		 xclient;		/* so is XCLIENT, once; set it
						   before the greeting */
	bool		 stls;			/* TLS may begin; likewise */
	bool		 secure;		/* it has begun */
	bool		 tokens;	/* so are their mechanisms; likewise */
	bool		 proxied;		/* a proxy has TLS, perhaps */
	bool		 needs_tls;		/* before a password is taken */
	char		 master;		/* between a user's name and that
						   of who acts for him; '\0': no
						   one may; set it as the above */
	unsigned	 login_delay_s;		/* for CAPA; 0: none */
	bool		 own_delays;		/* likewise: that is the largest */
	const char	*expire;		/* likewise; NULL: NEVER */
	const struct prep_ops	*prep;		/* of names beyond ASCII; NULL:
						   there are none; set it before
						   the first line */
	uint8_t		 preferred;		/* language of LANG *; set it
						   before the first line */
	struct words	 words;			/* of UTF8 and LANG */
	unsigned	 failures;
	unsigned	 bad;
	unsigned	 lines;
	bool		 quit;			/* ended by QUIT */
	bool		 named;
	size_t		 name_n;
	uint8_t		 name[AUTHORIZE_NAME_MAX];
	/* PLAIN and LOGIN, if not set before the greeting, and again when TLS has
	 * begun. */
	unsigned	 offers;		/* mask of 1u << method: of AUTH,
						   and APOP */
	/* What a digest is made of (sasl/digest.h). */
	bool			 stamped;	/* the greeting was, and it counts */
	uint8_t			 stamp[SASL_STAMP_SEED];
	uint8_t			 challenge[SASL_STAMP_SEED];	/* CRAM-MD5's */
	enum authorize_exchange exchange;
	struct {
		enum authorize_method	method;
		/* A mechanism that somebody else takes apart says messages, octet
		 * for octet, who he is among them; the others name and secret. */
		bool			says_messages;
		bool			broken;	/* it was no base64 */
		struct secret		secret;
		struct buf		token;	/* owns; of who says one in place
						   of a password */
		struct buf		message;	/* owns */
	} ask;
	struct {				/* by TLS; all borrowed */
		struct span	user;		/* empty: one of several */
		struct span	proof;		/* empty: nobody */
	} vouched;
	struct proxy_client announced;		/* by XCLIENT */
};

void	authorize_init(struct authorize *a, const char *host,
	    const char *version, unsigned tries, unsigned bad_max,
	    unsigned lines_max, bool rpop);
void	authorize_fini(struct authorize *a);

/* out needs room for LIMIT_REPLY (and for CAPA's list). */
void	authorize_greet(struct authorize *a, struct buf *out);
enum authorize_next	authorize_line(struct authorize *a, struct span line,
			    struct buf *out);
/* What was to be asked was sent: it is wiped. */
void			authorize_asked(struct authorize *a);
/* Is who was asked in the midst of an exchange, as far as the client goes? */
bool			authorize_exchanges(const struct authorize *a);
#define AUTHORIZE_MECHANISMS_MAX	256
#define AUTHORIZE_PLUS	(1u << BY_SCRAM_SHA_1_PLUS | 1u << BY_SCRAM_SHA_256_PLUS)
#define AUTHORIZE_TOKENS	(1u << BY_OAUTHBEARER | 1u << BY_XOAUTH2)
/* Those of offers, for CAPA; secure: those that say passwords, too. */
void			authorize_mechanisms(unsigned offers, bool secure,
			    char out[AUTHORIZE_MECHANISMS_MAX]);
/* Whoever was asked goes on with a question of its own: at most
 * AUTHORIZE_CHALLENGE_MAX octets.  Who it is for, if that is known now; else "". */
void			authorize_challenge(struct authorize *a,
			    struct span user, struct span octets,
			    struct buf *out);
/* For the session: those words, and what CAPA tells now. */
struct words		authorize_words(const struct authorize *a);
/* How long the next line may be; and is it no command, and a secret? */
enum line_width		authorize_width(const struct authorize *a);
bool			authorize_is_secret(const struct authorize *a);
/* It is another client's connection from now on. */
void	authorize_moved(struct authorize *a, struct buf *out);
/* TLS has begun: of what was said before nothing counts (RFC 2595 s.4). */
void	authorize_secured(struct authorize *a);
/* Behind that: the client has shown who it is, and may say EXTERNAL (RFC 4422 app. A).
 * user: for whom it stands, empty: for several; proof: for who judges, at most
 * SECRET_MAX.  Both stay. */
void			authorize_vouched(struct authorize *a,
			    struct span user, struct span proof);
/* A line that was too long. */
enum authorize_next	authorize_too_long(struct authorize *a, struct buf *out);
/* The password, or the token. */
struct span	authorize_secret(const struct authorize *a);
/* What was asked is on its way. */
void	authorize_asked(struct authorize *a);
/* MORE or CLOSE; ANSWER_YES is not for here: the session replies. */
enum authorize_next	authorize_answer(struct authorize *a,
			    enum authorize_answer answer, struct buf *out);

#endif
