# SPDX-License-Identifier: BSD-2-Clause
"""The guards against hostile peers, each as the edit that removes it and the test that must then fail.

Guard(what a peer does, key of the configuration, file, text, replacement, test): the text stands in the file once;
the test is a program below tests/unit or a test of tests/system in pytest's way of writing.  "-" for the key: what the
protocol forbids is not configurable.
"""

from collections import namedtuple

Guard = namedtuple("Guard", "attack key file old new test")
U = "tests/unit/"
OUT, IN, NOTIFY = "test_hostile_out.py::test_", "test_hostile.py::test_", "test_hostile_notify.py::test_"
XFRIN, RR, SOA = "agent/core/xfrin.c", "agent/core/xfrin_rr.c", "agent/core/xfrin_soa.c"
WALK, JOB, CONN, CLIENT = "agent/wire/walk.c", "agent/app/job.c", "agent/net/conn.c", "agent/app/client.c"
NOTIFYIN, LISTEN, PROBE = "agent/core/notifyin.c", "agent/app/listeners.c", "agent/app/probe.c"


def guard(attack, key, file, old, new, *tests):
    return [Guard(attack, key, file, old, new, t) for t in tests]


GUARDS = [
    # ---- a transfer without end ----
    *guard("endless AXFR, 4 GiB zone", "max-size", XFRIN,
           "l->max_octets != 0 && x->stats", "false && x->stats", IN + "endless[octets]", IN + "endless[4 GiB]",
           U + "core/test_xfrin"),
    *guard("endless AXFR of records", "max-records", RR,
           "if (max != 0 && ", "if (false && ", IN + "endless[records]"),
    *guard("one record per message, for ever", "max-messages", XFRIN,
           "l->max_messages != 0 && x->stats", "false && x->stats", IN + "endless[one record per message]"),
    *guard("messages without records, for ever", "-", XFRIN,
           "if (++x->empty > EMPTY_MAX) {", "if (false) {", U + "core/test_xfrin"),
    *guard("a million versions", "max-steps", RR,
           "x->q.limits.max_steps != 0 && ", "false && ", IN + "a_million_versions"),
    # ---- too slow ----
    *guard("one octet per second, nothing whole", "transfer-idle", JOB,
           "now - j->last_us > j->m->idle_timeout_us)", "false)", IN + "slow[one octet per second]"),
    *guard("one octet per second", "min-rate", JOB,
           "slow = octets - j->window_octets < j->m->min_rate;", "slow = false;",
           IN + "slow[one octet per second, rate]", IN + "slow[below the rate]"),
    *guard("a transfer for hours", "max-transfer-time", JOB,
           "if (now - j->started.mono.us > j->m->total_timeout_us)", "if (false)", IN + "slow[for too long]"),
    # ---- without sense ----
    *guard("names that point forward", "-", WALK,
           "target >= MSG_HEADER && target < start ? target : 0", "target >= MSG_HEADER ? target : 0",
           IN + "compression"),
    *guard("names that point into the header", "-", WALK,
           "target >= MSG_HEADER && target", "target != 0 && target", U + "wire/test_msg"),
    *guard("chains of pointers", "-", WALK, "#define HOPS_MAX 127", "#define HOPS_MAX 100000", U + "wire/test_msg"),
    *guard("names that are too long", "-", WALK,
           "if (at >= len || n + run >= NAME_MAX_LEN)\n\t\t\treturn 0;",
           "if (at >= len || n + run >= NAME_MAX_LEN + 40)\n\t\t\treturn 0;", U + "wire/test_msg"),
    *guard("another ID", "-", XFRIN, "if (m->id != x->q.id) {", "if (false) {", U + "core/test_xfrin"),
    *guard("another ID in between", "-", JOB, "get_u16(p) != j->qid ||", "false ||",
           "test_streams.py::test_foreign_ids"),
    *guard("other IDs without end", "-", JOB, "if (++j->strays > STRAY_MAX) {", "if (false) {",
           "test_streams.py::test_foreign_ids"),
    *guard("another zone, type or class in the question", "-", XFRIN,
           "if (m->has_question && !msg_question_is", "if (false && !msg_question_is", U + "core/test_xfrin"),
    *guard("a stream without a question", "-", XFRIN,
           "if (!x->question && m->ancount > 0)", "if (false)", IN + "senseless",
           U + "core/test_xfrin"),
    *guard("a query for an answer", "-", XFRIN, "if ((m->flags & FLAG_QR) == 0)", "if (false)", U + "core/test_xfrin"),
    *guard("another opcode", "-", XFRIN, "if (m->opcode != OPCODE_QUERY) {", "if (false) {", U + "core/test_xfrin"),
    *guard("the SOA of another zone", "-", RR,
           "rr->class != CLASS_IN || !name_equal(rr->owner, x->q.zone))", "rr->class != CLASS_IN)",
           U + "core/test_xfrin"),
    *guard("another SOA at the end", "-", RR,
           "\tif (!is_first_soa(x, rr))\n\t\treturn not_closing(x, rr, e);\n\tx->stats.records--;\n\tx->closed = true;\n"
           "\tif (!x->apex_ns) {",
           "\tx->stats.records--;\n\tx->closed = true;\n\tif (!x->apex_ns) {", U + "core/test_xfrin"),
    *guard("records of another class", "-", RR,
           "if (rr->class != CLASS_IN) {", "if (false) {", U + "core/test_xfrin"),
    *guard("records of another zone", "-", RR, "if (!in_zone(x, rr))", "if (false)", U + "core/test_xfrin",
           IN + "senseless"),
    *guard("a zone without NS", "-", RR, "if (!x->apex_ns) {", "if (false) {", U + "core/test_xfrin"),
    *guard("OPT, TSIG or AXFR as a record", "-", RR,
           "if (rr_type_is_meta(rr->type))", "if (false)", U + "core/test_xfrin"),
    *guard("something behind the end", "-", XFRIN,
           "if (step == XFRIN_DONE && x->walk.left != 0) {", "if (false) {", U + "core/test_xfrin"),
    *guard("reset, or closed early", "-", XFRIN,
           'zr_fail(e, ZR_CLOSED, "connection closed before the closing SOA");',
           'zr_fail(e, ZR_CLOSED, "connection closed before the closing SOA");\n'
           "\tif (x->phase == XFRIN_FULL)\n\t\treturn XFRIN_DONE;", U + "core/test_xfrin"),
    *guard("a difference that starts elsewhere", "-", RR,
           "if (serial != x->reached) {", "if (false) {", U + "core/test_xfrin"),
    *guard("a difference that leads back", "-", RR,
           "if (!serial_gt(serial, x->reached)) {", "if (false) {", U + "core/test_xfrin"),
    # ---- forged answers to SOA queries ----
    *guard("a forged SOA answer: ID", "-", PROBE,
           "m.id != p->id || ", "", "test_spoof.py::test_forged_answers"),
    *guard("a forged SOA answer: question", "-", PROBE,
           "(m.has_question && !msg_question_is(&m, p->entry->name, TYPE_SOA, CLASS_IN)) ||",
           "false ||", "test_spoof.py::test_forged_answers"),
    *guard("forged SOA answers without end", "soa-tcp", PROBE,
           "if (++p->mismatches < MISMATCH_MAX)", "if (true)", "test_spoof.py::test_guessing"),
    *guard("the SOA of another zone", "-", SOA,
           "rr.class != CLASS_IN || !name_equal(rr.owner, zone))", "rr.class != CLASS_IN)", U + "core/test_xfrin_soa"),
    *guard("an answer that is not authoritative", "-", SOA,
           "if ((m->flags & FLAG_AA) == 0)", "if (false)", U + "core/test_xfrin_soa"),
    # ---- by the thousand ----
    *guard("zones that hang by the thousand", "max-transfers", "agent/core/sched.c",
           "if (!slot_free(l->running, l->limits.slots))", "if (false)", IN + "a_thousand_zones_that_hang",
           U + "core/test_sched"),
    *guard("more connections than descriptors: strangers", "-", LISTEN,
           "return fd >= a->fds.strangers || ", "return ", OUT + "more_connections_than_descriptors[strangers]"),
    *guard("more connections than descriptors: peers", "-", LISTEN,
           "return fd >= a->fds.peers || ", "return ", OUT + "more_connections_than_descriptors[downstreams]"),
    *guard("connections of strangers", "tcp-clients", LISTEN,
           "table_count(a->clients) >= s->tcp_clients ||", "false ||",
           "test_serving.py::test_connections"),
    *guard("connections of one stranger", "tcp-per-client", LISTEN,
           "of_ip >= s->tcp_per_client;", "false;", "test_serving.py::test_connections"),
    *guard("half-open connections", "tcp-idle", CONN,
           "else if (c->idle_at != 0 && c->idle_at <= now)", "else if (false)", OUT + "half_open",
           OUT + "crumbs_by_the_hundred"),
    *guard("messages in crumbs between others", "-", CONN,
           "if (c->message_at != 0 && c->message_at <= now)", "if (false)", U + "net/test_conn_life"),
    # ---- readers that do not read ----
    *guard("200 readers: for ever", "max-transfer-time-out", CLIENT,
           "s->m->total_timeout_us == 0 || ", "true || ", OUT + "two_hundred_that_do_not_read[time]"),
    *guard("200 readers: one octet now and then", "min-rate", CLIENT,
           "slow = conn_pending(c->conn) > 0 && ", "slow = false && ", OUT + "two_hundred_that_do_not_read[rate]"),
    *guard("200 readers: nothing at all", "tcp-stall", CONN,
           "else if (c->stall_at != 0 && c->stall_at <= now)", "else if (false)",
           OUT + "two_hundred_that_do_not_read[stall]"),
    *guard("200 readers: memory", "-", CLIENT,
           "conn_pending(c->conn) < out_high(c->w))", "conn_pending(c->conn) < 8 * OUT_HIGH)",
           OUT + "two_hundred_that_do_not_read[time]"),
    *guard("transfers by the hundred", "max-transfers-out", "agent/app/serve.c",
           "table_count(a->streams) >= c->max_transfers_out ||", "false ||",
           "test_serving.py::test_transfer_limit[max-transfers-out]"),
    *guard("transfers by the hundred to one", "max-transfers-out-per-downstream", "agent/app/serve.c",
           "streams_of(a, peer) >= c->max_transfers_out_per_downstream;", "false;",
           "test_serving.py::test_transfer_limit[max-transfers-out-per-downstream]"),
    *guard("questions without end, no answer read", "-", CLIENT,
           "if (++c->asked >= ASKED_MAX)", "if (++c->asked >= 1000000)", U + "app/test_client"),
    # ---- NOTIFY ----
    *guard("malformed NOTIFY", "-", NOTIFYIN,
           "else if (parsed != 0 || !m->has_question || m->edns.malformed", "else if (m->edns.malformed",
           U + "core/test_notifyin"),
    *guard("NOTIFY with several questions", "-", NOTIFYIN, "if (m->qdcount != 1)", "if (false)",
           U + "core/test_notifyin"),
    *guard("truncated NOTIFY", "-", NOTIFYIN, "else if ((m->flags & FLAG_TC) != 0)", "else if (false)",
           U + "core/test_notifyin"),
    *guard("NOTIFY from anybody", "-", NOTIFYIN,
           "if (!find_primary(n, src, z, t->forced, &v->notify)) {", "if (false) {", U + "core/test_notifyin"),
    *guard("forged floods of strangers", "notify-in-rate", NOTIFYIN,
           "if (limiter_take(n->stranger, &src->from, now))", "if (true)", U + "core/test_notifyin"),
    *guard("forged floods in the name of a primary", "notify-in-rate", NOTIFYIN,
           "bool above = !limiter_take(src->key != NULL ? n->proved : n->known, &src->from, now);",
           "bool above = false;", U + "core/test_notifyin"),
    *guard("forged floods delay what is signed", "notify-in-rate", NOTIFYIN,
           "src->key != NULL ? n->proved : n->known", "n->known", U + "core/test_notifyin"),
    *guard("floods of names below a zone", "notify-in-rate", NOTIFYIN,
           "if (!exact && above) {", "if (false) {", U + "core/test_notifyin"),
    *guard("floods lead to queries without end", "soa-rate", "agent/core/sched.c",
           "if (ready <= now)\n\t\treturn true;\n\tsooner(again, ready);\n\treturn false;", "return true;",
           U + "core/test_sched"),
    *guard("floods fill the log", "-", "agent/app/answer.c",
           "if (v->zone == NULL && !log_limit_pass(", "if (false && !log_limit_pass(",
           NOTIFY + "flood[50000-one unknown source]"),
    *guard("queries of strangers are reflected", "-", "agent/app/serve.c",
           "if (!ask.known && !to->tcp && !limiter_take(", "if (false && !limiter_take(",
           "test_notify.py::test_strangers_flood[SOA]"),
]
