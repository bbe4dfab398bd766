/* Queue tokens and passes. The first byte picks the way in: r signs what the input says and changes the text as
 * it says, else the rest is a text as a client sends it. What verifies was signed, in its one spelling; a token is
 * no pass, nor a pass a token; and another secret's is neither. */
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

	key = token_key_new(ours, strlen(ours));
	foreign = token_key_new(theirs, strlen(theirs));
	return 0;
}

/* A text that verifies is the text that signing gives, to the byte. */
static void check_text(const char *text)
{
	struct queue_token token;
	struct queue_pass pass;
	char again[TOKEN_TEXT_SIZE];

	CHECK(!queue_token_verify(foreign, text, &token) &&
		!queue_pass_verify(foreign, text, &pass));
	bool is_token = queue_token_verify(key, text, &token);
	bool is_pass = queue_pass_verify(key, text, &pass);
	CHECK(!is_token || !is_pass);
	if (is_token)
		queue_token_sign(key, &token, again);
	if (is_pass)
		queue_pass_sign(key, &pass, again);
	CHECK((!is_token && !is_pass) || strcmp(again, text) == 0);
}

static void sign(struct fuzz_input *input, bool is_pass, char text[TOKEN_TEXT_SIZE])
{
	struct queue_token token = {.event_id = (int64_t)fuzz_take(input, 8),
				   .user_id = (int64_t)fuzz_take(input, 8),
				   .number = (int64_t)fuzz_take(input, 8),
				   .seen_unix_ms = (int64_t)fuzz_take(input, 8)},
			   token_again;
	struct queue_pass pass = {token.event_id, token.user_id, (uint64_t)token.number,
				  token.seen_unix_ms},
			  pass_again;

	if (is_pass) {
		queue_pass_sign(key, &pass, text);
		CHECK(queue_pass_verify(key, text, &pass_again));
		CHECK(memcmp(&pass, &pass_again, sizeof pass) == 0);
	} else {
		queue_token_sign(key, &token, text);
		CHECK(queue_token_verify(key, text, &token_again));
		CHECK(memcmp(&token, &token_again, sizeof token) == 0);
	}
}

/* Bytes of the text are changed (what is XORed with 0 stays), then it is cut or made longer. */
static void check_changed(struct fuzz_input *input)
{
	bool is_pass = fuzz_take(input, 1) & 1;
	char text[TOKEN_TEXT_SIZE + 1] = "", changed[TOKEN_TEXT_SIZE + 1] = "";
	struct queue_token token;
	struct queue_pass pass;

	sign(input, is_pass, text);
	size_t len = strlen(text);
	memcpy(changed, text, sizeof text);
	for (int i = 0; i < 4 && input->left > 0; i++) {
		size_t at = fuzz_take(input, 1) % (len + 1);
		changed[at] = (char)(changed[at] ^ (char)fuzz_take(input, 1));
	}
	changed[TOKEN_TEXT_SIZE] = '\0';
	bool verified = is_pass ? queue_pass_verify(key, changed, &pass)
				: queue_token_verify(key, changed, &token);
	CHECK(verified == (strcmp(text, changed) == 0));
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
