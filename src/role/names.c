/* SPDX-License-Identifier: ISC */
#include "role/names.h"

#include "sys/identity.h"

#include <stdio.h>
#include <string.h>

static int
number_of(const char *name, char *out, size_t cap, struct fault *f)
{
	struct identity id;

	out[0] = '\0';
	if (name[0] == '\0')
		return 0;
	if (identity_service(name, &id, f) != 0)
		return -1;
	(void)snprintf(out, cap, "%u:%u", (unsigned)id.uid, (unsigned)id.gid);
	return 0;
}

static int
look_up(const struct settings *s, struct names *out, struct fault *f)
{
	return number_of(s->role.front_user, out->front_user,
	    sizeof(out->front_user), f) != 0 ||
	    auth_gids_numbers(s->auth.gids_denied, out->gids_denied,
	    sizeof(out->gids_denied), f) != 0 ? -1 : 0;
}

static void
put(struct settings *s, const struct names *n)
{
	s->role.front_user = n->front_user;
	s->auth.gids_denied = n->gids_denied;
}

int
names_of_session(struct settings *s, struct names *out, struct fault *f)
{
	if (look_up(s, out, f) != 0)
		return -1;
	put(s, out);
	return 0;
}

/* What a stranger's process could do to its own uid's others, it may not do to the
 * one that has the passwords. */
static int
look_apart(const struct names *n, struct fault *f)
{
	if (strncmp(n->front_user, n->auth_user,
	    strcspn(n->front_user, ":") + 1) != 0)
		return 0;
	return fault_set(f, FAULT_PERM, "auth_user: it has the uid of front_user;"
	    " make an account for each");
}

int
names_to_numbers(struct settings *s, struct names *out, struct fault *f)
{
	const char *of_rows = auth_has_rows(&s->auth) ? s->auth.virtual_user : "";

	if (look_up(s, out, f) != 0 ||
	    number_of(s->role.auth_user, out->auth_user,
	    sizeof(out->auth_user), f) != 0 ||
	    number_of(of_rows, out->virtual_user, sizeof(out->virtual_user),
	    f) != 0 || look_apart(out, f) != 0)
		return -1;
	names_use(s, out);
	return 0;
}

void
names_use(struct settings *s, const struct names *n)
{
	put(s, n);
	s->role.auth_user = n->auth_user;
	s->auth.virtual_user = n->virtual_user;
}
