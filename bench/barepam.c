/* SPDX-License-Identifier: ISC */
/*
 * What PAM alone costs: pam_authenticate and pam_acct_mgmt of one user after
 * the other, in one process, for some seconds.  The floor of every login of a
 * system user.
 *	barepam SERVICE SECONDS USERS_FILE [each]
 * The file has `name password` a line, as load's --users.  each: the first process
 * keeps PAM's modules in memory, and forks one for each question that asks it and
 * ends: the floor of every server that has PAM asked so.
 */
#include <security/pam_appl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define USERS_MAX	100000
#define WORD_MAX	64

static struct user {
	char	name[WORD_MAX];
	char	password[WORD_MAX];
} *users;
static size_t	users_n;

static int
answer(int n, const struct pam_message **m, struct pam_response **out,
    void *data)
{
	struct pam_response	*r = calloc((size_t)n, sizeof(*r));

	if (r == NULL)
		return PAM_BUF_ERR;
	for (int i = 0; i < n; i++) {
		if (m[i]->msg_style == PAM_PROMPT_ECHO_OFF)
			r[i].resp = strdup(data);
	}
	*out = r;
	return PAM_SUCCESS;
}

static bool
check(const char *service, struct user *u)
{
	struct pam_conv	 conv = { .conv = answer, .appdata_ptr = u->password };
	pam_handle_t	*h = NULL;
	int		 rc = pam_start(service, u->name, &conv, &h);

	if (rc == PAM_SUCCESS)
		rc = pam_authenticate(h, PAM_SILENT);
	if (rc == PAM_SUCCESS)
		rc = pam_acct_mgmt(h, PAM_SILENT);
	if (rc != PAM_SUCCESS)
		fprintf(stderr, "error user=%s: %s\n", u->name,
		    pam_strerror(h, rc));
	pam_end(h, rc);
	return rc == PAM_SUCCESS;
}

/* A handle that is never closed: as long as it is there, so are the modules. */
static bool
keep_modules(const char *service)
{
	static const struct pam_conv	 conv = { .conv = answer };
	static pam_handle_t		*kept;

	return pam_start(service, NULL, &conv, &kept) == PAM_SUCCESS;
}

static bool
check_apart(const char *service, struct user *u)
{
	int	status = 1;
	pid_t	pid = fork();

	if (pid == 0)
		_exit(check(service, u) ? 0 : 1);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void
read_users(const char *path)
{
	FILE	*f = fopen(path, "r");

	users = calloc(USERS_MAX, sizeof(*users));
	if (f == NULL || users == NULL) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	while (users_n < USERS_MAX && fscanf(f, "%63s %63s",
	    users[users_n].name, users[users_n].password) == 2)
		users_n++;
	fclose(f);
}

static double
seconds_of(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

/* Of this process and of its children (pam_unix may start a helper). */
static double
cpu_seconds(void)
{
	double	sum = 0;

	for (int i = 0; i < 2; i++) {
		struct rusage	r;

		getrusage(i == 0 ? RUSAGE_SELF : RUSAGE_CHILDREN, &r);
		sum += seconds_of(r.ru_utime) + seconds_of(r.ru_stime);
	}
	return sum;
}

int
main(int argc, char **argv)
{
	bool		(*ask)(const char *, struct user *) = check;
	unsigned	seconds;
	size_t		n = 0;
	int		errors = 0;
	double		cpu;
	time_t		end;

	if (argc == 5 && strcmp(argv[4], "each") == 0)
		ask = check_apart;
	if ((argc != 4 && ask == check) || sscanf(argv[2], "%u", &seconds) != 1) {
		fputs("usage: barepam SERVICE SECONDS USERS_FILE [each]\n", stderr);
		return 64;
	}
	read_users(argv[3]);
	if (users_n == 0 || !check(argv[1], &users[0]) ||
	    (ask == check_apart && !keep_modules(argv[1])))
		return EXIT_FAILURE;
	cpu = cpu_seconds();		/* modules are loaded */
	end = time(NULL) + (time_t)seconds;
	for (; time(NULL) < end && errors < 10; n++)
		errors += ask(argv[1], &users[n % users_n]) ? 0 : 1;
	cpu = cpu_seconds() - cpu;
	printf("result scenario=pam sessions=%zu errors=%d cpu_ms=%.4f\n", n,
	    errors, n > 0 ? cpu * 1000 / (double)n : 0.0);
	return errors == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
