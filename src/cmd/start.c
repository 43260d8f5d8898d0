/* SPDX-License-Identifier: ISC */
#include "cmd/start.h"

#include "proto/recode.h"
#include "role/listen.h"
#include "sys/cage.h"
#include "sys/identity.h"
#include "watch/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void	(*hears)(const char *text);	/* NULL: nobody */

void
start_hear(void (*hear)(const char *text))
{
	hears = hear;
}

static void
tell(bool terminal, enum log_level level, const char *id, const char *text)
{
	log_text(level, id, "%s", text);
	if (level == LEVEL_WARN && hears != NULL)
		hears(text);
	if (terminal)
		fprintf(stderr, "popper: %s\n", text);
}

void
start_mistake(bool terminal, enum conf_severity severity, const char *text)
{
	bool error = severity == CONF_ERROR;

	tell(terminal, error ? LEVEL_ERR : LEVEL_WARN,
	    error ? "conf-error" : "conf-warning", text);
}

void
start_tell(const struct settings *s, bool terminal)
{
	const struct conf_mistake	*list;
	size_t				 n = conf_mistakes(s->store, &list);
	char				 text[512];

	for (size_t i = 0; i < n; i++) {
		if (list[i].line > 0)
			(void)snprintf(text, sizeof(text), "%s:%u: %s",
			    s->config, list[i].line, list[i].text);
		else
			(void)snprintf(text, sizeof(text), "%s", list[i].text);
		start_mistake(terminal, list[i].severity, text);
	}
}

void
start_log(const struct settings *s, bool terminal)
{
	struct log_conf	c;
	struct fault	f = { 0 };
	int		trace = -1;
	bool		failed = false;

	if (s->log.trace_file[0] != '\0')
		failed = log_trace_open(s->log.trace_file, &trace, &f) != 0;
	log_conf_of(&s->log, &c);
	c.trace_fd = trace;
	log_open(&c);
	if (failed) {
		(void)fault_prefix(&f, "trace file %s is not used: ",
		    s->log.trace_file);
		tell(terminal, LEVEL_WARN, "trace-failed", f.text);
	}
}

int
start(int argc, char **argv, const char *flags, bool terminal,
    struct settings *s)
{
	enum settings_result r;

	cage_process_defaults();
	r = settings_load(argc, argv, flags, s);
	start_log(s, terminal);
	start_tell(s, terminal);
	return (int)r;
}

int
start_names(struct settings *s, struct names *names, names_look_up_fn *look_up,
    bool terminal)
{
	struct fault f;

	if (look_up(s, names, &f) == 0)
		return STATUS_OK;
	if (f.class != FAULT_TEMP) {
		start_mistake(terminal, CONF_ERROR, f.text);
		return STATUS_CONFIG;
	}
	log_fault(LEVEL_WARN, "names-not-looked-up", &f);
	return STATUS_OK;
}

bool
start_word(int *argc, char **argv, const char *word)
{
	int n = 0;
	int kept;

	for (kept = 0; n < *argc; n++) {
		if (n > 0 && strcmp(argv[n], word) == 0)
			continue;
		argv[kept++] = argv[n];
		if (strcmp(argv[n], "--config") == 0 && n + 1 < *argc)
			argv[kept++] = argv[++n];
	}
	argv[kept] = NULL;
	*argc = kept;
	return kept < n;
}

int
start_usage(const char *word, const char *why)
{
	if (why != NULL)
		fprintf(stderr, "popper %s: %s\n", word, why);
	fprintf(stderr, "popper %s: try popper %s --help\n", word, word);
	return STATUS_USAGE;
}

/* The length of the character there, if a terminal may have it; else 0. */
static size_t
harmless(const char *text)
{
	const uint8_t	c = (uint8_t)*text;
	size_t		n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	bool		c1 = c == 0xc2 && (uint8_t)text[1] < 0xa0;

	return c < 0x20 || c == 0x7f || c1 || strnlen(text, n) < n ||
	    !utf8_is_valid(span_of(text, n)) ? 0 : n;
}

void
start_tame(char *text)
{
	while (*text != '\0') {
		size_t n = harmless(text);

		if (n == 0)
			*text = '?';
		text += n == 0 ? 1 : n;
	}
}

void
start_say(const char *word, const char *text)
{
	char line[1024];

	(void)snprintf(line, sizeof(line), "%s", text);	/* cut is fine */
	start_tame(line);
	fprintf(stderr, "popper %s: %s\n", word, line);
}

int
start_complain(const char *word, const struct fault *f)
{
	start_say(word, f->text);
	if (f->err == EACCES || f->err == EPERM || f->err == EROFS)
		return STATUS_DENIED;
	return f->class == FAULT_IN_USE ||
	    (f->class == FAULT_TEMP && f->err != ENOENT) ? STATUS_TEMP :
	    STATUS_FAILED;
}

int
start_allowed(const struct settings *s, bool terminal)
{
	bool root = identity_is_root();
	bool single = s->role.isolation == ISOLATION_SINGLE;

	if (root && single) {
		start_mistake(terminal, CONF_ERROR, "isolation = single is"
		    " for ordinary users: take it out, or do not start popper"
		    " as root");
		return STATUS_CONFIG;
	}
	if (!root && !single) {
		start_mistake(terminal, CONF_ERROR, "isolation = split"
		    " needs root: start popper as root, or set isolation ="
		    " single and auth = file");
		return STATUS_DENIED;
	}
	if (single && auth_has(&s->auth, AUTH_PAM)) {
		start_mistake(terminal, CONF_ERROR, "isolation = single"
		    " needs auth = file: PAM needs root");
		return STATUS_CONFIG;
	}
	if (s->role.tls_certificate.n == 0 && listen_wants_tls(&s->role.listen)) {
		start_mistake(terminal, CONF_ERROR, "listen: " LISTEN_TLS_TEXT);
		return STATUS_CONFIG;
	}
	return STATUS_OK;
}
