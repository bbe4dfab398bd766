/* The settings: one row a setting in config/settings.def (name, type, default, range, help), read
 * from a file (INI, by inih), then the environment, then flags; the last one said wins.
 *
 *   file         [http]             environment   ONSALE_HTTP_PORT=8081     flag   --http.port=8081
 *                port = 8081
 *
 * Older names in the environment, read before the ONSALE_ ones: DATABASE_URL (db.url), REDIS_URL
 * (redis.url), REDIS_HOST, REDIS_PORT, REDIS_DB, REDIS_PASSWORD, SEAT_LOCK_TIMEOUT (seat.hold_ttl_ms,
 * given in seconds). A secret is taken from the file, the environment, or a file of its own that
 * NAME_FILE names (ONSALE_AUTH_JWT_SECRET_FILE=/run/secrets/jwt); never from a flag, which every
 * process could read. */
#ifndef ONSALE_CONFIG_SETTINGS_H
#define ONSALE_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct settings {
#define SETTING_INT(section, key, default_, min, max, help) int64_t section##_##key;
#define SETTING_BOOL(section, key, default_, help) bool section##_##key;
#define SETTING_TEXT(section, key, default_, max, help) char *section##_##key;
#define SETTING_CHOICE(section, key, default_, choices, help) char *section##_##key;
#define SETTING_SECRET(section, key, min, help) char *section##_##key;
#include "config/settings.def"
#undef SETTING_INT
#undef SETTING_BOOL
#undef SETTING_TEXT
#undef SETTING_CHOICE
#undef SETTING_SECRET
	struct settings_origin *origins; /* where each value came from; the module's own */
};

/* Fills *settings from the defaults, the file (NULL: none; a missing file is an error), the
 * environment and the flags --section.key=value or --section.key value among argv[first…]. Flags that
 * are not of this shape are the caller's: they are left in argv, *argc shrinks.
 * False, with one line in `why` that names the key, the value and what is allowed, where anything is
 * unknown or out of range, or two settings contradict each other. Secrets may still be empty: the
 * commands that need one call settings_need_secret. */
bool settings_load(struct settings *settings, const char *file, int *argc, char **argv, int first,
	char *why, size_t why_size);

/* False, with the reason in `why`, where the secret is missing or shorter than it must be. */
bool settings_need_secret(
	const struct settings *settings, const char *name, char *why, size_t why_size);

/* Prints each setting: name, value (secrets as "(set, 43 characters)"; passwords inside of URLs as
 * "***"), where it came from, its help with the range. */
void settings_print(const struct settings *settings, FILE *out);

void settings_free(struct settings *settings);

#endif
