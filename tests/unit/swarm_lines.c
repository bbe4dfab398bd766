/* The files of tokens that bench/swarm reads. */
#include "bench/swarm/lines.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WHY_SIZE = 256 };

/* True where a file with this text is read; what is wrong else is in `why`. */
static bool read_text(struct lines *lines, const char *text, size_t skip, char why[WHY_SIZE])
{
	char path[] = "/tmp/onsale-lines-XXXXXX";
	int fd = mkstemp(path);

	cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	bool good = lines_read(lines, path, skip, why, WHY_SIZE);
	unlink(path);
	return good;
}

static void expect_line(const struct lines *lines, size_t i, const char *text)
{
	cr_assert_lt(i, lines->count);
	cr_expect(lines->list[i].len == strlen(text) &&
			  strncmp(lines->list[i].text, text, strlen(text)) == 0,
		"%.*s", (int)lines->list[i].len, lines->list[i].text);
}

Test(swarm_lines, the_last_word_of_each)
{
	struct lines lines = {0};
	char why[WHY_SIZE];

	cr_assert(read_text(&lines, "1 ab.c\n22 d\nalone\n\nthe end", 0, why));
	cr_expect_eq(lines.count, 5);
	expect_line(&lines, 0, "ab.c");
	expect_line(&lines, 1, "d");
	expect_line(&lines, 2, "alone");
	expect_line(&lines, 3, "");
	expect_line(&lines, 4, "end");
	lines_free(&lines);
	cr_expect_eq(lines.count, 0);
}

Test(swarm_lines, skips_those_of_others)
{
	struct lines lines = {0};
	char why[WHY_SIZE];

	cr_assert(read_text(&lines, "1 a\n2 b\n3 c\n", 2, why));
	cr_expect_eq(lines.count, 1);
	expect_line(&lines, 0, "c");
	lines_free(&lines);
}

Test(swarm_lines, thousands)
{
	static char text[64 * 1024];
	struct lines lines = {0};
	char why[WHY_SIZE], number[16];
	size_t len = 0;

	for (int i = 0; i < 5000; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "%d t%d\n", i, i);
	cr_assert(read_text(&lines, text, 0, why));
	cr_expect_eq(lines.count, 5000);
	for (int i = 0; i < 5000; i++) {
		snprintf(number, sizeof number, "t%d", i);
		expect_line(&lines, (size_t)i, number);
	}
	lines_free(&lines);
}

Test(swarm_lines, nothing_to_read)
{
	struct lines lines = {0};
	char why[WHY_SIZE] = "";

	cr_expect(!read_text(&lines, "", 0, why));
	cr_expect(strstr(why, "has no lines") != NULL, "%s", why);
	lines_free(&lines);
	cr_expect(!read_text(&lines, "1 a\n", 1, why));
	cr_expect(strstr(why, "has no lines left") != NULL, "%s", why);
	lines_free(&lines);
	cr_expect(!lines_read(&lines, "/nowhere/at/all", 0, why, sizeof why));
	cr_expect(strstr(why, "/nowhere/at/all: No such file") != NULL, "%s", why);
	lines_free(&lines);
}
