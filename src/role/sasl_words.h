/* SPDX-License-Identifier: ISC */
/*
 * The words of sasl_mechanisms.  Floor 4, pure.
 */
#ifndef ROLE_SASL_WORDS_H
#define ROLE_SASL_WORDS_H

#include "auth/auth.h"

/* Mask of 1u << method; a mechanism's -PLUS comes with it.  0: there is a word that is
 * none. */
unsigned	sasl_words_mask(const char *text);

#endif
