/* SPDX-License-Identifier: BSD-2-Clause */
#include "cage/cage_p.h"

#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif

const char *
cage_unfit(void)
{
#ifdef SANITIZED
	return "built with a sanitizer";
#else
	const char *preload = getenv("LD_PRELOAD"); /* so valgrind brings its part along */

	return preload != NULL && strstr(preload, "vgpreload") != NULL ? "runs under valgrind"
								       : NULL;
#endif
}

void
cage_enter(const struct cage_path *v, size_t n, struct cage_outcome *out)
{
	struct zr_err landlock = {0}, seccomp = {0};

	*out = (struct cage_outcome){0};
	out->landlock = landlock_enter(v, n, &landlock);
	out->seccomp = seccomp_enter(&seccomp) == 0;
	if (landlock.code != ZR_OK && seccomp.code != ZR_OK)
		zr_fail_in(&seccomp, "%s", landlock.text);
	memcpy(out->why, seccomp.code != ZR_OK ? seccomp.text : landlock.text, sizeof(out->why));
}
