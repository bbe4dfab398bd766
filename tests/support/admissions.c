/* An entry is its id and a list of names and values. */
#include "tests/support/admissions.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"

static int64_t field(const redisReply *fields, const char *name)
{
	for (size_t i = 0; i + 1 < fields->elements; i += 2)
		if (strcmp(fields->element[i]->str, name) == 0)
			return strtoll(fields->element[i + 1]->str, NULL, 10);
	cr_assert_fail("an admission without its %s", name);
	return 0;
}

void admissions_read(
	struct admissions *admissions, const struct redis_process *redis, int64_t event_id)
{
	redisContext *connection = redis_process_connect(redis);
	redisReply *reply = redisCommand(
		connection, "XRANGE onsale:{%lld}:admitted - +", (long long)event_id);

	cr_assert(reply != NULL && reply->type == REDIS_REPLY_ARRAY,
		"the stream of admissions is missing");
	*admissions = (struct admissions){
		.list = must_calloc(reply->elements + 1, sizeof *admissions->list),
		.count = reply->elements};
	for (size_t i = 0; i < reply->elements; i++) {
		const redisReply *fields = reply->element[i]->element[1];
		admissions->list[i] = (struct admission){field(fields, "user"),
			field(fields, "number"), field(fields, "live"), field(fields, "capacity"),
			field(fields, "at")};
	}
	freeReplyObject(reply);
	redisFree(connection);
}

void admissions_free(struct admissions *admissions)
{
	free(admissions->list);
	*admissions = (struct admissions){0};
}
