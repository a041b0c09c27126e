/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: one request line of the control socket.  Either it is refused with a text, or its words,
 * written again, are read as the same words.
 */
#include "fuzz.h"

#include "base/mem.h"
#include "ctl/request.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctl_request *q = malloc(sizeof(*q)), *again = malloc(sizeof(*again));
	struct buf b = BUF_INIT;
	struct zr_err e = {.code = ZR_OK};

	FUZZ_CHECK(q != NULL && again != NULL);
	if (ctl_request_parse(q, (const char *)data, size, &e) != 0) {
		FUZZ_CHECK(e.code != ZR_OK && e.text[0] != '\0');
		goto out;
	}
	FUZZ_CHECK(q->argc >= 0 && q->argc <= CTL_ARGS_MAX && q->argv[q->argc] == NULL);
	if (q->argc == 0)
		goto out;
	zr_mem_fail_after(1 + (unsigned)size % 2);
	if (ctl_request_write(&b, q->argc, q->argv, &e) != 0)
		FUZZ_CHECK(e.code == ZR_LIMIT || e.code == ZR_NOMEM);
	zr_mem_fail_after(0);
	buf_clear(&b);
	if (ctl_request_write(&b, q->argc, q->argv, &e) != 0) {
		/* Quoting makes it longer. */
		FUZZ_CHECK(e.code == ZR_LIMIT && size > CTL_LINE_MAX / 3);
		goto out;
	}
	FUZZ_CHECK(b.data[b.len - 1] == '\n' && memchr(b.data, '\n', b.len - 1) == NULL);
	FUZZ_CHECK(ctl_request_parse(again, (const char *)b.data, b.len - 1, &e) == 0);
	FUZZ_CHECK(again->argc == q->argc);
	for (int i = 0; i < q->argc; i++)
		FUZZ_CHECK(strcmp(q->argv[i], again->argv[i]) == 0);
out:
	buf_clear(&b);
	free(q);
	free(again);
	return 0;
}
