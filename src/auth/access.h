/* SPDX-License-Identifier: ISC */
/*
 * The rules of the option access: who may log in from where and how, judged when
 * the password was right.  Floor 2, pure but for access_load.
 *
 *	access = deny group=interns network=!10.0.0.0/8
 *	access = allow domain=example.org listener=*:995 method=plain tls=yes
 *	access = deny
 *
 * The first line whose conditions all hold decides; none: who is right may log in.
 * A condition is a list of which one must fit, or with a '!' before it, none.
 */
#ifndef AUTH_ACCESS_H
#define AUTH_ACCESS_H

#include "auth/auth.h"
#include "base/attr.h"
#include "base/fault.h"
#include "conf/conf.h"

#define ACCESS_GROUPS_MAX	AUTH_GROUPS_MAX

/* Groups that rules name, looked up while that can be done. */
struct access_groups {
	size_t	n;
	struct {
		struct span	name;		/* borrows, from the rules */
		bool		known;
		gid_t		gid;
	} of[ACCESS_GROUPS_MAX];
};

struct access_who {
	const struct identity	*id;		/* as the database knows it */
	const uint64_t		*groups;	/* struct auth_verdict's; NULL: none but
						   those of id */
	const char		*db;		/* which */
	enum auth_method	 method;
	const struct sock_addr	*peer;
	const struct auth_way	*way;
	bool			 master;	/* by a master user's password */
	bool			 app;		/* by an app password */
};

/* For the table of options (conf_option.fits). */
bool	access_fits(const char *line, char *expected, size_t cap);

/* Rules must stay; 1: found, 0: no such group, -1 by `find`. */
int	access_load(const struct conf_list *rules, struct access_groups *g,
	    int (*find)(const char *name, gid_t *gid_r, struct fault *f),
	    struct fault *f) MUSTUSE;

/* He is in this group: noted if rules name it. */
void	access_note(const struct access_groups *g, gid_t gid,
	    uint64_t groups[AUTH_GROUPS_MAX / 64]);

/* The first database that a line names and `has` does not know; false: none. */
bool	access_unknown_db(const char *line,
	    bool (*has)(const void *ctx, struct span id), const void *ctx,
	    struct span *id_r) MUSTUSE;

/* The rule that decides, or -1; may this one log in? */
int	access_judge(const struct conf_list *rules,
	    const struct access_groups *g, const struct access_who *who,
	    bool *allowed_r);

#endif
