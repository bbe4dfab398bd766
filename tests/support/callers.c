/* A connection stays open from one request to the next, until either side closes it. */
#include "tests/support/callers.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/support/wait.h"

enum { EVENTS = 256, READ_SIZE = 64 * 1024, REPLY_MAX = 4 * 1024 * 1024 };

void callers_open(struct callers *callers)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	callers->now_ms = now_ms();
	callers->epoll = epoll_create1(EPOLL_CLOEXEC);
	cr_assert(callers->epoll >= 0);
}

void callers_close(struct callers *callers)
{
	close(callers->epoll);
}

void caller_init(struct callers *callers, struct caller *caller, unsigned instance, void *owner)
{
	*caller = (struct caller){.owner = owner,
		.instance = instance,
		.all = callers,
		.fd = -1,
		.out = BUF_INIT(CALL_SIZE_MAX),
		.in = BUF_INIT(REPLY_MAX)};
}

static void close_connection(struct caller *caller)
{
	if (caller->fd >= 0)
		close(caller->fd);
	caller->fd = -1;
	caller->connecting = false;
	buf_clear(&caller->in);
}

void caller_close(struct caller *caller)
{
	close_connection(caller);
	buf_free(&caller->out);
	buf_free(&caller->in);
}

static void watch(struct caller *caller, int operation)
{
	bool writes = caller->connecting || (caller->in_flight && caller->sent < caller->out.len);
	struct epoll_event event = {
		.events = EPOLLIN | (writes ? EPOLLOUT : 0), .data.ptr = caller};

	epoll_ctl(caller->all->epoll, operation, caller->fd, &event);
}

static void lose(struct caller *caller)
{
	close_connection(caller);
	if (!caller->in_flight)
		return;
	caller->in_flight = false;
	caller->all->hooks.lost(caller, caller->sent > 0);
}

void caller_reset(struct caller *caller)
{
	struct linger hard = {.l_onoff = 1};

	if (caller->fd >= 0)
		setsockopt(caller->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	lose(caller);
}

void caller_look_at_time(struct caller *caller)
{
	if (caller->in_flight && caller->all->limit_ms > 0 && caller->all->now_ms >= caller->end_ms)
		lose(caller);
}

static void open_connection(struct caller *caller)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)world_port(caller->all->world, caller->instance)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1;

	caller->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	cr_assert(caller->fd >= 0, "socket: %s", strerror(errno));
	setsockopt(caller->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	caller->connecting = true;
	if (connect(caller->fd, (struct sockaddr *)&address, sizeof address) != 0 &&
		errno != EINPROGRESS) {
		lose(caller);
		return;
	}
	watch(caller, EPOLL_CTL_ADD);
}

static void send_rest(struct caller *caller)
{
	ssize_t put = send(caller->fd, caller->out.data + caller->sent,
		caller->out.len - caller->sent, MSG_NOSIGNAL);

	if (put < 0 && errno != EAGAIN) {
		lose(caller);
		return;
	}
	bool first = put > 0 && caller->sent == 0;
	caller->sent += put > 0 ? (size_t)put : 0;
	watch(caller, EPOLL_CTL_MOD);
	if (first && caller->all->hooks.sent != NULL)
		caller->all->hooks.sent(caller);
}

void caller_send(struct caller *caller, const struct call *call)
{
	cr_assert(!caller->in_flight);
	buf_clear(&caller->out);
	call_write(call, &caller->out);
	caller->in_flight = true;
	caller->sent = 0;
	caller->end_ms = caller->all->now_ms + caller->all->limit_ms;
	if (caller->fd < 0)
		open_connection(caller);
	else
		send_rest(caller);
}

static void on_connected(struct caller *caller)
{
	int error = 0;
	socklen_t len = sizeof error;

	getsockopt(caller->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	caller->connecting = false;
	if (error != 0)
		lose(caller);
	else
		send_rest(caller);
}

static void on_bytes(struct caller *caller)
{
	struct answer answer = {0};
	size_t taken;
	char *room = buf_reserve(&caller->in, READ_SIZE);

	cr_assert(room != NULL);
	ssize_t got = recv(caller->fd, room, READ_SIZE, 0);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got > 0)
		caller->in.len += (size_t)got;
	enum answer_parse how = answer_read(
		&answer, caller->in.data, caller->in.len, false, &taken);
	cr_assert(how != ANSWER_BROKEN, "not a reply: %.*s", (int)caller->in.len, caller->in.data);
	if (how == ANSWER_WHOLE) {
		cr_assert(caller->in_flight && taken == caller->in.len, "more than was asked for");
		buf_clear(&caller->in);
		if (answer_header_is(&answer, "connection", "close"))
			close_connection(caller);
		caller->in_flight = false;
		caller->all->hooks.answered(caller, &answer);
		answer_clear(&answer);
	} else if (got <= 0) {
		lose(caller);
	}
}

static void handle(struct caller *caller, uint32_t events)
{
	if (caller->fd < 0)
		return;
	if (caller->connecting) {
		on_connected(caller);
		return;
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		on_bytes(caller);
	else if (caller->in_flight && caller->sent < caller->out.len)
		send_rest(caller);
}

void callers_turn(struct callers *callers, int wait_ms)
{
	struct epoll_event events[EVENTS];
	int ready = epoll_wait(callers->epoll, events, EVENTS, wait_ms);

	callers->now_ms = now_ms();
	for (int i = 0; i < ready; i++)
		handle(events[i].data.ptr, events[i].events);
}
