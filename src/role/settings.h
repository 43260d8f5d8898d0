/* SPDX-License-Identifier: ISC */
/*
 * All settings of popper in one place: what the rooms' rows and this room's
 * own describe, read from popper.conf and the old command line flags.  Floor 4;
 * every role, read when the process starts and constant from then on; serve
 * replaces them as a whole (SIGHUP), for the connections that come after.
 * Nothing is printed here: who called decides where mistakes go.
 */
#ifndef ROLE_SETTINGS_H
#define ROLE_SETTINGS_H

#include "auth/auth.h"
#include "bull/bull.h"
#include "drop/options.h"
#include "krb/krb.h"
#include "token/token.h"
#include "xtnd/options.h"
#include "conf/conf.h"
#include "watch/options.h"

enum isolation { ISOLATION_SPLIT, ISOLATION_SINGLE };

struct role_settings {
	int			 isolation;	/* enum isolation */
	struct conf_list	 listen;	/* "*:110", see listen.h */
	struct conf_list	 proxy_networks;	/* see network.h */
	struct conf_list	 xclient_networks;	/* likewise */
	struct conf_list	 tls_certificate;	/* see certificate.h */
	struct conf_list	 plaintext_networks;	/* see network.h */
	unsigned		 inetd_idle_s;	/* 0: it stays */
	unsigned		 max_sessions;
	unsigned		 max_sessions_per_user;
	unsigned		 max_sessions_per_address;
	unsigned		 max_sessions_per_network;	/* see below */
	const char		*hostname;	/* "" = the canonical name */
	bool			 hide_version;
	int			 language;	/* of LANG *: proto/lang.h */
	int			 utf8_messages;	/* enum pop_utf8 */
	const char		*sasl_mechanisms;	/* words, of offers.h */
	bool			 channel_binding;	/* -PLUS is offered */
	const char		*front_user;	/* for identity_service */
	const char		*auth_user;	/* likewise; serve */
	unsigned		 fronts;	/* 0: one per processor */
	unsigned		 auth_workers;	/* 0: two per processor */
	unsigned		 auth_cache_ttl_s;	/* 0: no cache */
	unsigned		 auth_cache_size;	/* entries */
	bool			 auth_cache_pam;	/* for PAM, too */
	unsigned		 sessions_per_process;	/* 1: none share one */
	unsigned		 max_strangers;
	const char		*chroot_dir;
	const char		*state_dir;
	const char		*run_dir;
	const char		*ctl_socket;	/* "" = ctl in run_dir */
	const char		*ctl_group;	/* "" = root alone */
	const char		*metrics;	/* "" = off; a path, or
						   address:port of this host */
	const char		*temp_dir;	/* "" = see popper.conf(5) */
	uint64_t		 temp_max;	/* octets of one copy */
	unsigned		 timeout_s;	/* -T */
	unsigned		 min_rate;	/* octets a second; 0: none */
	unsigned		 login_timeout_s;
	unsigned		 drain_timeout_s;
	unsigned		 client_gone_s;
	unsigned		 login_delay_s;	/* between two logins of a
						   maildrop; 0: none */
	unsigned		 login_delay_max_s;	/* of a user's own; 0:
						   nobody has one */
	unsigned		 auth_tries;
	unsigned		 auth_fail_delay_s;
	unsigned		 auth_timeout_s;
	unsigned		 max_bad_commands;
	unsigned		 max_commands_before_login;
	bool			 peer_check;
	unsigned		 peer_check_timeout_s;
	const char		*name_servers;	/* "" = resolv.conf */
};

/* max_sessions_per_network; never less than one address may have. */
unsigned	settings_per_network(const struct role_settings *r);

struct settings {
	struct role_settings	 role;
	struct auth_conf	 auth;
	struct token_conf	 token;
	struct krb_conf		 krb;
	struct drop_settings	 drop;
	struct bull_conf	 bull;		/* dir is NULL when not set */
	struct xtnd_settings	 xtnd;
	struct log_settings	 log;

	const char		*config;	/* the file's path as it was named */
	const char		*config_name;	/* its last component: valid after
						   the change of folder */
	bool			 config_found;
	char			*start;		/* owns: where popper was
						   started; NULL: unknown */
	struct conf_store	*store;		/* owns the strings, mistakes */
};

/* The rows of all rooms, in the order of the manual page. */
extern const struct conf_room	settings_rooms[];
extern const size_t		settings_nrooms;

/* What settings_load makes of the command line and the file. */
enum settings_result {
	SETTINGS_GOOD		= 0,	/* perhaps with warnings */
	SETTINGS_USAGE		= 64,	/* a flag or a flag's value is bad */
	SETTINGS_CONFIG		= 78,	/* the file is missing or has errors */
};

/*
 * Read the command line (argv[0] is skipped): the old flags that stand in
 * `flags` ("bdsTt", or "" for none) and --config FILE; then the file
 * (POPPER_SYSCONFDIR/popper.conf; a missing default file is fine); then
 * change to the file's folder, so that relative paths lead from there.
 * Flags win over the file; relative paths in flags are taken from the folder
 * popper was started in.
 *
 * *out is filled in every case, with defaults in place of what is bad, and
 * released by settings_fini.  The mistakes are in out->store: line 0 is the
 * command line or no line at all, other lines are the file's.  The result is
 * an exit code; usage wins over configuration.  Context: the start of a
 * process, before anything else runs (it changes the working folder).
 */
enum settings_result	settings_load(int argc, char **argv, const char *flags,
			    struct settings *out) MUSTUSE;

/* Without flags, for who wants a word of the file and no more: it does not stay in
 * the file's folder. */
enum settings_result	settings_peek(int argc, char **argv,
			    struct settings *out) MUSTUSE;

/*
 * The same once more, in a process that runs: the same command line means the
 * same files, since this goes to now->start first.  The working folder is then
 * that of the new ones, or any: who does not use them comes back by file_cwd.
 * Strings of both are their own.
 */
enum settings_result	settings_again(const struct settings *now, int argc,
			    char **argv, const char *flags,
			    struct settings *out) MUSTUSE;
void	settings_fini(struct settings *s);

#endif
