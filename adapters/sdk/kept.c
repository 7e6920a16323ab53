/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Roots change over the years, a policy on paper does not. Remembering "this one was good" would do for
 * whoever trusts our disk; keeping the chain does for everybody, and an auditor may copy it.
 */
#include "adapters/sdk/kept.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/file.h"
#include "proto/base/text.h"

#define ENDING ".signed"

int kept_init(struct kept *kept, const char *state)
{
	return path_join(kept->dir, sizeof(kept->dir), state, "registries");
}

static int path_of(const struct kept *kept, uint64_t version, char *path, size_t size)
{
	char name[64];
	snprintf(name, sizeof(name), "%llu" ENDING, (unsigned long long)version);
	return path_join(path, size, kept->dir, name);
}

int kept_put(const struct kept *kept, const struct registry *registry)
{
	char path[4096];
	int r = dir_make(kept->dir, 0700);
	if (r == 0)
		r = path_of(kept, registry_version(registry), path, sizeof(path));
	return r ? r : file_replace(path, registry_signed_bytes(registry), 0644);
}

/* ---- the way from the policy ---- */

static int version_of(const char *name, uint64_t *ret)
{
	size_t len = strlen(name), end = strlen(ENDING);
	if (len <= end || strcmp(name + len - end, ENDING) != 0)
		return 1;
	return text_parse_u64(BYTES(name, len - end), ret);
}

static int version_compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void closedir_or_null(DIR *dir)
{
	if (dir)
		closedir(dir);
}
DEFINE_CLEANUP(DIR *, closedir_or_null);

/* One more, or in the place of the lowest: which ones are left must not depend on the order of the folder. */
static void take_version(uint64_t *versions, size_t *count, uint64_t version)
{
	size_t lowest = 0;
	if (*count < KEPT_VERSIONS_MAX) {
		versions[(*count)++] = version;
		return;
	}
	for (size_t i = 1; i < *count; i++)
		if (versions[i] < versions[lowest])
			lowest = i;
	if (version > versions[lowest])
		versions[lowest] = version;
}

/* Versions in the folder up to @newest, rising. Return: 0 or negative errno. */
static int list(const struct kept *kept, uint64_t newest, uint64_t *versions, size_t *ret_count)
{
	uint64_t version;
	_cleanup_(closedir_or_null) DIR *dir = opendir(kept->dir);
	const struct dirent *entry;
	*ret_count = 0;
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir)))
		if (version_of(entry->d_name, &version) == 0 && version <= newest)
			take_version(versions, ret_count, version);
	qsort(versions, *ret_count, sizeof(*versions), version_compare);
	return 0;
}

static bool is_same(const struct registry *a, const struct registry *b)
{
	uint8_t x[HASH_SIZE], y[HASH_SIZE];
	registry_note_digest(a, x);
	registry_note_digest(b, y);
	return memcmp(x, y, HASH_SIZE) == 0;
}

/* One version further, when the file can be read and follows; what does not is passed over. */
static int step(const struct kept *kept, const struct policy *policy, uint64_t version,
	struct registry **last)
{
	_cleanup_(registry_unref) struct registry *next = NULL;
	char path[4096], ignored[512];
	int r = path_of(kept, version, path, sizeof(path));
	if (r == 0)
		r = registry_read(path, *last ? NULL : policy, &next, ignored, sizeof(ignored));
	if (r == 0 && *last)
		r = registry_check_successor(*last, next);
	if (r)
		return r == -ENOMEM ? r : 0;
	registry_unref(*last);
	*last = steal(&next);
	return 0;
}

int kept_leads_to(
	const struct kept *kept, const struct policy *policy, const struct registry *registry)
{
	_cleanup_(heap_free) uint64_t *versions = calloc(KEPT_VERSIONS_MAX, sizeof(*versions));
	_cleanup_(registry_unref) struct registry *last = NULL;
	size_t count = 0;
	int r = versions ? list(kept, registry_version(registry), versions, &count) : -ENOMEM;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = step(kept, policy, versions[i], &last);
	if (r || !last)
		return r ? r : KEPT_BROKEN;
	if (is_same(last, registry))
		return 0;
	r = registry_check_successor(last, registry);
	return r > 0 ? KEPT_BROKEN : r;
}
