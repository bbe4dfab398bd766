/* Each command: its help, its settings and options, then the work, which may block. */
#include "server/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "config/settings.h"
#include "db/migrate.h"
#include "db/pg_session.h"
#include "db/setup.h"
#include "proto/base/check.h"
#include "proto/base/log.h"
#include "proto/jwt.h"
#include "server/authenticate.h"
#include "server/hasher.h"
#include "server/route.h"
#include "server/serve.h"
#include "server/verify_shuffle.h"

enum { WHY_SIZE = 1024, USERS_MAX = 10000000, PASSWORD_MAX = 256, USER_TOKEN_TTL_S = 24 * 3600 };

static const char DEFAULT_CONFIG[] = "config/onsale.conf";

/* --- options --- */

struct option {
	const char *name; /* "--count" */
	const char **value; /* given as --count N or --count=N */
};

static int refuse(const char *why)
{
	fprintf(stderr, "onsale: %s\n", why);
	return 2;
}

static bool asks_help(int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

/* Takes the options out of what the settings have left. False with the reason in `why`. */
static bool read_options(int argc, char **argv, const struct option *options, size_t count,
	char *why, size_t why_size)
{
	for (int i = 2; i < argc; i++) {
		size_t j = 0, len = 0;

		for (; j < count; j++) {
			len = strlen(options[j].name);
			if (strncmp(argv[i], options[j].name, len) == 0 &&
				(argv[i][len] == '=' || argv[i][len] == '\0'))
				break;
		}
		if (j == count) {
			snprintf(why, why_size, "'%s' is not understood; see --help", argv[i]);
			return false;
		}
		if (argv[i][len] == '=') {
			*options[j].value = argv[i] + len + 1;
		} else if (i + 1 < argc) {
			*options[j].value = argv[++i];
		} else {
			snprintf(why, why_size, "%s needs a value", argv[i]);
			return false;
		}
	}
	return true;
}

static bool read_number(const char *text, int64_t min, int64_t max, int64_t *value)
{
	char *end;

	if (text == NULL || *text == '\0')
		return false;
	errno = 0;
	*value = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0' && *value >= min && *value <= max;
}

/* --config wins over the file that lies where the project keeps it. */
static const char *config_file(int *argc, char **argv)
{
	static const char name[] = "--config";
	const char *file = access(DEFAULT_CONFIG, R_OK) == 0 ? DEFAULT_CONFIG : NULL;

	for (int i = 2; i < *argc; i++) {
		int words = 0;

		if (strcmp(argv[i], name) == 0 && i + 1 < *argc) {
			file = argv[i + 1];
			words = 2;
		} else if (strncmp(argv[i], "--config=", sizeof name) == 0) {
			file = argv[i] + sizeof name;
			words = 1;
		}
		if (words > 0) {
			memmove(argv + i, argv + i + words,
				(size_t)(*argc - i - words + 1) * sizeof *argv);
			*argc -= words;
			i--;
		}
	}
	return file;
}

/* Help, settings, options, in this order. *status is what to return where it says false. */
static bool begin(int *argc, char **argv, const char *help, struct settings *settings,
	const struct option *options, size_t count, int *status)
{
	char why[WHY_SIZE];

	if (asks_help(*argc, argv)) {
		fputs(help, stdout);
		*status = 0;
		return false;
	}
	const char *file = config_file(argc, argv);
	if (!settings_load(settings, file, argc, argv, 2, why, sizeof why)) {
		*status = refuse(why);
		return false;
	}
	if (!read_options(*argc, argv, options, count, why, sizeof why)) {
		settings_free(settings);
		*status = refuse(why);
		return false;
	}
	return true;
}

static struct pg_session *open_session(const struct settings *settings)
{
	char why[WHY_SIZE];
	struct pg_session *session = NULL;

	if (settings->db_url[0] == '\0')
		fputs("onsale: db.url is not set: give DATABASE_URL\n", stderr);
	else if ((session = pg_session_open(settings->db_url, why, sizeof why)) == NULL)
		fprintf(stderr, "onsale: %s\n", why);
	return session;
}

static int failed(const char *why)
{
	fprintf(stderr, "onsale: %s\n", why);
	return 1;
}

/* --- serve --- */

static enum log_level level_of(const char *name)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0)
			return (enum log_level)i;
	return LOG_INFO;
}

int command_serve(int argc, char **argv)
{
	static const char help[] =
		"usage: onsale serve [--config FILE] [--section.key=value …]\n\n"
		"Runs the server until SIGTERM or SIGINT; then finishes what is in flight.\n"
		"Needs db.url, auth.jwt_secret and auth.queue_secret; see onsale config.\n";
	struct settings settings;
	char why[WHY_SIZE];
	int status;

	if (!begin(&argc, argv, help, &settings, NULL, 0, &status))
		return status;
	log_set_level(level_of(settings.log_level));
	if (settings.db_url[0] == '\0')
		status = refuse("db.url is not set: give DATABASE_URL");
	else if (!settings_need_secret(&settings, "auth.jwt_secret", why, sizeof why) ||
		 !settings_need_secret(&settings, "auth.queue_secret", why, sizeof why))
		status = refuse(why);
	else
		status = serve(&settings);
	settings_free(&settings);
	return status;
}

/* --- migrate --- */

int command_migrate(int argc, char **argv)
{
	static const char help[] =
		"usage: onsale migrate [--config FILE] [--db.url=URL]\n\n"
		"Brings the database's schema up to date, in one transaction; safe to run\n"
		"again, and from several places at once.\n";
	struct settings settings;
	struct pg_session *session;
	char why[WHY_SIZE];
	unsigned applied = 0;
	int status;

	if (!begin(&argc, argv, help, &settings, NULL, 0, &status))
		return status;
	session = open_session(&settings);
	settings_free(&settings);
	if (session == NULL)
		return 1;
	status = migrate(session, &applied, why, sizeof why) ? 0 : failed(why);
	if (status == 0)
		printf("%u applied\n", applied);
	pg_session_close(session);
	return status;
}

/* --- users --- */

struct token_printer {
	struct access_token_key *key;
	bool admin;
	int64_t now_s;
};

static void print_user(void *context, int64_t id)
{
	const struct token_printer *printer = context;
	struct access_token token = {id, printer->admin, printer->now_s + USER_TOKEN_TTL_S};
	char text[ACCESS_TOKEN_TEXT_SIZE];

	access_token_sign(printer->key, &token, printer->now_s, text);
	printf("%lld %s\n", (long long)id, text);
}

static int make_users(const struct settings *settings, int64_t count, int64_t balance, bool admin)
{
	struct pg_session *session = open_session(settings);
	struct token_printer printer = {authenticate_key(settings), admin, time(NULL)};
	char why[WHY_SIZE];
	int status = 1;

	if (session != NULL &&
		!setup_users(session, count, balance, admin, print_user, &printer, why, sizeof why))
		failed(why);
	else if (session != NULL)
		status = fflush(stdout) == 0 ? 0 : failed("the tokens could not be written");
	access_token_key_free(printer.key);
	pg_session_close(session);
	return status;
}

int command_users(int argc, char **argv)
{
	static const char help[] =
		"usage: onsale users --count N [--balance B] [--role buyer|admin]\n\n"
		"Creates N people, each with that balance, and prints a line for each: its id\n"
		"and an access token that is valid for 24 hours. They have no password.\n";
	const char *count_text = NULL, *balance_text = "0", *role = "buyer";
	const struct option options[] = {
		{"--count", &count_text}, {"--balance", &balance_text}, {"--role", &role}};
	struct settings settings;
	int64_t count, balance;
	char why[WHY_SIZE];
	int status;

	if (!begin(&argc, argv, help, &settings, options, ARRAY_LEN(options), &status))
		return status;
	if (!read_number(count_text, 1, USERS_MAX, &count))
		status = refuse("--count: give a number from 1 to 10000000");
	else if (!read_number(balance_text, 0, 1000000000000000, &balance))
		status = refuse("--balance: give a number from 0 to 10^15");
	else if (strcmp(role, "buyer") != 0 && strcmp(role, "admin") != 0)
		status = refuse("--role: buyer or admin");
	else if (!settings_need_secret(&settings, "auth.jwt_secret", why, sizeof why))
		status = refuse(why);
	else
		status = make_users(&settings, count, balance, strcmp(role, "admin") == 0);
	settings_free(&settings);
	return status;
}

/* --- admin --- */

/* One line of standard input, without its end. */
static bool read_password(char *password, size_t size)
{
	if (fgets(password, (int)size, stdin) == NULL)
		return false;
	password[strcspn(password, "\r\n")] = '\0';
	return strlen(password) >= 8;
}

static int put_person(
	const struct settings *settings, struct setup_person person, const char *password)
{
	struct pg_session *session = open_session(settings);
	char hash[HASHER_HASH_SIZE], why[WHY_SIZE];
	int status = 1;

	if (session == NULL)
		return 1;
	hasher_hash_now(password, (unsigned)settings->auth_argon2_memory_kib,
		(unsigned)settings->auth_argon2_passes, hash);
	person.password_hash = hash;
	status = setup_person(session, &person, why, sizeof why) ? 0 : failed(why);
	pg_session_close(session);
	return status;
}

int command_admin(int argc, char **argv)
{
	static const char help[] =
		"usage: onsale admin --email E < password\n\n"
		"Makes the person with this e-mail an operator; the password, of at least 8\n"
		"characters, is read from standard input.\n";
	const char *email = NULL;
	const struct option options[] = {{"--email", &email}};
	struct settings settings;
	char password[PASSWORD_MAX + 2];
	int status;

	if (!begin(&argc, argv, help, &settings, options, ARRAY_LEN(options), &status))
		return status;
	if (email == NULL || strchr(email, '@') == NULL || strlen(email) > 254)
		status = refuse("--email: give an e-mail address");
	else if (!read_password(password, sizeof password))
		status = refuse("give a password of 8 to 256 characters on standard input");
	else
		status = put_person(&settings,
			(struct setup_person){.email = email, .name = "Operator", .admin = true},
			password);
	settings_free(&settings);
	return status;
}

/* --- demo --- */

int command_demo(int argc, char **argv)
{
	static const char help[] =
		"usage: onsale demo\n\n"
		"Loads the demo, where it is not loaded yet: admin@onsale.test and\n"
		"buyer@onsale.test, both with the password onsale-demo, and two events.\n";
	static const struct setup_person people[] = {
		{.email = "admin@onsale.test", .name = "Demo operator", .admin = true},
		{.email = "buyer@onsale.test", .name = "Demo buyer", .balance = 10000000},
	};
	struct settings settings;
	char why[WHY_SIZE];
	int status = 0;

	if (!begin(&argc, argv, help, &settings, NULL, 0, &status))
		return status;
	for (size_t i = 0; status == 0 && i < ARRAY_LEN(people); i++)
		status = put_person(&settings, people[i], "onsale-demo");
	struct pg_session *session = status == 0 ? open_session(&settings) : NULL;
	if (session != NULL && !setup_demo(session, why, sizeof why))
		status = failed(why);
	pg_session_close(session);
	settings_free(&settings);
	return status;
}

/* --- config --- */

int command_config(int argc, char **argv)
{
	static const char help[] =
		"usage: onsale config [--config FILE] [--section.key=value …]\n\n"
		"Prints every setting: its value, where it came from, what it means.\n";
	struct settings settings;
	int status;

	if (!begin(&argc, argv, help, &settings, NULL, 0, &status))
		return status;
	settings_print(&settings, stdout);
	settings_free(&settings);
	return 0;
}

/* --- routes --- */

int command_routes(int argc, char **argv)
{
	static const char help[] =
		"usage: onsale routes\n\n"
		"Prints every call: its method, its path ({} stands for an id), and\n"
		"who may make it: none (everybody), user, admin.\n";
	struct settings settings;
	int status;

	if (!begin(&argc, argv, help, &settings, NULL, 0, &status))
		return status;
	routes_print(stdout);
	settings_free(&settings);
	return 0;
}

/* --- verify-shuffle --- */

/* Takes the one argument that is no option; NULL where there is none. */
static const char *take_argument(int *argc, char **argv)
{
	const char *argument = NULL;

	for (int i = 2; i < *argc && argument == NULL; i++) {
		if (strncmp(argv[i], "http://", 7) != 0 && strncmp(argv[i], "https://", 8) != 0)
			continue;
		argument = argv[i];
		memmove(argv + i, argv + i + 1, (size_t)(*argc - i) * sizeof *argv);
		--*argc;
	}
	return argument;
}

int command_verify_shuffle(int argc, char **argv)
{
	static const char help[] =
		"usage: onsale verify-shuffle URL [--entrant PSEUDONYM]\n\n"
		"Checks how a pre-sale line was shuffled, from what its server publishes. URL is\n"
		"the event's: https://host/v1/events/7. Says what it has checked, and which\n"
		"position an entrant has; exit status 1 and the first thing that is wrong where\n"
		"something is. Needs no settings, no database, no Redis.\n";
	const char *entrant = NULL, *url;
	const struct option options[] = {{"--entrant", &entrant}};
	char why[WHY_SIZE];

	if (asks_help(argc, argv)) {
		fputs(help, stdout);
		return 0;
	}
	url = take_argument(&argc, argv);
	if (!read_options(argc, argv, options, ARRAY_LEN(options), why, sizeof why))
		return refuse(why);
	if (url == NULL)
		return refuse("give the URL of the event: http://host/v1/events/7");
	return verify_shuffle(url, entrant);
}
