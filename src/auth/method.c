/* SPDX-License-Identifier: ISC */
/* The words for ways to log in. */
#include "auth/auth.h"

const char *
auth_method_word(enum auth_method m)
{
	static const char *const methods[AUTH_METHODS] = {
		[AUTH_METHOD_PASS]	= "pass",
		[AUTH_METHOD_RPOP]	= "rpop",
		[AUTH_METHOD_PLAIN]	= "plain",
		[AUTH_METHOD_LOGIN]	= "login",
		[AUTH_METHOD_EXTERNAL]	= "external",
		[AUTH_METHOD_OAUTHBEARER] = "oauthbearer",
		[AUTH_METHOD_XOAUTH2]	= "xoauth2",
		[AUTH_METHOD_CRAM_MD5]	= "cram-md5",
		[AUTH_METHOD_APOP]	= "apop",
		[AUTH_METHOD_GSSAPI]	= "gssapi",
		[AUTH_METHOD_SCRAM_SHA_1] = "scram-sha-1",
		[AUTH_METHOD_SCRAM_SHA_1_PLUS] = "scram-sha-1-plus",
		[AUTH_METHOD_SCRAM_SHA_256] = "scram-sha-256",
		[AUTH_METHOD_SCRAM_SHA_256_PLUS] = "scram-sha-256-plus",
	};

	ASSERT(m < AUTH_METHODS);
	return methods[m];
}
