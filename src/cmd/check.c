/* SPDX-License-Identifier: ISC */
#include "cmd/check.h"

#include "cmd/check_priv.h"
#include "cmd/start.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static const char usage_text[] =
"usage: popper check [--quick] [--config FILE]\n"
"       popper check --show | --show-all [--config FILE]\n"
"\n"
"Judges the configuration file and the files, folders and accounts that it\n"
"names.  Prints every mistake as FILE:LINE: error: TEXT (or warning:), says\n"
"what was meant and how to mend it, and changes nothing.\n"
"Run it as root, so that it sees what popper will see.\n"
"--quick does not look through folders that have a file for each maildrop, and\n"
"only warns of a server that does not answer now.\n"
"--show prints what the file sets instead, as popper understands it, and\n"
"--show-all the defaults as well, as comments.\n"
"Exit status: 0 without errors, 78 with errors, 64 for a bad command line, 1 when\n"
"it could not be printed.\n";

/* As start_tell has mistakes. */
static void
tell_start(struct check *c, enum conf_severity severity, const char *file,
    unsigned line, const char *option, const char *text)
{
	char at[16] = "";
	char all[sizeof(c->first)];

	if (line > 0)
		(void)snprintf(at, sizeof(at), "%u:", line);
	(void)snprintf(all, sizeof(all), "%s:%s %s%s%s", file, at, option,
	    option[0] != '\0' ? ": " : "", text);
	start_mistake(c->terminal, severity, all);
	if (severity == CONF_ERROR && c->errors == 1)
		memcpy(c->first, all, sizeof(all));
}

static void
tell_args(struct check *c, enum conf_severity severity, const char *file,
    unsigned line, const char *option, const char *fmt, va_list ap)
{
	char text[1024];

	(void)vsnprintf(text, sizeof(text), fmt, ap);	/* cut is fine */
	start_tame(text);	/* names of files are foreign text */
	if (c->out == NULL && severity == CONF_WARNING)
		return;
	if (c->spares)
		severity = CONF_WARNING;
	if (severity == CONF_ERROR)
		c->errors++;
	else
		c->warnings++;
	if (c->out == NULL) {
		tell_start(c, severity, file, line, option, text);
		return;
	}
	fprintf(c->out, "%s:", file);
	if (line > 0)
		fprintf(c->out, "%u:", line);
	fprintf(c->out, " %s: %s%s%s\n",
	    severity == CONF_ERROR ? "error" : "warning", option,
	    option[0] != '\0' ? ": " : "", text);
}

void
check_tell(struct check *c, enum conf_severity severity, const char *file,
    unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell_args(c, severity, file, line, "", fmt, ap);
	va_end(ap);
}

void
check_error(struct check *c, const char *option, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell_args(c, CONF_ERROR, c->s->config, conf_line(c->s->store, option),
	    option, fmt, ap);
	va_end(ap);
}

void
check_warn(struct check *c, const char *option, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell_args(c, CONF_WARNING, c->s->config, conf_line(c->s->store, option),
	    option, fmt, ap);
	va_end(ap);
}

void
check_fault(struct check *c, const char *option, unsigned line,
    const struct fault *f, const char *fmt, ...)
{
	bool	passes = c->quick && f->class == FAULT_TEMP;
	va_list ap;

	va_start(ap, fmt);
	tell_args(c, passes ? CONF_WARNING : CONF_ERROR, c->s->config, line, option,
	    fmt, ap);
	va_end(ap);
}

int
check_look(const char *path, struct file_facts *out, struct fault *f)
{
	AUTO(fd_close) int fd = -1;

	/* Opened as a folder first: file_open refuses what is neither. */
	if (file_open(FILE_CWD, path, FILE_READ | FILE_DIR | FILE_FOLLOW, 0,
	    &fd, f) != 0 && (f->err != ENOTDIR ||
	    file_open(FILE_CWD, path, FILE_READ | FILE_FOLLOW, 0, &fd, f) != 0))
		return -1;
	return file_facts(fd, out, f);
}

bool
check_above(const char *path, char out[IDENTITY_PATH_MAX + 1])
{
	const char	*slash = strrchr(path, '/');
	size_t		 n = slash == NULL ? 0 : (size_t)(slash - path);

	return span_cstr(slash == NULL ? SPAN(".") : span_of(path, n > 0 ? n : 1),
	    out, IDENTITY_PATH_MAX + 1);
}

bool
check_as_served(const struct check *c)
{
	return c->root || c->s->role.isolation == ISOLATION_SINGLE;
}

int
check_may_write(const struct check *c, const char *path, struct fault *f)
{
	return check_as_served(c) ? file_writable(path, f) : 0;
}

/* What the reader of the file has found. */
static void
tell_mistakes(struct check *c)
{
	const struct conf_mistake	*list;
	size_t				 n = conf_mistakes(c->s->store, &list);

	for (size_t i = 0; i < n; i++)
		check_tell(c, list[i].severity, c->s->config, list[i].line,
		    "%s", list[i].text);
}

static void
tell_sum(const struct check *c)
{
	if (!c->s->config_found && c->errors == 0)
		fprintf(c->out, "%s: not there, the defaults hold\n",
		    c->s->config);
	fprintf(c->out, "%s: %u error%s, %u warning%s\n", c->s->config,
	    c->errors, c->errors == 1 ? "" : "s",
	    c->warnings, c->warnings == 1 ? "" : "s");
}

static int
usage(const struct settings *s)
{
	const struct conf_mistake	*list;
	size_t				 n = conf_mistakes(s->store, &list);

	for (size_t i = 0; i < n; i++) {
		if (list[i].line == 0)
			fprintf(stderr, "popper check: %s\n", list[i].text);
	}
	return start_usage("check", NULL);
}

static void
judge(struct check *c)
{
	tell_mistakes(c);
	check_names(c);
	check_rules(c);
	check_files(c);
	check_needs(c);
	check_tls(c);
	check_secrets(c);
	check_tokens(c);
	check_gssapi(c);
	check_mail(c);
	tell_sum(c);
}

int
check_start(const struct settings *s, bool terminal, struct fault *f)
{
	struct check c = { .s = s, .terminal = terminal };

	check_unfit(&c);
	return c.errors == 0 ? 0 : fault_set(f, FAULT_PERM, "%s", c.first);
}

static void
put(void *ctx, const char *text)
{
	fputs(text, ctx);
}

/* Mistakes of the file do not get in among its lines. */
static void
show(struct check *c, bool all)
{
	c->out = stderr;
	tell_mistakes(c);
	conf_show(c->s->store, settings_rooms, settings_nrooms, c->s, all, put,
	    stdout);
}

int
cmd_check(int argc, char **argv)
{
	struct settings	s;
	struct identity	own;
	struct check	c = { .s = &s, .out = stdout };
	bool		all;
	bool		some;
	int		status;

	if (start_word(&argc, argv, "--help")) {
		fputs(usage_text, stdout);
		return STATUS_OK;
	}
	all = start_word(&argc, argv, "--show-all");
	some = start_word(&argc, argv, "--show");
	c.quick = start_word(&argc, argv, "--quick");
	if (all && some)
		return start_usage("check", "either --show or --show-all");
	if (c.quick && (all || some))
		return start_usage("check", "--quick judges, --show does not");
	identity_own(&own);
	c.uid = own.uid;
	c.root = identity_is_root();
	if (settings_load(argc, argv, "", &s) == SETTINGS_USAGE) {
		status = usage(&s);
	} else {
		if (all || some)
			show(&c, all);
		else
			judge(&c);
		status = c.errors > 0 ? SETTINGS_CONFIG : SETTINGS_GOOD;
	}
	settings_fini(&s);
	return status;
}
