/* SPDX-License-Identifier: ISC */
#include "prove.h"

#include <gsasl.h>
#include <stdio.h>
#include <stdlib.h>

#define MESSAGE_MAX	1024		/* octets in base64 */

static Gsasl	*lib;

static void NORETURN
give_up(int code)
{
	fprintf(stderr, "load: SCRAM: %s\n", gsasl_strerror(code));
	exit(EXIT_FAILURE);
}

void
prove_init(void)
{
	int	code = gsasl_init(&lib);

	if (code != GSASL_OK)
		give_up(code);
}

struct prove *
prove_new(const char *name, const char *password)
{
	Gsasl_session	*s;
	int		code = gsasl_client_start(lib, "SCRAM-SHA-256", &s);

	if (code != GSASL_OK ||
	    (code = gsasl_property_set(s, GSASL_AUTHID, name)) != GSASL_OK ||
	    (code = gsasl_property_set(s, GSASL_PASSWORD, password)) != GSASL_OK)
		give_up(code);
	return (struct prove *)s;
}

void
prove_free(struct prove *p)
{
	if (p != NULL)
		gsasl_finish((Gsasl_session *)p);
}

/* GSASL_OK, GSASL_NEEDS_MORE, or what was wrong. */
static int
step(struct prove *p, struct span challenge, char *out, size_t cap)
{
	char	in[MESSAGE_MAX];
	char	*made = NULL;
	int	code;

	if (!span_cstr(challenge, in, sizeof(in)))
		return GSASL_BASE64_ERROR;
	code = gsasl_step64((Gsasl_session *)p, in, &made);
	if (code == GSASL_OK || code == GSASL_NEEDS_MORE) {
		if ((size_t)snprintf(out, cap, "%s", made) >= cap)
			code = GSASL_MALLOC_ERROR;
		gsasl_free(made);
	}
	return code;
}

bool
prove_step(struct prove *p, struct span challenge, char *out, size_t cap)
{
	return step(p, challenge, out, cap) == GSASL_NEEDS_MORE;
}

bool
prove_ends(struct prove *p, struct span challenge)
{
	char	none[1] = "";

	return step(p, challenge, none, sizeof(none)) == GSASL_OK;
}
