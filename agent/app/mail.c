/* SPDX-License-Identifier: BSD-2-Clause */
#include "app/mail.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

void *
mail_new(enum mail_type type, size_t size)
{
	struct mail *m = zr_xcalloc(1, size);

	m->type = (int)type;
	return m;
}

static void
job_clear(struct job_mail *m)
{
	keyref_drop(m->key);
	tls_drop(m->tls);
	free(m->query);
	free(m->soa);
}

static void
job_done_clear(struct job_done_mail *m)
{
	tls_peer_drop(m->peer);
	free(m->answer);
	free(m->soa);
	free(m->soa_owner);
	if (m->batch != NULL)
		stage_batch_free(m->batch);
}

void
mail_free(struct mail *m)
{
	if (m == NULL)
		return;
	switch (m->type) {
	case STORE_DONE:
		store_order_free(ZR_CONTAINER(m, struct store_order, mail));
		return;
	case MAIL_JOB:
		job_clear((struct job_mail *)(void *)m);
		break;
	case MAIL_JOB_DONE:
		job_done_clear((struct job_done_mail *)(void *)m);
		break;
	case MAIL_REQUEST:
		tls_peer_drop(((struct bytes_mail *)(void *)m)->tls_peer);
		break;
	case MAIL_ACCEPT:
		tls_drop(((struct accept_mail *)(void *)m)->tls);
		if (((struct accept_mail *)(void *)m)->fd >= 0)
			close(((struct accept_mail *)(void *)m)->fd);
		break;
	case MAIL_STREAM:
		keyref_drop(((struct stream_mail *)(void *)m)->key);
		free(((struct stream_mail *)(void *)m)->soa);
		break;
	default:
		break;
	}
	free(m);
}
