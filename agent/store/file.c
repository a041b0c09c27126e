/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is the file we write to still the one that bears its name?  SQLite goes on with a file that was
 * deleted or replaced as if nothing had happened, and all of it is lost at the next start; so
 * nothing is reported as stored then.  What was read from it is served on: an end of the daemon
 * would only take the zones away as well.
 */
#include "store/store_p.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define TELL_US (60 * ZR_US_PER_S) /* between lines in the log */

/* SQLite keeps all of them open as long as we do; the last two come with the first use. */
static const char *const ends[STORE_FILES] = {"", "-wal", "-shm"};

static void
tell(struct store *s, const char *name, bool gone)
{
	int64_t now = clock_now().mono.us;

	if (gone == s->file_gone && (!gone || now - s->file_told_us < TELL_US))
		return;
	s->file_told_us = now;
	s->file_gone = gone;
	if (gone)
		log_event(LOG_LVL_ERROR, "store-file-gone", LS("file", name),
		    LS("next", "put it back, or restart zonerelayd, which begins with what is "
			       "there then; until that nothing is stored"));
	else
		log_event(LOG_LVL_WARN, "store-file-back", LS("file", s->db->path));
}

int
file_check(struct store *s, struct zr_err *e)
{
	char name[4096];
	struct stat st;

	s->file_looked_us = clock_now().mono.us;
	for (unsigned i = 0; i < STORE_FILES; i++) {
		struct file_id *f = &s->file[i];
		int there;

		snprintf(name, sizeof(name), "%s%s", s->db->path, ends[i]);
		there = stat(name, &st) == 0;
		if (there && !f->known)
			*f = (struct file_id){true, st.st_dev, st.st_ino};
		if (!f->known || (there && f->dev == st.st_dev && f->ino == st.st_ino))
			continue;
		tell(s, name, true);
		return zr_fail(e, ZR_DB,
		    "%s was %s while it was in use: put it back, or restart zonerelayd", name,
		    there ? "replaced" : "deleted");
	}
	tell(s, s->db->path, false);
	return 0;
}

void
file_watch(struct store *s)
{
	if (clock_now().mono.us - s->file_looked_us >= FILE_WATCH_MS * ZR_US_PER_MS / 2)
		(void)file_check(s, NULL);
}
