/* SPDX-License-Identifier: ISC */
/*
 * The descriptors that every role has: which ones it keeps at its start, and how one that
 * is caged gets fresh ones, of the log and of who traces, over its log link.  Floor 4.
 */
#ifndef ROLE_ASK_LOG_H
#define ROLE_ASK_LOG_H

#include "base/attr.h"
#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>

/* At the start of a role: close every descriptor from 3 on but these (n of
 * them, -1 is passed over) and the log's. */
void	shed_descriptors(const int *keep, size_t n);

/* A fresh log descriptor for a caged role, over its log link. */
int	ask_log(int link);
/* The answer to LOG_ASK, on whatever link it came. */
int	ask_answer_log(int link, struct fault *f) MUSTUSE;
/* Likewise a socket to who traces; -1.  Waits so long at the most: an answer that
 * comes later than that is the next one's, so on a link for other questions, too, it
 * must not be short. */
int	ask_trace(int link, int wait_ms);
#define ASK_TRACE_MS	100		/* for who has many clients */
/* traced: it may have one. */
int	ask_answer_trace(int link, bool traced, struct fault *f) MUSTUSE;
/* 1: answered; 0: the link is closed; -1: it said something else.  traced: whether
 * somebody there is just now; NULL: nobody ever is. */
int	ask_serve_log(int link, bool (*traced)(void), struct fault *f) MUSTUSE;

#endif
