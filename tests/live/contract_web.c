/* The web page's files: each as it stands in the tree, by its tag, compressed where that is wanted, and nothing else. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "tests/support/process.h"
#include "tests/support/world.h"

TestSuite(contract_web, .timeout = 60);

enum { FILE_MAX = 512 * 1024, TAG_SIZE = 64 };

#define HTML "text/html; charset=utf-8"
#define SCRIPT "text/javascript; charset=utf-8"
#define STYLE "text/css; charset=utf-8"
#define IMAGE "image/svg+xml"

static const struct file {
	const char *path, *file, *type;
} files[] = {
#define WEB_FILE(symbol, path, file, type) {path, file, type},
#include "server/web/files.def"
#undef WEB_FILE
};

static const char POLICY[] = "default-src 'none'; script-src 'self'; style-src 'self'; "
			     "img-src 'self' data:; font-src 'self'; connect-src 'self'; "
			     "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static struct answer *get(struct world *world, const char *path, const char *headers, int status)
{
	struct call call = {.method = "GET", .path = path, .headers = headers};

	return expect(world, &call, status, NULL);
}

static const char *tag_of(struct answer *answer, char tag[TAG_SIZE])
{
	cr_assert(answer_header(answer, "etag", tag, TAG_SIZE));
	cr_assert(strlen(tag) > 10 && tag[0] == '"' && tag[strlen(tag) - 1] == '"', "%s", tag);
	return tag;
}

/* As it stands in the tree, or was copied to where the server was built; the caller frees it. */
static char *read_source(const char *name, size_t *len)
{
	const char *server = need_env("ONSALE_TEST_SERVER");
	bool in_tree = strncmp(name, "server/", strlen("server/")) == 0;
	char path[512], *text = must_calloc(1, FILE_MAX + 1);

	if (in_tree)
		snprintf(path, sizeof path, "%s/%s", need_env("ONSALE_TEST_ROOT"), name);
	else
		snprintf(path, sizeof path, "%.*s/%s", (int)(strrchr(server, '/') - server), server,
			name);
	FILE *in = fopen(path, "re");
	cr_assert(in != NULL, "%s", path);
	*len = fread(text, 1, FILE_MAX, in);
	cr_assert(*len > 0 && *len < FILE_MAX && !ferror(in), "%s", path);
	fclose(in);
	return text;
}

static void check_headers(struct answer *answer, const struct file *file)
{
	bool page = strcmp(file->type, HTML) == 0;

	cr_assert(answer_header_is(answer, "content-type", file->type), "%s", answer->head);
	cr_assert(answer_header_is(answer, "cache-control", "public, no-cache"));
	cr_assert(answer_header_is(answer, "vary", "Accept-Encoding"));
	cr_assert(answer_header_is(answer, "x-content-type-options", "nosniff"));
	cr_assert(answer_header_is(
			  answer, "content-security-policy", page ? POLICY : "default-src 'none'"),
		"%s: %s", file->path, answer->head);
}

Test(contract_web, files_are_those_of_the_tree)
{
	struct world *world = world_open(NULL);

	cr_assert(ARRAY_LEN(files) > 10);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct answer *answer = get(world, files[i].path, NULL, 200);
		char encoding[16];
		size_t len;
		char *text = read_source(files[i].file, &len);

		check_headers(answer, &files[i]);
		cr_assert(!answer_header(answer, "content-encoding", encoding, sizeof encoding));
		cr_assert(answer->body_len == len && memcmp(answer->body, text, len) == 0, "%s",
			files[i].path);
		free(text);
	}
	get(world, "/?from=elsewhere", NULL, 200);
	world_close(world);
}

static void uncompress_to(const struct answer *answer, const char *text, size_t len)
{
	unsigned char *out = must_calloc(1, FILE_MAX);
	z_stream stream = {.next_in = (unsigned char *)answer->body,
		.avail_in = (unsigned)answer->body_len,
		.next_out = out,
		.avail_out = FILE_MAX};

	cr_assert(inflateInit2(&stream, 15 + 16) == Z_OK);
	cr_assert(inflate(&stream, Z_FINISH) == Z_STREAM_END);
	cr_assert(stream.total_out == len && memcmp(out, text, len) == 0);
	inflateEnd(&stream);
	free(out);
}

/* A compressed file has a tag of its own: a cache must not take one for the other. */
Test(contract_web, compressed_where_wanted)
{
	struct world *world = world_open(NULL);
	size_t compressed = 0;

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct answer *plain = get(world, files[i].path, "Accept-Encoding: br\r\n", 200);
		struct answer *packed = get(world, files[i].path, "Accept-Encoding: gzip\r\n", 200);
		char plain_tag[TAG_SIZE], packed_tag[TAG_SIZE];

		check_headers(packed, &files[i]);
		if (!answer_header_is(packed, "content-encoding", "gzip")) {
			cr_assert(plain->body_len < 2048, "%s", files[i].path);
			continue;
		}
		compressed++;
		cr_assert(packed->body_len < plain->body_len);
		cr_assert_str_neq(tag_of(plain, plain_tag), tag_of(packed, packed_tag));
		uncompress_to(packed, plain->body, plain->body_len);
	}
	cr_assert(compressed > 5);
	world_close(world);
}

Test(contract_web, unchanged_by_its_tag)
{
	struct world *world = world_open(NULL);
	const char *path = "/web/js/app.js", *gzip = "Accept-Encoding: gzip\r\n";
	char plain[TAG_SIZE], packed[TAG_SIZE], again[TAG_SIZE], value[16];

	tag_of(get(world, path, NULL, 200), plain);
	tag_of(get(world, path, gzip, 200), packed);
	struct answer *same = get(world, path, textf(world, "If-None-Match: %s\r\n", plain), 304);
	cr_assert_str_eq(tag_of(same, again), plain);
	cr_assert(same->body_len == 0);
	cr_assert(answer_header_is(same, "cache-control", "public, no-cache"));
	get(world, path, textf(world, "If-None-Match: \"other\", W/%s\r\n", plain), 304);
	get(world, path, "If-None-Match: *\r\n", 304);
	get(world, path, "If-None-Match: \"other\"\r\n", 200);
	get(world, path, textf(world, "If-None-Match: %s\r\n", packed), 200);
	same = get(world, path, textf(world, "%sIf-None-Match: %s\r\n", gzip, packed), 304);
	cr_assert(!answer_header(same, "content-encoding", value, sizeof value));
	get(world, path, textf(world, "%sIf-None-Match: %s\r\n", gzip, plain), 200);
	world_close(world);
}

Test(contract_web, methods)
{
	static const char *const others[] = {"POST", "PUT", "DELETE", "PATCH"};
	struct world *world = world_open(NULL);

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct call call = {.method = "HEAD", .path = files[i].path};
		struct answer *plain = get(world, files[i].path, NULL, 200);
		struct answer *head = expect(world, &call, 200, NULL);
		char of_head[TAG_SIZE], of_get[TAG_SIZE], len[16];

		check_headers(head, &files[i]);
		cr_assert_str_eq(tag_of(head, of_head), tag_of(plain, of_get));
		cr_assert(head->body_len == 0 &&
			  answer_header(head, "content-length", len, sizeof len) &&
			  strtoul(len, NULL, 10) == plain->body_len);
		call.method = others[i % ARRAY_LEN(others)];
		struct answer *refused = expect(world, &call, 405, "method_not_allowed");
		cr_assert(answer_header_is(refused, "allow", "GET, HEAD, OPTIONS"));
		call.method = "OPTIONS";
		cr_assert(answer_header_is(
			expect(world, &call, 204, NULL), "allow", "GET, HEAD, OPTIONS"));
	}
	world_close(world);
}

Test(contract_web, nothing_else)
{
	static const char *const paths[] = {"/web", "/web/", "/web/js", "/web/js/",
		"/web/js/none.js", "/web/js/app.js/", "/web//js/app.js", "/web/JS/app.js",
		"/web/js/app.js%00", "/web/../server/main.c", "/web/js/../../main.c",
		"/web/%2e%2e/main.c", "/web/..%2fmain.c", "/web/js/%61pp.js", "/web/files.def",
		"/web/index.html", "/index.html", "//", "/server/web/js/app.js"};
	struct world *world = world_open(NULL);

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct call call = {.method = "GET", .path = paths[i]};
		expect(world, &call, 404, "not_found");
	}
	world_close(world);
}
