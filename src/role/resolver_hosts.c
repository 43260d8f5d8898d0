/* SPDX-License-Identifier: ISC */
/*
 * The table of hosts, hosts(5).
 * Runs as: root, at the start of a resolver.
 * Reads from: a file of root's.
 * Trusts: it; a line that is none is passed over.
 */
#include "role/resolver_priv.h"

#include "sys/file.h"

#include "base/alloc.h"

#include <arpa/inet.h>
#include <stdlib.h>

enum {
	TABLE_MAX	= 32 << 20,	/* octets; the rest is not read */
	WORD_MAX	= SOCK_ADDR_MAX,
};

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct resolver_host));
}

static void
add_line(struct resolver_hosts *h, struct span line)
{
	struct span		rest = span_first(line, span_find(line, '#'));
	struct span		word = span_word(&rest);
	struct resolver_host	host = { 0 };
	char			text[WORD_MAX];

	if (span_word(&rest).n == 0 || !span_cstr(word, text, sizeof(text)))
		return;
	if (inet_pton(AF_INET, text, host.raw) == 1)
		host.family = 4;
	else if (inet_pton(AF_INET6, text, host.raw) == 1)
		host.family = 6;
	else
		return;
	/* Some tables have one address for thousands of names. */
	if (h->n > 0 && compare(&h->v[h->n - 1], &host) == 0)
		return;
	h->v = xgrow(h->v, h->n, &h->cap, sizeof(*h->v));
	h->v[h->n++] = host;
}

void
resolver_hosts_load(const char *path, struct resolver_hosts *h)
{
	AUTO(fd_close) int	 fd = -1;
	struct file_facts	 facts;
	struct fault		 f;
	struct span		 rest;
	struct span		 line;
	uint8_t			*text;
	ssize_t			 n;

	*h = (struct resolver_hosts){ 0 };
	if (file_open(FILE_CWD, path != NULL ? path : "/etc/hosts",
	    FILE_READ | FILE_FOLLOW, 0, &fd, &f) == -1 ||
	    file_facts(fd, &facts, &f) == -1)
		return;
	if (facts.size > TABLE_MAX)
		facts.size = TABLE_MAX;
	text = xalloc(1, (size_t)facts.size + 1);
	n = file_pread(fd, text, (size_t)facts.size, 0, &f);
	rest = span_of(text, n > 0 ? (size_t)n : 0);
	while (span_line(&rest, &line))
		add_line(h, line);
	free(text);
	if (h->n > 0)
		qsort(h->v, h->n, sizeof(*h->v), compare);
}

void
resolver_hosts_fini(struct resolver_hosts *h)
{
	free(h->v);
	*h = (struct resolver_hosts){ 0 };
}

bool
resolver_hosts_has(const struct resolver_hosts *h, const struct sock_addr *peer)
{
	struct resolver_host key = { .family = peer->family };

	memcpy(key.raw, peer->raw, peer->family == 4 ? 4 : 16);
	return h->n > 0 &&
	    bsearch(&key, h->v, h->n, sizeof(*h->v), compare) != NULL;
}
