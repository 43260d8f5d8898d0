/* SPDX-License-Identifier: ISC */
/*
 * Every message between roles, and who may say what when: all tables side by
 * side.  Floor 4.  A message that is not in the receiver's table, or not now,
 * or of another size, ends the sender.
 *
 *   front   -> monitor   CLIENT | CLIENT_ITSELF   (where a proxy may say so)
 *                        ASK  HANDOVER+fd  HANDOVER_RELAY+fd
 *                        WENT_ON | ABORT          (an exchange of messages)
 *   monitor -> front     ANSWER | WENT_ON
 *   front   -> worker    CREDENTIAL, RESPONSE | ABORT  (the monitor never reads them)
 *   worker  -> front     CHALLENGE                (nor that)
 *   worker  -> monitor   GRANT | DENY | WENT_ON
 *   session -> monitor   the questions of drop_host and pop_host, no argument
 *   monitor -> session   DONE | FILE+fd | WANTED+fd, and then DONE
 *   session -> who wants it  HANDED+fd            (on the link that came with WANTED)
 *   caged   -> monitor   LOG_ASK
 *   monitor -> caged     LOG_FD+fd | LOG_NONE
 *
 * In popper serve, where a front has many strangers; sid names one:
 *
 *   front   -> auth      CHECK | RESPONSE | ABORT
 *   auth    -> front     VERDICT (no, or not decided) | CHALLENGE
 *   auth    -> warden    WORKER+fd                (a link for a worker)
 *   auth    -> worker    QUESTION | RESPONSE | ABORT  (the warden never reads it)
 *   worker  -> auth      GRANT | GRANT_PRINT (may be vouched for) | DENY |
 *                        DENY_USER | CHALLENGE | RETIRED
 *   worker of tokens, of Kerberos -> auth   PROVEN | DENY | RETIRED | CHALLENGE
 *   auth    -> master    ADMIT
 *   master  -> auth      FRONT+fd                 (in place of one that died)
 *                        LEAVE                    (a reload: others follow)
 *   master  -> front     VERDICT (yes, or no room) | LEAVE
 *                        AUTH+fd                  (in place of one that died)
 *   front   -> master    START+fd | START_REST+fds | START_RELAY+fds | LEAVES |
 *                        RELAYS
 *   master  -> spawner   SPAWN+fds | SPAWN_REST+fds | SPAWN_RELAY+fds |
 *                        HAND+fd | SIGNAL | SIGNAL_ALL | REAP
 *   spawner -> master    ENDED
 *   session -> master    FACTS, before it is the user; then as to the monitor,
 *                        and SUMMARY, once; HANDED is a hand's, not the master's
 *   front   -> master    LOG_ASK | TRACE_ASK      (on its second link)
 *   session -> master    TRACE_ASK
 *   master  -> both      TRACE_FD+fd | TRACE_NONE
 *   front   -> resolver  PEER
 *   master  -> resolver, keeper   FRONT+fd | LEAVE    (as to auth)
 *   keeper  -> front     CLIENTS+fds | CERTIFICATE+fds | CERTIFICATE_OCSP+fds
 *
 * With sessions_per_process, an usher between spawner and sessions:
 *
 *   spawner -> usher     SPAWN+fds | SPAWN_REST+fds | SPAWN_RELAY+fds |
 *                        SIGNAL | SIGNAL_ALL
 *   usher   -> spawner   ENDED
 *   usher   -> shared    SEAT+fds | SEAT_REST+fds | SEAT_RELAY+fds | FREE |
 *                        SIGNAL
 *   shared  -> usher     LEFT | MOVE | MOVE_REST+fd
 *   usher   -> master    FACTS, SUMMARY, for who is seated
 *   shared  -> usher     TRACE_ASK, as a front
 *
 * popper ctl, one request a connection (role/ctl.h):
 *
 *   client  -> ctl       CTL_WHO | CTL_STATUS | CTL_PENALTIES | CTL_KICK |
 *                        CTL_KILL | CTL_STOP | CTL_RELOAD | CTL_CLEAR |
 *                        CTL_FLUSH | CTL_TRACE, and then CTL_TRACE_END
 *   ctl     -> master    the same, +fd        (the client; no CTL_TRACE)
 *   ctl     -> client    CTL_TRACER+fd        (to CTL_TRACE)
 *   front, session, shared -> client of CTL_TRACE   TRACE_LINE
 *   master  -> auth      CTL_PENALTIES+fd | CTL_CLEAR+fd | CTL_FLUSH+fd
 *   all of them -> client   CTL_SESSION, CTL_FACT; CTL_DONE
 */
#ifndef ROLE_PERMIT_H
#define ROLE_PERMIT_H

#include "sys/link.h"

enum msg_type {
	MSG_ASK = 1,		/* front: u8 method: a credential by it is on its way */
	MSG_HANDOVER,		/* front: u8 words (proto/lang.h); fd: pipe with what is
				   left of the input */
	MSG_HANDOVER_RELAY,	/* or a relay of its plaintext: it stays */
	MSG_ANSWER,		/* u8 enum authorize_answer */
	MSG_CREDENTIAL,		/* what is asked: u8 method, way, span user,
				   span secret (or a token, or of
				   an exchange the first message),
				   u8 1: it was no base64, span binding */
	MSG_GRANT,		/* identity, field by field */
	MSG_DENY,		/* u8: 1 when it could not be decided */
	MSG_LOCK_SCAN,
	MSG_LOCK_UPDATE,
	MSG_REFRESH,
	MSG_UNLOCK,
	MSG_TEMPFILE,
	MSG_JOURNAL,
	MSG_RESERVE,
	MSG_INDEX,
	MSG_LEGACY,
	MSG_RELEASE,
	MSG_GIVE_UP,		/* as RELEASE, of who has come to no UPDATE */
	MSG_DRAFT,		/* as TEMPFILE, for a message that can be sent */
	MSG_SUBMIT,		/* the message is wanted then */
	MSG_FORGET,		/* likewise: which promised unique-ids have no message
				   (drop/promise.h) */
	MSG_WANTED,		/* before DONE of these two; fd: a link for HANDED */
	MSG_HANDED,		/* octets of it; none: that was all */
	MSG_DONE,		/* u8 fault class, u32 errno, span text */
	MSG_FILE,		/* instead of DONE, with what was asked for */
	MSG_LOG_ASK,
	MSG_LOG_FD,
	MSG_LOG_NONE,		/* no daemon listens */
	MSG_CLIENT,		/* u8: 0 by a PROXY header, 1 by XCLIENT; peer:
				   whose connection it is */
	MSG_CLIENT_ITSELF,	/* a PROXY header that announces nobody */
	MSG_CHECK,		/* u64 sid, peer, what is asked (as CREDENTIAL), peer
				   of the socket: another one when a proxy
				   announced the client */
	MSG_QUESTION,		/* u64 sid, u64 vouched, peer, what is asked */
	MSG_VERDICT,		/* u64 sid, u8 enum authorize_answer */
	MSG_WORKER,		/* fd: its end of a link */
	MSG_ADMIT,		/* u64 sid, u32 front, u8 cached, peer, identity,
				   peer of the socket */
	MSG_START,		/* u64 sid, u8 words (proto/lang.h); fd: the client */
	MSG_START_REST,		/* and a pipe with what is left of its input */
	MSG_START_RELAY,	/* or a relay of its plaintext, which the front
				   keeps under TLS */
	MSG_SPAWN,		/* u32 slot, u64 sid, u8 words, u8 0, peer, identity,
				   u8 cached; fds: link, client */
	MSG_SPAWN_REST,		/* and the pipe */
	MSG_SPAWN_RELAY,	/* link, relay, and the client to be looked at */
	MSG_HAND,		/* u32 slot, u64 sid, u8 question (0: recovery),
				   u8 locked, then as SPAWN; fd: link */
	MSG_SIGNAL,		/* u32 slot, u8: 1 kill, 0 stop; to a shared
				   process 1: the master is gone */
	MSG_ENDED,		/* u32 slot, u32 status, perhaps with
				   ENDED_RELEASED */
	MSG_FACTS,		/* u32 pid, u32 of its spawner (0: an usher's
				   session), then what the master must know of a
				   maildrop */
	MSG_PEER,		/* u64 sid, peer */
	MSG_RETIRED,		/* ask another worker: what I know is old */
	MSG_FRONT,		/* u32 front; fd: a link to it */
	MSG_GRANT_PRINT,	/* u64 print, then as GRANT */
	MSG_SIGNAL_ALL,		/* tell sessions and recoveries to stop */
	MSG_REAP,		/* u32 slot: its link is at an end, and so is its
				   process, or soon */
	MSG_LEAVE,		/* take nobody any more, end when nobody is left;
				   u32: the listeners at which nobody else will
				   take who waits, 1 << index; of fronts alone */
	MSG_LEAVES,		/* it takes nobody any more */
	MSG_RELAYS,		/* nor does it ask anybody any more: all whom it has
				   are relayed */
	MSG_SEAT,		/* u32 slot, u64 sid, u64 octets of the copy,
				   peer, span user, u8 cached, u8 words, span db,
				   u32 s of login_delay, u8 method; fds:
				   client, copy */
	MSG_SEAT_REST,		/* and a pipe with what is left of its input */
	MSG_SEAT_RELAY,		/* relay, copy, and the client to be looked at */
	MSG_LEFT,		/* u32 slot, u8, then as SUMMARY: that session is
				   over; 1: its client waits until the maildrop
				   is FREE */
	MSG_FREE,		/* u32 slot */
	MSG_MOVE,		/* it needs a process of its own: u32 slot, u8 1
				   when it has not begun; else 0, u64 began_ms,
				   u64 octets in, u64 out, u64 retrieved, u32
				   last, spans: marks, the command that is due,
				   u8 words */
	MSG_MOVE_REST,		/* and a pipe with what is left of its input */
	MSG_AUTH,		/* fd: a link to a new auth; what the last one was
				   asked is lost */
	MSG_SUMMARY,		/* what a session did (wire.h) */
	MSG_CERTIFICATE,	/* u32 which, u32 of how many, span name; fds: chain,
				   key */
	MSG_CERTIFICATE_OCSP,	/* and an OCSP response */
	MSG_CLIENTS,		/* before them: u8 which of these are there,
				   1 << CLIENTS_...; fds: what tells of clients'
				   certificates (role/certificates.h) */
	MSG_CTL_WHO,		/* whom, as the next eight (role/ctl.h) */
	MSG_CTL_STATUS,
	MSG_CTL_KICK,
	MSG_CTL_KILL,
	MSG_CTL_STOP,
	MSG_CTL_RELOAD,
	MSG_CTL_PENALTIES,
	MSG_CTL_CLEAR,
	MSG_CTL_FLUSH,
	MSG_CTL_SESSION,	/* a row of who */
	MSG_CTL_FACT,		/* span name, u8 is number, u64, span text */
	MSG_CTL_DONE,		/* u8 fault class, u32 how many, span text */
	MSG_CTL_TRACE,		/* u32 seconds, whom (role/trace.h) */
	MSG_CTL_TRACER,		/* it is on; fd: a listener for who sends lines */
	MSG_CTL_TRACE_END,	/* u8 enum ctl_trace_end, u64 lines, u64 octets,
				   u64 lines lost */
	MSG_TRACE_ASK,
	MSG_TRACE_FD,		/* to who asked for the trace */
	MSG_TRACE_NONE,		/* not this one, not now */
	MSG_PROVEN,		/* span user: whose token or ticket it is */
	MSG_CHALLENGE,		/* u64 sid (0 where there is one client), span user:
				   who it is for, if that is known now; span octets */
	MSG_RESPONSE,		/* u64 sid, span octets, u8 1: it was no base64 */
	MSG_ABORT,		/* of an exchange: u64 sid; to the monitor nothing */
	MSG_DENY_USER,		/* as DENY, span user: who an exchange was about,
				   or a token that said no name */
	MSG_WENT_ON,		/* a challenge is there, or the response */
	MSG_TRACE_LINE,		/* role/trace.h */
	MSG_FORESEEN,		/* u8 1: it could be asked, u8 enum auth_result, u8
				   enum auth_reason, span text, identity */
	MSG_JUDGED,		/* u8 enum fault_class, span text, spans of struct names,
				   span hostname */
};

/* Its session lock was given back by who held it. */
#define ENDED_RELEASED	(1u << 16)

/* The monitor's view of a connection. */
enum monitor_phase {
	PHASE_STRANGER,		/* the front talks to somebody unknown */
	PHASE_ASKED,		/* a worker is thinking */
	PHASE_EXCHANGE,		/* it waits for the client's next message */
	PHASE_GRANTED,		/* waiting for the front's HANDOVER */
	PHASE_SESSION,
	PHASE_RECOVERY,		/* the same questions but DRAFT, SUBMIT and FORGET */
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
extern const struct link_permit	permit_response[];	/* likewise, later */
extern const size_t		permit_response_n;
extern const struct link_permit	permit_challenge[];	/* from it */
extern const size_t		permit_challenge_n;
extern const struct link_permit	permit_done[];		/* to the session */
extern const size_t		permit_done_n;
extern const struct link_permit	permit_handed[];	/* to who wants it */
extern const size_t		permit_handed_n;
extern const struct link_permit	permit_log_ask[];
extern const size_t		permit_log_ask_n;
extern const struct link_permit	permit_serves_ask[];	/* who may be traced */
extern const size_t		permit_serves_ask_n;
extern const struct link_permit	permit_trace_fd[];
extern const size_t		permit_trace_fd_n;
extern const struct link_permit	permit_log_fd[];
extern const size_t		permit_log_fd_n;

extern const struct link_permit	permit_check[];		/* front to auth */
extern const size_t		permit_check_n;
extern const struct link_permit	permit_verdict[];	/* to the front */
extern const size_t		permit_verdict_n;
extern const struct link_permit	permit_to_front[];	/* of the master */
extern const size_t		permit_to_front_n;
extern const struct link_permit	permit_worker[];	/* auth to warden */
extern const size_t		permit_worker_n;
extern const struct link_permit	permit_question[];	/* auth to worker */
extern const size_t		permit_question_n;
extern const struct link_permit	permit_decision[];	/* worker to auth */
extern const size_t		permit_decision_n;
extern const struct link_permit	permit_proof[];		/* who judges tokens, or tickets */
extern const size_t		permit_proof_n;
extern const struct link_permit	permit_admit[];		/* auth to master */
extern const size_t		permit_admit_n;
extern const struct link_permit	permit_to_auth[];	/* master to auth */
extern const size_t		permit_to_auth_n;
extern const struct link_permit	permit_start[];		/* front to master */
extern const size_t		permit_start_n;
extern const struct link_permit	permit_spawn[];		/* master to spawner */
extern const size_t		permit_spawn_n;
extern const struct link_permit	permit_ended[];		/* spawner to master */
extern const size_t		permit_ended_n;
extern const struct link_permit	permit_facts[];		/* session to master */
extern const size_t		permit_facts_n;
extern const struct link_permit	permit_from_served[];	/* likewise */
extern const size_t		permit_from_served_n;
extern const struct link_permit	permit_ctl[];		/* client to ctl */
extern const size_t		permit_ctl_n;
extern const struct link_permit	permit_ctl_end[];	/* likewise, later */
extern const size_t		permit_ctl_end_n;
extern const struct link_permit	permit_trace[];		/* to who reads them */
extern const size_t		permit_trace_n;
extern const struct link_permit	permit_judged[];	/* within a reload */
extern const size_t		permit_judged_n;
extern const struct link_permit	permit_foreseen[];	/* within popper ctl why */
extern const size_t		permit_foreseen_n;
extern const struct link_permit	permit_ctl_act[];	/* ctl to master */
extern const size_t		permit_ctl_act_n;
extern const struct link_permit	permit_ctl_answer[];	/* to the client */
extern const size_t		permit_ctl_answer_n;
extern const struct link_permit	permit_peer[];		/* front to resolver */
extern const size_t		permit_peer_n;
extern const struct link_permit	permit_to_resolver[];	/* master to it */
extern const size_t		permit_to_resolver_n;
extern const struct link_permit	permit_certificate[];	/* keeper to front */
extern const size_t		permit_certificate_n;
extern const struct link_permit	permit_usher[];		/* spawner to usher */
extern const size_t		permit_usher_n;
extern const struct link_permit	permit_seat[];		/* usher to shared */
extern const size_t		permit_seat_n;
extern const struct link_permit	permit_from_shared[];	/* and back */
extern const size_t		permit_from_shared_n;

#endif
