/* SPDX-License-Identifier: ISC */
/*
 * What every use of libcurl has in common here: the host is looked up before the cage
 * (there are no files in one), certificates come from memory, nothing is followed
 * anywhere else.  Floor 1.  Compiled into the modules that use it.
 */
#ifndef SYS_NETCURL_H
#define SYS_NETCURL_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/fault.h"

#include <curl/curl.h>
#include <stdbool.h>

/* Append a line: where the host of this URL is.  Blocks on name servers. */
int	netcurl_look_up(const char *url, struct buf *out, struct fault *f) MUSTUSE;
/* Lines of that, to *list, which the caller frees; false: no memory. */
bool	netcurl_hosts(CURL *c, struct span hosts, struct curl_slist **list) MUSTUSE;
/* The only certificates that may vouch: PEM, borrowed as long as c lives. */
bool	netcurl_roots(CURL *c, struct span roots) MUSTUSE;
/* Never a proxy that the environment names, a signal, an old TLS. */
bool	netcurl_calm(CURL *c) MUSTUSE;

#endif
