/* Blocking sends, reads that wait with poll(2). */
#include "tests/support/wire.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/support/wait.h"

enum { IN_MAX = 64 * 1024 * 1024, READ_SIZE = 64 * 1024 };

void wire_open(struct wire *wire, int port, int receive_bytes)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1;

	*wire = (struct wire){
		.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .in = BUF_INIT(IN_MAX)};
	cr_assert(wire->fd >= 0, "socket: %s", strerror(errno));
	setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (receive_bytes > 0)
		setsockopt(wire->fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
	cr_assert(connect(wire->fd, (struct sockaddr *)&address, sizeof address) == 0,
		"connect to %d: %s", port, strerror(errno));
}

void wire_close(struct wire *wire)
{
	close(wire->fd);
	buf_free(&wire->in);
}

void wire_reset(struct wire *wire)
{
	struct linger at_once = {.l_onoff = 1};

	setsockopt(wire->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	wire_close(wire);
}

bool wire_send(struct wire *wire, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t put = send(wire->fd, at, len, MSG_NOSIGNAL);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		at += put;
		len -= (size_t)put;
	}
	return true;
}

bool wire_send_text(struct wire *wire, const char *text)
{
	return wire_send(wire, text, strlen(text));
}

void wire_shut(struct wire *wire)
{
	shutdown(wire->fd, SHUT_WR);
}

/* Reads what comes next into the buffer: more than 0 bytes, 0 at the end, -1 where nothing came in time. */
static ssize_t read_more(struct wire *wire, uint64_t end_ms)
{
	struct pollfd poller = {.fd = wire->fd, .events = POLLIN};
	uint64_t now = now_ms();

	if (poll(&poller, 1, now < end_ms ? (int)(end_ms - now) : 0) <= 0)
		return -1;
	char *room = buf_reserve(&wire->in, READ_SIZE);
	cr_assert(room != NULL, "a reply of more than %d bytes", IN_MAX);
	ssize_t got = recv(wire->fd, room, READ_SIZE, 0);
	if (got > 0)
		wire->in.len += (size_t)got;
	return got < 0 ? 0 : got;
}

enum wire_result wire_answer(
	struct wire *wire, struct answer *answer, bool to_head, unsigned limit_ms)
{
	uint64_t end_ms = now_ms() + limit_ms;
	ssize_t got = 1;

	for (;;) {
		size_t taken = 0;
		enum answer_parse how = answer_read(
			answer, wire->in.data, wire->in.len, to_head, &taken);

		if (how == ANSWER_WHOLE) {
			buf_drop(&wire->in, taken);
			return WIRE_ANSWER;
		}
		if (how == ANSWER_BROKEN)
			return WIRE_BROKEN;
		if (got == 0)
			return WIRE_CLOSED;
		got = read_more(wire, end_ms);
		if (got < 0)
			return WIRE_SILENT;
	}
}

bool wire_ends(struct wire *wire, unsigned limit_ms)
{
	return wire->in.len == 0 && read_more(wire, now_ms() + limit_ms) == 0;
}

bool wire_call(int port, const struct call *call, struct answer *answer)
{
	struct wire wire;
	struct buf bytes = BUF_INIT(CALL_SIZE_MAX);

	wire_open(&wire, port, 0);
	call_write(call, &bytes);
	bool answered = wire_send(&wire, bytes.data, bytes.len) &&
			wire_answer(&wire, answer, strcmp(call->method, "HEAD") == 0,
				WIRE_LIMIT_MS) == WIRE_ANSWER;
	buf_free(&bytes);
	wire_close(&wire);
	return answered;
}
