/* SPDX-License-Identifier: ISC */
/*
 * RPOP (RFC 1081): a host vouches for its user.  Believed only from rows of
 * an operator's table and from a reserved port, where hosts of that age keep
 * ordinary users from speaking; never from .rhosts.
 */
#include "auth/auth_priv.h"

#define PORT_RESERVED_MIN	512	/* as rcmd(3) takes them */
#define PORT_RESERVED_MAX	1023

/* client NULL: whoever that is. */
static bool
row_allows(struct span row, const struct auth_request *q,
    const struct span *client)
{
	struct span address = span_word(&row);
	struct span name = span_word(&row);
	struct span local = span_word(&row);

	return local.n > 0 && span_trim(row).n == 0 &&
	    span_eq(address, span_str(q->peer.text)) &&
	    (client == NULL || span_eq(name, *client)) &&
	    span_eq(local, span_str(q->user));
}

static bool
table_allows(const struct auth_state *s, const struct auth_request *q,
    const struct span *client)
{
	struct span	rest = buf_span(&s->rpop);
	struct span	row;

	while (auth_line(&rest, &row))
		if (row_allows(row, q, client))
			return true;
	return false;
}

bool
rpop_allowed(const struct auth_state *s, const struct auth_request *q)
{
	const struct span	words[] = {
		span_str(q->peer.text), secret_span(&q->secret),
		span_str(q->user),
	};

	if (q->peer.family == 0 || q->peer.port < PORT_RESERVED_MIN ||
	    q->peer.port > PORT_RESERVED_MAX)
		return false;
	if (s->rpop_index != NULL)
		return line_index_has(s->rpop_index, words);
	return table_allows(s, q, &words[1]);
}

bool
rpop_foreseen(const struct auth_state *s, const struct auth_request *q)
{
	return table_allows(s, q, NULL);
}
