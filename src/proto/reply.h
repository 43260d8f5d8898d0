/* SPDX-License-Identifier: ISC */
/*
 * Replies.  Floor 1, pure.  The one bounded builder of what goes on the wire.
 * Texts are ours; no byte of the client's comes back but checked numbers.
 *
 * Texts are English in the code, and so are the formats that come here.  What is
 * sent is in the language of which the number is in out->tag (proto/lang.h):
 * whoever writes a reply sets it first.
 */
#ifndef PROTO_REPLY_H
#define PROTO_REPLY_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/fault.h"

/* Response codes: RFC 2449 s.8, RFC 3206. */
enum reply_code {
	CODE_NONE,
	CODE_IN_USE,
	CODE_LOGIN_DELAY,
	CODE_SYS_TEMP,
	CODE_SYS_PERM,
	CODE_AUTH,
	CODE_UTF8,			/* RFC 6856 s.5 */
};

/*
 * Append "+OK text\r\n" or "-ERR [CODE] text\r\n".  -1 when out has no room
 * (LIMIT_REPLY is always enough).  A text that would be too long is cut, between
 * two characters; CR, LF
 * and NUL in it become blanks, and so does a '[' that would make it begin like
 * a response code.  O(length).
 */
int	reply_ok(struct buf *out, const char *fmt, ...) MUSTUSE PRINTF(2, 3);
/* "+OK [XCLIENT] text": Dovecot's way to offer that without a CAPA. */
int	reply_ok_xclient(struct buf *out, const char *fmt, ...) MUSTUSE
	    PRINTF(2, 3);
int	reply_err(struct buf *out, enum reply_code code, const char *fmt, ...)
	    MUSTUSE PRINTF(3, 4);
/* A text of ours that is not a literal, and no format. */
int	reply_err_text(struct buf *out, enum reply_code code, const char *text)
	    MUSTUSE;

/* The fixed sentence and code that a client gets for a fault. */
int	reply_fault(struct buf *out, const struct fault *f) MUSTUSE;

/*
 * A line inside a multi-line reply, as above.  Ours need no dot-stuffing: a
 * leading dot becomes a blank.  Mail goes through proto/dot.h.
 */
int	reply_line(struct buf *out, const char *fmt, ...) MUSTUSE PRINTF(2, 3);
/* "+ text\r\n": a challenge of AUTH, in base64 (RFC 5034 s.4). */
int	reply_challenge(struct buf *out, const char *base64) MUSTUSE;
/* ".\r\n" */
int	reply_end(struct buf *out) MUSTUSE;

/*
 * CAPA's lines, from one table (RFC 2449 s.6), without the "+OK" before and the
 * final "." after.  Announce only what this build and this listener do.
 */
struct capa_facts {
	enum {
		CAPA_BEFORE_LOGIN,
		CAPA_AFTER_LOGIN
	}		 phase;
	const char	*implementation;	/* its words; NULL: not told */
	bool		 xclient;		/* before login, to whom may */
	bool		 stls;			/* before login: TLS may begin */
	bool		 no_user;		/* before login: passwords are not
						   taken in the clear */
	const char	*sasl;			/* mechanisms; NULL or "": none */
	unsigned	 login_delay_s;		/* 0: none */
	bool		 own_delays;		/* before login it is the largest that
						   a user may have; behind it, 0 is
						   told, too: what was announced stays
						   announced (RFC 2449 s.5) */
	const char	*expire;		/* days; NULL: NEVER */
	bool		 utf8_user;		/* in names and passwords, too */
};
int	reply_capa(struct buf *out, const struct capa_facts *facts) MUSTUSE;

#endif
