/* Checks the shuffle of a pre-sale line from what a server publishes of it, and nothing else. Blocks. */
#ifndef ONSALE_SERVER_VERIFY_SHUFFLE_H
#define ONSALE_SERVER_VERIFY_SHUFFLE_H

/* url: of the event, http(s)://host/v1/events/7; entrant: a pseudonym whose position is asked for, or NULL. Says
 * on standard output what is right, on standard error the first thing that is not; 0, or 1. */
int verify_shuffle(const char *url, const char *entrant);

#endif
