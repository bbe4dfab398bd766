/* A folder, and not a list in the settings: a key is added or taken away by adding or taking away its file. */
#include "server/idp_keys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "proto/base/log.h"
#include "proto/idp.h"
#include "server/app.h"
#include "server/known_people.h"

enum { PATH_SIZE = 1024 };

static const char SUFFIX[] = ".pem";

/* The length of the kid in a file's name; 0 where it is not the name of a key. */
static size_t kid_len(const char *name)
{
	size_t len = strlen(name), suffix = sizeof SUFFIX - 1;

	if (name[0] == '.' || len <= suffix || strcmp(name + len - suffix, SUFFIX) != 0)
		return 0;
	return len - suffix;
}

static bool read_key(
	struct idp *idp, const char *folder, const char *name, char *why, size_t why_size)
{
	char path[PATH_SIZE], pem[IDP_PEM_MAX + 1], kid[NAME_MAX + 1], reason[160];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	snprintf(kid, sizeof kid, "%.*s", (int)kid_len(name), name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t len = fd >= 0 ? read(fd, pem, sizeof pem) : -1;
	bool added = false;
	if (len < 0)
		snprintf(reason, sizeof reason, "%s", strerror(errno));
	else if (len == sizeof pem)
		snprintf(reason, sizeof reason, "it has more than %d bytes", IDP_PEM_MAX);
	else
		added = idp_add_key(idp, kid, pem, (size_t)len, reason, sizeof reason);
	if (fd >= 0)
		close(fd);
	if (!added)
		snprintf(why, why_size, "auth.idp_keys: %s: %s", path, reason);
	return added;
}

static bool read_folder(struct idp *idp, const char *folder, char *why, size_t why_size)
{
	DIR *dir = opendir(folder);
	const struct dirent *file;
	size_t keys = 0;
	bool good = true;

	if (dir == NULL) {
		snprintf(why, why_size, "auth.idp_keys: %s: %s", folder, strerror(errno));
		return false;
	}
	while (good && (file = readdir(dir)) != NULL) {
		if (kid_len(file->d_name) == 0)
			continue;
		good = read_key(idp, folder, file->d_name, why, why_size);
		keys++;
	}
	closedir(dir);
	if (good && keys == 0)
		snprintf(why, why_size, "auth.idp_keys: %s: there is no KID.pem in it", folder);
	return good && keys > 0;
}

struct idp *idp_keys_read(const struct settings *settings, char *why, size_t why_size)
{
	struct idp *idp = idp_new(settings->auth_idp_issuer, settings->auth_idp_audience,
		settings->auth_idp_algorithm);

	if (read_folder(idp, settings->auth_idp_keys, why, why_size))
		return idp;
	idp_free(idp);
	return NULL;
}

void idp_keys_read_again(struct app *app)
{
	char why[512];
	struct idp *idp = idp_keys_read(&app->settings, why, sizeof why);

	if (idp == NULL) {
		log_error("%s; the keys read before stay in force", why);
		return;
	}
	idp_free(app->idp);
	app->idp = idp;
	known_people_forget(app->known_tokens);
	log_info("the identity provider's keys were read again");
}
