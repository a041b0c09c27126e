/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/tool.h"

#include "base/addr.h"
#include "base/clock.h"

#include <string.h>

static int
connect_daemon(struct tool *t, struct zr_err *e)
{
	if (t->client != NULL)
		return 0;
	return ctl_client_open(&t->client, t->socket, e);
}

int
need_daemon(struct tool *t)
{
	struct zr_err e;

	if (connect_daemon(t, &e) == 0)
		return TOOL_OK;
	if (e.code == ZR_CLOSED)
		tool_warn("zonerelayd is not running (%s)", e.text);
	else
		tool_warn("cannot reach zonerelayd: %s", e.text);
	return TOOL_NO_DAEMON;
}

int
daemon_ask(struct tool *t, int argc, const char *const *words,
    int (*line)(void *arg, const char *text, struct zr_err *e), void *arg, struct zr_err *e)
{
	const char *text;
	struct zr_err ignored;
	int rc;

	if (ctl_client_ask(t->client, argc, words, e) != 0)
		return -1;
	while ((rc = ctl_client_line(t->client, &text, e)) == 1) {
		if (line == NULL || line(arg, text, e) == 0)
			continue;
		/* The rest of the answer is read all the same: the next request needs it. */
		while (ctl_client_line(t->client, &text, &ignored) == 1)
			;
		return -1;
	}
	return rc;
}

static int
take_line(void *arg, const char *text, struct zr_err *e)
{
	return look_line(arg, text, e);
}

int
gather_database(struct tool *t)
{
	struct zr_err e;

	if (look_open(&t->look, t->database, clock_now().wall.us, &e) != 0 ||
	    look_run(t->look, SQL_TOOL_BEGIN, &e) != 0)
		return tool_fail(&e);
	return TOOL_OK;
}

int
gather(struct tool *t, int argc, const char *const *words)
{
	struct zr_err e;

	if (look_open(&t->look, t->database, clock_now().wall.us, &e) != 0)
		return tool_fail(&e);
	if (connect_daemon(t, &e) != 0) {
		if (e.code == ZR_CLOSED)
			tool_warn("zonerelayd is not running; showing what the database knows");
		else
			tool_warn(
			    "cannot reach zonerelayd: %s; showing what the database knows", e.text);
	} else if (daemon_ask(t, argc, words, take_line, t->look, &e) == 0) {
		t->look->live = true;
		t->look->primaries_known = true;
	} else if (e.code != ZR_NOTFOUND) {
		tool_warn("asking zonerelayd: %s; showing what the database knows", e.text);
	}
	if (look_run(t->look, SQL_TOOL_BEGIN, &e) != 0)
		return tool_fail(&e);
	return TOOL_OK;
}

static void
peer_line(struct tool *t, const char *kind, const char *name, const struct zr_addr *addr)
{
	char text[ADDR_TEXT_MAX] = "";
	struct buf b = BUF_INIT;
	struct zr_err e;

	if (addr != NULL)
		addr_text(addr, text);
	buf_fmt(&b, "{\"kind\":\"%s\",\"name\":", kind);
	buf_json(&b, name);
	buf_str(&b, ",\"address\":");
	buf_json(&b, text);
	buf_u8(&b, '}');
	if (look_line(t->look, buf_cstr(&b), &e) != 0)
		tool_warn("%s", e.text);
	buf_clear(&b);
}

void
gather_configured(struct tool *t)
{
	const struct config_zone *z = NULL;

	if (t->config != NULL)
		z = config_zone_find(t->config, t->zone);
	if (z == NULL)
		return;
	for (size_t i = 0; i < z->policy->primary_count; i++) {
		const struct config_primary *p = z->policy->primaries[i];
		for (size_t k = 0; k < p->address.n; k++)
			peer_line(t, "primary", p->name, &p->address.v[k]);
	}
	for (size_t i = 0; i < z->policy->downstream_count; i++) {
		const struct config_downstream *d = z->policy->downstreams[i];
		for (size_t k = 0; k < d->address.n; k++)
			peer_line(t, "downstream", d->name, &d->address.v[k]);
		if (d->address.n == 0)
			peer_line(t, "downstream", d->name, NULL);
	}
	t->look->primaries_known = true;
	t->look->downstreams_known = true;
}

int
gather_zone(struct tool *t, int64_t *id)
{
	struct zr_err e;
	sqlite3_stmt *s = look_stmt(t->look, SQL_TOOL_ZONE_ID, &e);
	int rc;

	if (s == NULL)
		return tool_fail(&e);
	look_bind_blob(s, ":name", t->zone, t->zone_len);
	rc = look_step(t->look, s, &e);
	if (rc < 0)
		return tool_fail(&e);
	if (rc == 1) {
		*id = look_int(s, "id");
		sqlite3_reset(s);
		return TOOL_OK;
	}
	if (t->config != NULL && config_zone_find(t->config, t->zone) != NULL)
		tool_warn("%s is configured, but zonerelayd has not taken it over yet: %s",
		    t->zone_text,
		    connect_daemon(t, &e) == 0 ? "zonerelayctl reload" : "start zonerelayd");
	else
		tool_warn("no such zone: %s", t->zone_text);
	return TOOL_NO_ZONE;
}
