/* SPDX-License-Identifier: ISC */
#include "token/token.h"

#include <string.h>

/* What has a scheme must be a URL that may be asked. */
static bool
is_source(const char *value)
{
	return strstr(value, "://") == NULL || token_is_url(value);
}

static bool
is_server(const char *value)
{
	return value[0] == '\0' || token_is_url(value);
}

#define AT(member)	offsetof(struct token_conf, member)

const struct conf_option token_options[] = {
	{
		.name = "oauth_jwks", .type = CONF_TEXT, .offset = AT(jwks),
		.fallback = "", .valid = is_source,
		.meaning = "where the keys of the authorization server are: a file, "
		    "https://..., or http:// and this host",
		.man = "The keys (a JWKS, RFC 7517) that sign the tokens of\n"
		    ".Cm OAUTHBEARER\nand\n.Cm XOAUTH2 :\n"
		    "a file that nobody but root can write, which counts at once when "
		    "it is replaced, or a URL, with\n.Li https\n"
		    "or of this host.\n"
		    "When this and\n.Ic oauth_introspection\n"
		    "are empty, there are no such mechanisms.\n"
		    "RS256 (2048 bits and more), ES256 and EdDSA (Ed25519) are "
		    "taken, and a key is for one of them alone.\n"
		    "Needs\n.Ic oauth_issuer\nand\n.Ic oauth_audience .",
	},
	{
		.name = "oauth_introspection", .type = CONF_TEXT,
		.offset = AT(introspection), .fallback = "", .valid = is_server,
		.meaning = "the URL that is asked whether a token is good: "
		    "https://..., or http:// and this host",
		.man = "The URL of the authorization server that is asked about each "
		    "token (RFC 7662), with\n.Li https\nor of this host.\n"
		    "With\n.Ic oauth_jwks\n"
		    "as well, about those alone that are no JSON Web Tokens.",
	},
	{
		.name = "oauth_client_file", .type = CONF_PATH,
		.offset = AT(client_file), .fallback = "",
		.meaning = "which file holds popper's own name and secret at the "
		    "authorization server",
		.man = "A file with popper's own\n.Ar name : Ns Ar secret\n"
		    "for\n.Ic oauth_introspection ,\n"
		    "in one line.\nIt may not be readable by others.",
	},
	{
		.name = "oauth_issuer", .type = CONF_TEXT, .offset = AT(issuer),
		.fallback = "",
		.meaning = "who must have issued a token, exactly as its iss has it",
		.man = "What\n.Li iss\nof a token must be, letter for letter.",
	},
	{
		.name = "oauth_audience", .type = CONF_TEXT, .offset = AT(audience),
		.fallback = "",
		.meaning = "for whom a token must be, as its aud has it; several "
		    "words if several will do",
		.man = "Words, of which one must be\n.Li aud\n"
		    "of a token, or stand in it: tokens of the same server for other "
		    "services open no mailbox.",
	},
	{
		.name = "oauth_scope", .type = CONF_TEXT, .offset = AT(scope),
		.fallback = "",
		.meaning = "which words must all stand in the scope of a token",
		.man = "Words, all of which must stand in\n.Li scope\nof a token.",
	},
	{
		.name = "oauth_user_claim", .type = CONF_TEXT,
		.offset = AT(user_claim), .fallback = "sub",
		.meaning = "which claim of a token is the name of the user",
		.man = "The claim that is the user's name in the database, letter "
		    "for letter:\n.Li sub ,\n.Li email ,\n"
		    ".Li preferred_username ,\n.Li username .\n"
		    "Take none that users can change to the name of somebody else.",
	},
	{
		.name = "oauth_ca_file", .type = CONF_PATH, .offset = AT(ca_file),
		.fallback = "/etc/ssl/certs/ca-certificates.crt",
		.meaning = "whose certificates the authorization server may have",
		.man = "The certificates (PEM) of the authorities that may vouch for "
		    "the server's own.",
	},
	{
		.name = "oauth_timeout", .type = CONF_SECONDS,
		.offset = AT(timeout_s), .fallback = "5", .min = 1, .max = 60,
		.meaning = "how long the authorization server may take",
		.man = "How long that server may take to answer; then the login "
		    "could not be decided.",
	},
	{
		.name = "oauth_refetch", .type = CONF_SECONDS,
		.offset = AT(refetch_s), .fallback = "30", .min = 1, .max = 86400,
		.meaning = "how often keys may be fetched anew",
		.man = "Keys of a URL are fetched every hour, and when a token names "
		    "a key that is not among them, but not more often than that.",
	},
	{
		.name = "oauth_cache_ttl", .type = CONF_SECONDS,
		.offset = AT(cache_ttl_s), .fallback = "60", .max = 3600,
		.meaning = "how long the yes of oauth_introspection is believed",
		.man = "How long a yes of\n.Ic oauth_introspection\n"
		    "is believed for the same user and token, and never beyond the "
		    "token's own end; 0: it is asked each time.",
	},
	{ .name = NULL }
};
