/* Address space put by for the moment in which the system gives no more. What must have memory (must_malloc and
 * its like) is given it piece by piece, so that what is in work can be brought to its end; for a second after
 * that, and while less than half is left, new work is refused. Untouched pages: it costs no memory before it is
 * needed.
 *
 * One a process, as the memory is; not for several threads. A process that never fills it has none. */
#ifndef ONSALE_PROTO_BASE_RESERVE_H
#define ONSALE_PROTO_BASE_RESERVE_H

#include <stdbool.h>

/* Takes what is missing; a process that is short of memory gets what there is. */
void reserve_fill(void);

/* Gives a piece back to the system, for the caller to ask again; false: none is left. */
bool reserve_spend(void);

/* Memory could not be had a moment ago: nothing new should begin. Half: not even for a refusal. */
bool reserve_short(void);
bool reserve_below_half(void);

#endif
