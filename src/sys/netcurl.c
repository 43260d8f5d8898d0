/* SPDX-License-Identifier: ISC */
#include "sys/netcurl.h"

#include <netdb.h>
#include <stdio.h>

#define ADDRESSES_MAX	8		/* of one host */
#define RESOLVE_MAX	1024

static size_t
append(char *out, size_t n, const char *text, const char *more)
{
	int got = snprintf(out + n, RESOLVE_MAX - n, "%s%s", text, more);

	return got < 0 || (size_t)got >= RESOLVE_MAX - n ? n : n + (size_t)got;
}

/* "host:port:address,address", as libcurl wants it */
static int
look_up(const char *host, const char *port, struct buf *out, struct fault *f)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	char		 line[RESOLVE_MAX];
	char		 address[64];
	struct addrinfo	*list;
	size_t		 n = append(line, append(line, 0, host, ":"), port, "");
	unsigned	 count = 0;
	int		 rc = getaddrinfo(host, port, &hints, &list);

	if (rc != 0)
		return fault_set(f, FAULT_TEMP, "%s: %s", host, gai_strerror(rc));
	for (const struct addrinfo *a = list; a != NULL && count < ADDRESSES_MAX;
	    a = a->ai_next)
		if (getnameinfo(a->ai_addr, a->ai_addrlen, address,
		    sizeof(address), NULL, 0, NI_NUMERICHOST) == 0)
			n = append(line, n, count++ == 0 ? ":" : ",", address);
	freeaddrinfo(list);
	return buf_append(out, span_of(line, n)) == 0 &&
	    buf_append(out, SPAN("\n")) == 0 ? 0 :
	    fault_set(f, FAULT_LIMIT, "%s: too many addresses", host);
}

int
netcurl_look_up(const char *url, struct buf *out, struct fault *f)
{
	CURLU	*u = curl_url();
	char	*host = NULL;
	char	*port = NULL;
	int	 rc = -1;

	if (u == NULL || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
		rc = fault_set(f, FAULT_PERM, "%s: no URL", url);
	else				/* '[': an address of IPv6 */
		rc = host[0] == '[' ? 0 : look_up(host, port, out, f);
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
	return rc;
}

bool
netcurl_hosts(CURL *c, struct span hosts, struct curl_slist **list)
{
	struct span	line;
	char		where[RESOLVE_MAX];

	while (span_line(&hosts, &line)) {
		struct curl_slist *more = span_cstr(line, where, sizeof(where)) ?
		    curl_slist_append(*list, where) : NULL;

		if (more == NULL)
			return false;
		*list = more;
	}
	return curl_easy_setopt(c, CURLOPT_RESOLVE, *list) == CURLE_OK;
}

bool
netcurl_roots(CURL *c, struct span roots)
{
	struct curl_blob blob = {
		.data = (void *)(uintptr_t)roots.p, .len = roots.n,
		.flags = CURL_BLOB_NOCOPY,
	};

	return curl_easy_setopt(c, CURLOPT_CAPATH, NULL) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_CAINFO, NULL) == CURLE_OK && (roots.n == 0 ||
	    curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &blob) == CURLE_OK);
}

bool
netcurl_calm(CURL *c)
{
	return curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_SSLVERSION,
	    (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
}
