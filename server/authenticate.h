/* Who asks, by the request's access token: ours, or the outside identity provider's, whose people are users here
 * from their first request on. A token is verified once and remembered until it expires, and so is which user an
 * identity provider's person is: who comes again costs no check of a signature and no query. */
#ifndef ONSALE_SERVER_AUTHENTICATE_H
#define ONSALE_SERVER_AUTHENTICATE_H

#include "proto/digest.h"
#include "proto/idp.h"

struct access_token_key;
struct request;
struct settings;

/* The key of our own tokens. */
struct access_token_key *authenticate_key(const struct settings *settings);

enum authentication {
	AUTHENTICATION_REFUSED, /* no token, or not a valid one */
	AUTHENTICATION_DONE, /* the request knows its user now */
	AUTHENTICATION_NEW /* a valid token of somebody whose user this process does not know */
};

struct newcomer {
	struct idp_person person;
	struct digest token, identity;
};

/* Fills in the request's members of the access token, with AUTHENTICATION_NEW only its text: *newcomer says who it
 * is. Says nothing of log-outs. */
enum authentication authenticate(struct request *request, struct newcomer *newcomer);

/* A newcomer's user was found: the request knows it now, and so does whatever comes after it. */
void authenticate_remember(
	struct request *request, const struct newcomer *newcomer, int64_t user_id);

#endif
