/* What a run has to show: a row a kind of fault, as a table to read and as TAP to count. */
#ifndef ONSALE_TESTS_FAULTS_REPORT_H
#define ONSALE_TESTS_FAULTS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include "tests/faults/kinds.h"

struct row {
	unsigned injected;
	unsigned counted; /* requests were in flight, and the effect was seen */
	unsigned refused, unknown, lost; /* while they lasted and until all was well */
	unsigned connections; /* that a proxy broke or that came anew */
	uint64_t bytes; /* that a proxy delayed, split, lost or replaced */
	unsigned worst_ms; /* until all was well */
	unsigned late; /* how often that took too long */
	unsigned suspect; /* rounds with it in which something was wrong */
};

/* Rows by the kinds' numbers. */
void report_print(const struct row *rows);

/* To the file that ONSALE_TEST_FAULTS_REPORT names, where it does: a test for each kind that was injected. */
void report_write(const struct row *rows);

bool row_is_good(const struct row *row);

#endif
