/*   closed -> (waiting ->) connecting -> busy -> idle -> busy …
 *        connecting, busy -> failed -> closed          idle -> closed
 *
 * At most CONNECTING_MAX connect at once, so that a server's backlog is not what is measured. On the loopback
 * every further SOURCE_PORTS connections come from the next address: past half of its ports the kernel looks
 * for a free one through all of them, and a connection costs it half a millisecond. */
#include "bench/swarm/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTING_MAX = 256, SOURCE_PORTS = 7000 };

static void on_readable(evutil_socket_t fd, short what, void *context);
static void on_writable(evutil_socket_t fd, short what, void *context);
static void start_waiting(struct clients *all);

void clients_start(struct clients *clients)
{
	TAILQ_INIT(&clients->idle);
	TAILQ_INIT(&clients->waiting);
}

void client_init(struct clients *clients, struct client *client)
{
	*client = (struct client){.all = clients, .fd = -1, .out = BUF_INIT(CLIENT_REQUEST_MAX)};
	event_assign(&client->readable, clients->base, -1, 0, on_readable, client);
	event_assign(&client->writable, clients->base, -1, 0, on_writable, client);
}

/* --- connections --- */

static void close_connection(struct client *client)
{
	struct clients *all = client->all;

	if (client->state == CLIENT_WAITING)
		TAILQ_REMOVE(&all->waiting, client, link);
	else if (client->state == CLIENT_IDLE)
		TAILQ_REMOVE(&all->idle, client, link);
	else if (client->state == CLIENT_CONNECTING)
		all->connecting--;
	event_del(&client->readable);
	event_del(&client->writable);
	if (client->fd >= 0) {
		close(client->fd);
		all->open--;
	}
	client->fd = -1;
	client->state = CLIENT_CLOSED;
}

/* The hook is told in the loop's next turn. */
static void fail(struct client *client, enum client_loss loss)
{
	close_connection(client);
	client->state = CLIENT_FAILED;
	client->loss = loss;
	event_active(&client->writable, EV_TIMEOUT, 0);
}

static void lose(struct client *client, enum client_loss loss)
{
	close_connection(client);
	start_waiting(client->all);
	client->all->hooks.lost(client, loss);
}

static bool is_loopback(struct in_addr address)
{
	return ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* The system's choice, or what the owner said, and the addresses behind it. 0: the system's choice. */
static struct in_addr source_of(const struct clients *all)
{
	uint32_t first = ntohl(all->source.s_addr), further = all->open / SOURCE_PORTS;

	if (further == 0 || !is_loopback(all->address.sin_addr))
		return all->source;
	return (struct in_addr){htonl((first == 0 ? INADDR_LOOPBACK : first) + further)};
}

static bool connect_from(const struct clients *all, int fd)
{
	struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr = source_of(all)};
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (source.sin_addr.s_addr != 0) {
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
		if (bind(fd, (struct sockaddr *)&source, sizeof source) != 0)
			return false;
	}
	return connect(fd, (const struct sockaddr *)&all->address, sizeof all->address) == 0 ||
	       errno == EINPROGRESS;
}

/* A socket that is connecting, or -1. */
static int connecting_socket(const struct clients *all)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && !connect_from(all, fd)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void open_connection(struct client *client)
{
	struct clients *all = client->all;

	client->fd = connecting_socket(all);
	if (client->fd < 0) {
		fail(client, CLIENT_LOST_CONNECTING);
		return;
	}
	client->state = CLIENT_CONNECTING;
	all->connecting++;
	if (++all->open > all->open_peak)
		all->open_peak = all->open;
	event_assign(&client->readable, all->base, client->fd, EV_READ | EV_PERSIST, on_readable,
		client);
	event_assign(&client->writable, all->base, client->fd, EV_WRITE, on_writable, client);
	event_add(&client->writable, NULL);
}

/* Whether one more may connect now; where all may be open that may, one that idles is closed for it. */
static bool may_open(struct clients *all)
{
	struct client *oldest = TAILQ_FIRST(&all->idle);

	if (all->connecting >= CONNECTING_MAX)
		return false;
	if (all->open >= all->open_max && oldest != NULL)
		close_connection(oldest);
	return all->open < all->open_max;
}

static void start_waiting(struct clients *all)
{
	struct client *client;

	while ((client = TAILQ_FIRST(&all->waiting)) != NULL && may_open(all)) {
		TAILQ_REMOVE(&all->waiting, client, link);
		client->state = CLIENT_CLOSED;
		open_connection(client);
	}
}

/* --- requests --- */

struct buf *client_request(struct client *client)
{
	CHECK(client->state == CLIENT_IDLE || client->state == CLIENT_CLOSED);
	buf_clear(&client->out);
	return &client->out;
}

/* Sends what may leave. */
static void push(struct client *client)
{
	size_t left = client->until - client->sent;
	ssize_t put = send(client->fd, client->out.data + client->sent, left, MSG_NOSIGNAL);

	if (put < 0 && errno != EAGAIN && errno != EINTR) {
		fail(client, CLIENT_LOST_CLOSED);
		return;
	}
	client->sent += put > 0 ? (size_t)put : 0;
	if (client->sent < client->until)
		event_add(&client->writable, NULL);
}

void client_send(struct client *client, size_t keep_back)
{
	struct clients *all = client->all;

	CHECK(!client->out.failed && client->out.len > keep_back);
	client->sent = 0;
	client->until = client->out.len - keep_back;
	reader_next(&client->reader);
	if (client->state == CLIENT_IDLE) {
		CHECK(keep_back ==
			0); /* `ready` is told by the loop, which is not waited for here */
		TAILQ_REMOVE(&all->idle, client, link);
		client->state = CLIENT_BUSY;
		push(client);
		return;
	}
	CHECK(client->state == CLIENT_CLOSED);
	client->state = CLIENT_WAITING;
	TAILQ_INSERT_TAIL(&all->waiting, client, link);
	start_waiting(all);
}

void client_release(struct client *client)
{
	CHECK(client->state == CLIENT_BUSY);
	client->until = client->out.len;
	push(client);
}

/* --- what the loop says --- */

static void on_connected(struct client *client)
{
	int error = 0;
	socklen_t len = sizeof error;

	getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error != 0) {
		lose(client, CLIENT_LOST_CONNECTING);
		return;
	}
	client->all->connecting--;
	client->state = CLIENT_BUSY;
	event_add(&client->readable, NULL);
	start_waiting(client->all);
	push(client);
}

static void on_writable(evutil_socket_t fd UNUSED, short what UNUSED, void *context)
{
	struct client *client = context;
	struct clients_hooks *hooks = &client->all->hooks;

	if (client->state == CLIENT_FAILED) {
		lose(client, client->loss);
		return;
	}
	if (client->state == CLIENT_CONNECTING)
		on_connected(client);
	else if (client->state == CLIENT_BUSY)
		push(client);
	if (client->state == CLIENT_BUSY && client->sent == client->until &&
		client->until < client->out.len && hooks->ready != NULL)
		hooks->ready(client);
}

static void finish(struct client *client)
{
	struct clients *all = client->all;
	bool keep = client->reader.reply.keep_alive && client->sent == client->out.len;

	if (keep) {
		client->state = CLIENT_IDLE;
		TAILQ_INSERT_TAIL(&all->idle, client, link);
	} else {
		close_connection(client);
	}
	if (!TAILQ_EMPTY(&all->waiting))
		start_waiting(all);
	all->hooks.answered(client, &client->reader.reply);
}

static void on_readable(evutil_socket_t fd UNUSED, short what UNUSED, void *context)
{
	struct client *client = context;
	char *bytes = client->all->bytes;
	ssize_t got = recv(client->fd, bytes, CLIENT_READ_SIZE, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (client->state == CLIENT_IDLE) { /* its end, or what nobody asked for */
		close_connection(client);
		start_waiting(client->all);
		return;
	}
	enum reader_result result = READER_MORE;
	if (got >= 0)
		result = got > 0 ? reader_feed(&client->reader, bytes, (size_t)got)
				 : reader_end(&client->reader);
	if (result == READER_WHOLE)
		finish(client);
	else if (got <= 0)
		lose(client, CLIENT_LOST_CLOSED);
	else if (result == READER_BROKEN)
		lose(client, CLIENT_LOST_MALFORMED);
}

void client_close(struct client *client)
{
	close_connection(client);
	start_waiting(client->all);
}

void client_free(struct client *client)
{
	client_close(client);
	buf_free(&client->out);
	reader_free(&client->reader);
}
