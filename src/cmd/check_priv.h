/* SPDX-License-Identifier: ISC */
/* Between the files of `popper check`. */
#ifndef CMD_CHECK_PRIV_H
#define CMD_CHECK_PRIV_H

#include "base/attr.h"
#include "role/settings.h"
#include "sys/file.h"

#include <stdio.h>

struct check {
	const struct settings	*s;
	FILE			*out;	/* NULL: errors alone, as of a start */
	bool			 terminal;	/* those go to standard error, too */
	bool			 spares;	/* and are no more than warnings */
	char			 first[2048];	/* of them */
	bool			 root;	/* are we? */
	bool			 quick;	/* nothing that costs more with each
						   maildrop */
	uid_t			 uid;	/* ours */
	unsigned		 errors;
	unsigned		 warnings;
	uint64_t		 end_ms;	/* its children's, by clock_ms; 0: there
						   was none */
	bool			 nameless;	/* nobody tells of accounts and groups */
};

/* One line: "FILE:LINE: error: TEXT"; line 0 leaves the line out. */
void	check_tell(struct check *c, enum conf_severity severity,
	    const char *file, unsigned line, const char *fmt, ...) PRINTF(5, 6);

/* The same about an option: the place where it was set, and its name. */
void	check_error(struct check *c, const char *option, const char *fmt, ...)
	    PRINTF(3, 4);
void	check_warn(struct check *c, const char *option, const char *fmt, ...)
	    PRINTF(3, 4);

/*
 * What became of a question to somebody else, in that line of the configuration: an
 * error.  With --quick a warning, if it may pass: popper starts without an answer, and
 * asks again when a login needs it.
 */
void	check_fault(struct check *c, const char *option, unsigned line,
	    const struct fault *f, const char *fmt, ...) PRINTF(5, 6);

/* Whether accounts and groups can be looked up: sets c->nameless, else others may. */
void	check_names(struct check *c);
/* For access_load, then. */
int	check_no_group(const char *name, gid_t *gid_r, struct fault *f);
/* Values that do not fit together. */
void	check_rules(struct check *c);
/* Those of them that are errors and depend on nothing else. */
void	check_unfit(struct check *c);
/* Files and folders of popper's own; of them PAM's services, deny_file, and those
 * without which there is no session. */
void	check_files(struct check *c);
void	check_pam(struct check *c);
void	check_deny(struct check *c);
void	check_folders(struct check *c);
/* A user database in SQL, named in that line: it is opened. */
struct auth_conf;
void	check_sql(struct check *c, const struct auth_conf *db, unsigned line);
/* Certificates, and who needs TLS. */
void	check_tls(struct check *c);
/* GSSAPI: reads the keytab. */
void	check_gssapi(struct check *c);
/* What users need stored for the mechanisms that there are. */
void	check_secrets(struct check *c);
/* Files of bearer tokens. */
void	check_token_files(struct check *c);
/* Bearer tokens; asks the authorization server. */
void	check_tokens(struct check *c);
/* What will be missed when popper runs. */
void	check_needs(struct check *c);
/* Spool, bulletins, boards, and what waits there. */
void	check_mail(struct check *c);
void	check_bulletins(struct check *c);
void	check_boards(struct check *c);

/* fn in a child, which may give up its rights; what that says is f's, TEMP as there,
 * else PERM.  All children of one check have 20 seconds; who has not answered then is
 * killed, TEMP. */
typedef int	check_fn(const struct check *c, const void *what, struct fault *f);
int	check_in_child(struct check *c, check_fn *fn, const void *what,
	    struct fault *f) MUSTUSE;

/* What a path leads to, a last symbolic link followed. */
int	check_look(const char *path, struct file_facts *out, struct fault *f)
	    MUSTUSE;

/* The folder that it would be made in. */
bool	check_above(const char *path, char out[IDENTITY_PATH_MAX + 1]) MUSTUSE;

/* Are we who will run popper?  Others cannot tell what it may do. */
bool	check_as_served(const struct check *c) MUSTUSE;
/* Whether it may write there; 0, too, when that cannot be told. */
int	check_may_write(const struct check *c, const char *path, struct fault *f)
	    MUSTUSE;

#endif
