/* An event loop with connections to Redis and their lines, turned as the server turns its own, until a
 * condition holds: what the tests of db/redis.c and queue/ run on. */
#ifndef ONSALE_TESTS_LIVE_TURNS_H
#define ONSALE_TESTS_LIVE_TURNS_H

#include <stdbool.h>
#include <stdint.h>
#include "db/redis.h"
#include "tests/support/redis_process.h"

struct event;
struct event_base;
struct queue;

enum { TURNS_NODES = 4, TURNS_TEXT_SIZE = 256 };

struct node {
	struct redis *redis;
	struct queue *queue;
};

struct turns {
	struct event_base *base;
	struct event *pulse; /* lets conditions be asked while nothing happens */
	struct node nodes[TURNS_NODES];
	unsigned count;
};

/* A Redis of the test's own, in a folder of its own. */
struct own_redis {
	struct redis_process process;
	char folder[64];
};

/* What most tests take: short enough to be waited for, long enough for a busy machine. */
extern const struct redis_settings turns_settings;

void turns_open(struct turns *turns);
void turns_close(struct turns *turns);
/* Adds a connection with the scripts of queue/, and its line; waits for nothing. url NULL: the one that
 * ONSALE_TEST_REDIS_URL names. */
struct node *turns_add(struct turns *turns, const char *url, const struct redis_settings *settings);
/* … until all connections are up. */
void turns_up(struct turns *turns);

/* Runs the loop until the condition holds; the test fails where it does not within 20 s. */
void turns_until(struct turns *turns, bool (*condition)(const void *context), const void *context);
void turns_until_set(struct turns *turns, const bool *flag);
void turns_until_passed(
	struct turns *turns, uint64_t us); /* for what must not happen in that time */

/* A command of up to 8 words, and its reply. */
struct asked {
	bool done;
	unsigned answers;
	enum db_result result;
	int64_t number;
	char text[TURNS_TEXT_SIZE];
};
void ask_send(struct node *node, struct asked *asked, const char *const *words);
#define ASK_SEND(node, asked, ...) ask_send(node, asked, (const char *const[]){__VA_ARGS__, NULL})
struct asked ask(struct turns *turns, struct node *node, const char *const *words);
#define ASK(turns, node, ...) ask(turns, node, (const char *const[]){__VA_ARGS__, NULL})

void own_redis_open(struct own_redis *own);
void own_redis_kill(struct own_redis *own); /* SIGKILL; redis_process_start starts it again */
void own_redis_close(struct own_redis *own);

/* A number of this test's own. */
int64_t random_id(void);

#endif
