/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Allocation.  Small objects of our own making use zr_x*, which end the process
 * when memory is exhausted.  Anything whose size a peer chose uses
 * zr_try_alloc(), which may fail and is then an error of that zone alone.
 */
#pragma once

#include <stddef.h>

void *zr_xmalloc(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1)));
void *zr_xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1, 2)));
void *zr_xrealloc(void *p, size_t size) __attribute__((returns_nonnull));
char *zr_xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
void *zr_xmemdup(const void *p, size_t size) __attribute__((malloc, returns_nonnull));
/* For what a library was to allocate for us, and did not. */
_Noreturn void zr_no_memory(void);
void *zr_try_alloc(size_t size) __attribute__((malloc));
void *zr_try_realloc(void *p, size_t size);

/* Tests: the n-th zr_try_* call from now on fails (0 = never).  Not thread safe. */
void zr_mem_fail_after(unsigned n);

/* container_of: the structure that holds *ptr as `member`. */
#define ZR_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
