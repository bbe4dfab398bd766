/* Mapped and not allocated: what malloc gives back stays with malloc, and what it may not have is address space
 * (RLIMIT_AS, vm.overcommit_memory=2). A piece is large enough for malloc's own least step, a heap of 1 MiB. */
#include "proto/base/reserve.h"

#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include "proto/base/clock.h"
#include "proto/base/log.h"

enum { PIECES = 16, PIECE_SIZE = 2 << 20, REST_US = 1000 * 1000 };

static struct {
	void *pieces[PIECES];
	unsigned count;
	bool filled; /* once it was whole */
	uint64_t rest_us; /* nothing is taken back, and nothing new begins, before */
	uint64_t next_us; /* when it is tried again to take it back */
} reserve;

void reserve_fill(void)
{
	uint64_t now_us = clock_mono_us_now();

	if (reserve.count == PIECES || now_us < reserve.next_us)
		return;
	reserve.next_us = now_us + REST_US;
	if (reserve.filled)
		malloc_trim(0);
	while (reserve.count < PIECES) {
		void *piece = mmap(NULL, PIECE_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (piece == MAP_FAILED)
			break;
		reserve.pieces[reserve.count++] = piece;
	}
	if (reserve.filled && reserve.count == PIECES)
		log_info("memory can be had again");
	reserve.filled = reserve.filled || reserve.count == PIECES;
}

bool reserve_spend(void)
{
	if (reserve.count == 0)
		return false;
	if (reserve.count == PIECES)
		log_warn("no memory: what is in work lives on a reserve, nothing new begins");
	munmap(reserve.pieces[--reserve.count], PIECE_SIZE);
	reserve.rest_us = reserve.next_us = clock_mono_us_now() + REST_US;
	return true;
}

bool reserve_below_half(void)
{
	return reserve.filled && reserve.count < PIECES / 2;
}

bool reserve_short(void)
{
	return reserve_below_half() ||
	       (reserve.rest_us != 0 && clock_mono_us_now() < reserve.rest_us);
}
