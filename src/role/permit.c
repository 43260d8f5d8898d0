/* SPDX-License-Identifier: ISC */
#include "role/permit.h"

#include "auth/exchange.h"
#include "role/certificates.h"
#include "auth/auth.h"
#include "base/fault.h"
#include "pop/transact.h"
#include "proto/limits.h"
#include "role/ctl.h"
#include "role/edition.h"
#include "role/host.h"
#include "role/trace.h"
#include "role/wire.h"
#include "sys/identity.h"

#include <assert.h>

#define IN(phase)	(1u << (phase))
#define ANY		UINT32_MAX
#define SPAN_SIZE(n)	(4u + (n))

#define GRANT_MAX	(SPAN_SIZE(IDENTITY_USER_MAX) + 4 + 4 + 4 + \
			 4 * IDENTITY_GIDS_MAX + \
			 2 * SPAN_SIZE(IDENTITY_PATH_MAX) + 1 + \
			 SPAN_SIZE(IDENTITY_DB_MAX))
#define SID		8u
/* What CREDENTIAL, CHECK and QUESTION have in common. */
#define ASKED_MAX	(1u + WIRE_WAY_MAX + SPAN_SIZE(IDENTITY_USER_MAX) + \
			 SPAN_SIZE(AUTH_MESSAGE_MAX) + 1 + \
			 SPAN_SIZE(AUTH_BINDING_MAX))
#define CHALLENGE_MAX	(SID + SPAN_SIZE(IDENTITY_USER_MAX) + \
			 SPAN_SIZE(AUTH_CHALLENGE_MAX))
#define RESPONSE_MAX	(SID + SPAN_SIZE(AUTH_MESSAGE_MAX) + 1)
#define DENY_MAX	(1u + SPAN_SIZE(IDENTITY_USER_MAX))
#define DONE_MAX	(1u + 4 + SPAN_SIZE(sizeof(((struct fault *)0)->text)))

#define IN_SESSION	(IN(PHASE_SESSION) | IN(PHASE_RECOVERY))

/* type, least and greatest body, descriptors, phases */
const struct link_permit permit_from_front[] = {
	{ MSG_ASK,		1, 1,	0, IN(PHASE_STRANGER) },
	{ MSG_CLIENT,		1, 1 + WIRE_PEER_MAX, 0, IN(PHASE_STRANGER) },
	{ MSG_CLIENT_ITSELF,	0, 0,	0, IN(PHASE_STRANGER) },
	{ MSG_HANDOVER,		1, 1,	1, IN(PHASE_GRANTED) },
	{ MSG_HANDOVER_RELAY,	1, 1,	1, IN(PHASE_GRANTED) },
	{ MSG_WENT_ON,		0, 0,	0, IN(PHASE_EXCHANGE) },
	{ MSG_ABORT,		0, 0,	0, IN(PHASE_EXCHANGE) },
};
const size_t permit_from_front_n = ARRAY_LEN(permit_from_front);

const struct link_permit permit_from_worker[] = {
	{ MSG_GRANT,		1, GRANT_MAX, 0, IN(PHASE_ASKED) },
	{ MSG_DENY,		1, 1,	0, IN(PHASE_ASKED) },
	{ MSG_WENT_ON,		0, 0,	0, IN(PHASE_ASKED) },
};
const size_t permit_from_worker_n = ARRAY_LEN(permit_from_worker);

const struct link_permit permit_from_session[] = {
	{ MSG_LOCK_SCAN,	0, 0,	0, IN_SESSION },
	{ MSG_LOCK_UPDATE,	0, 0,	0, IN_SESSION },
	{ MSG_REFRESH,		0, 0,	0, IN_SESSION },
	{ MSG_UNLOCK,		0, 0,	0, IN_SESSION },
	{ MSG_TEMPFILE,		0, 0,	0, IN_SESSION },
	{ MSG_JOURNAL,		0, 0,	0, IN_SESSION },
	{ MSG_RESERVE,		0, 0,	0, IN_SESSION },
	{ MSG_INDEX,		0, 0,	0, IN(PHASE_SESSION) },
	{ MSG_LEGACY,		0, 0,	0, IN_SESSION },
	{ MSG_RELEASE,		0, 0,	0, IN(PHASE_SESSION) },
	{ MSG_GIVE_UP,		0, 0,	0, IN(PHASE_SESSION) },
	{ MSG_DRAFT,		0, 0,	0, IN(PHASE_SESSION) },
	{ MSG_SUBMIT,		0, 0,	0, IN(PHASE_SESSION) },
	{ MSG_FORGET,		0, 0,	0, IN(PHASE_SESSION) },
};
const size_t permit_from_session_n = ARRAY_LEN(permit_from_session);

const struct link_permit permit_answer[] = {
	{ MSG_ANSWER,		1, 1,	0, ANY },
	{ MSG_WENT_ON,		0, 0,	0, ANY },
};
const size_t permit_answer_n = ARRAY_LEN(permit_answer);

const struct link_permit permit_credential[] = {
	{ MSG_CREDENTIAL,	1, ASKED_MAX, 0, ANY },
	{ MSG_ABORT,		SID, SID, 0, ANY },
};
const size_t permit_credential_n = ARRAY_LEN(permit_credential);

const struct link_permit permit_response[] = {
	{ MSG_RESPONSE,		SID, RESPONSE_MAX, 0, ANY },
	{ MSG_ABORT,		SID, SID, 0, ANY },
};
const size_t permit_response_n = ARRAY_LEN(permit_response);

const struct link_permit permit_challenge[] = {
	{ MSG_CHALLENGE,	SID, CHALLENGE_MAX, 0, ANY },
};
const size_t permit_challenge_n = ARRAY_LEN(permit_challenge);

const struct link_permit permit_done[] = {
	{ MSG_DONE,		1, DONE_MAX, 0, ANY },
	{ MSG_FILE,		0, 0,	1, ANY },
	{ MSG_WANTED,		0, 0,	1, ANY },
};
const size_t permit_done_n = ARRAY_LEN(permit_done);

const struct link_permit permit_handed[] = {
	{ MSG_HANDED,		0, LINK_PACKET_MAX - LINK_HEADER, 0, ANY },
};
const size_t permit_handed_n = ARRAY_LEN(permit_handed);

const struct link_permit permit_log_ask[] = {
	{ MSG_LOG_ASK,		0, 0,	0, ANY },
};
const size_t permit_log_ask_n = ARRAY_LEN(permit_log_ask);

const struct link_permit permit_serves_ask[] = {
	{ MSG_LOG_ASK,		0, 0,	0, ANY },
	{ MSG_TRACE_ASK,	0, 0,	0, ANY },
};
const size_t permit_serves_ask_n = ARRAY_LEN(permit_serves_ask);

const struct link_permit permit_trace_fd[] = {
	{ MSG_TRACE_FD,		0, 0,	1, ANY },
	{ MSG_TRACE_NONE,	0, 0,	0, ANY },
};
const size_t permit_trace_fd_n = ARRAY_LEN(permit_trace_fd);

const struct link_permit permit_log_fd[] = {
	{ MSG_LOG_FD,		0, 0,	1, ANY },
	{ MSG_LOG_NONE,		0, 0,	0, ANY },
};
const size_t permit_log_fd_n = ARRAY_LEN(permit_log_fd);

/* --- popper serve ----------------------------------------------------------- */

#define CHECK_MAX	(SID + WIRE_PEER_MAX + ASKED_MAX)
#define PRINT		8u
#define PERSON_MAX	(WIRE_PEER_MAX + WIRE_IDENTITY_MAX)
#define ORDER_MAX	(7 + SID + PERSON_MAX + 1)

const struct link_permit permit_check[] = {
	{ MSG_CHECK,		SID, CHECK_MAX + WIRE_PEER_MAX, 0, ANY },
	{ MSG_RESPONSE,		SID, RESPONSE_MAX, 0, ANY },
	{ MSG_ABORT,		SID, SID, 0, ANY },
};
static_assert(CHECK_MAX + WIRE_PEER_MAX <= LINK_PACKET_MAX - LINK_HEADER,
    "a message of AUTH fits");
const size_t permit_check_n = ARRAY_LEN(permit_check);

const struct link_permit permit_verdict[] = {
	{ MSG_VERDICT,		SID + 1, SID + 1, 0, ANY },
	{ MSG_CHALLENGE,	SID, CHALLENGE_MAX, 0, ANY },
};
const size_t permit_verdict_n = ARRAY_LEN(permit_verdict);

const struct link_permit permit_to_front[] = {
	{ MSG_VERDICT,		SID + 1, SID + 1, 0, ANY },
	{ MSG_LEAVE,		4, 4,	0, ANY },
	{ MSG_AUTH,		0, 0,	1, ANY },
};
const size_t permit_to_front_n = ARRAY_LEN(permit_to_front);

const struct link_permit permit_worker[] = {
	{ MSG_WORKER,		1, 1,	1, ANY },
};
const size_t permit_worker_n = ARRAY_LEN(permit_worker);

const struct link_permit permit_question[] = {
	{ MSG_QUESTION,		SID + PRINT, PRINT + CHECK_MAX, 0, ANY },
	{ MSG_RESPONSE,		SID, RESPONSE_MAX, 0, ANY },
	{ MSG_ABORT,		SID, SID, 0, ANY },
};
const size_t permit_question_n = ARRAY_LEN(permit_question);

const struct link_permit permit_decision[] = {
	{ MSG_GRANT,		1, GRANT_MAX, 0, ANY },
	{ MSG_GRANT_PRINT,	PRINT + 1, PRINT + GRANT_MAX, 0, ANY },
	{ MSG_DENY,		1, 1,	0, ANY },
	{ MSG_DENY_USER,	1, DENY_MAX, 0, ANY },
	{ MSG_CHALLENGE,	SID, CHALLENGE_MAX, 0, ANY },
	{ MSG_RETIRED,		0, 0,	0, ANY },
};
const size_t permit_decision_n = ARRAY_LEN(permit_decision);

/* It says whose token or ticket that is, never who that is here. */
const struct link_permit permit_proof[] = {
	{ MSG_PROVEN,		1, SPAN_SIZE(IDENTITY_USER_MAX), 0, ANY },
	{ MSG_CHALLENGE,	SID, CHALLENGE_MAX, 0, ANY },
	{ MSG_DENY,		1, 1,	0, ANY },
	{ MSG_DENY_USER,	1, DENY_MAX, 0, ANY },
	{ MSG_RETIRED,		0, 0,	0, ANY },
};
const size_t permit_proof_n = ARRAY_LEN(permit_proof);

const struct link_permit permit_admit[] = {
	{ MSG_ADMIT,		SID + 5, SID + 5 + PERSON_MAX + WIRE_PEER_MAX, 0,
				ANY },
};
const size_t permit_admit_n = ARRAY_LEN(permit_admit);

const struct link_permit permit_to_auth[] = {
	{ MSG_FRONT,		4, 4,	1, ANY },
	{ MSG_LEAVE,		4, 4,	0, ANY },
	{ MSG_CTL_PENALTIES,	1, CTL_WHOM_MAX, 1, ANY },
	{ MSG_CTL_CLEAR,	1, CTL_WHOM_MAX, 1, ANY },
	{ MSG_CTL_FLUSH,	1, CTL_WHOM_MAX, 1, ANY },
};
const size_t permit_to_auth_n = ARRAY_LEN(permit_to_auth);

const struct link_permit permit_start[] = {
	{ MSG_START,		SID + 1, SID + 1, 1, ANY },
	{ MSG_START_REST,	SID + 1, SID + 1, 2, ANY },
	{ MSG_START_RELAY,	SID + 1, SID + 1, 2, ANY },
	{ MSG_LEAVES,		0, 0,	0, ANY },
	{ MSG_RELAYS,		0, 0,	0, ANY },
};
const size_t permit_start_n = ARRAY_LEN(permit_start);

const struct link_permit permit_spawn[] = {
	{ MSG_SPAWN,		7 + SID, ORDER_MAX, 2, ANY },
	{ MSG_SPAWN_REST,	7 + SID, ORDER_MAX, 3, ANY },
	{ MSG_SPAWN_RELAY,	7 + SID, ORDER_MAX, 3, ANY },
	{ MSG_HAND,		7 + SID, ORDER_MAX, 1, ANY },
	{ MSG_SIGNAL,		5, 5,	0, ANY },
	{ MSG_SIGNAL_ALL,	0, 0,	0, ANY },
	{ MSG_REAP,		4, 4,	0, ANY },
};
static_assert(ORDER_MAX <= LINK_PACKET_MAX - LINK_HEADER,
    "the longest message of all");
const size_t permit_spawn_n = ARRAY_LEN(permit_spawn);

const struct link_permit permit_ended[] = {
	{ MSG_ENDED,		8, 8,	0, ANY },
};
const size_t permit_ended_n = ARRAY_LEN(permit_ended);

const struct link_permit permit_peer[] = {
	{ MSG_PEER,		SID, SID + WIRE_PEER_MAX, 0, ANY },
};
const size_t permit_peer_n = ARRAY_LEN(permit_peer);

const struct link_permit permit_to_resolver[] = {
	{ MSG_FRONT,		4, 4,	1, ANY },
	{ MSG_LEAVE,		4, 4,	0, ANY },
};
const size_t permit_to_resolver_n = ARRAY_LEN(permit_to_resolver);

#define CERTIFICATE_MAX	(8u + SPAN_SIZE(CERTIFICATE_PATH_MAX))

const struct link_permit permit_certificate[] = {
	{ MSG_CLIENTS,		1, 1,	CLIENTS_FILES, ANY },
	{ MSG_CERTIFICATE,	9, CERTIFICATE_MAX, 2, ANY },
	{ MSG_CERTIFICATE_OCSP,	9, CERTIFICATE_MAX, 3, ANY },
};
const size_t permit_certificate_n = ARRAY_LEN(permit_certificate);

#define FACTS_MAX	(4 + 4 + 3 + 8 + SPAN_SIZE(IDENTITY_PATH_MAX) + \
			 2 * SPAN_SIZE(HOST_KEY_MAX))

const struct link_permit permit_facts[] = {
	{ MSG_FACTS,		11, FACTS_MAX, 0, ANY },
};
const size_t permit_facts_n = ARRAY_LEN(permit_facts);

const struct link_permit permit_from_served[] = {
	{ MSG_LOCK_SCAN,	0, 0,	0, ANY },
	{ MSG_LOCK_UPDATE,	0, 0,	0, ANY },
	{ MSG_REFRESH,		0, 0,	0, ANY },
	{ MSG_UNLOCK,		0, 0,	0, ANY },
	{ MSG_TEMPFILE,		0, 0,	0, ANY },
	{ MSG_JOURNAL,		0, 0,	0, ANY },
	{ MSG_RESERVE,		0, 0,	0, ANY },
	{ MSG_INDEX,		0, 0,	0, IN(PHASE_SESSION) },
	{ MSG_LEGACY,		0, 0,	0, ANY },
	{ MSG_RELEASE,		0, 0,	0, IN(PHASE_SESSION) },
	{ MSG_GIVE_UP,		0, 0,	0, IN(PHASE_SESSION) },
	{ MSG_DRAFT,		0, 0,	0, IN(PHASE_SESSION) },
	{ MSG_SUBMIT,		0, 0,	0, IN(PHASE_SESSION) },
	{ MSG_FORGET,		0, 0,	0, IN(PHASE_SESSION) },
	{ MSG_LOG_ASK,		0, 0,	0, ANY },
	{ MSG_SUMMARY,		WIRE_SUMMARY_SIZE, WIRE_SUMMARY_SIZE, 0,
	  IN(PHASE_SESSION) },
	{ MSG_TRACE_ASK,	0, 0,	0, IN(PHASE_SESSION) },
};
const size_t permit_from_served_n = ARRAY_LEN(permit_from_served);

/* --- sessions that share a process -------------------------------------------- */

#define SEAT_MAX	(4u + SID + 8 + WIRE_PEER_MAX + SPAN_SIZE(IDENTITY_USER_MAX) + \
			 2 + SPAN_SIZE(IDENTITY_DB_MAX) + 4 + 1)
#define MOVE_MAX	(4u + 1 + 4 * 8 + 4 + SPAN_SIZE(POP_MARKS_MAX) + \
			 SPAN_SIZE(LIMIT_LINE) + 1)

const struct link_permit permit_usher[] = {
	{ MSG_SPAWN,		7 + SID, ORDER_MAX, 2, ANY },
	{ MSG_SPAWN_REST,	7 + SID, ORDER_MAX, 3, ANY },
	{ MSG_SPAWN_RELAY,	7 + SID, ORDER_MAX, 3, ANY },
	{ MSG_SIGNAL,		5, 5,	0, ANY },
	{ MSG_SIGNAL_ALL,	0, 0,	0, ANY },
};
const size_t permit_usher_n = ARRAY_LEN(permit_usher);

const struct link_permit permit_seat[] = {
	{ MSG_SEAT,		4 + SID + 8, SEAT_MAX, 2, ANY },
	{ MSG_SEAT_REST,	4 + SID + 8, SEAT_MAX, 3, ANY },
	{ MSG_SEAT_RELAY,	4 + SID + 8, SEAT_MAX, 3, ANY },
	{ MSG_FREE,		4, 4,	0, ANY },
	{ MSG_SIGNAL,		5, 5,	0, ANY },
};
const size_t permit_seat_n = ARRAY_LEN(permit_seat);

const struct link_permit permit_from_shared[] = {
	{ MSG_LEFT,		5 + WIRE_SUMMARY_SIZE, 5 + WIRE_SUMMARY_SIZE, 0, ANY },
	{ MSG_MOVE,		5, MOVE_MAX, 0, ANY },
	{ MSG_MOVE_REST,	5, MOVE_MAX, 1, ANY },
};
const size_t permit_from_shared_n = ARRAY_LEN(permit_from_shared);

/* --- popper ctl ------------------------------------------------------------------ */

const struct link_permit permit_ctl[] = {
	{ MSG_CTL_WHO,		1, CTL_WHOM_MAX, 0, ANY },
	{ MSG_CTL_STATUS,	1, CTL_WHOM_MAX, 0, ANY },
	{ MSG_CTL_PENALTIES,	1, CTL_WHOM_MAX, 0, ANY },
	{ MSG_CTL_KICK,		1, CTL_WHOM_MAX, 0, ANY },
	{ MSG_CTL_KILL,		1, CTL_WHOM_MAX, 0, ANY },
	{ MSG_CTL_STOP,		1, CTL_WHOM_MAX, 0, ANY },
	{ MSG_CTL_RELOAD,	1, CTL_WHOM_MAX, 0, ANY },
	{ MSG_CTL_CLEAR,	1, CTL_WHOM_MAX, 0, ANY },
	{ MSG_CTL_FLUSH,	1, CTL_WHOM_MAX, 0, ANY },
	{ MSG_CTL_TRACE,	4, 4 + TRACE_WHOM_MAX, 0, ANY },
};
const size_t permit_ctl_n = ARRAY_LEN(permit_ctl);

const struct link_permit permit_ctl_act[] = {
	{ MSG_CTL_WHO,		1, CTL_WHOM_MAX, 1, ANY },
	{ MSG_CTL_STATUS,	1, CTL_WHOM_MAX, 1, ANY },
	{ MSG_CTL_PENALTIES,	1, CTL_WHOM_MAX, 1, ANY },
	{ MSG_CTL_KICK,		1, CTL_WHOM_MAX, 1, ANY },
	{ MSG_CTL_KILL,		1, CTL_WHOM_MAX, 1, ANY },
	{ MSG_CTL_STOP,		1, CTL_WHOM_MAX, 1, ANY },
	{ MSG_CTL_RELOAD,	1, CTL_WHOM_MAX, 1, ANY },
	{ MSG_CTL_CLEAR,	1, CTL_WHOM_MAX, 1, ANY },
	{ MSG_CTL_FLUSH,	1, CTL_WHOM_MAX, 1, ANY },
};
const size_t permit_ctl_act_n = ARRAY_LEN(permit_ctl_act);

const struct link_permit permit_ctl_answer[] = {
	{ MSG_CTL_SESSION,	1, CTL_SESSION_MAX, 0, ANY },
	{ MSG_CTL_FACT,		1, CTL_FACT_MAX, 0, ANY },
	{ MSG_CTL_DONE,		5, DONE_MAX, 0, ANY },
	{ MSG_CTL_TRACER,	0, 0,	1, ANY },
};
const size_t permit_ctl_answer_n = ARRAY_LEN(permit_ctl_answer);

const struct link_permit permit_ctl_end[] = {
	{ MSG_CTL_TRACE_END,	1 + 3 * 8, 1 + 3 * 8, 0, ANY },
};
const size_t permit_ctl_end_n = ARRAY_LEN(permit_ctl_end);

const struct link_permit permit_trace[] = {
	{ MSG_TRACE_LINE,	1, TRACE_LINE_MAX, 0, ANY },
};
const size_t permit_trace_n = ARRAY_LEN(permit_trace);

#define NAMES_SIZE(field) SPAN_SIZE(sizeof(((struct names *)0)->field))
#define JUDGED_MAX	(1u + SPAN_SIZE(sizeof(((struct fault *)0)->text)) + \
			 NAMES_SIZE(front_user) + NAMES_SIZE(auth_user) + \
			 NAMES_SIZE(virtual_user) + NAMES_SIZE(gids_denied) + \
			 SPAN_SIZE(sizeof(((struct edition *)0)->hostname)))

const struct link_permit permit_judged[] = {
	{ MSG_JUDGED,		1 + 6 * 4, JUDGED_MAX, 0, ANY },
};
const size_t permit_judged_n = ARRAY_LEN(permit_judged);

#define FORESEEN_MAX	(3u + SPAN_SIZE(sizeof(((struct auth_verdict *)0)->detail)) + \
			 WIRE_IDENTITY_MAX)

const struct link_permit permit_foreseen[] = {
	{ MSG_FORESEEN,		3, FORESEEN_MAX, 0, ANY },
};
const size_t permit_foreseen_n = ARRAY_LEN(permit_foreseen);
