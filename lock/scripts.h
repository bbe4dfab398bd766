/* The Lua of this room, for seat_lock.c and mutex.c. Each file says what its keys and arguments are. */
#ifndef ONSALE_LOCK_SCRIPTS_H
#define ONSALE_LOCK_SCRIPTS_H

#include "db/redis.h"

/* Of mark.lua: key and arguments before the first owner, arguments of an owner before his seats, and states. */
enum { MARK_HEAD_ARGS = 3, MARK_ARGS = 4 };
#define MARK_HELD "H"
#define MARK_SOLD "S"
#define MARK_LOCKING "L"
#define MARK_FREE ""

extern const struct redis_script lock_acquire_script;
extern const struct redis_script lock_mark_script;
extern const struct redis_script lock_keys_since_script;
extern const struct redis_script lock_generation_script;
extern const struct redis_script redlock_acquire_script;
extern const struct redis_script mutex_release_script;
extern const struct redis_script mutex_extend_script;

#endif
