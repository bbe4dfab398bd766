/* Log lines to standard error, one write(2) a line, so that lines of several processes never mix:
 *   2026-11-21T10:00:00.000Z info  message
 * CR, LF, ESC and other control characters in a message are escaped: what a client sends cannot
 * forge a line. */
#ifndef ONSALE_PROTO_BASE_LOG_H
#define ONSALE_PROTO_BASE_LOG_H

#include "proto/base/check.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Lines above this level are dropped; LOG_INFO until said otherwise. */
void log_set_level(enum log_level level);

void log_line(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif
