/* The web page: files that are a part of the program, served from memory under the paths of web/files.def. */
#ifndef ONSALE_SERVER_WEB_FILES_H
#define ONSALE_SERVER_WEB_FILES_H

#include <stdbool.h>
#include "proto/base/buf.h"

struct request;

/* A page and its scripts come from here alone, and reach here alone; nothing stands in the page itself. */
#define WEB_POLICY \
	"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; " \
	"img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; " \
	"form-action 'none'; frame-ancestors 'none'\r\n"

struct web_body {
	struct buf bytes; /* empty: there is none */
	char tag[40]; /* ETag: a digest of the bytes */
};

struct web_file {
	const char *path, *content_type;
	const char *headers; /* further lines, or "" */
	struct web_body plain, gzip;
};

/* Digests and compresses all of them; for the start. web_files_free takes NULL. */
struct web_files *web_files_new(void);
void web_files_free(struct web_files *files);

/* NULL where no file has exactly this path. */
const struct web_file *web_files_find(const struct web_files *files, const char *path);

/* Answers a GET or HEAD with a file. */
void web_file_start(const struct request *request, const struct web_file *file);

#endif
