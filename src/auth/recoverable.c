/* SPDX-License-Identifier: ISC */
/* The library is the process's, as SCRAM's is. */
#include "auth/recoverable.h"

#include "auth/passwd_file.h"
#include "sasl/md5.h"
#include "sys/module.h"

static const struct sasl_md5_ops	*library;

void
recoverable_open(void)
{
	const struct sasl_md5_ops	*ops;
	struct fault			 f;

	if (library != NULL)
		return;
	ops = module_symbol("popper-md5.so", "popper_md5", &f);
	if (ops != NULL && ops->abi == SASL_MD5_ABI && ops->prepare())
		library = ops;
}

bool
recoverable_ready(struct fault *f)
{
	if (library == NULL)
		(void)fault_set(f, FAULT_PERM, "MD5 cannot be had here: is"
		    " popper-md5.so there, and may it be used?");
	return library != NULL;
}

/* Who has nothing of use is measured against something. */
enum auth_reason
recoverable_verify(struct span stored, const struct auth_request *q)
{
	struct span	said = secret_span(&q->secret);
	size_t		at = said.n < SASL_MD5_TEXT ? 0 : said.n - SASL_MD5_TEXT;
	struct span	stamp = span_first(said, at);
	struct span	digest = span_skip(said, at);
	struct span	text;
	bool		plain = passwd_plain(stored, &text) && text.n > 0;
	char		want[SASL_MD5_TEXT];
	bool		made;
	bool		same;

	if (!plain)
		text = span_str(q->user);
	made = q->method == AUTH_METHOD_APOP ?
	    library->apop(stamp, text, want) : library->cram(stamp, text, want);
	same = secret_eq(span_of(want, sizeof(want)), digest) && made;
	explicit_bzero(want, sizeof(want));
	if (stamp.n == 0 || !sasl_md5_text(digest))
		return REASON_BAD_MESSAGE;
	if (!plain)
		return REASON_NO_SECRET;
	return same ? REASON_NONE : REASON_BAD_PASSWORD;
}
