/* SPDX-License-Identifier: BSD-2-Clause */
/* What a reload asks: is it still the same?  By value, because snapshots share nothing. */
#include "config/config.h"

#include <string.h>

static bool
same_addrs(const struct config_addrs *a, const struct config_addrs *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!addr_equal(&a->v[i], &b->v[i]))
			return false;
	return true;
}

static bool
same_prefixes(const struct config_prefixes *a, const struct config_prefixes *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].bits != b->v[i].bits || !addr_ip_equal(&a->v[i].addr, &b->v[i].addr))
			return false;
	return true;
}

static bool
same_texts(char *const *a, size_t an, char *const *b, size_t bn)
{
	if (an != bn)
		return false;
	for (size_t i = 0; i < an; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return true;
}

static bool
same_argv(const struct config_argv *a, const struct config_argv *b)
{
	return same_texts(a->v, a->n, b->v, b->n);
}

/* For two that may be NULL. */
static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
same_pins(const struct config_pins *a, const struct config_pins *b)
{
	return same_texts(a->v, a->n, b->v, b->n);
}

static bool
same_tls(const struct config_tls *a, const struct config_tls *b)
{
	return (a->at.file == NULL) == (b->at.file == NULL) && same_text(a->name, b->name) &&
	       same_text(a->ca, b->ca) && same_pins(&a->pin, &b->pin) &&
	       same_text(a->cert, b->cert) && same_text(a->key, b->key);
}

bool
config_key_equal(const struct config_key *a, const struct config_key *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return tsig_key_equal(&a->ref->key, &b->ref->key);
}

void
config_keys_adopt(struct config *now, const struct config *before)
{
	for (size_t i = 0; i < now->key_count; i++) {
		struct config_key *k = &now->keys[i];
		const struct config_key *was = config_key_find(before, k->ref->key.name);

		if (was == NULL || was->ref == k->ref || !config_key_equal(was, k))
			continue;
		keyref_drop(k->ref);
		k->ref = keyref_hold(was->ref);
	}
}

/* Family 0 has no octets to compare. */
static bool
same_source(const struct zr_addr *a, const struct zr_addr *b)
{
	return a->family == b->family && (a->family == 0 || addr_ip_equal(a, b));
}

bool
config_primary_equal(const struct config_primary *a, const struct config_primary *b)
{
	return strcmp(a->name, b->name) == 0 && same_addrs(&a->address, &b->address) &&
	       same_source(&a->source4, &b->source4) && same_source(&a->source6, &b->source6) &&
	       same_prefixes(&a->notify_from, &b->notify_from) &&
	       config_key_equal(a->key, b->key) && config_key_equal(a->notify_key, b->notify_key) &&
	       same_tls(&a->tls, &b->tls) && a->max_transfers == b->max_transfers &&
	       a->soa_rate == b->soa_rate && a->ixfr == b->ixfr &&
	       a->ixfr_strict == b->ixfr_strict && a->edns == b->edns && a->soa_tcp == b->soa_tcp &&
	       a->forced == b->forced && a->max_forced == b->max_forced &&
	       a->forced_rate == b->forced_rate && a->forced_burst == b->forced_burst;
}

bool
config_downstream_equal(const struct config_downstream *a, const struct config_downstream *b)
{
	return strcmp(a->name, b->name) == 0 && same_addrs(&a->address, &b->address) &&
	       same_prefixes(&a->transfer_from, &b->transfer_from) &&
	       config_key_equal(a->key, b->key) && config_key_equal(a->notify_key, b->notify_key) &&
	       a->notify == b->notify && a->notify_hint == b->notify_hint &&
	       a->notify_transport == b->notify_transport && same_tls(&a->tls, &b->tls) &&
	       same_text(a->client_name, b->client_name) &&
	       same_pins(&a->client_pin, &b->client_pin) && a->xot == b->xot &&
	       same_source(&a->source4, &b->source4) && same_source(&a->source6, &b->source6) &&
	       a->server == b->server && same_argv(&a->on_forced, &b->on_forced) &&
	       same_argv(&a->on_change, &b->on_change) &&
	       a->hook_timeout_us == b->hook_timeout_us && a->hook_tries == b->hook_tries;
}

static bool
same_forced(const struct config_policy *a, const struct config_policy *b)
{
	return a->forced_interval_us == b->forced_interval_us &&
	       a->forced_burst == b->forced_burst && a->forced_lower == b->forced_lower &&
	       a->forced_splay_us == b->forced_splay_us &&
	       a->forced_window_us == b->forced_window_us &&
	       a->forced_verify_us == b->forced_verify_us && a->forced_return == b->forced_return;
}

bool
config_policy_equal(const struct config_policy *a, const struct config_policy *b)
{
	if (a->primary_count != b->primary_count || a->downstream_count != b->downstream_count)
		return false;
	for (size_t i = 0; i < a->primary_count; i++)
		if (!config_primary_equal(a->primaries[i], b->primaries[i]))
			return false;
	for (size_t i = 0; i < a->downstream_count; i++)
		if (!config_downstream_equal(a->downstreams[i], b->downstreams[i]))
			return false;
	return a->xot == b->xot && a->soa_over_tls == b->soa_over_tls &&
	       a->refresh_min_us == b->refresh_min_us && a->refresh_max_us == b->refresh_max_us &&
	       a->retry_min_us == b->retry_min_us && a->retry_max_us == b->retry_max_us &&
	       a->max_size == b->max_size && a->max_records == b->max_records &&
	       a->max_messages == b->max_messages && a->max_steps == b->max_steps &&
	       a->max_transfer_us == b->max_transfer_us &&
	       a->max_transfer_out_us == b->max_transfer_out_us && a->splay_us == b->splay_us &&
	       a->journal_steps == b->journal_steps && a->ixfr == b->ixfr &&
	       a->notify_enclosing == b->notify_enclosing && same_forced(a, b) &&
	       a->notify_targets == b->notify_targets && a->notify_mname == b->notify_mname &&
	       same_addrs(&a->also_notify, &b->also_notify) &&
	       config_key_equal(a->notify_key, b->notify_key);
}
