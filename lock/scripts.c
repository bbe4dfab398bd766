/* The Lua files, embedded, and the list of those that the Redis of the line loads at each connect; redlock.c has that
 * of its own. */
#include "lock/scripts.h"

#include "lock/seat_lock.h"
#include "proto/base/embed.h"

EMBED(lock_acquire_lua, "lock/acquire.lua");
EMBED(lock_mark_lua, "lock/mark.lua");
EMBED(lock_keys_since_lua, "lock/keys_since.lua");
EMBED(lock_generation_lua, "lock/generation.lua");
EMBED(redlock_acquire_lua, "lock/redlock_acquire.lua");
EMBED(mutex_release_lua, "lock/mutex_release.lua");
EMBED(mutex_extend_lua, "lock/mutex_extend.lua");

const struct redis_script lock_acquire_script = {"lock_acquire", lock_acquire_lua};
const struct redis_script lock_mark_script = {"lock_mark", lock_mark_lua};
const struct redis_script lock_keys_since_script = {"lock_keys_since", lock_keys_since_lua};
const struct redis_script lock_generation_script = {"lock_generation", lock_generation_lua};
const struct redis_script redlock_acquire_script = {"redlock_acquire", redlock_acquire_lua};
const struct redis_script mutex_release_script = {"mutex_release", mutex_release_lua};
const struct redis_script mutex_extend_script = {"mutex_extend", mutex_extend_lua};

const struct redis_script *const lock_scripts[] = {
	&lock_acquire_script,
	&lock_mark_script,
	&lock_keys_since_script,
	&lock_generation_script,
	&mutex_release_script,
	&mutex_extend_script,
	NULL,
};
