/*   join -> poll … -> hold -> pay or cancel -> refund (and its repeat) -> leave -> looks -> bad requests
 *
 * Each step is a crowd over all instances. Texts live as long as the step, keys carry the round's number. */
#include "tests/support/load.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/support/crowd.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"

enum { PEOPLE = 32, RIVALS = PEOPLE / 2, QUANTITY = 2, BALANCE = 1000000000 };
enum { PATH_SIZE = 96, BODY_SIZE = 160, KEY_SIZE = 40, TOKEN_SIZE = 128 };
enum { SIGNUP_EVERY = 10, AUDIT_EVERY = 30 };

struct buyer {
	char token[TOKEN_SIZE], pass[TOKEN_SIZE];
	int64_t reservation_id; /* 0: none */
	bool paid;
};

struct load {
	struct world *world;
	struct sale sale;
	struct people people;
	struct buyer buyers[PEOPLE];
	struct load_counts counts;
	unsigned round, limit_ms;
};

/* A step's crowd: whose request each member is. */
struct step {
	struct load *load;
	struct crowd *crowd;
	unsigned buyers[2 * PEOPLE];
};

static struct step step_new(struct load *load)
{
	return (struct step){.load = load, .crowd = crowd_new()};
}

static const struct instance *any_instance(const struct load *load, size_t i)
{
	return &load->world->instances[(i + load->round) % load->world->options.instances];
}

static void step_add(struct step *step, unsigned buyer, const struct call *call)
{
	size_t i = crowd_size(step->crowd);

	cr_assert(i < ARRAY_LEN(step->buyers));
	step->buyers[i] = buyer;
	crowd_add(step->crowd, any_instance(step->load, i), call);
}

static void count_answer(struct load *load, const struct answer *answer)
{
	struct load_counts *counts = &load->counts;

	counts->requests++;
	counts->lost += answer == NULL;
	if (answer == NULL)
		return;
	counts->ok += answer->status < 400;
	counts->refused += answer->status >= 400 && answer->status < 500;
	counts->failed += answer->status >= 500;
}

/* Sends what was added, and hands each reply on. */
static void step_run(struct step *step,
	void (*on_answer)(struct load *load, struct buyer *buyer, struct answer *answer))
{
	struct load *load = step->load;

	if (crowd_size(step->crowd) > 0)
		crowd_run(step->crowd, load->limit_ms);
	for (size_t i = 0; i < crowd_size(step->crowd); i++) {
		struct answer *answer = crowd_answer(step->crowd, i);

		count_answer(load, answer);
		if (answer != NULL && on_answer != NULL)
			on_answer(load, &load->buyers[step->buyers[i]], answer);
	}
	crowd_free(step->crowd);
}

/* --- the line --- */

static void on_place(struct load *load, struct buyer *buyer, struct answer *answer)
{
	(void)load;
	if (answer->status / 100 != 2)
		return;
	snprintf(buyer->token, sizeof buyer->token, "%s", answer_text(answer, "token"));
	if (answer_is(answer, "status", "admitted"))
		snprintf(buyer->pass, sizeof buyer->pass, "%s", answer_text(answer, "pass"));
}

static void join(struct load *load)
{
	struct step step = step_new(load);
	char path[PATH_SIZE];

	snprintf(path, sizeof path, "/v1/events/%lld/queue", (long long)load->sale.event_id);
	for (unsigned i = 0; i < PEOPLE; i++) {
		load->buyers[i] = (struct buyer){0};
		step_add(&step, i,
			&(struct call){
				.method = "POST", .path = path, .jwt = load->people.list[i].jwt});
	}
	step_run(&step, on_place);
}

/* Whoever has a place and no pass yet asks again. */
static bool all_admitted(void *context)
{
	struct load *load = context;
	struct step step = step_new(load);

	for (unsigned i = 0; i < PEOPLE; i++)
		if (load->buyers[i].pass[0] == '\0' && load->buyers[i].token[0] != '\0')
			step_add(&step, i,
				&(struct call){.method = "GET",
					.path = "/v1/queue",
					.queue_token = load->buyers[i].token});
	bool all = crowd_size(step.crowd) == 0;
	step_run(&step, on_place);
	return all;
}

static void leave(struct load *load)
{
	struct step step = step_new(load);

	for (unsigned i = 0; i < PEOPLE; i++)
		if (load->buyers[i].token[0] != '\0')
			step_add(&step, i,
				&(struct call){.method = "DELETE",
					.path = "/v1/queue",
					.queue_token = load->buyers[i].token});
	step_run(&step, NULL);
}

/* --- seats and money --- */

static void on_hold(struct load *load, struct buyer *buyer, struct answer *answer)
{
	if (answer->status != 201)
		return;
	buyer->reservation_id = answer_int(answer, "id");
	load->counts.held++;
}

/* The first ones in pairs for the same seat; the others let the server choose. */
static void hold(struct load *load)
{
	struct step step = step_new(load);
	long long performance = (long long)load->sale.performance_id;

	for (unsigned i = 0; i < PEOPLE; i++) {
		char key[KEY_SIZE], body[BODY_SIZE];

		snprintf(key, sizeof key, "hold-%u-%u", load->round, i);
		if (i < RIVALS)
			snprintf(body, sizeof body, "{\"performance_id\":%lld,\"seat_ids\":[%lld]}",
				performance, (long long)load->sale.seat_ids[i / 2]);
		else
			snprintf(body, sizeof body, "{\"performance_id\":%lld,\"quantity\":%d}",
				performance, QUANTITY);
		step_add(&step, i,
			&(struct call){.method = "POST",
				.path = "/v1/reservations",
				.jwt = load->people.list[i].jwt,
				.key = key,
				.pass = load->buyers[i].pass,
				.body = body});
	}
	step_run(&step, on_hold);
}

static void on_pay_or_cancel(struct load *load, struct buyer *buyer, struct answer *answer)
{
	if (answer->status == 201) {
		load->counts.paid += !buyer->paid;
		buyer->paid = true;
	} else if (answer->status == 200) {
		load->counts.refunded += buyer->paid;
		load->counts.cancelled += !buyer->paid;
	}
}

static void add_payment(struct step *step, unsigned i)
{
	struct load *load = step->load;
	char path[PATH_SIZE], key[KEY_SIZE];

	snprintf(path, sizeof path, "/v1/reservations/%lld/payment",
		(long long)load->buyers[i].reservation_id);
	snprintf(key, sizeof key, "pay-%u-%u", load->round, i);
	step_add(step, i,
		&(struct call){.method = "POST",
			.path = path,
			.jwt = load->people.list[i].jwt,
			.key = key,
			.body = "{}"});
}

static void add_cancel(struct step *step, unsigned i)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof path, "/v1/reservations/%lld",
		(long long)step->load->buyers[i].reservation_id);
	step_add(step, i,
		&(struct call){
			.method = "DELETE", .path = path, .jwt = step->load->people.list[i].jwt});
}

/* One in four cancels; of those who pay, one in four asks twice at once. */
static void pay_or_cancel(struct load *load)
{
	struct step step = step_new(load);

	for (unsigned i = 0; i < PEOPLE; i++) {
		if (load->buyers[i].reservation_id == 0)
			continue;
		if (i % 4 == 3) {
			add_cancel(&step, i);
			continue;
		}
		add_payment(&step, i);
		if (i % 4 == 0)
			add_payment(&step, i);
	}
	step_run(&step, on_pay_or_cancel);
}

static void refund(struct load *load)
{
	struct step step = step_new(load);

	for (unsigned i = 0; i < PEOPLE; i++)
		if (load->buyers[i].paid)
			add_cancel(&step, i);
	step_run(&step, on_pay_or_cancel);
}

/* --- what is looked at --- */

static void add_get(struct step *step, unsigned buyer, const char *jwt, const char *path)
{
	step_add(step, buyer, &(struct call){.method = "GET", .path = path, .jwt = jwt});
}

static void look(struct load *load)
{
	static const char *const lists[] = {"/v1/me", "/v1/me/balance", "/v1/me/ledger?limit=20",
		"/v1/reservations?limit=20", "/v1/events", "/openapi.yaml", "/docs", "/readyz"};
	static const char *const maps[] = {"seats", "seats/status"};
	struct step step = step_new(load);
	const char *jwt = load->people.list[load->round % PEOPLE].jwt;
	const char *admin = load->world->admins.list[0].jwt;
	char path[PATH_SIZE];

	for (unsigned i = 0; i < ARRAY_LEN(lists); i++)
		add_get(&step, i, jwt, lists[i]);
	for (unsigned i = 0; i < 2 * ARRAY_LEN(maps); i++) {
		snprintf(path, sizeof path, "/v1/performances/%lld/%s",
			(long long)load->sale.performance_id, maps[i / 2]);
		step_add(&step, i,
			&(struct call){.method = "GET",
				.path = path,
				.headers = i % 2 == 0 ? "Accept-Encoding: gzip\r\n" : NULL});
	}
	snprintf(path, sizeof path, "/v1/events/%lld/performances", (long long)load->sale.event_id);
	add_get(&step, 0, NULL, path);
	snprintf(path, sizeof path, "/v1/admin/events/%lld/stats", (long long)load->sale.event_id);
	add_get(&step, 0, admin, path);
	if (load->round % AUDIT_EVERY == 0)
		add_get(&step, 0, admin, "/v1/admin/audit");
	step_run(&step, NULL);
}

/* --- people --- */

/* A new person every tenth round, and else an e-mail that is taken; then a log-in, right or wrong. What a
 * log-in gives is not used: each token that was seen takes room by design, up to KNOWN_PEOPLE_MAX. */
static void log_in(struct load *load)
{
	struct step step = step_new(load);
	char body[BODY_SIZE];

	snprintf(body, sizeof body,
		"{\"email\":\"soak-%u@example.org\",\"password\":\"a good one\"}",
		load->round / SIGNUP_EVERY);
	step_add(&step, 0, &(struct call){.method = "POST", .path = "/v1/users", .body = body});
	step_run(&step, NULL);
	step = step_new(load);
	step_add(&step, 0, &(struct call){.method = "POST", .path = "/v1/sessions", .body = body});
	step_run(&step, NULL);
}

/* --- what should not come --- */

static void bad_requests(struct load *load)
{
	static const char *const bad[] = {"GARBAGE\r\n\r\n", "GET /v1/events HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"POST /v1/users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
		"Content-Length: 9\r\n\r\n{\"email\":",
		"POST /v1/sessions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
		"Content-Length: 16\r\n\r\n{\"email\":[1,2]}\n",
		"POST /v1/reservations HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n",
		"GET /v1/me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a.b.c\r\n\r\n",
		"GET /v1/queue HTTP/1.1\r\nHost: a\r\nX-Queue-Token: forged\r\n\r\n"};

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		struct wire wire;
		struct answer answer = {0};

		wire_open(&wire, any_instance(load, i)->port, 0);
		bool answered = wire_send_text(&wire, bad[i]) &&
				wire_answer(&wire, &answer, false, load->limit_ms) == WIRE_ANSWER;
		count_answer(load, answered ? &answer : NULL);
		answer_clear(&answer);
		wire_close(&wire);
	}
}

/* Nothing sent, half a head, half a body, and a whole request whose reply nobody waits for. */
static void resets(struct load *load)
{
	static const char *const pieces[] = {"", "GET /v1/events HT",
		"POST /v1/users HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{",
		"GET /openapi.yaml HTTP/1.1\r\nHost: a\r\n\r\n"
		"GET /v1/events HTTP/1.1\r\nHost: a\r\n\r\n"};

	for (unsigned i = 0; i < 2 * ARRAY_LEN(pieces); i++) {
		struct wire wire;

		wire_open(&wire, any_instance(load, i)->port, 0);
		wire_send_text(&wire, pieces[i / 2]);
		wire_reset(&wire);
	}
}

/* --- rounds --- */

struct load *load_new(struct world *world)
{
	struct load *load = must_calloc(1, sizeof *load);

	load->world = world;
	world_people(world, &load->people, PEOPLE, BALANCE);
	sale_open(world, &load->sale,
		&(struct sale_options){
			.queue = true, .capacity = PEOPLE, .rows = 10, .seats_per_row = 20});
	return load;
}

void load_free(struct load *load)
{
	people_free(&load->people);
	sale_close(&load->sale);
	free(load);
}

void load_round(struct load *load, unsigned limit_ms)
{
	load->limit_ms = limit_ms;
	join(load);
	cr_assert(wait_until(all_admitted, load, limit_ms), "round %u: not all were admitted",
		load->round);
	hold(load);
	look(load);
	pay_or_cancel(load);
	refund(load);
	leave(load);
	log_in(load);
	bad_requests(load);
	resets(load);
	load->round++;
}

const struct load_counts *load_counts(const struct load *load)
{
	return &load->counts;
}
