/* SPDX-License-Identifier: ISC */
#include "pop/lang.h"

#include "pop/say.h"

static void
list(struct buf *out)
{
	SAY_OK(out, "Languages follow.");
	for (uint8_t i = 0; i < lang_count(); i++)
		SAY_LINE(out, "%s %s", lang_tag(i), lang_name(i));
	SAY_END(out);
}

bool
lang_command(const struct command *cmd, uint8_t preferred, uint8_t *lang,
    struct buf *out)
{
	if (cmd->nargs == 0) {
		list(out);
		return true;
	}
	if (span_eq(cmd->word[0], SPAN("*")))
		*lang = preferred;
	else if (!lang_find(cmd->word[0], lang))
		return false;
	out->tag = *lang;
	SAY_OK(out, "%s Language changed.", lang_tag(*lang));
	return true;
}
