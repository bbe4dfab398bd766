#include "tests/support/allocations.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "tests/support/process.h"
#include "tests/support/world.h"

static struct allocations *map_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	cr_assert(fd >= 0 && ftruncate(fd, sizeof(struct allocations)) == 0, "%s", path);
	void *mapped = mmap(
		NULL, sizeof(struct allocations), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	cr_assert(mapped != MAP_FAILED);
	return mapped;
}

static void add_env(struct world *world, const char *variable)
{
	size_t count = 0;

	while (world->env[count] != NULL)
		count++;
	cr_assert(count + 1 < sizeof world->env / sizeof *world->env);
	world->env[count] = variable;
	world->env[count + 1] = NULL;
}

struct world *allocations_world(
	const struct world_options *options, struct allocations **allocations)
{
	struct world_options unmigrated = *options;

	unmigrated.unmigrated = true;
	setenv("ONSALE_TEST_SERVER", need_env("ONSALE_TEST_SERVER_PLAIN"), 1);
	struct world *world = world_open(&unmigrated);
	const char *path = textf(world, "%s/allocations", world->folder);
	*allocations = map_file(path);
	add_env(world, textf(world, "LD_PRELOAD=%s", need_env("ONSALE_TEST_PRELOAD")));
	add_env(world, textf(world, "%s=%s", ALLOCATIONS_ENV, path));
	world_migrate(world);
	world_start(world);
	return world;
}

void allocations_close(struct world *world, struct allocations *allocations)
{
	munmap(allocations, sizeof *allocations);
	world_close(world);
}

void allocations_fail(
	struct allocations *allocations, uint64_t after, uint64_t one_in, int64_t count)
{
	atomic_store(&allocations->first, atomic_load(&allocations->asked) + after);
	atomic_store(&allocations->left, count);
	atomic_store(&allocations->one_in, one_in);
}

void allocations_succeed(struct allocations *allocations)
{
	atomic_store(&allocations->one_in, 0);
}
