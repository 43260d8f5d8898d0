/* SPDX-License-Identifier: ISC */
#include "bull/options.h"

#include "bull/bull.h"

const struct conf_option bull_options[] = {
	{
		.name = "bulletins", .type = CONF_PATH,
		.offset = offsetof(struct bull_conf, dir), .fallback = "",
		.flag = 'b',
		.meaning = "which folder holds the bulletins",
		.man = "The folder of bulletins, see\n"
		    ".Xr popper 8 ;\n"
		    "it must be world-readable.\n"
		    "When empty there are none.",
	},
	{ .name = NULL }
};
