/* A member connects, sends all but a byte, is released, and gathers its reply. */
#include "tests/support/crowd.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/support/instance.h"
#include "tests/support/wait.h"

enum { REPLY_MAX = 4 * 1024 * 1024, READ_SIZE = 16 * 1024, EVENTS = 256 };

enum member_state { MEMBER_CONNECTING, MEMBER_CONNECTED, MEMBER_ANSWERED, MEMBER_LOST };

struct member {
	const struct instance *instance;
	enum member_state state;
	int fd;
	bool to_head;
	struct buf out, in;
	struct answer answer;
};

struct crowd {
	struct member *members;
	size_t count;
	int epoll;
	uint64_t end_ms;
	uint64_t took_ms;
};

struct crowd *crowd_new(void)
{
	struct crowd *crowd = must_calloc(1, sizeof *crowd);
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	crowd->epoll = epoll_create1(EPOLL_CLOEXEC);
	cr_assert(crowd->epoll >= 0);
	crowd->members = must_calloc(CROWD_MAX, sizeof *crowd->members);
	return crowd;
}

void crowd_free(struct crowd *crowd)
{
	for (size_t i = 0; i < crowd->count; i++) {
		struct member *member = &crowd->members[i];
		if (member->fd >= 0)
			close(member->fd);
		buf_free(&member->out);
		buf_free(&member->in);
		answer_clear(&member->answer);
	}
	close(crowd->epoll);
	free(crowd->members);
	free(crowd);
}

void crowd_add(struct crowd *crowd, const struct instance *instance, const struct call *call)
{
	struct member *member = &crowd->members[crowd->count];

	cr_assert(crowd->count < CROWD_MAX);
	*member = (struct member){.instance = instance,
		.fd = -1,
		.to_head = strcmp(call->method, "HEAD") == 0,
		.out = BUF_INIT(CALL_SIZE_MAX),
		.in = BUF_INIT(REPLY_MAX)};
	call_write(call, &member->out);
	crowd->count++;
}

size_t crowd_size(const struct crowd *crowd)
{
	return crowd->count;
}

static void start_connecting(struct crowd *crowd, struct member *member)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)member->instance->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event event = {.events = EPOLLOUT, .data.ptr = member};
	int on = 1;

	member->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	cr_assert(member->fd >= 0, "socket: %s", strerror(errno));
	setsockopt(member->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	int connected = connect(member->fd, (struct sockaddr *)&address, sizeof address);
	cr_assert(connected == 0 || errno == EINPROGRESS, "connect: %s", strerror(errno));
	cr_assert(epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, member->fd, &event) == 0);
}

/* By a server that has no memory for it, say: that it is lost is seen when it is read. */
static bool was_closed(int error)
{
	return error == EPIPE || error == ECONNRESET;
}

/* All but the last byte. It fits into the socket's buffer: nothing was sent on it yet. */
static void on_connected(struct crowd *crowd, struct member *member)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = member};
	int error = 0;
	socklen_t error_len = sizeof error;

	getsockopt(member->fd, SOL_SOCKET, SO_ERROR, &error, &error_len);
	cr_assert(error == 0 || was_closed(error), "connect: %s", strerror(error));
	ssize_t put = send(member->fd, member->out.data, member->out.len - 1, MSG_NOSIGNAL);
	cr_assert(put == (ssize_t)member->out.len - 1 || (put < 0 && was_closed(errno)),
		"a request could not be sent: %s", strerror(errno));
	member->state = MEMBER_CONNECTED;
	epoll_ctl(crowd->epoll, EPOLL_CTL_MOD, member->fd, &event);
}

static void on_bytes(struct crowd *crowd, struct member *member)
{
	char *room = buf_reserve(&member->in, READ_SIZE);
	size_t taken;

	cr_assert(room != NULL, "a reply of more than %d bytes", REPLY_MAX);
	ssize_t got = recv(member->fd, room, READ_SIZE, 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got > 0)
		member->in.len += (size_t)got;
	enum answer_parse how = answer_read(
		&member->answer, member->in.data, member->in.len, member->to_head, &taken);
	cr_assert(how != ANSWER_BROKEN, "not a reply: %s", member->in.data);
	if (how == ANSWER_WHOLE)
		member->state = MEMBER_ANSWERED;
	else if (got <= 0)
		member->state = MEMBER_LOST;
	else
		return;
	epoll_ctl(crowd->epoll, EPOLL_CTL_DEL, member->fd, NULL);
	close(member->fd);
	member->fd = -1;
	buf_free(&member->in);
}

/* Runs the loop until `count` members have left the state. */
static void run_until_left(struct crowd *crowd, enum member_state state, size_t count)
{
	struct epoll_event events[EVENTS];
	size_t left = 0;

	while (left < count) {
		int ready = epoll_wait(crowd->epoll, events, EVENTS, 100);
		cr_assert(now_ms() < crowd->end_ms, "%zu of %zu requests did not get on in time",
			count - left, count);
		for (int i = 0; i < ready; i++) {
			struct member *member = events[i].data.ptr;
			enum member_state before = member->state;
			if (before == MEMBER_CONNECTING)
				on_connected(crowd, member);
			else if (before == MEMBER_CONNECTED)
				on_bytes(crowd, member);
			left += before == state && member->state != state;
		}
	}
}

/* Each server once. */
static void signal_servers(const struct crowd *crowd, int number)
{
	for (size_t i = 0; i < crowd->count; i++) {
		bool done = false;
		for (size_t j = 0; j < i && j < 16 && !done; j++)
			done = crowd->members[j].instance == crowd->members[i].instance;
		if (!done)
			kill(crowd->members[i].instance->pid, number);
	}
}

void crowd_run(struct crowd *crowd, unsigned limit_ms)
{
	crowd->end_ms = now_ms() + limit_ms;
	for (size_t i = 0; i < crowd->count; i++)
		start_connecting(crowd, &crowd->members[i]);
	run_until_left(crowd, MEMBER_CONNECTING, crowd->count);
	signal_servers(crowd, SIGSTOP);
	for (size_t i = 0; i < crowd->count; i++) {
		const struct member *member = &crowd->members[i];
		const char *last = member->out.data + member->out.len - 1;
		cr_assert(send(member->fd, last, 1, MSG_NOSIGNAL) == 1 || was_closed(errno), "%s",
			strerror(errno));
	}
	uint64_t released_ms = now_ms();
	signal_servers(crowd, SIGCONT);
	run_until_left(crowd, MEMBER_CONNECTED, crowd->count);
	crowd->took_ms = now_ms() - released_ms;
}

uint64_t crowd_took_ms(const struct crowd *crowd)
{
	return crowd->took_ms;
}

struct answer *crowd_answer(struct crowd *crowd, size_t i)
{
	cr_assert(i < crowd->count);
	struct member *member = &crowd->members[i];
	return member->state == MEMBER_ANSWERED ? &member->answer : NULL;
}

size_t crowd_count(struct crowd *crowd, int status, const char *code)
{
	size_t count = 0;

	for (size_t i = 0; i < crowd->count; i++) {
		struct answer *answer = crowd_answer(crowd, i);
		count += answer != NULL && answer->status == status &&
			 (code == NULL || answer_is(answer, "code", code));
	}
	return count;
}

size_t crowd_replayed(struct crowd *crowd)
{
	size_t count = 0;

	for (size_t i = 0; i < crowd->count; i++) {
		const struct answer *answer = crowd_answer(crowd, i);
		count += answer != NULL && answer_header_is(answer, "idempotent-replayed", "true");
	}
	return count;
}
