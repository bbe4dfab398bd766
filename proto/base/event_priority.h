/* In which order libevent runs what is due: what the stores have answered before all else, a crowd of clients last.
 * Whoever says nothing has EVENT_OTHERS, as libevent's own choice is the middle one. */
#ifndef ONSALE_PROTO_BASE_EVENT_PRIORITY_H
#define ONSALE_PROTO_BASE_EVENT_PRIORITY_H

enum event_priority { EVENT_STORES, EVENT_OTHERS, EVENT_CLIENTS, EVENT_PRIORITIES };

#endif
