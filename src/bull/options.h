/* SPDX-License-Identifier: ISC */
/* This room's row of popper.conf, over struct bull_conf (bull/bull.h). */
#ifndef BULL_OPTIONS_H
#define BULL_OPTIONS_H

#include "conf/conf.h"

extern const struct conf_option	bull_options[];

#endif
