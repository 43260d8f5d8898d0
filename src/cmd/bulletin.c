/* SPDX-License-Identifier: ISC */
#include "cmd/bulletin.h"

#include "base/attr.h"
#include "base/fault.h"
#include "base/num.h"
#include "bull/bull.h"
#include "cmd/start.h"
#include "sys/file.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char usage_text[] =
"usage: popper bulletin [--dir DIR | --config FILE] add [--title TITLE] [FILE]\n"
"       popper bulletin [--dir DIR | --config FILE] list\n"
"       popper bulletin [--dir DIR | --config FILE] remove NUMBER\n"
"\n"
"A bulletin is a message that every POP user gets once.\n"
"\n"
"  add              publish the message in FILE (standard input): a header, a\n"
"                   blank line, a text; or a saved message in mailbox format\n"
"  list             print number, file and subject, and what is wrong\n"
"  remove NUMBER    take it back from those who have not got it yet\n"
"\n"
"  --dir DIR        the folder of bulletins\n"
"  --config FILE    whose option bulletins names it ("
    POPPER_SYSCONFDIR "/popper.conf)\n"
"  --title TITLE    for the name of the file, instead of the subject\n"
"\n"
"Manual: popper-bulletin(8)\n";

enum { OPT_DIR = 256, OPT_CONFIG, OPT_TITLE, OPT_HELP };

static const struct option options[] = {
	{ "dir",	required_argument,	NULL,	OPT_DIR },
	{ "config",	required_argument,	NULL,	OPT_CONFIG },
	{ "title",	required_argument,	NULL,	OPT_TITLE },
	{ "help",	no_argument,		NULL,	OPT_HELP },
	{ NULL,		0,			NULL,	0 }
};

struct job {
	const char	*dir;
	char		*config;
	const char	*title;
	char		**words;	/* the command and its argument */
	int		 nwords;
	bool		 help;
};

static int
bad_usage(const char *why)
{
	return start_usage("bulletin", why);
}

static int
complain(const struct fault *f)
{
	return start_complain("bulletin", f);
}

static int
parse(int argc, char **argv, struct job *job)
{
	int c;

	/* 0, not 1: getopt starts anew, whoever used it before. */
	optind = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case OPT_DIR:		job->dir = optarg; break;
		case OPT_CONFIG:	job->config = optarg; break;
		case OPT_TITLE:		job->title = optarg; break;
		case OPT_HELP:		job->help = true; return 0;
		default:		return bad_usage(NULL);
		}
	}
	job->words = argv + optind;
	job->nwords = argc - optind;
	if (job->dir != NULL && job->config != NULL)
		return bad_usage("either --dir or --config");
	return 0;
}

/* ---- the commands; dir is where the bulletins are ---- */

static int
add(const struct job *job, const char *dir, int fd)
{
	struct fault	f;
	uint64_t	number;

	if (bull_add(dir, fd, job->title, &number, &f) == -1)
		return complain(&f);
	printf("bulletin %" PRIu64 " published\n", number);
	return STATUS_OK;
}

/* Foreign octets must not reach a terminal as they are. */
static void
print_text(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		putchar(s.p[i] < ' ' || s.p[i] >= 0x7f ? '?' : s.p[i]);
}

static void
print_row(void *ctx, const char *name, uint64_t number, struct span subject,
    const char *problem)
{
	bool *bad = ctx;

	if (number > 0 || problem == NULL)
		printf("%" PRIu64, number);
	else
		putchar('-');
	putchar('\t');
	print_text(span_str(name));
	putchar('\t');
	print_text(subject);
	putchar('\n');
	if (problem == NULL)
		return;
	*bad = true;
	fputs("popper bulletin: ", stderr);
	for (const char *p = name; *p != '\0'; p++)
		fputc(*p < ' ' || *p >= 0x7f ? '?' : *p, stderr);
	fprintf(stderr, ": %s\n", problem);
}

static int
list(const struct job *job UNUSED, const char *dir, int fd UNUSED)
{
	struct fault	f;
	bool		bad = false;

	if (bull_judge(dir, print_row, &bad, &f) == -1)
		return complain(&f);
	return bad ? STATUS_FAILED : STATUS_OK;
}

static int
take_back(const struct job *job, const char *dir, int fd UNUSED)
{
	struct fault	f;
	uint64_t	number;

	if (!num_parse(span_str(job->words[1]), UINT64_MAX, &number))
		return bad_usage("remove wants the number of a bulletin");
	if (bull_remove(dir, number, &f) == -1)
		return complain(&f);
	printf("bulletin %" PRIu64 " removed\n", number);
	return STATUS_OK;
}

static const struct command {
	const char	*word;
	int		 args_min;
	int		 args_max;
	bool		 has_message;	/* --title, FILE or standard input */
	int		(*run)(const struct job *job, const char *dir, int fd);
} commands[] = {
	{ "add",	0, 1, true,	add },
	{ "list",	0, 0, false,	list },
	{ "remove",	1, 1, false,	take_back },
};

/* ---- which command, which folder ---- */

static int
settings_status(const struct settings *s, enum settings_result r)
{
	const struct conf_mistake	*m;
	size_t				 n = conf_mistakes(s->store, &m);

	for (size_t i = 0; i < n; i++) {
		if (m[i].severity != CONF_ERROR)
			continue;
		fprintf(stderr, "popper bulletin: %s:", s->config);
		if (m[i].line > 0)
			fprintf(stderr, "%u:", m[i].line);
		fprintf(stderr, " %s\n", m[i].text);
	}
	if (r != SETTINGS_GOOD)
		return (int)r;
	if (s->bull.dir == NULL) {
		fprintf(stderr, "popper bulletin: %s names no folder; set "
		    "bulletins there, or use --dir\n", s->config);
		return STATUS_CONFIG;
	}
	return STATUS_OK;
}

static const struct command *
find_command(const struct job *job)
{
	int args = job->nwords - 1;

	for (size_t i = 0; args >= 0 && i < ARRAY_LEN(commands); i++) {
		const struct command *c = &commands[i];

		if (strcmp(job->words[0], c->word) == 0 &&
		    args >= c->args_min && args <= c->args_max &&
		    (c->has_message || job->title == NULL))
			return c;
	}
	return NULL;
}

/* Before settings_load, which leaves for the folder of the configuration. */
static int
open_message(const struct job *job, const struct command *c, int *fd_r)
{
	struct fault f;

	*fd_r = -1;
	if (!c->has_message || job->nwords == 1 ||
	    strcmp(job->words[1], "-") == 0)
		return 0;
	return file_open(FILE_CWD, job->words[1], FILE_READ | FILE_FOLLOW, 0,
	    fd_r, &f) == -1 ? complain(&f) : 0;
}

static int
run_configured(const struct job *job, const struct command *c, int fd)
{
	struct settings		s;
	char			program[] = "popper";
	char			option[] = "--config";
	char			*argv[] = {
		program, option, job->config, NULL,
	};
	enum settings_result	r = settings_load(job->config != NULL ? 3 : 1,
				    argv, "", &s);
	int			status = settings_status(&s, r);

	if (status == STATUS_OK)
		status = c->run(job, s.bull.dir, fd);
	settings_fini(&s);
	return status;
}

int
cmd_bulletin(int argc, char **argv)
{
	struct job		 job = { 0 };
	AUTO(fd_close) int	 fd = -1;
	const struct command	*c;
	int			 status = parse(argc, argv, &job);

	if (status == 0 && job.help) {
		fputs(usage_text, stdout);
		return STATUS_OK;
	}
	if (status != 0)
		return status;
	c = find_command(&job);
	if (c == NULL)
		return bad_usage("the commands are add [FILE], list, and "
		    "remove NUMBER");
	status = open_message(&job, c, &fd);
	if (status != 0)
		return status;
	return job.dir != NULL ?
	    c->run(&job, job.dir, fd == -1 ? 0 : fd) :
	    run_configured(&job, c, fd == -1 ? 0 : fd);
}
