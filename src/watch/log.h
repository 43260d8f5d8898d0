/* SPDX-License-Identifier: ISC */
/*
 * The log.  One line per event: a fixed word (the stable id on which
 * operators match) and key=value fields.  Floor 1; every role.  Foreign bytes
 * are escaped here, never by the caller; a secret has no way in.
 *
 * A value is written bare when it is made of printable ASCII without blank,
 * quote, backslash and '='; else in double quotes with \xHH for everything
 * that is not printable ASCII, quote or backslash.  So parse(log(x)) == x, and
 * an event is one line.  Values are cut at 256 octets, and where the line is
 * full ("..." is added); a field for which no room is left is left out, and so
 * is a number of which only a part would fit.
 *
 * An event goes out as this line, as a JSON object or as an entry of journald's;
 * a value is the same in all of them, escaped and cut as here.  What ids,
 * fields and words there are: docs/log.md, which is versioned.
 */
#ifndef WATCH_LOG_H
#define WATCH_LOG_H

#include "base/attr.h"
#include "base/fault.h"
#include "base/span.h"

enum log_level {
	LEVEL_ERR,		/* the operator must act */
	LEVEL_WARN,
	LEVEL_NOTE,		/* one per session */
	LEVEL_DEBUG,		/* with -d or -t only */
};

enum log_to {
	LOG_TO_SYSLOG,		/* /dev/log, RFC 3164 form as glibc writes it */
	LOG_TO_STDERR,
	LOG_TO_FILE,
	LOG_TO_JOURNAL,		/* journald's native protocol */
};

enum log_form {
	LOG_TEXT,
	LOG_JSON,		/* not for the journal, which has fields */
};

struct log_conf {
	enum log_to	 to;
	const char	*file;		/* LOG_TO_FILE: absolute path */
	const char	*socket;	/* "/dev/log"; tests have their own */
	const char	*journal;	/* LOG_TO_JOURNAL: its socket */
	enum log_form	 form;
	int		 facility;	/* 0..23; 2 = mail */
	bool		 debug;		/* -d */
	int		 trace_fd;	/* -t: -1 or an open file; owns */
};

/*
 * Open.  Never fails for the caller: when the daemon does not listen, lines are
 * kept back (a bounded number) and sent when it does, or at the latest when
 * the process ends by log_close or spawn_exit.  Loads the time zone, so that a
 * cage can still tell the time.
 */
void	log_open(const struct log_conf *c);
void	log_close(void);

/*
 * Open a trace file for appending, safely: regular, one link, owned by us,
 * not writable by others, 0600, no symbolic link as the last component and
 * none in a folder that others may write.  The caller goes on without it when
 * it fails.
 */
int	log_trace_open(const char *path, int *fd_r, struct fault *f) MUSTUSE;

/* The session's id, in every line from now on: "sid=...".  At most 31 octets. */
void	log_set_sid(const char *sid);

/*
 * For caged roles, which may not connect by themselves: called when a line
 * could not be sent because the log daemon went away; it returns a fresh
 * connected descriptor (which the log then owns), or -1.  Not called more
 * often than once a second while it fails.
 */
void	log_set_reopen(int (*fn)(void *ctx), void *ctx);
/* A fresh descriptor connected to the log socket, or -1: for the other side. */
int	log_connect(void);

/* The descriptors that the log needs, at most two, for fd_close_others. */
size_t	log_fds(int fds[2]);

bool	log_wants(enum log_level level);

/* A line in parts.  id is a literal such as "login-failed", and so are keys;
 * no key is time, level, id or pid, which every JSON object has. */
#define LOG_LINE_MAX	2048
#define LOG_PARTS_MAX	24

struct log_part {
	const char	*key;
	uint16_t	 at;		/* the escaped value in b, no quotes */
	uint16_t	 n;
	bool		 number;
};
struct log_line {
	enum log_level	level;
	const char	*id;
	size_t		n;		/* 0: nobody wants it */
	size_t		nparts;
	struct log_part	parts[LOG_PARTS_MAX];
	char		b[LOG_LINE_MAX];	/* the text form */
};
void	log_begin(struct log_line *l, enum log_level level, const char *id);
void	log_field(struct log_line *l, const char *key, struct span value);
void	log_str(struct log_line *l, const char *key, const char *value);
void	log_num(struct log_line *l, const char *key, uint64_t value);
void	log_end(struct log_line *l);

/* A value as it stands in a line, with its quotes: at most cap - 1 octets and a
 * NUL; LOG_VALUE_MAX is enough for any. */
#define LOG_VALUE_MAX	1100
void	log_value(char *out, size_t cap, struct span value);

/* The same as a string of JSON: what stands between those quotes, quoted anew. */
#define LOG_JSON_MAX	(2 * LOG_VALUE_MAX + 2)
void	log_json(char out[LOG_JSON_MAX], struct span value);

/* An event with one text field, text="..." */
void	log_text(enum log_level level, const char *id, const char *fmt, ...)
	    PRINTF(3, 4);
/* An event whose text is a fault. */
void	log_fault(enum log_level level, const char *id, const struct fault *f);

/*
 * The statistics line of -s, as the manual has it: the fixed form without
 * id and keys, "Stats: USER 1 2 3 4 IP".  Level NOTE; user is escaped,
 * blanks included; in ip, which may be "", blanks stay.  In JSON and in the
 * journal's fields its id is "stats", and it has keys.
 */
void	log_stats(struct span user, uint64_t deleted, uint64_t deleted_octets,
	    uint64_t left, uint64_t left_octets, const char *ip);

/* What the client and we said; only with debug.  The caller has redacted. */
void	log_dialogue(char direction, struct span line);

#endif
