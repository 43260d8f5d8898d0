/* SPDX-License-Identifier: ISC */
#include "base/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void
vset(struct fault *f, enum fault_class class, int err, const char *fmt,
    va_list ap)
{
	f->class = class;
	f->err = err;
	if (vsnprintf(f->text, sizeof(f->text), fmt, ap) < 0)
		f->text[0] = '\0';
}

int
fault_set(struct fault *f, enum fault_class class, const char *fmt, ...)
{
	va_list ap;

	if (f == NULL)
		return -1;
	va_start(ap, fmt);
	vset(f, class, 0, fmt, ap);
	va_end(ap);
	return -1;
}

int
fault_errno(struct fault *f, enum fault_class class, int err, const char *fmt,
    ...)
{
	va_list	ap;
	size_t	n;

	if (f == NULL)
		return -1;
	va_start(ap, fmt);
	vset(f, class, err, fmt, ap);
	va_end(ap);
	n = strlen(f->text);
	(void)snprintf(f->text + n, sizeof(f->text) - n, ": %s",
	    strerrordesc_np(err));
	return -1;
}

int
fault_prefix(struct fault *f, const char *fmt, ...)
{
	char	old[sizeof(f->text)];
	va_list	ap;
	size_t	n;

	if (f == NULL)
		return -1;
	memcpy(old, f->text, sizeof(old));
	va_start(ap, fmt);
	vset(f, f->class, f->err, fmt, ap);
	va_end(ap);
	n = strlen(f->text);
	(void)snprintf(f->text + n, sizeof(f->text) - n, "%s", old);
	return -1;
}
