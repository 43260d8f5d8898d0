/* SPDX-License-Identifier: ISC */
/*
 * The session's end of its link to the monitor: the questions of drop_host and
 * pop_host as messages, and the monitor's answers.  Each but one is sent and waited
 * for; none has an argument that a session could choose.  What one is about, a file, is
 * read to who has that question alone, when it is wanted.  Floor 4.
 */
#ifndef ROLE_ASK_H
#define ROLE_ASK_H

#include "base/attr.h"
#include "base/fault.h"
#include "role/host.h"
#include "sys/link.h"

/* The session's side.  file: what MSG_SUBMIT or MSG_FORGET is about, else NULL; fd_r
 * may be NULL where no file comes back. */
int	ask_host(int link, uint16_t type, const int *file, int *fd_r,
	    struct fault *f) MUSTUSE;

/* What is not answered: MSG_UNLOCK, which nobody need wait for. */
int	ask_tell(int link, uint16_t type, struct fault *f) MUSTUSE;

/* The same without a link: what a message of this type asks for is done here
 * and now.  message: the file of MSG_SUBMIT or MSG_FORGET, else -1.  For
 * isolation = single. */
int	ask_direct(struct host *h, uint16_t type, int message, int *fd_r,
	    struct fault *f) MUSTUSE;

/*
 * The monitor's side: do what a message of this type asks, and answer; what is not
 * answered is logged when it fails.  What is wanted for it is copied, which takes half a
 * minute at most: the master leaves that to a hand.  -1: the link is broken, or nonsense
 * came that has no answer.
 */
int	ask_serve(int link, uint16_t type, struct host *h, struct fault *f) MUSTUSE;

/* The answer to a question that could not be looked at. */
void	ask_refuse(int link);

#endif
