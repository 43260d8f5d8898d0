/* SPDX-License-Identifier: ISC */
/*
 * The addresses in a header field's value, one by one.  Floor 2, pure.
 *
 * RFC 5322 s.3.4 read strictly: comments, quoted strings, display names, groups
 * and domain literals are understood; what two mail systems might read in two
 * ways (source routes, text behind "<...>", what is not closed) is bad.  So is
 * an address that might name a program, a file or an option, however it is
 * quoted: a word of it begins with '|', '/', '-' or ':', or all of it with '@'.
 */
#ifndef XTND_ADDRESS_H
#define XTND_ADDRESS_H

#include "base/span.h"

#define ADDRESS_MAX	512

struct address {
	size_t	n;
	uint8_t	text[ADDRESS_MAX];	/* quotes and comments taken off */
};

enum address_result {
	ADDRESS_END,
	ADDRESS_ONE,
	ADDRESS_BAD,
};

struct address_list {
	struct span	rest;
	bool		in_group;
};

enum address_result	address_next(struct address_list *l,
			    struct address *out);

#endif
