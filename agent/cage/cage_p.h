/* SPDX-License-Identifier: BSD-2-Clause */
/* Parts of the cage; private to this room. */
#pragma once

#include "cage/cage.h"

/* The version of the kernel's Landlock that is in force now; 0 with *e: none. */
int landlock_enter(const struct cage_path *v, size_t n, struct zr_err *e);
int seccomp_enter(struct zr_err *e);
