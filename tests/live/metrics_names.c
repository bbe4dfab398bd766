/* What Prometheus and Grafana are told to ask for: promtool takes the page and the rules, each alert is fired by what
 * it is for, and each metric that a rule or the dashboard names is on the page of a server that has sold. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"
#include "tests/support/process.h"
#include "tests/support/shoppers.h"
#include "tests/support/wait.h"
#include "tests/support/world.h"

enum { PEOPLE = 20, LIMIT_MS = 30000, FILE_MAX = 1024 * 1024, NAME_SIZE = 128 };

TestSuite(metrics_names, .timeout = 120);

static const char *path_of(const char *file)
{
	static char path[512];

	snprintf(path, sizeof path, "%s/config/%s", need_env("ONSALE_TEST_ROOT"), file);
	return path;
}

/* Freed by the caller. */
static char *read_whole(const char *file)
{
	FILE *opened = fopen(path_of(file), "r");
	char *text = malloc(FILE_MAX);

	cr_assert(opened != NULL && text != NULL, "%s", path_of(file));
	size_t len = fread(text, 1, FILE_MAX - 1, opened);
	cr_assert(len > 0 && len < FILE_MAX - 1, "%s", file);
	text[len] = '\0';
	fclose(opened);
	return text;
}

static void write_whole(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	cr_assert(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, "%s", path);
}

static void run(const char *const *argv)
{
	struct buf said = BUF_INIT(FILE_MAX);
	int status = process_run(argv, NULL, NULL, &said);

	cr_expect(status == 0, "%s %s %s: status %d\n%s", argv[0], argv[1], argv[2], status,
		said.data != NULL ? said.data : "");
	buf_free(&said);
}

static void promtool(const char *verb, const char *what, const char *path)
{
	run((const char *const[]){"promtool", verb, what, path, NULL});
}

Test(metrics_names, every_alert_is_fired_by_what_it_is_for)
{
	promtool("check", "config", path_of("prometheus/prometheus.yml"));
	promtool("test", "rules", path_of("prometheus/rules_test.yml"));
}

/* Each alert of the rules has a case that expects it, and is expected not to fire in the calm one. */
Test(metrics_names, no_alert_goes_untested)
{
	char *rules = read_whole("prometheus/rules.yml"),
	     *tests = read_whole("prometheus/rules_test.yml");
	static const char word[] = "- alert: ";
	unsigned count = 0;

	for (const char *at = rules; (at = strstr(at, word)) != NULL; count++) {
		char name[NAME_SIZE], calm[2 * NAME_SIZE], fired[2 * NAME_SIZE];

		at += strlen(word);
		snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "\n"), at);
		snprintf(calm, sizeof calm, "alertname: %s}", name);
		snprintf(fired, sizeof fired, "alertname: %s\n        exp_alerts:", name);
		cr_expect(strstr(tests, calm) != NULL, "%s is not tested to be calm", name);
		cr_expect(strstr(tests, fired) != NULL, "%s is not tested to fire", name);
	}
	cr_expect_geq(count, 8);
	free(rules);
	free(tests);
}

/* --- names --- */

/* A sample of this name stands on the page, with labels or without. */
static bool on_page(const char *page, const char *name)
{
	char plain[NAME_SIZE + 2], labelled[NAME_SIZE + 2];

	snprintf(plain, sizeof plain, "\n%s ", name);
	snprintf(labelled, sizeof labelled, "\n%s{", name);
	return strstr(page, plain) != NULL || strstr(page, labelled) != NULL;
}

/* onsale:success:ratio_rate5m and the like are made by the rules. */
static bool is_recorded(const char *rules, const char *name)
{
	char record[NAME_SIZE + 16];

	snprintf(record, sizeof record, "- record: %s\n", name);
	return strstr(rules, record) != NULL;
}

static bool in_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == ':';
}

/* Checks each name in the expression that starts with onsale or process; how many there were. */
static unsigned check_names(const char *expression, const char *page, const char *rules)
{
	unsigned count = 0;

	for (const char *at = expression; *at != '\0';) {
		size_t len = 0;

		while (in_name(at[len]))
			len++;
		char name[NAME_SIZE];
		snprintf(name, sizeof name, "%.*s", (int)len, at);
		at += len > 0 ? len : 1;
		if (strncmp(name, "onsale:", 7) == 0)
			cr_expect(is_recorded(rules, name), "no rule records %s", name);
		else if (strncmp(name, "onsale_", 7) == 0 || strncmp(name, "process_", 8) == 0)
			cr_expect(on_page(page, name), "/metrics has no %s", name);
		else
			continue;
		count++;
	}
	return count;
}

/* What stands behind an expression in rules.yml. */
static bool ends_expression(const char *line)
{
	static const char *const words[] = {
		"- record:", "- alert:", "- name:", "for:", "labels:", "#"};
	const char *word = line + strspn(line, " ");

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strncmp(word, words[i], strlen(words[i])) == 0)
			return true;
	return false;
}

static unsigned check_rules(const char *rules, const char *page)
{
	char *copy = strdup(rules), *rest = NULL;
	bool in_expression = false;
	unsigned count = 0;

	for (char *line = strtok_r(copy, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest)) {
		if (strstr(line, " expr: ") != NULL)
			in_expression = true;
		else if (ends_expression(line))
			in_expression = false;
		if (in_expression)
			count += check_names(line, page, rules);
	}
	free(copy);
	return count;
}

/* --- the dashboard --- */

struct queries {
	struct buf rules; /* each query as a rule, for promtool */
	unsigned count, names;
	const char *page, *records;
};

static void replace(char *text, const char *from, const char *to)
{
	char *at;

	cr_assert_leq(strlen(to), strlen(from));
	while ((at = strstr(text, from)) != NULL) {
		memcpy(at, to, strlen(to));
		memmove(at + strlen(to), at + strlen(from), strlen(at + strlen(from)) + 1);
	}
}

static void take_query(struct queries *queries, const char *expression)
{
	char *query = strdup(expression);

	queries->names += check_names(query, queries->page, queries->records);
	replace(query, "$__rate_interval", "1m");
	replace(query, "$instance", ".*");
	replace(query, "$job", "j");
	cr_expect(strchr(query, '$') == NULL, "%s", query);
	buf_printf(&queries->rules, "      - record: query%u\n        expr: |\n          %s\n",
		queries->count++, query);
	free(query);
}

static void walk(struct queries *queries, json_t *value)
{
	const char *key;
	json_t *member;
	size_t i;

	json_array_foreach(value, i, member) walk(queries, member);
	json_object_foreach(value, key, member)
	{
		if (strcmp(key, "expr") == 0)
			take_query(queries, json_string_value(member));
		else
			walk(queries, member);
	}
}

static void check_dashboard(struct world *world, const char *page, const char *rules)
{
	json_error_t error;
	json_t *dashboard = json_load_file(
		path_of("grafana/onsale.json"), JSON_REJECT_DUPLICATES, &error);
	struct queries queries = {.rules = BUF_INIT(FILE_MAX), .page = page, .records = rules};
	const char *path = textf(world, "%s/queries.yml", world->folder);

	cr_assert(dashboard != NULL, "%s", error.text);
	buf_append_text(&queries.rules, "groups:\n  - name: queries\n    rules:\n");
	walk(&queries, dashboard);
	cr_expect(queries.count >= 50 && queries.names >= queries.count, "%u queries, %u names",
		queries.count, queries.names);
	write_whole(path, queries.rules.data);
	promtool("check", "rules", path);
	buf_free(&queries.rules);
	json_decref(dashboard);
}

/* --- a server that has sold --- */

/* promtool reads the page from its standard input, and has something to say (status 3) of names and units, too. */
static void check_page(struct world *world, const char *page)
{
	const char *path = textf(world, "%s/page", world->folder);

	write_whole(path, page);
	run((const char *const[]){"sh", "-c", "promtool check metrics <\"$0\" 2>&1", path, NULL});
}

static bool has_audited(void *context)
{
	struct call call = {.method = "GET", .path = "/metrics"};

	return strstr(world_call(context, &call)->body, "\nonsale_audit_findings{") != NULL;
}

Test(metrics_names, what_is_asked_for_is_there)
{
	static const struct world_options options = {
		.flags = {"--audit.interval_seconds=1", "--queue.poll_min_ms=50",
			"--queue.poll_max_ms=300"}};
	struct world *world = world_open(&options);

	world_fill(world, PEOPLE, 100000, &(struct sale_options){.queue = true, .rows = 1});
	struct shoppers *shoppers = shoppers_new(world, &world->sale, &world->people, 1);
	shoppers_run(shoppers, LIMIT_MS, NULL, NULL);
	shoppers_free(shoppers);
	cr_assert(wait_until(has_audited, world, LIMIT_MS), "no audit");
	const struct answer *answer = expect(
		world, &(struct call){.method = "GET", .path = "/metrics"}, 200, NULL);
	char *rules = read_whole("prometheus/rules.yml");

	check_page(world, answer->body);
	unsigned names = check_rules(rules, answer->body);
	cr_expect_geq(names, 20, "%u names in the rules", names);
	check_dashboard(world, answer->body, rules);
	free(rules);
	world_close(world);
}
