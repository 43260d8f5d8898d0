/* SPDX-License-Identifier: ISC */
/*
 * Is there such a line?  For a process that answers many questions, of a file
 * with a line for each user, perhaps (deny_file, rpop_file).
 */
#include "auth/auth_priv.h"

#include "base/alloc.h"

#include <stdlib.h>

struct line_index {
	struct span	text;		/* borrows */
	size_t		nwords;
	struct slots	slots;
};

struct query {
	const struct line_index	*x;
	const struct span	*words;
};

/* Does the line consist of so many words? */
static bool
split(struct span line, struct span *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		words[i] = span_word(&line);
		if (words[i].n == 0)
			return false;
	}
	return span_trim(line).n == 0;
}

static bool
same(const void *ctx, uint32_t at)
{
	const struct query	*q = ctx;
	struct span		 rest = span_skip(q->x->text, at);
	struct span		 words[LINE_WORDS_MAX];
	struct span		 line;

	if (!auth_line(&rest, &line) || !split(line, words, q->x->nwords))
		return false;
	for (size_t i = 0; i < q->x->nwords; i++)
		if (!span_eq(words[i], q->words[i]))
			return false;
	return true;
}

struct line_index *
line_index_new(struct span text, size_t nwords)
{
	struct line_index	*x = xalloc(1, sizeof(*x));
	struct span		 words[LINE_WORDS_MAX];
	struct query		 q = { .x = x, .words = words };
	struct span		 rest = text;
	struct span		 line;

	ASSERT(nwords <= LINE_WORDS_MAX);
	*x = (struct line_index){ .text = text, .nwords = nwords };
	slots_init(&x->slots, lines_at_most(text));
	while (auth_line(&rest, &line))
		if (split(line, words, nwords))
			slots_put(&x->slots, slots_hash(&x->slots, words,
			    nwords), same, &q, (uint32_t)(line.p - text.p));
	return x;
}

void
line_index_free(struct line_index *x)
{
	if (x == NULL)
		return;
	slots_fini(&x->slots);
	free(x);
}

bool
line_index_has(const struct line_index *x, const struct span *words)
{
	const struct query	q = { .x = x, .words = words };
	uint32_t		at;

	return slots_find(&x->slots, slots_hash(&x->slots, words, x->nwords),
	    same, &q, &at);
}
