/* A picture of a line, as a tick found it: which numbers of the newest epoch wait. With it a poll is answered
 * without asking Redis, exactly, as of that tick: a bit a place, and a sum for every 512 of them.
 *
 *   bits    |head … 512 numbers … |… 512 numbers … |…
 *   before  0                     how many wait     …
 *
 * Pure. A zeroed struct is a valid picture that shows nobody. */
#ifndef ONSALE_QUEUE_PICTURE_H
#define ONSALE_QUEUE_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct picture {
	int64_t waiting; /* people in the line, of all epochs */
	uint64_t taken_ms; /* monotonic */
	/* picture.c's */
	int64_t first; /* the number that the first bit stands for */
	int64_t older; /* places of older epochs: in front of all that it shows */
	uint64_t *bits;
	uint32_t *before;
	size_t blocks;
};

/* bytes: of a Redis bitmap (bit 0 is the first byte's highest), in which the bit at offset n stands for number
 * epoch_start + n, from byte `first_byte` on. Without memory it shows nobody. */
void picture_take(struct picture *picture, int64_t epoch_start, int64_t first_byte,
	const char *bytes, size_t len, int64_t older);

/* How many stand in front of a number that waits; false where it shows no such number. */
bool picture_find(const struct picture *picture, int64_t number, int64_t *ahead);

/* Has left since. */
void picture_forget(struct picture *picture, int64_t number);

/* It shows nobody; gives the memory back. */
void picture_drop(struct picture *picture);

#endif
