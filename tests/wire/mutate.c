/* Each change works on a copy in `out`, whose limit it stays within. */
#include "tests/wire/mutate.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIPELINED_MAX = 4, CHANGES_MAX = 6, SEED_MAX = MUTANT_MAX / 4, PATH_SIZE = 512 };

static const char *const words[] = {"\r\n", "\r\n\r\n", "\n", "\r", " ", ":", "\t", "%00", "%",
	"\x1b", "\xff", "\xc2\x85", "Host: a\r\n", "Content-Length: 0\r\n",
	"Content-Length: 70000\r\n", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n",
	"0\r\n\r\n", "ffffffff\r\n", "Connection: close\r\n", "Expect: 100-continue\r\n",
	"HTTP/1.0", "HTTP/2.0", "GET ", "POST ", "OPTIONS * ", "Idempotency-Key: k\r\n",
	"X-Request-Id: \r\n", "-1", "0", "1", "9223372036854775807", "9223372036854775808", "null",
	"[]", "{}", "\"", "\\u0000", "true", "1e999", "../", "?after=-1", "&limit=201",
	"/v1/admin/events", "/v1/reservations"};

void seeds_add(struct seeds *seeds, const char *bytes, size_t len)
{
	if (seeds->count == seeds->room) {
		seeds->room = seeds->room > 0 ? 2 * seeds->room : 32;
		seeds->list = must_realloc(seeds->list, seeds->room * sizeof *seeds->list);
	}
	struct buf *seed = &seeds->list[seeds->count++];
	*seed = BUF_INIT(SEED_MAX);
	buf_append(seed, bytes, len < SEED_MAX ? len : SEED_MAX);
}

static void add_file(struct seeds *seeds, const char *path)
{
	char bytes[SEED_MAX];
	FILE *file = fopen(path, "re");

	cr_assert(file != NULL, "%s cannot be read", path);
	size_t len = fread(bytes, 1, sizeof bytes, file);
	fclose(file);
	if (len > 0)
		seeds_add(seeds, bytes, len);
}

void seeds_add_folder(struct seeds *seeds, const char *folder)
{
	struct dirent **entries = NULL;
	int count = scandir(folder, &entries, NULL, alphasort); /* in one order on every machine */

	cr_assert(count > 2, "no files in %s", folder);
	for (int i = 0; i < count; i++) {
		char path[PATH_SIZE];
		snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			add_file(seeds, path);
		free(entries[i]);
	}
	free(entries);
}

void seeds_free(struct seeds *seeds)
{
	for (size_t i = 0; i < seeds->count; i++)
		buf_free(&seeds->list[i]);
	free(seeds->list);
	*seeds = (struct seeds){0};
}

uint64_t mutate_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static size_t below(uint64_t *state, size_t limit)
{
	return limit > 0 ? (size_t)(mutate_random(state) % limit) : 0;
}

/* Puts bytes in at a place, as far as there is room. The bytes are not out's own. */
static void put_in(struct buf *out, size_t at, const char *bytes, size_t len)
{
	if (out->len + len > out->limit || buf_reserve(out, len) == NULL)
		return;
	memmove(out->data + at + len, out->data + at, out->len - at);
	memcpy(out->data + at, bytes, len);
	out->len += len;
}

static void take_out(struct buf *out, size_t at, size_t len)
{
	memmove(out->data + at, out->data + at + len, out->len - at - len);
	out->len -= len;
}

static const struct buf *pick(const struct seeds *seeds, uint64_t *state)
{
	bool good = seeds->good > 0 && mutate_random(state) % 2 == 0;

	return &seeds->list[below(state, good ? seeds->good : seeds->count)];
}

static void splice(const struct seeds *seeds, uint64_t *state, struct buf *out, size_t at)
{
	const struct buf *other = pick(seeds, state);
	size_t from = below(state, other->len);

	put_in(out, at, other->data + from, 1 + below(state, other->len - from));
}

static void change(const struct seeds *seeds, uint64_t *state, struct buf *out)
{
	size_t at = below(state, out->len), rest = out->len - at;
	const char *word = words[below(state, ARRAY_LEN(words))];

	if (out->len == 0)
		return;
	switch (below(state, 6)) {
	case 0: out->data[at] = (char)(out->data[at] ^ 1 << below(state, 8)); break;
	case 1: out->data[at] = (char)below(state, 256); break;
	case 2: take_out(out, at, 1 + below(state, rest < 32 ? rest : 32)); break;
	case 3: put_in(out, at, word, strlen(word)); break;
	case 4: splice(seeds, state, out, at); break;
	default: out->len -= below(state, rest < 64 ? rest : 64); break;
	}
}

void mutate(const struct seeds *seeds, uint64_t *state, struct buf *out)
{
	size_t requests = 1 + below(state, PIPELINED_MAX), changes = below(state, CHANGES_MAX);

	buf_clear(out);
	for (size_t i = 0; i < requests; i++) {
		const struct buf *seed = pick(seeds, state);
		if (out->len + seed->len <= out->limit)
			buf_append(out, seed->data, seed->len);
	}
	for (size_t i = 0; i < changes; i++)
		change(seeds, state, out);
}
