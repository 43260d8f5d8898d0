/* SPDX-License-Identifier: ISC */
/*
 * Certificates, and who needs TLS.
 */
#include "cmd/check_priv.h"

#include "role/certificates.h"
#include "role/listen.h"
#include "role/monitor.h"
#include "sys/file.h"
#include "sys/identity.h"

#include <string.h>
#include <time.h>

#define DAY_S		86400
#define SOON_DAYS	21
#define OTHERS_READ	0007u

/* --- what listens ------------------------------------------------------------------ */

static bool
has_port(const struct listen_line *l, unsigned port)
{
	for (size_t i = 0; i < l->n; i++) {
		struct sock_addr	at[2];

		if (sock_listen_parse(l->where[i], at) > 0 && at[0].port == port)
			return true;
	}
	return false;
}

static void
judge_listener(struct check *c, unsigned line, const struct listen_line *l)
{
	const char *file = c->s->config;

	if (l->rules.tls && has_port(l, 110))
		check_tell(c, CONF_WARNING, file, line, "listen: TLS at once is "
		    "what clients expect at port 995; at 110 they begin in the "
		    "clear, so remove tls");
	if (!l->rules.tls && has_port(l, 995))
		check_tell(c, CONF_WARNING, file, line, "listen: clients expect "
		    "TLS at once at port 995; add tls behind the address");
	if (l->rules.policy == LISTEN_OLD && l->rules.nnetworks == 0)
		check_tell(c, CONF_WARNING, file, line, "listen: old_tls is for "
		    "everybody, though it can be broken; name who needs it with "
		    "networks=");
}

static void
judge_listeners(struct check *c)
{
	const struct conf_list	*lines = &c->s->role.listen;
	struct listen_line	 l;
	char			 unused[8];

	for (size_t i = 0; i < lines->n; i++)
		if (listen_read(lines->item[i], &l, unused, sizeof(unused)))
			judge_listener(c, lines->line[i], &l);
	if (c->s->role.tls_certificate.n > 0)
		return;
	if (listen_wants_tls(lines))
		check_error(c, "listen", LISTEN_TLS_TEXT);
	if (c->s->role.plaintext_networks.n == 0)
		check_warn(c, "plaintext_networks", "only this host can log in: "
		    "passwords are not taken in the clear from elsewhere, and "
		    "there is no TLS; set tls_certificate, or name the networks "
		    "that you trust, such as 192.168.0.0/16");
}

static void
judge_plaintext(struct check *c)
{
	const struct conf_list	*list = &c->s->role.plaintext_networks;
	struct network		 n;
	char			 unused[8];

	for (size_t i = 0; i < list->n; i++)
		if (network_read(span_str(list->item[i]), &n, unused,
		    sizeof(unused)) && n.bits == 0)
			check_tell(c, CONF_WARNING, c->s->config, list->line[i],
			    "plaintext_networks: %s is everybody: whoever "
			    "listens on the way learns their passwords",
			    list->item[i]);
}

/* --- certificates ------------------------------------------------------------------- */

struct judging {
	const struct tls_ops	*tls;
	char			 host[256];
	bool			 named;
};

static void
judge_dates(struct check *c, unsigned line, const struct certificate_row *row,
    const struct tls_judgement *j)
{
	int64_t now = (int64_t)time(NULL);

	if (j->ends <= now)
		check_tell(c, c->quick ? CONF_WARNING : CONF_ERROR, c->s->config,
		    line, "tls_certificate: %s has expired; renew it",
		    row->chain);
	else if (j->ends - now < SOON_DAYS * DAY_S)
		check_tell(c, CONF_WARNING, c->s->config, line, "tls_certificate:"
		    " %s expires in %lld days; renew it", row->chain,
		    (long long)((j->ends - now) / DAY_S));
	if (j->begins > now)
		check_tell(c, CONF_WARNING, c->s->config, line, "tls_certificate:"
		    " %s is not valid yet; wait, or set the clock", row->chain);
	if (j->ocsp_ends != 0 && j->ocsp_ends <= now)
		check_tell(c, CONF_WARNING, c->s->config, line, "tls_certificate:"
		    " %s is too old to be handed on; have it fetched anew",
		    row->ocsp);
}

static void
judge_key_file(struct check *c, unsigned line, const struct certificate_row *row)
{
	struct file_facts	facts;
	struct fault		f;

	if (check_look(row->key, &facts, &f) == 0 &&
	    (facts.mode & OTHERS_READ) != 0)
		check_tell(c, CONF_ERROR, c->s->config, line, "tls_certificate: "
		    "%s has mode %04o, everybody may read the private key; "
		    "chmod o= %s", row->key, facts.mode, row->key);
}

static void
judge_row(struct check *c, struct judging *with, size_t i)
{
	const struct conf_list	*rows = &c->s->role.tls_certificate;
	static struct certificates files;
	struct certificate_texts *t = NULL;
	struct certificate_row	 row;
	struct tls_judgement	 j;
	struct fault		 f;
	char			 unused[8];

	if (!certificate_read(rows->item[i], &row, unused, sizeof(unused)))
		return;
	judge_key_file(c, rows->line[i], &row);
	if (certificates_add(&files, rows->item[i], &f) != 0 ||
	    (t = certificates_read(&files, &f)) == NULL ||
	    with->tls->judge(&t->pair[0], &j, &f) != 0) {
		check_tell(c, CONF_ERROR, c->s->config, rows->line[i],
		    "tls_certificate: %s", f.text);
	} else {
		judge_dates(c, rows->line[i], &row, &j);
		for (size_t n = 0; n < j.nnames; n++)
			with->named |= certificate_names(j.name[n], with->host);
	}
	certificate_texts_free(t);
	certificates_close(&files);
}

static void
judge_clients(struct check *c, const struct tls_ops *tls)
{
	static struct certificates	 files;		/* of clients alone */
	struct certificate_texts	*t = NULL;
	int64_t				 ends = 0;
	struct fault			 f;

	if (certificates_open_clients(c->s, &files, &f) != 0 ||
	    (files.asks && ((t = certificates_read(&files, &f)) == NULL ||
	    tls->judge_clients(&t->clients, &ends, &f) != 0)))
		check_error(c, "tls_client_ca", "%s", f.text);
	else if (ends != 0 && ends <= (int64_t)time(NULL))
		check_error(c, "tls_client_crl", "a list in it is too old to be "
		    "used, so that no certificate is good; have it fetched anew");
	certificate_texts_free(t);
	certificates_close(&files);
}

static int
open_as_keeper(const struct check *c, const void *what UNUSED, struct fault *f)
{
	static struct certificates	files;

	return identity_powerless(f) != 0 ? -1 :
	    certificates_open(c->s, &files, f);
}

/* Who looks for renewed files has fewer rights than we. */
static void
judge_renewal(struct check *c)
{
	struct fault f;

	if (c->root && check_in_child(c, open_as_keeper, NULL, &f) != 0)
		check_warn(c, "tls_certificate", "popper serve will not notice "
		    "that it was renewed, nor that it expires: %s, for the "
		    "process that looks, which is root without root's rights; "
		    "make files and folders root's, or reload popper after each "
		    "renewal", f.text);
}

void
check_tls(struct check *c)
{
	struct judging	with = { .tls = NULL };
	const unsigned	before = c->errors;
	struct fault	f;

	judge_listeners(c);
	judge_plaintext(c);
	if (c->s->role.tls_certificate.n == 0 &&
	    c->s->auth.client_ca[0] != '\0')
		check_warn(c, "tls_client_ca", "nobody is asked for a certificate, "
		    "since there is no TLS; set tls_certificate");
	if (c->s->role.tls_certificate.n == 0)
		return;
	with.tls = tls_load(&f);
	if (with.tls == NULL) {
		check_error(c, "tls_certificate", "there can be no TLS: %s",
		    f.text);
		return;
	}
	judge_clients(c, with.tls);
	monitor_hostname(c->s, with.host, sizeof(with.host));
	for (size_t i = 0; i < c->s->role.tls_certificate.n; i++)
		judge_row(c, &with, i);
	if (c->errors != before)
		return;
	judge_renewal(c);
	if (!with.named)
		check_warn(c, "tls_certificate", "none has the name %s, by which "
		    "popper knows this host; set hostname, or have one made "
		    "with the name that clients use", with.host);
}
