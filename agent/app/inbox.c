/* SPDX-License-Identifier: BSD-2-Clause */
/* What a turn of the loop takes in, a bounded number of pieces of mail, and what it leaves in the
 * log. */
#include "app/agent_p.h"
#include "app/ready.h"
#include "base/mem.h"

/* Mail handled in one turn: 100,000 zones may answer at once. */
#define MAIL_PER_TURN 2000

static void
handle(struct agent *a, struct mail *m)
{
	switch (m->type) {
	case STORE_DONE:
		route_store(a, ZR_CONTAINER(m, struct store_order, mail));
		return;
	case MAIL_JOB_DONE:
		job_done(a, (struct job_done_mail *)(void *)m);
		return;
	case MAIL_JOB_PROGRESS:
		fetch_progress(a, (struct job_progress_mail *)(void *)m);
		break;
	case MAIL_REQUEST:
		answer_tcp(a, (struct bytes_mail *)(void *)m);
		break;
	case MAIL_STREAM_DONE:
		serve_stream_done(a, (struct stream_done_mail *)(void *)m);
		break;
	case MAIL_CLIENT_GONE:
		clients_gone(a, (struct accept_mail *)(void *)m);
		break;
	case MAIL_PING:
		watchdog_answered(a);
		break;
	case MAIL_STOPPED:
		a->stopped_workers++;
		break;
	default:
		break;
	}
	mail_free(m);
}

void
inbox_tell_ready(struct agent *a)
{
	if (a->ready_told || a->adding > 0)
		return;
	a->ready_told = true;
	log_event(LOG_LVL_INFO, "ready", LU("zones", table_count(a->zones)),
	    LI("duration_us", a->now.mono.us - a->started.mono.us));
	ready_tell("READY=1");
}

/* Mail that waits goes behind what the last turn left. */
static void
fetch_mail(struct agent *a)
{
	struct mail **tail = &a->mail;

	while (*tail != NULL)
		tail = &(*tail)->next;
	*tail = mbox_take(a->in);
}

void
inbox_event(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval now = {0, 0};
	struct agent *a = arg;
	struct mail *m;

	(void)fd;
	(void)what;
	agent_touch(a);
	if (a->mail == NULL)
		fetch_mail(a);
	for (int i = 0; i < MAIL_PER_TURN && (m = a->mail) != NULL; i++) {
		a->mail = m->next;
		m->next = NULL;
		handle(a, m);
	}
	if (a->mail != NULL)
		event_add(a->more_event, &now);
	inbox_tell_ready(a);
	agent_schedule(a);
	agent_maybe_quit(a);
}

void
inbox_free(struct agent *a)
{
	struct mail *m;

	if (a->in == NULL)
		return;
	fetch_mail(a);
	while ((m = a->mail) != NULL) {
		a->mail = m->next;
		mail_free(m);
	}
	mbox_free(a->in);
}

/* ---- the log: one write for all lines of a turn, three for each zone that changes ---- */

/* Behind what else is due in this turn, before the loop waits. */
static void
arm_lines(void *arg)
{
	struct agent *a = arg;

	event_active(a->lines_event, EV_TIMEOUT, 0);
}

static void
on_lines(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	log_flush();
}

void
inbox_log(struct agent *a, bool together)
{
	if (!together) {
		log_defer(NULL, NULL);
		event_free(a->lines_event);
		return;
	}
	a->lines_event = event_new(a->base, -1, 0, on_lines, a);
	log_defer(arm_lines, a);
}
