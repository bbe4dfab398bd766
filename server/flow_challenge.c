/* What a sign-up must do some work for: made afresh for whoever asks, and kept nowhere.
 *   challenge_start -> end */
#include <sodium.h>
#include "proto/base/buf.h"
#include "proto/base/clock.h"
#include "proto/token.h"
#include "server/flow.h"
#include "server/flows.h"

enum { REPLY_MAX = 512 };

void challenge_start(const struct request *request)
{
	struct flow *flow = flow_new(sizeof *flow, request);
	const struct settings *settings = &request->app->settings;
	char text[TOKEN_TEXT_SIZE];
	struct buf body = BUF_INIT(REPLY_MAX);

	if (flow == NULL)
		return;
	struct signup_challenge challenge = {.bits = settings->signup_proof_bits,
		.expires_unix_ms = clock_unix_ms() + 1000 * settings->signup_proof_ttl_seconds};
	randombytes_buf(&challenge.nonce, sizeof challenge.nonce);
	signup_challenge_sign(request->app->token_key, &challenge, text);
	buf_printf(&body,
		"{\"challenge\":\"%s\",\"bits\":%lld,\"expires_in\":%lld,\"algorithm\":\"sha256\"}",
		text, (long long)challenge.bits, (long long)settings->signup_proof_ttl_seconds);
	CHECK(!body.failed);
	flow_reply_json(flow, 200, body.data, body.len);
	buf_free(&body);
}
