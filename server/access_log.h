/* Which requests get a line of the log (access_line.h), and what is gathered for it: the observer tells of every one
 * at its end. Reads that anybody may make are so many that one in log.poll_sample speaks for them, as long as they
 * succeed; what is refused, and whatever changes something, always has its line. */
#ifndef ONSALE_SERVER_ACCESS_LOG_H
#define ONSALE_SERVER_ACCESS_LOG_H

struct access_log;
struct networks;
struct observation;
struct settings;

/* trusted: the proxies whose X-Forwarded-For is believed; the caller's, for as long as the log lives. NULL where
 * log.requests says that there are no lines. */
struct access_log *access_log_new(const struct settings *settings, const struct networks *trusted);
void access_log_free(struct access_log *log);

/* For observer_tell; `context` is the struct access_log. */
void access_log_note(void *context, const struct observation *observation);

#endif
