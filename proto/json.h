/* JSON bodies, read by jansson: an object is parsed strictly (UTF-8, no duplicate members, at most 32
 * levels deep), then its members are read one by one, and what is wrong with them gathered into the
 * `errors` of a validation problem. Members that nobody asks for are ignored, whatever number or name they
 * have. */
#ifndef ONSALE_PROTO_JSON_H
#define ONSALE_PROTO_JSON_H

#include "proto/base/buf.h"

struct json_object; /* jansson's json_t */

/* What is wrong with the fields, as the members of `errors`: bounded, first wrongs kept. */
struct json_errors {
	char text[1024];
	size_t len;
	unsigned count;
	char prefix[32]; /* put before the names of fields: "queue.", "sections[2]." */
};

/* NULL where the bytes are not one JSON object. Where they are JSON all the same (another value, or an
 * object that names a member twice), errors says so of the field "", which is the body. Free with
 * json_object_free. */
struct json_object *json_object_read(const char *bytes, size_t len, struct json_errors *errors);

/* … and does not say why. */
struct json_object *json_object_parse(const char *bytes, size_t len);
void json_object_free(struct json_object *object);

/* Adds {"field": …, "message": …}. */
void json_error_add(struct json_errors *errors, const char *field, const char *message);

/* `,"errors":[…]` for problem_write. */
void json_errors_write(const struct json_errors *errors, struct buf *out);

enum json_need { JSON_REQUIRED, JSON_OPTIONAL };
enum json_read { JSON_ABSENT, JSON_PRESENT, JSON_WRONG };

/* Each reads a member into *value, or adds to errors what is wrong with it. An optional member that is
 * missing or null is JSON_ABSENT and leaves *value as it was. Integers that are written as 1.0 or 1e3
 * are wrong; so are texts with a NUL or another control character. */
enum json_read json_read_i64(struct json_object *object, const char *field, enum json_need need,
	int64_t min, int64_t max, int64_t *value, struct json_errors *errors);
enum json_read json_read_bool(struct json_object *object, const char *field, enum json_need need,
	bool *value, struct json_errors *errors);
/* Length in code points. The text is owned by the object. */
enum json_read json_read_text(struct json_object *object, const char *field, enum json_need need,
	size_t min, size_t max, const char **value, struct json_errors *errors);
/* An RFC 3339 time, as milliseconds since 1970. */
enum json_read json_read_time(struct json_object *object, const char *field, enum json_need need,
	int64_t *unix_ms, struct json_errors *errors);
/* An array of 1 to max distinct positive integers, into values; *count tells how many. */
enum json_read json_read_ids(struct json_object *object, const char *field, enum json_need need,
	size_t max, int64_t *values, size_t *count, struct json_errors *errors);
/* A member object (owned by its parent), or an array and its object elements: element i is NULL where
 * it is not an object. */
enum json_read json_read_object(struct json_object *object, const char *field, enum json_need need,
	struct json_object **value, struct json_errors *errors);
enum json_read json_read_array(struct json_object *object, const char *field, enum json_need need,
	size_t min, size_t max, struct json_object **array, size_t *count,
	struct json_errors *errors);
struct json_object *json_array_object(struct json_object *array, size_t i);

/* Appends a JSON string with its quotes, escaped as RFC 8259 asks. */
void json_write_text(struct buf *out, const char *text);

#endif
