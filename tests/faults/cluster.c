/* config/run/stores.sh makes, starts and ends it, as for `make run`. */
#include "tests/faults/cluster.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "tests/support/database.h"
#include "tests/support/process.h"
#include "tests/support/wait.h"

enum { GONE_LIMIT_MS = 20000, CHILDREN_MOST = 256 };

static void run_stores(
	const struct cluster *cluster, const char *command, bool any_status, struct buf *output)
{
	const char *argv[] = {
		need_env("ONSALE_TEST_STORES"), command, cluster->folder, "postgres", NULL};
	int status = process_run(argv, NULL, NULL, output);

	cr_assert(any_status || status == 0, "stores.sh %s failed: %d", command, status);
}

static void find_pid(struct cluster *cluster)
{
	static const char said[] = "postgres: running, pid ";
	struct buf output = BUF_INIT(PROCESS_OUTPUT_MAX);

	run_stores(cluster, "status", true, &output);
	const char *found = output.len > 0 ? strstr(output.data, said) : NULL;
	cr_assert(found != NULL, "PostgreSQL does not run in %s", cluster->folder);
	cluster->pid = (pid_t)strtol(found + sizeof said - 1, NULL, 10);
	buf_free(&output);
}

/* DATABASE_URL='…' for a shell. */
static void find_url(struct cluster *cluster)
{
	struct buf output = BUF_INIT(PROCESS_OUTPUT_MAX);

	run_stores(cluster, "urls", false, &output);
	char *url = strchr(output.data, '\'');
	cr_assert(url != NULL && strchr(url + 1, '\'') != NULL);
	*strchr(++url, '\'') = '\0';
	setenv("ONSALE_TEST_DATABASE_URL", url, 1);
	PGconn *connection = PQconnectdb(url);
	cr_assert(PQstatus(connection) == CONNECTION_OK, "%s", PQerrorMessage(connection));
	/* Else each recovery begins with a flush of every file, one by one: many seconds of a busy disk. */
	database_run(connection, "ALTER SYSTEM SET recovery_init_sync_method = 'syncfs'");
	database_run(connection, "SELECT pg_reload_conf()");
	cluster->socket.sun_family = AF_UNIX;
	snprintf(cluster->socket.sun_path, sizeof cluster->socket.sun_path, "%s/.s.PGSQL.%s",
		PQhost(connection), PQport(connection));
	PQfinish(connection);
	buf_free(&output);
}

void cluster_open(struct cluster *cluster)
{
	const char *base = getenv("TMPDIR");

	*cluster = (struct cluster){0};
	snprintf(cluster->folder, sizeof cluster->folder, "%s/faults-XXXXXX",
		base != NULL ? base : "/tmp");
	cr_assert(mkdtemp(cluster->folder) != NULL && chmod(cluster->folder, 0711) == 0);
	run_stores(cluster, "start", false, NULL);
	find_pid(cluster);
	find_url(cluster);
}

void cluster_close(struct cluster *cluster)
{
	run_stores(cluster, "wipe", false, NULL);
	remove(cluster->folder);
}

static pid_t parent_of(pid_t pid)
{
	char path[32], text[512] = "";
	int parent = 0;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return 0;
	size_t got = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[got] = '\0';
	const char *after_name = strrchr(text, ')');
	if (after_name == NULL || strlen(after_name) < 4)
		return 0;
	parent = (int)strtol(after_name + 3, NULL, 10);
	return parent;
}

static size_t find_children(pid_t parent, pid_t children[CHILDREN_MOST])
{
	DIR *processes = opendir("/proc");
	size_t count = 0;

	cr_assert(processes != NULL);
	for (const struct dirent *entry; (entry = readdir(processes)) != NULL;) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (pid > 0 && count < CHILDREN_MOST && parent_of(pid) == parent)
			children[count++] = pid;
	}
	closedir(processes);
	return count;
}

/* The postmaster first: then none is born meanwhile. */
void cluster_signal(const struct cluster *cluster, int number)
{
	pid_t children[CHILDREN_MOST];

	kill(cluster->pid, number);
	size_t count = find_children(cluster->pid, children);
	for (size_t i = 0; i < count; i++)
		kill(children[i], number);
}

struct ending {
	pid_t pids[CHILDREN_MOST + 1];
	size_t count;
};

static bool are_gone(void *context)
{
	const struct ending *ending = context;

	for (size_t i = 0; i < ending->count; i++)
		if (kill(ending->pids[i], 0) == 0 || errno != ESRCH)
			return false;
	return true;
}

void cluster_restart(struct cluster *cluster)
{
	const char *argv[] = {
		need_env("ONSALE_TEST_STORES"), "start", cluster->folder, "postgres", NULL};
	struct process_options options = {argv, NULL, -1, -1, -1};
	struct ending ending = {.count = 1};

	ending.pids[0] = cluster->pid;
	ending.count += find_children(cluster->pid, ending.pids + 1);
	kill(cluster->pid, SIGQUIT);
	cr_assert(wait_until(are_gone, &ending, GONE_LIMIT_MS), "PostgreSQL does not end");
	cluster->pid = 0;
	cluster->starter = process_start(&options);
}

bool cluster_is_back(struct cluster *cluster)
{
	int status = 0;

	if (cluster->starter == 0)
		return true;
	if (waitpid(cluster->starter, &status, WNOHANG) == 0)
		return false;
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "PostgreSQL does not start again");
	cluster->starter = 0;
	find_pid(cluster);
	return true;
}
