/* For those who run it: is the loop turning, may traffic come. */
#include <string.h>
#include "server/flow.h"
#include "server/flows.h"

void livez_start(const struct request *request)
{
	struct flow *flow = flow_new(sizeof *flow, request);

	if (flow != NULL)
		flow_reply_json(flow, 200, "{\"status\":\"ok\"}", strlen("{\"status\":\"ok\"}"));
}

/* Without PostgreSQL nothing is sold; without Redis selling goes on. */
void readyz_start(const struct request *request)
{
	struct flow *flow = flow_new(sizeof *flow, request);
	const struct app *app = request->app;
	bool degraded = app_degraded(app);

	if (flow == NULL)
		return;
	if (app->draining || !app_ready(app)) {
		flow_fail_extra(flow, PROBLEM_UNAVAILABLE,
			app->draining ? ",\"down\":[\"draining\"]" : ",\"down\":[\"postgresql\"]",
			NULL);
		return;
	}
	const char *body = degraded ? "{\"status\":\"ok\",\"degraded\":[\"redis\"]}"
				    : "{\"status\":\"ok\",\"degraded\":[]}";
	flow_reply_json(flow, 200, body, strlen(body));
}
