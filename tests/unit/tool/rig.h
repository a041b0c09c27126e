/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole commands of zonerelayctl: a database made by the store with one zone in each state, and the
 * command line run within the test.
 */
#pragma once

#include "tests/unit/store/util.h"

#include "base/buf.h"

extern struct fx fx;
extern char sock[120];	    /* path of the control socket; nobody listens unless the test does */
extern char *out, *err;	    /* what the last command wrote */
extern unsigned segments;   /* of the zone loaded last */
extern struct buf expected; /* what its export must write */

/* Words separated by blanks; -d and -s are added.  Exit status. */
int run(const char *line);
void assert_in(const char *text, const char *word);
void assert_not_in(const char *text, const char *word);
char *slurp(int fd); /* a whole file; free() */

/* "<label>.example." with serial 10 and `hosts` more records, which expires then; its id. */
int64_t load_zone(const char *label, unsigned hosts, int64_t expire_us);

/* For cmocka: good, old (behind), fail, late (expired) and empty.example. */
int rig_setup(void **state);
int rig_teardown(void **state);
#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
