/* Mapped and not allocated: what malloc gives back stays with malloc, and what it may not have is address space
 * (RLIMIT_AS, vm.overcommit_memory=2). A piece is large enough for malloc's own least step, a heap of 1 MiB. */
#include "proto/base/reserve.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include "proto/base/clock.h"
#include "proto/base/log.h"

enum { PIECES = 16, PIECE_SIZE = 2 << 20, FILL_EVERY_US = 100 * 1000 };

static struct {
	void *pieces[PIECES];
	unsigned count;
	bool filled; /* once it was whole */
	uint64_t next_us; /* when it may be filled again */
} reserve;

void reserve_fill(void)
{
	uint64_t now_us = clock_mono_us_now();
	unsigned before = reserve.count;

	if (reserve.count == PIECES || now_us < reserve.next_us)
		return;
	reserve.next_us = now_us + FILL_EVERY_US;
	while (reserve.count < PIECES) {
		void *piece = mmap(NULL, PIECE_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (piece == MAP_FAILED)
			break;
		reserve.pieces[reserve.count++] = piece;
	}
	if (reserve.filled && before < PIECES && reserve.count == PIECES)
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
	reserve.next_us = clock_mono_us_now() + FILL_EVERY_US;
	return true;
}

bool reserve_short(void)
{
	return reserve.filled && reserve.count < PIECES;
}

bool reserve_below_half(void)
{
	return reserve.filled && reserve.count < PIECES / 2;
}
