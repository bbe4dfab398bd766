/* Bug checks: they stay on in release builds. CHECK is for what the code itself promises and for
 * memory that could not be had; what a client, a network or a store may do is handled instead. */
#ifndef ONSALE_PROTO_BASE_CHECK_H
#define ONSALE_PROTO_BASE_CHECK_H

#include <stddef.h>

/* Logs "file:line: what" and aborts. */
_Noreturn void check_failed(const char *file, int line, const char *what);

#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

#define MUST_CHECK __attribute__((warn_unused_result))
#define UNUSED __attribute__((unused))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* The struct that holds the member `field` at `pointer`. */
#define CONTAINER_OF(pointer, type, field) \
	((type *)(void *)((char *)(pointer)-offsetof(type, field)))

/* malloc, calloc, realloc and strdup that draw on the reserve (reserve.h) when memory is out, and abort when
 * that is used up, too: for start-up and for small, bounded objects. The caller frees. */
void *must_malloc(size_t size) __attribute__((malloc, returns_nonnull));
void *must_calloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *must_realloc(void *old, size_t size) __attribute__((returns_nonnull));
char *must_strdup(const char *text) __attribute__((malloc, returns_nonnull));

#endif
