/* SPDX-License-Identifier: ISC */
/*
 * Command line and popper.conf into struct settings.
 *
 * Runs as: whoever started popper (root in inetd mode), once, first of all.
 * Reads from: argv and the configuration file.
 * Trusts: both, as far as their owner goes (`popper check` looks at that).
 * Gives up: the working folder, for that of the file.
 */
#include "role/settings.h"

#include "base/alloc.h"
#include "sys/file.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_MAX	(1u << 20)	/* octets of a configuration file */
#define FLAGS_MAX	32		/* flags of one command line */

/* A flag seen, to be set after the file was read. */
struct flag_seen {
	const struct conf_option	*row;
	const char			*value;	/* borrowed from argv */
};
struct command_line {
	struct flag_seen	 flags[FLAGS_MAX];
	size_t			 nflags;
	const char		*config;	/* NULL: not given */
	bool			 bad;
};

/* getopt's own notation of the flags: ':' behind one that takes a value. */
static void
flags_spell(const char *flags, char *out, size_t cap)
{
	size_t n = 0;

	out[n++] = '+';			/* no reordering */
	out[n++] = ':';			/* tell a missing value from a bad flag */
	for (; *flags != '\0' && n + 3 < cap; flags++) {
		const struct conf_option *row = conf_by_flag(settings_rooms,
		    settings_nrooms, *flags);

		ASSERT(row != NULL);
		out[n++] = *flags;
		if (row->type != CONF_BOOL)
			out[n++] = ':';
	}
	out[n] = '\0';
}

static void
flag_keep(struct command_line *c, struct conf_store *store, int flag)
{
	const struct conf_option *row = conf_by_flag(settings_rooms,
	    settings_nrooms, (char)flag);

	if (c->nflags == FLAGS_MAX) {
		conf_complain(store, CONF_ERROR, 0, "too many flags");
		c->bad = true;
		return;
	}
	c->flags[c->nflags++] = (struct flag_seen){
		.row = row,
		.value = row->type == CONF_BOOL ? "yes" : optarg,
	};
}

/* What getopt could not take. */
static void
flag_complain(struct command_line *c, struct conf_store *store, int found,
    char **argv, const char *flags)
{
	const char *word = argv[optind - 1];

	c->bad = true;
	if (found == ':' && optopt == 0)
		conf_complain(store, CONF_ERROR, 0,
		    "--config: the name of a file is missing behind it");
	else if (found == ':')
		conf_complain(store, CONF_ERROR, 0,
		    "-%c: its value is missing; it says %s", optopt,
		    conf_by_flag(settings_rooms, settings_nrooms,
		    (char)optopt)->meaning);
	else if (optopt != 0)
		conf_complain(store, CONF_ERROR, 0, "-%c: no such flag; there "
		    "are %s%s%s--config FILE and --help", optopt,
		    flags[0] != '\0' ? "-" : "", flags,
		    flags[0] != '\0' ? ", " : "");
	else
		conf_complain(store, CONF_ERROR, 0, "%.60s: no such option; "
		    "there is --config FILE, and --help tells what else", word);
}

static void
command_line_read(int argc, char **argv, const char *flags,
    struct conf_store *store, struct command_line *c)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 0 },
		{ NULL, 0, NULL, 0 }
	};
	char	spelled[2 * FLAGS_MAX];
	int	found;

	*c = (struct command_line){ .bad = false };
	flags_spell(flags, spelled, sizeof(spelled));
	optind = 0;			/* glibc: begin anew */
	opterr = 0;			/* it would write to the client */
	while ((found = getopt_long(argc, argv, spelled, longs, NULL)) != -1) {
		if (found == 0)
			c->config = optarg;
		else if (found == '?' || found == ':')
			flag_complain(c, store, found, argv, flags);
		else
			flag_keep(c, store, found);
	}
	if (optind < argc) {
		conf_complain(store, CONF_ERROR, 0,
		    "%.60s: no command, and no option (those begin with -); "
		    "popper --help tells what there is", argv[optind]);
		c->bad = true;
	}
}

/* Go to the folder of the file; its last component is what is left. */
static int
folder_enter(struct settings *s, struct fault *f)
{
	const char	*slash = strrchr(s->config, '/');
	size_t		 n = slash == NULL ? 0 : (size_t)(slash - s->config) + 1;
	char		*folder;
	int		 rc;

	s->config_name = s->config + n;
	if (n == 0)
		return 0;
	folder = xstrdup(s->config);
	folder[n] = '\0';
	rc = chdir(folder);
	if (rc != 0)
		rc = fault_errno(f, FAULT_PERM, errno, "%s", folder);
	free(folder);
	return rc;
}

static ssize_t
file_text(const char *name, char *text, struct fault *f)
{
	AUTO(fd_close) int fd = -1;

	if (file_open(FILE_CWD, name, FILE_READ | FILE_FOLLOW, 0, &fd, f) != 0)
		return -1;
	return file_slurp(fd, text, FILE_MAX, f);
}

/* Complains unless it was read, or is the default one and does not exist. */
static void
config_read(struct settings *s, bool named)
{
	struct fault	 f = { 0 };
	char		*text = NULL;
	ssize_t		 n = -1;

	if (folder_enter(s, &f) == 0) {
		text = xalloc(FILE_MAX, 1);
		n = file_text(s->config_name, text, &f);
	}
	if (n >= 0) {
		s->config_found = true;
		conf_read(s->store, settings_rooms, settings_nrooms, s,
		    s->config_name, span_of(text, (size_t)n));
	}
	free(text);
	if (n < 0 && (f.err != ENOENT || named))
		conf_complain(s->store, CONF_ERROR, 0,
		    "the configuration file %s cannot be read: %s", s->config,
		    f.text);
}

/* A path of the command line leads from where popper was started. */
static bool
flag_set(struct settings *s, const struct flag_seen *flag, const char *start)
{
	char	path[4096];

	if (flag->row->type != CONF_PATH || flag->value[0] == '/' ||
	    flag->value[0] == '\0' || start == NULL)
		return conf_set(s->store, settings_rooms, settings_nrooms, s,
		    flag->row, flag->value);
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", start, flag->value) >=
	    sizeof(path)) {
		conf_complain(s->store, CONF_ERROR, 0, "-%c: too long",
		    flag->row->flag);
		return false;
	}
	return conf_set(s->store, settings_rooms, settings_nrooms, s, flag->row,
	    path);
}

static bool
has_errors(const struct conf_store *store)
{
	const struct conf_mistake	*list;
	size_t				 n = conf_mistakes(store, &list);

	for (size_t i = 0; i < n; i++) {
		if (list[i].severity == CONF_ERROR)
			return true;
	}
	return false;
}

/* start: the working folder, which *out owns; NULL: unknown. */
static enum settings_result
load(int argc, char **argv, const char *flags, char *start, struct settings *out)
{
	struct command_line	 c;

	*out = (struct settings){
		.store = conf_new(),
		.start = start,
	};
	conf_defaults(out->store, settings_rooms, settings_nrooms, out);
	command_line_read(argc, argv, flags, out->store, &c);
	out->config = c.config != NULL ? c.config :
	    POPPER_SYSCONFDIR "/popper.conf";
	config_read(out, c.config != NULL);
	for (size_t i = 0; i < c.nflags; i++) {
		if (!flag_set(out, &c.flags[i], out->start))
			c.bad = true;
	}
	if (out->bull.dir[0] == '\0')
		out->bull.dir = NULL;
	out->auth.state_dir = out->role.state_dir;
	auth_select(&out->auth, 0);
	if (c.bad)
		return SETTINGS_USAGE;
	return has_errors(out->store) ? SETTINGS_CONFIG : SETTINGS_GOOD;
}

enum settings_result
settings_load(int argc, char **argv, const char *flags, struct settings *out)
{
	return load(argc, argv, flags, getcwd(NULL, 0), out);
}

enum settings_result
settings_peek(int argc, char **argv, struct settings *out)
{
	enum settings_result r = settings_load(argc, argv, "", out);

	if (out->start != NULL && chdir(out->start) != 0)
		return SETTINGS_CONFIG;
	return r;
}

enum settings_result
settings_again(const struct settings *now, int argc, char **argv,
    const char *flags, struct settings *out)
{
	if (now->start != NULL && chdir(now->start) == 0)
		return load(argc, argv, flags, xstrdup(now->start), out);
	*out = (struct settings){
		.store = conf_new(),
		.config = now->config,
	};
	conf_complain(out->store, CONF_ERROR, 0, "the folder %s, in which"
	    " popper was started, cannot be entered any more",
	    now->start != NULL ? now->start : "(unknown)");
	return SETTINGS_CONFIG;
}

void
settings_fini(struct settings *s)
{
	conf_free(s->store);
	s->store = NULL;
	free(s->start);
	s->start = NULL;
}
