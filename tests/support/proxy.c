/* Bytes are taken off the one side's bufferevent, suffer the fault, and are added to the other's. A link whose
 * stream is damaged for good (bytes were lost) is marked, and closed when the fault changes. */
#include "tests/support/proxy.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "proto/base/check.h"

enum { NAME_SIZE = 64, GARBAGE = 0x01 };

/* Reads PostgreSQL's messages out of a stream: a type (none in the first that a client sends), a length that
 * counts itself, the rest. */
struct framing {
	bool untyped;
	size_t head_len; /* of the message at hand, so far */
	unsigned char head[5];
	size_t rest, body_len;
	char body[NAME_SIZE]; /* its start */
};

struct way {
	struct evbuffer *held; /* delayed */
	struct event *timer;
	struct framing framing;
};

struct link {
	LIST_ENTRY(link) entry;
	struct proxy *proxy;
	struct bufferevent *client, *target;
	struct way from_client, from_target;
	size_t passes; /* PROXY_CUTS: what the target may still say */
	bool sells; /* the transaction that is being sent */
	bool losing; /* its commit has gone by */
	bool damaged;
};

LIST_HEAD(link_list, link);

struct proxy {
	struct event_base *base;
	struct sockaddr_storage target;
	socklen_t target_len;
	struct evconnlistener *listener;
	struct proxy_counts *counts;
	enum proxy_fault fault;
	uint64_t amount;
	struct ev_token_bucket_cfg *rate;
	struct link_list links;
};

/* --- links --- */

static void way_free(struct way *way)
{
	event_free(way->timer);
	evbuffer_free(way->held);
}

static void link_free(struct link *link)
{
	LIST_REMOVE(link, entry);
	bufferevent_free(link->client);
	bufferevent_free(link->target);
	way_free(&link->from_client);
	way_free(&link->from_target);
	free(link);
}

static void reset_at_close(struct bufferevent *side)
{
	struct linger hard = {.l_onoff = 1};
	evutil_socket_t fd = bufferevent_getfd(side);

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

/* The fault ends the link. */
static void link_break(struct link *link)
{
	link->proxy->counts->hit++;
	if (link->proxy->fault == PROXY_RESETS)
		reset_at_close(link->client);
	link_free(link);
}

static void hit(struct link *link, size_t bytes)
{
	link->proxy->counts->bytes_hit += bytes;
}

/* --- PostgreSQL's messages --- */

static bool head_is_whole(const struct framing *framing)
{
	return framing->head_len == (framing->untyped ? 4 : 5);
}

static void take_head(struct framing *framing)
{
	const unsigned char *length = framing->head + (framing->untyped ? 0 : 1);
	size_t len = (size_t)length[0] << 24 | (size_t)length[1] << 16 | (size_t)length[2] << 8 |
		     length[3];

	framing->rest = len > 4 ? len - 4 : 0;
	framing->body_len = 0;
}

/* Feeds bytes in; true at the end of a message, whose bytes are then taken off the input. */
static bool next_message(struct framing *framing, const unsigned char **bytes, size_t *len)
{
	while (*len > 0 && !head_is_whole(framing)) {
		framing->head[framing->head_len++] = *(*bytes)++;
		(*len)--;
		if (head_is_whole(framing))
			take_head(framing);
	}
	if (!head_is_whole(framing))
		return false;
	size_t part = framing->rest < *len ? framing->rest : *len;
	size_t kept = NAME_SIZE - framing->body_len < part ? NAME_SIZE - framing->body_len : part;
	memcpy(framing->body + framing->body_len, *bytes, kept);
	framing->body_len += kept;
	framing->rest -= part;
	*bytes += part;
	*len -= part;
	return framing->rest == 0;
}

static char end_message(struct framing *framing)
{
	char type = (char)(framing->untyped ? 0 : framing->head[0]);

	framing->untyped = false;
	framing->head_len = 0;
	return type;
}

/* A Bind names its portal, which is empty, and the statement. */
static bool binds_a_sale(const struct framing *framing)
{
	static const char *const names[] = {"hold", "pay", "cancel", "charge"};
	const char *name = framing->body + 1;
	size_t room = framing->body_len > 0 ? framing->body_len - 1 : 0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strlen(names[i]) < room && memcmp(name, names[i], strlen(names[i]) + 1) == 0)
			return true;
	return false;
}

/* A Sync commits what was bound since the one before. */
static void read_client(struct link *link, const unsigned char *bytes, size_t len)
{
	struct framing *framing = &link->from_client.framing;

	while (next_message(framing, &bytes, &len)) {
		bool sells = binds_a_sale(framing);
		char type = end_message(framing);
		if (type == 'B')
			link->sells = link->sells || sells;
		if (type != 'S')
			continue;
		link->losing = link->losing ||
			       (link->sells && link->proxy->fault == PROXY_LOSES_COMMITS);
		link->sells = false;
	}
}

/* True where the target is ready for the next transaction: the one before has ended. */
static bool read_target(struct link *link, const unsigned char *bytes, size_t len)
{
	bool ready = false;

	while (next_message(&link->from_target.framing, &bytes, &len))
		ready = end_message(&link->from_target.framing) == 'Z' || ready;
	return ready;
}

/* --- bytes on their way --- */

static void pass(struct link *link, struct bufferevent *from, struct bufferevent *to)
{
	struct evbuffer *bytes = bufferevent_get_input(from);

	if (link->proxy->fault != PROXY_PASSES)
		hit(link, evbuffer_get_length(bytes));
	bufferevent_write_buffer(to, bytes);
}

static void lose(struct link *link, struct bufferevent *from)
{
	struct evbuffer *bytes = bufferevent_get_input(from);

	hit(link, evbuffer_get_length(bytes));
	link->damaged = true;
	evbuffer_drain(bytes, evbuffer_get_length(bytes));
}

static void garble(struct link *link)
{
	struct evbuffer *bytes = bufferevent_get_input(link->target);
	size_t len = evbuffer_get_length(bytes);
	char *junk = must_malloc(len + 1);

	memset(junk, GARBAGE, len);
	lose(link, link->target);
	bufferevent_write(link->client, junk, len);
	free(junk);
}

static void delay(struct link *link, struct way *way, struct bufferevent *from)
{
	struct evbuffer *bytes = bufferevent_get_input(from);
	unsigned ms = (unsigned)link->proxy->amount;
	struct timeval due = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	hit(link, evbuffer_get_length(bytes));
	evbuffer_add_buffer(way->held, bytes);
	if (!event_pending(way->timer, EV_TIMEOUT, NULL))
		event_add(way->timer, &due);
}

static void release(struct way *way, struct bufferevent *to)
{
	event_del(way->timer);
	bufferevent_write_buffer(to, way->held);
}

static void client_is_due(UNUSED evutil_socket_t fd, UNUSED short what, void *context)
{
	struct link *link = context;

	release(&link->from_client, link->target);
}

static void target_is_due(UNUSED evutil_socket_t fd, UNUSED short what, void *context)
{
	struct link *link = context;

	release(&link->from_target, link->client);
}

static void from_client(struct bufferevent *client, void *context)
{
	struct link *link = context;
	struct evbuffer *bytes = bufferevent_get_input(client);
	size_t len = evbuffer_get_length(bytes);

	read_client(link, evbuffer_pullup(bytes, -1), len);
	switch (link->proxy->fault) {
	case PROXY_DELAYS: delay(link, &link->from_client, client); break;
	case PROXY_SWALLOWS: lose(link, client); break;
	default: pass(link, client, link->target); break;
	}
}

/* The limit may be in the midst of a message. */
static void pass_to_limit(struct link *link)
{
	struct evbuffer *bytes = bufferevent_get_input(link->target);
	size_t len = evbuffer_get_length(bytes);

	if (len < link->passes) {
		link->passes -= len;
		pass(link, link->target, link->client);
		return;
	}
	hit(link, len);
	evbuffer_remove_buffer(bytes, bufferevent_get_output(link->client), link->passes);
	evbuffer_write(bufferevent_get_output(link->client), bufferevent_getfd(link->client));
	link_break(link);
}

static void from_target(struct bufferevent *target, void *context)
{
	struct link *link = context;
	struct evbuffer *bytes = bufferevent_get_input(target);
	size_t len = evbuffer_get_length(bytes);
	bool ready = read_target(link, evbuffer_pullup(bytes, -1), len);

	if (link->losing) {
		lose(link, target);
		if (ready) {
			link->proxy->counts->commits_lost++;
			link_break(link);
		}
		return;
	}
	switch (link->proxy->fault) {
	case PROXY_DELAYS: delay(link, &link->from_target, target); break;
	case PROXY_CUTS: pass_to_limit(link); break;
	case PROXY_SWALLOWS:
	case PROXY_MUTES: lose(link, target); break;
	case PROXY_GARBLES: garble(link); break;
	default: pass(link, target, link->client); break;
	}
}

/* What the one side said last reaches the other, as far as it takes it at once. */
static void on_end(struct bufferevent *side, short what, void *context)
{
	struct link *link = context;
	struct bufferevent *other = side == link->client ? link->target : link->client;

	if (!(what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)))
		return;
	if (bufferevent_getfd(other) >= 0 && link->proxy->fault == PROXY_PASSES)
		evbuffer_write(bufferevent_get_output(other), bufferevent_getfd(other));
	link_free(link);
}

/* --- faults of whole connections --- */

/* What the fault asks of a link beyond its bytes. */
static void shape(struct link *link)
{
	const struct proxy *proxy = link->proxy;
	struct bufferevent *sides[] = {link->client, link->target};

	link->passes = proxy->amount;
	for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
		bufferevent_set_max_single_write(sides[i], proxy->fault == PROXY_SPLITS ? 1 : 0);
		bufferevent_set_rate_limit(
			sides[i], proxy->fault == PROXY_THROTTLES ? proxy->rate : NULL);
		if (proxy->fault == PROXY_STALLS)
			bufferevent_disable(sides[i], EV_READ | EV_WRITE);
		else
			bufferevent_enable(sides[i], EV_READ | EV_WRITE);
	}
}

static void way_init(struct link *link, struct way *way, event_callback_fn due)
{
	way->held = evbuffer_new();
	way->timer = evtimer_new(link->proxy->base, due, link);
	cr_assert(way->held != NULL && way->timer != NULL);
}

static void send_at_once(struct bufferevent *side)
{
	int on = 1;

	setsockopt(bufferevent_getfd(side), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void accepted(UNUSED struct evconnlistener *listener, evutil_socket_t fd,
	UNUSED struct sockaddr *address, UNUSED int len, void *context)
{
	struct proxy *proxy = context;
	struct link *link = must_calloc(1, sizeof *link);

	proxy->counts->accepted++;
	link->proxy = proxy;
	link->from_client.framing.untyped = true;
	link->client = bufferevent_socket_new(proxy->base, fd, BEV_OPT_CLOSE_ON_FREE);
	link->target = bufferevent_socket_new(proxy->base, -1, BEV_OPT_CLOSE_ON_FREE);
	cr_assert(link->client != NULL && link->target != NULL);
	way_init(link, &link->from_client, client_is_due);
	way_init(link, &link->from_target, target_is_due);
	send_at_once(link->client);
	LIST_INSERT_HEAD(&proxy->links, link, entry);
	if (proxy->fault == PROXY_CLOSES || proxy->fault == PROXY_RESETS) {
		link_break(link);
		return;
	}
	bufferevent_setcb(link->client, from_client, NULL, on_end, link);
	bufferevent_setcb(link->target, from_target, NULL, on_end, link);
	shape(link);
	if (bufferevent_socket_connect(
		    link->target, (struct sockaddr *)&proxy->target, (int)proxy->target_len) != 0)
		link_free(link);
}

struct proxy *proxy_new(struct event_base *base, const struct sockaddr *target, socklen_t len,
	struct proxy_counts *counts)
{
	struct proxy *proxy = must_calloc(1, sizeof *proxy);

	CHECK(len <= sizeof proxy->target);
	proxy->base = base;
	proxy->counts = counts;
	memcpy(&proxy->target, target, len);
	proxy->target_len = len;
	LIST_INIT(&proxy->links);
	return proxy;
}

void proxy_cut(struct proxy *proxy)
{
	while (!LIST_EMPTY(&proxy->links))
		link_free(LIST_FIRST(&proxy->links));
}

void proxy_free(struct proxy *proxy)
{
	proxy_cut(proxy);
	if (proxy->listener != NULL)
		evconnlistener_free(proxy->listener);
	if (proxy->rate != NULL)
		ev_token_bucket_cfg_free(proxy->rate);
	free(proxy);
}

void proxy_listen(struct proxy *proxy, const struct sockaddr *address, socklen_t len)
{
	proxy->listener = evconnlistener_new_bind(proxy->base, accepted, proxy,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1, address, (int)len);
	cr_assert(proxy->listener != NULL);
}

unsigned proxy_listen_tcp(struct proxy *proxy)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;

	proxy_listen(proxy, (struct sockaddr *)&address, sizeof address);
	evutil_socket_t fd = evconnlistener_get_fd(proxy->listener);
	cr_assert(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
	return ntohs(address.sin_port);
}

/* What the fault before has left on a link: late bytes go out now. False: the link was closed. */
static bool settle(struct link *link)
{
	if (link->damaged) {
		link_free(link);
		return false;
	}
	release(&link->from_client, link->target);
	release(&link->from_target, link->client);
	return true;
}

void proxy_set(struct proxy *proxy, enum proxy_fault fault, uint64_t amount)
{
	struct ev_token_bucket_cfg *before = proxy->rate;
	struct link *link, *next;

	proxy->fault = fault;
	proxy->amount = amount;
	proxy->rate = fault != PROXY_THROTTLES
			      ? NULL
			      : ev_token_bucket_cfg_new(amount, amount, amount, amount, NULL);
	for (link = LIST_FIRST(&proxy->links); link != NULL; link = next) {
		next = LIST_NEXT(link, entry);
		if (!settle(link))
			continue;
		if (fault == PROXY_CLOSES || fault == PROXY_RESETS) {
			link_break(link);
			continue;
		}
		proxy->counts->hit += fault != PROXY_PASSES;
		shape(link);
	}
	if (before != NULL)
		ev_token_bucket_cfg_free(before);
}
