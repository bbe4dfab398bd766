/* One table of rows, made from settings.def, and one way into it: settings_set. The file, the
 * environment and the flags each find the row that a name means and hand over a text and where it
 * came from; the row says what is allowed. A message never shows a secret, nor a password in a URL. */
#include "config/settings.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "config/mask.h"
#include "proto/address.h"
#include "proto/base/buf.h"
#include "proto/base/check.h"
#include "proto/cors.h"

enum kind { KIND_INT, KIND_BOOL, KIND_TEXT, KIND_CHOICE, KIND_SECRET };

struct row {
	const char *section, *key;
	enum kind kind;
	size_t offset; /* in struct settings */
	const char *default_text;
	int64_t min, max; /* INT: the range; TEXT: max bytes; SECRET: min bytes */
	const char *choices; /* "one|two" */
	const char *help;
};

#define ROW(section_, key_, kind_) \
	.section = #section_, .key = #key_, .kind = (kind_), \
	.offset = offsetof(struct settings, section_##_##key_)

static const struct row rows[] = {
#define SETTING_INT(section, key, default_, min_, max_, help_) \
	{ROW(section, key, KIND_INT), .default_text = #default_, .min = (min_), .max = (max_), \
		.help = (help_)},
#define SETTING_BOOL(section, key, default_, help_) \
	{ROW(section, key, KIND_BOOL), .default_text = #default_, .help = (help_)},
#define SETTING_TEXT(section, key, default_, max_, help_) \
	{ROW(section, key, KIND_TEXT), .default_text = (default_), .max = (max_), .help = (help_)},
#define SETTING_CHOICE(section, key, default_, choices_, help_) \
	{ROW(section, key, KIND_CHOICE), .default_text = (default_), .choices = (choices_), \
		.help = (help_)},
#define SETTING_SECRET(section, key, min_, help_) \
	{ROW(section, key, KIND_SECRET), .default_text = "", .min = (min_), .help = (help_)},
#include "config/settings.def"
#undef SETTING_INT
#undef SETTING_BOOL
#undef SETTING_TEXT
#undef SETTING_CHOICE
#undef SETTING_SECRET
};

enum {
	ROWS = ARRAY_LEN(rows),
	NAME_SIZE = 96, /* "ONSALE_", section, key and "_FILE" */
	ALLOWED_SIZE = 160, /* what a value may be, in words */
	ORIGIN_SIZE = 512,
	SHOWN_SIZE = 512, /* a value in a message */
	SECRET_MAX = 4096,
	LINE_SIZE = 4096, /* of the file */
	VALUE_SIZE = 4096
};

/* In the order in which they are read; a later source overrules an earlier one. */
enum source { FROM_DEFAULT, FROM_FILE, FROM_OLD_NAME, FROM_ENVIRONMENT, FROM_FLAG };

struct settings_origin {
	enum source source;
	char *text; /* "config/onsale.conf line 7" */
};

/* Where the first thing that is wrong gets said. */
struct why {
	char *text;
	size_t size;
};

static bool refuse(const struct why *why, const char *format, ...) PRINTF_LIKE(2, 3);

static bool refuse(const struct why *why, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(why->text, why->size, format, arguments);
	va_end(arguments);
	return false;
}

/* --- rows and their values --- */

static const struct row *find_row(const char *section, const char *key)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strcmp(rows[i].section, section) == 0 && strcmp(rows[i].key, key) == 0)
			return &rows[i];
	return NULL;
}

static size_t index_of(const struct row *row)
{
	return (size_t)(row - rows);
}

static int64_t *int_at(const struct settings *settings, const struct row *row)
{
	return (int64_t *)(uintptr_t)((const char *)settings + row->offset);
}

static bool *bool_at(const struct settings *settings, const struct row *row)
{
	return (bool *)(uintptr_t)((const char *)settings + row->offset);
}

static char **text_at(const struct settings *settings, const struct row *row)
{
	return (char **)(uintptr_t)((const char *)settings + row->offset);
}

static void describe_allowed(const struct row *row, char allowed[ALLOWED_SIZE])
{
	switch (row->kind) {
	case KIND_INT:
		snprintf(allowed, ALLOWED_SIZE, "an integer from %" PRId64 " to %" PRId64, row->min,
			row->max);
		break;
	case KIND_BOOL: snprintf(allowed, ALLOWED_SIZE, "true or false"); break;
	case KIND_TEXT:
		snprintf(allowed, ALLOWED_SIZE,
			"a text of at most %" PRId64 " bytes without control characters", row->max);
		break;
	case KIND_CHOICE: snprintf(allowed, ALLOWED_SIZE, "one of %s", row->choices); break;
	case KIND_SECRET:
		snprintf(allowed, ALLOWED_SIZE, "a secret of %" PRId64 " to %d characters",
			row->min, SECRET_MAX);
		break;
	}
}

static bool parse_int(const char *text, int64_t min, int64_t max, int64_t *value)
{
	const char *digits = *text == '-' ? text + 1 : text;
	if (*digits == '\0' || strspn(digits, "0123456789") != strlen(digits))
		return false;
	errno = 0;
	*value = strtoll(text, NULL, 10);
	return errno == 0 && *value >= min && *value <= max;
}

static bool parse_bool(const char *text, bool *value)
{
	*value = strcmp(text, "true") == 0;
	return *value || strcmp(text, "false") == 0;
}

static bool is_choice(const char *choices, const char *text)
{
	size_t len = strlen(text);
	for (const char *choice = choices; *choice != '\0';) {
		size_t choice_len = strcspn(choice, "|");
		if (len > 0 && choice_len == len && memcmp(choice, text, len) == 0)
			return true;
		choice += choice_len;
		choice += *choice == '|';
	}
	return false;
}

static bool plain(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static void replace_text(char **at, const char *text)
{
	char *copy = must_strdup(text);
	free(*at);
	*at = copy;
}

/* Puts the value into its member; false where the row does not allow it. */
static bool store_value(struct settings *settings, const struct row *row, const char *text)
{
	bool allowed = false;
	switch (row->kind) {
	case KIND_INT: {
		int64_t value;
		allowed = parse_int(text, row->min, row->max, &value);
		if (allowed)
			*int_at(settings, row) = value;
		return allowed;
	}
	case KIND_BOOL: {
		bool value;
		allowed = parse_bool(text, &value);
		if (allowed)
			*bool_at(settings, row) = value;
		return allowed;
	}
	case KIND_TEXT: allowed = strlen(text) <= (size_t)row->max && plain(text); break;
	case KIND_CHOICE: allowed = is_choice(row->choices, text); break;
	case KIND_SECRET: allowed = strlen(text) <= SECRET_MAX && plain(text); break;
	}
	if (allowed)
		replace_text(text_at(settings, row), text);
	return allowed;
}

/* --- what may be shown of a value --- */

static void write_shown(struct buf *out, const struct row *row, const char *text)
{
	if (row->kind != KIND_SECRET)
		mask_passwords(out, text);
	else if (*text == '\0')
		buf_append_text(out, "(not set)");
	else
		buf_printf(out, "(set, %zu characters)", strlen(text));
}

/* --- the one way in --- */

static bool refuse_value(const struct why *why, const struct row *row, const char *text,
	const char *origin, const char *allowed)
{
	struct buf shown = BUF_INIT(VALUE_SIZE + SHOWN_SIZE);
	write_shown(&shown, row, text);
	refuse(why, "%s.%s = %.*s (%s): must be %s", row->section, row->key, SHOWN_SIZE,
		shown.data != NULL ? shown.data : "", origin, allowed);
	buf_free(&shown);
	return false;
}

static bool settings_set(struct settings *settings, const struct row *row, const char *text,
	enum source source, const char *origin, const struct why *why)
{
	if (!store_value(settings, row, text)) {
		char allowed[ALLOWED_SIZE];
		describe_allowed(row, allowed);
		return refuse_value(why, row, text, origin, allowed);
	}
	struct settings_origin *from = &settings->origins[index_of(row)];
	from->source = source;
	replace_text(&from->text, origin);
	return true;
}

static void set_defaults(struct settings *settings)
{
	char text[SHOWN_SIZE];
	const struct why bug = {text, sizeof(text)};
	for (size_t i = 0; i < ROWS; i++)
		CHECK(settings_set(
			settings, &rows[i], rows[i].default_text, FROM_DEFAULT, "default", &bug));
}

/* --- the file --- */

struct file_reading {
	struct settings *settings;
	const char *path;
	FILE *file;
	const struct why *why;
	unsigned line;
	bool refused; /* why says what is wrong */
};

static char *refuse_line(struct file_reading *reading, const char *what)
{
	refuse(reading->why, "%s line %u: %s", reading->path, reading->line, what);
	reading->refused = true;
	return NULL;
}

/* inih's reader: one line, counted. A line that does not fit its buffer would go on as another. */
static char *read_line(char *line, int size, void *context)
{
	struct file_reading *reading = context;
	if (reading->refused || fgets(line, size, reading->file) == NULL)
		return NULL;
	reading->line++;
	size_t len = strlen(line);
	if (len > 0 && line[len - 1] == '\n')
		return line;
	/* No newline: the last line, a line that is too long, or one with a NUL in it. */
	int next = getc(reading->file);
	if (next != EOF)
		return refuse_line(reading, "the line is too long or holds a NUL");
	return line;
}

static int take_line(void *context, const char *section, const char *key, const char *value)
{
	struct file_reading *reading = context;
	char origin[ORIGIN_SIZE];
	snprintf(origin, sizeof(origin), "%s line %u", reading->path, reading->line);
	const struct row *row = find_row(section, key);
	bool taken;
	if (row == NULL)
		taken = refuse(reading->why, "%s: there is no setting \"%s\" in [%s]", origin, key,
			section);
	else if (reading->settings->origins[index_of(row)].source == FROM_FILE)
		taken = refuse(reading->why, "%s: %s.%s was said before (%s)", origin, section, key,
			reading->settings->origins[index_of(row)].text);
	else
		taken = settings_set(
			reading->settings, row, value, FROM_FILE, origin, reading->why);
	reading->refused = !taken;
	return taken;
}

/* inih's options are variables of the library: a value is the rest of its line, ';' and '#' included,
 * an indented line is a line like any other, and lines may be long. */
static void set_ini_options(void)
{
	ini_use_stack = false;
	ini_max_line = LINE_SIZE;
	ini_initial_alloc = LINE_SIZE;
	ini_allow_multiline = false;
	ini_allow_inline_comments = false;
	ini_stop_on_first_error = true;
}

static bool read_file(struct settings *settings, const char *path, const struct why *why)
{
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return refuse(why, "cannot open %s: %s", path, strerror(errno));
	struct file_reading reading = {
		.settings = settings, .path = path, .file = file, .why = why};
	set_ini_options();
	int result = ini_parse_stream(read_line, &reading, take_line, &reading);
	bool failed = ferror(file) != 0;
	fclose(file);
	if (reading.refused)
		return false;
	if (failed)
		return refuse(why, "cannot read %s", path);
	if (result > 0)
		return refuse(
			why, "%s line %d: neither a [section] nor a key = value", path, result);
	CHECK(result == 0);
	return true;
}

/* --- the environment --- */

static void environment_name(const struct row *row, char name[NAME_SIZE])
{
	int len = snprintf(name, NAME_SIZE, "ONSALE_%s_%s", row->section, row->key);
	CHECK(len > 0 && len + (int)strlen("_FILE") < NAME_SIZE);
	for (char *c = name; *c != '\0'; c++)
		*c = (char)toupper((unsigned char)*c);
}

/* A secret in a file of its own: its text, without the newline at its end. */
static bool read_secret(
	const char *path, char text[SECRET_MAX + 3], const char *name, const struct why *why)
{
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return refuse(why, "%s: cannot open %s: %s", name, path, strerror(errno));
	size_t len = fread(text, 1, SECRET_MAX + 2, file);
	bool failed = ferror(file) != 0;
	fclose(file);
	if (failed)
		return refuse(why, "%s: cannot read %s", name, path);
	if (len > 0 && text[len - 1] == '\n')
		len--;
	if (len > 0 && text[len - 1] == '\r')
		len--;
	text[len] = '\0';
	if (len > SECRET_MAX || strlen(text) != len)
		return refuse(why, "%s: %s holds more than %d characters, or a NUL", name, path,
			SECRET_MAX);
	return true;
}

static bool take_secret_file(struct settings *settings, const struct row *row, const char *name,
	const char *path, const struct why *why)
{
	char origin[ORIGIN_SIZE], text[SECRET_MAX + 3];
	if (settings->origins[index_of(row)].source == FROM_ENVIRONMENT)
		return refuse(why, "%s: the secret was said twice in the environment", name);
	if (!read_secret(path, text, name, why))
		return false;
	snprintf(origin, sizeof(origin), "%s, file %s", name, path);
	bool taken = settings_set(settings, row, text, FROM_ENVIRONMENT, origin, why);
	explicit_bzero(text, sizeof(text));
	return taken;
}

/* Takes the row's value from NAME, and a secret's from NAME_FILE. */
static bool take_environment(
	struct settings *settings, const struct row *row, const struct why *why)
{
	char name[NAME_SIZE];
	environment_name(row, name);
	const char *value = getenv(name);
	if (value != NULL && !settings_set(settings, row, value, FROM_ENVIRONMENT, name, why))
		return false;
	if (row->kind != KIND_SECRET)
		return true;
	strcat(name, "_FILE");
	const char *path = getenv(name);
	return path == NULL || take_secret_file(settings, row, name, path, why);
}

static bool is_known_name(const char *name, size_t len)
{
	for (size_t i = 0; i < ROWS; i++) {
		char known[NAME_SIZE];
		environment_name(&rows[i], known);
		size_t known_len = strlen(known);
		if (len >= known_len && memcmp(name, known, known_len) == 0) {
			if (len == known_len)
				return true;
			if (rows[i].kind == KIND_SECRET && len == known_len + strlen("_FILE") &&
				memcmp(name + known_len, "_FILE", strlen("_FILE")) == 0)
				return true;
		}
	}
	return false;
}

/* A misspelt ONSALE_ variable would silently leave the default; ONSALE_TEST_ is the tests' own. */
static bool refuse_unknown_names(const struct why *why)
{
	for (char **variable = environ; *variable != NULL; variable++) {
		const char *name = *variable;
		size_t len = strcspn(name, "=");
		if (strncmp(name, "ONSALE_", strlen("ONSALE_")) != 0 ||
			strncmp(name, "ONSALE_TEST_", strlen("ONSALE_TEST_")) == 0)
			continue;
		if (!is_known_name(name, len))
			return refuse(why, "%.*s: there is no such setting in the environment",
				(int)len, name);
	}
	return true;
}

/* --- older names in the environment; one that is set to nothing counts as not set --- */

static const char *old_name(const char *name)
{
	const char *value = getenv(name);
	return value != NULL && *value != '\0' ? value : NULL;
}

static bool old_int(
	const char *name, int64_t min, int64_t max, int64_t *value, const struct why *why)
{
	const char *text = old_name(name);
	if (text == NULL || parse_int(text, min, max, value))
		return true;
	return refuse(why, "%s = %s: must be an integer from %" PRId64 " to %" PRId64, name, text,
		min, max);
}

static void write_percent_encoded(struct buf *out, const char *text)
{
	static const char unreserved[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	for (; *text != '\0'; text++) {
		if (strchr(unreserved, *text) != NULL)
			buf_append_char(out, *text);
		else
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)*text);
	}
}

/* redis://:password@host:port/db from REDIS_HOST and its fellows. */
static bool take_redis_parts(struct settings *settings, const struct why *why)
{
	static const char host_chars[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._:";
	const char *host = old_name("REDIS_HOST"), *password = old_name("REDIS_PASSWORD");
	int64_t port = 6379, db = 0;
	if (!old_int("REDIS_PORT", 1, 65535, &port, why) ||
		!old_int("REDIS_DB", 0, 65535, &db, why))
		return false;
	if (host == NULL)
		host = "127.0.0.1";
	if (strspn(host, host_chars) != strlen(host))
		return refuse(why, "REDIS_HOST = %s: must be a host name or an IP address", host);
	struct buf url = BUF_INIT(VALUE_SIZE);
	buf_append_text(&url, "redis://");
	if (password != NULL) {
		buf_append_char(&url, ':');
		write_percent_encoded(&url, password);
		buf_append_char(&url, '@');
	}
	buf_printf(&url, strchr(host, ':') != NULL ? "[%s]" : "%s", host);
	buf_printf(&url, ":%" PRId64 "/%" PRId64, port, db);
	bool taken = url.failed ? refuse(why, "REDIS_PASSWORD: too long")
				: settings_set(settings, find_row("redis", "url"), url.data,
					  FROM_OLD_NAME, "REDIS_HOST, REDIS_PORT, REDIS_DB", why);
	buf_free(&url);
	return taken;
}

static bool take_old_names(struct settings *settings, const struct why *why)
{
	const char *database = old_name("DATABASE_URL"), *redis = old_name("REDIS_URL");
	if (database != NULL && !settings_set(settings, find_row("db", "url"), database,
					FROM_OLD_NAME, "DATABASE_URL", why))
		return false;
	if (redis != NULL && !settings_set(settings, find_row("redis", "url"), redis, FROM_OLD_NAME,
				     "REDIS_URL", why))
		return false;
	bool parts = old_name("REDIS_HOST") != NULL || old_name("REDIS_PORT") != NULL ||
		     old_name("REDIS_DB") != NULL || old_name("REDIS_PASSWORD") != NULL;
	if (redis == NULL && parts && !take_redis_parts(settings, why))
		return false;
	int64_t seconds = 0;
	if (!old_int("SEAT_LOCK_TIMEOUT", 1, 86400, &seconds, why))
		return false;
	if (seconds == 0)
		return true;
	char ms[NAME_SIZE];
	snprintf(ms, sizeof(ms), "%" PRId64, seconds * 1000);
	return settings_set(settings, find_row("seat", "hold_ttl_ms"), ms, FROM_OLD_NAME,
		"SEAT_LOCK_TIMEOUT", why);
}

static bool read_environment(struct settings *settings, const struct why *why)
{
	if (!refuse_unknown_names(why) || !take_old_names(settings, why))
		return false;
	for (size_t i = 0; i < ROWS; i++)
		if (!take_environment(settings, &rows[i], why))
			return false;
	return true;
}

/* --- flags --- */

/* Is it --section.key or --section.key=value? Then the name is split into its two parts. */
static bool split_flag(const char *argument, char section[NAME_SIZE], char key[NAME_SIZE])
{
	if (strncmp(argument, "--", 2) != 0)
		return false;
	const char *name = argument + 2;
	size_t len = strcspn(name, "="), section_len = strcspn(name, ".=");
	if (section_len == 0 || section_len >= len || len >= NAME_SIZE)
		return false;
	memcpy(section, name, section_len);
	section[section_len] = '\0';
	memcpy(key, name + section_len + 1, len - section_len - 1);
	key[len - section_len - 1] = '\0';
	return true;
}

static bool take_flag(struct settings *settings, const char *section, const char *key,
	const char *value, const struct why *why)
{
	const struct row *row = find_row(section, key);
	if (row == NULL)
		return refuse(why, "--%s.%s: there is no such setting", section, key);
	if (row->kind == KIND_SECRET)
		return refuse(why,
			"--%s.%s: a secret is not taken from a flag, which every process can read; "
			"set it in the environment or in a file",
			section, key);
	if (value == NULL)
		return refuse(why, "--%s.%s: its value is missing", section, key);
	char origin[ORIGIN_SIZE];
	snprintf(origin, sizeof(origin), "flag --%s.%s", section, key);
	return settings_set(settings, row, value, FROM_FLAG, origin, why);
}

/* Takes the flags of our shape out of argv; "--" ends them. */
static bool read_flags(
	struct settings *settings, int *argc, char **argv, int first, const struct why *why)
{
	int kept = first, at = first;
	while (at < *argc && strcmp(argv[at], "--") != 0) {
		char section[NAME_SIZE], key[NAME_SIZE];
		char *argument = argv[at++];
		if (!split_flag(argument, section, key)) {
			argv[kept++] = argument;
			continue;
		}
		char *equals = strchr(argument, '=');
		const char *value = equals != NULL ? equals + 1 : at < *argc ? argv[at++] : NULL;
		if (!take_flag(settings, section, key, value, why))
			return false;
	}
	while (at < *argc)
		argv[kept++] = argv[at++];
	if (kept < *argc)
		argv[kept] = NULL;
	*argc = kept;
	return true;
}

/* --- settings that must agree --- */

enum relation { ABOVE, AT_MOST };

struct agreement {
	const char *section, *key;
	enum relation relation;
	const char *other_section, *other_key;
};

static const struct agreement agreements[] = {
	{"lock", "locking_ms", ABOVE, "db", "deadline_ms"},
	{"db", "batch_lock_timeout_ms", AT_MOST, "db", "lock_timeout_ms"},
	{"db", "lock_timeout_ms", AT_MOST, "db", "statement_timeout_ms"},
	{"db", "statement_timeout_ms", AT_MOST, "db", "deadline_ms"},
	{"queue", "poll_min_ms", AT_MOST, "queue", "poll_max_ms"},
};

static bool agree(
	const struct settings *settings, const struct agreement *agreement, const struct why *why)
{
	const struct row *row = find_row(agreement->section, agreement->key);
	const struct row *other = find_row(agreement->other_section, agreement->other_key);
	CHECK(row != NULL && other != NULL);
	int64_t value = *int_at(settings, row), limit = *int_at(settings, other);
	bool above = agreement->relation == ABOVE;
	if (above ? value > limit : value <= limit)
		return true;
	return refuse(why, "%s.%s = %" PRId64 " (%s): must be %s %s.%s = %" PRId64 " (%s)",
		row->section, row->key, value, settings->origins[index_of(row)].text,
		above ? "above" : "at most", other->section, other->key, limit,
		settings->origins[index_of(other)].text);
}

static bool refuse_text(const struct settings *settings, const char *section, const char *key,
	const char *allowed, const struct why *why)
{
	const struct row *row = find_row(section, key);
	return refuse_value(
		why, row, *text_at(settings, row), settings->origins[index_of(row)].text, allowed);
}

/* What texts must look like, where the table knows only their length. */
static bool texts_ok(const struct settings *settings, const struct why *why)
{
	struct in6_addr address;
	if (inet_pton(AF_INET, settings->http_address, &address) != 1 &&
		inet_pton(AF_INET6, settings->http_address, &address) != 1)
		return refuse_text(settings, "http", "address", "an IP address", why);
	if (!cors_list_ok(settings->http_cors_origins))
		return refuse_text(settings, "http", "cors_origins",
			"origins like https://shop.example, separated by commas", why);
	struct networks networks;
	if (!networks_parse(settings->http_trusted_proxies, &networks))
		return refuse_text(settings, "http", "trusted_proxies",
			"up to 64 addresses or networks like 10.0.0.0/8, separated by commas", why);
	const char *redis = settings->redis_url, *currency = settings->pay_currency;
	if (strcmp(redis, "none") != 0 && strncmp(redis, "redis://", 8) != 0 &&
		strncmp(redis, "unix://", 7) != 0)
		return refuse_text(settings, "redis", "url",
			"redis://[:password@]host[:port][/db], unix:///path[?db=n] or none", why);
	if (strlen(currency) != 3 || strspn(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3)
		return refuse_text(settings, "pay", "currency", "three capital letters", why);
	return true;
}

/* A kid stands in headers of tokens, in file names and in logs. */
static bool key_id_ok(const char *id)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	return *id != '\0' && strspn(id, allowed) == strlen(id);
}

/* The keys of access tokens: each has a name, and no two the same. */
static bool token_keys_ok(const struct settings *settings, const struct why *why)
{
	static const char letters[] = "letters, digits, '.', '_' and '-'";
	const char *previous_id = settings->auth_jwt_previous_key_id;
	if (!key_id_ok(settings->auth_jwt_key_id))
		return refuse_text(settings, "auth", "jwt_key_id", letters, why);
	if (settings->auth_jwt_previous_secret[0] == '\0' && previous_id[0] == '\0')
		return true;
	if (!key_id_ok(previous_id) || strcmp(previous_id, settings->auth_jwt_key_id) == 0)
		return refuse_text(settings, "auth", "jwt_previous_key_id",
			"the name of jwt_previous_secret (letters, digits, '.', '_' and '-'), "
			"another one than jwt_key_id",
			why);
	return settings_need_secret(settings, "auth.jwt_previous_secret", why->text, why->size);
}

static bool identity_provider_ok(const struct settings *settings, const struct why *why)
{
	if (settings->auth_idp_issuer[0] == '\0')
		return true;
	if (strcmp(settings->auth_idp_issuer, settings->auth_jwt_issuer) == 0)
		return refuse_text(settings, "auth", "idp_issuer",
			"another one than auth.jwt_issuer: it says by whom a token is", why);
	if (settings->auth_idp_audience[0] == '\0')
		return refuse_text(settings, "auth", "idp_audience",
			"set where auth.idp_issuer is: tokens for others are not for us", why);
	if (settings->auth_idp_keys[0] == '\0')
		return refuse_text(
			settings, "auth", "idp_keys", "a folder where auth.idp_issuer is set", why);
	return true;
}

static bool outbox_ok(const struct settings *settings, const struct why *why)
{
	if (strcmp(settings->outbox_target, "kafka") != 0)
		return true;
	if (settings->outbox_kafka_brokers[0] == '\0')
		return refuse_text(settings, "outbox", "kafka_brokers",
			"host:port of one broker or several where outbox.target is kafka", why);
	if (settings->outbox_kafka_topic[0] == '\0')
		return refuse_text(settings, "outbox", "kafka_topic", "the name of a topic", why);
	return true;
}

bool settings_load(struct settings *settings, const char *file, int *argc, char **argv, int first,
	char *why_text, size_t why_size)
{
	const struct why why = {why_text, why_size};
	memset(settings, 0, sizeof(*settings));
	settings->origins = must_calloc(ROWS, sizeof(*settings->origins));
	set_defaults(settings);
	bool loaded = (file == NULL || read_file(settings, file, &why)) &&
		      read_environment(settings, &why) &&
		      read_flags(settings, argc, argv, first, &why);
	for (size_t i = 0; loaded && i < ARRAY_LEN(agreements); i++)
		loaded = agree(settings, &agreements[i], &why);
	loaded = loaded && texts_ok(settings, &why) && token_keys_ok(settings, &why) &&
		 identity_provider_ok(settings, &why) && outbox_ok(settings, &why);
	if (!loaded)
		settings_free(settings);
	return loaded;
}

static const struct row *find_secret(const char *name)
{
	size_t section_len = strcspn(name, ".");
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].kind == KIND_SECRET && name[section_len] == '.' &&
			strlen(rows[i].section) == section_len &&
			memcmp(rows[i].section, name, section_len) == 0 &&
			strcmp(rows[i].key, name + section_len + 1) == 0)
			return &rows[i];
	return NULL;
}

bool settings_need_secret(
	const struct settings *settings, const char *name, char *why_text, size_t why_size)
{
	const struct why why = {why_text, why_size};
	const struct row *row = find_secret(name);
	CHECK(row != NULL);
	size_t len = strlen(*text_at(settings, row));
	if (len >= (size_t)row->min)
		return true;
	char variable[NAME_SIZE];
	environment_name(row, variable);
	if (len > 0)
		return refuse(&why,
			"%s has %zu characters (%s): must be a secret of at least %" PRId64, name,
			len, settings->origins[index_of(row)].text, row->min);
	return refuse(&why,
		"%s is not set: a secret of at least %" PRId64
		" characters is needed, in %s or in a "
		"file that %s_FILE names",
		name, row->min, variable, variable);
}

static void print_value(const struct settings *settings, const struct row *row, FILE *out)
{
	if (row->kind == KIND_INT) {
		fprintf(out, "%" PRId64, *int_at(settings, row));
	} else if (row->kind == KIND_BOOL) {
		fputs(*bool_at(settings, row) ? "true" : "false", out);
	} else {
		struct buf shown = BUF_INIT(VALUE_SIZE + SHOWN_SIZE);
		write_shown(&shown, row, *text_at(settings, row));
		fputs(shown.data != NULL ? shown.data : "", out);
		buf_free(&shown);
	}
}

void settings_print(const struct settings *settings, FILE *out)
{
	for (size_t i = 0; i < ROWS; i++) {
		char allowed[ALLOWED_SIZE];
		describe_allowed(&rows[i], allowed);
		fprintf(out, "%s.%s = ", rows[i].section, rows[i].key);
		print_value(settings, &rows[i], out);
		fprintf(out, "\n    from: %s\n    %s; %s\n", settings->origins[i].text,
			rows[i].help, allowed);
	}
}

void settings_free(struct settings *settings)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (rows[i].kind == KIND_INT || rows[i].kind == KIND_BOOL)
			continue;
		char *text = *text_at(settings, &rows[i]);
		if (text != NULL)
			explicit_bzero(text, strlen(text));
		free(text);
	}
	for (size_t i = 0; settings->origins != NULL && i < ROWS; i++)
		free(settings->origins[i].text);
	free(settings->origins);
	memset(settings, 0, sizeof(*settings));
}
