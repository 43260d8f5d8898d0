/* SPDX-License-Identifier: ISC */
/*
 * The log by itself, for test_forms.py:
 *	try_log syslog|stderr|file|journal text|json PATH [SID]
 * logs what standard input tells: each line is an event of the id "try", or of
 * that behind an @, with words KEY=HEX for octets and KEY:NUMBER; "stats HEX
 * HEX" is a line of statistics, "sleep MS" a pause.
 */
#include "sys/sock.h"
#include "watch/log.h"

#include "base/num.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t
unhex(const char *s, uint8_t *out)
{
	size_t n = 0;

	for (; s[0] != '\0' && s[1] != '\0'; s += 2) {
		const char two[3] = { s[0], s[1], '\0' };

		out[n++] = (uint8_t)strtoul(two, NULL, 16);
	}
	return n;
}

static void
event(char *words)
{
	static uint8_t	octets[8192];
	struct log_line	l;
	char		*rest;
	char		*w = strtok_r(words, " ", &rest);

	if (w != NULL && w[0] == '@') {
		log_begin(&l, LEVEL_NOTE, w + 1);
		w = strtok_r(NULL, " ", &rest);
	} else {
		log_begin(&l, LEVEL_NOTE, "try");
	}
	for (; w != NULL; w = strtok_r(NULL, " ", &rest)) {
		char	*value = strpbrk(w, "=:");
		bool	 number = *value == ':';

		*value++ = '\0';
		if (number)
			log_num(&l, w, strtoull(value, NULL, 10));
		else
			log_field(&l, w, span_of(octets,
			    unhex(value, octets)));
	}
	log_end(&l);
}

static void
stats(const char *words)
{
	uint8_t		user[8192];
	uint8_t		ip[8192];
	const char	*second = strchr(words, ' ') + 1;
	size_t		n = (size_t)(second - 1 - words) / 2;

	(void)unhex(words, user);
	ip[unhex(second, ip)] = '\0';
	log_stats(span_of(user, n), 1, 2, 3, UINT64_MAX, (char *)ip);
}

int
main(int argc, char **argv)
{
	static const char *const words[] = {
		[LOG_TO_SYSLOG] = "syslog", [LOG_TO_STDERR] = "stderr",
		[LOG_TO_FILE] = "file", [LOG_TO_JOURNAL] = "journal",
	};
	static char	line[65536];
	struct log_conf	c = { .facility = 2, .trace_fd = -1, .debug = true };

	if (argc < 4)
		return EXIT_FAILURE;
	for (int i = 0; i < (int)ARRAY_LEN(words); i++)
		if (strcmp(argv[1], words[i]) == 0)
			c.to = (enum log_to)i;
	c.form = strcmp(argv[2], "json") == 0 ? LOG_JSON : LOG_TEXT;
	c.file = c.socket = c.journal = argv[3];
	log_open(&c);
	if (argc > 4)
		log_set_sid(argv[4]);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "stats ", 6) == 0)
			stats(line + 6);
		else if (strncmp(line, "sleep ", 6) == 0)
			clock_sleep((unsigned)atoi(line + 6));
		else
			event(line);
	}
	log_close();
	return EXIT_SUCCESS;
}
