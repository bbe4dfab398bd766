/* What the fuzz targets share. A target is one file: libFuzzer calls its LLVMFuzzerTestOneInput with bytes, and a
 * property that does not hold ends in CHECK, which aborts, so that the input is kept. The same bytes always do
 * the same: whatever is random in a target comes from a seed that the bytes make. */
#ifndef ONSALE_TESTS_FUZZ_FUZZ_H
#define ONSALE_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include "proto/base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Takes bytes off the input's front; zeros once it is used up. */
struct fuzz_input {
	const uint8_t *at;
	size_t left;
};

uint64_t fuzz_take(struct fuzz_input *input, unsigned bytes);

/* Up to the next newline (not included), or the end; a text with its NUL, which the caller frees. A NUL in the
 * input ends it early. */
char *fuzz_take_line(struct fuzz_input *input);

/* All that is left; the caller frees. */
char *fuzz_take_rest(struct fuzz_input *input);

/* A seed that the bytes make, never 0, and the next number of it. */
uint64_t fuzz_seed(const uint8_t *bytes, size_t len);
uint64_t fuzz_random(uint64_t *seed);

#endif
