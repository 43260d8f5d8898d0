/* SPDX-License-Identifier: ISC */
/* This room's rows of popper.conf, over struct auth_conf (auth/auth.h). */
#ifndef AUTH_OPTIONS_H
#define AUTH_OPTIONS_H

#include "conf/conf.h"

extern const struct conf_option	auth_options[];

#endif
