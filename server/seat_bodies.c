/* A body of 5,000 seats is put together in a fraction of a millisecond: bytes are only copied. */
#include "server/seat_bodies.h"

#include <stdio.h>
#include <string.h>
#include "proto/digest.h"
#include "proto/gzip.h"

enum {
	BODY_MAX = 64 * 1024 * 1024,
	HEAD_MAX = 128,
	STATUS_MAX = 12, /* `available"}`, and a comma */
	GZIP_MIN = 1400, /* what one packet carries anyway */
	GZIP_MAX = 2 * 1024 * 1024 /* takes 5 ms: the loop stands still for no longer */
};

void seat_bodies_init(struct seat_bodies *bodies, int64_t performance_id)
{
	*bodies = (struct seat_bodies){.performance_id = performance_id,
		.lines = BUF_INIT(BODY_MAX),
		.letters = BUF_INIT(BODY_MAX)};
	for (size_t i = 0; i < SEAT_BODY_KINDS; i++) {
		bodies->plain[i].bytes = BUF_INIT(BODY_MAX);
		bodies->gzip[i].bytes = BUF_INIT(GZIP_MAX);
	}
}

void seat_bodies_free(struct seat_bodies *bodies)
{
	buf_free(&bodies->lines);
	buf_free(&bodies->letters);
	for (size_t i = 0; i < SEAT_BODY_KINDS; i++) {
		buf_free(&bodies->plain[i].bytes);
		buf_free(&bodies->gzip[i].bytes);
	}
}

/* --- what is given --- */

static int64_t count_of(const char *bytes, size_t len, char what)
{
	int64_t count = 0;

	for (size_t i = 0; i < len; i++)
		count += bytes[i] == what;
	return count;
}

static void forget_made(struct seat_bodies *bodies)
{
	for (size_t i = 0; i < SEAT_BODY_KINDS; i++)
		bodies->plain[i].made = bodies->gzip[i].made = false;
}

bool seat_bodies_list(struct seat_bodies *bodies, const char *lines, size_t len)
{
	buf_clear(&bodies->lines);
	buf_append(&bodies->lines, lines, len);
	bodies->seats = (size_t)count_of(lines, len, '\n');
	bodies->listed = !bodies->lines.failed;
	bodies->version[0] = '\0';
	forget_made(bodies);
	return bodies->listed;
}

bool seat_bodies_letters(struct seat_bodies *bodies, const char *letters, size_t len)
{
	struct digest_part part = {letters, len};
	char version[DIGEST_HEX_SIZE];

	if (!bodies->listed || len != bodies->seats)
		return false;
	int64_t available = count_of(letters, len, 'A'), sold = count_of(letters, len, 'S');
	if (available + sold + count_of(letters, len, 'H') != (int64_t)len)
		return false;
	struct digest digest = digest_of(&part, 1);
	digest_hex(&digest, version);
	version[sizeof bodies->version - 1] = '\0';
	if (strcmp(version, bodies->version) == 0)
		return true;
	buf_clear(&bodies->letters);
	buf_append(&bodies->letters, letters, len);
	bodies->available = available;
	bodies->sold = sold;
	memcpy(bodies->version, version, sizeof bodies->version);
	forget_made(bodies);
	return true;
}

/* --- what is made of it --- */

static char *put(char *at, const char *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return at + len;
}

static char *put_status(char *at, char letter)
{
	if (letter == 'A')
		return put(at, "available\"}", strlen("available\"}"));
	if (letter == 'H')
		return put(at, "held\"}", strlen("held\"}"));
	return put(at, "sold\"}", strlen("sold\"}"));
}

/* One object a line: the line, and what its letter stands for. */
static void put_list(const struct seat_bodies *bodies, struct buf *out)
{
	const char *line = bodies->lines.data;
	char *start = buf_reserve(out, bodies->lines.len + bodies->seats * STATUS_MAX);
	char *at = start;

	if (start == NULL) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < bodies->seats; i++) {
		const char *end = strchr(line, '\n');

		if (i > 0)
			*at++ = ',';
		at = put(at, line, (size_t)(end - line));
		at = put_status(at, bodies->letters.data[i]);
		line = end + 1;
	}
	out->len += (size_t)(at - start);
}

static void make(struct seat_bodies *bodies, enum seat_body_kind kind)
{
	struct seat_body *body = &bodies->plain[kind];
	struct buf *out = &body->bytes;
	bool list = kind == SEAT_BODY_LIST;

	buf_clear(out);
	buf_printf(out, "{\"performance_id\":%lld,\"version\":\"%s\",\"%s",
		(long long)bodies->performance_id, bodies->version,
		list ? "seats\":[" : "status\":\"");
	if (list)
		put_list(bodies, out);
	else
		buf_append(out, bodies->letters.data, bodies->letters.len);
	buf_append_text(out, list ? "]}" : "\"}");
	snprintf(body->tag, sizeof body->tag, "\"%c-%s\"", list ? 'l' : 's', bodies->version);
	body->made = true;
}

/* No bytes: it did not pay. */
static void compress(const struct seat_body *plain, struct seat_body *gzip)
{
	buf_clear(&gzip->bytes);
	if (plain->bytes.len >= GZIP_MIN && plain->bytes.len <= GZIP_MAX)
		gzip_write(&gzip->bytes, plain->bytes.data, plain->bytes.len);
	snprintf(gzip->tag, sizeof gzip->tag, "\"z%.40s",
		plain->tag + 1); /* its quote stands first */
	gzip->made = true;
}

const struct seat_body *seat_bodies_get(
	struct seat_bodies *bodies, enum seat_body_kind kind, bool gzip, bool *packed)
{
	struct seat_body *plain = &bodies->plain[kind], *compressed = &bodies->gzip[kind];

	if (bodies->version[0] == '\0')
		return NULL;
	if (!plain->made)
		make(bodies, kind);
	if (plain->bytes.failed)
		return NULL;
	if (gzip && !compressed->made)
		compress(plain, compressed);
	*packed = gzip && compressed->bytes.len > 0;
	return *packed ? compressed : plain;
}
