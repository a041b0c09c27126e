/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the daemon and its helper say to each other: one struct in each datagram, both of one
 * program.  The helper does not believe what it is told.
 */
#pragma once

#include "app/helper.h"
#include "app/hook_p.h"

enum helper_what { HELPER_RUN, HELPER_SIGNAL, HELPER_RELOAD };

struct helper_ask {
	uint64_t id;
	uint32_t what;
	int32_t sig;
	uint32_t serial, old_serial;
	uint8_t has_old, forced;
	char downstream[CONFIG_NAME_MAX + 1], primary[CONFIG_NAME_MAX + 1];
	char zone[NAME_TEXT_MAX];
};

enum helper_news { HELPER_READY, HELPER_STARTED, HELPER_ENDED, HELPER_FAILED, HELPER_STALE };

struct helper_tell {
	uint64_t id;
	uint32_t news;
	int32_t pid, status;
	char text[ZR_ERR_TEXT];
};

/* ---- helper_table.c: the commands ---- */

struct helper_table;

struct helper_table *helper_table_new(const struct config *c); /* NULL: none yet */
/* The vectors are taken over. */
void helper_table_add(struct helper_table *t, const char *name, struct config_argv *on_forced,
    struct config_argv *on_change);
void helper_table_free(struct helper_table *t);
/* Vectors for hook_vector_free(); -1: the order makes no sense, or there is no such command. */
int helper_table_command(const struct helper_table *t, const struct helper_ask *q, char ***argv,
    char ***env, struct zr_err *e);

/* ---- helper_begin.c: what it is given at the start ---- */

struct helper_words {
	const char *at;
	size_t left;
};

void helper_pack(struct buf *b, const struct config *c);
/* False: it makes no sense.  *user is borrowed from the words. */
bool helper_unpack(
    struct helper_words *w, struct helper_table *t, const char **user, bool *core_dumps);
int helper_give(int fd, const struct config *c); /* -1: errno */
bool helper_receive(int fd, void *p, size_t n);	 /* all of it; false: nobody is there */
/* Takes that, becomes the user, gives up all capabilities. */
int helper_take(int fd, struct helper_table *t, struct zr_err *e);

/* ---- helper_run.c: the process; returns its exit status ---- */

int helper_main(int fd, const char *path);
