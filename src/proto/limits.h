/* SPDX-License-Identifier: ISC */
/* Every bound of the wire, with its source.  Floor 1, pure. */
#ifndef PROTO_LIMITS_H
#define PROTO_LIMITS_H

/* A command line with its line end.  RFC 2449 s.4 asks for 255; ours is wider
 * for long passwords and XTND arguments.  Longer ones are swallowed up to
 * their LF and answered with one -ERR. */
#define LIMIT_LINE	1024
/* The same of AUTH, and of a response of its exchange: 12288 characters of base64
 * (RFC 5034 s.4), which is what tokens need, with what stands around them. */
#define LIMIT_AUTH_LINE	(12288 + 64)
/* First line of a reply, with CRLF.  RFC 1939 s.3, RFC 2449 s.4. */
#define LIMIT_REPLY	512
/* A unique-id.  RFC 1939 s.7. */
#define LIMIT_UIDL	70
/* Arguments that a command may have, beside its keyword. */
#define LIMIT_ARGS	3
/* A PROXY header.  Version 1 with its CRLF: section 2.1 of the protocol.  Version
 * 2, whose length field could say 64 KiB: addresses take 52 octets with the head,
 * or 232, and all TLVs that are known, a certificate's name among them, less than
 * a few hundred. */
#define LIMIT_PROXY_V1	107
#define LIMIT_PROXY_V2	4096
/* An input buffer of a connection: one over-long line never fills more. */
#define LIMIT_INPUT	8192
/* An output buffer: replies are collected up to this while input waits. */
#define LIMIT_OUTPUT	65536

#endif
