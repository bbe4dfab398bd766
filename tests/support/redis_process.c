/* Its files lie in the test's folder, which is removed as a whole. */
#include "tests/support/redis_process.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "tests/support/process.h"
#include "tests/support/wait.h"

enum { LIMIT_MS = 15000 };

static bool answers(void *context)
{
	const struct redis_process *redis = context;
	redisContext *connection = redisConnectUnix(redis->socket);
	redisReply *reply = NULL;

	if (connection != NULL && connection->err == 0)
		reply = redisCommand(connection, "PING");
	bool ready = reply != NULL && reply->type == REDIS_REPLY_STATUS;
	if (reply != NULL)
		freeReplyObject(reply);
	if (connection != NULL)
		redisFree(connection);
	return ready;
}

void redis_process_start(struct redis_process *redis)
{
	/* What it has written outlives it in any case; a disk that is busy must not make it look hung. */
	const char *argv[] = {"redis-server", "--port", "0", "--unixsocket", redis->socket, "--dir",
		redis->folder, "--logfile", "redis.log", "--save", "", "--appendonly", "yes",
		"--appendfsync", "no", "--maxmemory-policy", "noeviction", NULL};
	struct process_options options = {argv, NULL, -1, -1, -1};

	redis->pid = process_start(&options);
	cr_assert(wait_until(answers, redis, LIMIT_MS), "redis-server does not answer in %s",
		redis->folder);
}

void redis_process_open(struct redis_process *redis, const char *folder)
{
	int len = snprintf(redis->folder, sizeof redis->folder, "%s", folder);
	int socket_len = snprintf(redis->socket, sizeof redis->socket, "%s/redis.sock", folder);

	cr_assert(len < REDIS_PATH_SIZE && socket_len < REDIS_PATH_SIZE, "too long a path: %s",
		folder);
	snprintf(redis->url, sizeof redis->url, "unix://%s", redis->socket);
	redis_process_start(redis);
}

void redis_process_stop(struct redis_process *redis)
{
	int status = 0;

	if (redis->pid == 0)
		return;
	kill(redis->pid, SIGTERM);
	bool ended = process_wait(redis->pid, LIMIT_MS, &status);
	if (!ended)
		process_kill(redis->pid);
	redis->pid = 0;
	cr_assert(ended && status == 0, "redis-server did not end well: status %d", status);
}

void redis_process_kill(struct redis_process *redis)
{
	process_kill(redis->pid);
	redis->pid = 0;
}

redisContext *redis_process_connect(const struct redis_process *redis)
{
	redisContext *connection = redisConnectUnix(redis->socket);

	cr_assert(connection != NULL && connection->err == 0, "no Redis at %s", redis->socket);
	return connection;
}
