/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The same target that a fuzzer drives replays, as an ordinary test, what was ever found or written down
 * for it. Around each input it also tries what a fuzzer would try first, the same in every run: all
 * prefixes and some thousand damaged copies. Files are taken in the order of their names.
 */
#include <dirent.h>
#include <stdint.h>
#include <sys/stat.h>

#include "proto/base/cleanup.h"
#include "proto/base/file.h"
#include "test/fuzz/target.h"
#include "test/kit/check.h"

enum {
	INPUT_BYTES_MAX = 1 << 20,
	PREFIXES_MAX = 4096,
	DAMAGED = 2000,
	PATH_BYTES = 4096,
};

static uint64_t number(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

/* A copy of exactly its size, so that the sanitizer sees a read past the end. */
static void run(const uint8_t *data, size_t size)
{
	_cleanup_(heap_free) uint8_t *copy = malloc(size > 0 ? size : 1);
	CHECK(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
}

static size_t damage(uint64_t *random, uint8_t *buf, size_t len, size_t room)
{
	for (size_t times = 1 + number(random) % 5; times > 0 && len > 1; times--) {
		size_t at = number(random) % len, size = 1 + number(random) % (len - at);
		switch (number(random) % 5) {
		case 0:
			buf[at] = (uint8_t)number(random);
			break;
		case 1:
			buf[at] ^= (uint8_t)(1u << number(random) % 8);
			break;
		case 2:
			len = at;
			break;
		case 3:
			memmove(buf + at, buf + at + size, len - at - size);
			len -= size;
			break;
		default:
			if (len + size > room)
				break;
			memmove(buf + at + size, buf + at, len - at);
			len += size;
		}
	}
	return len;
}

static void replay_around(const uint8_t *data, size_t size)
{
	size_t room = 2 * size + 1;
	_cleanup_(heap_free) uint8_t *buf = malloc(room);
	uint64_t random = 1;
	CHECK(buf != NULL);
	for (size_t prefix = 0; prefix < size && prefix < PREFIXES_MAX; prefix++)
		run(data, prefix);
	for (size_t i = 0; i < DAMAGED && size > 0; i++) {
		memcpy(buf, data, size);
		run(buf, damage(&random, buf, size, room));
	}
}

static void replay_file(const char *path)
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	size_t size = 0;
	const char *name = strrchr(path, '/');
	if (file_read(path, INPUT_BYTES_MAX, &data, &size) != 0)
		CHECK_FAIL("%s cannot be read", path);
	run(data, size);
	replay_around(data, size);
	printf("ok - %s\n", name ? name + 1 : path);
	fflush(stdout);
}

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static size_t replay_folder(const char *path)
{
	struct dirent **entries = NULL;
	int count = scandir(path, &entries, is_input, alphasort);
	if (count < 0)
		CHECK_FAIL("%s cannot be listed", path);
	for (int i = 0; i < count; i++) {
		char file[PATH_BYTES];
		CHECK_INT(path_join(file, sizeof(file), path, entries[i]->d_name), 0);
		replay_file(file);
		free(entries[i]);
	}
	free(entries);
	return (size_t)count;
}

int main(int argc, char **argv)
{
	size_t replayed = 0;
	for (int i = 1; i < argc; i++) {
		struct stat st;
		if (stat(argv[i], &st) < 0)
			CHECK_FAIL("%s is not there", argv[i]);
		if (S_ISDIR(st.st_mode)) {
			replayed += replay_folder(argv[i]);
		} else {
			replay_file(argv[i]);
			replayed++;
		}
	}
	if (replayed == 0)
		CHECK_FAIL("usage: %s FILE|FOLDER...", argv[0]);
	return 0;
}
