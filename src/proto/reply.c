/* SPDX-License-Identifier: ISC */
#include "proto/reply.h"

#include "base/num.h"
#include "base/span.h"
#include "proto/lang.h"
#include "proto/limits.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const heads[] = {
	[CODE_NONE]	= "-ERR ",
	[CODE_IN_USE]	= "-ERR [IN-USE] ",
	[CODE_LOGIN_DELAY] = "-ERR [LOGIN-DELAY] ",
	[CODE_SYS_TEMP]	= "-ERR [SYS/TEMP] ",
	[CODE_SYS_PERM]	= "-ERR [SYS/PERM] ",
	[CODE_AUTH]	= "-ERR [AUTH] ",
	[CODE_UTF8]	= "-ERR [UTF8] ",
};

static const struct {
	enum reply_code	 code;
	const char	*text;
} faults[] = {
	[FAULT_NONE]	= { CODE_SYS_TEMP, "Internal error." },
	[FAULT_TEMP]	= { CODE_SYS_TEMP, "Temporary failure, try again later." },
	[FAULT_PERM]	= { CODE_SYS_PERM, "The administrator must help here." },
	[FAULT_IN_USE]	= { CODE_IN_USE, "Maildrop is in use." },
	[FAULT_DELAY]	= { CODE_LOGIN_DELAY, "Too soon after the last login." },
	[FAULT_AUTH]	= { CODE_AUTH, "Authentication failed." },
	[FAULT_LIMIT]	= { CODE_NONE, "A limit of this server was reached." },
	[FAULT_PROTO]	= { CODE_NONE, "Protocol error." },
	[FAULT_PEER]	= { CODE_SYS_TEMP, "Internal error." },
};
static_assert(ARRAY_LEN(faults) == FAULT_PEER + 1, "a row for each class");

/* The octets that would end the line, or the reply, too early. */
static void
flatten(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] == '\r' || p[i] == '\n' || p[i] == '\0')
			p[i] = ' ';
}

/* As snprintf has it: what fits, and how much there is. */
struct text {
	char	*p;
	size_t	 room;
	size_t	 n;
};

static void
put(struct text *t, struct span s)
{
	if (t->n < t->room)
		memcpy(t->p + t->n, s.p, s.n < t->room - t->n ? s.n :
		    t->room - t->n);
	t->n += s.n;
}

static void
put_num(struct text *t, uint64_t v)
{
	char digits[NUM_DIGITS];

	put(t, span_of(digits, (size_t)(num_put(digits, v) - digits)));
}

/* The conversion that *fmt begins with; false: another one. */
static bool
put_arg(struct text *t, struct span *fmt, va_list *ap)
{
	size_t n = 2;

	if (fmt->n > 1 && fmt->p[1] == 's') {
		put(t, span_str(va_arg(*ap, const char *)));
	} else if (fmt->n > 1 && fmt->p[1] == 'u') {
		put_num(t, va_arg(*ap, unsigned));
	} else if (span_starts(*fmt, SPAN("%zu"))) {
		put_num(t, va_arg(*ap, size_t));
		n = 3;
	} else if (span_starts(*fmt, SPAN("%llu"))) {
		put_num(t, va_arg(*ap, unsigned long long));
		n = 4;
	} else {
		return false;
	}
	*fmt = span_skip(*fmt, n);
	return true;
}

/* Most replies have no more than that, and the C library takes three times as long;
 * the others are its. */
static size_t
put_text(char *out, size_t room, const char *fmt, va_list ap)
{
	struct text	t = { out, room, 0 };
	struct span	rest = span_str(fmt);
	va_list		mine;
	bool		good = true;
	int		wanted;

	va_copy(mine, ap);
	while (good && rest.n > 0) {
		size_t n = span_find(rest, '%');

		put(&t, span_first(rest, n));
		rest = span_skip(rest, n);
		good = rest.n == 0 || put_arg(&t, &rest, &mine);
	}
	va_end(mine);
	if (good)
		return t.n;
	wanted = vsnprintf(out, room + 1, fmt, ap);
	ASSERT(wanted >= 0);
	return (size_t)wanted;
}

/*
 * One line in a bounded array: head, as much of the text as fits, CRLF.  The
 * text must not begin with `never` ('\0': anything goes).
 */
static int PRINTF(4, 0)
put_line(struct buf *out, const char *head, char never, const char *fmt,
    va_list ap)
{
	UNZEROED char	line[LIMIT_REPLY];
	size_t		head_n = strlen(head);
	char		*text = line + head_n;
	size_t		room = sizeof(line) - head_n - 2;	/* CRLF */
	size_t		n;

	memcpy(line, head, head_n);
	n = put_text(text, room, lang_text(out->tag, fmt), ap);
	if (n > room)
		n = lang_whole(span_of(text, room)).n;
	if (n > 0 && text[0] == never)
		text[0] = ' ';
	flatten(text, n);
	memcpy(text + n, "\r\n", 2);
	return buf_append(out, span_of(line, head_n + n + 2));
}

int
reply_ok(struct buf *out, const char *fmt, ...)
{
	va_list	ap;
	int	r;

	va_start(ap, fmt);
	r = put_line(out, "+OK ", '[', fmt, ap);
	va_end(ap);
	return r;
}

int
reply_ok_xclient(struct buf *out, const char *fmt, ...)
{
	va_list	ap;
	int	r;

	va_start(ap, fmt);
	r = put_line(out, "+OK [XCLIENT] ", '\0', fmt, ap);
	va_end(ap);
	return r;
}

int
reply_err(struct buf *out, enum reply_code code, const char *fmt, ...)
{
	va_list	ap;
	int	r;

	ASSERT(code < ARRAY_LEN(heads));
	va_start(ap, fmt);
	r = put_line(out, heads[code], code == CODE_NONE ? '[' : '\0', fmt, ap);
	va_end(ap);
	return r;
}

int
reply_err_text(struct buf *out, enum reply_code code, const char *text)
{
	return reply_err(out, code, "%s", lang_text(out->tag, text));
}

int
reply_fault(struct buf *out, const struct fault *f)
{
	ASSERT(f->class < ARRAY_LEN(faults));
	return reply_err_text(out, faults[f->class].code,
	    faults[f->class].text);
}

int
reply_line(struct buf *out, const char *fmt, ...)
{
	va_list	ap;
	int	r;

	va_start(ap, fmt);
	r = put_line(out, "", '.', fmt, ap);
	va_end(ap);
	return r;
}

int
reply_challenge(struct buf *out, const char *base64)
{
	/* It may be longer than what buf_appendf formats. */
	return buf_append(out, SPAN("+ ")) != 0 ||
	    buf_append(out, span_str(base64)) != 0 ||
	    buf_append(out, SPAN("\r\n")) != 0 ? -1 : 0;
}

int
reply_end(struct buf *out)
{
	return buf_append(out, SPAN(".\r\n"));
}
