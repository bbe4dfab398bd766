/* Queue tokens, passes and sign-up challenges. The first byte picks the way in: r signs what the input says and
 * changes the text as it says, else the rest is a text as a client sends it. What verifies was signed, in its one
 * spelling; each is of one kind only; and another secret's is of none. */
#include "proto/token.h"

#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"
#include "tests/fuzz/fuzz.h"

static struct token_key *key, *foreign;

int LLVMFuzzerInitialize(int *argc UNUSED, char ***argv UNUSED)
{
	static const char ours[] = "a secret of the queue, long enough";
	static const char theirs[] = "a secret of the queue, long enougH";

	token_key_free(token_key_new(ours, strlen(ours)));
	key = token_key_new(ours, strlen(ours));
	foreign = token_key_new(theirs, strlen(theirs));
	return 0;
}

/* A text that verifies is the text that signing gives, to the byte. */
static void check_text(const char *text)
{
	struct queue_token token;
	struct queue_pass pass;
	struct signup_challenge challenge;
	char again[TOKEN_TEXT_SIZE];

	CHECK(!queue_token_verify(foreign, text, &token) &&
		!queue_pass_verify(foreign, text, &pass) &&
		!signup_challenge_verify(foreign, text, &challenge));
	bool is_token = queue_token_verify(key, text, &token);
	bool is_pass = queue_pass_verify(key, text, &pass);
	bool is_challenge = signup_challenge_verify(key, text, &challenge);
	CHECK(is_token + is_pass + is_challenge <= 1);
	if (is_token)
		queue_token_sign(key, &token, again);
	if (is_pass)
		queue_pass_sign(key, &pass, again);
	if (is_challenge)
		signup_challenge_sign(key, &challenge, again);
	CHECK((!is_token && !is_pass && !is_challenge) || strcmp(again, text) == 0);
}

static void sign_token(const struct queue_token *token, char text[TOKEN_TEXT_SIZE])
{
	struct queue_token again;

	queue_token_sign(key, token, text);
	CHECK(queue_token_verify(key, text, &again) && memcmp(token, &again, sizeof again) == 0);
}

static void sign_pass(const struct queue_pass *pass, char text[TOKEN_TEXT_SIZE])
{
	struct queue_pass again;

	queue_pass_sign(key, pass, text);
	CHECK(queue_pass_verify(key, text, &again) && memcmp(pass, &again, sizeof again) == 0);
}

static void sign_challenge(const struct signup_challenge *challenge, char text[TOKEN_TEXT_SIZE])
{
	struct signup_challenge again;

	signup_challenge_sign(key, challenge, text);
	CHECK(signup_challenge_verify(key, text, &again));
	CHECK(memcmp(challenge, &again, sizeof again) == 0);
}

/* A pseudonym is the same each time, and another secret's is another one. */
static void check_entrant(int64_t event_id, int64_t user_id)
{
	uint8_t entrant[ENTRANT_SIZE], again[ENTRANT_SIZE], other[ENTRANT_SIZE];

	entrant_of(key, event_id, user_id, entrant);
	entrant_of(key, event_id, user_id, again);
	entrant_of(foreign, event_id, user_id, other);
	CHECK(memcmp(entrant, again, sizeof entrant) == 0);
	CHECK(memcmp(entrant, other, sizeof entrant) != 0);
}

static void sign(struct fuzz_input *input, uint64_t kind, char text[TOKEN_TEXT_SIZE])
{
	int64_t fields[4];

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		fields[i] = (int64_t)fuzz_take(input, 8);
	check_entrant(fields[0], fields[1]);
	if (kind == 0)
		sign_token(&(struct queue_token){fields[0], fields[1], fields[2], fields[3]}, text);
	else if (kind == 1)
		sign_pass(
			&(struct queue_pass){fields[0], fields[1], (uint64_t)fields[2], fields[3]},
			text);
	else
		sign_challenge(
			&(struct signup_challenge){fields[0], fields[1], (uint64_t)fields[2]},
			text);
}

static bool verifies(uint64_t kind, const char *text)
{
	struct queue_token token;
	struct queue_pass pass;
	struct signup_challenge challenge;

	if (kind == 0)
		return queue_token_verify(key, text, &token);
	return kind == 1 ? queue_pass_verify(key, text, &pass)
			 : signup_challenge_verify(key, text, &challenge);
}

/* Bytes of the text are changed (what is XORed with 0 stays), then it is cut or made longer. */
static void check_changed(struct fuzz_input *input)
{
	uint64_t kind = fuzz_take(input, 1) % 3;
	char text[TOKEN_TEXT_SIZE + 1] = "", changed[TOKEN_TEXT_SIZE + 1] = "";

	sign(input, kind, text);
	size_t len = strlen(text);
	memcpy(changed, text, sizeof text);
	for (int i = 0; i < 4 && input->left > 0; i++) {
		size_t at = fuzz_take(input, 1) % (len + 1);
		changed[at] = (char)(changed[at] ^ (char)fuzz_take(input, 1));
	}
	changed[TOKEN_TEXT_SIZE] = '\0';
	CHECK(verifies(kind, changed) == (strcmp(text, changed) == 0));
	check_text(changed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct fuzz_input input = {bytes, len};

	if (len > 0 && bytes[0] == 'r') {
		fuzz_take(&input, 1);
		check_changed(&input);
		return 0;
	}
	char *text = fuzz_take_rest(&input);
	check_text(text);
	free(text);
	return 0;
}
