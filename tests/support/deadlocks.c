/* The setting must be there before the servers connect. */
#include "tests/support/deadlocks.h"

#include <criterion/criterion.h>
#include "proto/base/check.h"

struct world *deadlocks_world_open(const struct world_options *options)
{
	static const char *const more[] = {"--db.batch_lock_timeout_ms=4000", WORLD_PATIENCE};
	struct world_options watched = *options;

	world_options_add(&watched, more, ARRAY_LEN(more));
	watched.unmigrated = true;
	struct world *world = world_open(&watched);
	world_migrate(world);
	database_run(world->db, textf(world, "ALTER DATABASE %s SET deadlock_timeout = '10ms'",
					world->database_name));
	world_start(world);
	return world;
}

/* They are counted when a backend ends, so it is asked after the instances have. */
void deadlocks_check(struct world *world)
{
	for (unsigned i = 0; i < world->options.instances; i++)
		instance_stop(&world->instances[i]);
	int64_t deadlocks = database_i64(world->db,
		"SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()", 0,
		NULL);
	cr_assert(deadlocks == 0, "PostgreSQL had to break %lld deadlocks", (long long)deadlocks);
}
