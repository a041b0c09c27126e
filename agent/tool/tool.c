/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/tool.h"

#include "base/mem.h"
#include "tool/text.h"
#include "tool/where.h"
#include "wire/name.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void
tool_warn(const char *fmt, ...)
{
	char text[1024];
	struct buf b = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_clean(&b, text);
	fprintf(stderr, "zonerelayctl: %s\n", buf_cstr(&b));
	buf_clear(&b);
}

int
tool_fail(const struct zr_err *e)
{
	tool_warn("%s", e->text);
	switch (e->code) {
	case ZR_NOTFOUND:
		return TOOL_NO_ZONE;
	case ZR_DB:
		return TOOL_NO_DATABASE;
	default:
		return TOOL_FAILED;
	}
}

static void
usage(FILE *to)
{
	fputs("usage: zonerelayctl [-j] [-c CONFIG] [-d DATABASE] [-s SOCKET] COMMAND ...\n\n", to);
	for (unsigned i = 0; i < args_command_count; i++) {
		const struct args_command *c = &args_commands[i];
		int n =
		    fprintf(to, "  %s%s%s", c->name, *c->operands != '\0' ? " " : "", c->operands);
		if (n < 30)
			fprintf(to, "%*s%s\n", 32 - n, "", c->what);
		else
			fprintf(to, "\n%*s%s\n", 32, "", c->what);
	}
	fputs("\n  -j, --json   answer in JSON\n"
	      "  -c CONFIG    of zonerelayd (" WHERE_CONFIG ")\n"
	      "  -d DATABASE  instead of the one the configuration names\n"
	      "  -s SOCKET    instead of the one the configuration names\n"
	      "\nSee zonerelayctl(8).\n",
	    to);
}

static int
parse_zone(struct tool *t)
{
	const char *name = t->args.operand[0];

	if (!t->args.command->zone || name == NULL)
		return TOOL_OK;
	t->zone_len = name_from_text(name, t->zone);
	if (t->zone_len == 0) {
		tool_warn("not a domain name: %.80s", name);
		return TOOL_USAGE;
	}
	name_lower(t->zone, t->zone);
	name_show(t->zone, t->zone_text);
	return TOOL_OK;
}

static unsigned
terminal_width(void)
{
	struct winsize ws;

	if (!isatty(STDOUT_FILENO))
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) != 0 || ws.ws_col < 20)
		return 80;
	return ws.ws_col;
}

int
tool_run(struct tool *t)
{
	int rc = t->args.command->alone ? TOOL_OK : where_find(t);

	if (rc == TOOL_OK)
		rc = parse_zone(t);
	if (rc == TOOL_OK)
		rc = t->args.command->run(t);
	ctl_client_close(t->client);
	look_close(t->look);
	config_free(t->config);
	free(t->found_database);
	free(t->found_socket);
	if (fflush(t->out) != 0 || ferror(t->out)) {
		if (errno != EPIPE)
			tool_warn("writing: %s", strerror(errno));
		if (rc == TOOL_OK)
			rc = TOOL_FAILED;
	}
	return rc;
}

int
tool_main(int argc, char **argv)
{
	struct tool t = {.out = stdout};
	struct zr_err e;

	if (args_parse(&t.args, argc, (const char *const *)argv, &e) != 0) {
		tool_warn("%s", e.text);
		usage(stderr);
		return TOOL_USAGE;
	}
	if (t.args.help) {
		usage(stdout);
		return TOOL_OK;
	}
	if (t.args.version) {
		printf("zonerelayctl %s\n", PACKAGE_VERSION);
		return TOOL_OK;
	}
	t.width = terminal_width();
	t.progress = isatty(STDERR_FILENO);
	return tool_run(&t);
}
