/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the database and the control socket are, also when the configuration is broken. */
#pragma once

#include "tool/tool.h"

#define WHERE_CONFIG ZR_SYSCONFDIR "/zonerelay/zonerelay.yaml"

/*
 * Fills config, database and socket of the tool; config stays NULL when it is not needed or cannot
 * be used.  An exit status.
 */
int where_find(struct tool *t);
