/* SPDX-License-Identifier: ISC */
#include "role/order.h"

#include "role/permit.h"
#include "role/wire.h"

#include "base/alloc.h"
#include "sys/file.h"

void
order_put_person(struct link_out *m, const struct sock_addr *peer,
    const struct identity *id, bool cached)
{
	link_out_init(m, MSG_SPAWN);
	wire_put_peer(m, peer);
	wire_put_identity(m, id);
	link_put_u8(m, cached ? 1 : 0);
}

int
order_read_person(struct span person, struct identity *id, struct fault *f)
{
	UNZEROED struct link_in	in;
	struct sock_addr	peer;

	link_in_again(&in, MSG_SPAWN, person);
	return wire_get_peer(&in, &peer, f) != 0 ||
	    wire_get_identity(&in, id, f) != 0 ? -1 : 0;
}

void
order_put(struct link_out *m, uint16_t type, uint32_t slot, uint64_t sid,
    uint8_t question, const struct host_facts *facts, struct span person)
{
	link_out_init(m, type);
	link_put_u32(m, slot);
	link_put_u64(m, sid);
	link_put_u8(m, question);
	link_put_u8(m, facts->locked ? 1 : 0);
	link_put_u8(m, (uint8_t)facts->which);
	link_put_raw(m, person);
}

/* Nonsense is decided anew. */
static enum host_which
get_which(struct link_in *m)
{
	uint8_t v = link_get_u8(m);

	return v <= HOST_ELSE ? (enum host_which)v : HOST_ANY;
}

int
order_read(struct link_in *m, struct order *o, struct fault *f)
{
	bool hand = m->type == MSG_HAND;

	*o = (struct order){ .client = -1, .rest = -1, .far = -1 };
	o->link = link_get_fd(m, 0);
	if (!hand)
		o->client = link_get_fd(m, 1);
	if (m->type == MSG_SPAWN_REST)
		o->rest = link_get_fd(m, 2);
	if (m->type == MSG_SPAWN_RELAY)
		o->far = link_get_fd(m, 2);
	o->slot = link_get_u32(m);
	o->sid = link_get_u64(m);
	o->question = link_get_u8(m);
	o->locked = link_get_u8(m) != 0;
	o->which = get_which(m);
	if (!hand && !words_unpack(o->question, &o->words))
		(void)fault_set(f, FAULT_PEER, "words of nobody");
	else if (wire_get_peer(m, &o->peer, f) == 0 &&
	    wire_get_identity(m, &o->id, f) == 0) {
		o->cached = link_get_u8(m) != 0;
		if (link_get_end(m, f) == 0)
			return 0;
	}
	order_close(o);
	return -1;
}

void
order_close(struct order *o)
{
	fd_close(&o->link);
	fd_close(&o->client);
	fd_close(&o->rest);
	fd_close(&o->far);
}

void
order_refuse(int client)
{
	struct fault f;

	/* A client that takes no octets has not waited for any. */
	(void)!sock_write(client, SPAN("-ERR [SYS/TEMP] No process can be had for"
	    " a session, try again later.\r\n"), &f);
}

struct session_start
order_start(const struct settings *conf, const char *hostname,
    const struct order *o, const struct host *h)
{
	return (struct session_start){
		.conf = conf,
		.id = &o->id,
		.facts = h,
		.hostname = hostname,
		.sid = o->sid,
		.peer = &o->peer,
		.in = o->client,
		.out = o->client,
		.link = o->link,
		.log_link = o->link,
		.rest_fd = o->rest,
		.far = o->far,
		.words = o->words,
		.cached = o->cached,
		.alone = true,
		.tells = true,
	};
}

int
order_send_facts(int link, const struct host *h, pid_t pid, pid_t parent,
    struct fault *f)
{
	static struct link_out m;

	link_out_init(&m, MSG_FACTS);
	link_put_u32(&m, (uint32_t)pid);
	link_put_u32(&m, (uint32_t)parent);
	link_put_u8(&m, h->system_spool ? 1 : 0);
	link_put_u8(&m, h->locked ? 1 : 0);
	link_put_u8(&m, (uint8_t)h->which);
	link_put_span(&m, span_str(h->path));
	link_put_span(&m, span_str(h->key));
	link_put_span(&m, span_str(h->lock));
	link_put_u64(&m, h->dotlock.ino);
	return link_send(link, &m, NULL, 0, f);
}

int
order_get_facts(struct link_in *m, struct host_facts *facts, pid_t *pid_r,
    pid_t *parent_r, struct fault *f)
{
	char		path[IDENTITY_PATH_MAX + 1];
	char		key[HOST_KEY_MAX];
	char		lock[HOST_KEY_MAX];
	uint64_t	dotlock;

	*pid_r = (pid_t)link_get_u32(m);
	*parent_r = (pid_t)link_get_u32(m);
	host_facts_fini(facts);
	facts->system_spool = link_get_u8(m) != 0;
	facts->locked = link_get_u8(m) != 0;
	facts->which = get_which(m);
	if (!link_get_cstr(m, path, sizeof(path)) ||
	    !link_get_cstr(m, key, sizeof(key)) ||
	    !link_get_cstr(m, lock, sizeof(lock)))
		return fault_set(f, FAULT_PEER, "facts");
	dotlock = link_get_u64(m);
	if (link_get_end(m, f) != 0)
		return -1;
	if (dotlock != 0)
		facts->dotlock.ino = dotlock;
	if (path[0] == '\0')
		return 0;
	facts->path = xstrdup(path);
	facts->key = xstrdup(key);
	facts->lock = xstrdup(lock);
	return 0;
}
