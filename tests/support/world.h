/* The world of one test: a folder, a database and a Redis of its own, and one or several instances of the
 * server on them. Whatever the test asks the world to do that does not go well fails the test; when the
 * test fails, the folder with the logs stays. */
#ifndef ONSALE_TESTS_SUPPORT_WORLD_H
#define ONSALE_TESTS_SUPPORT_WORLD_H

#include <sys/queue.h>
#include "tests/support/answer.h"
#include "tests/support/call.h"
#include "tests/support/database.h"
#include "tests/support/instance.h"
#include "tests/support/redis_process.h"

enum { WORLD_INSTANCES_MAX = 4, WORLD_NODES_MAX = 5 };

struct world_options {
	unsigned instances; /* 0: one */
	bool no_redis; /* redis.url=none */
	unsigned
		redlock; /* lock.mode=redlock, over so many Redis of its own; 0: as the flags say */
	bool share_port; /* all instances on the first one's */
	bool unmigrated; /* the database stays empty and nothing is started: world_start goes on */
	const char *flags[INSTANCE_FLAGS_MAX];
};

/* Flags for a test in which a busy machine must not be taken for stores that are away or overrun. */
#define WORLD_PATIENCE \
	"--db.backlog_max_ms=60000", "--db.deadline_ms=30000", "--lock.locking_ms=60000", \
		"--redis.deadline_ms=5000"

struct person {
	int64_t id;
	char *jwt;
};

struct people {
	struct person *list;
	size_t count;
};

struct sale {
	int64_t event_id, performance_id, price, capacity, admit_per_second;
	int64_t *seat_ids;
	size_t seat_count;
};

struct world {
	struct world_options options;
	char folder[INSTANCE_PATH_SIZE / 2];
	char database_name[DATABASE_NAME_SIZE], database_url[DATABASE_URL_SIZE];
	char database_env[DATABASE_URL_SIZE + 16], redis_env[REDIS_PATH_SIZE + 32];
	const char *env[12];
	PGconn *db;
	struct redis_process redis;
	struct redis_process nodes[WORLD_NODES_MAX]; /* of the Redlock */
	char redlock_urls[WORLD_NODES_MAX * (REDIS_PATH_SIZE + 16) + 32];
	struct instance instances[WORLD_INSTANCES_MAX];
	char names[WORLD_INSTANCES_MAX][24];
	struct people admins; /* one */
	struct people people; /* world_fill's */
	struct sale sale; /* world_fill's */
	STAILQ_HEAD(, kept_answer) answers;
};

struct world *world_open(const struct world_options *options);

/* Further flags, behind those that are there. */
void world_options_add(struct world_options *options, const char *const *flags, size_t count);

/* Migrates, makes an operator and starts the instances; world_open does it, where it was not told to wait. */
void world_start(struct world *world);
void world_migrate(struct world *world);

/* Stops the instances, which must end well, and removes all that was made. */
void world_close(struct world *world);

/* false: nobody may connect to the database any more, and nobody but the test is. */
void world_set_database(struct world *world, bool there);

int world_port(const struct world *world, unsigned instance);

/* People with a balance; free with people_free. */
void world_people(struct world *world, struct people *people, unsigned count, int64_t balance);
void people_free(struct people *people);

/* --- single calls, to the first instance where none is named --- */

/* The answer is the world's, until world_close; the test fails where none comes. */
struct answer *world_call(struct world *world, const struct call *call);
struct answer *world_call_at(struct world *world, unsigned instance, const struct call *call);

/* … and fails where the status is another one; for a refusal also where it is not a problem document with
 * this code, as the contract describes it. code: NULL for a success. */
struct answer *expect(struct world *world, const struct call *call, int status, const char *code);
struct answer *expect_at(struct world *world, unsigned instance, const struct call *call,
	int status, const char *code);

/* The shape of every refusal: RFC 9457's members, code, request_id, no-store, Retry-After with 429 and 503. */
void check_problem(struct answer *answer, int status, const char *code);

/* An operator sets members of the queue of the sale's event. */
void world_set_line(struct world *world, const char *body);

/* A path or body, made by printf; lives as long as the world. */
const char *textf(struct world *world, const char *format, ...) PRINTF_LIKE(2, 3);

/* --- what is on sale --- */

/* An opening that no test comes near; sale_opens_in brings it here. */
#define SALE_OPENS_FAR_AHEAD "2100-01-01T00:00:00Z"

struct sale_options {
	bool queue;
	int64_t capacity, admit_per_second; /* 0: 10, 1000 */
	int64_t pass_ttl_seconds, abandon_after_seconds; /* 0: 300, 60 */
	int64_t rows, seats_per_row, price; /* 0: 1, 10, 1000 */
	const char *sale_opens_at; /* NULL: open */
};

/* An event with one performance, made by the operator's calls, known to every instance. */
void sale_open(struct world *world, struct sale *sale, const struct sale_options *options);
void sale_close(struct sale *sale);

/* The world's sale opens in so many ms, which is returned as a time; instances know it half a second later. What must
 * be there before the opening is made while that is far ahead, however long it takes. */
int64_t sale_opens_in(struct world *world, int64_t ms);

/* {"performance_id":…,"seat_ids":[…]} */
const char *hold_body(
	struct world *world, const struct sale *sale, const int64_t *seat_ids, size_t seat_count);

/* The people and the sale that most tests need, as the world's own. */
void world_fill(
	struct world *world, unsigned people, int64_t balance, const struct sale_options *options);

/* Holds one seat for a person of an event without a line, and gives the reservation's id. */
int64_t hold_seat(struct world *world, const struct sale *sale, const struct person *person,
	int64_t seat_id, const char *key);

#endif
