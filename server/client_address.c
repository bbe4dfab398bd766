/* X-Forwarded-For is looked for only where somebody may send it. */
#include "server/client_address.h"

#include "server/flow.h"
#include "server/net.h"

struct address client_address_of(const struct networks *trusted, const struct conn *conn)
{
	const struct address *peer = conn_peer(conn);

	if (trusted->count == 0)
		return *peer;
	return forwarded_client(trusted, peer, http_header(conn_parser(conn), "x-forwarded-for"));
}

struct address client_address(const struct request *request)
{
	return client_address_of(&request->app->trusted_proxies, request->conn);
}
