/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The eventfd is readable exactly while the list is not empty: both change under the
 * lock, so that there is no order of events in which the reader sleeps over mail.
 */
#include "base/mbox.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct mbox {
	pthread_mutex_t lock;
	struct mail *head;
	struct mail **tail; /* where the next mail is hung */
	size_t depth;
	int fd;
};

struct mbox *
mbox_new(void)
{
	struct mbox *m;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return NULL;
	m = zr_xcalloc(1, sizeof(*m));
	pthread_mutex_init(&m->lock, NULL);
	m->tail = &m->head;
	m->fd = fd;
	return m;
}

void
mbox_free(struct mbox *m)
{
	if (m == NULL)
		return;
	assert(m->head == NULL);
	close(m->fd);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

/* The counter is 0 or 1 here, so neither can block or be cut short. */
static void
raise_fd(int fd)
{
	eventfd_t one = 1;

	while (eventfd_write(fd, one) < 0 && errno == EINTR)
		;
}

static void
quiet_fd(int fd)
{
	eventfd_t count;

	while (eventfd_read(fd, &count) < 0 && errno == EINTR)
		;
}

void
mbox_post(struct mbox *m, struct mail *mail)
{
	mail->next = NULL;
	pthread_mutex_lock(&m->lock);
	if (m->head == NULL)
		raise_fd(m->fd);
	*m->tail = mail;
	m->tail = &mail->next;
	m->depth++;
	pthread_mutex_unlock(&m->lock);
}

struct mail *
mbox_take(struct mbox *m)
{
	struct mail *list;

	pthread_mutex_lock(&m->lock);
	list = m->head;
	if (list != NULL)
		quiet_fd(m->fd);
	m->head = NULL;
	m->tail = &m->head;
	m->depth = 0;
	pthread_mutex_unlock(&m->lock);
	return list;
}

struct mail *
mbox_wait(struct mbox *m, int timeout_ms)
{
	struct pollfd p = {.fd = m->fd, .events = POLLIN};
	struct mail *list = mbox_take(m);

	while (list == NULL && timeout_ms != 0) {
		(void)poll(&p, 1, timeout_ms);
		list = mbox_take(m);
		if (timeout_ms > 0) /* a signal may end it early: "at most" allows that */
			break;
	}
	return list;
}

int
mbox_fd(const struct mbox *m)
{
	return m->fd;
}

size_t
mbox_depth(struct mbox *m)
{
	size_t depth;

	pthread_mutex_lock(&m->lock);
	depth = m->depth;
	pthread_mutex_unlock(&m->lock);
	return depth;
}
