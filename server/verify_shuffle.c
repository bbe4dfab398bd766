/* What was promised, what it was made from, the list; then each claim in turn:
 *   read_event -> read_shuffle -> check_seed -> read_list -> check_list -> find_entrant */
#include "server/verify_shuffle.h"

#include <curl/curl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/buf.h"
#include "proto/base/check.h"
#include "proto/json.h"
#include "proto/shuffle.h"

enum {
	ANSWER_MAX = 4 * 1024 * 1024,
	ANSWER_TIMEOUT_S = 60,
	URL_SIZE = 2048,
	PAGE_LIMIT = 5000,
	ENTRANTS_MAX = 10000000
};

struct verification {
	CURL *curl;
	const char *url;
	struct buf answer;
	struct json_object *json; /* of the answer at hand */
	char promised[SHUFFLE_HEX_SIZE]; /* the event's commitment */
	uint8_t seed[SHUFFLE_SEED_SIZE], digest[SHUFFLE_HASH_SIZE];
	int64_t count;
	struct shuffle_entrant *entrants; /* user_id: the position that is claimed */
	size_t entrant_count, room;
};

PRINTF_LIKE(1, 2) static bool wrong(const char *format, ...)
{
	va_list args;

	fputs("onsale: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return false;
}

/* --- reading --- */

static size_t take_bytes(char *bytes, size_t size, size_t count, void *context)
{
	struct buf *answer = context;

	buf_append(answer, bytes, size * count);
	return answer->failed ? 0 : size * count;
}

static bool fetch(struct verification *v, const char *rest)
{
	char url[URL_SIZE], why[CURL_ERROR_SIZE] = "";
	long status = 0;
	int len = snprintf(url, sizeof url, "%s%s", v->url, rest);

	if (len < 0 || len >= (int)sizeof url)
		return wrong("the URL is too long");
	json_object_free(v->json);
	v->json = NULL;
	buf_clear(&v->answer);
	curl_easy_setopt(v->curl, CURLOPT_URL, url);
	curl_easy_setopt(v->curl, CURLOPT_ERRORBUFFER, why);
	CURLcode code = curl_easy_perform(v->curl);
	curl_easy_getinfo(v->curl, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK)
		return wrong("%s: %s", url, why[0] != '\0' ? why : curl_easy_strerror(code));
	if (status != 200)
		return wrong("%s: the answer is %ld, not 200: %.*s", url, status,
			(int)v->answer.len, v->answer.len > 0 ? v->answer.data : "");
	v->json = json_object_parse(v->answer.data, v->answer.len);
	return v->json != NULL || wrong("%s: the answer is no JSON object", url);
}

static bool read_fields(const struct json_errors *errors, const char *what)
{
	return errors->count == 0 ||
	       wrong("%s is not as it should be: %.*s", what, (int)errors->len, errors->text);
}

/* Lower-case hexadecimal digits of so many bytes. */
static bool read_hex(struct json_object *object, const char *field, uint8_t *bytes, size_t size)
{
	struct json_errors errors = {0};
	const char *text = NULL;
	size_t len = 0;

	json_read_text(object, field, JSON_REQUIRED, 2 * size, 2 * size, &text, &errors);
	if (!read_fields(&errors, field))
		return false;
	if (strspn(text, "0123456789abcdef") != 2 * size ||
		sodium_hex2bin(bytes, size, text, 2 * size, NULL, &len, NULL) != 0)
		return wrong("%s is not hexadecimal: %s", field, text);
	return true;
}

static bool read_event(struct verification *v)
{
	struct json_errors errors = {0};
	struct json_object *shuffle = NULL;
	uint8_t commitment[SHUFFLE_HASH_SIZE];

	if (!fetch(v, ""))
		return false;
	if (json_read_object(v->json, "shuffle", JSON_OPTIONAL, &shuffle, &errors) != JSON_PRESENT)
		return wrong("the line of this event is not shuffled");
	if (!read_hex(shuffle, "commitment", commitment, sizeof commitment))
		return false;
	sodium_bin2hex(v->promised, sizeof v->promised, commitment, sizeof commitment);
	return true;
}

static bool read_shuffle(struct verification *v)
{
	struct json_errors errors = {0};
	uint8_t commitment[SHUFFLE_HASH_SIZE];
	char hex[SHUFFLE_HEX_SIZE];

	if (!fetch(v, "/shuffle") ||
		!read_hex(v->json, "commitment", commitment, sizeof commitment) ||
		!read_hex(v->json, "seed", v->seed, sizeof v->seed) ||
		!read_hex(v->json, "entrants_digest", v->digest, sizeof v->digest))
		return false;
	json_read_i64(v->json, "count", JSON_REQUIRED, 0, ENTRANTS_MAX, &v->count, &errors);
	if (!read_fields(&errors, "count"))
		return false;
	sodium_bin2hex(hex, sizeof hex, commitment, sizeof commitment);
	if (strcmp(hex, v->promised) != 0)
		return wrong("the event's commitment is %s, the shuffle's %s", v->promised, hex);
	printf("commitment  %s: the event's and the shuffle's\n", hex);
	return true;
}

static bool read_entrant(struct verification *v, struct json_object *item)
{
	struct shuffle_entrant *entrant;
	struct json_errors errors = {0};

	if (item == NULL || v->entrant_count == ENTRANTS_MAX)
		return wrong("items are not as they should be");
	if (v->entrant_count == v->room) {
		v->room = 2 * v->room + PAGE_LIMIT;
		v->entrants = must_realloc(v->entrants, v->room * sizeof *v->entrants);
	}
	entrant = &v->entrants[v->entrant_count++];
	json_read_i64(item, "position", JSON_REQUIRED, 1, ENTRANTS_MAX, &entrant->user_id, &errors);
	return read_fields(&errors, "position") &&
	       read_hex(item, "entrant", entrant->entrant, ENTRANT_SIZE);
}

/* One page; *after is where the next one begins, 0 where there is none. */
static bool read_page(struct verification *v, int64_t *after)
{
	struct json_errors errors = {0};
	struct json_object *items = NULL;
	int64_t next = 0;
	size_t count = 0;
	char rest[96];

	snprintf(rest, sizeof rest, "/shuffle/entrants?after=%lld&limit=%d", (long long)*after,
		PAGE_LIMIT);
	if (!fetch(v, rest))
		return false;
	json_read_array(v->json, "items", JSON_REQUIRED, 0, PAGE_LIMIT, &items, &count, &errors);
	json_read_i64(v->json, "next", JSON_OPTIONAL, *after + 1, ENTRANTS_MAX, &next, &errors);
	if (!read_fields(&errors, "the list"))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!read_entrant(v, json_array_object(items, i)))
			return false;
	*after = next;
	return true;
}

static bool read_list(struct verification *v)
{
	int64_t after = 0;

	do
		if (!read_page(v, &after))
			return false;
	while (after != 0);
	if ((int64_t)v->entrant_count != v->count)
		return wrong("the list has %zu entrants, and %lld are said to be in it",
			v->entrant_count, (long long)v->count);
	printf("count       %zu entrants, as many as are said\n", v->entrant_count);
	return true;
}

/* --- judging --- */

static bool check_seed(const struct verification *v)
{
	uint8_t commitment[SHUFFLE_HASH_SIZE];
	char hex[SHUFFLE_HEX_SIZE];

	shuffle_commitment(v->seed, commitment);
	sodium_bin2hex(hex, sizeof hex, commitment, sizeof commitment);
	if (strcmp(hex, v->promised) != 0)
		return wrong(
			"the seed is not the one that was committed to: its SHA-256 is %s", hex);
	printf("seed        its SHA-256 is the commitment\n");
	return true;
}

static const char *pseudonym(const struct shuffle_entrant *entrant, char hex[ENTRANT_HEX_SIZE])
{
	return sodium_bin2hex(hex, ENTRANT_HEX_SIZE, entrant->entrant, ENTRANT_SIZE);
}

/* Puts the list in the order that the seed gives it, and looks whether that is what was claimed. */
static bool check_list(struct verification *v)
{
	uint8_t digest[SHUFFLE_HASH_SIZE];
	char hex[ENTRANT_HEX_SIZE];

	shuffle_order(v->seed, v->entrants, v->entrant_count, digest);
	for (size_t i = 1; i < v->entrant_count; i++)
		if (memcmp(v->entrants[i - 1].entrant, v->entrants[i].entrant, ENTRANT_SIZE) == 0)
			return wrong("entrant %s is in the list more than once",
				pseudonym(&v->entrants[i], hex));
	printf("entrants    none is in the list twice\n");
	if (memcmp(digest, v->digest, sizeof digest) != 0)
		return wrong("the list is not the one of entrants_digest");
	printf("digest      is the list's\n");
	for (size_t i = 0; i < v->entrant_count; i++)
		if (v->entrants[i].user_id != (int64_t)i + 1)
			return wrong("entrant %s is said to have position %lld, and has %zu",
				pseudonym(&v->entrants[i], hex), (long long)v->entrants[i].user_id,
				i + 1);
	printf("positions   all are where the seed puts them\n");
	return true;
}

static bool find_entrant(const struct verification *v, const char *entrant)
{
	char hex[ENTRANT_HEX_SIZE];

	if (entrant == NULL)
		return true;
	for (size_t i = 0; i < v->entrant_count; i++)
		if (strcmp(pseudonym(&v->entrants[i], hex), entrant) == 0) {
			printf("entrant %s has position %zu of %zu\n", hex, i + 1,
				v->entrant_count);
			return true;
		}
	return wrong("entrant %s is not in the list", entrant);
}

static bool open_curl(struct verification *v)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
		(v->curl = curl_easy_init()) == NULL)
		return wrong("libcurl cannot be used");
	curl_easy_setopt(v->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(v->curl, CURLOPT_TIMEOUT, (long)ANSWER_TIMEOUT_S);
	curl_easy_setopt(v->curl, CURLOPT_ACCEPT_ENCODING, "");
	curl_easy_setopt(v->curl, CURLOPT_WRITEFUNCTION, take_bytes);
	curl_easy_setopt(v->curl, CURLOPT_WRITEDATA, &v->answer);
	return true;
}

int verify_shuffle(const char *url, const char *entrant)
{
	struct verification v = {.url = url, .answer = BUF_INIT(ANSWER_MAX)};
	bool right = open_curl(&v) && read_event(&v) && read_shuffle(&v) && check_seed(&v) &&
		     read_list(&v) && check_list(&v) && find_entrant(&v, entrant);

	curl_easy_cleanup(v.curl);
	curl_global_cleanup();
	json_object_free(v.json);
	buf_free(&v.answer);
	free(v.entrants);
	return right && fflush(stdout) == 0 ? 0 : 1;
}
