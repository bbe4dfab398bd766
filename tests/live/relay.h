/* A relay in front of the test's PostgreSQL, on the test's own event loop: it can be absent at first, fall
 * silent, and cut all connections, at the moment that a test chooses. */
#ifndef ONSALE_TESTS_LIVE_RELAY_H
#define ONSALE_TESTS_LIVE_RELAY_H

#include <stdbool.h>

enum { RELAY_URL_SIZE = 1024 };

struct event_base;
struct relay;

/* target: a url of PostgreSQL. Nothing listens yet. */
struct relay *relay_new(struct event_base *base, const char *target);
void relay_free(struct relay *relay);

/* Where clients find it: on a Unix socket, known before anything listens there … */
void relay_url(const struct relay *relay, char url[RELAY_URL_SIZE]);
/* … or on a port of this machine, under the name localhost. */
void relay_tcp_url(const struct relay *relay, char url[RELAY_URL_SIZE]);

void relay_listen(struct relay *relay);
void relay_listen_tcp(struct relay *relay);

/* From now on what the server says is lost on the way. */
void relay_mute(struct relay *relay, bool mute);

/* Closes all connections, on both sides. */
void relay_cut(struct relay *relay);

/* Connections taken so far. */
unsigned relay_accepted(const struct relay *relay);

#endif
