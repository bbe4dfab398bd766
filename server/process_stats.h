/* What the system says of this process (/proc), read when it is asked for. Where it says nothing, a number is 0. */
#ifndef ONSALE_SERVER_PROCESS_STATS_H
#define ONSALE_SERVER_PROCESS_STATS_H

#include <stdint.h>

struct process_stats {
	uint64_t cpu_us; /* that all its threads computed */
	uint64_t core_wait_us; /* that the loop's thread was ready to compute and had no core */
	uint64_t resident_bytes, virtual_bytes;
	uint64_t started_unix_s;
	uint64_t open_files, files_max;
};

/* connections: the clients' that are open. Above some hundred of them, counting all files would take milliseconds:
 * then those are counted, and `*others` beside them as they were when they last were few. */
struct process_stats process_stats(unsigned connections, uint64_t *others);

#endif
