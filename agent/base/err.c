/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

static const char *const code_name[] = {
    [ZR_OK] = "ok",
    [ZR_NOMEM] = "nomem",
    [ZR_LIMIT] = "limit",
    [ZR_TIMEOUT] = "timeout",
    [ZR_IO] = "io",
    [ZR_CLOSED] = "closed",
    [ZR_TLS] = "tls",
    [ZR_FORMERR] = "formerr",
    [ZR_REFUSED] = "refused",
    [ZR_NOTIMP] = "notimp",
    [ZR_SERVFAIL] = "servfail",
    [ZR_BADZONE] = "badzone",
    [ZR_DIFF] = "diff",
    [ZR_DB] = "db",
    [ZR_CONF] = "conf",
    [ZR_NOTFOUND] = "notfound",
    [ZR_INTERNAL] = "internal",
    [ZR_DAMAGED] = "damaged",
};
_Static_assert(sizeof(code_name) / sizeof(code_name[0]) == ZR_CODE_COUNT, "a name for every code");

int
zr_fail(struct zr_err *e, enum zr_code code, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return -1;
	e->code = code;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return -1;
}

static void
append(char text[ZR_ERR_TEXT], const char *s)
{
	size_t len = strlen(text);

	memccpy(text + len, s, '\0', ZR_ERR_TEXT - len);
	text[ZR_ERR_TEXT - 1] = '\0';
}

int
zr_fail_in(struct zr_err *e, const char *fmt, ...)
{
	char old[ZR_ERR_TEXT];
	va_list ap;

	if (e == NULL)
		return -1;
	memcpy(old, e->text, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	append(e->text, ": ");
	append(e->text, old);
	return -1;
}

void
zr_err_clear(struct zr_err *e)
{
	if (e == NULL)
		return;
	e->code = ZR_OK;
	e->text[0] = '\0';
}

const char *
zr_code_name(enum zr_code code)
{
	return (unsigned)code < ZR_CODE_COUNT ? code_name[code] : "unknown";
}
