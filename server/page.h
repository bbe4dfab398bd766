/* after= and limit= of the calls that give a list a page at a time, and flags like available=true. */
#ifndef ONSALE_SERVER_PAGE_H
#define ONSALE_SERVER_PAGE_H

#include <stdbool.h>
#include <stdint.h>

struct flow;
struct request;

enum { PAGE_LIMIT_DEFAULT = 50, PAGE_LIMIT_MAX = 200 };

struct page {
	int64_t after; /* an id; 0 where none was given */
	int64_t limit; /* 1 to PAGE_LIMIT_MAX, or what the call allows */
};

/* False where one of them is wrong, and the flow was ended (422). */
bool page_read(struct flow *flow, const struct request *request, struct page *page);

/* … with another highest limit, for long lists of small items. */
bool page_read_up_to(
	struct flow *flow, const struct request *request, int64_t limit_max, struct page *page);

/* A parameter that is true or false; *flag is false where it was not given. Returns false where it is
 * neither, and the flow was ended (422). */
bool query_flag(struct flow *flow, const struct request *request, const char *name, bool *flag);

#endif
