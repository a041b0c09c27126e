/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Telling the service manager how far we are: the datagram protocol of sd_notify(3), without the
 * library. A no-op when NOTIFY_SOCKET is not set.
 */
#pragma once

void ready_tell(const char *state); /* "READY=1", "STOPPING=1", ... */
