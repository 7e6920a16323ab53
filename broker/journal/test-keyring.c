/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A keyring is right when it opens what it sealed, and nothing else: not under another master key, not in
 * another place, not with a byte changed, not once the key is gone.
 */
#include "broker/journal/keyring.h"

#include <errno.h>
#include <sys/stat.h>

#include "proto/base/file.h"
#include "test/kit/check.h"

static const struct keyring_class classes[] = {
	{.number = 1, .content_days = 21, .record_days = 730},
	{.number = 2, .content_days = 90, .record_days = 90},
};
enum { TODAY = 20000 };

struct place_on_disk {
	char dir[512], master[512], file[600];
};

static struct place_on_disk fresh(const char *name)
{
	struct place_on_disk place;
	uint8_t key[32];
	CHECK_INT(crypto_init(), 0);
	snprintf(place.dir, sizeof(place.dir), "%s/%s", check_memdir(), name);
	snprintf(place.master, sizeof(place.master), "%s/%s.master", check_memdir(), name);
	snprintf(place.file, sizeof(place.file), "%s/keyring", place.dir);
	random_fill(key, sizeof(key));
	CHECK_INT(file_replace(place.master, BYTES(key, 32), 0600), 0);
	return place;
}

static struct keyring *opened(const struct place_on_disk *place, bool create)
{
	struct keyring *keyring = NULL;
	CHECK_INT(keyring_open(place->dir, place->master, create, &keyring), 0);
	return keyring;
}

static const struct row_place here = {.table = "record", .sequence = 7, .class = 1};

static void seals_and_opens(void)
{
	struct place_on_disk place = fresh("basic");
	struct keyring *keyring = opened(&place, true);
	uint8_t sealed[200], again[200], plain[200];
	size_t len, plain_len;
	CHECK_INT(keyring_ensure(keyring, TODAY, classes, 2), 0);
	for (uint32_t day = TODAY; day <= TODAY + KEYRING_AHEAD_DAYS; day++) {
		CHECK_INT(row_seal(keyring, &here, day + 730, BYTES_STR("row"), sealed, &len), 0);
		CHECK_INT(len, 3 + ROW_SEAL_OVERHEAD);
		CHECK_INT(row_open(keyring, &here, BYTES(sealed, len), plain, &plain_len), 0);
		CHECK_INT(plain_len, 3);
		CHECK_MEM(plain, "row", 3);
	}
	CHECK_INT(row_seal(keyring, &here, TODAY + 730 + KEYRING_AHEAD_DAYS + 1, BYTES_STR("row"),
			  sealed, &len),
		KEYRING_MISSING);
	/* The same bytes twice do not look alike. */
	CHECK_INT(row_seal(keyring, &here, TODAY + 21, BYTES_STR("row"), sealed, &len), 0);
	CHECK_INT(row_seal(keyring, &here, TODAY + 21, BYTES_STR("row"), again, &len), 0);
	CHECK(memcmp(sealed, again, len) != 0);
	/* Empty values, too. */
	CHECK_INT(row_seal(keyring, &here, TODAY + 21, BYTES("", 0), sealed, &len), 0);
	CHECK_INT(row_open(keyring, &here, BYTES(sealed, len), plain, &plain_len), 0);
	CHECK_INT(plain_len, 0);
	keyring_free(keyring);
}

static void binds_to_place(void)
{
	struct place_on_disk place = fresh("place");
	struct keyring *keyring = opened(&place, true);
	uint8_t sealed[100], plain[100];
	size_t len, plain_len;
	CHECK_INT(keyring_ensure(keyring, TODAY, classes, 2), 0);
	CHECK_INT(row_seal(keyring, &here, TODAY + 90, BYTES_STR("row"), sealed, &len),
		KEYRING_MISSING); /* class 1 has no such day */
	CHECK_INT(row_seal(keyring, &here, TODAY + 21, BYTES_STR("row"), sealed, &len), 0);
	const struct row_place others[] = {
		{.table = "content", .sequence = 7, .class = 1},
		{.table = "record", .sequence = 8, .class = 1},
		{.table = "record", .sequence = 7, .chunk = 1, .class = 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		CHECK_INT(row_open(keyring, &others[i], BYTES(sealed, len), plain, &plain_len),
			KEYRING_BROKEN);
	for (size_t i = 0; i < len; i++) {
		sealed[i] ^= 1;
		CHECK(row_open(keyring, &here, BYTES(sealed, len), plain, &plain_len) != 0);
		sealed[i] ^= 1;
	}
	for (size_t cut = 0; cut < len; cut++)
		CHECK_INT(row_open(keyring, &here, BYTES(sealed, cut), plain, &plain_len),
			KEYRING_BROKEN);
	CHECK_INT(row_open(keyring, &here, BYTES(sealed, len), plain, &plain_len), 0);
	CHECK_INT(row_open(NULL, &here, BYTES(sealed, len), plain, &plain_len), KEYRING_MISSING);
	keyring_free(keyring);
}

static void permanent_rows_are_clear(void)
{
	const struct row_place permanent = {.table = "record", .sequence = 7, .class = 0};
	uint8_t value[100], plain[100];
	size_t len, plain_len;
	CHECK_INT(row_seal(NULL, &permanent, 0, BYTES_STR("row"), value, &len), 0);
	CHECK_INT(len, 4);
	CHECK_INT(row_open(NULL, &permanent, BYTES(value, len), plain, &plain_len), 0);
	CHECK_MEM(plain, "row", 3);
	/* A clear row where a sealed one belongs was put there by somebody. */
	CHECK_INT(row_open(NULL, &here, BYTES(value, len), plain, &plain_len), KEYRING_BROKEN);
	CHECK_INT(row_open(NULL, &permanent, BYTES(value, 0), plain, &plain_len), KEYRING_BROKEN);
}

static void lasts(void)
{
	struct place_on_disk place = fresh("lasts");
	struct keyring *keyring = opened(&place, true), *reader = opened(&place, false);
	uint8_t sealed[100], plain[100];
	size_t len, plain_len;
	struct stat before, after;
	CHECK_INT(keyring_ensure(keyring, TODAY, classes, 2), 0);
	CHECK_INT(stat(place.file, &before), 0);
	CHECK_INT(before.st_mode & 0777, 0600);
	CHECK_INT(keyring_ensure(keyring, TODAY, classes, 2), 0);
	CHECK_INT(stat(place.file, &after), 0);
	CHECK(before.st_ino == after.st_ino); /* nothing missing, nothing written */
	CHECK_INT(row_seal(keyring, &here, TODAY + 21, BYTES_STR("row"), sealed, &len), 0);

	CHECK_INT(row_open(reader, &here, BYTES(sealed, len), plain, &plain_len), KEYRING_MISSING);
	CHECK_INT(keyring_reload(reader), 0);
	CHECK_INT(row_open(reader, &here, BYTES(sealed, len), plain, &plain_len), 0);

	/* The next day: one key more at the far end, the old ones as they were. */
	CHECK_INT(keyring_ensure(keyring, TODAY + 1, classes, 2), 0);
	keyring_free(keyring);
	keyring = opened(&place, true);
	CHECK_INT(row_open(keyring, &here, BYTES(sealed, len), plain, &plain_len), 0);
	CHECK_INT(row_seal(keyring, &here, TODAY + 1 + KEYRING_AHEAD_DAYS + 21, BYTES_STR("row"),
			  sealed, &len),
		0);
	keyring_free(keyring);
	keyring_free(reader);
}

static void refuses_what_is_not_its_own(void)
{
	struct place_on_disk place = fresh("foreign"), other = fresh("other");
	struct keyring *keyring = NULL;
	uint8_t *file;
	size_t len;
	CHECK_INT(keyring_open(place.dir, place.master, false, &keyring), -ENOENT);
	keyring = opened(&place, true);
	CHECK_INT(keyring_ensure(keyring, TODAY, classes, 2), 0);
	keyring_free(keyring);
	keyring = NULL;
	/* Another master key; and with it nothing may be made anew over what is there. */
	CHECK_INT(keyring_open(place.dir, other.master, true, &keyring), KEYRING_BROKEN);
	CHECK_INT(keyring_open(place.dir, "/nonexistent/master", true, &keyring), -ENOENT);
	CHECK_INT(file_read(place.file, 1 << 20, &file, &len), 0);
	for (size_t i = 0; i < len; i += 37) {
		file[i] ^= 0x40;
		CHECK_INT(file_replace(place.file, BYTES(file, len), 0600), 0);
		CHECK_INT(keyring_open(place.dir, place.master, true, &keyring), KEYRING_BROKEN);
		file[i] ^= 0x40;
	}
	CHECK_INT(file_replace(place.file, BYTES(file, 30), 0600), 0);
	CHECK_INT(keyring_open(place.dir, place.master, true, &keyring), KEYRING_BROKEN);
	CHECK_INT(file_replace(place.file, BYTES(file, len), 0644), 0);
	CHECK_INT(keyring_open(place.dir, place.master, true, &keyring), -EACCES);
	CHECK_INT(chmod(place.file, 0600), 0);
	CHECK_INT(chmod(place.master, 0644), 0);
	CHECK_INT(keyring_open(place.dir, place.master, true, &keyring), -EACCES);
	CHECK_INT(chmod(place.master, 0600), 0);
	CHECK_INT(file_replace(other.master, BYTES("short", 5), 0600), 0);
	CHECK_INT(keyring_open(place.dir, other.master, true, &keyring), KEYRING_BROKEN);
	keyring = opened(&place, false);
	keyring_free(keyring);
	free(file);
}

CHECK_MAIN(CHECK_CASE(seals_and_opens), CHECK_CASE(binds_to_place),
	CHECK_CASE(permanent_rows_are_clear), CHECK_CASE(lasts),
	CHECK_CASE(refuses_what_is_not_its_own))
