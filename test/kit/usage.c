/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * "Nothing else is disturbed" includes what a daemon keeps after the disturbance has gone: memory and
 * descriptors are looked at from outside, where a daemon cannot be wrong about itself.
 */
#include "test/kit/usage.h"

#include <dirent.h>
#include <stdio.h>

#include "proto/base/text.h"
#include "test/kit/check.h"

uint64_t usage_anonymous_bytes(pid_t pid)
{
	static const char field[] = "RssAnon:";
	char path[64], line[256];
	uint64_t kib = 0;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *file = fopen(path, "re");
	CHECK(file);
	while (!found && fgets(line, sizeof(line), file)) {
		if (strncmp(line, field, sizeof(field) - 1) != 0)
			continue;
		const char *digits = line + sizeof(field) - 1 +
				     strspn(line + sizeof(field) - 1, " \t");
		found = text_parse_u64(BYTES(digits, strspn(digits, "0123456789")), &kib) == 0;
	}
	fclose(file);
	CHECK(found);
	return kib * 1024;
}

size_t usage_files(pid_t pid)
{
	char path[64];
	size_t count = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	DIR *dir = opendir(path);
	CHECK(dir);
	for (struct dirent *e; (e = readdir(dir));)
		count += e->d_name[0] != '.';
	closedir(dir);
	return count;
}
