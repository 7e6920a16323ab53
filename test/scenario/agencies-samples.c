/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The published XJustiz message with its attachment, from folder to folder: not a byte may change.
 */
#include "proto/base/file.h"
#include "test/kit/check.h"
#include "test/scenario/town.h"

static void sample_with_attachment(void)
{
	struct town town;
	char letter[TOWN_PATH], path[TOWN_PATH], source[2][512], building[TOWN_PATH];
	static const char *const names[] = {"nachricht.xml", "attachment.pdf"};
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "data/xjustiz/%s", names[i]);
		const char *shared = check_shared(path);
		if (!shared)
			check_skip("the sample messages are not here");
		snprintf(source[i], sizeof(source[i]), "%s", shared);
	}
	town_init(&town);
	town_start(&town);
	path_to(&town, building, "city/in/.building");
	CHECK_INT(dir_make(building, 0700), 0);
	for (size_t i = 0; i < 2; i++) {
		_cleanup_(heap_free) uint8_t *data = NULL;
		size_t len = 0;
		CHECK_INT(file_read(source[i], 1 << 20, &data, &len), 0);
		path_to(&town, path, "city/in/.building/%s", names[i]);
		put(path, BYTES(data, len));
	}
	path_to(&town, path, "city/in/xjustiz");
	CHECK_INT(rename(building, path), 0);
	path_to(&town, path, "jobcenter/out");
	wait_for_letter(path, "-document", letter);
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%.800s/%s", letter, names[i]);
		same_file(source[i], path);
	}
	town_deinit(&town);
}

CHECK_MAIN(CHECK_CASE(sample_with_attachment))
