/* SPDX-License-Identifier: BSD-2-Clause */
#include "app/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "app/worker_p.h"
#include "base/mem.h"

void
worker_report(struct worker *w, struct mail *m)
{
	mbox_post(w->conf.main, m);
}

void
worker_post(struct worker *w, struct mail *m)
{
	mbox_post(w->in, m);
}

void
worker_maybe_stop(struct worker *w)
{
	if (!w->stopping || table_count(w->jobs) != 0 || table_count(w->clients) != 0)
		return;
	pconn_close_idle(w);
	event_base_loopbreak(w->base);
}

static void
stop(struct worker *w)
{
	size_t pos;
	struct job *j;
	struct client *c;

	w->stopping = true;
	pos = 0;
	while ((j = table_next(w->jobs, &pos)) != NULL)
		job_cancel(j);
	pos = 0;
	while ((c = table_next(w->clients, &pos)) != NULL)
		client_close(c);
	worker_maybe_stop(w);
}

static void
cancel(struct worker *w, struct job_ref_mail *m)
{
	struct job *j = table_get(w->jobs, &m->job, sizeof(m->job));

	if (j != NULL)
		job_cancel(j);
	mail_free(&m->mail);
}

static void
handle(struct worker *w, struct mail *m)
{
	switch (m->type) {
	case STORE_DONE:
		job_store_done(ZR_CONTAINER(m, struct store_order, mail));
		break;
	case MAIL_JOB:
		job_start(w, (struct job_mail *)(void *)m);
		break;
	case MAIL_JOB_CANCEL:
		cancel(w, (struct job_ref_mail *)(void *)m);
		break;
	case MAIL_ACCEPT:
		client_start(w, (struct accept_mail *)(void *)m);
		break;
	case MAIL_REPLY:
		client_reply(w, (struct bytes_mail *)(void *)m);
		break;
	case MAIL_STREAM:
		client_stream(w, (struct stream_mail *)(void *)m);
		break;
	case MAIL_PING:
		worker_report(w, m);
		break;
	case MAIL_STOP:
		mail_free(m);
		stop(w);
		break;
	default:
		mail_free(m);
		break;
	}
}

static void
on_mail(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct mail *m = mbox_take(w->in), *next;

	(void)fd;
	(void)what;
	for (; m != NULL; m = next) {
		next = m->next;
		m->next = NULL;
		handle(w, m);
	}
}

static void *
run(void *arg)
{
	struct worker *w = arg;
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	event_base_dispatch(w->base);
	worker_report(w, mail_new(MAIL_STOPPED, sizeof(struct mail)));
	return NULL;
}

static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return zr_xstrdup(".");
	if (slash == path)
		return zr_xstrdup("/");
	char *dir = zr_xmemdup(path, (size_t)(slash - path) + 1);
	dir[slash - path] = '\0';
	return dir;
}

static void
destroy(struct worker *w)
{
	struct mail *m, *next;

	for (m = w->in != NULL ? mbox_take(w->in) : NULL; m != NULL; m = next) {
		next = m->next;
		mail_free(m);
	}
	if (w->mail_event != NULL)
		event_free(w->mail_event);
	if (w->base != NULL)
		event_base_free(w->base);
	segcache_free(w->segments);
	reader_close(w->reader);
	table_free(w->jobs);
	table_free(w->clients);
	mbox_free(w->in);
	free(w->spill_dir);
	free(w);
}

struct worker *
worker_start(const struct worker_conf *c, struct zr_err *e)
{
	struct worker *w = zr_xcalloc(1, sizeof(*w));
	int rc;

	w->conf = *c;
	w->in = mbox_new();
	w->jobs = table_new();
	w->clients = table_new();
	w->spill_dir = folder_of(c->database);
	if (reader_open(&w->reader, c->database, e) != 0)
		goto fail;
	w->segments = segcache_new(w->reader);
	w->base = event_base_new();
	if (w->base != NULL && w->in != NULL)
		w->mail_event =
		    event_new(w->base, mbox_fd(w->in), EV_READ | EV_PERSIST, on_mail, w);
	if (w->mail_event == NULL || event_add(w->mail_event, NULL) != 0) {
		zr_fail(e, ZR_IO, "cannot make an event loop for a worker");
		goto fail;
	}
	rc = pthread_create(&w->thread, NULL, run, w);
	if (rc != 0) {
		zr_fail(e, ZR_IO, "cannot start a worker thread: %s", strerror(rc));
		goto fail;
	}
	return w;
fail:
	destroy(w);
	return NULL;
}

void
worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	pthread_join(w->thread, NULL);
	destroy(w);
}
