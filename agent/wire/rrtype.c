/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/rrform.h"

#include <stdio.h>

/* Sorted by number.  NULL: no text that is read alike by all; rrform.c explains the letters. */
static const struct {
	uint16_t type;
	const char *name;
	const char *form;
} types[] = {
    {1, "A", "4"},
    {2, "NS", "n"},
    {3, "MD", NULL},
    {4, "MF", NULL},
    {5, "CNAME", "n"},
    {6, "SOA", "nnwwwww"},
    {7, "MB", NULL},
    {8, "MG", NULL},
    {9, "MR", NULL},
    {10, "NULL", NULL},
    {11, "WKS", NULL},
    {12, "PTR", "n"},
    {13, "HINFO", "ss"},
    {14, "MINFO", NULL},
    {15, "MX", "hn"},
    {16, "TXT", "S"},
    {17, "RP", "nn"},
    {18, "AFSDB", "hn"},
    {19, "X25", NULL},
    {20, "ISDN", NULL},
    {21, "RT", NULL},
    {22, "NSAP", NULL},
    {24, "SIG", NULL},
    {25, "KEY", NULL},
    {26, "PX", NULL},
    {27, "GPOS", NULL},
    {28, "AAAA", "6"},
    {29, "LOC", "L"},
    {30, "NXT", NULL},
    {33, "SRV", "hhhn"},
    {35, "NAPTR", "hhsssn"},
    {36, "KX", "hn"},
    {37, "CERT", "HhbB"},
    {38, "A6", NULL},
    {39, "DNAME", "n"},
    {41, "OPT", NULL},
    {42, "APL", "L"},
    {43, "DS", "hbbx"},
    {44, "SSHFP", "bbx"},
    {45, "IPSECKEY", NULL},
    {46, "RRSIG", "TbbwddhnB"},
    {47, "NSEC", "nm"},
    {48, "DNSKEY", "hbbB"},
    {49, "DHCID", NULL},
    {50, "NSEC3", "bbhzkM"},
    {51, "NSEC3PARAM", "bbhz"},
    {52, "TLSA", "bbbx"},
    {53, "SMIMEA", "bbbx"},
    {55, "HIP", NULL},
    {59, "CDS", "hbbx"},
    {60, "CDNSKEY", "hbbB"},
    {61, "OPENPGPKEY", "B"},
    {62, "CSYNC", "whm"},
    {63, "ZONEMD", "wbbx"},
    {64, "SVCB", "L"},
    {65, "HTTPS", "L"},
    {99, "SPF", "S"},
    {104, "NID", NULL},
    {105, "L32", NULL},
    {106, "L64", NULL},
    {107, "LP", NULL},
    {108, "EUI48", "e"},
    {109, "EUI64", "E"},
    {249, "TKEY", NULL},
    {250, "TSIG", NULL},
    {251, "IXFR", NULL},
    {252, "AXFR", NULL},
    {255, "ANY", NULL},
    {256, "URI", "hhq"},
    {257, "CAA", "btq"},
    {32769, "DLV", NULL},
};

static int
find(uint16_t type)
{
	size_t low = 0, high = sizeof(types) / sizeof(types[0]), mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (types[mid].type == type)
			return (int)mid;
		if (types[mid].type < type)
			low = mid + 1;
		else
			high = mid;
	}
	return -1;
}

const char *
rr_type_text(uint16_t type, char out[16])
{
	int i = find(type);

	if (i >= 0)
		return types[i].name;
	snprintf(out, 16, "TYPE%u", type);
	return out;
}

const char *
rr_type_form(uint16_t type)
{
	int i = find(type);

	return i >= 0 ? types[i].form : NULL;
}
