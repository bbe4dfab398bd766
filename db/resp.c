/* Commands as bytes, and the argument lists that callers build on their stacks. */
#include "db/resp.h"

#include <string.h>
#include "db/redis.h"
#include "proto/base/check.h"

char *resp_put_bytes(char *at, const char *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return at + len;
}

size_t resp_put_decimal(char *text, uint64_t value)
{
	char digits[24];
	size_t count = 0, len = 0;

	do {
		digits[count++] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	while (count > 0)
		text[len++] = digits[--count];
	return len;
}

char *resp_put_line(char *at, char type, uint64_t value)
{
	*at++ = type;
	at += resp_put_decimal(at, value);
	return resp_put_bytes(at, "\r\n", 2);
}

char *resp_put_bulk(char *at, const char *bytes, size_t len)
{
	at = resp_put_line(at, '$', len);
	at = resp_put_bytes(at, bytes, len);
	return resp_put_bytes(at, "\r\n", 2);
}

size_t resp_args_size(const struct redis_args *args)
{
	size_t size = 0;

	for (unsigned i = 0; i < args->count; i++)
		size += RESP_LINE_MAX + args->argvlen[i] + 2;
	return size;
}

char *resp_put_args(char *at, const struct redis_args *args)
{
	for (unsigned i = 0; i < args->count; i++)
		at = resp_put_bulk(at, args->argv[i], args->argvlen[i]);
	return at;
}

void redis_arg_bytes(struct redis_args *args, const char *bytes, size_t len)
{
	CHECK(args->count < args->max);
	args->argv[args->count] = bytes;
	args->argvlen[args->count] = len;
	args->count++;
}

void redis_arg_text(struct redis_args *args, const char *text)
{
	redis_arg_bytes(args, text, strlen(text));
}

void redis_arg_i64(struct redis_args *args, int64_t value)
{
	CHECK(args->count < args->max);
	char *text = args->numbers[args->count];
	uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	size_t sign = value < 0;

	text[0] = '-';
	redis_arg_bytes(args, text, sign + resp_put_decimal(text + sign, size));
}
