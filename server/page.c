#include "server/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"
#include "proto/json.h"
#include "server/flow.h"

/* A whole number without a sign. */
static bool read_number(const char *query, const char *name, int64_t *number)
{
	char text[HTTP_HEAD_MAX], *end;

	if (!http_query_param(query, name, text, sizeof text) || text[0] < '0' || text[0] > '9')
		return false;
	*number = strtoll(
		text, &end, 10); /* of more digits than fit: the highest, which is too high */
	return *end == '\0';
}

bool query_flag(struct flow *flow, const struct request *request, const char *name, bool *flag)
{
	const char *query = request->http->query;
	unsigned count = http_query_count(query, name);
	struct json_errors errors = {0};
	char text[8];

	*flag = false;
	if (count == 0)
		return true;
	bool read = count == 1 && http_query_param(query, name, text, sizeof text);
	*flag = read && strcmp(text, "true") == 0;
	if (*flag || (read && strcmp(text, "false") == 0))
		return true;
	json_error_add(&errors, name, "must be true or false, once");
	flow_fail_validation(flow, &errors);
	return false;
}

bool page_read(struct flow *flow, const struct request *request, struct page *page)
{
	return page_read_up_to(flow, request, PAGE_LIMIT_MAX, page);
}

bool page_read_up_to(
	struct flow *flow, const struct request *request, int64_t limit_max, struct page *page)
{
	const char *query = request->http->query;
	struct json_errors errors = {0};
	char limit_message[48];

	*page = (struct page){.limit = PAGE_LIMIT_DEFAULT};
	snprintf(limit_message, sizeof limit_message, "must be 1 to %" PRId64 ", once", limit_max);
	const struct {
		const char *name, *message;
		int64_t min, max, *value;
	} params[] = {
		{"after", "must be an id, once", 0, INT64_MAX - 1, &page->after},
		{"limit", limit_message, 1, limit_max, &page->limit},
	};
	for (size_t i = 0; i < ARRAY_LEN(params); i++) {
		unsigned count = http_query_count(query, params[i].name);
		if (count == 0)
			continue;
		if (count > 1 || !read_number(query, params[i].name, params[i].value) ||
			*params[i].value < params[i].min || *params[i].value > params[i].max)
			json_error_add(&errors, params[i].name, params[i].message);
	}
	if (errors.count > 0)
		flow_fail_validation(flow, &errors);
	return errors.count == 0;
}
