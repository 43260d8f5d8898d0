/* SPDX-License-Identifier: ISC */
/* Clients in UTF-8 mode and others: RFC 6856 s.2, s.5. */
#include "pop/pop_priv.h"
#include "pop/say.h"

/*
 * Costs a look at the header of each message with octets beyond ASCII, and at all of
 * it when it has parts; others cost nothing.
 */
static void
prepare(struct view *v, struct view_item *m, bool sized)
{
	struct fault	f;
	uint64_t	size;
	bool		recoded;

	/* What cannot be read now is told when it is asked for. */
	if (text_measure(m, &recoded, &size, &f) != 0 || !recoded)
		return;
	m->recoded = true;
	if (!sized)
		return;
	view_resize(v, m, size);
}

void
utf8_prepare(const struct pop *p, struct view *v)
{
	struct fault f;

	if (p->words.utf8 || p->conf->utf8 == POP_UTF8_AS_IS)
		return;
	for (size_t i = 0; v->eight_bit && i < v->n; i++) {
		struct view_item *m = view_at(v, i, &f);

		if (m != NULL && (m->entry.flags & DROP_8BIT) != 0)
			prepare(v, m, p->conf->utf8 == POP_UTF8_DOWNGRADE);
	}
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
