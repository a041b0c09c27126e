/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stable merge sort of pointers: the same effort for any input, so that no peer can choose an
 * order that costs more, and no memory of its own.
 */
#pragma once

#include <stddef.h>

typedef int (*sort_cmp)(const void *a, const void *b, const void *arg);

/* `spare` has room for n pointers; its content afterwards is undefined. */
void sort_pointers(const void **v, const void **spare, size_t n, sort_cmp cmp, const void *arg);
