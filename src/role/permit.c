/* SPDX-License-Identifier: ISC */
#include "role/permit.h"

#include "base/fault.h"
#include "base/secret.h"
#include "sys/identity.h"

#define IN(phase)	(1u << (phase))
#define ANY		UINT32_MAX
#define SPAN_SIZE(n)	(4u + (n))

#define CREDENTIAL_MAX	(1u + SPAN_SIZE(IDENTITY_USER_MAX) + SPAN_SIZE(SECRET_MAX))
#define GRANT_MAX	(SPAN_SIZE(IDENTITY_USER_MAX) + 4 + 4 + 4 + \
			 4 * IDENTITY_GIDS_MAX + \
			 2 * SPAN_SIZE(IDENTITY_PATH_MAX) + 1)
#define DONE_MAX	(1u + 4 + SPAN_SIZE(sizeof(((struct fault *)0)->text)))

#define IN_SESSION	(IN(PHASE_SESSION) | IN(PHASE_RECOVERY))

/* type, least and greatest body, descriptors, phases */
const struct link_permit permit_from_front[] = {
	{ MSG_ASK,		0, 0,	0, IN(PHASE_STRANGER) },
	{ MSG_HANDOVER,		0, 0,	1, IN(PHASE_GRANTED) },
};
const size_t permit_from_front_n = ARRAY_LEN(permit_from_front);

const struct link_permit permit_from_worker[] = {
	{ MSG_GRANT,		1, GRANT_MAX, 0, IN(PHASE_ASKED) },
	{ MSG_DENY,		1, 1,	0, IN(PHASE_ASKED) },
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
	{ MSG_LEGACY,		0, 0,	0, IN_SESSION },
	{ MSG_RELEASE,		0, 0,	0, IN(PHASE_SESSION) },
	{ MSG_SUBMIT,		0, 0,	1, IN(PHASE_SESSION) },
};
const size_t permit_from_session_n = ARRAY_LEN(permit_from_session);

const struct link_permit permit_answer[] = {
	{ MSG_ANSWER,		1, 1,	0, ANY },
};
const size_t permit_answer_n = ARRAY_LEN(permit_answer);

const struct link_permit permit_credential[] = {
	{ MSG_CREDENTIAL,	1, CREDENTIAL_MAX, 0, ANY },
};
const size_t permit_credential_n = ARRAY_LEN(permit_credential);

const struct link_permit permit_done[] = {
	{ MSG_DONE,		1, DONE_MAX, 0, ANY },
	{ MSG_FILE,		0, 0,	1, ANY },
};
const size_t permit_done_n = ARRAY_LEN(permit_done);

const struct link_permit permit_log_ask[] = {
	{ MSG_LOG_ASK,		0, 0,	0, ANY },
};
const size_t permit_log_ask_n = ARRAY_LEN(permit_log_ask);

const struct link_permit permit_log_fd[] = {
	{ MSG_LOG_FD,		0, 0,	1, ANY },
	{ MSG_LOG_NONE,		0, 0,	0, ANY },
};
const size_t permit_log_fd_n = ARRAY_LEN(permit_log_fd);
