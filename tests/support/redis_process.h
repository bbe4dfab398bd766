/* A redis-server of a test's own, on a unix socket, with AOF: stopped and started again, it is as it was. */
#ifndef ONSALE_TESTS_SUPPORT_REDIS_PROCESS_H
#define ONSALE_TESTS_SUPPORT_REDIS_PROCESS_H

#include <hiredis/hiredis.h>
#include <sys/types.h>

enum { REDIS_PATH_SIZE = 100 }; /* a socket's path holds 107 bytes */

struct redis_process {
	pid_t pid; /* 0: does not run */
	char folder[REDIS_PATH_SIZE], socket[REDIS_PATH_SIZE], url[REDIS_PATH_SIZE + 16];
};

/* Starts it in the folder, which exists, and waits until it answers. */
void redis_process_open(struct redis_process *redis, const char *folder);
void redis_process_start(struct redis_process *redis);

/* SIGTERM: it writes its AOF and ends. */
void redis_process_stop(struct redis_process *redis);

/* SIGKILL: it has no time for anything. Also of one that is frozen. */
void redis_process_kill(struct redis_process *redis);

/* A blocking connection; free with redisFree. */
redisContext *redis_process_connect(const struct redis_process *redis);

#endif
