/* SPDX-License-Identifier: ISC */
#include "sasl/simple.h"

bool
sasl_plain(struct span message, struct sasl_login *out)
{
	size_t		nul = span_find(message, '\0');
	struct span	rest = span_skip(message, nul + 1);
	size_t		second = span_find(rest, '\0');

	if (nul == message.n || second == rest.n)
		return false;
	*out = (struct sasl_login){
		.authz = span_first(message, nul),
		.user = span_first(rest, second),
		.password = span_skip(rest, second + 1),
	};
	return out->user.n > 0 && out->password.n > 0 &&
	    span_find(out->password, '\0') == out->password.n;
}
