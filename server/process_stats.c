/* A few small reads of /proc, which never wait for a disk. */
#include "server/process_stats.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { COUNTED_MAX = 512, TEXT_SIZE = 1024 };

static void read_text(const char *path, char text[TEXT_SIZE])
{
	FILE *file = fopen(path, "re");
	size_t len = file != NULL ? fread(text, 1, TEXT_SIZE - 1, file) : 0;

	text[len] = '\0';
	if (file != NULL)
		fclose(file);
}

static uint64_t unix_s_of_boot(void)
{
	struct timespec wall, boot;

	if (clock_gettime(CLOCK_REALTIME, &wall) != 0 || clock_gettime(CLOCK_BOOTTIME, &boot) != 0)
		return 0;
	return (uint64_t)(wall.tv_sec - boot.tv_sec);
}

/* The nth word (from 0) of a text as a number; 0 where there is none. */
static uint64_t number_at(const char *text, unsigned nth)
{
	for (; nth > 0; nth--) {
		text += strspn(text, " ");
		text += strcspn(text, " ");
	}
	return strtoull(text, NULL, 10);
}

/* proc(5): the second field, the name, ends at the last parenthesis; the third stands behind it. The 22nd is the start,
 * in ticks since the boot; 23rd and 24th are the memory. */
static void read_stat(struct process_stats *stats)
{
	enum { THIRD = 3, START = 22, VIRTUAL = 23, RESIDENT = 24 };
	uint64_t ticks = (uint64_t)sysconf(_SC_CLK_TCK), page = (uint64_t)sysconf(_SC_PAGESIZE);
	char text[TEXT_SIZE];

	read_text("/proc/self/stat", text);
	const char *rest = strrchr(text, ')');
	if (rest == NULL)
		return;
	rest++;
	stats->started_unix_s = unix_s_of_boot() + number_at(rest, START - THIRD) / ticks;
	stats->virtual_bytes = number_at(rest, VIRTUAL - THIRD);
	stats->resident_bytes = number_at(rest, RESIDENT - THIRD) * page;
}

/* Its second number: nanoseconds on a run queue, of the first thread, which is the loop's. */
static void read_schedstat(struct process_stats *stats)
{
	char text[TEXT_SIZE];

	read_text("/proc/self/schedstat", text);
	stats->core_wait_us = number_at(text, 1) / 1000;
}

static uint64_t count_files(void)
{
	DIR *folder = opendir("/proc/self/fd");
	const struct dirent *entry;
	uint64_t count = 0;

	if (folder == NULL)
		return 0;
	while ((entry = readdir(folder)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count - 1; /* the folder's own */
}

static uint64_t us_of(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_nsec / 1000;
}

struct process_stats process_stats(unsigned connections, uint64_t *others)
{
	struct process_stats stats = {0};
	struct timespec cpu;
	struct rlimit files;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0)
		stats.cpu_us = us_of(&cpu);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		stats.files_max = files.rlim_cur;
	read_stat(&stats);
	read_schedstat(&stats);
	if (connections <= COUNTED_MAX) {
		uint64_t count = count_files();

		*others = count > connections ? count - connections : 0;
	}
	stats.open_files = connections + *others;
	return stats;
}
