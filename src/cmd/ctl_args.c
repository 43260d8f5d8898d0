/* SPDX-License-Identifier: ISC */
/*
 * What an operator has written behind popper ctl.  Pure, but for getopt.
 */
#include "cmd/ctl_priv.h"

#include "base/num.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define TRACE_MOST	((uint64_t)1 << 30)

static const struct option options[] = {
	{ "config",	required_argument,	NULL,	OPT_CONFIG },
	{ "json",	no_argument,		NULL,	OPT_JSON },
	{ "hard",	no_argument,		NULL,	OPT_HARD },
	{ "clear",	no_argument,		NULL,	OPT_CLEAR },
	{ "for",	required_argument,	NULL,	OPT_FOR },
	{ "size",	required_argument,	NULL,	OPT_SIZE },
	{ "listener",	required_argument,	NULL,	OPT_LISTENER },
	{ "method",	required_argument,	NULL,	OPT_METHOD },
	{ "tls",	no_argument,		NULL,	OPT_TLS },
	{ "help",	no_argument,		NULL,	OPT_HELP },
	{ NULL,		0,			NULL,	0 }
};

static bool
is_sid(const char *text, uint64_t *sid_r)
{
	uint64_t	sid = 0;
	size_t		n = 0;

	for (; text[n] != '\0'; n++) {
		uint8_t	c = ascii_lower((uint8_t)text[n]);

		if (!ascii_isdigit(c) && (c < 'a' || c > 'f'))
			return false;
		sid = sid << 4 | (uint64_t)(ascii_isdigit(c) ? c - '0' :
		    c - 'a' + 10);
	}
	*sid_r = sid;
	return n == 12;
}

/* USER@ADDRESS; there are names with an @ in them. */
static bool
is_both(struct span text, struct ctl_whom *w)
{
	char	address[SOCK_ADDR_MAX];
	size_t	at = text.n;

	while (at > 0 && text.p[at - 1] != '@')
		at--;
	if (at < 2 || !span_cstr(span_skip(text, at), address,
	    sizeof(address)) || !sock_addr_parse(address, &w->addr))
		return false;
	w->kind = CTL_BOTH;
	return span_cstr(span_first(text, at - 1), w->user, sizeof(w->user));
}

/*
 * SID, USER, @ADDRESS or USER@ADDRESS.  Whose name looks like a sid is named with
 * an @ behind.
 */
static int
parse_whom(const char *text, struct ctl_whom *w)
{
	struct span name = span_str(text);

	if (text[0] == '@') {
		w->kind = CTL_ADDRESS;
		return sock_addr_parse(text + 1, &w->addr) ? STATUS_OK :
		    job_bad_usage("behind the @ stands an address");
	}
	if (is_sid(text, &w->sid)) {
		w->kind = CTL_SID;
		return STATUS_OK;
	}
	if (is_both(name, w))
		return STATUS_OK;
	w->kind = CTL_USER;
	if (name.n > 1 && name.p[name.n - 1] == '@')
		name.n--;
	return span_cstr(name, w->user, sizeof(w->user)) ? STATUS_OK :
	    job_bad_usage("a name too long");
}

static bool
is_network(const char *text)
{
	return text[0] == '@' && strchr(text, '/') != NULL;
}

static int
parse_network(struct job *j)
{
	char expected[128];

	j->whom.kind = CTL_ADDRESS;
	return network_read(span_str(j->words[1] + 1), &j->network, expected,
	    sizeof(expected)) ? STATUS_OK : job_bad_usage("behind the @ stands an"
	    " address or a network");
}

/* Of a wildcard one is as good as the other. */
static bool
parse_listener(const char *text, struct sock_addr *out)
{
	struct sock_addr	at[2];
	size_t			n = sock_listen_parse(text, at);

	if (n > 0)
		*out = at[n - 1];
	return n > 0;
}

static bool
parse_method(const char *text, enum auth_method *out)
{
	for (unsigned m = 0; m < AUTH_METHODS; m++) {
		*out = (enum auth_method)m;
		if (strcmp(text, auth_method_word(*out)) == 0)
			return true;
	}
	return false;
}

/* 1 to most. */
static bool
parse_number(const char *text, uint64_t most, uint64_t *out)
{
	return num_parse(span_str(text), most, out) && *out > 0;
}

/* One that not every command takes: NULL, or what would be one. */
static const char *
parse_option(int c, const char *value, struct job *j)
{
	j->given |= GIVEN(c);
	switch (c) {
	case OPT_FOR:
		return parse_number(value, CTL_TRACE_MOST_S, &j->trace_s) ? NULL :
		    "--for 1 to 3600 seconds";
	case OPT_SIZE:
		return parse_number(value, TRACE_MOST, &j->trace_octets) ? NULL :
		    "--size of 1 octet to a GiB";
	case OPT_LISTENER:
		return parse_listener(value, &j->way.local) ? NULL :
		    "--listener 192.0.2.1:995";
	case OPT_METHOD:
		return parse_method(value, &j->method) ? NULL :
		    "--method pass, plain, ...";
	default:
		return NULL;
	}
}

int
job_parse(int argc, char **argv, struct job *j)
{
	const char	*why;
	int		 c;

	/* 0, not 1: getopt starts anew, whoever used it before. */
	optind = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case OPT_CONFIG:	j->config = optarg; break;
		case OPT_HELP:		j->help = true; return STATUS_OK;
		case '?':		return job_bad_usage(NULL);
		default:
			why = parse_option(c, optarg, j);
			if (why != NULL)
				return job_bad_usage(why);
		}
	}
	j->json = (j->given & GIVEN(OPT_JSON)) != 0;
	j->way.tls = (j->given & GIVEN(OPT_TLS)) != 0;
	j->words = argv + optind;
	j->nwords = argc - optind;
	return STATUS_OK;
}

int
job_parse_whom(struct job *j, bool networks)
{
	return networks && is_network(j->words[1]) ? parse_network(j) :
	    parse_whom(j->words[1], &j->whom);
}

const char *
job_refused_option(unsigned given, unsigned takes)
{
	const char *name = NULL;

	for (const struct option *o = options; o->name != NULL; o++)
		if (o->val >= OPT_JSON && o->val <= OPT_TLS &&
		    (given & ~takes & GIVEN(o->val)) != 0)
			name = o->name;
	return name;
}

int
job_bad_usage(const char *why)
{
	return start_usage("ctl", why);
}
