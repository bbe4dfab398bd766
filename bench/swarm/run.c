/* Who begins when:
 *   closed loop  as many as are at once begin now; who has ended begins again as the next person
 *   open loop    at times drawn before, whatever the server does; who finds no visitor free begins late,
 *                but its latency counts from its time
 *   rush         all now, but for a byte; when the last one is ready all are released */
#include "bench/swarm/run.h"

#include <math.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <arpa/inet.h>
#include "proto/base/clock.h"

enum {
	FILES_BESIDE = 64, /* descriptors that are no connections */
	WALK_TRIES = 10,
	WALK_REPEATS = 20,
	LIMIT_AFTER_S = 60,
	LIMIT_OF_COUNT_S = 600,
	LOST_PAUSE_US = 100000,
	SECOND_US = 1000000
};

/* A visitor's place in the run. */
struct place {
	struct visitor visitor;
	bool active, ready;
	SLIST_ENTRY(place) link;
};

/* --- beginning --- */

static struct place *free_place(struct run *run)
{
	struct place *place = SLIST_FIRST(&run->free);

	if (place != NULL) {
		SLIST_REMOVE_HEAD(&run->free, link);
	} else if (run->places_used < run->places_max) {
		place = &run->places[run->places_used++];
		visitor_init(&run->visits, &place->visitor, run);
	}
	return place;
}

static void begin(struct run *run, struct place *place, uint64_t intended_us)
{
	place->active = true;
	run->report.started++;
	visitor_begin(&place->visitor, run->begun++, intended_us);
}

static bool may_begin(const struct run *run, uint64_t at_us)
{
	return run->begun < run->journeys && at_us < run->end_us;
}

/* As many as are due. False where one of them found no place. */
static bool begin_due(struct run *run)
{
	const struct options *options = &run->options;
	double gap_us = options->arrivals > 0 ? 1e6 / (double)options->arrivals : 0;
	uint64_t now_us = clock_mono_us_now();

	while (run->arrival_us <= now_us && may_begin(run, run->arrival_us)) {
		struct place *place = free_place(run);
		if (place == NULL)
			return false;
		begin(run, place, run->arrival_us);
		double draw = options->spacing[0] == 'p' ? -log(visits_random_share(&run->visits))
							 : 1;
		run->arrival_us += (uint64_t)(gap_us * draw + 0.5);
	}
	return true;
}

static void on_arrivals(evutil_socket_t fd UNUSED, short what UNUSED, void *context)
{
	struct run *run = context;

	/* Without a free place the next one that ends begins the next. */
	bool all_begun = begin_due(run);
	uint64_t now_us = clock_mono_us_now();
	uint64_t wait_us = run->arrival_us > now_us ? run->arrival_us - now_us : 0;
	struct timeval wait = {.tv_sec = (time_t)(wait_us / SECOND_US),
		.tv_usec = (suseconds_t)(wait_us % SECOND_US)};

	if (all_begun && may_begin(run, run->arrival_us))
		event_add(&run->arrivals, &wait);
}

/* --- rush --- */

static void release_all(struct run *run)
{
	uint64_t now_us = clock_mono_us_now();

	run->visits.keep_back = false;
	run->report.start_us = now_us;
	for (size_t i = 0; i < run->places_used; i++)
		if (run->places[i].active)
			visitor_release(&run->places[i].visitor, now_us);
	run->report.released_us = clock_mono_us_now() - now_us;
}

/* Who was lost on the way is not waited for. */
static void release_once_ready(struct run *run)
{
	if (run->visits.keep_back && run->begun == run->journeys && run->ready > 0 &&
		run->ready == run->begun - run->over)
		release_all(run);
}

static void on_ready(struct client *client)
{
	struct visitor *visitor = CONTAINER_OF(client, struct visitor, client);
	struct place *place = CONTAINER_OF(visitor, struct place, visitor);
	struct run *run = visitor->owner;

	place->ready = true;
	run->ready++;
	release_once_ready(run);
}

/* --- ending --- */

static void begin_next(struct run *run, struct place *place, enum ending ending)
{
	uint64_t now_us = clock_mono_us_now();

	if (run->options.arrivals > 0) {
		SLIST_INSERT_HEAD(&run->free, place, link);
		if (run->arrival_us <= now_us)
			on_arrivals(-1, 0, run);
	} else if (run->options.mode->takes_turns && may_begin(run, now_us)) {
		/* Where nothing answers we do not turn as fast as we can. */
		begin(run, place, ending == END_LOST ? now_us + LOST_PAUSE_US : now_us);
	}
}

/* A lingering run is ended by its time. */
static bool is_over(const struct run *run)
{
	return run->over == run->begun && !may_begin(run, clock_mono_us_now()) &&
	       !run->options.mode->linger;
}

static void on_ended(struct visitor *visitor, enum ending ending)
{
	struct run *run = visitor->owner;
	struct place *place = CONTAINER_OF(visitor, struct place, visitor);

	run->report.ended[ending]++;
	run->over++;
	run->ready -= place->ready;
	place->active = place->ready = false;
	if (!run->options.mode->takes_turns && !run->options.mode->linger)
		client_close(&visitor->client);
	begin_next(run, place, ending);
	release_once_ready(run);
	if (run->options.mode->linger && run->over == run->journeys)
		run->end_us = clock_mono_us_now() + (uint64_t)run->options.seconds * SECOND_US;
	if (is_over(run))
		event_base_loopbreak(run->base);
}

static void on_tick(evutil_socket_t fd UNUSED, short what UNUSED, void *context)
{
	struct run *run = context;
	uint64_t now_us = clock_mono_us_now();

	report_progress(&run->report, now_us, run->begun - run->over, run->visits.clients.open);
	if (now_us >= run->limit_us || (run->options.mode->linger && now_us >= run->end_us))
		event_base_loopbreak(run->base);
}

static void on_signal(evutil_socket_t number UNUSED, short what UNUSED, void *context)
{
	struct run *run = context;

	event_base_loopbreak(run->base);
}

/* --- what a run is of --- */

/* Tokens are written as they come, passes in the order of the people at the end. */
static void on_placed(struct visitor *visitor, const char *token, const char *pass)
{
	struct run *run = visitor->owner;

	if (run->passes == NULL)
		fprintf(run->out, "%s\n", token);
	else if (pass != NULL && run->passes[visitor->journey] == NULL)
		run->passes[visitor->journey] = must_strdup(pass);
}

/* Of how many people, and how many of them at once. */
static void count_people(struct run *run)
{
	const struct options *options = &run->options;
	const struct mode *mode = options->mode;
	bool counted = options->count > 0;

	run->journeys = UINT64_MAX;
	run->places_max = (size_t)options->connections;
	if (mode->linger)
		run->journeys = run->places_max;
	else if (counted)
		run->journeys = (uint64_t)options->count;
	else if (options->arrivals > 0)
		run->journeys = (uint64_t)(options->arrivals * options->seconds);
	if (options->users > 0)
		run->places_max = (size_t)options->users;
	else if (!mode->takes_turns)
		run->places_max = run->journeys;
	if (run->places_max > run->journeys)
		run->places_max = run->journeys;
}

static void set_times(struct run *run)
{
	const struct options *options = &run->options;
	uint64_t now_us = clock_mono_us_now();
	int64_t limit = options->limit;
	bool by_time = run->journeys == UINT64_MAX;

	if (limit == 0)
		limit = by_time || options->arrivals > 0 || options->mode->linger
				? options->seconds + LIMIT_AFTER_S
				: LIMIT_OF_COUNT_S;
	run->report.start_us = run->report.last_line_us = run->report.end_us = now_us;
	run->arrival_us = now_us;
	run->end_us = by_time ? now_us + (uint64_t)options->seconds * SECOND_US : UINT64_MAX;
	run->limit_us = now_us + (uint64_t)limit * SECOND_US;
}

static void set_visits(struct run *run)
{
	const struct options *options = &run->options;
	const struct mode *mode = options->mode;
	struct visits *visits = &run->visits;
	bool walks = mode->first == STEP_JOIN;

	visits->options = options;
	visits->report = &run->report;
	visits->first = mode->first;
	visits->last = options->then[0] == 'p' && mode->last == STEP_HOLD ? STEP_PAY : mode->last;
	visits->tries = walks ? WALK_TRIES : 1;
	if (options->tries > 0)
		visits->tries = (unsigned)options->tries;
	visits->repeats_max = walks ? WALK_REPEATS : 0;
	visits->keep_back = mode->rush;
	visits->random = ((uint64_t)options->seed << 1 | 1) * UINT64_C(0x9E3779B97F4A7C15);
	visits->ended = on_ended;
	visits->placed = run->out != NULL ? on_placed : NULL;
	snprintf(visits->run, sizeof visits->run, "%llx-%x", (unsigned long long)clock_unix_ms(),
		(unsigned)getpid());
}

/* --- preparing --- */

static bool raise_files(struct run *run, char *why, size_t why_size)
{
	struct rlimit files;
	bool keeps = run->options.mode->takes_turns || run->options.mode->linger ||
		     run->options.mode->rush;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return false;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	uint64_t most = files.rlim_max > UINT32_MAX ? UINT32_MAX : files.rlim_max;
	run->visits.clients.open_max = most > FILES_BESIDE ? (unsigned)(most - FILES_BESIDE) : 1;
	if (!keeps || run->places_max <= run->visits.clients.open_max)
		return true;
	snprintf(why, why_size, "%zu connections are more than the %u that this process may have",
		run->places_max, run->visits.clients.open_max);
	return false;
}

static bool resolve(struct run *run, char *why, size_t why_size)
{
	const struct options *options = &run->options;
	struct clients *clients = &run->visits.clients;
	struct addrinfo wanted = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
	int status = getaddrinfo(options->host, options->port, &wanted, &found);

	if (status != 0) {
		snprintf(why, why_size, "%s: %s", options->url, gai_strerror(status));
		return false;
	}
	memcpy(&clients->address, found->ai_addr, sizeof clients->address);
	freeaddrinfo(found);
	if (options->source == NULL || inet_pton(AF_INET, options->source, &clients->source) == 1)
		return true;
	snprintf(why, why_size, "--source: an IPv4 address");
	return false;
}

static bool read_files(struct run *run, char *why, size_t why_size)
{
	const struct options *options = &run->options;
	struct visits *visits = &run->visits;
	size_t skip = (size_t)options->skip;

	if ((options->mode->needs_tokens &&
		    !lines_read(&visits->people, options->tokens, skip, why, why_size)) ||
		(options->passes != NULL &&
			!lines_read(&visits->passes, options->passes, skip, why, why_size)) ||
		(options->queue_tokens != NULL && !lines_read(&visits->queue_tokens,
							  options->queue_tokens, 0, why, why_size)))
		return false;
	if (visits->passes.count > 0 && visits->passes.count < visits->people.count)
		visits->people.count = visits->passes.count;
	if (!options->mode->needs_tokens || run->journeys == UINT64_MAX ||
		run->journeys <= visits->people.count)
		return true;
	snprintf(why, why_size, "%llu people are wanted, the files have %zu",
		(unsigned long long)run->journeys, visits->people.count);
	return false;
}

static bool find_seats(struct run *run, char *why, size_t why_size)
{
	const struct options *options = &run->options;
	struct seats *seats = &run->visits.seats;

	if (!options->mode->uses_seats)
		return true;
	if (options->first_seat > 0)
		seats_count_up(seats, options->first_seat, (size_t)options->pool);
	else if (!seats_ask(seats, options->url, options->performance, (size_t)options->pool, why,
			 why_size))
		return false;
	if (seats->count >= (size_t)options->seats)
		return true;
	snprintf(why, why_size, "--pool has fewer seats than a hold");
	return false;
}

static bool open_out(struct run *run, char *why, size_t why_size)
{
	if (run->options.out == NULL)
		return true;
	run->out = fopen(run->options.out, "we");
	if (run->out == NULL)
		snprintf(why, why_size, "%s cannot be written", run->options.out);
	else if (run->options.mode->last == STEP_POLL)
		run->passes = must_calloc(run->journeys, sizeof *run->passes);
	return run->out != NULL;
}

bool run_prepare(struct run *run, char *why, size_t why_size)
{
	struct event_config *config = event_config_new();

	CHECK(config != NULL);
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	/* Else timers count from the turn's beginning, and requests leave before their time. */
	event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME);
	run->base = event_base_new_with_config(config);
	event_config_free(config);
	CHECK(run->base != NULL);
	run->visits.clients.base = run->base;
	SLIST_INIT(&run->free);
	count_people(run);
	if (!raise_files(run, why, why_size) || !resolve(run, why, why_size) ||
		!read_files(run, why, why_size) || !find_seats(run, why, why_size) ||
		!open_out(run, why, why_size))
		return false;
	set_visits(run);
	visits_start(&run->visits);
	run->visits.clients.hooks.ready = on_ready;
	run->places = must_calloc(run->places_max, sizeof *run->places);
	run->report.mode = run->options.mode->name;
	return true;
}

/* --- running --- */

static void begin_first(struct run *run)
{
	struct place *place;

	if (run->options.arrivals > 0) {
		on_arrivals(-1, 0, run);
		return;
	}
	while (may_begin(run, clock_mono_us_now()) && (place = free_place(run)) != NULL)
		begin(run, place, clock_mono_us_now());
}

static void count_the_rest(struct run *run)
{
	struct report *report = &run->report;

	report->intended = run->journeys == UINT64_MAX ? run->begun : run->journeys;
	report->established = run->visits.clients.open;
	report->open_peak = run->visits.clients.open_peak;
	report->ended[END_UNFINISHED] = run->begun - run->over;
	for (size_t i = 0; i < run->places_used; i++)
		report->unanswered += run->places[i].active &&
				      visitor_waits(&run->places[i].visitor);
}

static bool write_out(struct run *run)
{
	bool good = true;

	for (uint64_t i = 0; run->passes != NULL && i < run->journeys; i++)
		good = fprintf(run->out, "%s\n", run->passes[i] != NULL ? run->passes[i] : "") > 0;
	if (run->out != NULL) {
		good = fflush(run->out) == 0 && !ferror(run->out) && good;
		fclose(run->out);
		run->out = NULL;
	}
	return good;
}

bool run_all(struct run *run)
{
	struct timeval second = {.tv_sec = 1};

	set_times(run);
	run->report.intended = run->journeys == UINT64_MAX ? 0 : run->journeys;
	event_assign(&run->tick, run->base, -1, EV_PERSIST, on_tick, run);
	event_assign(&run->arrivals, run->base, -1, 0, on_arrivals, run);
	evsignal_assign(&run->interrupt, run->base, SIGINT, on_signal, run);
	evsignal_assign(&run->terminate, run->base, SIGTERM, on_signal, run);
	event_add(&run->tick, &second);
	event_add(&run->interrupt, NULL);
	event_add(&run->terminate, NULL);
	begin_first(run);
	event_base_dispatch(run->base);
	event_del(&run->tick);
	event_del(&run->arrivals);
	event_del(&run->interrupt);
	event_del(&run->terminate);
	count_the_rest(run);
	return write_out(run);
}

void run_free(struct run *run)
{
	for (size_t i = 0; i < run->places_used; i++)
		visitor_free(&run->places[i].visitor);
	for (uint64_t i = 0; run->passes != NULL && i < run->journeys; i++)
		free(run->passes[i]);
	if (run->out != NULL)
		fclose(run->out);
	free(run->passes);
	free(run->places);
	seats_free(&run->visits.seats);
	lines_free(&run->visits.people);
	lines_free(&run->visits.passes);
	lines_free(&run->visits.queue_tokens);
	if (run->base != NULL)
		event_base_free(run->base);
}
