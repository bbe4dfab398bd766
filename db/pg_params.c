/* Parameters in PostgreSQL's binary format: numbers big-endian, texts and bytes as they are. An array is
 *
 *   dimensions | has nulls | element type | length | lower bound | element length | element | …
 *
 * each head member four bytes; an empty array has no dimension and ends after the element type. The
 * length is known at the end only, so pg_array_end writes the head anew. */
#include "db/pg_params.h"

#include <endian.h>
#include <string.h>

enum { ARRAY_HEAD_SIZE = 20, ARRAY_EMPTY_SIZE = 12 };

void pg_params_init(struct pg_params *params)
{
	memset(params, 0, sizeof *params);
	params->bytes = BUF_INIT(PG_PARAMS_BYTES_MAX);
	for (unsigned i = 0; i < PG_PARAMS_MAX; i++)
		params->formats[i] = 1;
}

void pg_params_free(struct pg_params *params)
{
	buf_free(&params->bytes);
}

void pg_params_clear(struct pg_params *params)
{
	CHECK(!params->element);
	buf_clear(&params->bytes);
	params->count = 0;
}

bool pg_params_list(const struct pg_params *params, const char *values[PG_PARAMS_MAX])
{
	CHECK(!params->element);
	if (params->bytes.failed)
		return false;
	for (unsigned i = 0; i < params->count; i++) {
		if (params->nulls[i])
			values[i] = NULL;
		else if (!params->lengths[i])
			values[i] = "";
		else
			values[i] = params->bytes.data + params->offsets[i];
	}
	return true;
}

static void append_i32(struct pg_params *params, uint32_t value)
{
	uint32_t big = htobe32(value);
	buf_append(&params->bytes, &big, sizeof big);
}

static void append_i64(struct pg_params *params, int64_t value)
{
	uint64_t big = htobe64((uint64_t)value);
	buf_append(&params->bytes, &big, sizeof big);
}

static void param_begin(struct pg_params *params)
{
	CHECK(!params->element);
	CHECK(params->count < PG_PARAMS_MAX);
	params->offsets[params->count] = params->bytes.len;
	params->nulls[params->count] = false;
}

/* The length fits: the buffer's limit is far below INT_MAX. */
static void param_end(struct pg_params *params)
{
	params->lengths[params->count] = (int)(params->bytes.len - params->offsets[params->count]);
	params->count++;
}

void pg_param_i64(struct pg_params *params, int64_t value)
{
	param_begin(params);
	append_i64(params, value);
	param_end(params);
}

void pg_param_bool(struct pg_params *params, bool value)
{
	param_begin(params);
	buf_append_char(&params->bytes, value ? 1 : 0);
	param_end(params);
}

void pg_param_text(struct pg_params *params, const char *value)
{
	if (value)
		pg_param_bytes(params, value, strlen(value));
	else
		pg_param_null(params);
}

void pg_param_bytes(struct pg_params *params, const void *bytes, size_t len)
{
	param_begin(params);
	buf_append(&params->bytes, bytes, len);
	param_end(params);
}

void pg_param_null(struct pg_params *params)
{
	param_begin(params);
	params->nulls[params->count] = true;
	param_end(params);
}

void pg_array_begin(struct pg_params *params, pg_oid element)
{
	param_begin(params);
	CHECK(element == PG_INT8 || element == PG_BOOL || element == PG_TEXT ||
		element == PG_BYTEA);
	params->element = element;
	params->elements = 0;
	params->has_null = false;
	static const char head[ARRAY_HEAD_SIZE];
	buf_append(&params->bytes, head, sizeof head);
}

static void array_element(struct pg_params *params, pg_oid element, size_t len)
{
	CHECK(params->element == element);
	params->elements++;
	append_i32(params, (uint32_t)len);
}

void pg_array_i64(struct pg_params *params, int64_t value)
{
	array_element(params, PG_INT8, sizeof value);
	append_i64(params, value);
}

void pg_array_bool(struct pg_params *params, bool value)
{
	array_element(params, PG_BOOL, 1);
	buf_append_char(&params->bytes, value ? 1 : 0);
}

void pg_array_text(struct pg_params *params, const char *value)
{
	if (!value) {
		array_element(params, PG_TEXT, UINT32_MAX); /* -1: null */
		params->has_null = true;
		return;
	}
	size_t len = strlen(value);
	array_element(params, PG_TEXT, len);
	buf_append(&params->bytes, value, len);
}

void pg_array_bytes(struct pg_params *params, const void *bytes, size_t len)
{
	array_element(params, PG_BYTEA, len);
	buf_append(&params->bytes, bytes, len);
}

void pg_array_end(struct pg_params *params)
{
	CHECK(params->element);
	uint32_t head[ARRAY_HEAD_SIZE / 4] = {htobe32(params->elements ? 1 : 0),
		htobe32(params->has_null ? 1 : 0), htobe32(params->element),
		htobe32(params->elements), htobe32(1)};
	if (!params->bytes.failed) {
		memcpy(params->bytes.data + params->offsets[params->count], head, sizeof head);
		if (!params->elements)
			params->bytes.len -= ARRAY_HEAD_SIZE - ARRAY_EMPTY_SIZE;
	}
	params->element = 0;
	param_end(params);
}
