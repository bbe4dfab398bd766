/* `onsale verify-shuffle` believes nobody: it accepts what a server made, and names what is wrong where somebody
 * in between alters an answer. The altering server is this test's own: it asks the real one, replaces one text,
 * and gives the rest on. */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "proto/base/buf.h"
#include "tests/support/process.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"
#include "tests/support/world.h"

enum { PEOPLE = 12, LIMIT_MS = 20000, OUTPUT_MAX = 64 * 1024, TEXT_SIZE = 256 };

TestSuite(verify_shuffle, .timeout = 120);

/* --- the server in between --- */

/* In answers to paths that end so, the first `from` becomes `to`. */
struct lie {
	const char *path;
	char from[TEXT_SIZE], to[TEXT_SIZE];
};

struct between {
	pthread_t thread;
	int fd, port, real_port;
	const struct lie *lie;
};

static void append_altered(struct buf *out, const char *body, const struct lie *lie)
{
	const char *at = strstr(body, lie->from);

	cr_assert_not_null(at, "nothing to alter in %s", body);
	buf_append(out, body, (size_t)(at - body));
	buf_append_text(out, lie->to);
	buf_append_text(out, at + strlen(lie->from));
}

/* The path of a request's first line, without its query. */
static void read_path(const char *request, char path[TEXT_SIZE])
{
	cr_assert(sscanf(request, "GET %255[^ ?]", path) == 1, "%s", request);
}

static void answer_one(const struct between *between, int client)
{
	char request[4096] = "", path[TEXT_SIZE], target[TEXT_SIZE];
	struct answer answer = {0};
	struct buf body = BUF_INIT(CALL_SIZE_MAX), head = BUF_INIT(1024);

	for (size_t len = 0; strstr(request, "\r\n\r\n") == NULL;) {
		ssize_t got = read(client, request + len, sizeof request - 1 - len);
		cr_assert(got > 0);
		len += (size_t)got;
		request[len] = '\0';
	}
	read_path(request, path);
	cr_assert(sscanf(request, "GET %255[^ ]", target) == 1);
	struct call call = {.method = "GET", .path = target};
	cr_assert(wire_call(between->real_port, &call, &answer));
	const char *end = path + strlen(path) - strlen(between->lie->path);
	if (end >= path && strcmp(end, between->lie->path) == 0)
		append_altered(&body, answer.body, between->lie);
	else
		buf_append_text(&body, answer.body);
	buf_printf(&head,
		"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
		"Connection: close\r\n\r\n",
		answer.status, body.len);
	cr_assert(write(client, head.data, head.len) == (ssize_t)head.len);
	cr_assert(write(client, body.data, body.len) == (ssize_t)body.len);
	buf_free(&head);
	buf_free(&body);
	answer_clear(&answer);
	close(client);
}

/* Until its socket is shut. */
static void *answer_all(void *context)
{
	const struct between *between = context;
	int client;

	while ((client = accept(between->fd, NULL, NULL)) >= 0)
		answer_one(between, client);
	return NULL;
}

static void between_open(struct between *between, int real_port, const struct lie *lie)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;

	*between = (struct between){.real_port = real_port, .lie = lie};
	between->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(bind(between->fd, (struct sockaddr *)&address, len) == 0);
	cr_assert(listen(between->fd, 16) == 0);
	cr_assert(getsockname(between->fd, (struct sockaddr *)&address, &len) == 0);
	between->port = ntohs(address.sin_port);
	cr_assert(pthread_create(&between->thread, NULL, answer_all, between) == 0);
}

static void between_close(struct between *between)
{
	shutdown(between->fd, SHUT_RDWR);
	pthread_join(between->thread, NULL);
	close(between->fd);
}

/* --- */

/* What the command says, on both outputs, and its exit status. */
static int verify(const char *url, const char *entrant, char output[OUTPUT_MAX])
{
	const char *argv[] = {"sh", "-c", "exec \"$0\" verify-shuffle \"$@\" 2>&1",
		need_env("ONSALE_TEST_SERVER"), url, entrant != NULL ? "--entrant" : NULL, entrant,
		NULL};
	struct buf out = BUF_INIT(OUTPUT_MAX - 1);
	int status = process_run(argv, NULL, NULL, &out);

	memcpy(output, out.data != NULL ? out.data : "", out.len);
	output[out.len] = '\0';
	buf_free(&out);
	return status;
}

static const char *event_path(struct world *world, const char *rest)
{
	return textf(world, "/v1/events/%lld%s", (long long)world->sale.event_id, rest);
}

static bool is_done(void *context)
{
	struct world *world = context;
	struct call call = {.method = "GET", .path = event_path(world, "/shuffle")};

	return world_call(world, &call)->status == 200;
}

/* Twelve people, shuffled; the pseudonym of one of them. */
static struct world *open_shuffled(const char **entrant)
{
	static const struct world_options options = {.flags = {"--queue.tick_ms=20"}};
	struct world *world = world_open(&options);

	world_fill(world, PEOPLE, 0,
		&(struct sale_options){.queue = true, .sale_opens_at = SALE_OPENS_FAR_AHEAD});
	for (unsigned i = 0; i < PEOPLE; i++) {
		struct call join = {.method = "POST",
			.jwt = world->people.list[i].jwt,
			.path = event_path(world, "/queue")};

		*entrant = answer_text(expect(world, &join, 201, NULL), "entrant");
	}
	sale_opens_in(world, 0);
	cr_assert(wait_until(is_done, world, LIMIT_MS));
	return world;
}

static const char *url_at(struct world *world, int port)
{
	return textf(world, "http://127.0.0.1:%d%s", port, event_path(world, ""));
}

Test(verify_shuffle, accepts_what_was_not_altered)
{
	const char *entrant;
	struct world *world = open_shuffled(&entrant);
	const char *url = url_at(world, world_port(world, 0));
	char output[OUTPUT_MAX];

	cr_assert(verify(url, NULL, output) == 0, "%s", output);
	cr_assert(strstr(output, "positions   all") != NULL, "%s", output);
	cr_assert(verify(url, entrant, output) == 0, "%s", output);
	const char *said = strstr(output, "has position ");
	cr_assert_not_null(said);
	unsigned long position = strtoul(said + strlen("has position "), NULL, 10);
	cr_assert(position >= 1 && position <= PEOPLE && strstr(said, " of 12\n") != NULL);
	cr_assert(verify(url, "00000000000000000000000000000000", output) == 1);
	cr_assert(strstr(output, "is not in the list") != NULL, "%s", output);
	cr_assert(verify(url_at(world, 1), NULL, output) == 1); /* nobody listens there */
	cr_assert(verify("/v1/events/1", NULL, output) == 2);
	world_close(world);
}

/* The text member of an answer to this path. */
static const char *member(struct world *world, const char *rest, const char *name)
{
	struct call call = {.method = "GET", .path = event_path(world, rest)};

	return answer_text(expect(world, &call, 200, NULL), name);
}

/* The pseudonym at a position of the list, from 0. */
static const char *listed(struct world *world, size_t i)
{
	struct call call = {.method = "GET", .path = event_path(world, "/shuffle/entrants")};
	const json_t *items = json_object_get(
		answer_json(expect(world, &call, 200, NULL)), "items");

	return json_string_value(json_object_get(json_array_get(items, i), "entrant"));
}

/* The same text with its first digit changed. */
static const char *changed(struct world *world, const char *hex)
{
	return textf(world, "%c%s", hex[0] == '0' ? '1' : '0', hex + 1);
}

static void expect_caught(
	struct world *world, const char *path, const char *from, const char *to, const char *named)
{
	struct lie lie = {.path = path};
	struct between between;
	char output[OUTPUT_MAX];

	snprintf(lie.from, sizeof lie.from, "%s", from);
	snprintf(lie.to, sizeof lie.to, "%s", to);
	between_open(&between, world_port(world, 0), &lie);
	int status = verify(url_at(world, between.port), NULL, output);
	between_close(&between);
	cr_expect(status == 1 && strstr(output, named) != NULL, "%s for %s: %d, %s", to, from,
		status, output);
}

Test(verify_shuffle, names_what_was_altered)
{
	const char *entrant;
	struct world *world = open_shuffled(&entrant);
	const char *event = event_path(world, ""), *list = "/shuffle/entrants";
	const char *commitment = member(world, "/shuffle", "commitment");
	const char *seed = member(world, "/shuffle", "seed");
	const char *digest = member(world, "/shuffle", "entrants_digest");
	const char *first = listed(world, 0), *second = listed(world, 1);

	expect_caught(world, event, commitment, changed(world, commitment), "commitment");
	expect_caught(world, event, "\"shuffle\":{", "\"other\":{", "not shuffled");
	expect_caught(world, "/shuffle", commitment, changed(world, commitment), "commitment");
	expect_caught(world, "/shuffle", seed, changed(world, seed), "the seed is not the one");
	expect_caught(world, "/shuffle", digest, changed(world, digest), "entrants_digest");
	expect_caught(world, "/shuffle", "\"count\":12", "\"count\":11", "11 are said");
	expect_caught(world, list, first, changed(world, first), "entrants_digest");
	expect_caught(world, list, first, second, "more than once");
	expect_caught(world, list, first, "not hexadecimal, not at all here", "not hexadecimal");
	expect_caught(world, list, "\"position\":2}", "\"position\":1}", "said to have position");
	expect_caught(world, list, textf(world, "{\"entrant\":\"%s\",\"position\":1},", first), "",
		"11 entrants, and 12");
	/* Two who changed places: each is in the list, neither is where the seed puts him. */
	expect_caught(world, list,
		textf(world,
			"{\"entrant\":\"%s\",\"position\":1},{\"entrant\":\"%s\",\"position\":2}",
			first, second),
		textf(world,
			"{\"entrant\":\"%s\",\"position\":1},{\"entrant\":\"%s\",\"position\":2}",
			second, first),
		"said to have position");
	expect_caught(world, list, "\"next\":null", "\"next\":7}", "no JSON object");
	world_close(world);
}
