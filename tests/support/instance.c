/* An instance's standard error goes to a file of its own for each start; the port is read from there. */
#include "tests/support/instance.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/support/process.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"

enum { READY_LIMIT_MS = 20000, STOP_LIMIT_MS = 15000, LAST_WORDS = 4000 };

/* The log's first bytes, or its last ones; false where there is nothing yet. */
static bool read_log(const struct instance *instance, char *text, size_t size, bool last)
{
	int fd = open(instance->log_path, O_RDONLY | O_CLOEXEC);
	off_t all = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	off_t from = last && all >= (off_t)size ? all - (off_t)size + 1 : 0;
	ssize_t got = fd < 0 ? -1 : pread(fd, text, size - 1, from);

	if (fd >= 0)
		close(fd);
	text[got > 0 ? got : 0] = '\0';
	return got > 0;
}

char *instance_log_line(const struct instance *instance, const char *text)
{
	FILE *log = fopen(instance->log_path, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	cr_assert(log != NULL, "%s: %s", instance->log_path, strerror(errno));
	do
		len = getline(&line, &size, log);
	while (len > 0 && (strstr(line, text) == NULL || line[len - 1] != '\n'));
	fclose(log);
	if (len > 0)
		return line;
	free(line);
	return NULL;
}

bool instance_logged(const struct instance *instance, const char *text)
{
	char *line = instance_log_line(instance, text);

	free(line);
	return line != NULL;
}

/* It died: what it said last tells why. */
static void fail_with_log(const struct instance *instance, const char *what)
{
	char log[LAST_WORDS];

	if (read_log(instance, log, sizeof log, true))
		fprintf(stderr, "%s:\n%s\n", instance->log_path, log);
	cr_assert_fail("%s %s; its log: %s", instance->name, what, instance->log_path);
}

static bool has_ended(struct instance *instance)
{
	int status;

	if (instance->pid == 0 || waitpid(instance->pid, &status, WNOHANG) == 0)
		return false;
	instance->pid = 0;
	return true;
}

static bool accepts(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool accepted = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;

	if (fd >= 0)
		close(fd);
	return accepted;
}

static bool is_listening(void *context)
{
	static const char said[] = "listening on 127.0.0.1:";
	struct instance *instance = context;
	char log[16 * 1024];

	if (has_ended(instance))
		fail_with_log(instance, "ended before it listened");
	if (instance->quiet)
		return accepts(instance->port);
	const char *found = read_log(instance, log, sizeof log, false) ? strstr(log, said) : NULL;
	if (found == NULL || strchr(found, '\n') == NULL)
		return false;
	instance->port = (int)strtol(found + sizeof said - 1, NULL, 10);
	return instance->port > 0;
}

static bool is_ready(void *context)
{
	struct instance *instance = context;
	struct call call = {.method = "GET", .path = "/readyz"};
	struct answer answer = {0};

	if (has_ended(instance))
		fail_with_log(instance, "ended before it was ready");
	bool ready = wire_call(instance->port, &call, &answer) && answer.status == 200 &&
		     json_array_size(json_object_get(answer_json(&answer), "degraded")) == 0;
	answer_clear(&answer);
	return ready;
}

void instance_launch(struct instance *instance)
{
	const char *argv[INSTANCE_FLAGS_MAX + 8] = {need_env("ONSALE_TEST_SERVER"), "serve"};
	char port[32];
	size_t count = 2;

	snprintf(port, sizeof port, "--http.port=%d", instance->port);
	argv[count++] = port;
	for (size_t i = 0; instance->flags[i] != NULL; i++)
		argv[count++] = instance->flags[i];
	snprintf(instance->log_path, sizeof instance->log_path, "%s/%s.%u.log", instance->folder,
		instance->name, ++instance->starts);
	int log = open(instance->log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert(log >= 0, "%s: %s", instance->log_path, strerror(errno));
	struct process_options options = {argv, instance->env, -1, -1, log};
	instance->pid = process_start(&options);
	close(log);
	if (!wait_until(is_listening, instance, READY_LIMIT_MS))
		fail_with_log(instance, "did not listen in time");
}

void instance_wait_ready(struct instance *instance)
{
	if (!wait_until(is_ready, instance, READY_LIMIT_MS))
		fail_with_log(instance, "was not ready in time");
}

void instance_start(struct instance *instance)
{
	instance_launch(instance);
	instance_wait_ready(instance);
}

void instance_kill(struct instance *instance)
{
	cr_assert(instance->pid > 0 && !has_ended(instance), "%s is not running", instance->name);
	process_kill(instance->pid);
	instance->pid = 0;
}

void instance_stop(struct instance *instance)
{
	int status = 0;

	if (instance->pid == 0)
		return;
	kill(instance->pid, SIGTERM);
	if (!process_wait(instance->pid, STOP_LIMIT_MS, &status)) {
		process_kill(instance->pid);
		instance->pid = 0;
		fail_with_log(instance, "did not end after SIGTERM");
	}
	instance->pid = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_with_log(instance, "did not end well after SIGTERM");
}

double instance_metric(const struct instance *instance, const char *name)
{
	struct call call = {.method = "GET", .path = "/metrics"};
	struct answer answer = {0};
	size_t len = strlen(name);

	cr_assert(wire_call(instance->port, &call, &answer) && answer.status == 200);
	const char *line = answer.body;
	while (line != NULL && (strncmp(line, name, len) != 0 || line[len] != ' ')) {
		line = strchr(line, '\n');
		line = line != NULL ? line + 1 : NULL;
	}
	cr_assert(line != NULL, "/metrics says nothing of %s", name);
	double value = strtod(line + len + 1, NULL);
	answer_clear(&answer);
	return value;
}
