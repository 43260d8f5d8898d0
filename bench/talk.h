/* SPDX-License-Identifier: ISC */
/*
 * One side of a POP3 dialogue for the benchmark: what each answer must be,
 * and whether the octets that came are it.  Pure: no sockets, no clock.  An
 * answer may come in any number of pieces.
 */
#ifndef BENCH_TALK_H
#define BENCH_TALK_H

#include "mail.h"

#define TALK_LINE_MAX	512	/* octets with CRLF, RFC 2449 s.4 */

enum word {
	WORD_GREETING,
	WORD_STLS,		/* the next one is under TLS */
	WORD_SCRAM,		/* a challenge answers it */
	WORD_PROOF,		/* another one */
	WORD_USER,
	WORD_PASS,
	WORD_STAT,
	WORD_UIDL,
	WORD_LIST,
	WORD_RETR,
	WORD_TOP,		/* of no line of the body */
	WORD_DELE,
	WORD_NOOP,
	WORD_QUIT,
	WORD_END,		/* no answer: the server's end of file */
	WORD_HOLD,		/* no answer: nothing may come at all */
	WORD_LEAVE,		/* no answer: we hang up */
};
#define WORD_COUNT	(WORD_LEAVE + 1)

const char	*word_name(enum word w);
/* False when there is no such word with an answer. */
bool		 word_find(struct span name, enum word *out) MUSTUSE;
/* Whether it is said for each message, one after the other. */
bool		 word_is_each(enum word w);

/* What is known of the answers before they come; the same for all users. */
struct answers {
	const char	*line[WORD_COUNT];	/* borrows; status line without
						   CRLF, or NULL: any +OK */
	const struct mail *mail;		/* borrows; of RETR and TOP */
	size_t		 mails;
	size_t		 count;			/* of messages: mail[i % mails]
						   for each i below it */
	bool		 any_size;		/* LIST is not held to octets */
};

const struct mail	*answers_mail(const struct answers *a, size_t index);

enum verdict {
	TALK_MORE,		/* so far so good */
	TALK_ANSWERED,		/* the answer is complete and right */
	TALK_WRONG,
};

struct talk {
	enum word	word;		/* whose answer is awaited */
	size_t		index;		/* which message, 0..n-1 */
	size_t		ahead;		/* answers that may come behind this */
	bool		in_text;	/* behind the status line */
	size_t		at;		/* octets of the line, or of the text */
	size_t		listed;		/* lines of UIDL or LIST so far */
	uint64_t	*ids;		/* owns; UIDL: a hash of each */
	size_t		ids_cap;
	uint64_t	ids_sum;	/* of all in their order */
	uint8_t		line[TALK_LINE_MAX];
};

/* All zeros is a talk that has not begun. */
void		talk_fini(struct talk *t);

/* What the last challenge said, in base64: borrows from *t, which has not been
 * told of another word. */
struct span	talk_challenge(const struct talk *t);

/* The next answer will be one to this word, and the last for now. */
void		talk_expect(struct talk *t, enum word word, size_t index);

/*
 * Judge octets as they come; those of this answer are taken off *in.  What goes
 * beyond it is wrong, unless others are awaited.  TALK_WRONG leaves the reason
 * in why, at most cap octets.
 */
enum verdict	talk_feed(struct talk *t, const struct answers *a,
		    struct span *in, char *why, size_t cap) MUSTUSE;

#endif
