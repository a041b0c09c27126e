/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/args.h"

#include "base/parse.h"
#include "tool/tool.h"

#include <stddef.h>
#include <string.h>

enum opt_kind { OPT_FLAG, OPT_TEXT, OPT_COUNT, OPT_SERIAL, OPT_DURATION };

struct opt {
	const char *name; /* behind "--" */
	char letter;	  /* 0 = none */
	enum opt_kind kind;
	unsigned need; /* ARG_* the command must take; 0 = every command has it */
	size_t at;     /* in struct args */
};

#define AT(f) offsetof(struct args, f)

static const struct opt opts[] = {
    {"config", 'c', OPT_TEXT, 0, AT(config)},
    {"database", 'd', OPT_TEXT, 0, AT(database)},
    {"socket", 's', OPT_TEXT, 0, AT(socket)},
    {"json", 'j', OPT_FLAG, 0, AT(json)},
    {"help", 'h', OPT_FLAG, 0, AT(help)},
    {"version", 'V', OPT_FLAG, 0, AT(version)},
    {"all", 'a', OPT_FLAG, ARG_ALL, AT(all)},
    {"wait", 'w', OPT_FLAG, ARG_WAIT, AT(wait)},
    {"timeout", 't', OPT_DURATION, ARG_TIMEOUT, AT(timeout_us)},
    {"state", 0, OPT_TEXT, ARG_STATE, AT(state)},
    {"limit", 'n', OPT_COUNT, ARG_LIMIT, AT(limit)},
    {"check", 0, OPT_FLAG, ARG_CHECK, AT(check)},
    {"axfr", 0, OPT_FLAG, ARG_AXFR, AT(axfr)},
    {"type", 0, OPT_TEXT, ARG_TYPE, AT(type)},
    {"serial", 0, OPT_SERIAL, ARG_SERIAL, AT(serial)},
    {"key", 0, OPT_TEXT, ARG_KEY, AT(key)},
    {"key-file", 0, OPT_TEXT, ARG_KEY_FILE, AT(key_file)},
    {"tcp", 0, OPT_FLAG, ARG_TCP, AT(tcp)},
    {"source", 0, OPT_TEXT, ARG_SOURCE, AT(source)},
    {"tries", 0, OPT_COUNT, ARG_TRIES, AT(tries)},
};
#define OPT_COUNT_ALL (sizeof(opts) / sizeof(opts[0]))

const struct args_command args_commands[] = {
    {"status", 0, 0, 0, false, false, cmd_status, "", "the daemon, zones by state, primaries"},
    {"zones", 0, 0, ARG_STATE | ARG_LIMIT, false, false, cmd_zones, "[--state STATE] [--limit N]",
	"all zones, one line each"},
    {"zone", 1, 1, ARG_CHECK, true, false, cmd_zone, "[--check] NAME",
	"everything about one zone, and why it is not current"},
    {"transfers", 0, 1, ARG_LIMIT, true, false, cmd_transfers, "[--limit N] [NAME]",
	"the last transfers in and out"},
    {"downstreams", 0, 0, 0, false, false, cmd_downstreams, "",
	"what the downstreams acknowledged and fetched"},
    {"refresh", 1, 1, ARG_ALL | ARG_WAIT | ARG_TIMEOUT, true, false, cmd_refresh,
	"[--wait [--timeout TIME]] NAME | --all",
	"check now, transfer if there is something newer"},
    {"retransfer", 1, 1, ARG_WAIT | ARG_TIMEOUT, true, false, cmd_refresh,
	"[--wait [--timeout TIME]] NAME", "transfer the whole zone now, whatever its serial"},
    {"notify", 1, 2, ARG_AXFR | ARG_WAIT | ARG_TIMEOUT, true, false, cmd_notify,
	"[--axfr] [--wait [--timeout TIME]] NAME [DOWNSTREAM]",
	"send NOTIFY again, or NOTIFY(AXFR)"},
    {"send-notify", 2, ARGS_OPERANDS,
	ARG_TYPE | ARG_SERIAL | ARG_KEY | ARG_KEY_FILE | ARG_TCP | ARG_SOURCE | ARG_TIMEOUT |
	    ARG_TRIES,
	true, true, cmd_send_notify,
	"[--type soa|axfr] [--serial N] [--key KEY | --key-file FILE] [--tcp]\n"
	"      [--source ADDRESS] [--timeout TIME] [--tries N] NAME ADDRESS[@PORT] ...",
	"send NOTIFY to any server, without a daemon"},
    {"export", 1, 2, 0, true, false, cmd_export, "NAME [FILE]", "write a zone file"},
    {"verify", 0, ARGS_OPERANDS, 0, false, false, cmd_verify, "[NAME ...]",
	"is what the database holds sound?"},
    {"reload", 0, 0, 0, false, false, cmd_reload, "", "read the configuration again"},
    {"stop", 0, 0, 0, false, false, cmd_stop, "", "end the daemon"},
    {"version", 0, 0, 0, false, false, cmd_version, "",
	"versions of this program and of the daemon"},
};
const unsigned args_command_count = sizeof(args_commands) / sizeof(args_commands[0]);

static const struct args_command *
find_command(const char *name)
{
	for (unsigned i = 0; i < args_command_count; i++)
		if (strcmp(args_commands[i].name, name) == 0)
			return &args_commands[i];
	return NULL;
}

struct parse {
	struct args *a;
	const char *const *argv;
	int argc, i;
	unsigned used; /* ARG_* seen */
};

/* `given`: what stands behind "=" or directly behind the letter; else the next word. */
static int
take(struct parse *p, const struct opt *o, const char *given, struct zr_err *e)
{
	char *base = (char *)p->a;
	uint64_t n;

	p->used |= o->need;
	if (o->kind == OPT_FLAG) {
		if (given != NULL)
			return zr_fail(e, ZR_CONF, "--%s takes no value", o->name);
		*(bool *)(void *)(base + o->at) = true;
		return 0;
	}
	if (given == NULL) {
		if (p->i + 1 >= p->argc)
			return zr_fail(e, ZR_CONF, "--%s needs a value", o->name);
		given = p->argv[++p->i];
	}
	switch (o->kind) {
	case OPT_TEXT:
		*(const char **)(void *)(base + o->at) = given;
		return 0;
	case OPT_COUNT:
		if (!parse_u64(given, &n) || n > INT32_MAX)
			return zr_fail(e, ZR_CONF, "--%s: not a count: %.40s", o->name, given);
		*(int64_t *)(void *)(base + o->at) = (int64_t)n;
		return 0;
	case OPT_SERIAL:
		if (!parse_u64(given, &n) || n > UINT32_MAX)
			return zr_fail(e, ZR_CONF, "--%s: not a serial: %.40s", o->name, given);
		*(int64_t *)(void *)(base + o->at) = (int64_t)n;
		return 0;
	case OPT_DURATION:
		if (!parse_duration(given, (int64_t *)(void *)(base + o->at)))
			return zr_fail(e, ZR_CONF, "--%s: not a duration such as 90s or 5m: %.40s",
			    o->name, given);
		return 0;
	case OPT_FLAG:
		break;
	}
	return 0;
}

static int
take_long(struct parse *p, const char *word, struct zr_err *e)
{
	size_t n = strcspn(word, "=");

	for (size_t i = 0; i < OPT_COUNT_ALL; i++)
		if (strlen(opts[i].name) == n && memcmp(opts[i].name, word, n) == 0)
			return take(p, &opts[i], word[n] == '=' ? word + n + 1 : NULL, e);
	return zr_fail(e, ZR_CONF, "unknown option --%.*s", n > 40 ? 40 : (int)n, word);
}

/* -wc FILE is -w -c FILE; -cFILE is -c FILE. */
static int
take_letters(struct parse *p, const char *s, struct zr_err *e)
{
	for (; *s != '\0'; s++) {
		const struct opt *o = NULL;
		for (size_t i = 0; i < OPT_COUNT_ALL && o == NULL; i++)
			if (opts[i].letter == *s)
				o = &opts[i];
		if (o == NULL)
			return zr_fail(
			    e, ZR_CONF, "unknown option -%c", *s > 0x20 && *s < 0x7f ? *s : '?');
		if (o->kind != OPT_FLAG)
			return take(p, o, s[1] != '\0' ? s + 1 : NULL, e);
		if (take(p, o, NULL, e) != 0)
			return -1;
	}
	return 0;
}

static int
take_operand(struct parse *p, const char *word, struct zr_err *e)
{
	struct args *a = p->a;

	if (a->command == NULL) {
		a->command = find_command(word);
		if (a->command == NULL)
			return zr_fail(e, ZR_CONF, "unknown command %.40s", word);
		return 0;
	}
	if (a->operands >= a->command->max)
		return zr_fail(
		    e, ZR_CONF, "%s: one operand too many: %.60s", a->command->name, word);
	a->operand[a->operands++] = word;
	return 0;
}

static int
check_whole(const struct parse *p, struct zr_err *e)
{
	const struct args *a = p->a;

	if (a->command == NULL)
		return zr_fail(e, ZR_CONF, "a command is expected");
	for (size_t i = 0; i < OPT_COUNT_ALL; i++)
		if ((opts[i].need & p->used & ~a->command->options) != 0)
			return zr_fail(
			    e, ZR_CONF, "%s takes no --%s", a->command->name, opts[i].name);
	if (a->all && a->operands > 0)
		return zr_fail(e, ZR_CONF, "%s: a name or --all, not both", a->command->name);
	if (a->operands < a->command->min && !a->all)
		return zr_fail(
		    e, ZR_CONF, "%s: expected: %s", a->command->name, a->command->operands);
	if (a->wait && a->all)
		return zr_fail(e, ZR_CONF, "--wait is for one zone");
	if ((p->used & ARG_TIMEOUT) != 0 && (a->command->options & ARG_WAIT) != 0 && !a->wait)
		return zr_fail(e, ZR_CONF, "--timeout goes with --wait");
	return 0;
}

int
args_parse(struct args *a, int argc, const char *const *argv, struct zr_err *e)
{
	struct parse p = {.a = a, .argv = argv, .argc = argc};
	bool options = true;

	*a = (struct args){.limit = -1};
	for (p.i = 1; p.i < argc; p.i++) {
		const char *w = argv[p.i];
		int rc;

		if (options && strcmp(w, "--") == 0) {
			options = false;
			continue;
		}
		if (options && w[0] == '-' && w[1] == '-')
			rc = take_long(&p, w + 2, e);
		else if (options && w[0] == '-' && w[1] != '\0')
			rc = take_letters(&p, w + 1, e);
		else
			rc = take_operand(&p, w, e);
		if (rc != 0)
			return -1;
	}
	a->limit_given = (p.used & ARG_LIMIT) != 0;
	a->serial_given = (p.used & ARG_SERIAL) != 0;
	if (a->help || a->version)
		return 0;
	return check_whole(&p, e);
}
