/* X-Forwarded-For is looked for only where somebody may send it. */
#include "server/client_address.h"

#include "server/flow.h"
#include "server/net.h"

struct address client_address(const struct request *request)
{
	const struct networks *trusted = &request->app->trusted_proxies;
	const struct address *peer = conn_peer(request->conn);

	if (trusted->count == 0)
		return *peer;
	return forwarded_client(trusted, peer, http_header(request->parser, "x-forwarded-for"));
}
