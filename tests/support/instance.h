/* One running onsale: started on a free port, killed, stopped, and started again on the same port. */
#ifndef ONSALE_TESTS_SUPPORT_INSTANCE_H
#define ONSALE_TESTS_SUPPORT_INSTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { INSTANCE_FLAGS_MAX = 32, INSTANCE_PATH_SIZE = 256 };

struct instance {
	/* the caller's, before instance_start */
	bool quiet; /* does not log where it listens: on the port of the start before */
	const char *folder; /* for the logs */
	const char *name; /* of the log files */
	const char *const *env; /* NAME=value; NULL-terminated */
	const char *flags[INSTANCE_FLAGS_MAX]; /* NULL-terminated */

	/* instance.c's */
	pid_t pid; /* 0: does not run */
	int port; /* 0 until it was started once */
	unsigned starts;
	char log_path[INSTANCE_PATH_SIZE]; /* of the start at hand */
};

/* Starts `onsale serve` and waits until it listens and all that it needs is there. */
void instance_start(struct instance *instance);

/* Starts it, without waiting. */
void instance_launch(struct instance *instance);

/* Waits until /readyz says 200 and names nothing that is missing; the test fails after 20 s. */
void instance_wait_ready(struct instance *instance);

/* SIGKILL: it has no time for anything. */
void instance_kill(struct instance *instance);

/* SIGTERM: it must end by itself, with exit status 0, within 15 s. */
void instance_stop(struct instance *instance);

/* The number that /metrics gives for a name. */
double instance_metric(const struct instance *instance, const char *name);

/* The first whole line with the text in the log of the start at hand, which the caller frees; NULL: none. */
char *instance_log_line(const struct instance *instance, const char *text);

/* True where there is one. */
bool instance_logged(const struct instance *instance, const char *text);

#endif
