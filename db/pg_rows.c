/* Reads rows in binary format: numbers are big-endian, as on the wire. */
#include <endian.h>
#include <string.h>
#include "db/pg_private.h"
#include "proto/base/check.h"

/* Types that stores read beside those of db/pg.h. */
enum { TYPE_JSON = 114, TYPE_INT8_ARRAY = 1016, TYPE_VARCHAR = 1043 };

unsigned pg_row_count(const struct pg_rows *rows)
{
	return (unsigned)PQntuples(rows->result);
}

static pg_oid column_type(const struct pg_rows *rows, unsigned row, unsigned column)
{
	CHECK(row < (unsigned)PQntuples(rows->result));
	CHECK(column < (unsigned)PQnfields(rows->result));
	return PQftype(rows->result, (int)column);
}

bool pg_row_null(const struct pg_rows *rows, unsigned row, unsigned column)
{
	column_type(rows, row, column);
	return PQgetisnull(rows->result, (int)row, (int)column);
}

static int64_t read_i64(const char *bytes)
{
	uint64_t big;
	memcpy(&big, bytes, sizeof big);
	return (int64_t)be64toh(big);
}

static int32_t read_i32(const char *bytes)
{
	uint32_t big;
	memcpy(&big, bytes, sizeof big);
	return (int32_t)be32toh(big);
}

int64_t pg_row_i64(const struct pg_rows *rows, unsigned row, unsigned column)
{
	pg_oid type = column_type(rows, row, column);
	CHECK(type == PG_INT8 || type == PG_INT4);
	if (pg_row_null(rows, row, column))
		return 0;
	const char *value = PQgetvalue(rows->result, (int)row, (int)column);
	return type == PG_INT8 ? read_i64(value) : read_i32(value);
}

bool pg_row_bool(const struct pg_rows *rows, unsigned row, unsigned column)
{
	CHECK(column_type(rows, row, column) == PG_BOOL);
	return !pg_row_null(rows, row, column) && *PQgetvalue(rows->result, (int)row, (int)column);
}

const char *pg_row_text(const struct pg_rows *rows, unsigned row, unsigned column, size_t *len)
{
	pg_oid type = column_type(rows, row, column);
	CHECK(type == PG_TEXT || type == PG_BYTEA || type == TYPE_JSON || type == TYPE_VARCHAR);
	if (len)
		*len = (size_t)PQgetlength(rows->result, (int)row, (int)column);
	return PQgetvalue(rows->result, (int)row, (int)column);
}

/* The array's layout stands in db/pg_params.c. */
size_t pg_row_ids(
	const struct pg_rows *rows, unsigned row, unsigned column, int64_t *values, size_t max)
{
	CHECK(column_type(rows, row, column) == TYPE_INT8_ARRAY);
	if (pg_row_null(rows, row, column))
		return 0;
	const char *at = PQgetvalue(rows->result, (int)row, (int)column);
	const char *end = at + PQgetlength(rows->result, (int)row, (int)column);
	int32_t dimensions = read_i32(at);
	if (!dimensions)
		return 0;
	CHECK(dimensions == 1 && end - at >= 20);
	size_t count = (size_t)read_i32(at + 12), i;
	at += 20;
	for (i = 0; i < count && i < max; i++) {
		CHECK(end - at >= 12 && read_i32(at) == 8); /* no element is null */
		values[i] = read_i64(at + 4);
		at += 12;
	}
	return i;
}
