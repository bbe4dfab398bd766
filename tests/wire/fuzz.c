/* The whole server, through a socket: thousands of connections with requests that are mostly worse than any client
 * would send them, whole and in pieces, several at once, cut off or half closed. It answers none of them with a
 * failure of its own, serves honest people between them, and has as many files open afterwards as before.
 *
 * The seeds are the HTTP corpus of the fuzz targets, and each of the server's own calls with a good token. The
 * run's seed is in its output; ONSALE_TEST_SEED=n makes it again, ONSALE_TEST_ROUNDS=n more of it. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include "tests/support/process.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"
#include "tests/support/world.h"
#include "tests/wire/mutate.h"

enum {
	ROUNDS = 3000,
	HONEST_EACH = 50, /* rounds between two honest requests */
	BALANCE = 1000000,
	REPLY_LIMIT_MS = 10000,
	FILES_LIMIT_MS = 20000,
	PATH_SIZE = 512
};

TestSuite(wire_fuzz, .timeout = 200);

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);
	uint64_t number = text != NULL ? strtoull(text, NULL, 10) : 0;

	return number > 0 ? number : otherwise;
}

/* --- seeds --- */

/* Each route with a good token, a key, and a body that has the fields of all. */
static void add_route(struct world *world, struct seeds *seeds, const char *line)
{
	char method[16], pattern[128], guard[16];
	struct buf path = BUF_INIT(PATH_SIZE), bytes = BUF_INIT(CALL_SIZE_MAX);

	cr_assert(sscanf(line, "%15s %127s %15s", method, pattern, guard) == 3, "%s", line);
	for (const char *c = pattern; *c != '\0'; c++) {
		if (*c == '{')
			buf_append_i64(&path, world->sale.event_id);
		else if (*c != '}')
			buf_append_char(&path, *c);
	}
	bool reads = strcmp(method, "GET") == 0 || strcmp(method, "DELETE") == 0;
	struct call call = {.method = method,
		.path = path.data,
		.jwt = strcmp(guard, "admin") == 0 ? world->admins.list[0].jwt
						   : world->people.list[0].jwt,
		.key = "k",
		.queue_token = "t",
		.body = reads ? NULL
			      : textf(world,
					"{\"email\":\"a@b.test\",\"password\":\"long enough\","
					"\"name\":\"n\",\"amount\":1,\"performance_id\":%lld,"
					"\"quantity\":1,\"title\":\"t\",\"venue\":\"v\","
					"\"paused\":false,\"starts_at\":\"2030-01-01T00:00:00Z\","
					"\"sections\":[{\"name\":\"A\",\"rows\":1,"
					"\"seats_per_row\":1,\"price\":1}]}",
					(long long)world->sale.performance_id)};
	call_write(&call, &bytes);
	seeds_add(seeds, bytes.data, bytes.len);
	buf_free(&path);
	buf_free(&bytes);
}

/* All but the log-out, which would end the token that the others have, and streams, whose replies never end. */
static bool is_seed(const char *line)
{
	return strstr(line, "/v1/sessions/current") == NULL && strstr(line, "/live ") == NULL &&
	       strstr(line, "/queue/events ") == NULL;
}

static struct seeds gather_seeds(struct world *world)
{
	const char *argv[] = {need_env("ONSALE_TEST_SERVER"), "routes", NULL};
	struct buf listing = BUF_INIT(PROCESS_OUTPUT_MAX);
	struct seeds seeds = {0};
	char folder[PATH_SIZE], *rest = NULL;

	cr_assert(process_run(argv, world->env, NULL, &listing) == 0);
	for (char *line = strtok_r(listing.data, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest))
		if (is_seed(line))
			add_route(world, &seeds, line);
	buf_free(&listing);
	seeds.good = seeds.count;
	snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/http", need_env("ONSALE_TEST_ROOT"));
	seeds_add_folder(&seeds, folder);
	return seeds;
}

/* --- one connection --- */

struct seen {
	unsigned replies, refused, served;
};

/* Sends the bytes in one piece, or in several; it may break off. False where the server had enough. */
static bool send_pieces(struct wire *wire, uint64_t *state, const struct buf *bytes)
{
	size_t most = (size_t)1 << mutate_random(state) % 15, at = 0;

	while (at < bytes->len) {
		size_t len = 1 + (size_t)(mutate_random(state) % most);
		if (len > bytes->len - at)
			len = bytes->len - at;
		if (!wire_send(wire, bytes->data + at, len))
			return false;
		at += len;
	}
	return true;
}

/* Reads what is answered until the server closes, having been told that no more comes. No reply is a failure of
 * the server's own; 505 is the client's, and a HEAD's reply is told apart by the next one's first line. */
static void read_replies(struct wire *wire, struct seen *seen)
{
	uint64_t end_ms = now_ms() + REPLY_LIMIT_MS;

	for (;;) {
		char *room = buf_reserve(&wire->in, PATH_SIZE * 64);
		struct pollfd poller = {.fd = wire->fd, .events = POLLIN};
		uint64_t now = now_ms();
		cr_assert(now < end_ms && poll(&poller, 1, (int)(end_ms - now)) == 1,
			"the server does not end the connection");
		ssize_t got = room != NULL ? recv(wire->fd, room, PATH_SIZE * 64, 0) : 0;
		if (got <= 0)
			break;
		wire->in.len += (size_t)got;
	}
	const char *at = wire->in.data, *end = at + wire->in.len;
	while (at != NULL && (at = memmem(at, (size_t)(end - at), "HTTP/1.1 ", 9)) != NULL) {
		long status = strtol(at + 9, NULL, 10);
		cr_assert(status < 500 || status == 505, "%.*s", (int)(end - at), at);
		seen->replies++;
		seen->served += status >= 200 && status < 300;
		seen->refused += status >= 400;
		at += 9;
	}
}

static void one_round(
	struct world *world, uint64_t *state, const struct buf *bytes, struct seen *seen)
{
	struct wire wire;

	wire_open(&wire, world_port(world, 0), 0);
	send_pieces(&wire, state, bytes);
	if (mutate_random(state) % 8 == 0) {
		wire_reset(&wire);
		return;
	}
	wire_shut(&wire);
	read_replies(&wire, seen);
	wire_close(&wire);
}

/* --- what must hold --- */

static void serve_honestly(struct world *world)
{
	struct call call = {.method = "GET", .path = "/v1/me", .jwt = world->people.list[1].jwt};
	struct answer answer = {0};

	cr_assert(wire_call(world_port(world, 0), &call, &answer) && answer.status == 200,
		"an honest request got %d", answer.status);
	answer_clear(&answer);
	call = (struct call){.method = "GET", .path = "/readyz"};
	cr_assert(wire_call(world_port(world, 0), &call, &answer) && answer.status == 200,
		"not ready: %d", answer.status);
	answer_clear(&answer);
}

static unsigned open_files(const struct instance *instance)
{
	char folder[64];
	unsigned count = 0;

	snprintf(folder, sizeof folder, "/proc/%d/fd", (int)instance->pid);
	DIR *entries = opendir(folder);
	cr_assert(entries != NULL, "the server is gone");
	while (readdir(entries) != NULL)
		count++;
	closedir(entries);
	return count;
}

struct files {
	const struct instance *instance;
	unsigned before;
};

static bool as_before(void *context)
{
	const struct files *files = context;

	return open_files(files->instance) <= files->before;
}

Test(wire_fuzz, survives_whatever_comes)
{
	struct world *world = world_open(&(struct world_options){
		.flags = {"--http.head_timeout_ms=1000", "--http.body_timeout_ms=1000"}});
	uint64_t run = number_from("ONSALE_TEST_SEED", (uint64_t)time(NULL)), state = run;
	uint64_t rounds = number_from("ONSALE_TEST_ROUNDS", ROUNDS);
	struct buf bytes = BUF_INIT(MUTANT_MAX);
	struct seen seen = {0};

	world_fill(world, 2, BALANCE, &(struct sale_options){.rows = 10});
	struct seeds seeds = gather_seeds(world);
	serve_honestly(world);
	struct files files = {&world->instances[0], open_files(&world->instances[0])};
	for (uint64_t round = 0; round < rounds; round++) {
		mutate(&seeds, &state, &bytes);
		one_round(world, &state, &bytes, &seen);
		if (round % HONEST_EACH == 0)
			serve_honestly(world);
	}
	serve_honestly(world);
	fprintf(stderr,
		"wire_fuzz: seed %llu: %llu connections, %u replies, %u served, %u refused\n",
		(unsigned long long)run, (unsigned long long)rounds, seen.replies, seen.served,
		seen.refused);
	cr_assert(wait_until(as_before, &files, FILES_LIMIT_MS), "files open: %u, before %u",
		open_files(files.instance), files.before);
	cr_assert(seen.served > rounds / 20 && seen.refused > rounds / 20);
	seeds_free(&seeds);
	buf_free(&bytes);
	world_close(world);
}
