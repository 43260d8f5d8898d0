/* SPDX-License-Identifier: ISC */
/*
 * What a proxy says about its client: the PROXY header before the first octet
 * of a connection, versions 1 and 2 ("The PROXY protocol", Willy Tarreau, 2020),
 * and the command XCLIENT (Postfix's XCLIENT_README, as Dovecot speaks it in
 * POP3).  Floor 1, pure.  Whether the sender may say so is not judged here.
 */
#ifndef PROTO_PROXY_H
#define PROTO_PROXY_H

#include "base/span.h"
#include "proto/limits.h"

/* Whose connection it is. */
struct proxy_client {
	uint8_t		family;		/* 4, 6; 0: not told */
	uint8_t		raw[16];	/* network order; 4 or 16 octets */
	uint16_t	port;		/* host order; 0: not told */
	bool		tls;		/* it came to the proxy by TLS */
};

/*
 * An address as text, nothing around it; families other than `family` are wrong
 * (0: any).  The port is left alone.
 */
bool	proxy_address(struct span text, uint8_t family, struct proxy_client *out);

enum proxy_result {
	PROXY_MORE,		/* all of it was taken, and more is wanted */
	PROXY_DONE,		/* the header is over; what follows is left */
	PROXY_BAD,		/* this is no header: see why */
};

struct proxy_reader {
	const char	*why;		/* what is wrong, a few words */
	/* private */
	size_t		 n;		/* octets so far */
	size_t		 total;		/* version 2: of the whole */
	size_t		 tlvs_at;	/* version 2: where they begin */
	uint32_t	 crc;		/* of what came so far */
	uint32_t	 crc_said;
	bool		 crc_seen;
	bool		 tls;
	size_t		 tlv_n;		/* octets of a head of a TLV */
	size_t		 tlv_left;	/* of its value */
	uint8_t		 tlv[3];
	uint8_t		 b[LIMIT_PROXY_V1];	/* the beginning */
};

void	proxy_init(struct proxy_reader *r);
/*
 * Take what belongs to the header off *in.  Any split of the input gives the
 * same; nothing is read twice.  What cannot become a header is found at the first
 * octet that shows it.
 *
 * PROXY_DONE fills *out; its family is 0 for UNKNOWN, LOCAL, a local socket: it
 * is the connection of the proxy itself, or it does not know.  A checksum
 * (CRC32C) is verified, of SSL it is taken whether the client spoke TLS, other
 * TLVs are skipped; all must fit to the octet.
 */
enum proxy_result	proxy_feed(struct proxy_reader *r, struct span *in,
			    struct proxy_client *out);

/*
 * The arguments of XCLIENT.  ADDR (with or without IPV6:) must be there, PORT
 * may be; [UNAVAILABLE] and [TEMPUNAVAIL] are 0.  What else Postfix and Dovecot
 * say is taken and means nothing here; other words are mistakes.  NULL, or what
 * is wrong, for the client.
 */
const char	*xclient_parse(struct span args, struct proxy_client *out);

#endif
