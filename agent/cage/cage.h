/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cage: of the file system only what is named (Landlock), of the kernel only the system calls
 * that the daemon uses (seccomp).  It is entered once, before there are threads; threads made later
 * are in it too, and there is no way out.
 *
 * What a kernel, a build or a debugger does not allow is left out and said in the outcome: less of
 * a cage is better than no service.  Nothing here depends on the configuration.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum cage_access {
	CAGE_READ,   /* a file, or everything below a folder */
	CAGE_WRITE,  /* read, write, make, rename and remove files in a folder */
	CAGE_REMOVE, /* remove files from a folder */
	CAGE_DEVICE  /* read and write what is there */
};

/* What is not there, or cannot be looked at, is passed over. */
struct cage_path {
	const char *path;
	enum cage_access access;
};

struct cage_outcome {
	int landlock;	       /* version of the kernel's; 0: none */
	bool seccomp;	       /* system calls are filtered */
	char why[ZR_ERR_TEXT]; /* of what is missing; "" */
};

/*
 * NULL, or why this process cannot live in a cage: it was built with a sanitizer, or runs under
 * valgrind; both do what no daemon does.
 */
const char *cage_unfit(void);
void cage_enter(const struct cage_path *v, size_t n, struct cage_outcome *out);
