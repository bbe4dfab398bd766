/* JSON bodies: what is an object, how its members are read, and what is said of wrong ones. */
#include "proto/json.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct json_object *parse(const char *text)
{
	return json_object_parse(text, strlen(text));
}

Test(json, parses_objects_only)
{
	static const char *const good[] = {"{}", " {\"a\":1} \r\n\t", "{\"a\":{\"b\":[[]]}}",
		"{\"\xc3\xa9\":\"\\u00e9\\ud83d\\ude00\"}", "{\"a\":1e3,\"b\":-0.5,\"c\":null}",
		"{\"a\":1e999,\"b\":-1e+999,\"c\":99999999999999999999,\"d\":1e-999}",
		"{\"a\":-9223372036854775809 ,\"b\":[9223372036854775808]}",
		"{\"a\\u0000\":1,\"\\u0000\":2}", "{\"a\":1e999,\"b\":\"\\\"1e999\\\\\"}"};
	static const char *const bad[] = {"", " ", "[]", "1", "\"a\"", "null", "true", "{", "}",
		"{}}", "{} {}", "{}x", "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "{'a':1}", "{\"a\":01}",
		"{\"a\":+1}", "{\"a\":.5}", "{\"a\":1.}", "{\"a\":NaN}", "{\"a\":\"\n\"}",
		"{\"a\":\"\x01\"}", "{\"a\":\"\\x\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\xff\"}",
		"{\"a\":\"\xc0\x80\"}", "{\"a\":\"\xed\xa0\x80\"}", "{\"a\":1,\"a\":1}",
		"{\"a\":{\"b\":1,\"b\":2}}", "\xef\xbb\xbf{}", "{\"a\":/**/1}", "{\"a\":tru}",
		"{\"a\":\"b}", "{\"a\":\"\\", "{\"a\":1e999", "{\"a\":1e999e}", "{\"a\":1e999x}",
		"{\"a\":099999999999999999999}", "{\"a\":99999999999999999999.}",
		"{\"a\":--99999999999999999999}", "{\"a\":1e999 1}", "{\"a\":1e999,\"b\":1.e1}",
		"{\"a\\u0000\":1,}", "{\"a\\u0000\":\"\\u000", "{\"a\":1e999,\"b\":\"\\u000\"}"};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct json_object *object = parse(good[i]);
		cr_expect_not_null(object, "%s", good[i]);
		json_object_free(object);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect_null(parse(bad[i]), "%s", bad[i]);
	cr_expect_null(json_object_parse("{\"a\0\":1}", 8), "a NUL between");
	cr_expect_null(json_object_parse("{}\0", 3), "a NUL behind");
	cr_expect_null(json_object_parse("{\"a\":1\0}", 8), "a NUL behind a number");
	cr_expect_null(json_object_parse("{\"a\":1e999\0}", 12), "a NUL behind a large number");
	struct json_object *inner = json_object_parse("{}garbage", 2);
	cr_expect_not_null(inner, "only len bytes are read");
	json_object_free(inner);
	json_object_free(NULL);
}

/* What is JSON and yet no body of ours is told apart from what is none. */
Test(json, says_why_not)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"[]", "must be an object"},
		{"null", "must be an object"},
		{"-1e999", "must be an object"},
		{"\"\"", "must be an object"},
		{"99999999999999999999", "must be an object"},
		{"{\"a\":1,\"a\":1}", "must name each member once"},
		{"{\"a\":{\"b\":1,\"b\":2}}", "must name each member once"},
		{"{\"a\":1,\"\\u0061\":1e999}", "must name each member once"},
		{"{\"a\":1,\"a\":1,}", NULL},
		{"{\"a\":1,\"a\":1e999", NULL},
		{"[1,]", NULL},
		{"", NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct json_errors errors = {0};
		cr_expect_null(json_object_read(rows[i].text, strlen(rows[i].text), &errors));
		cr_expect_eq(errors.count, rows[i].why != NULL, "%s", rows[i].text);
		cr_expect((rows[i].why != NULL) == (strstr(errors.text, "\"field\":\"\"") != NULL));
		if (rows[i].why != NULL)
			cr_expect_not_null(strstr(errors.text, rows[i].why), "%s: %s", rows[i].text,
				errors.text);
	}
}

/* jansson reads none of these; here they are wrong values of their own field, and nothing to the others. */
Test(json, numbers_past_64_bits)
{
	static const char *const wrong[] = {"9223372036854775808", "-9223372036854775809",
		"99999999999999999999999999", "1e999", "-1E+999", "0.1e1000",
		"10000000000000000000"};
	static const char *const right[] = {"9223372036854775807", "-9223372036854775808",
		"999999999999999999", "-0", "0", "1000000000000000000"};
	for (size_t i = 0; i < ARRAY_LEN(wrong) + ARRAY_LEN(right); i++) {
		bool good = i >= ARRAY_LEN(wrong);
		const char *number = good ? right[i - ARRAY_LEN(wrong)] : wrong[i];
		char text[128];
		snprintf(text, sizeof(text), "{\"a\":%s,\"b\":[%s,1e999],\"c\":[2,%s]}", number,
			number, number);
		struct json_object *object = parse(text);
		cr_assert_not_null(object, "%s", text);
		struct json_errors errors = {0};
		int64_t value = 42, ids[3];
		size_t count;
		cr_expect_eq(json_read_i64(object, "a", JSON_REQUIRED, INT64_MIN, INT64_MAX, &value,
				     &errors),
			good ? JSON_PRESENT : JSON_WRONG, "%s", number);
		cr_expect_eq(value, good ? strtoll(number, NULL, 10) : 42, "%s", number);
		cr_expect_eq(json_read_ids(object, "c", JSON_REQUIRED, 2, ids, &count, &errors),
			good && value > 0 ? JSON_PRESENT : JSON_WRONG, "%s", number);
		json_object_free(object);
	}
}

/* A member whose name has a NUL is not the one that is named by what stands before it. */
Test(json, names_with_a_nul)
{
	struct json_object *object = parse(
		"{\"a\\u0000\":1,\"b\":9007199254740993,\"c\":\"x\\u0000\",\"d\":\"\\\\u0000\"}");
	cr_assert_not_null(object);
	struct json_errors errors = {0};
	int64_t value = 42;
	const char *text = NULL;
	cr_expect_eq(json_read_i64(object, "a", JSON_OPTIONAL, 0, 9, &value, &errors), JSON_ABSENT);
	cr_expect_eq(json_read_i64(object, "b", JSON_REQUIRED, 0, INT64_MAX, &value, &errors),
		JSON_PRESENT);
	cr_expect_eq(value, 9007199254740993, "exact");
	cr_expect_eq(json_read_text(object, "c", JSON_REQUIRED, 0, 9, &text, &errors), JSON_WRONG);
	cr_expect_eq(
		json_read_text(object, "d", JSON_REQUIRED, 0, 9, &text, &errors), JSON_PRESENT);
	cr_expect_str_eq(text, "\\u0000", "no escape, but a backslash and letters");
	json_object_free(object);
}

/* {"a":[[…]]} with the object as the first level. */
static struct json_object *parse_nested(unsigned depth, const char *open, const char *close)
{
	struct buf text = BUF_INIT(1 << 20);
	buf_append_text(&text, "{\"a\":");
	for (unsigned i = 1; i < depth; i++)
		buf_append_text(&text, open);
	buf_append_text(&text, "1");
	for (unsigned i = 1; i < depth; i++)
		buf_append_text(&text, close);
	buf_append_text(&text, "}");
	struct json_object *object = json_object_parse(text.data, text.len);
	buf_free(&text);
	return object;
}

Test(json, is_at_most_32_levels_deep)
{
	static const char *const open[] = {"[", "{\"a\":"}, *const close[] = {"]", "}"};
	for (size_t i = 0; i < ARRAY_LEN(open); i++) {
		struct json_object *object = parse_nested(32, open[i], close[i]);
		cr_expect_not_null(object);
		json_object_free(object);
		cr_expect_null(parse_nested(33, open[i], close[i]));
		cr_expect_null(parse_nested(60000, open[i], close[i]));
	}
	/* Brackets in texts are none, wherever quotes and backslashes stand. */
	struct buf text = BUF_INIT(4096);
	buf_append_text(&text, "{\"a\":\"\\\"\\\\\\\"");
	for (int i = 0; i < 100; i++)
		buf_append_text(&text, "[{");
	buf_append_text(&text, "\",\"b\":[],\"c\":\"\\\\\",\"d\":[[]]}");
	struct json_object *object = json_object_parse(text.data, text.len);
	cr_expect_not_null(object);
	json_object_free(object);
	buf_clear(&text);
	buf_append_text(&text, "{\"a\":[");
	for (int i = 0; i < 100; i++)
		buf_append_text(&text, "[],{},");
	buf_append_text(&text, "1]}");
	object = json_object_parse(text.data, text.len);
	cr_expect_not_null(object, "what is closed counts no more");
	json_object_free(object);
	buf_free(&text);
}

/* The errors as they would be sent. */
static const char *said(const struct json_errors *errors, struct buf *out)
{
	buf_clear(out);
	json_errors_write(errors, out);
	return out->data;
}

Test(json, reads_integers)
{
	struct json_object *object = parse(
		"{\"one\":1,\"min\":-9223372036854775808,"
		"\"max\":9223372036854775807,\"real\":1.0,\"exp\":1e3,"
		"\"text\":\"1\",\"null\":null,\"true\":true,\"list\":[1]}");
	struct json_errors errors = {0};
	int64_t value = 42;
	cr_expect_eq(
		json_read_i64(object, "one", JSON_REQUIRED, 1, 1, &value, &errors), JSON_PRESENT);
	cr_expect_eq(value, 1);
	cr_expect_eq(
		json_read_i64(object, "min", JSON_OPTIONAL, INT64_MIN, INT64_MAX, &value, &errors),
		JSON_PRESENT);
	cr_expect_eq(value, INT64_MIN);
	cr_expect_eq(
		json_read_i64(object, "max", JSON_REQUIRED, INT64_MIN, INT64_MAX, &value, &errors),
		JSON_PRESENT);
	cr_expect_eq(value, INT64_MAX);
	value = 42;
	cr_expect_eq(
		json_read_i64(object, "none", JSON_OPTIONAL, 0, 9, &value, &errors), JSON_ABSENT);
	cr_expect_eq(
		json_read_i64(object, "null", JSON_OPTIONAL, 0, 9, &value, &errors), JSON_ABSENT);
	cr_expect_eq(errors.count, 0);
	static const char *const wrong[] = {"real", "exp", "text", "true", "list", "max", "min"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		cr_expect_eq(
			json_read_i64(object, wrong[i], JSON_OPTIONAL, 0, 9999, &value, &errors),
			JSON_WRONG, "%s", wrong[i]);
	cr_expect_eq(
		json_read_i64(object, "none", JSON_REQUIRED, 0, 9, &value, &errors), JSON_WRONG);
	cr_expect_eq(
		json_read_i64(object, "null", JSON_REQUIRED, 0, 9, &value, &errors), JSON_WRONG);
	cr_expect_eq(value, 42, "left as it was");
	cr_expect_eq(errors.count, ARRAY_LEN(wrong) + 2);
	struct buf out = BUF_INIT(2048);
	cr_expect_eq(
		strncmp(said(&errors, &out),
			",\"errors\":[{\"field\":\"real\",\"message\":\"must be an integer from 0 to "
			"9999\"},{\"field\":\"exp\",",
			80),
		0, "%s", out.data);
	cr_expect_not_null(strstr(out.data, "{\"field\":\"none\",\"message\":\"is required\"}"),
		"%s", out.data);
	buf_free(&out);
	json_object_free(object);
}

Test(json, reads_booleans)
{
	struct json_object *object = parse(
		"{\"t\":true,\"f\":false,\"n\":null,\"i\":1,\"s\":\"true\"}");
	struct json_errors errors = {0};
	bool value = false;
	cr_expect_eq(json_read_bool(object, "t", JSON_REQUIRED, &value, &errors), JSON_PRESENT);
	cr_expect(value);
	cr_expect_eq(json_read_bool(object, "n", JSON_OPTIONAL, &value, &errors), JSON_ABSENT);
	cr_expect_eq(json_read_bool(object, "i", JSON_OPTIONAL, &value, &errors), JSON_WRONG);
	cr_expect_eq(json_read_bool(object, "s", JSON_OPTIONAL, &value, &errors), JSON_WRONG);
	cr_expect(value, "left as it was");
	cr_expect_eq(json_read_bool(object, "f", JSON_REQUIRED, &value, &errors), JSON_PRESENT);
	cr_expect(!value);
	cr_expect_eq(errors.count, 2);
	json_object_free(object);
}

Test(json, reads_texts)
{
	static const struct {
		const char *json;
		enum json_read expected;
	} examples[] = {
		{"\"ab\"", JSON_PRESENT},
		{"\"abcd\"", JSON_PRESENT},
		{"\"a\"", JSON_WRONG},
		{"\"abcde\"", JSON_WRONG},
		{"\"\"", JSON_WRONG},
		{"\"\xec\x84\x9d\xec\x84\x9d\xec\x84\x9d\xec\x84\x9d\"", JSON_PRESENT},
		{"\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\"", JSON_PRESENT},
		{"\"\xf0\x9f\x98\x80\"", JSON_WRONG},
		{"\"a\\u0000b\"", JSON_WRONG},
		{"\"a\\nb\"", JSON_WRONG},
		{"\"a\\u007fb\"", JSON_WRONG},
		{"\"a\\u0085b\"", JSON_WRONG},
		{"\"a\\u00a0b\"", JSON_PRESENT},
		{"12", JSON_WRONG},
		{"null", JSON_ABSENT},
		{"[\"ab\"]", JSON_WRONG},
	};
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		char text[128];
		snprintf(text, sizeof(text), "{\"a\":%s}", examples[i].json);
		struct json_object *object = parse(text);
		cr_assert_not_null(object, "%s", text);
		struct json_errors errors = {0};
		const char *value = "before";
		cr_expect_eq(json_read_text(object, "a", JSON_OPTIONAL, 2, 4, &value, &errors),
			examples[i].expected, "%s", text);
		cr_expect_eq(errors.count, examples[i].expected == JSON_WRONG, "%s", text);
		if (examples[i].expected != JSON_PRESENT)
			cr_expect_str_eq(value, "before");
		json_object_free(object);
	}
	struct json_object *object = parse("{\"a\":\"caf\\u00e9\"}");
	struct json_errors errors = {0};
	const char *value = NULL;
	cr_expect_eq(
		json_read_text(object, "a", JSON_REQUIRED, 4, 4, &value, &errors), JSON_PRESENT);
	cr_expect_str_eq(value, "caf\xc3\xa9");
	json_object_free(object);
}

Test(json, reads_times)
{
	struct json_object *object = parse(
		"{\"good\":\"2026-11-21T10:00:00.5Z\",\"bad\":\"tomorrow\","
		"\"nul\":\"2026-11-21T10:00:00Z\\u0000\",\"n\":1}");
	struct json_errors errors = {0};
	int64_t value = 42;
	cr_expect_eq(json_read_time(object, "none", JSON_OPTIONAL, &value, &errors), JSON_ABSENT);
	cr_expect_eq(json_read_time(object, "bad", JSON_REQUIRED, &value, &errors), JSON_WRONG);
	cr_expect_eq(json_read_time(object, "nul", JSON_REQUIRED, &value, &errors), JSON_WRONG);
	cr_expect_eq(json_read_time(object, "n", JSON_REQUIRED, &value, &errors), JSON_WRONG);
	cr_expect_eq(value, 42);
	cr_expect_eq(json_read_time(object, "good", JSON_REQUIRED, &value, &errors), JSON_PRESENT);
	cr_expect_eq(value, 1795255200500);
	json_object_free(object);
}

Test(json, reads_ids)
{
	static const struct {
		const char *json;
		enum json_read expected;
	} examples[] = {
		{"[1]", JSON_PRESENT},
		{"[3,1,2]", JSON_PRESENT},
		{"[1,2,3,4]", JSON_WRONG},
		{"[]", JSON_WRONG},
		{"[1,1]", JSON_WRONG},
		{"[1,2,1]", JSON_WRONG},
		{"[0]", JSON_WRONG},
		{"[-1]", JSON_WRONG},
		{"[1.0]", JSON_WRONG},
		{"[\"1\"]", JSON_WRONG},
		{"[null]", JSON_WRONG},
		{"1", JSON_WRONG},
		{"{\"a\":1}", JSON_WRONG},
		{"null", JSON_WRONG},
		{"[9223372036854775807]", JSON_PRESENT},
	};
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		char text[128];
		snprintf(text, sizeof(text), "{\"a\":%s}", examples[i].json);
		struct json_object *object = parse(text);
		cr_assert_not_null(object, "%s", text);
		struct json_errors errors = {0};
		int64_t ids[3] = {0};
		size_t count = 0;
		cr_expect_eq(json_read_ids(object, "a", JSON_REQUIRED, 3, ids, &count, &errors),
			examples[i].expected, "%s", text);
		cr_expect_eq(errors.count, examples[i].expected == JSON_WRONG, "%s", text);
		if (i == 1)
			cr_expect(count == 3 && ids[0] == 3 && ids[1] == 1 && ids[2] == 2);
		json_object_free(object);
	}
}

Test(json, reads_objects_and_lists)
{
	struct json_object *object = parse(
		"{\"o\":{\"n\":5},\"l\":[{\"n\":6},7,{\"n\":8}],\"s\":\"\"}");
	struct json_errors errors = {0};
	struct json_object *member = NULL, *list = NULL;
	int64_t n = 0;
	size_t count = 0;
	cr_assert_eq(json_read_object(object, "o", JSON_REQUIRED, &member, &errors), JSON_PRESENT);
	cr_expect_eq(json_read_i64(member, "n", JSON_REQUIRED, 0, 9, &n, &errors), JSON_PRESENT);
	cr_expect_eq(n, 5);
	cr_assert_eq(json_read_array(object, "l", JSON_REQUIRED, 1, 3, &list, &count, &errors),
		JSON_PRESENT);
	cr_expect_eq(count, 3);
	cr_expect_null(json_array_object(list, 1));
	cr_expect_null(json_array_object(list, 3));
	cr_expect_eq(
		json_read_i64(json_array_object(list, 2), "n", JSON_REQUIRED, 0, 9, &n, &errors),
		JSON_PRESENT);
	cr_expect_eq(n, 8);
	cr_expect_eq(errors.count, 0);
	cr_expect_eq(json_read_object(object, "l", JSON_OPTIONAL, &member, &errors), JSON_WRONG);
	cr_expect_eq(json_read_object(object, "x", JSON_OPTIONAL, &member, &errors), JSON_ABSENT);
	cr_expect_eq(json_read_array(object, "o", JSON_OPTIONAL, 0, 3, &list, &count, &errors),
		JSON_WRONG);
	cr_expect_eq(json_read_array(object, "l", JSON_OPTIONAL, 0, 2, &list, &count, &errors),
		JSON_WRONG);
	cr_expect_eq(errors.count, 3);
	json_object_free(object);
}

Test(json, bounds_the_errors)
{
	struct json_errors errors = {0};
	struct buf out = BUF_INIT(4096);
	cr_expect_str_eq(said(&errors, &out), ",\"errors\":[]");
	for (int i = 0; i < 1000; i++) {
		char field[32];
		snprintf(field, sizeof(field), "f\"%d", i);
		json_error_add(&errors, field, "is wrong");
		cr_assert_lt(errors.len, sizeof(errors.text));
		cr_assert_eq(strlen(errors.text), errors.len);
	}
	cr_expect_eq(errors.count, 1000);
	buf_clear(&out);
	buf_append_text(&out, "{\"a\":1");
	json_errors_write(&errors, &out);
	buf_append_text(&out, "}");
	struct json_object *object = json_object_parse(out.data, out.len), *list;
	cr_assert_not_null(object, "%s", out.data);
	size_t count = 0;
	cr_expect_eq(
		json_read_array(object, "errors", JSON_REQUIRED, 10, 1000, &list, &count, &errors),
		JSON_PRESENT);
	const char *field = NULL;
	cr_expect_eq(json_read_text(json_array_object(list, 0), "field", JSON_REQUIRED, 1, 9,
			     &field, &errors),
		JSON_PRESENT);
	cr_expect_str_eq(field, "f\"0", "the first ones are kept");
	json_object_free(object);
	char longest[2000];
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	struct json_errors empty = {0};
	json_error_add(&empty, "f", longest);
	cr_expect(empty.count == 1 && empty.len == 0, "what does not fit is counted");
	buf_free(&out);
}

Test(json, writes_texts)
{
	struct buf out = BUF_INIT(4096);
	json_write_text(&out, "");
	json_write_text(&out, "plain \xc3\xa9 /");
	json_write_text(&out, "a\"b\\c\nd\re\tf\x01g\x1f\x7f");
	cr_expect_str_eq(
		out.data, "\"\"\"plain \xc3\xa9 /\"\"a\\\"b\\\\c\\nd\\re\\tf\\u0001g\\u001f\x7f\"");
	/* Every byte below 0x80 comes back. */
	char all[128];
	for (int i = 1; i < 128; i++)
		all[i - 1] = (char)i;
	all[127] = '\0';
	for (char *c = all; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' '; /* json_read_text would refuse them */
	buf_clear(&out);
	buf_append_text(&out, "{\"a\":");
	json_write_text(&out, all);
	buf_append_text(&out, "}");
	struct json_object *object = json_object_parse(out.data, out.len);
	cr_assert_not_null(object);
	struct json_errors errors = {0};
	const char *back = NULL;
	cr_expect_eq(
		json_read_text(object, "a", JSON_REQUIRED, 127, 127, &back, &errors), JSON_PRESENT);
	cr_expect_str_eq(back, all);
	json_object_free(object);
	buf_free(&out);
}
