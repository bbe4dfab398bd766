/* An event as it sells, once a second, for an operator's console: what its stats say.
 *   live_start -> admin_stats_start -> (its reply) open
 *        ask -> (the access token has ended: end) -> admin_stats_start -> (its reply) event */
#include "proto/base/clock.h"
#include "server/flows.h"
#include "server/revocations.h"
#include "server/stream.h"

struct live {
	struct stream stream;
	int64_t event_id;
	struct digest token; /* as log-outs know it */
	int64_t token_expires_unix_s;
};

static bool token_stands(const struct live *live)
{
	return live->token_expires_unix_s > clock_unix_ms() / 1000 &&
	       !revocations_have_digest(live->stream.app->revocations, &live->token);
}

static void ask(struct stream *stream)
{
	struct live *live = (struct live *)stream;
	struct request request = stream_request(stream, PRIORITY_OPERATOR);

	if (!token_stands(live)) {
		stream_end_problem(stream, PROBLEM_UNAUTHORIZED);
		return;
	}
	request.path_ids[0] = live->event_id;
	admin_stats_start(&request);
}

void live_start(const struct request *request)
{
	static const struct stream_kind kind = {ask, NULL, 1000};
	struct request opening;
	struct live *live = stream_new(sizeof *live, &kind, request, &opening);

	if (live == NULL)
		return;
	live->event_id = request->path_ids[0];
	live->token = revocation_digest(request->token);
	live->token_expires_unix_s = request->token_expires_unix_s;
	admin_stats_start(&opening);
}
