/* A kind that was injected and never counted has shown nothing: it has failed. */
#include "tests/faults/report.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

bool row_is_good(const struct row *row)
{
	return row->counted > 0 && row->late == 0 && row->suspect == 0;
}

static const char *verdict(const struct row *row)
{
	if (row->suspect > 0)
		return "VIOLATED";
	if (row->late > 0)
		return "LATE";
	return row->counted > 0 ? "ok" : "NOT SEEN";
}

void report_print(const struct row *rows)
{
	printf("%-28s %8s %8s %7s %8s %6s %6s %10s %9s  %s\n", "fault", "injected", "counted",
		"503", "unknown", "lost", "conns", "bytes", "well, ms", "verdict");
	for (size_t i = 0; i < kind_count; i++) {
		const struct row *row = &rows[i];
		if (row->injected > 0)
			printf("%-28s %8u %8u %7u %8u %6u %6u %10" PRIu64 " %9u  %s\n",
				kinds[i].name, row->injected, row->counted, row->refused,
				row->unknown, row->lost, row->connections, row->bytes,
				row->worst_ms, verdict(row));
	}
	fflush(stdout);
}

void report_write(const struct row *rows)
{
	const char *path = getenv("ONSALE_TEST_FAULTS_REPORT");
	unsigned good = 0, bad = 0;

	if (path == NULL)
		return;
	FILE *file = fopen(path, "we");
	cr_assert(file != NULL, "%s cannot be written", path);
	for (size_t i = 0; i < kind_count; i++) {
		if (rows[i].injected == 0)
			continue;
		bool is_good = row_is_good(&rows[i]);
		good += is_good;
		bad += !is_good;
		fprintf(file, "%s %u - %s: %s\n", is_good ? "ok" : "not ok", good + bad,
			kinds[i].name, verdict(&rows[i]));
	}
	fprintf(file, "1..%u\n# pass %u\n# fail %u\n", good + bad, good, bad);
	fclose(file);
}
