/* SPDX-License-Identifier: BSD-2-Clause */
/* From one run to the next: what the store holds, and how the run before has ended.  Main thread.
 */
#pragma once

#include "app/agent_p.h"

/*
 * Zones, NOTIFYs and commands out of the store, which is started; then the zones that it does not
 * have.  When it may be older than what was served, or NOTIFYs may have been missed, each zone gets
 * an SOA check of its own in the lowest lane; struct agent.unseen counts those that are owed one.
 */
int restore_zones(struct agent *a, struct zr_err *e);
/* Stops the store; in order after agent_stop(), when no check of the start is owed any more. */
void restore_end(struct agent *a);
