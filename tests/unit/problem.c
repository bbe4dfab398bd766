/* Problem documents: each row of the table is valid JSON with the members that RFC 9457 and the
 * contract name. */
#include "proto/problem.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

static const struct {
	const char *code, *title, *detail;
	int status;
} table[] = {
#define PROBLEM(name, code, status, title, detail) {code, title, detail, status},
#include "proto/problem.def"
#undef PROBLEM
};

/* The document as JSON; the test fails where it is none. */
static json_t *written(
	enum problem problem, const char *detail, const char *request_id, const char *extra)
{
	struct buf out = BUF_INIT(4096);
	problem_write(&out, problem, detail, request_id, extra);
	cr_assert(!out.failed);
	json_error_t error;
	json_t *document = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, &error);
	cr_assert_not_null(document, "%s: %s", error.text, out.data);
	buf_free(&out);
	return document;
}

static const char *text_of(json_t *document, const char *member)
{
	const char *text = json_string_value(json_object_get(document, member));
	cr_assert_not_null(text, "%s", member);
	return text;
}

Test(problem, writes_every_row)
{
	cr_assert_eq((int)ARRAY_LEN(table), (int)PROBLEM_COUNT);
	for (unsigned i = 0; i < PROBLEM_COUNT; i++) {
		json_t *document = written((enum problem)i, NULL, "id-1", NULL);
		cr_expect_eq(json_object_size(document), 6);
		cr_expect_eq(strncmp(text_of(document, "type"), "/problems/", 10), 0);
		cr_expect_str_eq(text_of(document, "type") + 10, table[i].code);
		cr_expect_str_eq(text_of(document, "code"), table[i].code);
		cr_expect_str_eq(text_of(document, "title"), table[i].title);
		cr_expect_str_eq(text_of(document, "detail"), table[i].detail);
		cr_expect_str_eq(text_of(document, "request_id"), "id-1");
		cr_expect_eq(
			json_integer_value(json_object_get(document, "status")), table[i].status);
		cr_expect_eq(problem_status((enum problem)i), table[i].status);
		cr_expect_str_eq(problem_code((enum problem)i), table[i].code);
		json_decref(document);
	}
}

Test(problem, codes_are_distinct_snake_case)
{
	for (unsigned i = 0; i < PROBLEM_COUNT; i++) {
		const char *code = problem_code((enum problem)i);
		cr_expect_eq(strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(code));
		for (unsigned before = 0; before < i; before++)
			cr_expect_str_neq(code, problem_code((enum problem)before));
	}
}

/* What the database builds from the head is what problem_write writes. */
Test(problem, head_begins_the_document)
{
	for (unsigned i = 0; i < PROBLEM_COUNT; i++) {
		struct buf whole = BUF_INIT(4096), built = BUF_INIT(4096);
		problem_write(&whole, (enum problem)i, NULL, "id-1", ",\"seat_ids\":[1,2]");
		buf_printf(&built, "%sid-1\",\"seat_ids\":[1,2]}", problem_head((enum problem)i));
		cr_expect_str_eq(whole.data, built.data);
		buf_free(&whole);
		buf_free(&built);
	}
}

Test(problem, takes_detail_and_extra)
{
	json_t *document = written(
		PROBLEM_SEAT_UNAVAILABLE, "a \"quoted\"\n detail", "i\"d", ",\"seat_ids\":[1,2]");
	cr_expect_eq(json_object_size(document), 7);
	cr_expect_str_eq(text_of(document, "detail"), "a \"quoted\"\n detail");
	cr_expect_str_eq(text_of(document, "request_id"), "i\"d");
	cr_expect_str_eq(text_of(document, "code"), "seat_unavailable");
	cr_expect_str_eq(text_of(document, "type"), "/problems/seat_unavailable");
	cr_expect_eq(json_array_size(json_object_get(document, "seat_ids")), 2);
	cr_expect_eq(json_integer_value(json_object_get(document, "status")), 409);
	json_decref(document);
}

Test(problem, a_document_says_which_one_it_is)
{
	struct buf out = BUF_INIT(4096);

	for (unsigned i = 0; i < PROBLEM_COUNT; i++) {
		buf_clear(&out);
		problem_write(&out, (enum problem)i, "\"code\":\"internal\"", "id-1",
			",\"code\":\"busy\"");
		cr_expect_eq(problem_of(out.data, out.len), i);
	}
	static const char *const none[] = {
		"", "{}", "{\"code\":\"nothing_of_ours\"}", "{\"code\":\"", "{\"code\":\"busy"};
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		cr_expect_eq(problem_of(none[i], strlen(none[i])), PROBLEM_COUNT, "%s", none[i]);
	buf_free(&out);
}
