/* The lines' ends are found once; the texts stay where they are mapped. */
#include "bench/swarm/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_CAP = 1024 };

static void append(struct lines *lines, size_t *cap, const char *start, const char *end)
{
	const char *space = memrchr(start, ' ', (size_t)(end - start));
	const char *word = space != NULL ? space + 1 : start;

	if (lines->count == *cap) {
		*cap = *cap == 0 ? FIRST_CAP : *cap * 2;
		lines->list = must_realloc(lines->list, *cap * sizeof *lines->list);
	}
	lines->list[lines->count++] = (struct line){word, (size_t)(end - word)};
}

static void split(struct lines *lines, size_t skip)
{
	const char *at = lines->mapped, *file_end = at + lines->mapped_len;
	size_t cap = 0;

	while (at < file_end) {
		const char *end = memchr(at, '\n', (size_t)(file_end - at));
		if (end == NULL)
			end = file_end;
		if (skip > 0)
			skip--;
		else
			append(lines, &cap, at, end);
		at = end + 1;
	}
}

static bool map(struct lines *lines, int fd)
{
	struct stat found;

	if (fstat(fd, &found) != 0)
		return false;
	lines->mapped_len = (size_t)found.st_size;
	if (lines->mapped_len == 0)
		return true;
	void *mapped = mmap(NULL, lines->mapped_len, PROT_READ, MAP_PRIVATE, fd, 0);
	lines->mapped = mapped == MAP_FAILED ? NULL : mapped;
	return lines->mapped != NULL;
}

bool lines_read(struct lines *lines, const char *path, size_t skip, char *why, size_t why_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool mapped = fd >= 0 && map(lines, fd);

	if (!mapped)
		snprintf(why, why_size, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (!mapped)
		return false;
	split(lines, skip);
	if (lines->count == 0)
		snprintf(why, why_size, "%s has no lines%s", path, skip > 0 ? " left" : "");
	return lines->count > 0;
}

void lines_free(struct lines *lines)
{
	if (lines->mapped != NULL)
		munmap(lines->mapped, lines->mapped_len);
	free(lines->list);
	*lines = (struct lines){0};
}
