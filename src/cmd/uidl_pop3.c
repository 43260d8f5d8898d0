/* SPDX-License-Identifier: ISC */
#include "cmd/uidl_pop3.h"

#include "base/alloc.h"
#include "sys/netcurl.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define SILENCE_S	60L

struct pop3 {
	CURL			*curl;		/* owns */
	struct curl_slist	*resolve;	/* owns */
	char			*url;		/* owns, of libcurl: no user in it */
	struct buf		*out;		/* of the question under way */
	bool			 cut;
	char			 why[CURL_ERROR_SIZE];
};

/* ---- the URL ---- */

static bool
is_here(const char *host)
{
	static const char *const here[] = { "localhost", "127.0.0.1", "[::1]" };

	for (size_t i = 0; i < ARRAY_LEN(here); i++)
		if (strcmp(host, here[i]) == 0)
			return true;
	return false;
}

static bool
has(CURLU *u, CURLUPart part, const char *but)
{
	char	*text = NULL;
	bool	 it = curl_url_get(u, part, &text, 0) == CURLUE_OK &&
		    strcmp(text, but) != 0;

	curl_free(text);
	return it;
}

static bool
is_pop3(CURLU *u)
{
	char	*scheme = NULL;
	bool	 it = curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		    (strcmp(scheme, "pop3") == 0 || strcmp(scheme, "pop3s") == 0);

	curl_free(scheme);
	return it && !has(u, CURLUPART_PASSWORD, "") &&
	    !has(u, CURLUPART_OPTIONS, "") && !has(u, CURLUPART_PATH, "/") &&
	    !has(u, CURLUPART_QUERY, "") && !has(u, CURLUPART_FRAGMENT, "");
}

/* The user goes out of it, and must go in no other way. */
static bool
set_user(struct pop3 *p, CURLU *u, const char *user)
{
	char	*own = NULL;
	bool	 good;

	if (curl_url_get(u, CURLUPART_USER, &own, CURLU_URLDECODE) == CURLUE_OK)
		user = own;
	good = curl_easy_setopt(p->curl, CURLOPT_USERNAME, user) == CURLE_OK &&
	    curl_url_set(u, CURLUPART_USER, NULL, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_URL, &p->url, 0) == CURLUE_OK;
	curl_free(own);
	return good;
}

static bool
set_tls(struct pop3 *p, CURLU *u, const struct pop3_conf *c)
{
	char	*host = NULL;
	bool	 clear = c->plaintext ||
		    (curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
		    is_here(host));

	curl_free(host);
	return curl_easy_setopt(p->curl, CURLOPT_USE_SSL, clear ?
	    (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL) == CURLE_OK &&
	    netcurl_roots(p->curl, c->roots);
}

/* ---- questions ---- */

/* Another number than it was given ends the transfer. */
static size_t
on_octets(char *text, size_t size, size_t n, void *ctx)
{
	struct pop3	*p = ctx;
	struct span	 s = span_of(text, size * n);

	if (p->cut && s.n > buf_room(p->out))
		s = span_first(s, buf_room(p->out));
	return buf_append(p->out, s) == 0 ? size * n : 0;
}

static bool
set_password(CURL *c, struct span password)
{
	char	text[1024];
	bool	good = span_cstr(password, text, sizeof(text)) &&
		    curl_easy_setopt(c, CURLOPT_PASSWORD, text) == CURLE_OK;

	explicit_bzero(text, sizeof(text));
	return good;
}

static bool
set_all(struct pop3 *p, const struct pop3_conf *c)
{
	return netcurl_calm(p->curl) &&
	    netcurl_hosts(p->curl, c->hosts, &p->resolve) &&
	    set_password(p->curl, c->password) &&
	    curl_easy_setopt(p->curl, CURLOPT_URL, p->url) == CURLE_OK &&
	    curl_easy_setopt(p->curl, CURLOPT_PROTOCOLS_STR, "pop3,pop3s") ==
	    CURLE_OK &&
	    curl_easy_setopt(p->curl, CURLOPT_CONNECTTIMEOUT, SILENCE_S) ==
	    CURLE_OK &&
	    curl_easy_setopt(p->curl, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK &&
	    curl_easy_setopt(p->curl, CURLOPT_LOW_SPEED_TIME, SILENCE_S) ==
	    CURLE_OK &&
	    curl_easy_setopt(p->curl, CURLOPT_ERRORBUFFER, p->why) == CURLE_OK &&
	    curl_easy_setopt(p->curl, CURLOPT_WRITEFUNCTION, on_octets) ==
	    CURLE_OK &&
	    curl_easy_setopt(p->curl, CURLOPT_WRITEDATA, p) == CURLE_OK;
}

static void
pop3_close(struct pop3 *p)
{
	if (p == NULL)
		return;
	curl_easy_cleanup(p->curl);
	curl_slist_free_all(p->resolve);
	curl_free(p->url);
	free(p);
}

static struct pop3 *
pop3_open(const struct pop3_conf *c, struct fault *f)
{
	struct pop3	*p = xalloc(1, sizeof(*p));
	CURLU		*u = NULL;
	bool		 good = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK &&
			    (p->curl = curl_easy_init()) != NULL &&
			    (u = curl_url()) != NULL;

	if (!good)
		(void)fault_set(f, FAULT_PERM, "libcurl does not start");
	else if (curl_url_set(u, CURLUPART_URL, c->url, 0) != CURLUE_OK ||
	    !is_pop3(u))
		good = fault_set(f, FAULT_PERM, "%s: is not pop3://user@host:port, "
		    "nor pop3s", c->url) == 0;
	else if (!set_user(p, u, c->user) || !set_tls(p, u, c) || !set_all(p, c))
		good = fault_set(f, FAULT_PERM, "%s: libcurl cannot do it",
		    c->url) == 0;
	curl_url_cleanup(u);
	if (good)
		return p;
	pop3_close(p);
	return NULL;
}

static int
fault_of(const struct pop3 *p, CURLcode rc, struct fault *f)
{
	enum fault_class class = rc == CURLE_LOGIN_DENIED ? FAULT_AUTH :
	    rc == CURLE_WEIRD_SERVER_REPLY || rc == CURLE_RECV_ERROR ||
	    rc == CURLE_QUOTE_ERROR ? FAULT_PROTO :
	    rc == CURLE_WRITE_ERROR ? FAULT_LIMIT : FAULT_TEMP;

	return fault_set(f, class, "%s %s", p->url, p->why[0] != '\0' ? p->why :
	    curl_easy_strerror(rc));
}

static int
pop3_ask(struct pop3 *p, const char *command, bool cut, struct buf *out,
    struct fault *f)
{
	CURLcode rc;

	p->why[0] = '\0';
	p->out = out;
	p->cut = cut;
	rc = curl_easy_setopt(p->curl, CURLOPT_CUSTOMREQUEST, command);
	if (rc == CURLE_OK)
		rc = curl_easy_perform(p->curl);
	p->out = NULL;
	return rc == CURLE_OK ? 0 : fault_of(p, rc, f);
}

const struct pop3_ops popper_pop3 = {
	.abi = POP3_ABI,
	.look_up = netcurl_look_up,
	.open = pop3_open,
	.ask = pop3_ask,
	.close = pop3_close,
};
