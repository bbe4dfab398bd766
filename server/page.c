#include "server/page.h"

#include <stdlib.h>
#include "proto/base/check.h"
#include "proto/json.h"
#include "server/flow.h"

static const struct {
	const char *name, *message;
	int64_t min, max;
} params[] = {
	{"after", "must be an id", 0, INT64_MAX - 1},
	{"limit", "must be 1 to 200", 1, PAGE_LIMIT_MAX},
};

_Static_assert(PAGE_LIMIT_MAX == 200, "as the message says");

/* A whole number without a sign; of more digits than fit the highest, which is too high. */
static bool read_number(const char *text, int64_t *number)
{
	char *end;

	*number = strtoll(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0';
}

bool page_read(struct flow *flow, const struct request *request, struct page *page)
{
	const char *query = request->http->query;
	struct json_errors errors = {0};
	char text[HTTP_HEAD_MAX];

	*page = (struct page){.limit = PAGE_LIMIT_DEFAULT};
	int64_t *const values[] = {&page->after, &page->limit};
	for (size_t i = 0; i < ARRAY_LEN(params); i++) {
		if (!http_query_param(query, params[i].name, text, sizeof text))
			continue;
		if (!read_number(text, values[i]) || *values[i] < params[i].min ||
			*values[i] > params[i].max)
			json_error_add(&errors, params[i].name, params[i].message);
	}
	if (errors.count > 0)
		flow_fail_validation(flow, &errors);
	return errors.count == 0;
}
