/* SPDX-License-Identifier: ISC */
#include "proto/reply.h"

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

/*
 * One line in a bounded array: head, as much of the text as fits, CRLF.  The
 * text must not begin with `never` ('\0': anything goes).
 */
static int PRINTF(4, 0)
put_line(struct buf *out, const char *head, char never, const char *fmt,
    va_list ap)
{
	char	line[LIMIT_REPLY];
	size_t	head_n = strlen(head);
	char	*text = line + head_n;
	size_t	room = sizeof(line) - head_n - 2;	/* CRLF */
	int	wanted;
	size_t	n;

	memcpy(line, head, head_n);
	wanted = vsnprintf(text, room + 1, lang_text(out->tag, fmt), ap);
	ASSERT(wanted >= 0);
	n = (size_t)wanted <= room ? (size_t)wanted :
	    lang_whole(span_of(text, room)).n;
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
