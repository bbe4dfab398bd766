/* A changed file is seen at once: browsers keep it, and ask by its tag each time whether it is still the same. */
#include "server/web_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"
#include "proto/base/embed.h"
#include "proto/digest.h"
#include "proto/gzip.h"
#include "server/flow.h"

#define WEB_FILE(symbol, path, file, type) EMBED(symbol, file);
#include "server/web/files.def"
#undef WEB_FILE

enum { FILE_MAX = 1024 * 1024 };

#define HTML "text/html; charset=utf-8"
#define SCRIPT "text/javascript; charset=utf-8"
#define STYLE "text/css; charset=utf-8"
#define IMAGE "image/svg+xml"

static const struct row {
	const char *path, *text, *content_type;
} rows[] = {
#define WEB_FILE(symbol, path, file, type) {path, symbol, type},
#include "server/web/files.def"
#undef WEB_FILE
};

struct web_files {
	struct web_file list[ARRAY_LEN(rows)];
};

static void set_tag(struct web_body *body)
{
	struct digest_part parts[] = {{body->bytes.data, body->bytes.len}};
	struct digest digest = digest_of(parts, 1);
	char hex[DIGEST_HEX_SIZE];

	digest_hex(&digest, hex);
	snprintf(body->tag, sizeof body->tag, "\"%s\"", hex);
}

static void load(struct web_file *file, const struct row *row)
{
	size_t len = strlen(row->text);

	*file = (struct web_file){.path = row->path,
		.content_type = row->content_type,
		.headers = strcmp(row->content_type, HTML) == 0 ? WEB_POLICY : "",
		.plain.bytes = BUF_INIT(FILE_MAX),
		.gzip.bytes = BUF_INIT(FILE_MAX)};
	buf_append(&file->plain.bytes, row->text, len);
	CHECK(!file->plain.bytes.failed && len > 0);
	set_tag(&file->plain);
	if (gzip_write(&file->gzip.bytes, row->text, len))
		set_tag(&file->gzip);
}

struct web_files *web_files_new(void)
{
	struct web_files *files = must_calloc(1, sizeof *files);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		load(&files->list[i], &rows[i]);
	return files;
}

void web_files_free(struct web_files *files)
{
	if (files == NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_free(&files->list[i].plain.bytes);
		buf_free(&files->list[i].gzip.bytes);
	}
	free(files);
}

const struct web_file *web_files_find(const struct web_files *files, const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(files->list[i].path, path) == 0)
			return &files->list[i];
	return NULL;
}

void web_file_start(const struct request *request, const struct web_file *file)
{
	bool packed = file->gzip.bytes.len > 0 &&
		      gzip_accepted(http_header(request->parser, "accept-encoding"));
	const struct web_body *body = packed ? &file->gzip : &file->plain;
	bool same = header_has_tag(http_header(request->parser, "if-none-match"), body->tag);
	struct flow *flow = flow_new(sizeof *flow, request);
	char headers[640];

	if (flow == NULL)
		return;
	int len = snprintf(headers, sizeof headers,
		"ETag: %s\r\nCache-Control: public, no-cache\r\nVary: Accept-Encoding\r\n%s%s",
		body->tag, packed && !same ? "Content-Encoding: gzip\r\n" : "", file->headers);
	CHECK(len > 0 && (size_t)len < sizeof headers);
	if (same)
		flow_reply_empty(flow, 304, headers);
	else
		flow_reply(
			flow, 200, file->content_type, headers, body->bytes.data, body->bytes.len);
}
