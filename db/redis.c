/* Commands on their way to Redis and back. A command is formatted at once into hiredis's output, which
 * redis_turn writes with one write(2) a loop turn; its reply finds the call that waits for it.
 *
 *            sent: in the order in which replies come; deadlines only grow
 *   |--- answered (DB_UNKNOWN), reply still to come ---|--- waiting ---|
 *   oldest                                             first_waiting
 *
 * The one thing to know: a call leaves `sent` only when hiredis gives its reply, or loses the connection.
 * A deadline answers it earlier and leaves it there, so that the late reply meets its own call. */
#include "db/redis.h"

#include <event2/event.h>
#include <hiredis/alloc.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <hiredis/sds.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include "db/redis_url.h"
#include "db/resp.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/event_priority.h"
#include "proto/base/log.h"
#include "proto/base/reserve.h"

enum {
	SCRIPTS_MAX = 32,
	SHA_LEN = 40,
	ADDRESSES_MAX = 8,
	ADDRESS_SIZE = 64,
	BACKOFF_MIN_MS = 50,
	BACKOFF_MAX_MS = 1000,
	LATE_READS_MAX = 64, /* of 16 KiB: hiredis's own size */
	OVERDUE_DEADLINES = 2, /* past its own: then the connection is given up */
	BYTES_IN_FLIGHT_MAX = 128 << 20, /* of commands not answered yet */
	ERROR_LOG_EVERY_US = 1000 * 1000,
	LISTEN_CHECK_US = 1000 * 1000
};

/* One command. Recycled: it comes from redis->free, and goes back there. */
struct call {
	struct redis *redis;
	redis_done *done;
	void *context;
	uint64_t deadline_us;
	bool answered; /* by its deadline */
	enum db_result refusal; /* of a call in `refused` */
	size_t len; /* of the command */
	/* Of a script's call: its command, kept until the reply comes, and where in it what follows the
	 * SHA-1 begins. */
	const struct redis_script *script;
	char *command;
	size_t tail;
	TAILQ_ENTRY(call) link;
};
TAILQ_HEAD(call_list, call);

struct loaded_script {
	const struct redis_script *script;
	char sha[SHA_LEN + 1];
};

struct redis {
	struct event_base *base;
	struct redis_url url;
	char addresses[ADDRESSES_MAX][ADDRESS_SIZE];
	unsigned address_count, address_next;
	uint64_t deadline_us;
	unsigned in_flight_max, breaker_failures, breaker_open_ms;
	struct loaded_script scripts[SCRIPTS_MAX];
	unsigned script_count;

	redisAsyncContext *connection; /* NULL: none; link_timer makes the next one */
	bool connected, ready; /* ready: set up, scripts loaded */
	bool closing;
	unsigned setup_left;
	char run_id[REDIS_RUN_ID_SIZE];
	unsigned script_reply; /* whose SHA-1 the next reply to SCRIPT LOAD is */
	unsigned attempts; /* since the connection was last ready */
	struct event *read_event, *write_event;
	bool reading, write_armed; /* the events are added */
	bool writing; /* hiredis is writing: what is left waits for EV_WRITE */
	bool unsent; /* hiredis has output for redis_turn */
	bool out_of_step; /* … in which is a command whose reply nobody waits for: never to be written */
	struct event *
		link_timer; /* reconnects; gives up a connect that takes too long; checks a listener */

	const char *channel; /* of a listener; else NULL */
	redis_message *message;
	void *message_context;
	bool listening; /* the connection is subscribed, or is to be */
	bool subscribed; /* the last SUBSCRIBE was answered */

	struct call_list sent, refused;
	struct call *first_waiting;
	unsigned sent_count, waiting_count;
	size_t bytes_in_flight;
	struct call_list free;
	unsigned free_count;
	struct event *deadline_timer, *refused_timer;

	enum redis_breaker breaker;
	unsigned failures; /* in a row */
	struct event *breaker_timer;

	bool told_up;
	void (*change)(void *context, bool up);
	void *change_context;
	uint64_t error_logged_us;
	struct redis_stats stats;
};

static const char no_memory[] = "no memory for a command";

static void send_setup(struct redis *redis);
static void note_failure(struct redis *redis);
static void probe(struct redis *redis);
static void subscribe(struct redis *redis);
static void add_write(void *arg);
static void on_reply(redisAsyncContext *connection, void *value, void *data);

/* --- timers --- */

static void arm(struct event *timer, uint64_t us)
{
	struct timeval in = {
		.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};

	CHECK(event_add(timer, &in) == 0);
}

static bool armed(const struct event *timer)
{
	return event_pending(timer, EV_TIMEOUT, NULL) != 0;
}

static uint32_t random_below(uint32_t limit)
{
	uint32_t bits = 0;

	CHECK(getrandom(&bits, sizeof bits, 0) == (ssize_t)sizeof bits);
	return bits % limit;
}

/* --- up or not --- */

bool redis_up(const struct redis *redis)
{
	return redis->ready && redis->breaker == REDIS_BREAKER_CLOSED;
}

static void tell_change(struct redis *redis)
{
	bool up = redis_up(redis);

	if (up == redis->told_up)
		return;
	redis->told_up = up;
	if (redis->change && !redis->closing)
		redis->change(redis->change_context, up);
}

/* --- calls --- */

static struct call *call_new(struct redis *redis, redis_done *done, void *context)
{
	struct call *call = TAILQ_FIRST(&redis->free);

	if (call) {
		TAILQ_REMOVE(&redis->free, call, link);
		redis->free_count--;
	} else {
		call = must_malloc(sizeof *call);
	}
	*call = (struct call){.redis = redis, .done = done, .context = context};
	return call;
}

static void call_recycle(struct call *call)
{
	struct redis *redis = call->redis;

	free(call->command);
	if (redis->closing || redis->free_count >= redis->in_flight_max) {
		free(call);
		return;
	}
	TAILQ_INSERT_HEAD(&redis->free, call, link);
	redis->free_count++;
}

/* Answered at the end of the turn: a submitting call never calls back. There are as many of these as
 * operations that their callers let in. */
static void call_refuse(struct call *call, enum db_result result)
{
	struct redis *redis = call->redis;

	redis->stats.refused++;
	if (!call->done) {
		call_recycle(call);
		return;
	}
	call->refusal = result;
	TAILQ_INSERT_TAIL(&redis->refused, call, link);
	if (!redis->closing && !armed(redis->refused_timer))
		arm(redis->refused_timer, 0);
}

static void call_answer(struct call *call, enum db_result result, const redisReply *reply)
{
	redis_done *done = call->done;

	call->done = NULL;
	if (done)
		done(call->context, result, (const struct redis_value *)(const void *)reply);
}

/* Takes the call out of `sent`: hiredis is done with it. */
static void call_unlink(struct call *call)
{
	struct redis *redis = call->redis;

	CHECK(call == TAILQ_FIRST(&redis->sent));
	if (redis->first_waiting == call)
		redis->first_waiting = TAILQ_NEXT(call, link);
	TAILQ_REMOVE(&redis->sent, call, link);
	redis->sent_count--;
	redis->waiting_count -= !call->answered;
	redis->bytes_in_flight -= call->len;
}

/* Without memory, hiredis 0.14 appends a command and forgets who waits for it, or the other way around, and says
 * that all went well. Each reply after it would be another call's: the connection is given up instead, before
 * anything more is written. */
static bool append(struct redis *redis, struct call *call, const char *command, size_t len)
{
	redisAsyncContext *connection = redis->connection;
	const redisCallback *last = connection->replies.tail;

	if (redisAsyncFormattedCommand(connection, on_reply, call, command, len) != REDIS_OK)
		return false;
	bool awaited = connection->replies.tail != last;
	redis->out_of_step = redis->out_of_step || !awaited || connection->c.err != 0;
	return awaited;
}

static void call_send(struct call *call, const char *command, size_t len)
{
	struct redis *redis = call->redis;

	if (!append(redis, call, command, len)) {
		call_refuse(call, DB_UNAVAILABLE);
		return;
	}
	call->len = len;
	call->deadline_us = clock_mono_us_now() + redis->deadline_us;
	TAILQ_INSERT_TAIL(&redis->sent, call, link);
	if (!redis->first_waiting)
		redis->first_waiting = call;
	redis->sent_count++;
	redis->waiting_count++;
	redis->bytes_in_flight += len;
	redis->stats.commands++;
	if (!armed(redis->deadline_timer))
		arm(redis->deadline_timer, redis->deadline_us);
}

/* Whether a command may be sent now; else refuses the call. */
static bool call_may_go(struct call *call, size_t len)
{
	struct redis *redis = call->redis;

	if (!redis_up(redis) || redis->closing)
		call_refuse(call, DB_UNAVAILABLE);
	else if (redis->sent_count >= redis->in_flight_max ||
		 redis->bytes_in_flight + len > BYTES_IN_FLIGHT_MAX)
		call_refuse(call, DB_BUSY);
	else
		return true;
	return false;
}

/* --- commands --- */

static void submit(struct call *call, const struct redis_args *args)
{
	char *command = must_malloc(RESP_LINE_MAX + resp_args_size(args));
	char *end = resp_put_args(resp_put_line(command, '*', args->count), args);

	call_send(call, command, (size_t)(end - command));
	free(command);
}

void redis_command(
	struct redis *redis, const struct redis_args *args, redis_done *done, void *context)
{
	struct call *call = call_new(redis, done, context);

	CHECK(args->count > 0 && redis->channel == NULL);
	if (call_may_go(call, resp_args_size(args)))
		submit(call, args);
}

static const struct loaded_script *find_script(
	const struct redis *redis, const struct redis_script *script)
{
	for (unsigned i = 0; i < redis->script_count; i++)
		if (redis->scripts[i].script == script)
			return &redis->scripts[i];
	check_failed(__FILE__, __LINE__, script->name);
}

void redis_eval(struct redis *redis, const struct redis_script *script, unsigned keys,
	const struct redis_args *args, redis_done *done, void *context)
{
	const struct loaded_script *loaded = find_script(redis, script);
	struct call *call = call_new(redis, done, context);
	size_t size = 5 * RESP_LINE_MAX + sizeof "EVALSHA" + SHA_LEN + resp_args_size(args);
	char number[RESP_LINE_MAX], *at;

	CHECK(keys <= args->count);
	if (!call_may_go(call, size))
		return;
	call->script = script;
	call->command = must_malloc(size);
	at = resp_put_line(call->command, '*', 3 + args->count);
	at = resp_put_bulk(at, "EVALSHA", strlen("EVALSHA"));
	at = resp_put_bulk(at, loaded->sha, SHA_LEN);
	call->tail = (size_t)(at - call->command);
	at = resp_put_bulk(at, number, resp_put_decimal(number, keys));
	at = resp_put_args(at, args);
	call_send(call, call->command, (size_t)(at - call->command));
}

/* Redis has forgotten the script (SCRIPT FLUSH): its source goes along, once. The call gets its whole
 * deadline again, so that deadlines in `sent` only grow. */
static void send_source(struct call *call)
{
	const char *source = call->script->source, *count_end = strchr(call->command, '\r');
	size_t source_len = strlen(source), tail_len = call->len - call->tail;
	char *kept = call->command;
	char *command = must_malloc(3 * RESP_LINE_MAX + sizeof "EVAL" + source_len + 4 + tail_len);
	char *at = resp_put_bytes(command, kept, (size_t)(count_end + 2 - kept));

	at = resp_put_bulk(at, "EVAL", strlen("EVAL"));
	at = resp_put_bulk(at, source, source_len);
	at = resp_put_bytes(at, kept + call->tail, tail_len);
	call->script = NULL;
	call->command = NULL;
	call_send(call, command, (size_t)(at - command));
	free(command);
	free(kept);
}

/* --- the connection's life: connect, set up, ready, lost --- */

static void connection_plan(struct redis *redis)
{
	unsigned doublings = redis->attempts < 5 ? redis->attempts : 5;
	unsigned ms = (unsigned)BACKOFF_MIN_MS << doublings;

	if (ms > BACKOFF_MAX_MS)
		ms = BACKOFF_MAX_MS;
	redis->attempts++;
	if (!redis->closing)
		arm(redis->link_timer, (ms / 2 + random_below(ms / 2 + 1)) * UINT64_C(1000));
}

/* What the loss of a connection means to us; hiredis frees it. Does nothing the second time. */
static void connection_lost(struct redis *redis, const char *why)
{
	if (!redis->connection)
		return;
	if (!redis->closing && (redis->ready || redis->attempts <= 1))
		log_warn("redis: %s: %s", redis->ready ? "connection lost" : "no connection", why);
	redis->connection = NULL;
	redis->connected = redis->ready = redis->unsent = redis->out_of_step = redis->listening =
		false;
	connection_plan(redis);
	note_failure(redis);
	tell_change(redis);
}

/* Gives the connection up; its calls are answered here, one by one, by on_reply. */
static void connection_drop(struct redis *redis, const char *why)
{
	redisAsyncContext *connection = redis->connection;

	if (!connection)
		return;
	connection_lost(redis, why);
	redisAsyncFree(connection);
}

/* hiredis frees a connection that failed after this has returned; freeing it here would be one too many. */
static void on_connect(const redisAsyncContext *connection, int status)
{
	struct redis *redis = connection->data;

	if (connection != redis->connection)
		return;
	if (status != REDIS_OK) {
		connection_lost(redis, connection->c.errstr);
		return;
	}
	redis->connected = true;
	event_del(redis->link_timer);
	send_setup(redis);
}

static void on_disconnect(const redisAsyncContext *connection, int status UNUSED)
{
	struct redis *redis = connection->data;

	if (connection == redis->connection)
		connection_lost(redis, connection->c.errstr);
}

static void connection_ready(struct redis *redis)
{
	redis->ready = true;
	redis->attempts = 0;
	redis->stats.connections++;
	if (redis->channel)
		log_info("redis: listening to %s", redis->channel);
	else
		log_info("redis: connection ready, %u scripts loaded", redis->script_count);
	if (redis->breaker == REDIS_BREAKER_CLOSED)
		redis->failures = 0;
	else if (!armed(redis->breaker_timer))
		probe(redis);
	tell_change(redis);
}

static void setup_done(void *context, enum db_result result, const struct redis_value *value)
{
	struct redis *redis = context;
	size_t len;

	if (!redis->connection)
		return;
	if (result != DB_OK) {
		connection_drop(
			redis, result == DB_FAILED ? redis_text(value, &len) : "no answer in time");
		return;
	}
	if (--redis->setup_left > 0)
		return;
	if (redis->channel)
		subscribe(redis);
	else
		connection_ready(redis);
}

static void script_loaded(void *context, enum db_result result, const struct redis_value *value)
{
	struct redis *redis = context;
	size_t len = 0;
	const char *sha = value ? redis_text(value, &len) : "";

	if (result == DB_OK) {
		CHECK(redis->script_reply < redis->script_count);
		if (len == SHA_LEN)
			memcpy(redis->scripts[redis->script_reply].sha, sha, SHA_LEN + 1);
		redis->script_reply++;
	}
	setup_done(redis, result, value);
}

/* A server that does not tell (some that are rented do not) is taken for always the same one. */
static void info_read(void *context, enum db_result result, const struct redis_value *value)
{
	static const char field[] = "\r\nrun_id:";
	struct redis *redis = context;
	size_t len = 0;
	const char *info = result == DB_OK ? redis_text(value, &len) : "";
	const char *found = strstr(info, field);

	redis->run_id[0] = '\0';
	if (found)
		snprintf(redis->run_id, sizeof redis->run_id, "%.*s", SHA_LEN,
			found + sizeof field - 1);
	setup_done(redis, result == DB_FAILED ? DB_OK : result, value);
}

static void send_setup_command(struct redis *redis, const struct redis_args *args, redis_done *done)
{
	redis->setup_left++;
	submit(call_new(redis, done, redis), args);
}

static void send_setup(struct redis *redis)
{
	redis->setup_left = redis->script_reply = 0;
	if (redis->url.password[0] != '\0') {
		REDIS_ARGS(auth, 3);
		redis_arg_text(&auth, "AUTH");
		if (redis->url.user[0] != '\0')
			redis_arg_text(&auth, redis->url.user);
		redis_arg_text(&auth, redis->url.password);
		send_setup_command(redis, &auth, setup_done);
	}
	REDIS_ARGS(select, 2);
	redis_arg_text(&select, "SELECT");
	redis_arg_i64(&select, redis->url.db);
	send_setup_command(redis, &select, setup_done);
	REDIS_ARGS(info, 2);
	redis_arg_text(&info, "INFO");
	redis_arg_text(&info, "server");
	send_setup_command(redis, &info, info_read);
	for (unsigned i = 0; i < redis->script_count; i++) {
		REDIS_ARGS(load, 3);
		redis_arg_text(&load, "SCRIPT");
		redis_arg_text(&load, "LOAD");
		redis_arg_text(&load, redis->scripts[i].script->source);
		send_setup_command(redis, &load, script_loaded);
	}
}

/* --- listening --- */

static bool reply_is(const redisReply *reply, const char *text)
{
	return reply->type == REDIS_REPLY_STRING && strcmp(reply->str, text) == 0;
}

static void heard(struct redis *redis, const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3)
		return;
	const redisReply *kind = reply->element[0], *text = reply->element[2];
	if (reply_is(kind, "subscribe")) {
		redis->subscribed = true;
		arm(redis->link_timer, LISTEN_CHECK_US);
		if (!redis->ready)
			connection_ready(redis);
	} else if (reply_is(kind, "message") && text->type == REDIS_REPLY_STRING) {
		redis->message(redis->message_context, text->str, text->len);
	}
}

/* Of a connection that is set up. hiredis's own way keeps a table of channels, and does not look whether it got the
 * memory for it. */
static void listen_on(struct redis *redis)
{
	redisAsyncContext *connection = redis->connection;
	void *reply = NULL;

	int result = redisBufferRead(&connection->c);
	while (result == REDIS_OK && redis->connection == connection) {
		result = redisGetReplyFromReader(&connection->c, &reply);
		if (result != REDIS_OK || reply == NULL)
			break;
		heard(redis, reply);
		freeReplyObject(reply);
	}
	if (result != REDIS_OK)
		connection_drop(redis, connection->c.errstr);
}

/* Said again, it changes nothing, and its answer shows that the connection still carries both ways. */
static void subscribe(struct redis *redis)
{
	redis->listening = true;
	redis->subscribed = false;
	arm(redis->link_timer, redis->deadline_us);
	if (redisAppendCommand(&redis->connection->c, "SUBSCRIBE %s", redis->channel) != REDIS_OK)
		connection_drop(redis, no_memory);
	else
		add_write(redis);
}

static void check_listener(struct redis *redis)
{
	if (redis->subscribed)
		subscribe(redis);
	else
		connection_drop(redis, "no answer to SUBSCRIBE");
}

void redis_listen(struct redis *redis, const char *channel, redis_message *message, void *context)
{
	CHECK(redis->script_count == 0 && !redis->connection);
	redis->channel = channel;
	redis->message = message;
	redis->message_context = context;
}

/* --- the adapter between hiredis and libevent --- */

static void on_readable(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct redis *redis = arg;

	if (redis->listening)
		listen_on(redis);
	else if (redis->connection)
		redisAsyncHandleRead(redis->connection);
}

/* hiredis may lose the connection in here, and free it. */
static void write_out(struct redis *redis)
{
	redis->unsent = false;
	redis->writing = true;
	redisAsyncHandleWrite(redis->connection);
	redis->writing = false;
}

static void on_writable(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct redis *redis = arg;

	if (redis->out_of_step)
		connection_drop(redis, no_memory);
	else if (redis->connection)
		write_out(redis);
}

static void add_read(void *arg)
{
	struct redis *redis = arg;

	if (!redis->reading)
		CHECK(event_add(redis->read_event, NULL) == 0);
	redis->reading = true;
}

static void del_read(void *arg)
{
	struct redis *redis = arg;

	event_del(redis->read_event);
	redis->reading = false;
}

/* What is asked for outside of a write is written by redis_turn; EV_WRITE is for what a write left over,
 * and for the connect. */
static void add_write(void *arg)
{
	struct redis *redis = arg;

	if (redis->connected && !redis->writing) {
		redis->unsent = true;
		return;
	}
	if (!redis->write_armed)
		CHECK(event_add(redis->write_event, NULL) == 0);
	redis->write_armed = true;
}

static void del_write(void *arg)
{
	struct redis *redis = arg;

	if (redis->write_armed)
		event_del(redis->write_event);
	redis->write_armed = false;
}

static void forget_events(void *arg)
{
	struct redis *redis = arg;

	event_free(redis->read_event);
	event_free(redis->write_event);
	redis->read_event = redis->write_event = NULL;
	redis->reading = redis->write_armed = false;
}

static void adapt(struct redis *redis, redisAsyncContext *connection)
{
	int fd = connection->c.fd;

	redis->read_event = event_new(redis->base, fd, EV_READ | EV_PERSIST, on_readable, redis);
	redis->write_event = event_new(redis->base, fd, EV_WRITE | EV_PERSIST, on_writable, redis);
	CHECK(redis->read_event && redis->write_event);
	CHECK(event_priority_set(redis->read_event, EVENT_STORES) == 0);
	connection->data = redis;
	connection->ev.data = redis;
	connection->ev.addRead = add_read;
	connection->ev.delRead = del_read;
	connection->ev.addWrite = add_write;
	connection->ev.delWrite = del_write;
	connection->ev.cleanup = forget_events;
}

static redisAsyncContext *open_connection(struct redis *redis)
{
	if (redis->url.kind == REDIS_URL_UNIX)
		return redisAsyncConnectUnix(redis->url.path);
	unsigned i = redis->address_next++ % redis->address_count;
	return redisAsyncConnect(redis->addresses[i], redis->url.port);
}

static void connect_start(struct redis *redis)
{
	redisAsyncContext *connection = open_connection(redis);

	if (connection == NULL || connection->err) {
		if (redis->attempts <= 1)
			log_warn("redis: no connection: %s",
				connection != NULL ? connection->c.errstr : "no memory");
		if (connection != NULL)
			redisAsyncFree(connection);
		connection_plan(redis);
		note_failure(redis);
		return;
	}
	redis->connection = connection;
	adapt(redis, connection);
	redisAsyncSetConnectCallback(connection, on_connect);
	redisAsyncSetDisconnectCallback(connection, on_disconnect);
	arm(redis->link_timer, OVERDUE_DEADLINES * redis->deadline_us);
}

static void on_link_timer(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct redis *redis = arg;

	if (!redis->connection)
		connect_start(redis);
	else if (!redis->connected)
		connection_drop(redis, "connecting took too long");
	else if (redis->channel)
		check_listener(redis);
}

/* --- the breaker --- */

static void breaker_open(struct redis *redis)
{
	redis->breaker = REDIS_BREAKER_OPEN;
	arm(redis->breaker_timer, redis->breaker_open_ms * UINT64_C(1000));
	tell_change(redis);
}

static void note_failure(struct redis *redis)
{
	if (redis->channel)
		return;
	if (redis->failures < redis->breaker_failures)
		redis->failures++;
	if (redis->breaker != REDIS_BREAKER_CLOSED || redis->failures < redis->breaker_failures ||
		redis->closing)
		return;
	redis->stats.breaker_openings++;
	log_warn("redis: breaker open after %u failures in a row", redis->failures);
	breaker_open(redis);
}

static void probed(void *context, enum db_result result, const struct redis_value *value UNUSED)
{
	struct redis *redis = context;

	if (redis->closing)
		return;
	if (result != DB_OK && result != DB_FAILED) {
		breaker_open(redis);
		return;
	}
	redis->breaker = REDIS_BREAKER_CLOSED;
	redis->failures = 0;
	log_info("redis: breaker closed");
	tell_change(redis);
}

static void probe(struct redis *redis)
{
	REDIS_ARGS(ping, 1);

	redis_arg_text(&ping, "PING");
	redis->breaker = REDIS_BREAKER_HALF_OPEN;
	submit(call_new(redis, probed, redis), &ping);
}

/* Without a connection the breaker stays open; connection_ready probes. */
static void on_breaker_timer(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct redis *redis = arg;

	if (redis->ready)
		probe(redis);
}

const char *redis_run_id(const struct redis *redis)
{
	return redis->run_id;
}

enum redis_breaker redis_breaker(const struct redis *redis)
{
	return redis->breaker;
}

/* --- replies and deadlines --- */

/* Errors that say "not now": this server is loading its data, or is not the one that takes writes. */
static bool is_away(const char *error)
{
	static const char *const words[] = {"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strncmp(error, words[i], strlen(words[i])) == 0)
			return true;
	return false;
}

static void log_error_reply(struct redis *redis, const char *error)
{
	uint64_t now = clock_mono_us_now();

	if (redis->error_logged_us && now - redis->error_logged_us < ERROR_LOG_EVERY_US)
		return;
	redis->error_logged_us = now;
	log_error("redis: error reply: %s", error);
}

static void answer_reply(struct call *call, const redisReply *reply)
{
	struct redis *redis = call->redis;
	bool error = reply->type == REDIS_REPLY_ERROR;

	if (redis->breaker == REDIS_BREAKER_CLOSED)
		redis->failures = 0;
	if (error && call->script && strncmp(reply->str, "NOSCRIPT", 8) == 0) {
		if (redis_up(redis)) {
			send_source(call);
		} else {
			call_answer(call, DB_UNAVAILABLE, NULL);
			call_recycle(call);
		}
		return;
	}
	if (error)
		log_error_reply(redis, reply->str);
	if (!error)
		call_answer(call, DB_OK, reply);
	else if (is_away(reply->str) && redis->ready)
		call_answer(call, DB_UNAVAILABLE, NULL);
	else
		call_answer(call, DB_FAILED, reply);
	call_recycle(call);
}

/* The turn's clock is older than a command that was sent, and answered, in this same turn. */
static void note_round_trip(const struct call *call)
{
	uint64_t sent_us = call->deadline_us - call->redis->deadline_us, now_us = clock_mono_us();

	histogram_note(&call->redis->stats.round_trips_us, now_us > sent_us ? now_us - sent_us : 0);
}

/* hiredis gives a NULL reply to each call of a connection that is lost, before it says that it is. */
static void on_reply(redisAsyncContext *connection, void *value, void *data)
{
	struct call *call = data;
	struct redis *redis = call->redis;

	if (!value && connection == redis->connection)
		connection_lost(redis, connection->c.errstr);
	call_unlink(call);
	if (value)
		note_round_trip(call);
	if (call->answered) {
		call_recycle(call);
	} else if (value) {
		answer_reply(call, value);
	} else {
		call_answer(call, DB_UNKNOWN, NULL);
		call_recycle(call);
	}
}

static void answer_overdue(struct redis *redis, uint64_t now_us)
{
	struct call *call;

	while ((call = redis->first_waiting) != NULL && call->deadline_us <= now_us) {
		redis->first_waiting = TAILQ_NEXT(call, link);
		redis->waiting_count--;
		call->answered = true;
		redis->stats.timeouts++;
		note_failure(redis);
		call_answer(call, DB_UNKNOWN, NULL);
	}
}

/* Replies that are here already, and were not read because our own loop was late, are in time. */
static void read_late_replies(struct redis *redis)
{
	for (unsigned i = 0; redis->connected && i < LATE_READS_MAX; i++) {
		struct pollfd socket = {.fd = redis->connection->c.fd, .events = POLLIN};

		if (poll(&socket, 1, 0) != 1)
			return;
		redisAsyncHandleRead(redis->connection);
	}
}

static void on_deadline_timer(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct redis *redis = arg;
	uint64_t now = clock_mono_us_now(), next;
	struct call *oldest;

	if (redis->first_waiting && redis->first_waiting->deadline_us <= now)
		read_late_replies(redis);
	answer_overdue(redis, now);
	oldest = TAILQ_FIRST(&redis->sent);
	if (!oldest)
		return;
	next = oldest->deadline_us + OVERDUE_DEADLINES * redis->deadline_us;
	if (next <= now) {
		connection_drop(redis, "the oldest command has no answer");
		return;
	}
	if (redis->first_waiting && redis->first_waiting->deadline_us < next)
		next = redis->first_waiting->deadline_us;
	arm(redis->deadline_timer, next > now ? next - now : 0);
}

/* --- the loop's end of turn --- */

static void answer_refused(struct redis *redis)
{
	struct call_list list = TAILQ_HEAD_INITIALIZER(list);
	struct call *call;

	TAILQ_CONCAT(&list, &redis->refused, link);
	while ((call = TAILQ_FIRST(&list)) != NULL) {
		TAILQ_REMOVE(&list, call, link);
		call_answer(call, call->refusal, NULL);
		call_recycle(call);
	}
}

void redis_turn(struct redis *redis)
{
	if (!TAILQ_EMPTY(&redis->refused)) {
		event_del(redis->refused_timer);
		answer_refused(redis);
	}
	if (redis->out_of_step)
		connection_drop(redis, no_memory);
	else if (redis->unsent && redis->connected && !redis->write_armed)
		write_out(redis);
}

static void on_refused_timer(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	answer_refused(arg);
}

/* --- start and end --- */

static bool find_addresses(struct redis *redis, char *why, size_t why_size)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found, *at;
	int error = getaddrinfo(redis->url.host, NULL, &hints, &found);

	if (error) {
		snprintf(why, why_size, "redis.url: host %s: %s", redis->url.host,
			gai_strerror(error));
		return false;
	}
	for (at = found; at && redis->address_count < ADDRESSES_MAX; at = at->ai_next)
		if (getnameinfo(at->ai_addr, at->ai_addrlen, redis->addresses[redis->address_count],
			    ADDRESS_SIZE, NULL, 0, NI_NUMERICHOST) == 0)
			redis->address_count++;
	freeaddrinfo(found);
	if (redis->address_count == 0)
		snprintf(why, why_size, "redis.url: host %s has no address", redis->url.host);
	return redis->address_count > 0;
}

static struct event *new_timer(struct redis *redis, event_callback_fn on_timer)
{
	struct event *timer = evtimer_new(redis->base, on_timer, redis);

	CHECK(timer);
	return timer;
}

/* hiredis without memory ends the process, or loses the connection: it lives on the reserve, too. The one of Debian 12
 * cannot be told: these are its own functions, replaced as the program is linked. */
#if HIREDIS_MAJOR < 1
void *hi_malloc(size_t size)
{
	return must_malloc(size);
}

void *hi_calloc(size_t count, size_t size)
{
	return must_calloc(count, size);
}

void *hi_realloc(void *old, size_t size)
{
	return must_realloc(old, size);
}

char *hi_strdup(const char *text)
{
	return must_strdup(text);
}

/* ISO C has no cast for it. */
static void find_theirs(sds (**theirs)(const void *bytes, size_t len))
{
	void *found = dlsym(RTLD_NEXT, "sdsnewlen");

	CHECK(found != NULL);
	memcpy(theirs, &found, sizeof found);
}

/* Of each new string: the next command's buffer, the channel of a message. hiredis does not look whether it got one. */
sds sdsnewlen(const void *bytes, size_t len)
{
	static sds (*theirs)(const void *bytes, size_t len);
	sds made;

	if (theirs == NULL)
		find_theirs(&theirs);
	do
		made = theirs(bytes, len);
	while (made == NULL && reserve_spend());
	CHECK(made != NULL);
	return made;
}

static void use_reserve(void)
{
}
#else
static void use_reserve(void)
{
	hiredisAllocFuncs functions = {must_malloc, must_calloc, must_realloc, must_strdup, free};

	hiredisSetAllocators(&functions);
}
#endif

struct redis *redis_new(struct event_base *base, const struct redis_settings *settings,
	const struct redis_script *const *scripts, char *why, size_t why_size)
{
	struct redis *redis = must_calloc(1, sizeof *redis);

	use_reserve();
	if (!redis_url_parse(settings->url, &redis->url, why, why_size) ||
		(redis->url.kind == REDIS_URL_TCP && !find_addresses(redis, why, why_size))) {
		free(redis);
		return NULL;
	}
	redis->base = base;
	histogram_init(&redis->stats.round_trips_us, &histogram_times_us);
	redis->deadline_us = settings->deadline_ms * UINT64_C(1000);
	redis->in_flight_max = settings->in_flight_max;
	redis->breaker_failures = settings->breaker_failures;
	redis->breaker_open_ms = settings->breaker_open_ms;
	for (; *scripts; scripts++) {
		CHECK(redis->script_count < SCRIPTS_MAX);
		redis->scripts[redis->script_count++].script = *scripts;
	}
	TAILQ_INIT(&redis->sent);
	TAILQ_INIT(&redis->refused);
	TAILQ_INIT(&redis->free);
	redis->link_timer = new_timer(redis, on_link_timer);
	redis->deadline_timer = new_timer(redis, on_deadline_timer);
	redis->refused_timer = new_timer(redis, on_refused_timer);
	redis->breaker_timer = new_timer(redis, on_breaker_timer);
	if (redis->url.kind != REDIS_URL_NONE)
		arm(redis->link_timer, 0);
	return redis;
}

void redis_free(struct redis *redis)
{
	struct call *call;

	redis->closing = true;
	connection_drop(redis, "closing");
	while (!TAILQ_EMPTY(&redis->refused))
		answer_refused(redis);
	while ((call = TAILQ_FIRST(&redis->free)) != NULL) {
		TAILQ_REMOVE(&redis->free, call, link);
		free(call);
	}
	event_free(redis->link_timer);
	event_free(redis->deadline_timer);
	event_free(redis->refused_timer);
	event_free(redis->breaker_timer);
	free(redis);
}

void redis_on_change(struct redis *redis, void (*change)(void *context, bool up), void *context)
{
	redis->change = change;
	redis->change_context = context;
}

unsigned redis_pending(const struct redis *redis)
{
	return redis->waiting_count;
}

const struct redis_stats *redis_stats(const struct redis *redis)
{
	return &redis->stats;
}

/* --- reading replies; NULL, as redis_at gives it past the end, reads as nil --- */

static const redisReply *reply_of(const struct redis_value *value)
{
	static const redisReply nil = {.type = REDIS_REPLY_NIL};

	return value ? (const redisReply *)(const void *)value : &nil;
}

bool redis_is_nil(const struct redis_value *value)
{
	return reply_of(value)->type == REDIS_REPLY_NIL;
}

const char *redis_text(const struct redis_value *value, size_t *len)
{
	const redisReply *reply = reply_of(value);
	bool text = reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS ||
		    reply->type == REDIS_REPLY_ERROR;

	*len = text ? reply->len : 0;
	return text ? reply->str : "";
}

int64_t redis_int(const struct redis_value *value)
{
	const redisReply *reply = reply_of(value);
	size_t len;
	const char *text = redis_text(value, &len);
	char *end;

	if (reply->type == REDIS_REPLY_INTEGER)
		return reply->integer;
	errno = 0;
	long long number = strtoll(text, &end, 10);
	return len > 0 && end == text + len && errno == 0 ? number : 0;
}

size_t redis_len(const struct redis_value *value)
{
	const redisReply *reply = reply_of(value);

	return reply->type == REDIS_REPLY_ARRAY ? reply->elements : 0;
}

const struct redis_value *redis_at(const struct redis_value *value, size_t i)
{
	if (i >= redis_len(value))
		return NULL;
	return (const struct redis_value *)(const void *)reply_of(value)->element[i];
}
