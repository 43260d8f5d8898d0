/* SPDX-License-Identifier: ISC */
/* The fields of popper ctl's requests and answers. */
#include "role/ctl.h"

#include "role/permit.h"
#include "watch/log.h"

#include <stdio.h>

void
ctl_put_whom(struct link_out *m, const struct ctl_whom *w)
{
	link_put_u8(m, (uint8_t)w->kind);
	link_put_u64(m, w->sid);
	link_put_span(m, span_str(w->user));
	wire_put_peer(m, &w->addr);
}

int
ctl_get_whom(struct link_in *m, struct ctl_whom *w, struct fault *f)
{
	uint8_t kind = link_get_u8(m);

	*w = (struct ctl_whom){ .sid = link_get_u64(m) };
	if (kind >= CTL_KINDS || !link_get_cstr(m, w->user, sizeof(w->user)))
		return fault_set(f, FAULT_PEER, "a request without sense");
	w->kind = (enum ctl_kind)kind;
	return wire_get_peer(m, &w->addr, f) != 0 ? -1 : link_get_end(m, f);
}

static bool
is_there(const struct ctl_whom *w, const struct places_view *v)
{
	return w->addr.family == v->peer->family &&
	    memcmp(w->addr.raw, v->peer->raw, sizeof(w->addr.raw)) == 0;
}

bool
ctl_is(void *whom, const struct places_view *v)
{
	const struct ctl_whom *w = whom;

	switch (w->kind) {
	case CTL_SID:
		return w->sid == v->sid;
	case CTL_USER:
		return strcmp(w->user, v->user) == 0;
	case CTL_ADDRESS:
		return is_there(w, v);
	case CTL_BOTH:
		return strcmp(w->user, v->user) == 0 &&
		    is_there(w, v);
	case CTL_ALL:
	case CTL_KINDS:
		break;
	}
	return true;
}

void
ctl_put_session(struct link_out *m, const struct places_view *v,
    const struct identity *id)
{
	link_put_u64(m, v->sid);
	link_put_span(m, span_str(v->user));
	wire_put_peer(m, v->peer);
	link_put_u32(m, v->pid);
	link_put_u64(m, v->age_ms);
	link_put_u8(m, (uint8_t)v->stage);
	link_put_span(m, span_str(v->path));
	link_put_span(m, span_str(id->db));
	link_put_u8(m, id->method);
}

int
ctl_get_session(struct link_in *m, struct ctl_row *out, struct fault *f)
{
	uint8_t	stage;
	uint8_t	method;

	*out = (struct ctl_row){ .view.sid = link_get_u64(m) };
	if (!link_get_cstr(m, out->user, sizeof(out->user)) ||
	    wire_get_peer(m, &out->peer, f) != 0)
		return fault_set(f, FAULT_PEER, "a session");
	out->view.pid = link_get_u32(m);
	out->view.age_ms = link_get_u64(m);
	stage = link_get_u8(m);
	if (stage >= PLACES_STAGES ||
	    !link_get_cstr(m, out->path, sizeof(out->path)) ||
	    !link_get_cstr(m, out->db, sizeof(out->db)))
		return fault_set(f, FAULT_PEER, "a session");
	method = link_get_u8(m);
	if (method >= AUTH_METHODS)
		return fault_set(f, FAULT_PEER, "a session");
	out->method = (enum auth_method)method;
	out->view.stage = (enum places_stage)stage;
	out->view.user = out->user;
	out->view.peer = &out->peer;
	out->view.path = out->path;
	return link_get_end(m, f);
}

void
ctl_put_fact(struct link_out *m, const char *name, const char *text,
    uint64_t number)
{
	link_out_init(m, MSG_CTL_FACT);
	link_put_span(m, span_first(span_str(name), CTL_NAME_MAX));
	link_put_u8(m, text == NULL ? 1 : 0);
	link_put_u64(m, number);
	link_put_span(m, text == NULL ? SPAN("") :
	    span_first(span_str(text), CTL_TEXT_MAX));
}

void
ctl_put_done(struct link_out *m, enum fault_class class, uint32_t n,
    const char *text)
{
	link_out_init(m, MSG_CTL_DONE);
	link_put_u8(m, (uint8_t)class);
	link_put_u32(m, n);
	link_put_span(m, span_first(span_str(text),
	    sizeof(((struct fault *)0)->text) - 1));
}

void
ctl_done(int fd, enum fault_class class, size_t n, const char *text)
{
	struct link_out	m;
	struct fault	f;

	ctl_put_done(&m, class, (uint32_t)n, text);
	if (link_send(fd, &m, NULL, 0, &f) != 0)
		log_fault(LEVEL_DEBUG, "ctl-answer", &f);
}

void
ctl_path(const struct settings *s, size_t n, char *out, size_t cap)
{
	const bool	own = s->role.ctl_socket[0] != '\0';
	char		more[8] = "";

	if (n > 0)
		(void)snprintf(more, sizeof(more), ".%zu", n % 100 + 1);
	(void)snprintf(out, cap, "%s%s%s", own ? s->role.ctl_socket :
	    s->role.run_dir, own ? "" : "/ctl", more);
}
