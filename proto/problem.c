/* A problem's document is put together by the preprocessor, up to the request id: refusing costs a
 * copy. That works while no text of the table needs escaping, which a unit test proves. */
#include "proto/problem.h"

#include <string.h>
#include "proto/json.h"

struct problem_row {
	int status;
	const char *code, *title, *head;
};

#define UP_TO_DETAIL(code, status, title) \
	"{\"type\":\"/problems/" code "\",\"title\":\"" title "\",\"status\":" #status \
	",\"detail\":"
#define FROM_CODE(code) ",\"code\":\"" code "\",\"request_id\":\""

static const struct problem_row rows[PROBLEM_COUNT] = {
#define PROBLEM(name, code, status, title, detail) \
	[PROBLEM_##name] = {status, code, title, \
		UP_TO_DETAIL(code, status, title) "\"" detail "\"" FROM_CODE(code)},
#include "proto/problem.def"
#undef PROBLEM
};

static const struct problem_row *row_of(enum problem problem)
{
	CHECK((unsigned)problem < PROBLEM_COUNT);
	return &rows[problem];
}

int problem_status(enum problem problem)
{
	return row_of(problem)->status;
}

const char *problem_code(enum problem problem)
{
	return row_of(problem)->code;
}

/* Quotes in a text are escaped, so that no text can look like the member. */
enum problem problem_of(const char *document, size_t len)
{
	static const char member[] = "\"code\":\"";
	const char *code = memmem(document, len, member, sizeof member - 1);

	if (code == NULL)
		return PROBLEM_COUNT;
	code += sizeof member - 1;
	size_t left = len - (size_t)(code - document);
	const char *end = memchr(code, '"', left);
	size_t code_len = end != NULL ? (size_t)(end - code) : 0;
	for (unsigned i = 0; i < PROBLEM_COUNT; i++)
		if (strlen(rows[i].code) == code_len && memcmp(rows[i].code, code, code_len) == 0)
			return (enum problem)i;
	return PROBLEM_COUNT;
}

const char *problem_head(enum problem problem)
{
	return row_of(problem)->head;
}

/* The head with a detail of the caller's in place of the table's. */
static void write_head(struct buf *out, const struct problem_row *row, const char *detail)
{
	buf_append_text(out, "{\"type\":\"/problems/");
	buf_append_text(out, row->code);
	buf_append_text(out, "\",\"title\":\"");
	buf_append_text(out, row->title);
	buf_append_text(out, "\",\"status\":");
	buf_append_i64(out, row->status);
	buf_append_text(out, ",\"detail\":");
	json_write_text(out, detail);
	buf_append_text(out, ",\"code\":\"");
	buf_append_text(out, row->code);
	buf_append_text(out, "\",\"request_id\":");
}

void problem_write(struct buf *out, enum problem problem, const char *detail,
	const char *request_id, const char *extra)
{
	const struct problem_row *row = row_of(problem);
	if (detail != NULL)
		write_head(out, row, detail);
	else
		buf_append(
			out, row->head, strlen(row->head) - 1); /* the id brings its own quotes */
	json_write_text(out, request_id);
	if (extra != NULL)
		buf_append_text(out, extra);
	buf_append_char(out, '}');
}
