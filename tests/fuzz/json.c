/* JSON bodies: what is read as an object keeps the bounds that its reader was told, what is wrong with it is told
 * as JSON, and a text that is written reads as it was. */
#include "proto/json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "tests/fuzz/fuzz.h"

enum { WRITTEN_MAX = 4 * 1024 * 1024, IDS_MAX = 8 };

/* Every text that was read comes back out of what json_write_text makes of it. */
static void check_text(const char *text)
{
	struct buf written = BUF_INIT(WRITTEN_MAX);
	struct json_errors errors = {0};
	const char *again = NULL;

	buf_append_text(&written, "{\"t\":");
	json_write_text(&written, text);
	buf_append_text(&written, "}");
	CHECK(!written.failed);
	struct json_object *object = json_object_parse(written.data, written.len);
	CHECK(object != NULL);
	CHECK(json_read_text(object, "t", JSON_REQUIRED, 0, WRITTEN_MAX, &again, &errors) ==
		JSON_PRESENT);
	CHECK(strcmp(again, text) == 0);
	json_object_free(object);
	buf_free(&written);
}

static void check_texts(struct json_object *object, struct json_errors *errors)
{
	const char *name = NULL, *email = NULL;

	if (json_read_text(object, "name", JSON_OPTIONAL, 1, 20, &name, errors) == JSON_PRESENT) {
		CHECK(strlen(name) >= 1 && strlen(name) <= 20 * 4);
		for (const char *c = name; *c != '\0'; c++)
			CHECK((unsigned char)*c >= ' ' && *c != 0x7f);
		check_text(name);
	} else {
		CHECK(name == NULL);
	}
	if (json_read_text(object, "email", JSON_REQUIRED, 0, 4096, &email, errors) == JSON_PRESENT)
		check_text(email);
}

static void check_numbers(struct json_object *object, struct json_errors *errors)
{
	int64_t amount = -1, all = 0, at = -1;
	bool flag = false;

	if (json_read_i64(object, "amount", JSON_REQUIRED, 1, 1000, &amount, errors) ==
		JSON_PRESENT)
		CHECK(amount >= 1 && amount <= 1000);
	else
		CHECK(amount == -1);
	json_read_i64(object, "all", JSON_OPTIONAL, INT64_MIN, INT64_MAX, &all, errors);
	json_read_bool(object, "flag", JSON_OPTIONAL, &flag, errors);
	if (json_read_time(object, "at", JSON_OPTIONAL, &at, errors) == JSON_PRESENT) {
		char text[CLOCK_TEXT_SIZE];
		int64_t again;
		clock_format(at, text);
		CHECK(clock_parse(text, &again) && again == at);
	} else {
		CHECK(at == -1);
	}
}

static void check_ids(struct json_object *object, struct json_errors *errors)
{
	int64_t ids[IDS_MAX];
	size_t count = 0;

	if (json_read_ids(object, "ids", JSON_OPTIONAL, IDS_MAX, ids, &count, errors) !=
		JSON_PRESENT)
		return;
	CHECK(count >= 1 && count <= IDS_MAX);
	for (size_t i = 0; i < count; i++)
		for (size_t before = 0; before < i; before++)
			CHECK(ids[i] > 0 && ids[i] != ids[before]);
}

static void check_nested(struct json_object *object, struct json_errors *errors)
{
	struct json_object *queue, *sections;
	size_t count = 0;

	if (json_read_object(object, "queue", JSON_OPTIONAL, &queue, errors) == JSON_PRESENT) {
		strcpy(errors->prefix, "queue.");
		check_numbers(queue, errors);
		errors->prefix[0] = '\0';
	}
	if (json_read_array(object, "sections", JSON_REQUIRED, 1, 4, &sections, &count, errors) !=
		JSON_PRESENT)
		return;
	CHECK(count >= 1 && count <= 4);
	for (size_t i = 0; i < count; i++) {
		struct json_object *section = json_array_object(sections, i);
		if (section != NULL)
			check_texts(section, errors);
		else
			json_error_add(errors, "sections", "must hold objects");
	}
}

/* `errors` is an array of {field, message}, all of them as long as they fit. */
static void check_errors(const struct json_errors *errors)
{
	struct buf written = BUF_INIT(WRITTEN_MAX);

	buf_append_text(&written, "{\"code\":\"validation_failed\"");
	json_errors_write(errors, &written);
	buf_append_char(&written, '}');
	json_t *value = json_loadb(written.data, written.len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *list = json_object_get(value, "errors");
	CHECK(json_is_array(list) && json_array_size(list) <= errors->count);
	CHECK(errors->count == 0 || json_array_size(list) > 0);
	for (size_t i = 0; i < json_array_size(list); i++)
		CHECK(json_is_string(json_object_get(json_array_get(list, i), "field")) &&
			json_is_string(json_object_get(json_array_get(list, i), "message")));
	json_decref(value);
	buf_free(&written);
}

/* An object and more is no object. */
static void check_end(const uint8_t *bytes, size_t len)
{
	char *longer = must_malloc(len + 1);

	memcpy(longer, bytes, len);
	longer[len] = '}';
	CHECK(json_object_parse(longer, len + 1) == NULL);
	free(longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct json_errors errors = {0};
	struct json_object *object = json_object_parse((const char *)bytes, len);

	if (object == NULL)
		return 0;
	check_texts(object, &errors);
	check_numbers(object, &errors);
	check_ids(object, &errors);
	check_nested(object, &errors);
	check_errors(&errors);
	check_end(bytes, len);
	json_object_free(object);
	return 0;
}
