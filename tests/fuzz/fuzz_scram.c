/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: the server's end of SCRAM (src/sasl/scram.c, libgsasl).  The first octet
 * chooses the mechanism and what the connection can be bound to; lines follow, each a
 * message of the client's.  One that begins with @ gets the server's nonce put before
 * it, without which nothing behind it would be read.
 */
#include "sasl/sasl.h"

#include <stdio.h>
#include <string.h>

#define MESSAGES_MAX	4

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Made of no password: nobody has the proof. */
static bool
stored(void *ctx UNUSED, const char *user, bool keys UNUSED,
    struct sasl_scram *out)
{
	ASSERT(user[0] != '\0' && strlen(user) < SASL_NAME_MAX);
	*out = (struct sasl_scram){ .iterations = 1, .salt_n = SASL_SALT };
	memset(out->stored, 7, sizeof(out->stored));
	return strcmp(user, "nobody") != 0;
}

/* The client's last message up to its proof, for the first one's challenge. */
static struct span
last_message(const struct buf *challenge, struct span in, struct buf *b)
{
	struct span said = buf_span(challenge);

	if (in.n == 0 || in.p[0] != '@')
		return in;
	said = span_first(said, span_find(said, ','));
	buf_init(b, 1 << 16);
	if (buf_append(b, SPAN("c=biws,")) != 0 || buf_append(b, said) != 0 ||
	    buf_append(b, span_skip(in, 1)) != 0)
		return in;
	return buf_span(b);
}

static enum sasl_step
say(struct sasl *x, struct span in, struct buf *challenge)
{
	struct buf	whole = { 0 };
	struct buf	out;
	enum sasl_step	r;

	buf_init(&out, 1024);
	r = popper_sasl.step(x, last_message(challenge, in, &whole), &out);
	ASSERT(r != SASL_DONE && (r != SASL_CHALLENGE || buf_span(&out).n > 0));
	buf_fini(challenge);
	*challenge = out;
	buf_fini(&whole);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span		in = span_of(data, n);
	struct sasl_setup	setup = { .stored = stored };
	struct fault		f = { 0 };
	struct buf		challenge = { 0 };
	struct sasl		*x;
	size_t			at;

	if (n == 0)
		return 0;
	setup.hash = (data[0] & 1) != 0 ? SASL_SHA_256 : SASL_SHA_1;
	setup.plus = (data[0] & 2) != 0;
	if ((data[0] & 4) != 0)
		setup.exporter = SPAN("01234567890123456789012345678901");
	if ((data[0] & 8) != 0)
		setup.unique = SPAN("012345678901");
	x = popper_sasl.start(&setup, &f);
	ASSERT(x != NULL);
	buf_init(&challenge, 1024);
	in = span_skip(in, 1);
	for (int i = 0; i < MESSAGES_MAX; i++) {
		at = span_find(in, '\n');
		if (say(x, span_first(in, at), &challenge) != SASL_CHALLENGE ||
		    at == in.n)
			break;
		in = span_skip(in, at + 1);
	}
	buf_fini(&challenge);
	popper_sasl.end(x);
	return 0;
}
