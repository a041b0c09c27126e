/* SPDX-License-Identifier: BSD-2-Clause */
/* How peers are known, for people: "TLS ns1.example.net, key relay-key". */
#include "app/json.h"

static void
add(struct buf *text, const char *word, const char *name)
{
	buf_fmt(text, "%s%s%s%s", text->len > 0 ? ", " : "", word, name != NULL ? " " : "",
	    name != NULL ? name : "");
}

static void
finish(struct buf *b, struct buf *text)
{
	json_str(b, "trust", text->len > 0 ? buf_cstr(text) : "address");
	buf_clear(text);
}

void
json_primary_trust(struct buf *b, const struct config_primary *p)
{
	bool tls = p->tls.at.file != NULL;
	struct buf text = BUF_INIT;

	json_str(b, "transport", tls ? "tls" : p->soa_tcp ? "tcp" : "udp, tcp");
	if (tls)
		add(&text, "TLS", p->tls.name != NULL ? p->tls.name : "by pin");
	if (p->key != NULL)
		add(&text, "key", p->key->name);
	finish(b, &text);
}

void
json_downstream_trust(struct buf *b, const struct config_downstream *d)
{
	static const char *const notify[] = {"udp", "tcp", "tls"};
	struct buf text = BUF_INIT;

	json_str(b, "notify_transport", notify[d->notify_transport]);
	if (config_has_client(d))
		add(&text, "certificate", d->client_name != NULL ? d->client_name : "by pin");
	if (d->key != NULL)
		add(&text, "key", d->key->name);
	if (d->xot == CONFIG_XOT_REQUIRE)
		add(&text, "XoT only", NULL);
	if (d->tls.at.file != NULL)
		add(&text, "NOTIFY to", d->tls.name != NULL ? d->tls.name : "a pin");
	finish(b, &text);
}
