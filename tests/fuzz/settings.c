/* The settings: a file, with the environment and the flags in its comments.
 *
 *   #env ONSALE_HTTP_PORT=8081       #flag --http.port=8081
 *   #env ONSALE_AUTH_JWT_SECRET_FILE=text of the secret's file, or !, which is no file, or /, a folder
 *
 * What is taken is in its row's range; written as a file it loads as it was; what is refused is told in one line;
 * and no secret is in what is told or printed. */
#include "config/settings.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>
#include "proto/base/buf.h"
#include "proto/base/check.h"
#include "tests/fuzz/fuzz.h"

enum { WORDS_MAX = 16, WRITTEN_MAX = 1024 * 1024, WHY_SIZE = 1024, PATH_SIZE = 32 };

extern char **environ;

/* The secrets that the input cannot spell by itself, but for copying one byte after the other. */
static const char jwt_secret[] = "ONSALE_AUTH_JWT_SECRET=zQ7-jwt-secret-of-the-fuzzer-7Qz";
static const char no_file[] = "/proc/self/fd/none";

static int file_fd = -1, secret_fd = -1;
static char file_path[PATH_SIZE], secret_path[PATH_SIZE];

struct words {
	char *list[WORDS_MAX + 1];
	int count;
};

static int memory_file(char path[PATH_SIZE])
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	CHECK(fd >= 0);
	snprintf(path, PATH_SIZE, "/proc/self/fd/%d", fd);
	return fd;
}

static void fill(int fd, const void *bytes, size_t len)
{
	CHECK(pwrite(fd, bytes, len, 0) == (ssize_t)len);
	CHECK(ftruncate(fd, (off_t)len) == 0);
}

int LLVMFuzzerInitialize(int *argc UNUSED, char ***argv UNUSED)
{
	file_fd = memory_file(file_path);
	secret_fd = memory_file(secret_path);
	return 0;
}

/* --- the words in the comments --- */

static void add_word(struct words *words, char *word)
{
	if (words->count < WORDS_MAX)
		words->list[words->count++] = word;
	else
		free(word);
}

static void free_words(struct words *words)
{
	for (int i = 0; i < words->count; i++)
		free(words->list[i]);
}

/* NAME_FILE=text becomes NAME_FILE=path of a file with the text: the input opens no files of the machine. */
static char *point_to_file(char *word)
{
	char *equals = strchr(word, '=');

	if (equals == NULL || equals - word < 5 || strncmp(equals - 5, "_FILE", 5) != 0)
		return word;
	const char *path = secret_path;
	if (strcmp(equals + 1, "!") == 0)
		path = no_file;
	else if (strcmp(equals + 1, "/") == 0)
		path = "/";
	else
		fill(secret_fd, equals + 1, strlen(equals + 1));
	char *pointed = must_malloc((size_t)(equals - word) + PATH_SIZE + 1);
	sprintf(pointed, "%.*s=%s", (int)(equals - word), word, path);
	free(word);
	return pointed;
}

static void read_words(const uint8_t *bytes, size_t len, struct words *env, struct words *flags)
{
	struct fuzz_input input = {bytes, len};

	add_word(env, must_strdup(jwt_secret));
	add_word(flags, must_strdup("onsale"));
	while (input.left > 0) {
		char *line = fuzz_take_line(&input);
		if (strncmp(line, "#env ", 5) == 0 && strchr(line, '=') != NULL)
			add_word(env, point_to_file(must_strdup(line + 5)));
		else if (strncmp(line, "#flag ", 6) == 0)
			add_word(flags, must_strdup(line + 6));
		free(line);
	}
}

/* --- what was taken --- */

static void check_int(int64_t value, int64_t min, int64_t max)
{
	CHECK(value >= min && value <= max);
}

static void check_text(const char *text, size_t max)
{
	CHECK(text != NULL && strlen(text) <= max);
	for (; *text != '\0'; text++)
		CHECK((unsigned char)*text >= ' ' && *text != 0x7f);
}

static void check_values(const struct settings *settings)
{
#define SETTING_INT(section, key, default_, min, max, help) \
	check_int(settings->section##_##key, min, max);
#define SETTING_BOOL(section, key, default_, help)
#define SETTING_TEXT(section, key, default_, max, help) check_text(settings->section##_##key, max);
#define SETTING_CHOICE(section, key, default_, choices, help) \
	check_text(settings->section##_##key, sizeof(choices)); \
	CHECK(strstr(choices, settings->section##_##key) != NULL);
#define SETTING_SECRET(section, key, min, help) check_text(settings->section##_##key, 4096);
#include "config/settings.def"
#undef SETTING_INT
#undef SETTING_BOOL
#undef SETTING_TEXT
#undef SETTING_CHOICE
#undef SETTING_SECRET
	CHECK(settings->db_statement_timeout_ms <= settings->db_deadline_ms);
	CHECK(settings->lock_locking_ms > settings->db_deadline_ms);
	CHECK(settings->queue_poll_min_ms <= settings->queue_poll_max_ms);
}

/* A secret of eight characters and more is nowhere in what people are shown, unless the input spelt it elsewhere,
 * too. */
static void check_hidden(const char *shown)
{
	CHECK(strstr(shown, strchr(jwt_secret, '=') + 1) == NULL);
}

static void check_printed(const struct settings *settings)
{
	char *text = NULL;
	size_t len = 0;
	char why[WHY_SIZE];
	FILE *out = open_memstream(&text, &len);

	CHECK(out != NULL);
	settings_print(settings, out);
	fclose(out);
	check_hidden(text);
	CHECK(strstr(text, "http.port = ") != NULL);
	free(text);
	if (!settings_need_secret(settings, "auth.queue_secret", why, sizeof why))
		CHECK(strlen(settings->auth_queue_secret) < 32 && why[0] != '\0');
	else
		CHECK(strlen(settings->auth_queue_secret) >= 32);
}

/* --- written, and read again --- */

/* A value that begins or ends with a blank is nothing that a file can say. */
static bool can_be_said(const char *text)
{
	size_t len = strlen(text);

	return len == 0 || (text[0] != ' ' && text[len - 1] != ' ');
}

static bool write_file(const struct settings *settings, struct buf *out)
{
	bool said = true;

#define SETTING_INT(section, key, default_, min, max, help) \
	buf_printf(out, "[" #section "]\n" #key " = %lld\n", (long long)settings->section##_##key);
#define SETTING_BOOL(section, key, default_, help) \
	buf_printf(out, "[" #section "]\n" #key " = %s\n", \
		settings->section##_##key ? "true" : "false");
#define SETTING_TEXT(section, key, default_, max, help) \
	said = said && can_be_said(settings->section##_##key); \
	buf_printf(out, "[" #section "]\n" #key " = %s\n", settings->section##_##key);
#define SETTING_CHOICE(section, key, default_, choices, help) \
	SETTING_TEXT(section, key, default_, 0, help)
#define SETTING_SECRET(section, key, min, help) \
	said = said && can_be_said(settings->section##_##key) && \
	       strlen(settings->section##_##key) < 4000; \
	buf_printf(out, "[" #section "]\n" #key " = %s\n", settings->section##_##key);
#include "config/settings.def"
#undef SETTING_INT
#undef SETTING_BOOL
#undef SETTING_TEXT
#undef SETTING_CHOICE
#undef SETTING_SECRET
	return said && !out->failed;
}

static void check_same(const struct settings *one, const struct settings *other)
{
#define SETTING_INT(section, key, default_, min, max, help) \
	CHECK(one->section##_##key == other->section##_##key);
#define SETTING_BOOL(section, key, default_, help) SETTING_INT(section, key, default_, 0, 1, help)
#define SETTING_TEXT(section, key, default_, max, help) \
	CHECK(strcmp(one->section##_##key, other->section##_##key) == 0);
#define SETTING_CHOICE(section, key, default_, choices, help) \
	SETTING_TEXT(section, key, default_, 0, help)
#define SETTING_SECRET(section, key, min, help) SETTING_TEXT(section, key, "", 0, help)
#include "config/settings.def"
#undef SETTING_INT
#undef SETTING_BOOL
#undef SETTING_TEXT
#undef SETTING_CHOICE
#undef SETTING_SECRET
}

static void check_round(const struct settings *settings)
{
	struct buf file = BUF_INIT(WRITTEN_MAX);
	struct settings again;
	char why[WHY_SIZE], *no_flags[] = {"onsale", NULL};
	int count = 1;

	if (write_file(settings, &file)) {
		fill(file_fd, file.data, file.len);
		environ[0] = NULL;
		CHECK(settings_load(&again, file_path, &count, no_flags, 1, why, sizeof why));
		check_same(settings, &again);
		settings_free(&again);
	}
	buf_free(&file);
}

/* What was taken is printed and read again for one input in sixteen: both take longer than taking it. */
static void load(struct words *env, struct words *flags, bool all)
{
	struct settings settings;
	char why[WHY_SIZE] = "", *words[WORDS_MAX + 1], *variables[WORDS_MAX + 1];
	int count = flags->count;

	memcpy(words, flags->list, sizeof words);
	memcpy(variables, env->list, sizeof variables);
	environ = variables;
	if (settings_load(&settings, file_path, &count, words, 1, why, sizeof why)) {
		CHECK(count >= 1 && count <= flags->count && words[count] == NULL);
		check_values(&settings);
		if (all) {
			check_printed(&settings);
			check_round(&settings);
		}
		settings_free(&settings);
	} else {
		CHECK(why[0] != '\0' && strchr(why, '\n') == NULL);
		check_hidden(why);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const char secret[] = "zQ7-jwt-secret";
	struct words env = {0}, flags = {0};
	char **environ_before = environ;

	if (memmem(bytes, len, secret, strlen(secret)) != NULL)
		return -1; /* the input has told the secret by itself */
	fill(file_fd, bytes, len);
	read_words(bytes, len, &env, &flags);
	load(&env, &flags, fuzz_seed(bytes, len) % 16 == 0);
	environ = environ_before;
	free_words(&env);
	free_words(&flags);
	return 0;
}
