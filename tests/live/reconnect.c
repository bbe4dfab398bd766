/* Everybody's connection is reset at once, and everybody is back at once, five times over: each time all have
 * their reply by a deadline. The first time they join the line, after that they ask where they stand. Who is
 * told to come again (503) does, when the reply says. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/support/wait.h"
#include "tests/support/world.h"

enum { PEOPLE = 15000, TIMES = 5, DEADLINE_MS = 20000, EVENTS = 512, REPLY_SIZE = 4096 };

TestSuite(reconnect, .timeout = 300);

struct visitor {
	int fd;
	bool sent, served;
	uint64_t again_ms; /* told to come again; 0: was not */
	char token[512];
	char reply[REPLY_SIZE];
	size_t reply_len;
};

static void allow_files(void)
{
	struct rlimit files;

	cr_assert(getrlimit(RLIMIT_NOFILE, &files) == 0);
	files.rlim_cur = files.rlim_max;
	cr_assert(setrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max > PEOPLE + 1000,
		"the limit of open files is %llu", (unsigned long long)files.rlim_max);
}

static void begin(struct visitor *visitor, int port, int epoll)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = visitor};

	visitor->sent = visitor->served = false;
	visitor->reply_len = 0;
	visitor->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	cr_assert(visitor->fd >= 0, "%s", strerror(errno));
	int result = connect(visitor->fd, (struct sockaddr *)&address, sizeof address);
	cr_assert(result == 0 || errno == EINPROGRESS, "%s", strerror(errno));
	cr_assert(epoll_ctl(epoll, EPOLL_CTL_ADD, visitor->fd, &event) == 0);
}

static void send_request(
	struct visitor *visitor, const struct world *world, const struct person *person, int epoll)
{
	char path[64];
	struct call call = {.method = "GET", .path = "/v1/queue", .queue_token = visitor->token};
	struct buf bytes = BUF_INIT(CALL_SIZE_MAX);
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = visitor};

	if (visitor->token[0] == '\0') {
		snprintf(path, sizeof path, "/v1/events/%lld/queue",
			(long long)world->sale.event_id);
		call = (struct call){.method = "POST", .path = path, .jwt = person->jwt};
	}
	call_write(&call, &bytes);
	cr_assert(send(visitor->fd, bytes.data, bytes.len, MSG_NOSIGNAL) == (ssize_t)bytes.len,
		"%s", strerror(errno));
	buf_free(&bytes);
	visitor->sent = true;
	cr_assert(epoll_ctl(epoll, EPOLL_CTL_MOD, visitor->fd, &event) == 0);
}

static void receive(struct visitor *visitor)
{
	struct answer answer = {0};
	size_t taken;
	ssize_t got = recv(visitor->fd, visitor->reply + visitor->reply_len,
		REPLY_SIZE - visitor->reply_len, 0);

	cr_assert(got > 0, "a connection was lost: %s", got < 0 ? strerror(errno) : "closed");
	visitor->reply_len += (size_t)got;
	if (answer_read(&answer, visitor->reply, visitor->reply_len, false, &taken) != ANSWER_WHOLE)
		return;
	if (answer.status == 503) {
		char seconds[8];
		cr_assert(answer_header(&answer, "retry-after", seconds, sizeof seconds));
		visitor->again_ms = now_ms() + strtoull(seconds, NULL, 10) * 1000;
		visitor->reply_len = 0;
		answer_clear(&answer);
		return;
	}
	bool joined = visitor->token[0] == '\0' && answer.status == 201;
	cr_assert(joined || answer.status == 200, "%s", visitor->reply);
	const char *token = answer_text(&answer, "token");
	cr_assert(strlen(token) < sizeof visitor->token);
	strcpy(visitor->token, token);
	visitor->served = true;
	answer_clear(&answer);
}

/* As a network does that breaks: no goodbye. */
static void reset(struct visitor *visitor)
{
	struct linger linger = {1, 0};

	setsockopt(visitor->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	close(visitor->fd);
}

/* How many had to come again. */
static unsigned come_again(struct world *world, struct visitor *visitors, int epoll)
{
	unsigned count = 0;

	for (unsigned i = 0; i < PEOPLE; i++) {
		if (visitors[i].again_ms == 0 || visitors[i].again_ms > now_ms())
			continue;
		visitors[i].again_ms = 0;
		send_request(&visitors[i], world, &world->people.list[i], epoll);
		count++;
	}
	return count;
}

struct outcome {
	uint64_t took_ms;
	unsigned again;
};

/* All come at once; how long until the last was served. */
static struct outcome serve_all(struct world *world, struct visitor *visitors, int epoll)
{
	struct epoll_event events[EVENTS];
	uint64_t begun_ms = now_ms();
	unsigned served = 0, again = 0;

	for (unsigned i = 0; i < PEOPLE; i++)
		begin(&visitors[i], world_port(world, 0), epoll);
	while (served < PEOPLE) {
		int count = epoll_wait(epoll, events, EVENTS, 100);
		cr_assert(now_ms() - begun_ms < DEADLINE_MS, "%u served by the deadline", served);
		again += come_again(world, visitors, epoll);
		for (int i = 0; i < count; i++) {
			struct visitor *visitor = events[i].data.ptr;

			if (!visitor->sent)
				send_request(visitor, world,
					&world->people.list[visitor - visitors], epoll);
			else if (!visitor->served)
				receive(visitor);
			served += visitor->served && (events[i].events & EPOLLIN) != 0;
		}
	}
	return (struct outcome){now_ms() - begun_ms, again};
}

Test(reconnect, all_at_once)
{
	struct visitor *visitors = must_calloc(PEOPLE, sizeof *visitors);

	allow_files();
	struct world *world = world_open(&(struct world_options){0});
	world_fill(world, PEOPLE, 0, &(struct sale_options){.queue = true, .capacity = 1});
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	cr_assert(epoll >= 0);
	for (unsigned time = 0; time < 1 + TIMES; time++) {
		struct outcome outcome = serve_all(world, visitors, epoll);
		printf("%s: %d served in %llu ms, %u of them at the second try\n",
			time == 0 ? "joined" : "reset and back", PEOPLE,
			(unsigned long long)outcome.took_ms, outcome.again);
		for (unsigned i = 0; i < PEOPLE; i++)
			reset(&visitors[i]);
	}
	close(epoll);
	free(visitors);
	world_close(world);
}
