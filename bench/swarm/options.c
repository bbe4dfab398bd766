/* One table of modes, one of options; both make the help. --buyers and --users are --count by the names
 * that fit their modes. */
#include "bench/swarm/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct mode modes[] = {
	{.name = "get",
		.help = "closed loop on --connections, or --arrivals a second; of --path, or polls of "
			"--queue-tokens",
		.first = STEP_GET,
		.last = STEP_GET,
		.takes_turns = true},
	{.name = "fill",
		.help = "--count people join the line; --out gets their queue tokens",
		.first = STEP_JOIN,
		.last = STEP_JOIN,
		.needs_tokens = true,
		.takes_turns = true},
	{.name = "enter",
		.help = "--count people join and poll until admitted; --out gets their passes, a line "
			"each, in the order of the people",
		.first = STEP_JOIN,
		.last = STEP_POLL,
		.needs_tokens = true},
	{.name = "rush",
		.help = "--buyers people are connected and have sent all of a hold but its last byte; "
			"then all are released",
		.first = STEP_HOLD,
		.last = STEP_HOLD,
		.needs_tokens = true,
		.uses_seats = true,
		.rush = true},
	{.name = "users",
		.help = "closed loop: each of --users holds, and holds again; the people of --tokens "
			"take turns",
		.first = STEP_HOLD,
		.last = STEP_HOLD,
		.needs_tokens = true,
		.uses_seats = true,
		.takes_turns = true},
	{.name = "walk",
		.help = "open loop: --arrivals people a second join, poll as told, hold and pay",
		.first = STEP_JOIN,
		.last = STEP_PAY,
		.needs_tokens = true,
		.uses_seats = true},
	{.name = "idle",
		.help = "--connections stay open for --seconds, once each had a reply",
		.first = STEP_GET,
		.last = STEP_GET,
		.linger = true},
};

struct option {
	const char *name, *help;
	const char **text; /* this, or number */
	int64_t *number, min, max;
};

static void print_help(const struct option *options, size_t count)
{
	printf("usage: swarm MODE [options]\n\n"
	       "Virtual users of onsale's HTTP API on one thread. A line a second on standard error, the\n"
	       "result as one JSON object on standard output. Latencies count from the intended start.\n\n");
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		printf("  %-16s%s\n", modes[i].name, modes[i].help);
	printf("\n");
	for (size_t i = 0; i < count; i++)
		printf("  %-16s%s\n", options[i].name, options[i].help);
}

static bool read_number(const char *text, const struct option *option)
{
	char *end;

	errno = 0;
	*option->number = strtoll(text, &end, 10);
	return *text != '\0' && *end == '\0' && errno == 0 && *option->number >= option->min &&
	       *option->number <= option->max;
}

static bool read_option(int argc, char **argv, int *at, const struct option *options, size_t count,
	char *why, size_t why_size)
{
	const char *argument = argv[*at];
	size_t len = strcspn(argument, "=");

	for (size_t i = 0; i < count; i++) {
		const struct option *option = &options[i];
		if (strncmp(argument, option->name, len) != 0 || option->name[len] != '\0')
			continue;
		const char *value = argument[len] == '=' ? argument + len + 1 : argv[++*at];
		if (value == NULL || *at >= argc) {
			snprintf(why, why_size, "%s needs a value", option->name);
			return false;
		}
		if (option->text != NULL)
			*option->text = value;
		else if (!read_number(value, option)) {
			snprintf(why, why_size, "%s: a number from %lld to %lld", option->name,
				(long long)option->min, (long long)option->max);
			return false;
		}
		return true;
	}
	snprintf(why, why_size, "'%s' is not understood; see --help", argument);
	return false;
}

static bool read_url(struct options *options, char *why, size_t why_size)
{
	static const char scheme[] = "http://";
	const char *host = options->url + sizeof scheme - 1;
	size_t len;

	if (strncmp(options->url, scheme, sizeof scheme - 1) == 0 &&
		(len = strcspn(host, ":/")) > 0 && len < sizeof options->host) {
		const char *port = host[len] == ':' ? host + len + 1 : "80";
		memcpy(options->host, host, len);
		snprintf(
			options->port, sizeof options->port, "%.*s", (int)strcspn(port, "/"), port);
		if (strspn(port, "0123456789") == strlen(port) && host[len] != '/')
			return true;
	}
	snprintf(why, why_size, "--url: http://host:port");
	return false;
}

static bool is_one_of(const char *text, const char *a, const char *b)
{
	return strcmp(text, a) == 0 || strcmp(text, b) == 0;
}

static bool check(const struct options *options, char *why, size_t why_size)
{
	const struct mode *mode = options->mode;
	const char *wrong = NULL;

	if (mode->needs_tokens && options->tokens == NULL)
		wrong = "--tokens: a file that `onsale users` has made";
	else if (mode->needs_tokens && !mode->uses_seats && options->count == 0)
		wrong = "--count: how many people";
	else if (mode->rush && options->count == 0)
		wrong = "--buyers: how many people";
	else if (strcmp(mode->name, "users") == 0 && options->users == 0)
		wrong = "--users: how many at once";
	else if (strcmp(mode->name, "walk") == 0 && options->arrivals == 0)
		wrong = "--arrivals: how many people a second";
	else if (!is_one_of(options->spacing, "poisson", "uniform"))
		wrong = "--spacing: poisson or uniform";
	else if (!is_one_of(options->pick, "own", "random"))
		wrong = "--pick: own or random";
	else if (!is_one_of(options->then, "nothing", "pay"))
		wrong = "--then: nothing or pay";
	else if (options->first_seat > 0 && options->pool == 0)
		wrong = "--first-seat needs --pool";
	if (wrong != NULL)
		snprintf(why, why_size, "%s", wrong);
	return wrong == NULL;
}

static void set_defaults(struct options *options)
{
	*options = (struct options){.url = "http://127.0.0.1:8080",
		.path = "/livez",
		.spacing = "poisson",
		.pick = "random",
		.then = "nothing",
		.event = 1,
		.performance = 1,
		.seats = 1,
		.connections = 64,
		.seconds = 10,
		.seed = 1};
}

bool options_read(struct options *options, int argc, char **argv, char *why, size_t why_size)
{
	const int64_t any = INT64_MAX;
	const struct option list[] = {
		{"--url", "of the server: http://host:port", &options->url, NULL, 0, 0},
		{"--tokens", "people: what `onsale users` printed", &options->tokens, NULL, 0, 0},
		{"--skip", "lines of --tokens and --passes that other processes use", NULL,
			&options->skip, 0, any},
		{"--passes", "what `enter` wrote, for events with a line", &options->passes, NULL,
			0, 0},
		{"--queue-tokens", "what `fill` wrote", &options->queue_tokens, NULL, 0, 0},
		{"--out", "file for queue tokens or passes", &options->out, NULL, 0, 0},
		{"--path", "of get and idle (/livez)", &options->path, NULL, 0, 0},
		{"--event", "its id (1)", NULL, &options->event, 1, any},
		{"--performance", "its id (1)", NULL, &options->performance, 1, any},
		{"--seats", "in a hold: 1 or 2", NULL, &options->seats, 1, 2},
		{"--pool", "the first so many seats of the performance (all)", NULL, &options->pool,
			1, 1000000},
		{"--first-seat", "id of the first of --pool consecutive seats, instead of asking",
			NULL, &options->first_seat, 1, any},
		{"--pick", "random of the pool, or own: the next that nobody had (random)",
			&options->pick, NULL, 0, 0},
		{"--then", "after a hold of rush and users: nothing or pay (nothing)",
			&options->then, NULL, 0, 0},
		{"--count", "people of fill and enter", NULL, &options->count, 1, 100000000},
		{"--buyers", "people of rush", NULL, &options->count, 1, 1000000},
		{"--users", "of users, at once", NULL, &options->users, 1, 1000000},
		{"--connections", "of get, fill and idle, at once (64)", NULL,
			&options->connections, 1, 1000000},
		{"--arrivals", "a second, of walk, and of get where it is given", NULL,
			&options->arrivals, 1, 10000000},
		{"--spacing", "of arrivals: poisson or uniform (poisson)", &options->spacing, NULL,
			0, 0},
		{"--seconds", "how long people begin, or idle (10)", NULL, &options->seconds, 1,
			86400},
		{"--limit",
			"seconds after which the run ends (--seconds and 60; 600 where a count "
			"is to be done)",
			NULL, &options->limit, 1, 86400},
		{"--tries", "holds that a person tries (walk 10, else 1)", NULL, &options->tries, 1,
			1000},
		{"--poll-ms", "between polls, instead of what the server says", NULL,
			&options->poll_ms, 1, 3600000},
		{"--source", "first address to connect from", &options->source, NULL, 0, 0},
		{"--seed", "of all that is random (1)", NULL, &options->seed, 0, any},
	};

	set_defaults(options);
	why[0] = '\0';
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help(list, ARRAY_LEN(list));
			return false;
		}
		if (i > 1) {
			if (!read_option(argc, argv, &i, list, ARRAY_LEN(list), why, why_size))
				return false;
			continue;
		}
		for (size_t j = 0; j < ARRAY_LEN(modes); j++)
			if (strcmp(argv[i], modes[j].name) == 0)
				options->mode = &modes[j];
	}
	if (options->mode == NULL) {
		snprintf(why, why_size, "the first word is a mode; see --help");
		return false;
	}
	return read_url(options, why, why_size) && check(options, why, why_size);
}
