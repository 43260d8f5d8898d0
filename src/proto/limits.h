/* SPDX-License-Identifier: ISC */
/* Every bound of the wire, with its source.  Floor 1, pure. */
#ifndef PROTO_LIMITS_H
#define PROTO_LIMITS_H

/* A command line with its line end.  RFC 2449 s.4 asks for 255; ours is wider
 * for long passwords and XTND arguments.  Longer ones are swallowed up to
 * their LF and answered with one -ERR. */
#define LIMIT_LINE	1024
/* First line of a reply, with CRLF.  RFC 1939 s.3, RFC 2449 s.4. */
#define LIMIT_REPLY	512
/* A unique-id.  RFC 1939 s.7. */
#define LIMIT_UIDL	70
/* Arguments that a command may have, beside its keyword. */
#define LIMIT_ARGS	3
/* An input buffer of a connection: one over-long line never fills more. */
#define LIMIT_INPUT	8192
/* An output buffer: replies are collected up to this while input waits. */
#define LIMIT_OUTPUT	65536

#endif
