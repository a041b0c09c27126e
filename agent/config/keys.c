/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables.  A number here is a default that people will run with: its reason is in the
 * text, which is also the man page (conf/keys2mdoc).
 */
#include "base/clock.h"
#include "config/schema.h"

#define S ((uint64_t)ZR_US_PER_S)
#define WEEK (604800 * S)
#define DNS 53
#define DOT 853
#define KIB (UINT64_C(1) << 10)
#define TIB (UINT64_C(1) << 40)

#define TABLE(k) .keys = (k), .count = sizeof(k) / sizeof((k)[0])

/* In the order of the enums of config.h and base/log.h. */
static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const formats[] = {"text", "json", NULL};
static const char *const dests[] = {"stderr", "syslog", NULL};
static const char *const transports[] = {"udp", "tcp", "tls", NULL};
static const char *const xot_words[] = {"no", "require", NULL};
static const char *const forced_words[] = {"auto", "address", "key", "off", NULL};
static const char *const lower_words[] = {"authenticated", "always", "never", NULL};
static const char *const server_words[] = {"none", "bind", "nsd", "knot", "powerdns", NULL};
static const char *const targets_words[] = {"explicit", "ns", "ns-and-acl", "acl", NULL};

_Static_assert(
    sizeof(enum log_level) == sizeof(int) && sizeof(enum log_format) == sizeof(int) &&
	sizeof(enum log_dest) == sizeof(int) && sizeof(enum config_transport) == sizeof(int) &&
	sizeof(enum config_forced) == sizeof(int) && sizeof(enum config_lower) == sizeof(int) &&
	sizeof(enum config_server_kind) == sizeof(int) &&
	sizeof(enum config_targets) == sizeof(int) && sizeof(enum config_xot) == sizeof(int),
    "VALUE_CHOICE writes an int");
_Static_assert(LOG_LVL_DEBUG == 0 && LOG_LVL_ERROR == 3 && LOG_FMT_JSON == 1 &&
		   LOG_DEST_SYSLOG == 1 && CONFIG_TLS == 2 && CONFIG_FORCED_OFF == 3 &&
		   CONFIG_LOWER_NEVER == 2 && CONFIG_KIND_POWERDNS == 4 &&
		   CONFIG_TARGETS_ACL == 3 && CONFIG_XOT_REQUIRE == 1,
    "the words above are in the order of the enums");
/* VALUE_SOURCE and VALUE_RANGE write two neighbours. */
#define NEXT_TO(s, a, b)                                                                           \
	(offsetof(struct s, b) == offsetof(struct s, a) + sizeof(((struct s *)0)->a))
_Static_assert(NEXT_TO(config_primary, source4, source6), "neighbours");
_Static_assert(NEXT_TO(config_downstream, source4, source6), "neighbours");
_Static_assert(NEXT_TO(config_policy, refresh_min_us, refresh_max_us), "neighbours");
_Static_assert(NEXT_TO(config_policy, retry_min_us, retry_max_us), "neighbours");

#define AT(member) .at = offsetof(struct schema_file, member)
static const struct schema_key file_keys[] = {
    {"server", VALUE_MAP, AT(server), .doc = "What concerns the daemon as a whole."},
    {"log", VALUE_MAP, AT(log), .doc = "What is logged, and where to."},
    {"keys", VALUE_MAP, AT(keys),
	.doc = "TSIG keys: a map of domain names, each with a map of the keys of a key. Both "
	       "sides know a key by its name; a final dot may be left out, case does not "
	       "matter."},
    {"primaries", VALUE_MAP, AT(primaries),
	.doc =
	    "The servers that zones are transferred from: a map of names, each with a map of the "
	    "keys of a primary. A name has up to 63 letters, digits, dots, hyphens and "
	    "underscores; other parts of the file, the log and zonerelayctl use it."},
    {"downstreams", VALUE_MAP, AT(downstreams),
	.doc = "The servers which transfer zones from here and are notified of changes: a map of "
	       "names, each with a map of the keys of a downstream."},
    {"templates", VALUE_MAP, AT(templates),
	.doc = "Named sets of zone keys: a map of names. The template 'default' is that of every "
	       "zone which names no other; when it is not written it has the default of "
	       "every key. A template does not inherit from another."},
    {"zones", VALUE_MAP, AT(zones),
	.doc = "The zones: a map of domain names, each with a map of the keys of a zone, usually "
	       "the empty map {}. A final dot may be left out, case does not matter."},
    {"zone-lists", VALUE_MAPS, AT(zone_lists),
	.doc = "A list of maps: files with further zones, which share a template."},
};
#undef AT

#define AT(member) .at = offsetof(struct config_server, member)
static const struct schema_key server_keys[] = {
    {"listen", VALUE_ADDRS, AT(listen), .def = "127.0.0.1@5300 ::1@5300", .min = DNS,
	.doc =
	    "Where NOTIFY is received and SOA, IXFR and AXFR are answered, over UDP and TCP. The "
	    "port is 53 when none is written. When nothing is configured, an address family "
	    "that the machine does not have is no error."},
    {"tls", VALUE_SUB, AT(tls), .sub = &schema_server_tls,
	.doc = "Where NOTIFY, SOA, IXFR and AXFR come in over TLS (RFC 9103), and with which "
	       "certificate. Not written: nowhere."},
    {"database", VALUE_PATH, AT(database), .def = ZR_LOCALSTATEDIR "/lib/zonerelay/zonerelay.db",
	.def_doc = "/var/lib/zonerelay/zonerelay.db",
	.doc = "The SQLite file which holds all zones and their state. It is made when missing. A "
	       "relative path counts from the folder of the configuration file."},
    {"control", VALUE_PATH, AT(control), .def = ZR_RUNSTATEDIR "/zonerelay/zonerelay.sock",
	.def_doc = "/run/zonerelay/zonerelay.sock",
	.doc = "The socket on which zonerelayctl speaks to the daemon, at most 107 octets long."},
    {"user", VALUE_USER, AT(user), .def_doc = "who started it",
	.doc = "Started as root, the daemon opens its sockets and then becomes this user: "
	       "'zonerelay' or 'zonerelay:group', by name or number, with the groups of the user, "
	       "for good. The folders of the database and the control socket must be the user's, "
	       "and the configuration with its files must be readable for it. Started as another "
	       "than root it has no meaning."},
    {"confine", VALUE_BOOL, AT(confine), .def = "yes",
	.doc = "The daemon locks itself in, as far as the kernel can: of files it reaches only the "
	       "folders of the database, of the control socket and of the files of the "
	       "configuration (Landlock), of the kernel only what it uses (seccomp). Commands of "
	       "downstreams are run by a process of their own outside. no: for debuggers."},
    {"core-dumps", VALUE_BOOL, AT(core_dumps), .def = "no",
	.doc = "yes: a crash may leave a core file, and debuggers of the same user may attach. It "
	       "would hold the secrets of the keys."},
    {"workers", VALUE_COUNT, AT(workers), .def = "2", .min = 1, .max = 64,
	.doc =
	    "Threads for transfers. Each runs many transfers side by side; more than the machine "
	    "has cores is of no use."},
    {"max-transfers-in", VALUE_COUNT, AT(max_transfers_in), .def = "32", .min = 1, .max = 10000,
	.doc = "Transfers from primaries at the same time. The 10 of other servers make a first "
	       "load of many small zones needlessly slow."},
    {"max-transfers-out", VALUE_COUNT, AT(max_transfers_out), .def = "512", .min = 1, .max = 10000,
	.doc = "Transfers to downstreams at the same time. A query above it is answered with "
	       "SERVFAIL, "
	       "and the downstream comes again after a pause of its own, so this bounds abuse and "
	       "does not smooth load."},
    {"max-transfers-out-per-downstream", VALUE_COUNT, AT(max_transfers_out_per_downstream),
	.def = "256", .min = 1, .max = 10000,
	.doc = "The same for one downstream. A server with many zones asks for all of them when it "
	       "starts, NSD for 128 at a time; answering costs little, since zones are stored as "
	       "they are sent."},
    {"soa-rate", VALUE_COUNT, AT(soa_rate), .def = "20000", .min = 1, .max = 1000000,
	.doc = "SOA queries per second, to all primaries together. It bounds what forged NOTIFYs "
	       "can cause: no more than one small query for each, and never more than 1024 that "
	       "wait for an answer. At 20000 the first check of 100,000 zones takes 5 seconds."},
    {"notify-rate", VALUE_COUNT, AT(notify_rate), .def = "500", .min = 1, .max = 1000000,
	.doc =
	    "NOTIFYs sent per second; further ones wait. The 20 of other servers would hold back "
	    "10,000 changed zones for more than 8 minutes."},
    {"max-forced", VALUE_COUNT, AT(max_forced), .def = "10", .min = 1, .max = 10000,
	.doc = "Forced transfers, those that NOTIFY(AXFR) asks for, at the same time. They count "
	       "among max-transfers-in as well; 10 of its 32 leave room for ordinary changes while "
	       "a primary forces all of its zones."},
    {"forced-rate", VALUE_COUNT, AT(forced_rate), .def = "600", .min = 1, .max = 1000000,
	.doc = "Forced transfers begun per minute, from all primaries together. Further ones wait "
	       "and are not lost. 600 are those of ten primaries at once, as each is held to its "
	       "own forced-rate."},
    {"forced-burst", VALUE_COUNT, AT(forced_burst), .def = "50", .min = 1, .max = 100000,
	.doc = "How many of them may begin at once after a quiet time. 50 are the bursts of five "
	       "primaries; the rate holds after that."},
    {"max-hooks", VALUE_COUNT, AT(max_hooks), .def = "4", .min = 1, .max = 256,
	.doc = "Commands of on-forced and on-change that run at the same time; others wait. The "
	       "usual ones ask a server on the same machine and end within a second, so 4 keep "
	       "up, and cannot fill the machine when that server hangs."},
    {"self-address", VALUE_ADDRS, AT(self_address), .min = DNS,
	.doc = "Further addresses at which others reach this daemon, behind an address translation "
	       "or as anycast: notify-targets leaves them out. Those of listen are known anyway, "
	       "and for 0.0.0.0 and :: those of the machine. The port is 53 when none is "
	       "written."},
    {"resolver", VALUE_ADDRS, AT(resolver), .min = DNS, .def_doc = "those of /etc/resolv.conf",
	.doc = "The servers that look up the hosts of NS records, for notify-targets; glue of the "
	       "zone itself is used first. The port is 53 when none is written."},
    {"notify-in-rate", VALUE_COUNT, AT(notify_in_rate), .def = "1000", .min = 1, .max = 1000000,
	.doc =
	    "NOTIFYs per second from one source, an IPv4 address or an IPv6 /64, that may notify "
	    "at "
	    "least one zone. Above it what is authorised waits, and anything else gets no answer. "
	    "Other sources have a tenth of it, and above that no answer. So many TLS connections "
	    "they may open, too."},
    {"query-rate", VALUE_COUNT, AT(query_rate), .def = "100000", .min = 1, .max = 1000000,
	.doc =
	    "UDP queries per second from one primary or downstream that are answered although "
	    "somebody else may have forged them: neither signed nor with a cookie of ours. Above "
	    "it, one with a COOKIE option gets BADCOOKIE and a cookie, any other is asked to use "
	    "TCP. An answer to SOA is not much longer than its query; one to IXFR may be, so it "
	    "counts for 50, and nobody makes this daemon flood a downstream with differences. A "
	    "downstream that starts with 100,000 zones asks for all of them at once."},
    {"cookies", VALUE_BOOL, AT(cookies), .def = "yes",
	.doc = "DNS cookies (RFC 7873): SOA queries and NOTIFYs carry one, answers with a wrong "
	       "one do not count, and who returns one of ours is known not to be forged. They "
	       "authenticate nobody; keys do. no: they are neither sent nor answered."},
    {"cookie-secret-file", VALUE_PATH, AT(cookie_secret_file), .def_doc = "one drawn at the start",
	.doc =
	    "A file with up to 4 secrets, one in a line, each of 32 hexadecimal digits, which "
	    "others than its owner and group must not be able to read. Cookies are made with the "
	    "first, and those made with any of them are taken. Needed only where several servers "
	    "answer at one address (anycast): BIND, Knot and NSD make the same cookies of the "
	    "same secret. To change it everywhere (RFC 9018 section 5): add the new one as the "
	    "second line, then put it first, and after an hour remove the old one."},
    {"tcp-clients", VALUE_COUNT, AT(tcp_clients), .def = "150", .min = 1, .max = 100000,
	.doc =
	    "TCP connections from others at the same time (RFC 9210 section 4.2). Further ones are "
	    "closed at once, except that primaries and downstreams may go on up to 8 times this "
	    "number."},
    {"tcp-per-client", VALUE_COUNT, AT(tcp_per_client), .def = "25", .min = 1, .max = 100000,
	.doc = "The same for one source that is neither a primary nor a downstream, an IPv4 "
	       "address or "
	       "an IPv6 /64."},
    {"tcp-idle", VALUE_DURATION, AT(tcp_idle_us), .def = "10s", .min = S, .max = 3600 * S,
	.doc = "A connection without a query for so long is closed."},
    {"soa-timeout", VALUE_DURATION, AT(soa_timeout_us), .def = "5s", .min = S / 10, .max = 60 * S,
	.doc = "How long an SOA query over UDP waits for its answer."},
    {"soa-tries", VALUE_COUNT, AT(soa_tries), .def = "3", .min = 1, .max = 20,
	.doc = "How often an SOA query is sent over UDP before TCP is tried."},
    {"connect-timeout", VALUE_DURATION, AT(connect_timeout_us), .def = "5s", .min = S / 10,
	.max = 120 * S, .doc = "How long a TCP connection to a primary may take to come about."},
    {"transfer-idle", VALUE_DURATION, AT(transfer_idle_us), .def = "60s", .min = S, .max = 3600 * S,
	.doc = "A transfer from a primary that brings nothing for so long is given up. Large "
	       "primaries "
	       "were seen to pause for more than 10 seconds."},
    {"min-rate", VALUE_SIZE, AT(min_rate), .def = "10KiB", .min = 0, .max = TIB,
	.doc = "A transfer that moves fewer octets than this in min-rate-time is given up, in "
	       "either direction. The default, 34 octets a second, is that of BIND: whoever is "
	       "slower holds a place and does not transfer. 0: there is no such limit."},
    {"min-rate-time", VALUE_DURATION, AT(min_rate_us), .def = "5m", .min = S, .max = 86400 * S,
	.doc = "See min-rate. 5m lets an ordinary interruption of the network pass."},
    {"tcp-stall", VALUE_DURATION, AT(tcp_stall_us), .def = "60s", .min = S, .max = 3600 * S,
	.doc = "A connection whose other side takes nothing of what is sent for so long is "
	       "closed. TCP itself would wait for more than 15 minutes."},
};
#undef AT

#define AT(member) .at = offsetof(struct config_server_tls, member)
static const struct schema_key server_tls_keys[] = {
    {"listen", VALUE_ADDRS, AT(listen), .min = DOT,
	.doc = "Needed. Addresses of this machine, or 0.0.0.0 and ::. The port is 853 when none is "
	       "written."},
    {"cert", VALUE_PATH, AT(cert),
	.doc = "Needed. A PEM file with our certificate and, behind it, those between it and the "
	       "CA. It is read at the start and at each reload; transfers that run go on with the "
	       "one that they began with. A relative path counts from the folder of the "
	       "configuration file, as with the following ones."},
    {"key", VALUE_PATH, AT(key),
	.doc = "Needed. The PEM file with its private key, which others must not be able to read."},
    {"client-ca", VALUE_PATH, AT(client_ca),
	.doc = "A PEM file with the CAs of the certificates that clients show us. Needed for "
	       "client-name; a primary proves its NOTIFYs by its own ca and pin. A certificate "
	       "that is not configured for a peer gives no rights, whoever has signed it."},
};
#undef AT

#define AT(member) .at = offsetof(struct config_tls, member)
static const struct schema_key tls_keys[] = {
    {"name", VALUE_HOST, AT(name),
	.doc = "The domain name or address that its certificate must have (subjectAltName). Needed "
	       "with ca."},
    {"ca", VALUE_CA, AT(ca),
	.doc = "A PEM file with the CAs that its certificate may come from, or the word system for "
	       "those of the system. Either this or pin is needed; with both, both must be right. "
	       "Nothing is sent to a server that cannot prove who it is."},
    {"pin", VALUE_PINS, AT(pin),
	.doc = "The SHA-256 of its public key (the SubjectPublicKeyInfo) in base64, or a list of "
	       "them: one is enough, so that a second one can stand there before the key is "
	       "changed. With ca it may be that of any certificate of the chain (RFC 7858 section "
	       "4.2). Without ca the pin alone counts, it is that of its own certificate, and the "
	       "dates of that do not matter."},
    {"cert", VALUE_PATH, AT(cert),
	.doc = "A PEM file with the certificate that we show when we are asked for one."},
    {"key", VALUE_PATH, AT(key), .doc = "The PEM file with its private key."},
};
#undef AT

#define AT(member) .at = offsetof(struct config_log, member)
static const struct schema_key log_keys[] = {
    {"level", VALUE_CHOICE, AT(level), .def = "info", .choice = levels,
	.doc = "The least important events that are written."},
    {"format", VALUE_CHOICE, AT(format), .def = "text", .choice = formats,
	.doc = "Lines of key=value, or one JSON object per line."},
    {"to", VALUE_CHOICE, AT(dest), .def = "stderr", .choice = dests,
	.doc = "Standard error, which systemd takes to its journal, or syslog with the facility "
	       "daemon."},
};
#undef AT

#define AT(member) .at = offsetof(struct key_draft, member)
static const struct schema_key tsig_keys[] = {
    {"algorithm", VALUE_NAME, AT(algorithm), .def_doc = "hmac-sha256",
	.doc = "hmac-sha256, hmac-sha384, hmac-sha512, hmac-sha224, or hmac-sha1 for a peer that "
	       "knows no other. hmac-md5 is not supported (RFC 8945 section 6)."},
    {"secret-file", VALUE_PATH, AT(k.secret_file),
	.doc = "A file with the secret in base64 and nothing else, which others than its owner and "
	       "group must not be able to read. A relative path counts from the folder of the "
	       "configuration file. Either this or secret is needed."},
    {"secret", VALUE_NAME, AT(secret),
	.doc = "The secret in base64: then the configuration file must not be readable by others. "
	       "zonerelayd -nv writes (hidden) in its place."},
    {"min-mac", VALUE_COUNT, AT(k.min_mac), .def = "0", .min = 0, .max = 64,
	.doc = "Octets of the shortest signature that is taken from the peer. 0: a whole one, as "
	       "everybody sends. Less than half of a whole one or than 10 octets is never taken."},
};
#undef AT

#define AT(member) .at = offsetof(struct config_primary, member)
static const struct schema_key primary_keys[] = {
    {"address", VALUE_ADDRS, AT(address),
	.doc = "Needed. One address or a list of them, tried in this order; they may also send "
	       "NOTIFY. The port is 53 when none is written, or 853 with tls."},
    {"tls", VALUE_SUB, AT(tls), .sub = &schema_tls,
	.doc = "SOA queries and transfers go to it over TLS, at all of its addresses, and never "
	       "otherwise, also when that fails. A NOTIFY which comes over TLS with a "
	       "certificate that we would take from the primary itself, by name, ca and pin, is "
	       "proved to be its own, as by a key."},
    {"source", VALUE_SOURCE, AT(source4),
	.doc = "The local address that queries to it come from: one of IPv4, one of IPv6, or both. "
	       "Without it the system chooses."},
    {"notify-from", VALUE_PREFIXES, AT(notify_from),
	.doc = "Further sources which may send NOTIFY on its behalf: addresses and prefixes."},
    {"key", VALUE_KEY, AT(key), .def = "none",
	.doc = "The name of the key that SOA queries and transfers from it are signed with; what "
	       "comes back unsigned or with another signature is not used. Its NOTIFYs may be "
	       "signed with it, too, and NOTIFY(AXFR) must be (forced). The word none is no key."},
    {"notify-key", VALUE_KEY, AT(notify_key), .def = "none",
	.doc = "The name of the key that each NOTIFY from it must be signed with, also where the "
	       "address is right; without one, NOTIFY(SOA) is taken by address. What was signed "
	       "earlier than the last one that was acted upon before a restart is refused after it "
	       "(BADTIME): of several senders with one key, one whose clock is behind is refused "
	       "for that long, and NOTIFY(AXFR) in the second of that last one, too."},
    {"max-transfers", VALUE_COUNT, AT(max_transfers), .def = "8", .min = 1, .max = 10000,
	.doc = "Transfers from it at the same time."},
    {"soa-rate", VALUE_COUNT, AT(soa_rate), .def = "10000", .min = 1, .max = 1000000,
	.doc = "SOA queries to it per second. The 20 of other servers suit a few hundred zones; "
	       "a primary that changes 10,000 zones at once would wait for minutes. The next 256 "
	       "queries leave only as answers come, so one that is slow is not flooded "
	       "whatever stands here."},
    {"ixfr", VALUE_BOOL, AT(ixfr), .def = "yes", .doc = "no: it is asked for whole zones only."},
    {"ixfr-strict", VALUE_BOOL, AT(ixfr_strict), .def = "yes",
	.doc =
	    "yes: a difference that adds a record which is there already is not trusted, and the "
	    "whole "
	    "zone is fetched (RFC 1995 section 4). no: such an addition is ignored. NSD 4.6 sends "
	    "them when it makes differences itself (create-ixfr)."},
    {"edns", VALUE_BOOL, AT(edns), .def = "yes",
	.doc =
	    "no: queries to it never carry EDNS. A primary which does not answer queries with EDNS "
	    "is found out without it; this saves the time."},
    {"soa-tcp", VALUE_BOOL, AT(soa_tcp), .def = "no",
	.doc = "yes: SOA queries use TCP, so that forged answers have no chance (RFC 5452)."},
    {"forced", VALUE_CHOICE, AT(forced), .def = "auto", .choice = forced_words,
	.doc = "Whose NOTIFY(AXFR) on its behalf makes zones be fetched anew, whatever their "
	       "serial. address: one from its addresses or from notify-from. key: one that is "
	       "signed with its notify-key, or with its key when it has no notify-key, or comes "
	       "over TLS with its certificate. auto: a "
	       "signed one when it has a key, or one with its certificate when it has tls, else by "
	       "address. off: nobody's; it is answered with "
	       "REFUSED."},
    {"max-forced", VALUE_COUNT, AT(max_forced), .def = "4", .min = 1, .max = 10000,
	.doc = "Forced transfers from it at the same time. They count among its max-transfers as "
	       "well; with half of them, ordinary changes still come through."},
    {"forced-rate", VALUE_COUNT, AT(forced_rate), .def = "60", .min = 1, .max = 1000000,
	.doc = "Forced transfers from it begun per minute. Further ones wait and are not lost. One "
	       "a second is no burden for a primary, whatever NOTIFYs somebody forges."},
    {"forced-burst", VALUE_COUNT, AT(forced_burst), .def = "10", .min = 1, .max = 100000,
	.doc = "How many of them may begin at once after a quiet time: with 10, an operator who "
	       "repairs a few zones does not wait."},
};
#undef AT

#define AT(member) .at = offsetof(struct config_downstream, member)
static const struct schema_key downstream_keys[] = {
    {"address", VALUE_ADDRS, AT(address),
	.doc =
	    "One address or a list of them: where NOTIFY is sent to, each of them. The port is 53 "
	    "when none is written, or 853 with tls. Needed, unless notify is no."},
    {"tls", VALUE_SUB, AT(tls), .sub = &schema_tls,
	.doc = "NOTIFY to it goes over TLS, and never otherwise. NSD and PowerDNS do not take it "
	       "that way."},
    {"client-name", VALUE_HOST, AT(client_name),
	.doc = "The domain name in the certificate (subjectAltName) that it must show on TLS "
	       "connections to us, besides the right address; the certificate must come from "
	       "client-ca of the server. Downstreams at one address are told apart by it."},
    {"client-pin", VALUE_PINS, AT(client_pin),
	.doc = "The SHA-256 of the public key of that certificate in base64, or a list of them; "
	       "with client-name as well, or without. With client-name it may be that of any "
	       "certificate of the chain."},
    {"xot", VALUE_CHOICE, AT(xot), .choice = xot_words, .def = "no",
	.def_doc = "require, when it has client-name or client-pin; else no",
	.doc = "require: it may transfer over TLS only, and must prove who it is by client-name or "
	       "client-pin, or by its address and its key. An address alone is not enough (RFC "
	       "9103 section 7.5). no: over TCP as well, by its address and its key; with "
	       "client-name that is meant for a time of transition."},
    {"transfer-from", VALUE_PREFIXES, AT(transfer_from), .def_doc = "its addresses",
	.doc = "Who may transfer as this downstream: addresses and prefixes."},
    {"key", VALUE_KEY, AT(key), .def = "none",
	.doc = "The name of the key that its SOA, IXFR and AXFR queries must be signed with, also "
	       "where the address is right; NOTIFY to it is signed with it. Downstreams at the "
	       "same address are told apart by their keys."},
    {"notify-key", VALUE_KEY, AT(notify_key), .def = "none", .def_doc = "its key",
	.doc = "The name of the key that NOTIFY to it is signed with, if that is another one. "
	       "none: NOTIFY is not signed."},
    {"notify", VALUE_BOOL, AT(notify), .def = "yes",
	.doc = "no: it may transfer and is not notified; transfer-from then says who it is."},
    {"notify-hint", VALUE_BOOL, AT(notify_hint), .def = "yes",
	.doc = "The new SOA goes along in the NOTIFY (RFC 1996 section 3.7). no: for a downstream "
	       "that dislikes it."},
    {"notify-transport", VALUE_CHOICE, AT(notify_transport), .def = "udp", .choice = transports,
	.def_doc = "tls, when it has tls; else udp", .doc = "How NOTIFY is sent."},
    {"source", VALUE_SOURCE, AT(source4),
	.doc = "The local address that NOTIFY comes from: one of IPv4, one of IPv6, or both."},
    {"server", VALUE_CHOICE, AT(server), .def = "none", .choice = server_words,
	.doc = "The kind of a server on this machine, for one which does not understand "
	       "NOTIFY(AXFR): it gives on-forced its default, the command that makes such a "
	       "server transfer a zone whatever its serial."},
    {"on-forced", VALUE_ARGV, AT(on_forced),
	.def_doc = "as server says, bind: [rndc, retransfer, \"{zone}\"], nsd: [nsd-control, "
		   "force_transfer, \"{zone}\"], knot: [knotc, zone-retransfer, \"{zone}\"], "
		   "powerdns: [pdns_control, retrieve, \"{zone}\"]",
	.doc = "Run after a forced transfer of one of its zones has been stored. [] for none."},
    {"on-change", VALUE_ARGV, AT(on_change), .def_doc = "none",
	.doc =
	    "Run after any other change of one of its zones has been stored; also after one by a "
	    "forced transfer, when there is no on-forced."},
    {"hook-timeout", VALUE_DURATION, AT(hook_timeout_us), .def = "60s", .min = S, .max = 3600 * S,
	.doc = "A command which takes longer is ended, and counts as failed. rndc and its like "
	       "give up by themselves within 60 seconds, and then say why."},
    {"hook-tries", VALUE_COUNT, AT(hook_tries), .def = "5", .min = 1, .max = 100,
	.doc = "How often a command that fails is run in all: again after 10 seconds, then after "
	       "twice as long each time, at most 10 minutes. 5 tries outlast a restart of the "
	       "server, as they span two and a half minutes."},
};
#undef AT

#define AT(member) .at = offsetof(struct policy_draft, member)
static const struct schema_key template_keys[] = {
    {"primaries", VALUE_NAMES, AT(primaries), .def_doc = "all, in the order of the file",
	.doc = "The names of the primaries, tried in this order; the one that sent NOTIFY comes "
	       "first."},
    {"downstreams", VALUE_NAMES, AT(downstreams), .def_doc = "all",
	.doc = "The names of the downstreams; the empty list [] for none."},
    {"xot", VALUE_CHOICE, AT(p.xot), .def = "no", .choice = xot_words,
	.doc = "require: the zone is transferred over TLS only (RFC 9103), in and out: each of its "
	       "primaries must have tls, and each of its downstreams is treated as if it had xot: "
	       "require."},
    {"soa-over-tls", VALUE_BOOL, AT(p.soa_over_tls), .def = "yes",
	.doc =
	    "Where xot: require holds, of the zone or of a downstream, SOA queries must come "
	    "over TLS, too. no: for downstreams that ask for the SOA over UDP. A primary with tls "
	    "is always asked over TLS."},
    {"refresh", VALUE_RANGE, AT(p.refresh_min_us), .def = "300s..4w", .min = S, .max = 52 * WEEK,
	.doc = "Bounds for the REFRESH timer of the SOA. The SOA itself is not changed."},
    {"retry", VALUE_RANGE, AT(p.retry_min_us), .def = "60s..2w", .min = S, .max = 52 * WEEK,
	.doc = "Bounds for the RETRY timer of the SOA."},
    {"max-size", VALUE_SIZE, AT(p.max_size), .def = "2GiB", .min = 64 * KIB, .max = TIB,
	.doc = "A transfer with more octets is given up, and the old version stays."},
    {"max-records", VALUE_NUMBER, AT(p.max_records), .def = "50000000", .min = 2,
	.max = UINT64_C(10000000000),
	.doc = "A transfer with more records is given up, and the old version stays."},
    {"max-messages", VALUE_NUMBER, AT(p.max_messages), .def = "10000000", .min = 1,
	.max = UINT64_C(10000000000),
	.doc = "A transfer with more messages is given up, and the old version stays. Some "
	       "servers send each record in a message of its own; a zone of max-size has that "
	       "many when they are of 200 octets."},
    {"max-steps", VALUE_COUNT, AT(p.max_steps), .def = "10000", .min = 1, .max = 10000000,
	.doc = "A difference with more steps is given up, and the whole zone is fetched. Each step "
	       "costs a row of the database, and no more than 10000 are ever kept."},
    {"max-transfer-time", VALUE_DURATION, AT(p.max_transfer_us), .def = "2h", .min = S, .max = WEEK,
	.doc = "A transfer from a primary that takes longer is given up."},
    {"max-transfer-time-out", VALUE_DURATION, AT(p.max_transfer_out_us), .def = "2h", .min = S,
	.max = WEEK,
	.doc = "A transfer to a downstream that takes longer is given up. Until it ends, no older "
	       "version of the zone can be removed from the database."},
    {"splay", VALUE_DURATION, AT(p.splay_us), .def = "0s", .min = 0, .max = 3600 * S,
	.doc =
	    "The first NOTIFY to each downstream is delayed at random by up to this time, so that "
	    "many downstreams do not transfer all at once. 30s is good for more than 8 "
	    "downstreams; 0 notifies at once."},
    {"journal-steps", VALUE_COUNT, AT(p.journal_steps), .def = "1000", .min = 0, .max = 10000,
	.doc = "How many changes are kept for IXFR, as long as they are not larger than the zone. "
	       "With the 20 of other servers, a downstream that takes each change a little late "
	       "soon needs "
	       "the whole zone. 0: it always gets the whole zone."},
    {"ixfr", VALUE_BOOL, AT(p.ixfr), .def = "yes", .doc = "no: only AXFR is asked for."},
    {"notify-enclosing", VALUE_BOOL, AT(p.notify_enclosing), .def = "yes",
	.doc = "A NOTIFY for a name below the zone counts for the zone, unless the name is "
	       "delegated (RFC 1996 section 4.7)."},
    {"forced-interval", VALUE_DURATION, AT(p.forced_interval_us), .def = "60s", .min = S,
	.max = 86400 * S,
	.doc = "One forced transfer of the zone is begun in so long, or in 3 times what the last "
	       "one took, if that is longer. What comes sooner waits, and one transfer then "
	       "serves all of it. At 60s, forged NOTIFYs cost a primary no more than a short "
	       "RETRY."},
    {"forced-burst", VALUE_COUNT, AT(p.forced_burst), .def = "1", .min = 1, .max = 1000,
	.doc = "How many forced transfers of the zone may begin without waiting after a quiet "
	       "time. One brings all that the primary has, so more is for tests."},
    {"forced-lower-serial", VALUE_CHOICE, AT(p.forced_lower), .def = "authenticated",
	.choice = lower_words,
	.doc = "When a forced transfer may bring a lower serial, besides by command of the "
	       "operator. authenticated: when the NOTIFY was signed. always: whoever asked for "
	       "it. never: not at all. It takes the zone back to older content."},
    {"forced-splay", VALUE_DURATION, AT(p.forced_splay_us), .def = "60s", .min = 0, .max = 3600 * S,
	.doc = "NOTIFY(AXFR) to several downstreams is spread over as long as they need to "
	       "transfer the zone one after the other, but at most over this time and REFRESH, "
	       "since all of them fetch the whole zone. At 60s, 50 downstreams begin about one a "
	       "second, and the last is still told soon. It is never less than splay."},
    {"forced-window", VALUE_DURATION, AT(p.forced_window_us), .def = "10m", .min = S,
	.max = 86400 * S,
	.doc = "When a further NOTIFY(AXFR) within this time brings the same content, it goes "
	       "only to those downstreams that have not fetched the zone since; so rings of "
	       "relays come to rest. It doubles with each repetition, up to one day. 10m is "
	       "longer than a NOTIFY needs around a ring, even with its retries."},
    {"forced-verify", VALUE_DURATION, AT(p.forced_verify_us), .def = "300s", .min = S,
	.max = 86400 * S,
	.doc = "How long after a forced transfer, besides twice the spread, a downstream that "
	       "acknowledged NOTIFY(AXFR) may take to come for the zone. After that it is named "
	       "in the log: some servers acknowledge and do nothing. 300s covers a server that "
	       "is busy with other transfers."},
    {"forced-return", VALUE_BOOL, AT(p.forced_return), .def = "yes",
	.doc = "no: NOTIFY(AXFR) is not sent to the host which sent the one that caused it, nor "
	       "to the one that the zone was transferred from. The AXFR-NOTIFY draft wants it "
	       "sent to all."},
    {"notify-targets", VALUE_CHOICE, AT(p.notify_targets), .def = "explicit",
	.choice = targets_words,
	.doc = "Who is notified of changes. explicit: the addresses of the downstreams. ns: the "
	       "hosts of the zone's NS records. ns-and-acl: those of them that may transfer. acl: "
	       "the single addresses that may transfer. All but explicit leave out this daemon "
	       "itself, the primaries, and downstreams with notify no."},
    {"also-notify", VALUE_ADDRS, AT(p.also_notify), .min = DNS,
	.doc = "Addresses which are notified in any case. The port is 53 when none is written. "
	       "To transfer, they also need to be somebody's transfer-from."},
    {"notify-key", VALUE_KEY, AT(p.notify_key), .def = "none",
	.doc = "The name of the key that NOTIFY is signed with to those of also-notify and of "
	       "notify-targets that are no downstream, which has a key of its own. For several "
	       "keys, make downstreams of them."},
    {"notify-mname", VALUE_BOOL, AT(p.notify_mname), .def = "no",
	.doc = "yes: among the hosts of the NS records, the one that the SOA names is notified "
	       "too. It is the primary (RFC 1996 section 3.3), unless that is hidden."},
};

static const struct schema_key zone_keys[] = {
    {"template", VALUE_NAME, AT(template), .def_doc = "default",
	.doc = "The template whose keys the zone has, where it has none of its own."},
};
#undef AT

#define AT(member) .at = offsetof(struct zone_list_draft, member)
static const struct schema_key zone_list_keys[] = {
    {"file", VALUE_NAME, AT(file),
	.doc = "Needed. A text file with one domain name per line; '#' at the start of a line or "
	       "behind a blank begins a comment. A relative path counts from the folder of the "
	       "configuration file."},
    {"template", VALUE_NAME, AT(template), .def_doc = "default",
	.doc = "The template of its zones."},
};
#undef AT

const struct schema schema_file = {"", "the file",
    .doc = "The file is a map with these keys, all of them optional.", TABLE(file_keys)};
const struct schema schema_server = {"server", "'server'", TABLE(server_keys)};
const struct schema schema_server_tls = {"tls", "'tls' of the server", TABLE(server_tls_keys)};
const struct schema schema_tls = {"tls", "'tls' of a primary or downstream", TABLE(tls_keys)};
const struct schema schema_log = {"log", "'log'", TABLE(log_keys)};
const struct schema schema_key = {"keys", "a key", TABLE(tsig_keys)};
const struct schema schema_primary = {"primaries", "a primary", TABLE(primary_keys)};
const struct schema schema_downstream = {"downstreams", "a downstream", TABLE(downstream_keys)};
const struct schema schema_template = {"templates", "a template", TABLE(template_keys)};
const struct schema schema_zone = {"zones", "a zone",
    .doc = "A zone may have every key of a template, and in addition:", TABLE(zone_keys),
    .base = &schema_template};
const struct schema schema_zone_list = {"zone-lists", "a zone list", TABLE(zone_list_keys)};

const struct schema *const schema_all[] = {&schema_file, &schema_server, &schema_server_tls,
    &schema_log, &schema_key, &schema_primary, &schema_downstream, &schema_tls, &schema_template,
    &schema_zone, &schema_zone_list, NULL};
