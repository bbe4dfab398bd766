/* A flow that stands in front of the request's own.
 *   identify_start -> identified -> the route's flow */
#include "server/identify.h"

#include <string.h>
#include "db/store_accounts.h"
#include "server/authenticate.h"
#include "server/flow.h"

struct identify {
	struct flow flow;
	struct request request;
	const struct route *route;
	void (*resume)(struct request *request, const struct route *route);
	struct newcomer newcomer;
	struct store_identify store;
};

static void identified(struct pg_op *op, enum db_result result);

void identify_start(const struct request *request, const struct newcomer *newcomer,
	const struct route *route,
	void (*resume)(struct request *request, const struct route *route))
{
	struct identify *identify = flow_new(sizeof *identify, request);

	if (identify == NULL)
		return;
	identify->request = *request;
	identify->route = route;
	identify->resume = resume;
	identify->newcomer = *newcomer;
	const struct idp_person *person = &identify->newcomer.person;
	identify->store = (struct store_identify){.op = {.done = identified, .owner = identify},
		.issuer = request->app->settings.auth_idp_issuer,
		.subject = person->subject,
		.email = person->email,
		.name = person->name};
	store_identify(request->app->pg, &identify->store);
}

/* The connection is free for the route's flow once this one has ended. */
static void go_on(struct identify *identify)
{
	struct request request = identify->request;
	const struct route *route = identify->route;
	void (*resume)(struct request *, const struct route *) = identify->resume;
	char id[REQUEST_ID_SIZE];

	strcpy(id, identify->flow.request_id);
	request.id = id;
	flow_release(&identify->flow);
	resume(&request, route);
}

static void identified(struct pg_op *op, enum db_result result)
{
	struct identify *identify = op->owner;

	flow_mark(&identify->flow, STAGE_POSTGRESQL);
	if (result != DB_OK) {
		/* It may have happened, and can again: whoever is there already is found. */
		flow_fail_db(&identify->flow, result == DB_UNKNOWN ? DB_UNAVAILABLE : result);
		return;
	}
	authenticate_remember(&identify->request, &identify->newcomer, identify->store.user_id);
	if (identify->flow.conn == NULL) /* and with it all that the request points to */
		flow_release(&identify->flow);
	else
		go_on(identify);
}
