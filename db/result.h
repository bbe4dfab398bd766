/* How an operation on a store went: what both stores say, in no library's words. */
#ifndef ONSALE_DB_RESULT_H
#define ONSALE_DB_RESULT_H

enum db_result {
	DB_OK,
	DB_UNAVAILABLE, /* it was never sent, or the store refused it whole: nothing happened */
	DB_BUSY, /* a queue is full, or a lock was not had in time: nothing happened */
	DB_FAILED, /* the store answered with an error: nothing happened; logged */
	DB_UNKNOWN /* it was sent and no answer came: it may have happened */
};

#endif
