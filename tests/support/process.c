/* fork and exec; what the child needs is made before the fork, since a fork must not allocate. */
#include "tests/support/process.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/support/wait.h"

enum { RUN_LIMIT_MS = 60000, READ_SIZE = 64 * 1024, ENV_MAX = 512, INPUT_MAX = 4096 };

const char *need_env(const char *name)
{
	const char *value = getenv(name);

	cr_assert(value != NULL && value[0] != '\0', "%s is not set: run the tests by `make test`",
		name);
	return value;
}

static bool same_name(const char *a, const char *b)
{
	size_t len = strcspn(a, "=");

	return strncmp(a, b, len) == 0 && b[len] == '=';
}

/* The test's environment, without what `env` names, and `env`. */
static void merge_env(const char *const *env, const char *merged[ENV_MAX])
{
	size_t count = 0;

	for (size_t i = 0; env != NULL && env[i] != NULL; i++)
		merged[count++] = env[i];
	size_t own = count;
	for (char **at = environ; *at != NULL; at++) {
		bool named = false;
		for (size_t i = 0; i < own; i++)
			named = named || same_name(merged[i], *at);
		if (!named && count < ENV_MAX - 1)
			merged[count++] = *at;
	}
	merged[count] = NULL;
}

static _Noreturn void become(const struct process_options *options, const char **env, pid_t parent)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || null < 0)
		_exit(127);
	if (dup2(options->in >= 0 ? options->in : null, STDIN_FILENO) < 0 ||
		dup2(options->out >= 0 ? options->out : null, STDOUT_FILENO) < 0 ||
		(options->err >= 0 && dup2(options->err, STDERR_FILENO) < 0))
		_exit(127);
	execvpe(options->argv[0], (char *const *)options->argv, (char *const *)env);
	_exit(127);
}

pid_t process_start(const struct process_options *options)
{
	const char *env[ENV_MAX];
	pid_t parent = getpid();

	merge_env(options->env, env);
	pid_t pid = fork();
	cr_assert(pid >= 0, "fork: %s", strerror(errno));
	if (pid == 0)
		become(options, env, parent);
	return pid;
}

struct ending {
	pid_t pid;
	int status;
};

static bool has_ended(void *context)
{
	struct ending *ending = context;

	return waitpid(ending->pid, &ending->status, WNOHANG) != 0;
}

bool process_wait(pid_t pid, unsigned limit_ms, int *status)
{
	struct ending ending = {.pid = pid};

	if (!wait_until(has_ended, &ending, limit_ms))
		return false;
	*status = ending.status;
	return true;
}

void process_kill(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}

static void gather(int fd, struct buf *output)
{
	uint64_t end_ms = now_ms() + RUN_LIMIT_MS;
	char scratch[READ_SIZE];

	for (;;) {
		struct pollfd poller = {.fd = fd, .events = POLLIN};
		uint64_t now = now_ms();
		if (now >= end_ms || poll(&poller, 1, (int)(end_ms - now)) <= 0)
			return;
		ssize_t got = read(fd, scratch, sizeof scratch);
		if (got <= 0)
			return;
		if (output != NULL)
			buf_append(output, scratch, (size_t)got);
	}
}

int process_run(
	const char *const *argv, const char *const *env, const char *input, struct buf *output)
{
	int in[2], out[2], status = 0;
	size_t input_len = input != NULL ? strlen(input) : 0;

	cr_assert(input_len < INPUT_MAX); /* so that it fits into the pipe at once */
	cr_assert(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	struct process_options options = {argv, env, in[0], out[1], -1};
	pid_t pid = process_start(&options);
	close(in[0]);
	close(out[1]);
	ssize_t put = write(in[1], input_len > 0 ? input : "", input_len);
	close(in[1]);
	gather(out[0], output);
	close(out[0]);
	bool ended = process_wait(pid, RUN_LIMIT_MS, &status);
	if (!ended)
		process_kill(pid);
	cr_assert(ended && put == (ssize_t)input_len && WIFEXITED(status),
		"%s %s did not end well: status %d", argv[0], argv[1], status);
	return WEXITSTATUS(status);
}
