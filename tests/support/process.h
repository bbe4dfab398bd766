/* Programs that a test starts: each in a process group of its own, and killed by the kernel when the test
 * dies, whatever it dies of. */
#ifndef ONSALE_TESTS_SUPPORT_PROCESS_H
#define ONSALE_TESTS_SUPPORT_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>
#include "proto/base/buf.h"

enum { PROCESS_OUTPUT_MAX = 64 * 1024 * 1024 };

struct process_options {
	const char *const *argv; /* NULL-terminated; argv[0] is looked for in PATH */
	const char *const
		*env; /* NAME=value, on top of the test's own; NULL-terminated; may be NULL */
	int in, out, err; /* descriptors; -1: /dev/null for in and out, the test's own for err */
};

pid_t process_start(const struct process_options *options);

/* True where it ended within limit_ms; *status as waitpid gives it. */
bool process_wait(pid_t pid, unsigned limit_ms, int *status);

/* Ends it at once, and reaps it. */
void process_kill(pid_t pid);

/* Runs a program to its end, at most a minute: feeds it `input` (may be NULL), gathers its standard output
 * (may be NULL) and returns its exit status; the test fails where a signal ended it. */
int process_run(
	const char *const *argv, const char *const *env, const char *input, struct buf *output);

/* The value of an environment variable that the test needs; fails the test where it is missing. */
const char *need_env(const char *name);

#endif
