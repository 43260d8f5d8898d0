/* SPDX-License-Identifier: ISC */
/*
 * Short names for the compiler's attributes, and the assertion that stays in
 * release builds.  Floor 0; everybody includes it.
 */
#ifndef BASE_ATTR_H
#define BASE_ATTR_H

#define PRINTF(m, n)	__attribute__((format(printf, m, n)))
#define MUSTUSE		__attribute__((warn_unused_result))
#define NORETURN	__attribute__((noreturn))
#define UNUSED		__attribute__((unused))
/* Release a variable when it leaves its scope: AUTO(fd_close) int fd = -1; */
#define AUTO(fn)	__attribute__((cleanup(fn)))

#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))

/*
 * For our own mistakes only, never for foreign bytes, not even for bytes
 * of another role.  Aborts the process; whoever started it cleans up.
 */
#define ASSERT(c)	((c) ? (void)0 : assert_failed(#c, __FILE__, __LINE__))

void	assert_failed(const char *what, const char *file, int line) NORETURN;

#endif
