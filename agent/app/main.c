/* SPDX-License-Identifier: BSD-2-Clause */
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/agent.h"
#include "app/helper.h"
#include "app/ready.h"
#include "app/sandbox.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "config/config.h"
#include "wire/segment.h"

#define EXIT_CONFIG 2

static void
usage(FILE *f)
{
	fputs("usage: zonerelayd [-dfnVv] [-c file]\n"
	      "  -c file  configuration (default " ZR_SYSCONFDIR "/zonerelay/zonerelay.yaml)\n"
	      "  -n       check the configuration and exit; -nv also prints it with its defaults\n"
	      "  -d       log at level debug\n"
	      "  -f       stay in the foreground (always so)\n"
	      "  -V       print the version and exit\n",
	    f);
}

static void
on_problem(void *arg, bool error, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s%s\n", error ? "" : "warning: ", text);
}

struct options {
	const char *path;
	bool check, verbose, debug;
};

/* -1: go on; else exit with this. */
static int
parse_options(int argc, char **argv, struct options *o)
{
	int c;

	while ((c = getopt(argc, argv, "c:dfhnVv")) != -1) {
		switch (c) {
		case 'c':
			o->path = optarg;
			break;
		case 'd':
			o->debug = true;
			break;
		case 'f':
			break;
		case 'n':
			o->check = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'V':
			puts(PACKAGE_STRING);
			return EXIT_SUCCESS;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		default:
			usage(stderr);
			return EXIT_CONFIG;
		}
	}
	if (optind != argc) {
		usage(stderr);
		return EXIT_CONFIG;
	}
	return -1;
}

static int
check_only(struct config *c, struct certs *certs, const struct config_report *r, bool print)
{
	struct buf b = BUF_INIT;

	if (print) {
		config_print(c, &b);
		fwrite(b.data, 1, b.len, stdout);
		buf_clear(&b);
	} else {
		printf("%zu zones, %zu primaries, %zu downstreams, %u warnings\n", c->zone_count,
		    c->primary_count, c->downstream_count, r->warnings);
	}
	certs_free(certs);
	config_free(c);
	return EXIT_SUCCESS;
}

/* For tests: makes the time between a version's arrival and its commit visible. */
static unsigned
slow_commits(void)
{
	const char *text = getenv("ZONERELAY_TEST_SLOW_COMMIT_MS");
	uint64_t ms;

	return text != NULL && parse_u64(text, &ms) && ms < 60000 ? (unsigned)ms : 0;
}

/* 0, 1 and 2 must not become something else, whoever closed them. */
static void
open_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static int
failed(const struct zr_err *e)
{
	log_event(LOG_LVL_ERROR, "start-failed", LS("reason", e->text));
	fprintf(stderr, "zonerelayd: %s\n", e->text);
	return EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	struct options o = {.path = ZR_SYSCONFDIR "/zonerelay/zonerelay.yaml"};
	struct config_report report = {.line = on_problem};
	struct agent_options ao;
	struct certs *certs = NULL;
	struct config *c;
	struct helper *helper = NULL;
	struct agent *a;
	struct zr_err e;
	int rc = parse_options(argc, argv, &o);

	if (rc >= 0)
		return rc;
	open_standard();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is a full disk, no death */
	/* Events are small objects of our own: without one a timer would never come (base/mem.h).
	 */
	event_set_mem_functions(zr_xmalloc, zr_xrealloc, free);
	if ((!o.check && helper_fork(&helper, o.path, &e) != 0) || digest_start(&e) != 0) {
		helper_free(helper);
		fprintf(stderr, "zonerelayd: %s\n", e.text);
		return EXIT_FAILURE;
	}
	c = config_load(o.path, &report);
	if (c != NULL)
		certs = certs_load(c, &report);
	if (certs == NULL) {
		helper_free(helper);
		config_free(c);
		fprintf(stderr, "zonerelayd: %u error%s in the configuration, nothing started\n",
		    report.errors, report.errors == 1 ? "" : "s");
		return EXIT_CONFIG;
	}
	if (o.check)
		return check_only(c, certs, &report, o.verbose);
	log_open(o.debug ? LOG_LVL_DEBUG : c->log.level, c->log.format, c->log.dest);
	log_event(LOG_LVL_INFO, "starting", LS("version", PACKAGE_VERSION), LS("config", o.path),
	    LU("zones", c->zone_count));
	if (sandbox_begin(c, &e) != 0 || helper_begin(helper, c, &e) != 0) {
		helper_free(helper);
		config_free(c);
		return failed(&e);
	}
	ready_open();
	ao = (struct agent_options){.config_path = o.path,
	    .helper = helper,
	    .version = PACKAGE_VERSION,
	    .debug = o.debug,
	    .store_slow_ms = slow_commits()};
	a = agent_new(&ao, c, certs, &e);
	if (a == NULL) {
		helper_free(helper);
		return failed(&e);
	}
	agent_run(a);
	agent_free(a);
	helper_free(helper);
	log_event(LOG_LVL_INFO, "stopped");
	return EXIT_SUCCESS;
}
