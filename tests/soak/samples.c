/* smaps_rollup counts pages exactly, where statm is kept up to date only now and then. */
#include "tests/soak/samples.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

static double read_rss_kib(pid_t pid)
{
	char path[64], line[256];
	long kib = -1;

	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
	FILE *file = fopen(path, "re");
	cr_assert(file != NULL, "%s cannot be read", path);
	while (kib < 0 && fgets(line, sizeof line, file) != NULL)
		if (strncmp(line, "Rss:", 4) == 0)
			kib = strtol(line + 4, NULL, 10);
	fclose(file);
	cr_assert(kib > 0, "%s says nothing of Rss", path);
	return (double)kib;
}

static double count_fds(pid_t pid)
{
	char path[64];
	double count = 0;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	DIR *folder = opendir(path);
	cr_assert(folder != NULL, "%s cannot be read", path);
	for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

void samples_take(struct samples *samples, pid_t pid, double at_s)
{
	cr_assert(samples->count < SAMPLES_MAX);
	samples->list[samples->count++] = (struct sample){at_s, read_rss_kib(pid), count_fds(pid)};
}

struct trend samples_trend(const struct samples *samples, double from_s)
{
	double n = 0, t = 0, tt = 0, rss = 0, t_rss = 0, fds = 0, t_fds = 0, first_s = 0,
	       last_s = 0;

	for (size_t i = 0; i < samples->count; i++) {
		const struct sample *sample = &samples->list[i];
		double at = sample->at_s - from_s;

		if (at < 0)
			continue;
		first_s = n > 0 ? first_s : at;
		last_s = at;
		n += 1;
		t += at;
		tt += at * at;
		rss += sample->rss_kib;
		t_rss += at * sample->rss_kib;
		fds += sample->fds;
		t_fds += at * sample->fds;
	}
	double divisor = n * tt - t * t, length_s = last_s - first_s;
	cr_assert(n >= 2 && divisor > 0, "too few samples for a line");
	return (struct trend){.count = (size_t)n,
		.rss_kib = rss / n,
		.rss_percent = (n * t_rss - t * rss) / divisor * length_s / (rss / n) * 100,
		.fds = fds / n,
		.fds_gained = (n * t_fds - t * fds) / divisor * length_s};
}
