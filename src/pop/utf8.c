/* SPDX-License-Identifier: ISC */
/* Clients in UTF-8 mode and others: RFC 6856 s.2, s.5. */
#include "pop/pop_priv.h"
#include "pop/say.h"

void
utf8_prepare(const struct pop *p, struct view *v)
{
	static const enum view_utf8 how[] = {
		[POP_UTF8_DOWNGRADE]	= VIEW_DOWNGRADED,
		[POP_UTF8_REFUSE]	= VIEW_MARKED,
		[POP_UTF8_AS_IS]	= VIEW_AS_IS,
	};

	view_recode(v, p->words.utf8 ? VIEW_AS_IS : how[p->conf->utf8]);
}

bool
utf8_refuses(const struct pop *p, const struct view_item *m, struct buf *out)
{
	if (!m->recoded || p->conf->utf8 != POP_UTF8_REFUSE)
		return false;
	SAY_ERR(out, CODE_UTF8, "Message %llu needs UTF-8 mode.",
	    (unsigned long long)view_msgno(&p->view, m));
	return true;
}
