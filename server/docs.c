/* All of it is in memory before the first request: nothing is read from a disk while the loop turns. */
#include "server/docs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proto/base/buf.h"
#include "proto/base/check.h"
#include "proto/base/embed.h"
#include "proto/base/log.h"
#include "proto/digest.h"

EMBED(docs_openapi_yaml, "proto/openapi.yaml");
EMBED(docs_page_html, "server/web/docs.html");
EMBED(docs_plain_html, "server/web/docs_plain.html");
EMBED(docs_start_js, "server/web/docs.js");

enum { FILE_MAX = 8 * 1024 * 1024, PAGE_MAX = 4 * 1024 * 1024 };

static const char PLACEHOLDER[] = "<!-- the document -->";

struct docs {
	struct docs_file files[DOCS_FILES];
	struct buf style, bundle; /* as read */
	struct buf plain; /* the page without Swagger UI */
};

static void set_file(struct docs *docs, enum docs_name name, const char *content_type,
	const char *body, size_t len)
{
	struct docs_file *file = &docs->files[name];
	struct digest_part parts[] = {{body, len}};
	struct digest digest = digest_of(parts, 1);
	char hex[DIGEST_HEX_SIZE];

	digest_hex(&digest, hex);
	snprintf(file->tag, sizeof file->tag, "\"%s\"", hex);
	file->content_type = content_type;
	file->body = body;
	file->len = len;
}

static bool read_whole(int fd, struct buf *out)
{
	struct stat info;
	ssize_t got = 1;

	if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size > FILE_MAX)
		return false;
	while (got > 0 && !out->failed) {
		char chunk[16 * 1024];

		got = read(fd, chunk, sizeof chunk);
		if (got > 0)
			buf_append(out, chunk, (size_t)got);
	}
	return got == 0 && !out->failed && out->len > 0;
}

static bool read_file(const char *folder, const char *name, struct buf *out)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool read = fd >= 0 && read_whole(fd, out);
	if (!read && !(fd < 0 && errno == ENOENT))
		log_warn("%s cannot be read: /docs does without Swagger UI", path);
	if (fd >= 0)
		close(fd);
	return read;
}

static void append_escaped(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&': buf_append_text(out, "&amp;"); break;
		case '<': buf_append_text(out, "&lt;"); break;
		case '>': buf_append_text(out, "&gt;"); break;
		default: buf_append_char(out, *text);
		}
	}
}

static void make_plain_page(struct docs *docs)
{
	const char *gap = strstr(docs_plain_html, PLACEHOLDER);

	CHECK(gap != NULL);
	buf_append(&docs->plain, docs_plain_html, (size_t)(gap - docs_plain_html));
	append_escaped(&docs->plain, docs_openapi_yaml);
	buf_append_text(&docs->plain, gap + sizeof PLACEHOLDER - 1);
	CHECK(!docs->plain.failed);
	set_file(docs, DOCS_PAGE, "text/html; charset=utf-8", docs->plain.data, docs->plain.len);
}

struct docs *docs_new(const char *folder)
{
	static const char script_type[] = "text/javascript; charset=utf-8";
	struct docs *docs = must_calloc(1, sizeof *docs);

	docs->style = BUF_INIT(FILE_MAX);
	docs->bundle = BUF_INIT(FILE_MAX);
	docs->plain = BUF_INIT(PAGE_MAX);
	set_file(docs, DOCS_OPENAPI, "application/yaml", docs_openapi_yaml,
		strlen(docs_openapi_yaml));
	if (!read_file(folder, "swagger-ui.css", &docs->style) ||
		!read_file(folder, "swagger-ui-bundle.js", &docs->bundle)) {
		make_plain_page(docs);
		return docs;
	}
	set_file(docs, DOCS_PAGE, "text/html; charset=utf-8", docs_page_html,
		strlen(docs_page_html));
	set_file(docs, DOCS_START, script_type, docs_start_js, strlen(docs_start_js));
	set_file(docs, DOCS_STYLE, "text/css; charset=utf-8", docs->style.data, docs->style.len);
	set_file(docs, DOCS_BUNDLE, script_type, docs->bundle.data, docs->bundle.len);
	return docs;
}

void docs_free(struct docs *docs)
{
	if (docs == NULL)
		return;
	buf_free(&docs->style);
	buf_free(&docs->bundle);
	buf_free(&docs->plain);
	free(docs);
}

const struct docs_file *docs_file(const struct docs *docs, enum docs_name name)
{
	CHECK((unsigned)name < DOCS_FILES);
	return &docs->files[name];
}
