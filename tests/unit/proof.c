/* Proofs of work: the same hash as anybody computes it, and one bit too few. */
#include "proto/proof.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include "proto/base/check.h"

/* A nonce that answers; false where none of the first `tries` does. */
static bool work(const char *email, unsigned bits, unsigned long tries, char nonce[24])
{
	for (unsigned long i = 0; i < tries; i++) {
		snprintf(nonce, 24, "%lu", i);
		if (proof_holds("challenge", email, nonce, bits))
			return true;
	}
	return false;
}

/* By another program: python3 -c "import hashlib; print(hashlib.sha256(b'challenge:a@b.test:NONCE').hexdigest())",
 * and the zero bits in front counted. */
Test(proof, is_the_hash_that_the_document_says)
{
	static const struct {
		const char *nonce;
		unsigned bits;
	} examples[] = {{"0", 0}, {"2", 1}, {"29", 4}, {"110", 7}, {"2125", 8}, {"429", 9},
		{"368", 12}, {"40154", 15}, {"167171", 16}, {"4730", 17}};

	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		const char *nonce = examples[i].nonce;
		unsigned bits = examples[i].bits;
		cr_expect(proof_holds("challenge", "a@b.test", nonce, bits), "%s", nonce);
		cr_expect(proof_holds("challenge", "A@B.Test", nonce, bits), "%s", nonce);
		cr_expect_not(proof_holds("challenge", "a@b.test", nonce, bits + 1), "%s", nonce);
	}
}

Test(proof, is_for_one_challenge_and_one_address)
{
	char nonce[24];

	cr_assert(work("a@b.test", 12, 1000000, nonce));
	cr_expect(proof_holds("challenge", "a@b.test", nonce, 12));
	cr_expect_not(proof_holds("challengf", "a@b.test", nonce, 12));
	cr_expect_not(proof_holds("challenge", "c@b.test", nonce, 12));
	cr_expect_not(proof_holds("challenge:a@b.test", "", nonce, 12));
	cr_expect(proof_holds("x", "y", "z", 0));
}
