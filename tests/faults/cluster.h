/* A PostgreSQL of the run's own, which may be frozen, killed and started again without harm to other tests. */
#ifndef ONSALE_TESTS_FAULTS_CLUSTER_H
#define ONSALE_TESTS_FAULTS_CLUSTER_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

enum { CLUSTER_PATH_SIZE = 160 };

struct cluster {
	char folder[CLUSTER_PATH_SIZE];
	pid_t pid; /* of the postmaster; 0: does not run */
	pid_t starter; /* that brings it back; 0: nobody does */
	struct sockaddr_un socket;
};

/* Makes it, starts it, and lets tests/support/database.h make its databases there. */
void cluster_open(struct cluster *cluster);
void cluster_close(struct cluster *cluster);

/* SIGSTOP or SIGCONT to all its processes. */
void cluster_signal(const struct cluster *cluster, int number);

/* Ends it without a checkpoint (SIGQUIT), waits until all of it is gone, and begins to start it again. */
void cluster_restart(struct cluster *cluster);

/* True once it is back. */
bool cluster_is_back(struct cluster *cluster);

#endif
