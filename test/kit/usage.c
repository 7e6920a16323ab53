/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * "Nothing else is disturbed" includes what a daemon keeps after the disturbance has gone: memory and
 * descriptors are looked at from outside, where a daemon cannot be wrong about itself.
 */
#include "test/kit/usage.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

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

static uint64_t number_at(const char *p)
{
	uint64_t value;

	CHECK_INT(text_parse_u64(BYTES(p, strspn(p, "0123456789")), &value), 0);
	return value;
}

double usage_cpu_s(pid_t pid)
{
	enum {
		FIELDS_BEFORE = 12
	}; /* user time, and then system time, after the end of the name */
	char path[64], line[1024];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *file = fopen(path, "re");
	CHECK(file && fgets(line, sizeof(line), file));
	fclose(file);
	const char *p = strrchr(line, ')'); /* the name itself may hold spaces */
	for (int i = 0; p && i < FIELDS_BEFORE; i++)
		p = strchr(p + 1, ' ');
	CHECK(p);
	uint64_t user = number_at(p + 1);
	p = strchr(p + 1, ' ');
	CHECK(p);
	return (double)(user + number_at(p + 1)) / (double)sysconf(_SC_CLK_TCK);
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
