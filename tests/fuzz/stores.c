/* What goes to the stores and comes back, one by the first byte:
 *
 *   p  PostgreSQL's parameters: numbers, texts and arrays, put into a result of libpq's as the server would
 *      echo them, read as they were
 *   r  a command for Redis: hiredis's own reader takes it apart into the arguments that it was made of */
#include "db/pg_params.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>
#include "db/pg_private.h"
#include "db/redis.h"
#include "db/resp.h"
#include "proto/base/check.h"
#include "tests/fuzz/fuzz.h"

enum { IDS_MAX = 32, IDS_READ_MAX = 24, ARGS_MAX = 16, INT8_ARRAY = 1016 };

/* --- p --- */

struct example {
	int64_t number, ids[IDS_MAX];
	size_t id_count;
	bool flag, no_text;
	char *text;
};

static void write_params(struct pg_params *params, const struct example *example)
{
	pg_param_i64(params, example->number);
	pg_param_bool(params, example->flag);
	pg_param_text(params, example->no_text ? NULL : example->text);
	pg_param_bytes(params, example->text, strlen(example->text));
	pg_array_begin(params, PG_INT8);
	for (size_t i = 0; i < example->id_count; i++)
		pg_array_i64(params, example->ids[i]);
	pg_array_end(params);
}

static void set_value(PGresult *result, const struct pg_params *params, int at, const char *value)
{
	CHECK(PQsetvalue(
		result, 0, at, (char *)(uintptr_t)value, value != NULL ? params->lengths[at] : -1));
}

static PGresult *echo(const struct pg_params *params)
{
	static const pg_oid types[] = {PG_INT8, PG_BOOL, PG_TEXT, PG_BYTEA, INT8_ARRAY};
	const char *values[PG_PARAMS_MAX];
	PGresAttDesc columns[ARRAY_LEN(types)] = {0};
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		columns[i] = (PGresAttDesc){
			.name = "", .format = 1, .typid = types[i], .typlen = -1};
	CHECK(result != NULL && PQsetResultAttrs(result, (int)ARRAY_LEN(types), columns));
	CHECK(pg_params_list(params, values) && params->count == ARRAY_LEN(types));
	for (int i = 0; i < (int)ARRAY_LEN(types); i++)
		set_value(result, params, i, values[i]);
	return result;
}

static void check_rows(const struct pg_rows *rows, const struct example *example)
{
	int64_t ids[IDS_READ_MAX];
	size_t len, wanted = example->id_count < IDS_READ_MAX ? example->id_count : IDS_READ_MAX;

	CHECK(pg_row_count(rows) == 1);
	CHECK(pg_row_i64(rows, 0, 0) == example->number &&
		pg_row_bool(rows, 0, 1) == example->flag);
	CHECK(pg_row_null(rows, 0, 2) == example->no_text);
	CHECK(strcmp(pg_row_text(rows, 0, 2, NULL), example->no_text ? "" : example->text) == 0);
	CHECK(strcmp(pg_row_text(rows, 0, 3, &len), example->text) == 0);
	CHECK(len == strlen(example->text));
	CHECK(pg_row_ids(rows, 0, 4, ids, IDS_READ_MAX) == wanted);
	CHECK(memcmp(ids, example->ids, wanted * sizeof *ids) == 0);
}

/* Arrays of the other kinds: their head tells how many there are. */
static void check_arrays(struct pg_params *params, const struct example *example)
{
	const char *values[PG_PARAMS_MAX];

	pg_params_clear(params);
	pg_array_begin(params, PG_TEXT);
	pg_array_text(params, example->text);
	pg_array_text(params, example->no_text ? NULL : example->text);
	pg_array_end(params);
	pg_array_begin(params, PG_BOOL);
	for (size_t i = 0; i < example->id_count; i++)
		pg_array_bool(params, example->ids[i] & 1);
	pg_array_end(params);
	pg_array_begin(params, PG_BYTEA);
	pg_array_bytes(params, example->text, strlen(example->text));
	pg_array_end(params);
	CHECK(pg_params_list(params, values) && params->count == 3);
	CHECK(values[0][7] == example->no_text && values[0][15] == 2 && values[2][15] == 1);
	CHECK(params->lengths[1] == (example->id_count > 0 ? 20 + 5 * (int)example->id_count : 12));
}

static void check_params(struct fuzz_input *input)
{
	struct pg_params params;
	struct example example = {.number = (int64_t)fuzz_take(input, 8),
		.id_count = fuzz_take(input, 1) % (IDS_MAX + 1)};

	example.flag = fuzz_take(input, 1) & 1;
	example.no_text = fuzz_take(input, 1) & 1;
	for (size_t i = 0; i < example.id_count; i++)
		example.ids[i] = (int64_t)fuzz_take(input, 8);
	example.text = fuzz_take_rest(input);
	pg_params_init(&params);
	write_params(&params, &example);
	PGresult *result = echo(&params);
	check_rows(&(struct pg_rows){.result = result}, &example);
	check_arrays(&params, &example);
	PQclear(result);
	pg_params_free(&params);
	free(example.text);
}

/* --- r --- */

static bool is_bulk(const redisReply *reply, const char *bytes, size_t len)
{
	return reply->type == REDIS_REPLY_STRING && reply->len == len &&
	       memcmp(reply->str, bytes, len) == 0;
}

/* hiredis takes the bytes apart, and finds nothing behind them. */
static void check_command(const char *bytes, size_t len, const struct redis_args *args)
{
	redisReader *reader = redisReaderCreate();
	void *found = NULL, *more = NULL;

	CHECK(reader != NULL && redisReaderFeed(reader, bytes, len) == REDIS_OK);
	CHECK(redisReaderGetReply(reader, &found) == REDIS_OK && found != NULL);
	const redisReply *reply = found;
	CHECK(reply->type == REDIS_REPLY_ARRAY && reply->elements == args->count);
	for (unsigned i = 0; i < args->count; i++)
		CHECK(is_bulk(reply->element[i], args->argv[i], args->argvlen[i]));
	CHECK(redisReaderGetReply(reader, &more) == REDIS_OK && more == NULL);
	freeReplyObject(found);
	redisReaderFree(reader);
}

static void check_resp(struct fuzz_input *input)
{
	REDIS_ARGS(args, ARGS_MAX);
	char *texts[ARGS_MAX];
	unsigned wanted = (unsigned)(1 + fuzz_take(input, 1) % ARGS_MAX), count = 0;

	while (args.count < wanted) {
		if (fuzz_take(input, 1) & 1) {
			redis_arg_i64(&args, (int64_t)fuzz_take(input, 8));
			continue;
		}
		texts[count] = fuzz_take_line(input);
		redis_arg_text(&args, texts[count++]);
	}
	size_t size = RESP_LINE_MAX + resp_args_size(&args);
	char *bytes = must_malloc(size);
	char *end = resp_put_args(resp_put_line(bytes, '*', args.count), &args);
	CHECK((size_t)(end - bytes) <= size);
	check_command(bytes, (size_t)(end - bytes), &args);
	free(bytes);
	while (count > 0)
		free(texts[--count]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct fuzz_input input = {bytes, len};

	switch (fuzz_take(&input, 1)) {
	case 'p': check_params(&input); break;
	case 'r': check_resp(&input); break;
	default: return -1;
	}
	return 0;
}
