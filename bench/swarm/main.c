/* Virtual users of onsale, for load tests: options, a run, its report. See run.c for who begins when,
 * visitor.c for what they do. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "bench/swarm/run.h"

enum { WHY_SIZE = 1024 };

static int work(struct run *run)
{
	char why[WHY_SIZE] = "";

	if (!run_prepare(run, why, sizeof why)) {
		fprintf(stderr, "swarm: %s\n", why);
		return 1;
	}
	if (!run_all(run)) {
		fprintf(stderr, "swarm: %s could not be written\n", run->options.out);
		return 1;
	}
	return report_print(&run->report) ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct run *run = must_calloc(1, sizeof *run);
	char why[WHY_SIZE];
	int status = 0;

	signal(SIGPIPE, SIG_IGN);
	if (options_read(&run->options, argc, argv, why, sizeof why)) {
		status = work(run);
		run_free(run);
	} else if (why[0] != '\0') {
		fprintf(stderr, "swarm: %s\n", why);
		status = 2;
	}
	free(run);
	return status;
}
