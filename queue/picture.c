/* Bits in words of 64, the highest first, as Redis has them; eight words are a block, a cache line of most
 * machines. */
#include "queue/picture.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum { WORD = 64, BLOCK_WORDS = 8, BLOCK = WORD * BLOCK_WORDS, BLOCK_BYTES = BLOCK / 8 };

void picture_drop(struct picture *picture)
{
	free(picture->bits);
	free(picture->before);
	*picture = (struct picture){0};
}

/* Room for so many blocks, as it is: a line mostly stays as long as it was. */
static bool reserve(struct picture *picture, size_t blocks)
{
	if (picture->blocks == blocks)
		return true;
	picture_drop(picture);
	picture->bits = malloc(blocks * BLOCK_BYTES);
	picture->before = malloc(blocks * sizeof *picture->before);
	if (picture->bits == NULL || picture->before == NULL) {
		picture_drop(picture);
		return false;
	}
	picture->blocks = blocks;
	return true;
}

static unsigned count(uint64_t word)
{
	return (unsigned)__builtin_popcountll(word);
}

static void sum(struct picture *picture)
{
	uint32_t before = 0;

	for (size_t block = 0; block < picture->blocks; block++) {
		picture->before[block] = before;
		for (size_t i = 0; i < BLOCK_WORDS; i++)
			before += count(picture->bits[block * BLOCK_WORDS + i]);
	}
}

void picture_take(struct picture *picture, int64_t epoch_start, int64_t first_byte,
	const char *bytes, size_t len, int64_t older)
{
	size_t blocks = len / BLOCK_BYTES + 1;

	if (!reserve(picture, blocks))
		return;
	memcpy(picture->bits, bytes, len);
	memset((char *)picture->bits + len, 0, blocks * BLOCK_BYTES - len);
	for (size_t i = 0; i < blocks * BLOCK_WORDS; i++)
		picture->bits[i] = be64toh(picture->bits[i]);
	picture->first = epoch_start + first_byte * 8;
	picture->older = older;
	sum(picture);
}

static bool covers(const struct picture *picture, int64_t number)
{
	return number >= picture->first &&
	       number - picture->first < (int64_t)(picture->blocks * BLOCK);
}

static uint64_t mask(size_t at)
{
	return UINT64_C(1) << (WORD - 1 - at % WORD);
}

bool picture_find(const struct picture *picture, int64_t number, int64_t *ahead)
{
	if (!covers(picture, number))
		return false;
	size_t at = (size_t)(number - picture->first), word = at / WORD;

	if ((picture->bits[word] & mask(at)) == 0)
		return false;
	unsigned in_block = count(picture->bits[word] & ~(mask(at) | (mask(at) - 1)));
	for (size_t i = word / BLOCK_WORDS * BLOCK_WORDS; i < word; i++)
		in_block += count(picture->bits[i]);
	*ahead = picture->older + picture->before[word / BLOCK_WORDS] + in_block;
	return true;
}

void picture_forget(struct picture *picture, int64_t number)
{
	if (!covers(picture, number))
		return;
	size_t at = (size_t)(number - picture->first);

	picture->bits[at / WORD] &= ~mask(at);
}
