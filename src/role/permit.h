/* SPDX-License-Identifier: ISC */
/*
 * Every message between roles, and who may say what when: all tables side by
 * side.  Floor 4.  A message that is not in the receiver's table, or not now,
 * or of another size, ends the sender.
 *
 *   front   -> monitor   ASK  HANDOVER+fd
 *   monitor -> front     ANSWER
 *   front   -> worker    CREDENTIAL               (the monitor never reads it)
 *   worker  -> monitor   GRANT | DENY
 *   session -> monitor   the questions of drop_host and pop_host, no argument
 *   monitor -> session   DONE | FILE+fd
 *   caged   -> monitor   LOG_ASK
 *   monitor -> caged     LOG_FD+fd | LOG_NONE
 */
#ifndef ROLE_PERMIT_H
#define ROLE_PERMIT_H

#include "sys/link.h"

enum msg_type {
	MSG_ASK = 1,		/* front: a credential is on its way */
	MSG_HANDOVER,		/* front: pipe with what is left of the input */
	MSG_ANSWER,		/* u8 enum authorize_answer */
	MSG_CREDENTIAL,		/* u8 method, span user, span secret */
	MSG_GRANT,		/* identity, field by field */
	MSG_DENY,		/* u8: 1 when it could not be decided */
	MSG_LOCK_SCAN,
	MSG_LOCK_UPDATE,
	MSG_REFRESH,
	MSG_UNLOCK,
	MSG_TEMPFILE,
	MSG_JOURNAL,
	MSG_RESERVE,
	MSG_LEGACY,
	MSG_RELEASE,
	MSG_SUBMIT,		/* fd: an unnamed file of this user's */
	MSG_DONE,		/* u8 fault class, u32 errno, span text */
	MSG_FILE,		/* instead of DONE, with what was asked for */
	MSG_LOG_ASK,
	MSG_LOG_FD,
	MSG_LOG_NONE,		/* no daemon listens */
};

/* The monitor's view of a connection. */
enum monitor_phase {
	PHASE_STRANGER,		/* the front talks to somebody unknown */
	PHASE_ASKED,		/* a worker is thinking */
	PHASE_GRANTED,		/* waiting for the front's HANDOVER */
	PHASE_SESSION,
	PHASE_RECOVERY,		/* the same questions but SUBMIT */
};

extern const struct link_permit	permit_from_front[];
extern const size_t		permit_from_front_n;
extern const struct link_permit	permit_from_worker[];
extern const size_t		permit_from_worker_n;
extern const struct link_permit	permit_from_session[];
extern const size_t		permit_from_session_n;
extern const struct link_permit	permit_answer[];	/* to the front */
extern const size_t		permit_answer_n;
extern const struct link_permit	permit_credential[];	/* to the worker */
extern const size_t		permit_credential_n;
extern const struct link_permit	permit_done[];		/* to the session */
extern const size_t		permit_done_n;
extern const struct link_permit	permit_log_ask[];
extern const size_t		permit_log_ask_n;
extern const struct link_permit	permit_log_fd[];
extern const size_t		permit_log_fd_n;

#endif
