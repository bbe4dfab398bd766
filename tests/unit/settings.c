/* Settings: where a value comes from, which one wins, what is refused and how that is said; and the
 * sample file, which must name what there is. */
#include "config/settings.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proto/base/check.h"

enum { WHY_SIZE = 1024, ARGUMENTS_MAX = 8, PATH_SIZE = 256, TEXT_SIZE = 65536 };

static struct settings settings;
static char why[WHY_SIZE], folder[64], path[PATH_SIZE], secret[PATH_SIZE];

static void remove_files(void)
{
	settings_free(&settings);
	unlink(path);
	unlink(secret);
	rmdir(folder);
}

/* A folder of its own, and nothing of the caller's environment. */
static void prepare(void)
{
	static const char *const old[] = {"DATABASE_URL", "REDIS_URL", "REDIS_HOST", "REDIS_PORT",
		"REDIS_DB", "REDIS_PASSWORD", "SEAT_LOCK_TIMEOUT"};
	for (size_t i = 0; i < ARRAY_LEN(old); i++)
		unsetenv(old[i]);
	for (char **variable = environ; *variable != NULL;) {
		if (strncmp(*variable, "ONSALE_", 7) != 0 ||
			strncmp(*variable, "ONSALE_TEST_", 12) == 0) {
			variable++;
			continue;
		}
		char name[PATH_SIZE];
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(*variable, "="), *variable);
		unsetenv(name);
	}
	snprintf(folder, sizeof(folder), "/tmp/onsale-settings-%d", (int)getpid());
	cr_assert_eq(mkdir(folder, 0700), 0);
	snprintf(path, sizeof(path), "%s/onsale.conf", folder);
	snprintf(secret, sizeof(secret), "%s/secret", folder);
}

TestSuite(settings, .init = prepare, .fini = remove_files);

static void write_bytes(const char *to, const char *bytes, size_t len)
{
	FILE *file = fopen(to, "w");
	cr_assert_not_null(file);
	cr_assert_eq(fwrite(bytes, 1, len, file), len);
	fclose(file);
}

static bool load(const char *file, int *argc, char **argv)
{
	settings_free(&settings);
	why[0] = '\0';
	return settings_load(&settings, file, argc, argv, 0, why, sizeof(why));
}

static bool load_env(void)
{
	int argc = 0;
	char *argv[] = {NULL};
	return load(NULL, &argc, argv);
}

static bool load_file(const char *text)
{
	int argc = 0;
	char *argv[] = {NULL};
	write_bytes(path, text, strlen(text));
	return load(path, &argc, argv);
}

static bool load_flag(const char *flag)
{
	int argc = 1;
	char *argv[] = {(char *)(uintptr_t)flag, NULL};
	return load(NULL, &argc, argv);
}

#define EXPECT_WHY(text) \
	cr_expect(strstr(why, (text)) != NULL && strchr(why, '\n') == NULL, "\"%s\" in \"%s\"", \
		(text), why)

Test(settings, have_defaults)
{
	cr_assert(load_env(), "%s", why);
#define SETTING_INT(section, key, default_, min, max, help) \
	cr_expect_eq(settings.section##_##key, default_); \
	cr_expect((min) <= (default_) && (default_) <= (max));
#define SETTING_BOOL(section, key, default_, help) cr_expect_eq(settings.section##_##key, default_);
#define SETTING_TEXT(section, key, default_, max, help) \
	cr_expect_str_eq(settings.section##_##key, default_);
#define SETTING_CHOICE(section, key, default_, choices, help) \
	cr_expect_str_eq(settings.section##_##key, default_);
#define SETTING_SECRET(section, key, min, help) cr_expect_str_empty(settings.section##_##key);
#include "config/settings.def"
#undef SETTING_INT
#undef SETTING_BOOL
#undef SETTING_TEXT
#undef SETTING_CHOICE
#undef SETTING_SECRET
}

Test(settings, come_from_a_file)
{
	cr_assert(load_file("\xef\xbb\xbf# a comment\n; another\n\n[http]\n  port =  81 \r\n"
			    "share_port=true\n[db]\nurl = host=h;port=1 # no comment ; nor this\n"
			    "\tlanes: 5\n[http]\ndrain_ms=100"),
		"%s", why);
	cr_expect_eq(settings.http_port, 81);
	cr_expect_eq(settings.http_drain_ms, 100);
	cr_expect(settings.http_share_port);
	cr_expect_eq(settings.db_lanes, 5);
	cr_expect_str_eq(settings.db_url, "host=h;port=1 # no comment ; nor this");
}

Test(settings, name_the_line_that_is_wrong)
{
	static const struct {
		const char *text, *why;
	} examples[] = {
		{"[http]\nport = x\n", "onsale.conf line 2): must be an integer from 0 to 65535"},
		{"[http]\nport = 70000\n", "http.port = 70000"},
		{"[http]\n\nport =\n", "line 3): must be"},
		{"[http]\nport = 80 ; comment\n", "http.port = 80 ; comment"},
		{"[http]\nprot = 1\n", "line 2: there is no setting \"prot\" in [http]"},
		{"port = 1\n", "line 1: there is no setting \"port\" in []"},
		{"[htpp]\nport = 1\n", "line 2: there is no setting \"port\" in [htpp]"},
		{"[http]\nport = 1\nport = 2\n", "line 3: http.port was said before"},
		{"[http]\nport\n", "line 2: neither"},
		{"[http\nport = 1\n", "line 1: neither"},
		{"[log]\nlevel = loud\n", "must be one of error|warn|info|debug"},
		{"[log]\nlevel =\n", "must be one of"},
		{"[log]\nlevel = err\n", "must be one of"},
		{"[http]\nshare_port = yes\n", "http.share_port = yes"},
		{"[pay]\ncurrency = krw\n", "must be three capital letters"},
		{"[pay]\ncurrency = EURO\n", "at most 3 bytes"},
		{"[http]\naddress = localhost\n", "must be an IP address"},
		{"[redis]\nurl = http://x\n", "redis.url = http://x"},
		{"[http]\ncors_origins = *\n", "must be origins like"},
		{"[http]\ncors_origins = https://a.example/\n", "must be origins like"},
		{"[http]\ntrusted_proxies = 10.0.0.0/33\n", "addresses or networks like"},
		{"[http]\ntrusted_proxies = proxy\n", "addresses or networks like"},
	};
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		cr_expect(!load_file(examples[i].text), "%s", examples[i].text);
		EXPECT_WHY(examples[i].why);
	}
}

Test(settings, take_long_lines_to_a_limit)
{
	static char text[TEXT_SIZE];
	char url[1025];
	memset(url, 'u', sizeof(url) - 1);
	url[sizeof(url) - 1] = '\0';
	snprintf(text, sizeof(text), "[db]\nurl = %s\nlanes = 3\n", url);
	cr_assert(load_file(text), "%s", why);
	cr_expect_str_eq(settings.db_url, url);
	cr_expect_eq(settings.db_lanes, 3);
	snprintf(text, sizeof(text), "[db]\nurl = %sx\n", url);
	cr_expect(!load_file(text));
	EXPECT_WHY("at most 1024 bytes");
	/* A comment that is cut must not go on as a setting. */
	memset(text, ' ', 8000);
	text[0] = '#';
	strcpy(text + 8000, "\n[db]\nlanes = 3\n");
	cr_expect(!load_file(text));
	EXPECT_WHY("line 1: the line is too long");
	int argc = 0;
	char *argv[] = {NULL};
	write_bytes(path, "[db]\nlanes = 3\0\nbatch_max = 1\n", 30);
	cr_expect(!load(path, &argc, argv));
	EXPECT_WHY("line 2: the line is too long or holds a NUL");
}

Test(settings, need_the_file_they_are_told)
{
	int argc = 0;
	char *argv[] = {NULL};
	cr_expect(!load("/nowhere/onsale.conf", &argc, argv));
	EXPECT_WHY("cannot open /nowhere/onsale.conf: No such file");
	cr_expect(!load(folder, &argc, argv));
	EXPECT_WHY("cannot read");
}

Test(settings, come_from_the_environment)
{
	setenv("ONSALE_HTTP_PORT", "81", 1);
	setenv("ONSALE_HTTP_SHARE_PORT", "true", 1);
	setenv("ONSALE_DB_URL", "host=h", 1);
	setenv("ONSALE_AUTH_JWT_SECRET", "s", 1);
	setenv("ONSALE_TEST_ANYTHING", "x", 1);
	cr_assert(load_env(), "%s", why);
	cr_expect_eq(settings.http_port, 81);
	cr_expect(settings.http_share_port);
	cr_expect_str_eq(settings.db_url, "host=h");
	cr_expect_str_eq(settings.auth_jwt_secret, "s");
	setenv("ONSALE_HTTP_PORT", "", 1);
	cr_expect(!load_env());
	EXPECT_WHY("http.port =  (ONSALE_HTTP_PORT): must be an integer");
	static const char *const wrong[] = {
		"-1", "65536", "8080x", " 8080", "+8080", "0x50", "8e3", "99999999999999999999"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		setenv("ONSALE_HTTP_PORT", wrong[i], 1);
		cr_expect(!load_env(), "%s", wrong[i]);
	}
}

Test(settings, know_no_other_names)
{
	static const char *const unknown[] = {"ONSALE_", "ONSALE_HTTP", "ONSALE_HTTP_PROT",
		"ONSALE_HTTP_PORT_", "ONSALE_HTTP_PORT_FILE", "ONSALE_http_port", "ONSALE_TESTING",
		"ONSALE_AUTH_JWT_SECRET_FILES"};
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
		setenv(unknown[i], "1", 1);
		cr_expect(!load_env(), "%s", unknown[i]);
		char said[128];
		snprintf(said, sizeof(said), "%s: there is no such setting", unknown[i]);
		EXPECT_WHY(said);
		unsetenv(unknown[i]);
	}
}

Test(settings, come_from_old_names)
{
	setenv("DATABASE_URL", "postgresql:///d", 1);
	setenv("REDIS_URL", "redis://r/1", 1);
	setenv("REDIS_HOST", "ignored", 1);
	setenv("SEAT_LOCK_TIMEOUT", "420", 1);
	cr_assert(load_env(), "%s", why);
	cr_expect_str_eq(settings.db_url, "postgresql:///d");
	cr_expect_str_eq(settings.redis_url, "redis://r/1");
	cr_expect_eq(settings.seat_hold_ttl_ms, 420000);
	setenv("ONSALE_DB_URL", "host=new", 1);
	setenv("ONSALE_SEAT_HOLD_TTL_MS", "1000", 1);
	cr_assert(load_env(), "%s", why);
	cr_expect_str_eq(settings.db_url, "host=new", "the newer name wins");
	cr_expect_eq(settings.seat_hold_ttl_ms, 1000);
	static const char *const wrong[] = {"0", "-1", "86401", "5m", "1.5"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		setenv("SEAT_LOCK_TIMEOUT", wrong[i], 1);
		cr_expect(!load_env());
		EXPECT_WHY("SEAT_LOCK_TIMEOUT = ");
		EXPECT_WHY("must be an integer from 1 to 86400");
	}
	setenv("SEAT_LOCK_TIMEOUT", "", 1);
	setenv("DATABASE_URL", "", 1);
	cr_expect(load_env(), "set to nothing is not set: %s", why);
}

Test(settings, build_a_redis_url)
{
	static const struct {
		const char *host, *port, *db, *password, *url;
	} examples[] = {
		{"r.example", NULL, NULL, NULL, "redis://r.example:6379/0"},
		{NULL, "7000", NULL, NULL, "redis://127.0.0.1:7000/0"},
		{NULL, NULL, "3", NULL, "redis://127.0.0.1:6379/3"},
		{"r", "1", "2", "p w:/@?#%", "redis://:p%20w%3A%2F%40%3F%23%25@r:1/2"},
		{"::1", NULL, NULL, NULL, "redis://[::1]:6379/0"},
		{"", "", "", "", "redis://127.0.0.1:6379/0"},
		{"a/b", NULL, NULL, NULL, NULL},
		{NULL, "0", NULL, NULL, NULL},
		{NULL, "x", NULL, NULL, NULL},
		{NULL, NULL, "-1", NULL, NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		static const char *const names[] = {
			"REDIS_HOST", "REDIS_PORT", "REDIS_DB", "REDIS_PASSWORD"};
		const char *const values[] = {
			examples[i].host, examples[i].port, examples[i].db, examples[i].password};
		for (size_t part = 0; part < ARRAY_LEN(names); part++) {
			unsetenv(names[part]);
			if (values[part] != NULL)
				setenv(names[part], values[part], 1);
		}
		bool loaded = load_env();
		cr_expect_eq(loaded, examples[i].url != NULL, "%zu: %s", i, why);
		if (loaded && examples[i].url != NULL)
			cr_expect_str_eq(settings.redis_url, examples[i].url);
		else
			EXPECT_WHY("REDIS_");
	}
}

Test(settings, come_from_flags)
{
	char *argv[ARGUMENTS_MAX] = {"serve", "--http.port=81", "--verbose", "--db.url", "host=h",
		"file", "--db.lanes=2", NULL};
	int argc = 7;
	why[0] = '\0';
	cr_assert(settings_load(&settings, NULL, &argc, argv, 1, why, sizeof(why)), "%s", why);
	cr_expect_eq(settings.http_port, 81);
	cr_expect_str_eq(settings.db_url, "host=h");
	cr_expect_eq(settings.db_lanes, 2);
	cr_assert_eq(argc, 3);
	cr_expect_str_eq(argv[0], "serve");
	cr_expect_str_eq(argv[1], "--verbose");
	cr_expect_str_eq(argv[2], "file");
	cr_expect_null(argv[3]);
	settings_free(&settings);
	char *ended[ARGUMENTS_MAX] = {"--http.port=81", "--", "--http.port=82", NULL};
	argc = 3;
	cr_assert(settings_load(&settings, NULL, &argc, ended, 0, why, sizeof(why)), "%s", why);
	cr_expect_eq(settings.http_port, 81);
	cr_assert_eq(argc, 2);
	cr_expect_str_eq(ended[0], "--");
	cr_expect_str_eq(ended[1], "--http.port=82");
	cr_expect_null(ended[2]);
}

Test(settings, refuse_wrong_flags)
{
	static const struct {
		const char *flag, *why;
	} examples[] = {
		{"--http.prot=1", "--http.prot: there is no such setting"},
		{"--http.port", "--http.port: its value is missing"},
		{"--http.port=", "http.port =  (flag --http.port): must be an integer"},
		{"--auth.jwt_secret=0123456789", "a secret is not taken from a flag"},
		{"--auth.jwt_secret", "a secret is not taken from a flag"},
	};
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		cr_expect(!load_flag(examples[i].flag), "%s", examples[i].flag);
		EXPECT_WHY(examples[i].why);
		cr_expect_null(strstr(why, "0123456789"));
	}
}

Test(settings, the_last_one_said_wins)
{
	char *argv[] = {"--http.port=84", NULL};
	int argc = 1;
	write_bytes(path, "[http]\nport = 82\n", 17);
	int none = 0;
	cr_assert(load(path, &none, argv + 1), "%s", why);
	cr_expect_eq(settings.http_port, 82);
	setenv("ONSALE_HTTP_PORT", "83", 1);
	cr_assert(load(path, &none, argv + 1), "%s", why);
	cr_expect_eq(settings.http_port, 83);
	cr_assert(load(path, &argc, argv), "%s", why);
	cr_expect_eq(settings.http_port, 84);
}

Test(settings, must_agree)
{
	static const struct {
		const char *flag, *why;
	} examples[] = {
		{"--lock.locking_ms=5000",
			"lock.locking_ms = 5000 (flag --lock.locking_ms): must be above "
			"db.deadline_ms = 5000 (default)"},
		{"--db.batch_lock_timeout_ms=4001", "must be at most db.lock_timeout_ms = 4000"},
		{"--db.lock_timeout_ms=4501", "must be at most db.statement_timeout_ms = 4500"},
		{"--db.statement_timeout_ms=5001", "must be at most db.deadline_ms = 5000"},
		{"--db.deadline_ms=4499",
			"db.statement_timeout_ms = 4500 (default): must be at most "
			"db.deadline_ms = 4499 (flag --db.deadline_ms)"},
		{"--queue.poll_max_ms=999", "queue.poll_min_ms = 1000 (default): must be at most"},
		{"--outbox.target=kafka", "outbox.kafka_brokers =  (default): must be host:port"},
	};
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		cr_expect(!load_flag(examples[i].flag), "%s", examples[i].flag);
		EXPECT_WHY(examples[i].why);
	}
	static const char *const good[] = {"--lock.locking_ms=5001", "--db.lock_timeout_ms=4500",
		"--db.statement_timeout_ms=5000", "--queue.poll_max_ms=1000"};
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		cr_expect(load_flag(good[i]), "%s: %s", good[i], why);
}

#define LONG_SECRET "0123456789abcdef0123456789abcdef"

Test(settings, read_secrets_from_files)
{
	static const char *const endings[] = {"", "\n", "\r\n"};
	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		char text[128];
		snprintf(text, sizeof(text), "%s%s", LONG_SECRET, endings[i]);
		write_bytes(secret, text, strlen(text));
		setenv("ONSALE_AUTH_JWT_SECRET_FILE", secret, 1);
		cr_assert(load_env(), "%s", why);
		cr_expect_str_eq(settings.auth_jwt_secret, LONG_SECRET);
	}
	setenv("ONSALE_AUTH_JWT_SECRET", LONG_SECRET, 1);
	cr_expect(!load_env());
	EXPECT_WHY("said twice");
	unsetenv("ONSALE_AUTH_JWT_SECRET");
	write_bytes(secret, "two\nlines", 9);
	cr_expect(!load_env());
	EXPECT_WHY("auth.jwt_secret = (set, 9 characters)");
	write_bytes(secret, "a\0b", 3);
	cr_expect(!load_env());
	EXPECT_WHY("or a NUL");
	static char large[10000];
	memset(large, 'x', sizeof(large));
	write_bytes(secret, large, sizeof(large));
	cr_expect(!load_env());
	EXPECT_WHY("more than 4096 characters");
	setenv("ONSALE_AUTH_JWT_SECRET_FILE", "/nowhere/secret", 1);
	cr_expect(!load_env());
	EXPECT_WHY("ONSALE_AUTH_JWT_SECRET_FILE: cannot open /nowhere/secret");
	setenv("ONSALE_AUTH_JWT_SECRET_FILE", folder, 1);
	cr_expect(!load_env());
	EXPECT_WHY("cannot read");
}

Test(settings, need_long_secrets)
{
	cr_assert(load_env());
	cr_expect(!settings_need_secret(&settings, "auth.jwt_secret", why, sizeof(why)));
	EXPECT_WHY("auth.jwt_secret is not set");
	EXPECT_WHY("ONSALE_AUTH_JWT_SECRET_FILE");
	setenv("ONSALE_AUTH_JWT_SECRET", "0123456789abcdef0123456789abcde", 1);
	setenv("ONSALE_AUTH_QUEUE_SECRET", LONG_SECRET, 1);
	cr_assert(load_env());
	cr_expect(!settings_need_secret(&settings, "auth.jwt_secret", why, sizeof(why)));
	EXPECT_WHY("has 31 characters");
	EXPECT_WHY("at least 32");
	cr_expect_null(strstr(why, "0123456789"));
	cr_expect(settings_need_secret(&settings, "auth.queue_secret", why, sizeof(why)));
}

/* What settings_print says. */
static void printed(char text[TEXT_SIZE])
{
	FILE *out = tmpfile();
	cr_assert_not_null(out);
	settings_print(&settings, out);
	rewind(out);
	text[fread(text, 1, TEXT_SIZE - 1, out)] = '\0';
	fclose(out);
}

Test(settings, print_everything_but_secrets)
{
	static char text[TEXT_SIZE];
	setenv("ONSALE_AUTH_JWT_SECRET", LONG_SECRET, 1);
	setenv("DATABASE_URL", "host=h password=hidden dbname=d", 1);
	setenv("REDIS_URL", "redis://:hidden@h/0", 1);
	cr_assert(load_flag("--http.port=81"), "%s", why);
	printed(text);
	cr_expect_null(strstr(text, LONG_SECRET));
	cr_expect_null(strstr(text, "hidden"));
	static const char *const parts[] = {"\nhttp.port = 81\n    from: flag --http.port\n",
		"port to listen on; 0 takes a free one and logs it; an integer from 0 to 65535\n",
		"\nauth.jwt_secret = (set, 32 characters)\n    from: ONSALE_AUTH_JWT_SECRET\n",
		"\nauth.queue_secret = (not set)\n    from: default\n",
		"\ndb.url = host=h password=*** dbname=d\n    from: DATABASE_URL\n",
		"\nredis.url = redis://:***@h/0\n", "\nlog.level = info\n",
		"one of error|warn|info|debug\n", "\nhttp.share_port = false\n"};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		cr_expect_not_null(strstr(text, parts[i]), "%s in %s", parts[i], text);
	static const char *const names[] = {
#define SETTING_INT(section, key, default_, min, max, help) #section "." #key " = ",
#define SETTING_BOOL(section, key, default_, help) #section "." #key " = ",
#define SETTING_TEXT(section, key, default_, max, help) #section "." #key " = ",
#define SETTING_CHOICE(section, key, default_, choices, help) #section "." #key " = ",
#define SETTING_SECRET(section, key, min, help) #section "." #key " = ",
#include "config/settings.def"
#undef SETTING_INT
#undef SETTING_BOOL
#undef SETTING_TEXT
#undef SETTING_CHOICE
#undef SETTING_SECRET
	};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		cr_expect_not_null(strstr(text, names[i]), "%s", names[i]);
}

Test(settings, hide_passwords_in_refusals)
{
	setenv("REDIS_URL", "http://:hidden@h/0", 1);
	cr_expect(!load_env());
	EXPECT_WHY("redis.url = http://:***@h/0");
	cr_expect_null(strstr(why, "hidden"));
}

/* --- the sample file --- */

#define SETTING_INT(section, key, default_, min, max, help) {#section, #key, #default_},
#define SETTING_BOOL(section, key, default_, help) {#section, #key, #default_},
#define SETTING_TEXT(section, key, default_, max, help) {#section, #key, default_},
#define SETTING_CHOICE(section, key, default_, choices, help) {#section, #key, default_},
#define SETTING_SECRET(section, key, min, help) {#section, #key, ""},
static const struct {
	const char *section, *key, *value;
} known[] = {
#include "config/settings.def"
};

/* Reads the sample with its settings switched on: every line "#key = value". */
static size_t read_sample(char on[TEXT_SIZE], char off[TEXT_SIZE])
{
	const char *root = getenv("ONSALE_TEST_ROOT");
	char sample[PATH_SIZE], line[1024];
	snprintf(sample, sizeof(sample), "%s/config/onsale.conf", root != NULL ? root : ".");
	FILE *file = fopen(sample, "r");
	cr_assert_not_null(file, "%s", sample);
	size_t settings_seen = 0, on_len = 0, off_len = 0;
	while (fgets(line, sizeof(line), file) != NULL) {
		bool is_setting = line[0] == '#' && line[1] >= 'a' && line[1] <= 'z';
		const char *text = is_setting ? line + 1 : line;
		on_len += (size_t)snprintf(on + on_len, TEXT_SIZE - on_len, "%s", text);
		off_len += (size_t)snprintf(off + off_len, TEXT_SIZE - off_len, "%s", line);
		settings_seen += is_setting;
	}
	fclose(file);
	return settings_seen;
}

/* In order: every setting of the table, under its section, with its default, and no other. */
Test(settings, sample_names_each_with_its_default)
{
	static char on[TEXT_SIZE], off[TEXT_SIZE], expected[TEXT_SIZE];
	cr_expect_eq(read_sample(on, off), ARRAY_LEN(known));
	const char *at = on;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (i == 0 || strcmp(known[i].section, known[i - 1].section) != 0) {
			snprintf(expected, sizeof(expected), "\n[%s]\n", known[i].section);
			at = strstr(at, expected);
			cr_assert_not_null(at, "[%s]", known[i].section);
		}
		snprintf(expected, sizeof(expected), "\n%s =%s%s\n", known[i].key,
			known[i].value[0] != '\0' ? " " : "", known[i].value);
		at = strstr(at, expected);
		cr_assert_not_null(
			at, "%s.%s = %s", known[i].section, known[i].key, known[i].value);
	}
}

Test(settings, sample_loads)
{
	static char on[TEXT_SIZE], off[TEXT_SIZE], with_sample[TEXT_SIZE], with_defaults[TEXT_SIZE];
	read_sample(on, off);
	cr_expect(load_file(on), "%s", why);
	cr_assert(load_file(off), "as it is: %s", why);
	printed(with_sample);
	cr_assert(load_env(), "%s", why);
	printed(with_defaults);
	cr_expect_str_eq(with_sample, with_defaults, "as it is, it changes nothing");
}

/* What a secret that changes, and an outside identity provider, need beside themselves. */
Test(settings, keys_of_access_tokens_agree)
{
	static const struct {
		const char *lines, *why; /* NULL: they do */
	} examples[] = {
		{"jwt_key_id = 2026-11", NULL},
		{"jwt_key_id =", "auth.jwt_key_id"},
		{"jwt_key_id = a b", "auth.jwt_key_id"},
		{"jwt_previous_secret = " LONG_SECRET, "auth.jwt_previous_key_id"},
		{"jwt_previous_key_id = 0", "auth.jwt_previous_secret is not set"},
		{"jwt_previous_key_id = 1\njwt_previous_secret = " LONG_SECRET, "another one"},
		{"jwt_previous_key_id = 0\njwt_previous_secret = short", "has 5 characters"},
		{"jwt_previous_key_id = 0\njwt_previous_secret = " LONG_SECRET, NULL},
		{"idp_issuer = https://id.test/", "auth.idp_audience"},
		{"idp_issuer = https://id.test/\nidp_audience = shop", "auth.idp_keys"},
		{"idp_issuer = onsale\nidp_audience = shop\nidp_keys = keys", "auth.idp_issuer"},
		{"idp_issuer = https://id.test/\nidp_audience = shop\nidp_keys = keys", NULL},
		{"idp_algorithm = HS256", "auth.idp_algorithm"},
		{"idp_algorithm = ES256", NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		char text[512], *argv[] = {NULL};
		int argc = 0;
		int len = snprintf(text, sizeof(text), "[auth]\n%s\n", examples[i].lines);
		write_bytes(path, text, (size_t)len);
		cr_expect_eq(load(path, &argc, argv), examples[i].why == NULL, "%s: %s",
			examples[i].lines, why);
		if (examples[i].why != NULL)
			EXPECT_WHY(examples[i].why);
	}
}
