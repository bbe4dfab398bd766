/* A reply as a client sees it: the status, the header lines, the body, and its JSON on demand. */
#ifndef ONSALE_TESTS_SUPPORT_ANSWER_H
#define ONSALE_TESTS_SUPPORT_ANSWER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A zeroed struct is a valid, empty answer. */
struct answer {
	int status;
	char *head; /* the status line and the header lines; NUL follows */
	char *body; /* NUL follows */
	size_t body_len;
	json_t *json; /* answer_json's */
};

enum answer_parse { ANSWER_MORE, ANSWER_WHOLE, ANSWER_BROKEN };

/* Reads one reply off the front of the bytes; *taken tells how many it had. to_head: it answers a HEAD
 * request and so has no body. The answer is filled with ANSWER_WHOLE only. */
enum answer_parse answer_read(
	struct answer *answer, const char *bytes, size_t len, bool to_head, size_t *taken);
void answer_clear(struct answer *answer);

/* A header's value; false where it did not come. A value that does not fit fails the test. */
bool answer_header(const struct answer *answer, const char *name, char *value, size_t size);
bool answer_header_is(const struct answer *answer, const char *name, const char *value);

/* The body as JSON, owned by the answer; the test fails where it is none. */
const json_t *answer_json(struct answer *answer);

/* Members of the body's object; the test fails where one is missing or of another type. */
int64_t answer_int(struct answer *answer, const char *member);
const char *answer_text(struct answer *answer, const char *member);

/* True where the body's object has the text member with this value. */
bool answer_is(struct answer *answer, const char *member, const char *value);

#endif
