/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread that does something for the store's thread, which sends it mail and goes on. */
#include "store/store_p.h"

#include <string.h>

int
aide_start(struct aide *a, void *(*run)(void *), void *arg, struct zr_err *e)
{
	int rc;

	a->box = mbox_new();
	if (a->box == NULL)
		return zr_fail(
		    e, ZR_DB, "no file descriptor for the store: raise the limit (ulimit -n)");
	rc = pthread_create(&a->thread, NULL, run, arg);
	if (rc != 0)
		return zr_fail(e, ZR_DB, "cannot start a thread of the store: %s", strerror(rc));
	a->runs = true;
	return 0;
}

void
aide_stop(struct aide *a)
{
	if (a->runs) {
		mbox_post(a->box, &a->quit);
		pthread_join(a->thread, NULL);
		(void)mbox_take(a->box); /* a request it did not see */
	}
	mbox_free(a->box);
	*a = (struct aide){0};
}
