/* SPDX-License-Identifier: ISC */
/*
 * A document of one HTTP server, by libcurl: it is not followed anywhere else, its host
 * was looked up before (there are no files in a cage), and what it says is bounded in
 * size and time.
 */
#include "token/token_priv.h"

#include "base/alloc.h"
#include "sys/netcurl.h"

#include <stdlib.h>

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

/* Nor a redirection. */
static bool
set_all(struct fetch *x, unsigned timeout_s)
{
	CURL *c = x->curl;

	return netcurl_calm(c) &&
	    curl_easy_setopt(c, CURLOPT_URL, x->url) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)timeout_s) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_HTTP_VERSION,
	    (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
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
	if (x->curl == NULL || !set_all(x, timeout_s) ||
	    !netcurl_hosts(x->curl, hosts, &x->resolve) ||
	    !netcurl_roots(x->curl, roots) || !set_client(x->curl, client)) {
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
