/* The small parsers of a request's texts, one by the first byte:
 *
 *   t  a time (RFC 3339): written and read again it is the same millisecond
 *   q  a query and a parameter's value, encoded: it comes out as it went in
 *   o  a list of origins and an origin: only what the list says is sent back, in lines of our own making
 *   a  a query with a page's after= and limit= and a flag: what is taken is in range and as it was written
 *   g  Accept-Encoding, and bytes: what was compressed, zlib unpacks
 *   h  a header's value, read as each of those that a flow reads: what is taken keeps its rules
 *   e  an e-mail address: one @ with something on both sides, and nothing that cannot be seen
 *   w  a proof of work: its hash, taken in one piece, begins with as many zeroes as it is said to
 *   s  a seed and entrants: the order is that of the lots, however the list came */
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/cors.h"
#include "proto/email.h"
#include "proto/gzip.h"
#include "proto/header.h"
#include "proto/http.h"
#include "proto/proof.h"
#include "proto/shuffle.h"
#include "server/flow.h"
#include "server/page.h"
#include "tests/fuzz/fuzz.h"

enum { OUT_MAX = 1024 * 1024, VALUE_MAX = 512, GZIP_WINDOW = 15 + 16, ENTRANTS_MAX = 64 };

/* Now is a time, too, and has a name in HTTP; and no two seeds are the same. */
int LLVMFuzzerInitialize(int *argc UNUSED, char ***argv UNUSED)
{
	char text[CLOCK_TEXT_SIZE];
	uint8_t seed[SHUFFLE_SEED_SIZE], other[SHUFFLE_SEED_SIZE];
	int64_t again;

	shuffle_seed(seed);
	shuffle_seed(other);
	CHECK(memcmp(seed, other, sizeof seed) != 0);
	clock_turn();
	CHECK(clock_mono_ms() == clock_mono_us() / 1000 && clock_mono_us() <= clock_mono_us_now());
	clock_format(clock_unix_ms(), text);
	CHECK(clock_parse(text, &again) && again == clock_unix_ms());
	CHECK(strlen(clock_http_date()) == strlen("Sat, 21 Nov 2026 10:00:00 GMT"));
	return 0;
}

static void check_time(struct fuzz_input *input)
{
	char *text = fuzz_take_rest(input), written[CLOCK_TEXT_SIZE], again_text[CLOCK_TEXT_SIZE];
	int64_t ms, again;

	if (clock_parse(text, &ms)) {
		CHECK(ms >= 0);
		clock_format(ms, written);
		CHECK(strlen(written) == CLOCK_TEXT_SIZE - 1);
		CHECK(clock_parse(written, &again) && again == ms);
	}
	/* Any number at all is some time of the years that there are. */
	clock_format((int64_t)fuzz_seed((const uint8_t *)text, strlen(text)), written);
	CHECK(clock_parse(written, &ms));
	clock_format(ms, again_text);
	CHECK(strcmp(written, again_text) == 0);
	free(text);
}

static void check_query(struct fuzz_input *input)
{
	char *query = fuzz_take_line(input), *value = fuzz_take_rest(input), got[VALUE_MAX];
	struct buf longer = BUF_INIT(OUT_MAX);

	if (http_query_param(query, "limit", got, sizeof got))
		CHECK(http_query_count(query, "limit") && strlen(got) <= strlen(query));
	if (http_query_count(query, "after") || strlen(value) >= VALUE_MAX) {
		free(query);
		free(value);
		return;
	}
	buf_printf(&longer, "%s&after=", query);
	for (const char *c = value; *c != '\0'; c++)
		buf_printf(&longer, "%%%02X", (unsigned)(unsigned char)*c);
	buf_append_text(&longer, "&limit=1");
	CHECK(http_query_param(longer.data, "after", got, sizeof got) && strcmp(got, value) == 0);
	CHECK(value[0] == '\0' || !http_query_param(longer.data, "after", got, strlen(value)));
	buf_free(&longer);
	free(query);
	free(value);
}

/* Stands in for server/flow.c's: the flow has no client here. */
void flow_fail_validation(struct flow *flow UNUSED, const struct json_errors *errors UNUSED)
{
}

static void check_page(struct fuzz_input *input)
{
	char *query = fuzz_take_rest(input), written[64];
	struct http_request http = {.query = query};
	const struct request request = {.http = &http};
	struct page page, again;
	bool flag;

	if (query_flag(NULL, &request, "available", &flag))
		CHECK(!flag || http_query_count(query, "available") == 1);
	else
		CHECK(!flag && http_query_count(query, "available") > 0);
	if (page_read(NULL, &request, &page)) {
		CHECK(page.after >= 0 && page.limit >= 1 && page.limit <= PAGE_LIMIT_MAX);
		CHECK(page.after == 0 || http_query_count(query, "after"));
		snprintf(written, sizeof written, "limit=%" PRId64 "&after=%" PRId64, page.limit,
			page.after);
		http.query = written;
		CHECK(page_read(NULL, &request, &again));
		CHECK(again.after == page.after && again.limit == page.limit);
	}
	free(query);
}

static unsigned count_text(const char *text, const char *what)
{
	unsigned count = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		count++;
	return count;
}

static void check_origins(struct fuzz_input *input)
{
	char *list = fuzz_take_line(input), *origin = fuzz_take_rest(input);
	struct buf lines = BUF_INIT(OUT_MAX);

	if (cors_list_ok(list)) {
		cors_write(&lines, list, origin);
		cors_write_preflight(&lines, "GET");
		bool allowed = cors_allows(list, origin);
		const char *head = lines.data;
		CHECK(allowed == (strstr(head, "Access-Control-Allow-Origin: ") == head));
		CHECK(count_text(head, "\n") == count_text(head, "\r\n"));
		CHECK(count_text(head, "\r\n") == (*list == '\0' ? 3u : allowed ? 6u : 4u));
		CHECK(!allowed || strstr(list, origin) != NULL);
		CHECK(!cors_allows(list, NULL));
	}
	buf_free(&lines);
	free(list);
	free(origin);
}

static void check_unpacked(const struct buf *packed, const char *bytes, size_t len)
{
	char *unpacked = must_malloc(len + 1);
	z_stream stream = {.next_in = (unsigned char *)packed->data,
		.avail_in = (unsigned)packed->len,
		.next_out = (unsigned char *)unpacked,
		.avail_out = (unsigned)len + 1};

	CHECK(inflateInit2(&stream, GZIP_WINDOW) == Z_OK);
	CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
	CHECK(stream.total_out == len && memcmp(unpacked, bytes, len) == 0);
	inflateEnd(&stream);
	free(unpacked);
}

static void check_gzip(struct fuzz_input *input)
{
	char *accept = fuzz_take_line(input);
	struct buf packed = BUF_INIT(OUT_MAX);
	const char *bytes = (const char *)input->at;

	if (gzip_accepted(accept))
		CHECK(strcasestr(accept, "gzip") != NULL || strchr(accept, '*') != NULL);
	if (gzip_write(&packed, bytes, input->left)) {
		CHECK(packed.len < input->left);
		check_unpacked(&packed, bytes, input->left);
	} else {
		CHECK(packed.len == 0);
	}
	buf_free(&packed);
	free(accept);
}

static bool is_visible(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return true;
}

static void check_header(struct fuzz_input *input)
{
	char *value = fuzz_take_rest(input);
	const char *key = NULL, *token = header_bearer(value);
	size_t len = 0, value_len = strlen(value);

	if (header_idempotency_key(value, &key, &len)) {
		bool quoted = key == value + 1;
		CHECK(len >= 1 && len <= IDEMPOTENCY_KEY_MAX && is_visible(key, len));
		CHECK(len + (quoted ? 2 : 0) == value_len);
		CHECK(!quoted || (value[0] == '"' && value[value_len - 1] == '"'));
	}
	CHECK(!header_request_id_ok(value) ||
		(value_len < REQUEST_ID_SIZE && strpbrk(value, " \t\"\\,;") == NULL));
	CHECK(!header_is_json(value) || strncasecmp(value, "application/json", 16) == 0);
	CHECK(token == NULL || strncasecmp(value, "bearer ", 7) == 0);
	CHECK(token == NULL || token == value + 7);
	free(value);
}

static void check_email(struct fuzz_input *input)
{
	char *text = fuzz_take_rest(input);
	size_t len = strlen(text);

	if (email_ok(text)) {
		CHECK(strchr(text, '@') == strrchr(text, '@') && strchr(text, ' ') == NULL);
		CHECK(text[0] != '@' && text[len - 1] != '@' && count_text(text, "@") == 1);
		CHECK(count_text(text, "\u00a0") + count_text(text, "\u200b") == 0);
	}
	free(text);
}

static unsigned leading_zeroes(const unsigned char *bytes, size_t len)
{
	unsigned bits = 0;

	while (bits < 8 * len && (bytes[bits / 8] >> (7 - bits % 8) & 1) == 0)
		bits++;
	return bits;
}

static void check_proof(struct fuzz_input *input)
{
	char *challenge = fuzz_take_line(input), *email = fuzz_take_line(input);
	char *nonce = fuzz_take_rest(input);
	struct buf whole = BUF_INIT(OUT_MAX);
	unsigned char hash[crypto_hash_sha256_BYTES];

	for (char *c = email; *c != '\0'; c++) /* of ASCII only, as the locale here has it */
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c);
	buf_printf(&whole, "%s:%s:%s", challenge, email, nonce);
	if (!whole.failed) {
		crypto_hash_sha256(hash, (const unsigned char *)whole.data, whole.len);
		unsigned bits = leading_zeroes(hash, sizeof hash);
		CHECK(proof_holds(challenge, email, nonce, bits));
		CHECK(!proof_holds(challenge, email, nonce, bits + 1));
		for (char *c = email; *c != '\0'; c++)
			*c = (char)(*c >= 'a' && *c <= 'z' ? *c & ~0x20 : *c);
		CHECK(proof_holds(challenge, email, nonce, bits));
	}
	buf_free(&whole);
	free(challenge);
	free(email);
	free(nonce);
}

static void check_shuffle(struct fuzz_input *input)
{
	uint8_t seed[SHUFFLE_SEED_SIZE] = {0}, digest[SHUFFLE_HASH_SIZE], again[SHUFFLE_HASH_SIZE];
	struct shuffle_entrant list[ENTRANTS_MAX], other[ENTRANTS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < sizeof seed; i++)
		seed[i] = (uint8_t)fuzz_take(input, 1);
	for (; input->left > 0 && count < ENTRANTS_MAX; count++) {
		list[count] = (struct shuffle_entrant){.user_id = 7};
		for (size_t i = 0; i < ENTRANT_SIZE; i++)
			list[count].entrant[i] = (uint8_t)fuzz_take(input, 1);
	}
	for (size_t i = 0; i < count; i++)
		other[i] = list[count - 1 - i];
	shuffle_commitment(seed, digest);
	shuffle_commitment(seed, again);
	CHECK(memcmp(digest, again, sizeof digest) == 0);
	shuffle_order(seed, list, count, digest);
	shuffle_order(seed, other, count, again);
	CHECK(memcmp(digest, again, sizeof digest) == 0);
	for (size_t i = 0; i < count; i++)
		CHECK(memcmp(list[i].entrant, other[i].entrant, ENTRANT_SIZE) == 0);
	for (size_t i = 1; i < count; i++)
		CHECK(memcmp(list[i - 1].lot, list[i].lot, sizeof list->lot) <= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct fuzz_input input = {bytes, len};

	switch (fuzz_take(&input, 1)) {
	case 't': check_time(&input); break;
	case 'q': check_query(&input); break;
	case 'o': check_origins(&input); break;
	case 'a': check_page(&input); break;
	case 'g': check_gzip(&input); break;
	case 'h': check_header(&input); break;
	case 'e': check_email(&input); break;
	case 'w': check_proof(&input); break;
	case 's': check_shuffle(&input); break;
	default: return -1; /* not worth keeping */
	}
	return 0;
}
