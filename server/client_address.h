/* Who a request comes from, behind whatever proxies http.trusted_proxies names. */
#ifndef ONSALE_SERVER_CLIENT_ADDRESS_H
#define ONSALE_SERVER_CLIENT_ADDRESS_H

#include "proto/address.h"

struct request;

struct address client_address(const struct request *request);

#endif
