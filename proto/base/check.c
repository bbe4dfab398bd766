/* Where a bug check ends: one log line, written at once, then abort, so that a core file shows the state as it
 * was. */
#include "proto/base/check.h"

#include <stdlib.h>
#include <string.h>
#include "proto/base/log.h"
#include "proto/base/reserve.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
	log_last_words("%s:%d: check failed: %s", file, line, what);
	abort();
}

/* Each of these asks again as long as the reserve has something to give. */
void *must_malloc(size_t size)
{
	void *memory;

	do
		memory = malloc(size > 0 ? size : 1);
	while (memory == NULL && reserve_spend());
	CHECK(memory != NULL);
	return memory;
}

void *must_calloc(size_t count, size_t size)
{
	void *memory;

	do
		memory = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
	while (memory == NULL && reserve_spend());
	CHECK(memory != NULL);
	return memory;
}

void *must_realloc(void *old, size_t size)
{
	void *memory;

	do
		memory = realloc(old, size > 0 ? size : 1);
	while (memory == NULL && reserve_spend());
	CHECK(memory != NULL);
	return memory;
}

char *must_strdup(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(must_malloc(size), text, size);
}
