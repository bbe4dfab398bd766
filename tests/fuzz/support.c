/* Bytes into numbers and texts; xorshift for what a target picks by itself. */
#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"
#include "tests/fuzz/fuzz.h"

uint64_t fuzz_take(struct fuzz_input *input, unsigned bytes)
{
	uint64_t value = 0;

	for (; bytes > 0; bytes--) {
		value = value << 8 | (input->left > 0 ? *input->at : 0);
		input->at += input->left > 0;
		input->left -= input->left > 0;
	}
	return value;
}

static char *take_text(struct fuzz_input *input, size_t len)
{
	char *text = must_malloc(len + 1);

	if (len > 0)
		memcpy(text, input->at, len);
	text[len] = '\0';
	input->at += len;
	input->left -= len;
	return text;
}

char *fuzz_take_line(struct fuzz_input *input)
{
	const uint8_t *end = input->left > 0 ? memchr(input->at, '\n', input->left) : NULL;
	char *line = take_text(input, end != NULL ? (size_t)(end - input->at) : input->left);

	if (end != NULL)
		fuzz_take(input, 1);
	return line;
}

char *fuzz_take_rest(struct fuzz_input *input)
{
	return take_text(input, input->left);
}

/* FNV-1a. */
uint64_t fuzz_seed(const uint8_t *bytes, size_t len)
{
	uint64_t seed = 0xcbf29ce484222325;

	for (size_t i = 0; i < len; i++)
		seed = (seed ^ bytes[i]) * 0x100000001b3;
	return seed != 0 ? seed : 1;
}

uint64_t fuzz_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}
