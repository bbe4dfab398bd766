/* Parks a request whose person came by the outside identity provider and is not known in this process, until
 * PostgreSQL has said which user it is; then the request goes on as if it had been known. */
#ifndef ONSALE_SERVER_IDENTIFY_H
#define ONSALE_SERVER_IDENTIFY_H

struct newcomer;
struct request;
struct route;

/* `resume` is called later, at most once, with the request as it was and its user: not where the client went away
 * or the request was refused meanwhile. What the request points to lives as long as its connection. */
void identify_start(const struct request *request, const struct newcomer *newcomer,
	const struct route *route,
	void (*resume)(struct request *request, const struct route *route));

#endif
