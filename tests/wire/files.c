/* No file can be opened any more, neither for a client nor for a store: whoever is connected is served, nothing
 * spins, and all comes back once files can be had. The limit is lowered under the running server's feet, below
 * every descriptor that it could get; wire_load/open_files has the one that is known at the start. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "tests/support/invariants.h"
#include "tests/support/wait.h"
#include "tests/wire/wiring.h"

enum { CLIENTS = 8, NO_FILES = 3, LIMIT_MS = 15000, SILENCE_MS = 500, WATCHED_S = 1 };

static const double busy_max_s = 0.25; /* of a second; a loop that spins takes all of it */

TestSuite(wire_files, .timeout = 90);

static const char live[] = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
static const char ready[] = "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n";

/* A world, and connections to it that were there before. */
struct scene {
	struct world *world;
	struct wire clients[CLIENTS];
};

static void set_files(const struct world *world, rlim_t files)
{
	struct rlimit limit;

	cr_assert(prlimit(world->instances[0].pid, RLIMIT_NOFILE, NULL, &limit) == 0);
	limit.rlim_cur = files < limit.rlim_max ? files : limit.rlim_max;
	cr_assert(prlimit(world->instances[0].pid, RLIMIT_NOFILE, &limit, NULL) == 0);
}

static void expect_live(struct scene *scene)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		cr_assert(wire_send_text(&scene->clients[i], live));
		wiring_expect_only(&scene->clients[i], 200);
	}
}

static double computed_s(const struct world *world)
{
	char path[64], stat[1024] = "";
	enum { FIELDS_BEFORE = 11 }; /* between the name and utime, which stime follows */

	snprintf(path, sizeof path, "/proc/%d/stat", (int)world->instances[0].pid);
	FILE *file = fopen(path, "re");
	cr_assert(file != NULL && fgets(stat, sizeof stat, file) != NULL);
	fclose(file);
	char *at = strrchr(stat, ')');
	cr_assert(at != NULL);
	at += 2;
	for (int i = 0; i < FIELDS_BEFORE && at != NULL; i++)
		at = strchr(at + 1, ' ');
	cr_assert(at != NULL);
	unsigned long ticks = strtoul(at, &at, 10);
	ticks += strtoul(at, NULL, 10);
	return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

/* What it computes in a second in which nobody asks for anything. */
static void expect_rest(const struct world *world)
{
	struct timespec watched = {.tv_sec = WATCHED_S};
	double before_s = computed_s(world);

	nanosleep(&watched, NULL);
	double busy_s = computed_s(world) - before_s;
	fprintf(stderr, "computed for %.2f of %d s\n", busy_s, WATCHED_S);
	cr_expect(busy_s < busy_max_s, "it computed for %.2f of %d s", busy_s, WATCHED_S);
}

static unsigned times_logged(const struct world *world, const char *text)
{
	char line[1024];
	unsigned times = 0;
	FILE *log = fopen(world->instances[0].log_path, "re");

	cr_assert(log != NULL);
	while (fgets(line, sizeof line, log) != NULL)
		times += strstr(line, text) != NULL;
	fclose(log);
	return times;
}

static int readiness(struct scene *scene, const char *named)
{
	cr_assert(wire_send_text(&scene->clients[0], ready));
	struct answer answer = {0};
	cr_assert(wire_answer(&scene->clients[0], &answer, false, LIMIT_MS) == WIRE_ANSWER);
	int status = strstr(answer.body, named) != NULL ? answer.status : 0;
	answer_clear(&answer);
	return status;
}

static bool both_stores_are_away(void *context)
{
	const struct scene *scene = context;

	return readiness(context, "postgresql") == 503 &&
	       instance_logged(&scene->world->instances[0], "Redis is away");
}

static bool both_stores_are_back(void *context)
{
	return readiness(context, "\"degraded\":[]") == 200;
}

static void kill_connections(struct world *world)
{
	redisContext *redis = redis_process_connect(&world->redis);

	for (unsigned i = 0; i < 2; i++) {
		redisReply *reply = redisCommand(
			redis, "CLIENT KILL TYPE %s SKIPME yes", i == 0 ? "normal" : "pubsub");
		cr_assert(
			reply != NULL && reply->type == REDIS_REPLY_INTEGER && reply->integer > 0);
		freeReplyObject(reply);
	}
	redisFree(redis);
	cr_assert(database_i64(world->db,
			  "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
			  "WHERE datname = current_database() AND pid <> pg_backend_pid()",
			  0, NULL) > 0);
}

static void expect_charge(struct scene *scene, const char *key)
{
	struct buf bytes = BUF_INIT(CALL_SIZE_MAX);

	call_write(&(struct call){.method = "POST",
			   .path = "/v1/me/balance/charges",
			   .jwt = scene->world->people.list[0].jwt,
			   .key = key,
			   .body = "{\"amount\":1}"},
		&bytes);
	cr_assert(wire_send(&scene->clients[1], bytes.data, bytes.len));
	wiring_expect_only(&scene->clients[1], 201);
	buf_free(&bytes);
}

Test(wire_files, none_to_be_had)
{
	struct scene scene = {.world = world_open(NULL)};
	struct world *world = scene.world;
	struct wire latecomer;
	struct answer answer = {0};

	world_people(world, &world->people, 1, 0);
	for (unsigned i = 0; i < CLIENTS; i++)
		scene.clients[i] = wiring_connect(world);
	expect_live(&scene);
	set_files(world, NO_FILES);
	latecomer = wiring_connect(world); /* the kernel takes it, the server cannot */
	cr_assert(wire_send_text(&latecomer, live));
	cr_assert(wire_answer(&latecomer, &answer, false, SILENCE_MS) == WIRE_SILENT);
	expect_live(&scene);
	expect_charge(&scene, "without files");
	expect_rest(world);
	kill_connections(world);
	cr_assert(wait_until(both_stores_are_away, &scene, LIMIT_MS));
	expect_live(&scene);
	expect_rest(world);
	cr_assert(times_logged(world, "accept: ") == 1 &&
		  instance_logged(&world->instances[0], "accept: Too many open files"));
	set_files(world, RLIM_INFINITY);
	wiring_expect_only(&latecomer, 200); /* without anybody having gone */
	cr_assert(wait_until(both_stores_are_back, &scene, LIMIT_MS));
	expect_charge(&scene, "with files");
	expect_live(&scene);
	cr_assert(instance_logged(&world->instances[0], "connections can be had again"));
	wire_close(&latecomer);
	for (unsigned i = 0; i < CLIENTS; i++)
		wire_close(&scene.clients[i]);
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}
