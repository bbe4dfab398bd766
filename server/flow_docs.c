/* The API's description: the OpenAPI document, the page that shows it, the page's own files.
 *   openapi_start, docs_start, docs_script_start, docs_style_start, docs_bundle_start -> end */
#include <stdio.h>
#include <string.h>
#include "proto/base/check.h"
#include "server/docs.h"
#include "server/flow.h"
#include "server/flows.h"
#include "server/web_files.h"

/* A changed document is seen at once: it is asked for each time, by its tag. */
static void reply_file(const struct request *request, enum docs_name name)
{
	const struct docs_file *file = docs_file(request->app->docs, name);
	const char *tags = http_header(request->parser, "if-none-match");
	struct flow *flow = flow_new(sizeof *flow, request);
	char headers[512];

	if (flow == NULL)
		return;
	if (file->body == NULL) {
		flow_fail(flow, PROBLEM_NOT_FOUND);
		return;
	}
	int len = snprintf(headers, sizeof headers,
		"ETag: %s\r\nCache-Control: public, no-cache\r\n%s", file->tag,
		name == DOCS_PAGE ? WEB_POLICY : "");
	CHECK(len > 0 && (size_t)len < sizeof headers);
	if (header_has_tag(tags, file->tag))
		flow_reply_empty(flow, 304, headers);
	else
		flow_reply(flow, 200, file->content_type, headers, file->body, file->len);
}

void openapi_start(const struct request *request)
{
	reply_file(request, DOCS_OPENAPI);
}

void docs_start(const struct request *request)
{
	reply_file(request, DOCS_PAGE);
}

void docs_script_start(const struct request *request)
{
	reply_file(request, DOCS_START);
}

void docs_style_start(const struct request *request)
{
	reply_file(request, DOCS_STYLE);
}

void docs_bundle_start(const struct request *request)
{
	reply_file(request, DOCS_BUNDLE);
}
