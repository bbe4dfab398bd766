/* The API's description as it is served: the OpenAPI document, which is a part of the program, and the page
 * that shows it, which is Swagger UI where `make docs` has fetched its files, else the document's text. */
#ifndef ONSALE_SERVER_DOCS_H
#define ONSALE_SERVER_DOCS_H

#include <stddef.h>

/* Lives as long as its docs. */
struct docs_file {
	const char *content_type;
	const char *body; /* NULL: the file is not there */
	size_t len;
	char tag[40]; /* ETag: a digest of the body */
};

enum docs_name { DOCS_OPENAPI, DOCS_PAGE, DOCS_START, DOCS_STYLE, DOCS_BUNDLE, DOCS_FILES };

/* Reads Swagger UI's files from the folder; it blocks, and is for the start. docs_free takes NULL. */
struct docs *docs_new(const char *folder);
void docs_free(struct docs *docs);

const struct docs_file *docs_file(const struct docs *docs, enum docs_name name);

#endif
