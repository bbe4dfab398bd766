/* Reading and refusing. jansson builds the whole value before anyone looks at it, so the depth is
 * counted first, over the bytes, with no recursion. It also takes less than JSON allows: what it alone
 * refuses is tamed in a copy of the text, and that is read. */
#include "proto/json.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"
#include "proto/base/clock.h"

enum { DEPTH_MAX = 32, MESSAGE_SIZE = 160 };

/* struct json_object is jansson's json_t under a name that headers may say without including it. */
static json_t *value_of(const struct json_object *object)
{
	return (json_t *)(uintptr_t)object;
}

static struct json_object *object_of(json_t *value)
{
	return (struct json_object *)value;
}

/* Whether no bracket opens deeper than DEPTH_MAX. What is malformed is left to jansson. */
static bool shallow(const char *bytes, size_t len)
{
	unsigned depth = 0;
	bool in_text = false;
	for (size_t i = 0; i < len; i++) {
		char c = bytes[i];
		if (in_text && c == '\\')
			i++; /* whatever comes next ends no text */
		else if (c == '"')
			in_text = !in_text;
		else if (in_text)
			continue;
		else if ((c == '{' || c == '[') && ++depth > DEPTH_MAX)
			return false;
		else if ((c == '}' || c == ']') && depth > 0)
			depth--;
	}
	return true;
}

/* --- what is JSON, and more than jansson takes --- */

static size_t count_digits(const char *text, size_t len)
{
	size_t count = 0;
	while (count < len && text[count] >= '0' && text[count] <= '9')
		count++;
	return count;
}

/* How long the integer is that the text begins with; 0 where it begins with none. */
static size_t integer_len(const char *text, size_t len)
{
	size_t sign = len > 0 && text[0] == '-';
	size_t digits = count_digits(text + sign, len - sign);
	if (digits == 0 || (digits > 1 && text[sign] == '0'))
		return 0;
	return sign + digits;
}

static bool is_number(const char *text, size_t len)
{
	size_t at = integer_len(text, len), digits;
	if (at > 0 && at < len && text[at] == '.') {
		digits = count_digits(text + at + 1, len - at - 1);
		at = digits > 0 ? at + 1 + digits : 0;
	}
	if (at > 0 && at < len && (text[at] == 'e' || text[at] == 'E')) {
		at++;
		at += at < len && (text[at] == '+' || text[at] == '-');
		digits = count_digits(text + at, len - at);
		at = digits > 0 ? at + digits : 0;
	}
	return at > 0 && at == len;
}

/* Of an integer. */
static bool fits_i64(const char *text, size_t len)
{
	static const char max[] = "9223372036854775807", min[] = "-9223372036854775808";
	const char *limit = text[0] == '-' ? min : max;
	size_t limit_len = strlen(limit);
	return len < limit_len || (len == limit_len && memcmp(text, limit, len) <= 0);
}

/* A number that no integer is made of becomes 0.5 and blanks: jansson refuses those past the range of its
 * types, and to the fields here one is as wrong as the other. */
static void tame_number(char *text, size_t len)
{
	if (!is_number(text, len) || (integer_len(text, len) == len && fits_i64(text, len)))
		return;
	memset(text, ' ', len);
	memcpy(text, "0.5", 3);
}

/* What is malformed stays so. A NUL becomes another control character, as jansson takes none in a member's
 * name and none is taken in a text. */
static void tame(char *text, size_t len)
{
	static const char nul[] = "\\u0000";
	bool in_text = false;
	for (size_t i = 0; i < len; i++) {
		if (in_text && text[i] == '\\') {
			if (len - i >= strlen(nul) && memcmp(text + i, nul, strlen(nul)) == 0)
				text[i + strlen(nul) - 1] = '1';
			i++;
		} else if (text[i] == '"') {
			in_text = !in_text;
		} else if (!in_text && (text[i] == '-' || count_digits(text + i, 1) == 1)) {
			size_t end = i + 1;
			while (end < len && strchr("0123456789+-.eE", text[end]) != NULL)
				end++;
			tame_number(text + i, end - i);
			i = end - 1;
		}
	}
}

/* --- parsing --- */

static json_t *load(const char *bytes, size_t len, size_t flags, enum json_error_code *why)
{
	json_error_t error;
	/* NUL in a text is let through, to be refused as that field's fault. */
	json_t *value = json_loadb(bytes, len, JSON_DECODE_ANY | JSON_ALLOW_NUL | flags, &error);
	*why = value == NULL ? json_error_code(&error) : json_error_unknown;
	return value;
}

static json_t *load_tamed(const char *bytes, size_t len, struct json_errors *errors)
{
	enum json_error_code why;
	char *text = must_malloc(len);
	memcpy(text, bytes, len);
	tame(text, len);
	json_t *value = load(text, len, JSON_REJECT_DUPLICATES, &why);
	if (value == NULL && why == json_error_duplicate_key) {
		json_t *last_wins = load(text, len, 0, &why);
		if (last_wins != NULL)
			json_error_add(errors, "", "must name each member once");
		json_decref(last_wins);
	}
	free(text);
	return value;
}

struct json_object *json_object_read(const char *bytes, size_t len, struct json_errors *errors)
{
	/* A bare NUL is never JSON, but jansson overlooks one right behind a number. */
	if (len == 0 || memchr(bytes, '\0', len) != NULL || !shallow(bytes, len))
		return NULL;
	enum json_error_code why;
	json_t *value = load(bytes, len, JSON_REJECT_DUPLICATES, &why);
	if (value == NULL &&
		(why == json_error_numeric_overflow || why == json_error_null_byte_in_key ||
			why == json_error_duplicate_key))
		value = load_tamed(bytes, len, errors);
	if (value != NULL && !json_is_object(value)) {
		json_error_add(errors, "", "must be an object");
		json_decref(value);
		return NULL;
	}
	return object_of(value);
}

struct json_object *json_object_parse(const char *bytes, size_t len)
{
	struct json_errors errors = {0};
	return json_object_read(bytes, len, &errors);
}

void json_object_free(struct json_object *object)
{
	json_decref(value_of(object));
}

void json_error_add(struct json_errors *errors, const char *field, const char *message)
{
	struct buf item = BUF_INIT(sizeof(errors->text));
	if (errors->len > 0)
		buf_append_char(&item, ',');
	buf_append_text(&item, "{\"field\":");
	char name[sizeof(errors->prefix) + 64];
	snprintf(name, sizeof(name), "%s%s", errors->prefix, field);
	json_write_text(&item, name);
	buf_append_text(&item, ",\"message\":");
	json_write_text(&item, message);
	buf_append_char(&item, '}');
	if (!item.failed && item.len < sizeof(errors->text) - errors->len) {
		memcpy(errors->text + errors->len, item.data, item.len + 1);
		errors->len += item.len;
	}
	errors->count++;
	buf_free(&item);
}

void json_errors_write(const struct json_errors *errors, struct buf *out)
{
	buf_append_text(out, ",\"errors\":[");
	buf_append(out, errors->text, errors->len);
	buf_append_char(out, ']');
}

static enum json_read wrong(struct json_errors *errors, const char *field, const char *message)
{
	json_error_add(errors, field, message);
	return JSON_WRONG;
}

/* The member, or NULL with *read saying what that means. null counts as missing. */
static json_t *member(struct json_object *object, const char *field, enum json_need need,
	struct json_errors *errors, enum json_read *read)
{
	json_t *value = json_object_get(value_of(object), field);
	if (value != NULL && !json_is_null(value))
		return value;
	*read = need == JSON_REQUIRED ? wrong(errors, field, "is required") : JSON_ABSENT;
	return NULL;
}

enum json_read json_read_i64(struct json_object *object, const char *field, enum json_need need,
	int64_t min, int64_t max, int64_t *value, struct json_errors *errors)
{
	enum json_read read;
	json_t *found = member(object, field, need, errors, &read);
	if (found == NULL)
		return read;
	if (!json_is_integer(found) || json_integer_value(found) < min ||
		json_integer_value(found) > max) {
		char message[MESSAGE_SIZE];
		snprintf(message, sizeof(message),
			"must be an integer from %" PRId64 " to %" PRId64, min, max);
		return wrong(errors, field, message);
	}
	*value = json_integer_value(found);
	return JSON_PRESENT;
}

enum json_read json_read_bool(struct json_object *object, const char *field, enum json_need need,
	bool *value, struct json_errors *errors)
{
	enum json_read read;
	json_t *found = member(object, field, need, errors, &read);
	if (found == NULL)
		return read;
	if (!json_is_boolean(found))
		return wrong(errors, field, "must be true or false");
	*value = json_is_true(found);
	return JSON_PRESENT;
}

/* Code points of valid UTF-8, which jansson vouches for. */
static size_t code_points(const char *text, size_t len)
{
	size_t count = 0;
	for (size_t i = 0; i < len; i++)
		count += ((unsigned char)text[i] & 0xc0) != 0x80;
	return count;
}

/* C0 (NUL among them), DEL and C1, which UTF-8 spells C2 80 to C2 9F. */
static bool has_control(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)text[i];
		if (byte < 0x20 || byte == 0x7f)
			return true;
		if (byte == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] < 0xa0)
			return true;
	}
	return false;
}

enum json_read json_read_text(struct json_object *object, const char *field, enum json_need need,
	size_t min, size_t max, const char **value, struct json_errors *errors)
{
	enum json_read read;
	json_t *found = member(object, field, need, errors, &read);
	if (found == NULL)
		return read;
	char message[MESSAGE_SIZE];
	snprintf(message, sizeof(message), "must be a text of %zu to %zu characters", min, max);
	if (!json_is_string(found))
		return wrong(errors, field, message);
	const char *text = json_string_value(found);
	size_t len = json_string_length(found);
	if (has_control(text, len))
		return wrong(errors, field, "must not hold control characters");
	size_t count = code_points(text, len);
	if (count < min || count > max)
		return wrong(errors, field, message);
	*value = text;
	return JSON_PRESENT;
}

enum json_read json_read_time(struct json_object *object, const char *field, enum json_need need,
	int64_t *unix_ms, struct json_errors *errors)
{
	enum json_read read;
	json_t *found = member(object, field, need, errors, &read);
	if (found == NULL)
		return read;
	const char *text = json_string_value(found);
	if (text == NULL || strlen(text) != json_string_length(found) ||
		!clock_parse(text, unix_ms))
		return wrong(errors, field,
			"must be an RFC 3339 time of the years 1970 to 9999, like "
			"2026-11-21T10:00:00Z");
	return JSON_PRESENT;
}

/* Reads element i as an id that is not among the i before it. */
static bool read_id(const json_t *array, size_t i, int64_t *values)
{
	json_t *element = json_array_get(array, i);
	if (!json_is_integer(element) || json_integer_value(element) < 1)
		return false;
	values[i] = json_integer_value(element);
	for (size_t before = 0; before < i; before++)
		if (values[before] == values[i])
			return false;
	return true;
}

enum json_read json_read_ids(struct json_object *object, const char *field, enum json_need need,
	size_t max, int64_t *values, size_t *count, struct json_errors *errors)
{
	struct json_object *array;
	enum json_read read = json_read_array(object, field, need, 1, max, &array, count, errors);
	if (read != JSON_PRESENT)
		return read;
	for (size_t i = 0; i < *count; i++)
		if (!read_id(value_of(array), i, values))
			return wrong(errors, field, "must be distinct positive integers");
	return JSON_PRESENT;
}

enum json_read json_read_object(struct json_object *object, const char *field, enum json_need need,
	struct json_object **value, struct json_errors *errors)
{
	enum json_read read;
	json_t *found = member(object, field, need, errors, &read);
	if (found == NULL)
		return read;
	if (!json_is_object(found))
		return wrong(errors, field, "must be an object");
	*value = object_of(found);
	return JSON_PRESENT;
}

enum json_read json_read_array(struct json_object *object, const char *field, enum json_need need,
	size_t min, size_t max, struct json_object **array, size_t *count,
	struct json_errors *errors)
{
	enum json_read read;
	json_t *found = member(object, field, need, errors, &read);
	if (found == NULL)
		return read;
	if (!json_is_array(found) || json_array_size(found) < min || json_array_size(found) > max) {
		char message[MESSAGE_SIZE];
		snprintf(message, sizeof(message), "must be a list of %zu to %zu elements", min,
			max);
		return wrong(errors, field, message);
	}
	*array = object_of(found);
	*count = json_array_size(found);
	return JSON_PRESENT;
}

struct json_object *json_array_object(struct json_object *array, size_t i)
{
	json_t *element = json_array_get(value_of(array), i);
	return json_is_object(element) ? object_of(element) : NULL;
}

static void write_escaped(struct buf *out, unsigned char byte)
{
	switch (byte) {
	case '"': buf_append_text(out, "\\\""); break;
	case '\\': buf_append_text(out, "\\\\"); break;
	case '\n': buf_append_text(out, "\\n"); break;
	case '\r': buf_append_text(out, "\\r"); break;
	case '\t': buf_append_text(out, "\\t"); break;
	default: buf_printf(out, "\\u%04x", byte); break;
	}
}

void json_write_text(struct buf *out, const char *text)
{
	buf_append_char(out, '"');
	const char *plain = text;
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;
		if (byte >= 0x20 && byte != '"' && byte != '\\')
			continue;
		buf_append(out, plain, (size_t)(text - plain));
		write_escaped(out, byte);
		plain = text + 1;
	}
	buf_append(out, plain, (size_t)(text - plain));
	buf_append_char(out, '"');
}
