/* Who a request comes from, behind whatever proxies http.trusted_proxies names. */
#ifndef ONSALE_SERVER_CLIENT_ADDRESS_H
#define ONSALE_SERVER_CLIENT_ADDRESS_H

#include "proto/address.h"

struct conn;
struct request;

struct address client_address(const struct request *request);

/* … of the request that the connection has at hand. */
struct address client_address_of(const struct networks *trusted, const struct conn *conn);

#endif
