/* Requests are written by hand, as wrk's scripts do: a client that is measured with should cost little. */
#include "bench/swarm/visitor.h"

#include <stdio.h>
#include <string.h>
#include "proto/base/clock.h"
#include "proto/json.h"

enum { AGAIN_US = 100000, POLL_DEFAULT_MS = 1000, LETTERS_MAX = 1000000, BODY_SIZE = 128 };

static void on_timer(evutil_socket_t fd, short what, void *context);

/* --- chance (xorshift64*, Vigna 2016) --- */

static uint64_t next_random(struct visits *visits)
{
	visits->random ^= visits->random >> 12;
	visits->random ^= visits->random << 25;
	visits->random ^= visits->random >> 27;
	return visits->random * UINT64_C(2685821657736338717);
}

uint64_t visits_random(struct visits *visits, uint64_t limit)
{
	return (next_random(visits) >> 11) % limit;
}

double visits_random_share(struct visits *visits)
{
	return (double)((next_random(visits) >> 11) + 1) / (double)(UINT64_C(1) << 53);
}

/* --- requests --- */

static void write_head(
	const struct visitor *visitor, struct buf *out, const char *method, const char *path)
{
	const struct options *options = visitor->all->options;

	buf_append_text(out, method);
	buf_append_text(out, path);
	buf_append_text(out, " HTTP/1.1\r\nHost: ");
	buf_append_text(out, options->host);
	buf_append_char(out, ':');
	buf_append_text(out, options->port);
	buf_append_text(out, "\r\n");
}

static void write_header(struct buf *out, const char *name, const char *text, size_t len)
{
	buf_append_text(out, name);
	buf_append(out, text, len);
	buf_append_text(out, "\r\n");
}

static void write_person(const struct visitor *visitor, struct buf *out)
{
	const struct lines *people = &visitor->all->people;
	const struct line *token = &people->list[visitor->journey % people->count];

	write_header(out, "Authorization: Bearer ", token->text, token->len);
}

/* One for each hold and payment; the same when it is tried again. */
static void write_key(const struct visitor *visitor, struct buf *out)
{
	buf_append_text(out, "Idempotency-Key: ");
	buf_append_text(out, visitor->all->run);
	buf_append_char(out, '-');
	buf_append_i64(out, (int64_t)visitor->journey);
	buf_append_char(out, '-');
	buf_append_i64(out, visitor->keys);
	buf_append_text(out, "\r\n");
}

static void write_body(struct buf *out, const char *body, size_t len)
{
	buf_append_text(out, "Content-Type: application/json\r\nContent-Length: ");
	buf_append_i64(out, (int64_t)len);
	buf_append_text(out, "\r\n\r\n");
	buf_append(out, body, len);
}

static void write_get(const struct visitor *visitor, struct buf *out)
{
	const struct visits *all = visitor->all;
	const struct lines *tokens = &all->queue_tokens;

	if (tokens->count == 0) {
		write_head(visitor, out, "GET ", all->options->path);
	} else {
		const struct line *token = &tokens->list[visitor->journey % tokens->count];
		write_head(visitor, out, "GET ", "/v1/queue");
		write_header(out, "X-Queue-Token: ", token->text, token->len);
	}
	buf_append_text(out, "\r\n");
}

static void write_join(const struct visitor *visitor, struct buf *out)
{
	char path[64];

	snprintf(path, sizeof path, "/v1/events/%lld/queue",
		(long long)visitor->all->options->event);
	write_head(visitor, out, "POST ", path);
	write_person(visitor, out);
	buf_append_text(out, "Content-Length: 0\r\n\r\n");
}

static void write_place(const struct visitor *visitor, struct buf *out, const char *method)
{
	write_head(visitor, out, method, "/v1/queue");
	write_header(out, "X-Queue-Token: ", visitor->token.data, visitor->token.len);
	buf_append_text(out, "\r\n");
}

static void write_look(const struct visitor *visitor, struct buf *out)
{
	char path[96];

	snprintf(path, sizeof path, "/v1/performances/%lld/seats/status",
		(long long)visitor->all->options->performance);
	write_head(visitor, out, "GET ", path);
	buf_append_text(out, "\r\n");
}

static void write_pass(const struct visitor *visitor, struct buf *out)
{
	const struct lines *passes = &visitor->all->passes;

	if (visitor->pass.len > 0) {
		write_header(out, "X-Queue-Pass: ", visitor->pass.data, visitor->pass.len);
	} else if (passes->count > 0) {
		const struct line *pass = &passes->list[visitor->journey % passes->count];
		if (pass->len > 0) /* else this person was not admitted */
			write_header(out, "X-Queue-Pass: ", pass->text, pass->len);
	}
}

static void write_hold(const struct visitor *visitor, struct buf *out)
{
	const struct options *options = visitor->all->options;
	struct buf body = BUF_INIT(BODY_SIZE);

	buf_append_text(&body, "{\"performance_id\":");
	buf_append_i64(&body, options->performance);
	for (int64_t i = 0; i < options->seats; i++) {
		buf_append_text(&body, i == 0 ? ",\"seat_ids\":[" : ",");
		buf_append_i64(&body, visitor->seat_ids[i]);
	}
	buf_append_text(&body, "]}");
	write_head(visitor, out, "POST ", "/v1/reservations");
	write_person(visitor, out);
	write_pass(visitor, out);
	write_key(visitor, out);
	write_body(out, body.data, body.len);
	buf_free(&body);
}

static void write_pay(const struct visitor *visitor, struct buf *out)
{
	char path[64];

	snprintf(path, sizeof path, "/v1/reservations/%lld/payment",
		(long long)visitor->reservation_id);
	write_head(visitor, out, "POST ", path);
	write_person(visitor, out);
	write_key(visitor, out);
	write_body(out, "{}", 2);
}

static void send_step(struct visitor *visitor)
{
	struct buf *out = client_request(&visitor->client);

	switch (visitor->step) {
	case STEP_GET: write_get(visitor, out); break;
	case STEP_JOIN: write_join(visitor, out); break;
	case STEP_POLL: write_place(visitor, out, "GET "); break;
	case STEP_LOOK: write_look(visitor, out); break;
	case STEP_HOLD: write_hold(visitor, out); break;
	case STEP_PAY: write_pay(visitor, out); break;
	case STEP_LEAVE: write_place(visitor, out, "DELETE "); break;
	case STEPS: break;
	}
	client_send(
		&visitor->client, visitor->all->keep_back && visitor->step == visitor->all->first);
}

/* --- from step to step --- */

/* The step's request, now or at its time. */
static void send_at(struct visitor *visitor, uint64_t at_us)
{
	uint64_t now_us = clock_mono_us_now();

	visitor->intended_us = at_us;
	if (at_us <= now_us) {
		send_step(visitor);
		return;
	}
	uint64_t wait_us = at_us - now_us;
	struct timeval wait = {
		.tv_sec = (time_t)(wait_us / 1000000), .tv_usec = (suseconds_t)(wait_us % 1000000)};
	event_add(&visitor->timer, &wait);
}

static void on_timer(evutil_socket_t fd UNUSED, short what UNUSED, void *context)
{
	send_step(context);
}

static void go(struct visitor *visitor, enum step step, uint64_t at_us)
{
	visitor->step = step;
	visitor->repeats = 0;
	visitor->keys += step == STEP_HOLD || step == STEP_PAY;
	send_at(visitor, at_us);
}

static void end(struct visitor *visitor, enum ending ending)
{
	visitor->all->ended(visitor, ending);
}

/* The same once more, after a while. */
static void repeat(struct visitor *visitor, uint64_t after_us, enum ending ending)
{
	if (visitor->repeats++ < visitor->all->repeats_max)
		send_at(visitor, clock_mono_us_now() + after_us);
	else
		end(visitor, ending);
}

/* Gives up, and the place in line back. */
static void leave(struct visitor *visitor, enum ending ending)
{
	visitor->ending = ending;
	if (visitor->token.len > 0)
		go(visitor, STEP_LEAVE, clock_mono_us_now());
	else
		end(visitor, ending);
}

static void choose_seats(struct visitor *visitor)
{
	struct visits *all = visitor->all;
	const struct seats *seats = &all->seats;
	bool own = all->options->pick[0] == 'o';

	for (int64_t i = 0; i < all->options->seats; i++) {
		int64_t *chosen = &visitor->seat_ids[i];
		do {
			size_t at = own ? all->next_seat++ % seats->count
					: visits_random(all, seats->count);
			*chosen = seats->ids[at];
		} while (i > 0 && *chosen == visitor->seat_ids[0]);
	}
}

static void go_hold(struct visitor *visitor)
{
	choose_seats(visitor);
	go(visitor, STEP_HOLD, clock_mono_us_now());
}

/* --- what replies say --- */

static const char *text_of(struct json_object *reply, const char *member)
{
	struct json_errors errors = {0};
	const char *text = "";

	json_read_text(reply, member, JSON_OPTIONAL, 0, LETTERS_MAX, &text, &errors);
	return text;
}

static int64_t number_of(struct json_object *reply, const char *member, int64_t otherwise)
{
	struct json_errors errors = {0};

	json_read_i64(reply, member, JSON_OPTIONAL, 0, INT64_MAX, &otherwise, &errors);
	return otherwise;
}

static void keep(struct buf *buf, const char *text)
{
	buf_clear(buf);
	buf_append_text(buf, text);
}

static void on_place(struct visitor *visitor, struct json_object *place)
{
	struct visits *all = visitor->all;
	const char *status = text_of(place, "status");
	bool admitted = strcmp(status, "admitted") == 0;
	int64_t wait_ms = all->options->poll_ms;

	if (*text_of(place, "token") != '\0')
		keep(&visitor->token, text_of(place, "token"));
	if (*text_of(place, "pass") != '\0')
		keep(&visitor->pass, text_of(place, "pass"));
	if (all->placed != NULL)
		all->placed(visitor, visitor->token.data, admitted ? visitor->pass.data : NULL);
	if (all->last == STEP_JOIN || (admitted && all->last == STEP_POLL)) {
		end(visitor, END_DONE);
	} else if (admitted && visitor->pass.len > 0) {
		go_hold(visitor);
	} else if (strcmp(status, "sold_out") == 0) {
		leave(visitor, END_SOLD_OUT);
	} else {
		if (wait_ms == 0)
			wait_ms = number_of(place, "poll_after_ms", POLL_DEFAULT_MS);
		go(visitor, STEP_POLL, clock_mono_us_now() + (uint64_t)wait_ms * 1000);
	}
}

static void answered_place(struct visitor *visitor, const struct reply *reply)
{
	struct json_object *place = NULL;

	if (reply->status == 200 || reply->status == 201)
		place = json_object_parse(reply->body.data, reply->body.len);
	if (place != NULL)
		on_place(visitor, place);
	else if (reply->status == 410 && ++visitor->tried < visitor->all->tries)
		go(visitor, STEP_JOIN, clock_mono_us_now());
	else
		end(visitor, END_REFUSED);
	json_object_free(place);
}

/* Chooses among the free seats of the pool, each as likely as the others. False where there are too few. */
static bool choose_free(struct visitor *visitor, const char *letters)
{
	struct visits *all = visitor->all;
	size_t wanted = (size_t)all->options->seats, found = 0, count = strlen(letters);

	for (size_t i = 0; i < count && i < all->seats.count; i++) {
		if (letters[i] != 'A')
			continue;
		size_t at = found < wanted ? found : visits_random(all, found + 1);
		if (at < wanted)
			visitor->seat_ids[at] = all->seats.ids[i];
		found++;
	}
	return found >= wanted;
}

/* A server without this map: another try at random. */
static void answered_look(struct visitor *visitor, const struct reply *reply)
{
	struct json_object *map = NULL;

	if (reply->status == 200)
		map = json_object_parse(reply->body.data, reply->body.len);
	if (map == NULL)
		go_hold(visitor);
	else if (choose_free(visitor, text_of(map, "status")))
		go(visitor, STEP_HOLD, clock_mono_us_now());
	else
		leave(visitor, END_SOLD_OUT);
	json_object_free(map);
}

static void on_taken(struct visitor *visitor, const struct reply *reply)
{
	struct json_object *problem;
	const char *code;

	if (visitor->all->tries == 1) {
		leave(visitor, END_TAKEN);
		return;
	}
	problem = json_object_parse(reply->body.data, reply->body.len);
	code = problem != NULL ? text_of(problem, "code") : "";
	if (strcmp(code, "request_in_flight") == 0)
		repeat(visitor, AGAIN_US, END_REFUSED);
	else if (strcmp(code, "sold_out") == 0)
		leave(visitor, END_SOLD_OUT);
	else if (++visitor->tried >= visitor->all->tries)
		leave(visitor, END_TAKEN);
	else
		go(visitor, STEP_LOOK, clock_mono_us_now());
	json_object_free(problem);
}

static void answered_hold(struct visitor *visitor, const struct reply *reply)
{
	struct json_object *held;

	if (reply->status == 409) {
		on_taken(visitor, reply);
	} else if (reply->status == 403 && visitor->all->first == STEP_JOIN &&
		   ++visitor->tried < visitor->all->tries) { /* the pass ran out */
		go(visitor, STEP_JOIN, clock_mono_us_now());
	} else if (reply->status != 201) {
		end(visitor, END_REFUSED);
	} else if (visitor->all->last == STEP_HOLD) {
		end(visitor, END_DONE);
	} else {
		held = json_object_parse(reply->body.data, reply->body.len);
		visitor->reservation_id = held != NULL ? number_of(held, "id", 0) : 0;
		json_object_free(held);
		go(visitor, STEP_PAY, clock_mono_us_now());
	}
}

static void answered(struct client *client, const struct reply *reply)
{
	struct visitor *visitor = CONTAINER_OF(client, struct visitor, client);
	uint64_t now_us = clock_mono_us_now();
	bool good = reply->status / 100 == 2;

	report_reply(
		visitor->all->report, visitor->step, reply->status, visitor->intended_us, now_us);
	if (reply->status == 503 || reply->status == 429) {
		repeat(visitor,
			reply->retry_after_s > 0 ? reply->retry_after_s * UINT64_C(1000000)
						 : AGAIN_US,
			END_REFUSED);
		return;
	}
	switch (visitor->step) {
	case STEP_JOIN:
	case STEP_POLL: answered_place(visitor, reply); break;
	case STEP_LOOK: answered_look(visitor, reply); break;
	case STEP_HOLD: answered_hold(visitor, reply); break;
	case STEP_GET:
	case STEP_PAY: end(visitor, good ? END_DONE : END_REFUSED); break;
	case STEP_LEAVE: end(visitor, visitor->ending); break;
	case STEPS: break;
	}
}

static void lost(struct client *client, enum client_loss loss)
{
	struct visitor *visitor = CONTAINER_OF(client, struct visitor, client);

	visitor->all->report->lost[loss]++;
	repeat(visitor, AGAIN_US, END_LOST);
}

/* --- */

void visits_start(struct visits *visits)
{
	visits->clients.hooks.answered = answered;
	visits->clients.hooks.lost = lost;
	clients_start(&visits->clients);
}

void visitor_init(struct visits *visits, struct visitor *visitor, void *owner)
{
	*visitor = (struct visitor){.all = visits,
		.owner = owner,
		.token = BUF_INIT(VISITOR_TOKEN_MAX),
		.pass = BUF_INIT(VISITOR_TOKEN_MAX)};
	client_init(&visits->clients, &visitor->client);
	event_assign(&visitor->timer, visits->clients.base, -1, 0, on_timer, visitor);
}

void visitor_free(struct visitor *visitor)
{
	event_del(&visitor->timer);
	client_free(&visitor->client);
	buf_free(&visitor->token);
	buf_free(&visitor->pass);
}

void visitor_begin(struct visitor *visitor, uint64_t journey, uint64_t intended_us)
{
	visitor->journey = journey;
	visitor->tried = visitor->keys = 0;
	visitor->reservation_id = 0;
	buf_clear(&visitor->token);
	buf_clear(&visitor->pass);
	if (visitor->all->first == STEP_HOLD)
		choose_seats(visitor);
	go(visitor, visitor->all->first, intended_us);
}

void visitor_release(struct visitor *visitor, uint64_t now_us)
{
	visitor->intended_us = now_us;
	client_release(&visitor->client);
}

bool visitor_waits(const struct visitor *visitor)
{
	enum client_state state = visitor->client.state;

	return state != CLIENT_CLOSED && state != CLIENT_IDLE;
}
