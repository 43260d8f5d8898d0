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
/*
 * A large local that is written before it is read: -ftrivial-auto-var-init would
 * zero all of it at each call.  Beyond a page it is better static: on the stack
 * every page of it is probed (-fstack-clash-protection), and a session's memory
 * is mostly such pages.
 */
#define UNZEROED	__attribute__((uninitialized))

#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))

/*
 * For our own mistakes only, never for foreign bytes, not even for bytes
 * of another role.  Aborts the process; whoever started it cleans up.
 */
#define ASSERT(c)	((c) ? (void)0 : assert_failed(#c, __FILE__, __LINE__))

void	assert_failed(const char *what, const char *file, int line) NORETURN;

#endif
