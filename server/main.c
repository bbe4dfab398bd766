/* onsale: the commands. */
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "proto/base/check.h"
#include "server/commands.h"

static const struct command {
	const char *name, *summary;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"serve", "run the server", command_serve},
	{"migrate", "bring the database's schema up to date", command_migrate},
	{"users", "create people in bulk and print their tokens, for load tests", command_users},
	{"admin", "make an operator; the password is read from standard input", command_admin},
	{"demo", "load the demo: two people, two events", command_demo},
	{"verify-shuffle", "check how a pre-sale line was shuffled, from what is published",
		command_verify_shuffle},
	{"config", "print every setting, its value, where it came from", command_config},
	{"routes", "print every call: method, path, who may make it", command_routes},
};

static void usage(FILE *out)
{
	fputs("onsale: an on-sale server: a waiting line, seat holds, payments\n\n"
	      "usage: onsale COMMAND [--help] [options] [--section.key=value …]\n\n",
		out);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(out, "  %-14s %s\n", commands[i].name, commands[i].summary);
	fputs("\nSettings come from --config FILE (config/onsale.conf where there is one), then from the\n"
	      "environment (ONSALE_SECTION_KEY, DATABASE_URL, REDIS_URL …), then from flags.\n",
		out);
}

/* libsodium's own generator (ChaCha20, keyed by the kernel's randomness) in place of a system call for each number:
 * a poll draws two. */
static bool open_random(void)
{
	return randombytes_set_implementation(&randombytes_internal_implementation) == 0 &&
	       sodium_init() >= 0;
}

int main(int argc, char **argv)
{
	if (!open_random()) {
		fputs("onsale: libsodium cannot be used\n", stderr);
		return 1;
	}
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage(argc < 2 ? stderr : stdout);
		return argc < 2 ? 2 : 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc, argv);
	fprintf(stderr, "onsale: '%s' is no command\n\n", argv[1]);
	usage(stderr);
	return 2;
}
