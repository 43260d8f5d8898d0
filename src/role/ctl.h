/* SPDX-License-Identifier: ISC */
/*
 * popper ctl: what an operator asks a running popper serve, and how it is
 * answered.  Floor 4.  A connection to the socket (ctl_socket) is for one request;
 * who may ask what, the kernel's word on the other end decides: root all, a member
 * of ctl_group whatever changes nothing.
 *
 * A role without rights reads the request (ctl.c) and passes it on with the
 * connection.  The master acts at once (ctl_act.c), or has it answered by somebody
 * who may wait: a child without rights (ctl_answer.c), or auth.
 */
#ifndef ROLE_CTL_H
#define ROLE_CTL_H

#include "base/attr.h"
#include "role/edition.h"
#include "role/places.h"
#include "role/settings.h"
#include "role/wire.h"

/* Whom a request is about. */
enum ctl_kind { CTL_ALL, CTL_SID, CTL_USER, CTL_ADDRESS, CTL_BOTH, CTL_KINDS };

struct ctl_whom {
	enum ctl_kind	 kind;
	uint64_t	 sid;
	char		 user[IDENTITY_USER_MAX + 1];
	struct sock_addr addr;
};

#define CTL_WHOM_MAX	(1u + 8 + 4 + IDENTITY_USER_MAX + WIRE_PEER_MAX)
#define CTL_NAME_MAX	63
#define CTL_TEXT_MAX	1023
#define CTL_FACT_MAX	(4u + CTL_NAME_MAX + 1 + 8 + 4 + CTL_TEXT_MAX)
#define CTL_SESSION_MAX	(8u + 4 + IDENTITY_USER_MAX + WIRE_PEER_MAX + 4 + 8 + 1 + \
			 4 + IDENTITY_PATH_MAX + 4 + IDENTITY_DB_MAX + 1)

void	ctl_put_whom(struct link_out *m, const struct ctl_whom *w);
/* The whole message.  FAULT_PEER: nonsense. */
int	ctl_get_whom(struct link_in *m, struct ctl_whom *w, struct fault *f)
	    MUSTUSE;
/* whom is a struct ctl_whom: for places_each. */
bool	ctl_is(void *whom, const struct places_view *v);

/* id: who that is. */
void	ctl_put_session(struct link_out *m, const struct places_view *v,
	    const struct identity *id);
/* Texts of *v are in room, which must live as long. */
struct ctl_row {
	struct places_view	view;
	struct sock_addr	peer;
	char			user[IDENTITY_USER_MAX + 1];
	char			path[IDENTITY_PATH_MAX + 1];
	char			db[IDENTITY_DB_MAX + 1];
	enum auth_method	method;
};
int	ctl_get_session(struct link_in *m, struct ctl_row *out, struct fault *f)
	    MUSTUSE;

/* A fact has a text (not NULL) or a number. */
void	ctl_put_fact(struct link_out *m, const char *name, const char *text,
	    uint64_t number);
void	ctl_put_done(struct link_out *m, enum fault_class class, uint32_t n,
	    const char *text);

/* The same, sent: who asked may be gone, and nobody waits for him. */
void	ctl_done(int fd, enum fault_class class, size_t n, const char *text);

/* Path of the socket of the nth of the servers that run side by side; 0: it alone. */
#define CTL_SERVERS_MAX	8
void	ctl_path(const struct settings *s, size_t n, char *out, size_t cap);

/* Why who traces has had enough. */
enum ctl_trace_end {
	CTL_TRACE_TIME,
	CTL_TRACE_SIZE,
	CTL_TRACE_STOPPED,	/* by a signal */
	CTL_TRACE_OUTPUT,	/* nobody takes what he writes */
	CTL_TRACE_ENDS
};
#define CTL_TRACE_MOST_S	3600

/* --- the role: takes requests, judges who may ask what -------------------- */

struct ctl_start {
	const struct settings	*conf;
	int			 listener;
	int			 tracer;	/* the same for lines of a trace */
	gid_t			 group;		/* LOCAL_NO_GROUP: root alone */
	int			 master;
	int			 log_link;
};

/* In the master, as root: the listeners of *out and their group.  -1: it is logged,
 * and costs popper ctl alone.  beside: of inetd's, one of several may be ours, and
 * takes nobody's place who lives; else the first. */
void	ctl_listen(const struct settings *conf, bool beside,
	    struct ctl_start *out);
void	ctl_main(const struct ctl_start *s) NORETURN;

/* --- in auth ------------------------------------------------------------------- */

/* Answer PENALTIES or CLEAR.  FAULT_PEER: nonsense. */
struct penalty;
int	ctl_penalties(struct penalty *p, const struct role_settings *r,
	    struct link_in *in, struct fault *f) MUSTUSE;

/* --- in the master, as root ------------------------------------------------- */

/* What the master has. */
struct ctl_host {
	struct crew		*crew;		/* the youngest (role/crew.h) */
	struct places		*places;
	bool			 stopping;
	uint64_t		 began_ms;	/* clock_ms() at the start */
};

/* One request that the role has passed on.  FAULT_PEER: it must be ended. */
int	ctl_act(const struct ctl_host *h, struct link_in *in, struct fault *f)
	    MUSTUSE;
/* Whoever has asked for one until then is told how it went, when it is over;
 * refused: why, or NULL. */
#define CTL_ASKERS_MAX	8
struct edition_ears	ctl_reload_begins(void);
void	ctl_reload_over(const struct fault *refused);
/* A child has ended that is no role's. */
void	ctl_reaped(pid_t pid);

/* The child: drops all rights, answers WHO or STATUS, ends. */
void	ctl_answer(const struct ctl_host *h, int client, uint16_t type,
	    const struct ctl_whom *w) NORETURN;

#endif
