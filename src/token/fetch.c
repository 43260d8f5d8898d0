/* SPDX-License-Identifier: ISC */
/*
 * A document of one HTTP server, by libcurl: it is not followed anywhere else, its host
 * was looked up before (there are no files in a cage), and what it says is bounded in
 * size and time.
 */
#include "token/token_priv.h"

#include "base/alloc.h"

#include <curl/curl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#define ADDRESSES_MAX	8		/* of one host */
#define RESOLVE_MAX	1024

struct fetch {
	CURL			*curl;		/* owns */
	struct curl_slist	*resolve;	/* owns: where the host is */
	struct curl_slist	*headers;	/* owns */
	char			*url;		/* owns */
	struct buf		*out;		/* of the call under way */
	char			 why[CURL_ERROR_SIZE];
};

static int
curl_fault(struct fault *f, const struct fetch *x, CURLcode rc)
{
	return fault_set(f, FAULT_TEMP, "%s: %s", x->url, x->why[0] != '\0' ?
	    x->why : curl_easy_strerror(rc));
}

/* ---- where the host is ---- */

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
fetch_look_up(const char *url, struct buf *out, struct fault *f)
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

static bool
set_hosts(struct fetch *x, struct span hosts)
{
	struct span	line;
	char		where[RESOLVE_MAX];

	while (span_line(&hosts, &line)) {
		struct curl_slist *more = span_cstr(line, where, sizeof(where)) ?
		    curl_slist_append(x->resolve, where) : NULL;

		if (more == NULL)
			return false;
		x->resolve = more;
	}
	return true;
}

/* ---- the exchange ---- */

/* Another number than it was given ends the transfer. */
static size_t
on_octets(char *p, size_t size, size_t n, void *ctx)
{
	struct fetch *x = ctx;

	return buf_append(x->out, span_of(p, size * n)) == 0 ? size * n : 0;
}

static bool
set_client(CURL *c, struct span client)
{
	char	text[1024];
	bool	good;

	if (client.n == 0)
		return true;
	good = span_cstr(client, text, sizeof(text)) &&
	    curl_easy_setopt(c, CURLOPT_USERPWD, text) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC) == CURLE_OK;
	explicit_bzero(text, sizeof(text));
	return good;
}

static bool
set_roots(CURL *c, struct span roots)
{
	struct curl_blob blob = {
		.data = (void *)(uintptr_t)roots.p, .len = roots.n,
		.flags = CURL_BLOB_NOCOPY,
	};

	return curl_easy_setopt(c, CURLOPT_CAPATH, NULL) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_CAINFO, NULL) == CURLE_OK && (roots.n == 0 ||
	    curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &blob) == CURLE_OK);
}

/* Never a proxy that the environment names, a redirection, a signal. */
static bool
set_all(struct fetch *x, unsigned timeout_s)
{
	CURL *c = x->curl;

	return curl_easy_setopt(c, CURLOPT_URL, x->url) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)timeout_s) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_HTTP_VERSION,
	    (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_SSLVERSION,
	    (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_RESOLVE, x->resolve) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_HTTPHEADER, x->headers) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, x->why) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_octets) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_WRITEDATA, x) == CURLE_OK;
}

struct fetch *
fetch_new(const char *url, unsigned timeout_s, struct span hosts,
    struct span client, struct span roots, struct fault *f)
{
	struct fetch *x = xalloc(1, sizeof(*x));

	x->url = xstrdup(url);
	x->curl = curl_easy_init();
	x->headers = curl_slist_append(NULL, "Accept: application/json");
	if (x->curl == NULL || !set_hosts(x, hosts) || !set_all(x, timeout_s) ||
	    !set_roots(x->curl, roots) || !set_client(x->curl, client)) {
		(void)fault_set(f, FAULT_PERM, "%s: libcurl cannot do it", url);
		fetch_free(x);
		return NULL;
	}
	return x;
}

void
fetch_free(struct fetch *x)
{
	if (x == NULL)
		return;
	curl_easy_cleanup(x->curl);
	curl_slist_free_all(x->resolve);
	curl_slist_free_all(x->headers);
	free(x->url);
	free(x);
}

static CURLcode
perform(struct fetch *x, struct span form, long *status_r)
{
	CURLcode rc;

	x->why[0] = '\0';
	if (form.n > 0) {
		(void)curl_easy_setopt(x->curl, CURLOPT_POSTFIELDSIZE, (long)form.n);
		(void)curl_easy_setopt(x->curl, CURLOPT_POSTFIELDS, form.p);
	} else {
		(void)curl_easy_setopt(x->curl, CURLOPT_HTTPGET, 1L);
	}
	rc = curl_easy_perform(x->curl);
	(void)curl_easy_setopt(x->curl, CURLOPT_POSTFIELDS, NULL);
	(void)curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, status_r);
	return rc;
}

int
fetch_do(struct fetch *x, struct span form, struct buf *out, struct fault *f)
{
	long		status = 0;
	CURLcode	rc;

	buf_init(out, DOCUMENT_MAX);
	x->out = out;
	rc = perform(x, form, &status);
	x->out = NULL;
	if (rc == CURLE_OK && status == 200)
		return 0;
	buf_fini(out);
	return rc != CURLE_OK ? curl_fault(f, x, rc) :
	    fault_set(f, FAULT_TEMP, "%s: HTTP status %ld", x->url, status);
}
