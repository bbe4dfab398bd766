/* What has been counted, for Prometheus. */
#include "server/flow.h"
#include "server/flows.h"
#include "server/metrics.h"

/* Some hundred bytes a line, and some thousand lines where a hundred lines of people are shown. */
enum { METRICS_MAX = 1024 * 1024 };

void metrics_start(const struct request *request)
{
	struct flow *flow = flow_new(sizeof *flow, request);
	struct buf out = BUF_INIT(METRICS_MAX);

	if (flow == NULL)
		return;
	metrics_write(&out, request->app);
	flow_reply(flow, 200, "text/plain; version=0.0.4; charset=utf-8",
		"Cache-Control: no-store\r\n", out.data, out.len);
	buf_free(&out);
}
