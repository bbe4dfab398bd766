/* Redis URLs: what is read, written anew, reads as it was; and a password is in no text that was made to be
 * shown. */
#include <stdlib.h>
#include <string.h>
#include "config/mask.h"
#include "db/redis_url.h"
#include "proto/base/check.h"
#include "tests/fuzz/fuzz.h"

enum { WRITTEN_MAX = 8192, WHY_SIZE = 256, PASSWORD_MIN = 6 };

static void append_encoded(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++)
		buf_printf(out, "%%%02x", (unsigned)(unsigned char)*text);
}

static void write_tcp(struct buf *out, const struct redis_url *url)
{
	buf_append_text(out, "redis://");
	append_encoded(out, url->user);
	buf_append_char(out, ':');
	append_encoded(out, url->password);
	buf_printf(out, url->host[0] == '[' || strchr(url->host, ':') != NULL ? "@[%s]" : "@%s",
		url->host);
	buf_printf(out, ":%d/%u", url->port, url->db);
}

static void check_bounds(const struct redis_url *url)
{
	CHECK(url->db <= 9999);
	if (url->kind == REDIS_URL_TCP)
		CHECK(url->host[0] != '\0' && url->port >= 1 && url->port <= 65535);
	if (url->kind == REDIS_URL_UNIX)
		CHECK(url->path[0] == '/');
}

static void check_round(const struct redis_url *url)
{
	struct buf text = BUF_INIT(WRITTEN_MAX);
	struct redis_url again;
	char why[WHY_SIZE];

	if (url->kind == REDIS_URL_UNIX)
		buf_printf(&text, "unix://%s?db=%u", url->path, url->db);
	else
		write_tcp(&text, url);
	CHECK(redis_url_parse(text.data, &again, why, sizeof why));
	CHECK(again.kind == url->kind && again.db == url->db && again.port == url->port);
	CHECK(strcmp(again.user, url->user) == 0 && strcmp(again.password, url->password) == 0);
	CHECK(strcmp(again.host, url->host) == 0 && strcmp(again.path, url->path) == 0);
	buf_free(&text);
}

/* The password as the URL spells it; NULL where there is none that could be told apart from the rest. */
static char *spelt_password(const char *text, const struct redis_url *url)
{
	if (url->kind != REDIS_URL_TCP || url->password[0] == '\0')
		return NULL;
	const char *from = strlen("redis://") + text, *at = strrchr(from, '@');
	const char *colon = at != NULL ? memchr(from, ':', (size_t)(at - from)) : NULL;
	if (colon == NULL)
		return NULL;
	char *password = strndup(colon + 1, (size_t)(at - colon - 1));
	CHECK(password != NULL);
	bool apart = strlen(password) >= PASSWORD_MIN && strchr(password, '*') == NULL &&
		     strstr(colon + 2, password) == NULL && strstr(text, password) == colon + 1;
	if (apart)
		return password;
	free(password);
	return NULL;
}

static void check_masked(const char *text, const struct redis_url *url)
{
	struct buf shown = BUF_INIT(WRITTEN_MAX);
	char *password = spelt_password(text, url);

	mask_passwords(&shown, text);
	if (password != NULL && !shown.failed)
		CHECK(strstr(shown.data, password) == NULL && strstr(shown.data, "***") != NULL);
	free(password);
	buf_free(&shown);
}

/* libpq's keywords: a password behind the input's own text, which may not open a quote. */
static void check_keyword(const char *text)
{
	struct buf conninfo = BUF_INIT(WRITTEN_MAX), shown = BUF_INIT(WRITTEN_MAX);

	if (strpbrk(text, "'\\:=") == NULL && strstr(text, "hunter2") == NULL) {
		buf_printf(&conninfo, "host=%s password=hunter2hunter2 user=a", text);
		if (!conninfo.failed) {
			mask_passwords(&shown, conninfo.data);
			CHECK(strstr(shown.data, "hunter2") == NULL);
			CHECK(strstr(shown.data, "user=a") != NULL);
		}
	}
	buf_free(&conninfo);
	buf_free(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct fuzz_input input = {bytes, len};
	char *text = fuzz_take_rest(&input), why[WHY_SIZE] = "";
	struct redis_url url;

	if (redis_url_parse(text, &url, why, sizeof why)) {
		check_bounds(&url);
		if (url.kind != REDIS_URL_NONE)
			check_round(&url);
	} else {
		CHECK(strncmp(why, "redis.url: ", 11) == 0);
	}
	check_masked(text, &url);
	check_keyword(text);
	free(text);
	return 0;
}
