/* SPDX-License-Identifier: BSD-2-Clause */
/* --wait: follows a zone until what was ordered has succeeded or failed. */
#pragma once

struct tool;

/* Exit status: TOOL_OK when the zone is current. */
int wait_zone(struct tool *t);
