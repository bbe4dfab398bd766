/* Deadlocks in PostgreSQL: none may happen, and none goes unseen. */
#ifndef ONSALE_TESTS_SUPPORT_DEADLOCKS_H
#define ONSALE_TESTS_SUPPORT_DEADLOCKS_H

#include "tests/support/world.h"

/* A world in which PostgreSQL looks for deadlocks at once, and no lock's time is over before it does. */
struct world *deadlocks_world_open(const struct world_options *options);

/* Stops the instances, and fails where PostgreSQL had to break a deadlock since the world was opened. */
void deadlocks_check(struct world *world);

#endif
