/* malloc, calloc and realloc of the program that loads this first (LD_PRELOAD): which calls fail is said by another
 * process, in memory that both map. libfiu does the same and is told through a FIFO by a thread of its own, which
 * needs memory itself and was seen to hang for want of it; here nothing is allocated, opened or waited for once
 * main has begun, and the same numbers fail the same calls. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "tests/support/allocations.h"

/* The C library's own, under the names that it keeps for this. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static struct allocations *shared; /* NULL: nothing fails */

__attribute__((constructor)) static void map_shared(void)
{
	const char *path = getenv(ALLOCATIONS_ENV);
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	void *mapped = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	shared = mapped != MAP_FAILED ? mapped : NULL;
}

/* Splitmix64: a number's place among the calls decides, whichever thread makes it. */
static uint64_t scatter(uint64_t number)
{
	number += UINT64_C(0x9e3779b97f4a7c15);
	number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
	return number ^ number >> 31;
}

static bool fails(void)
{
	if (shared == NULL)
		return false;
	uint64_t number = atomic_fetch_add(&shared->asked, 1),
		 one_in = atomic_load(&shared->one_in);
	if (one_in == 0 || number < atomic_load(&shared->first) || scatter(number) % one_in != 0)
		return false;
	if (atomic_fetch_sub(&shared->left, 1) <= 0) {
		atomic_fetch_add(&shared->left, 1);
		return false;
	}
	atomic_fetch_add(&shared->failed, 1);
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

/* What is made smaller or given back (size 0) never fails here: neither does the C library's. */
void *realloc(void *old, size_t size)
{
	return size > 0 && fails() ? NULL : __libc_realloc(old, size);
}
