/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is wrong with the configuration: faults are collected in any order and reported at the
 * end, sorted by file and position, "file:line:col: text".  Texts are lower case, without a full
 * stop, and quote what was found.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "config/pool.h"

#define FAULTS_SHOWN 50	  /* errors, and as many warnings, of one file; the rest is counted */
#define FAULTS_KEPT 10000 /* of one file; later ones are counted only */

/* Line and column count from 1; line 0: the file as a whole. */
struct place {
	const char *file; /* from faults_file() */
	uint32_t line, col;
};

struct fault;
struct fault_file;

struct faults {
	struct pool arena;
	struct fault_file *file;
	size_t file_count;
	struct fault *v;
	size_t n, cap;
	size_t errors, warnings;
};

void faults_init(struct faults *f);
void faults_clear(struct faults *f);
/* Files are reported in the order in which they were made known; `name` is borrowed. */
const char *faults_file(struct faults *f, const char *name);
unsigned faults_file_order(const struct faults *f, const char *file);
void fault_error(struct faults *f, struct place at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void fault_warning(struct faults *f, struct place at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void faults_report(struct faults *f, struct config_report *r);

/* What the operator wrote, for a message: in quotes, cut, without control characters. */
#define SHOW_MAX 96
const char *fault_show(const char *text, char out[SHOW_MAX]);
