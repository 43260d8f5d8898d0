/* SPDX-License-Identifier: ISC */
#include "role/proxied.h"

#include "watch/log.h"

#include <errno.h>

void
proxied_init(struct proxied *p)
{
	proxy_init(&p->reader);
	p->tls = false;
	p->end_ms = clock_ms() + PROXIED_WAIT_MS;
}

static enum proxied_result
bad(const char *text, const char **why)
{
	*why = text;
	return PROXIED_BAD;
}

static enum proxied_result
in_time(const struct proxied *p, const char **why)
{
	return clock_ms() < p->end_ms ? PROXIED_MORE :
	    bad("no PROXY header in time", why);
}

enum proxied_result
proxied_read(struct proxied *p, int fd, uint8_t *room, size_t cap,
    struct sock_addr *client, struct span *rest, const char **why)
{
	struct proxy_client	c;
	struct fault		f;
	ssize_t			n = sock_read(fd, room, cap, &f);

	if (n < 0 && f.err == EAGAIN)
		return in_time(p, why);
	if (n <= 0)
		return p->reader.n == 0 ? PROXIED_SILENT :
		    bad("the PROXY header is cut off", why);
	*rest = span_of(room, (size_t)n);
	switch (proxy_feed(&p->reader, rest, &c)) {
	case PROXY_MORE:
		return in_time(p, why);
	case PROXY_BAD:
		return bad(p->reader.why, why);
	case PROXY_DONE:
		break;
	}
	if (c.family == 0)
		return PROXIED_ITSELF;
	p->tls = c.tls;
	sock_addr_set(client, c.family, c.raw, c.port);
	return PROXIED_CLIENT;
}

void
proxied_log_refused(const struct sock_addr *by, uint64_t times, const char *why)
{
	struct log_line l;

	log_begin(&l, LEVEL_WARN, "proxy-refused");
	log_str(&l, "ip", by->text);
	log_num(&l, "times", times);
	log_str(&l, "detail", why);
	log_end(&l);
}

void
proxied_log_announced(const struct sock_addr *client, const struct sock_addr *by,
    const char *how)
{
	struct log_line l;

	log_begin(&l, LEVEL_DEBUG, "client-announced");
	log_str(&l, "ip", client->text);
	log_str(&l, "by", by->text);
	log_str(&l, "how", how);
	log_end(&l);
}
