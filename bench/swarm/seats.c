/* Asked for once, before anything is measured: through libcurl, which may block. */
#include "bench/swarm/seats.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include "proto/json.h"

enum { PATH_SIZE = 512, LIST_MAX = 256 * 1024 * 1024, SEATS_MAX = 1000000, LIMIT_S = 60 };

static size_t take(char *bytes, size_t size, size_t count, void *context)
{
	struct buf *body = context;

	buf_append(body, bytes, size * count);
	return body->failed ? 0 : size * count;
}

static bool fetch(const char *url, struct buf *body, char *why, size_t why_size)
{
	char said[CURL_ERROR_SIZE] = "";
	long status = 0;
	CURL *curl = curl_easy_init();

	CHECK(curl != NULL);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, said);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)LIMIT_S);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	bool ok = curl_easy_perform(curl) == CURLE_OK;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(curl);
	if (!ok || status != 200)
		snprintf(why, why_size, "%s: %s (status %ld)", url, said, status);
	return ok && status == 200;
}

static void keep(struct seats *seats, struct json_object *list, size_t count)
{
	struct json_errors errors = {0};

	seats->ids = must_calloc(count > 0 ? count : 1, sizeof *seats->ids);
	for (size_t i = 0; i < count; i++) {
		struct json_object *seat = json_array_object(list, i);
		int64_t *id = &seats->ids[seats->count];
		if (seat != NULL && json_read_i64(seat, "id", JSON_REQUIRED, 1, INT64_MAX, id,
					    &errors) == JSON_PRESENT)
			seats->count++;
	}
}

bool seats_ask(struct seats *seats, const char *url, int64_t performance, size_t pool_max,
	char *why, size_t why_size)
{
	struct buf body = BUF_INIT(LIST_MAX);
	struct json_errors errors = {0};
	struct json_object *list;
	size_t count;
	char path[PATH_SIZE];

	snprintf(path, sizeof path, "%s/v1/performances/%lld/seats", url, (long long)performance);
	if (!fetch(path, &body, why, why_size)) {
		buf_free(&body);
		return false;
	}
	struct json_object *reply = json_object_parse(body.data, body.len);
	if (reply != NULL && json_read_array(reply, "seats", JSON_REQUIRED, 1, SEATS_MAX, &list,
				     &count, &errors) == JSON_PRESENT)
		keep(seats, list, pool_max > 0 && pool_max < count ? pool_max : count);
	json_object_free(reply);
	buf_free(&body);
	if (seats->count == 0 || seats->count < pool_max)
		snprintf(why, why_size, "%s lists %zu seats", path, seats->count);
	return seats->count > 0 && seats->count >= pool_max;
}

void seats_count_up(struct seats *seats, int64_t first, size_t pool)
{
	seats->ids = must_calloc(pool, sizeof *seats->ids);
	seats->count = pool;
	for (size_t i = 0; i < pool; i++)
		seats->ids[i] = first + (int64_t)i;
}

void seats_free(struct seats *seats)
{
	free(seats->ids);
	*seats = (struct seats){0};
}
