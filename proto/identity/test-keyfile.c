/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Key files are written by us and edited by people: what we write must be read back, what people do to it
 * must be refused with the line and a remedy, and no sentence may show what is in a secret file.
 */
#include "proto/identity/keyfile.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/identity/keytext.h"
#include "test/kit/check.h"

/* base64 of "a seed that is not secret at all" */
#define SEED "YSBzZWVkIHRoYXQgaXMgbm90IHNlY3JldCBhdCBhbGw="

static const uint8_t seed[SIGN_SEED_SIZE] = "a seed that is not secret at all";

static void ring_make(struct keyring_secret *ring)
{
	*ring = (struct keyring_secret){.owner = "jobcenter", .count = 3};
	struct bytes owner = BYTES_STR(ring->owner);
	CHECK_INT(crypto_init(), 0);
	CHECK_INT(key_from_seed(KEY_SIGN, owner, seed, &ring->keys[0]), 0);
	CHECK_INT(key_generate(KEY_SEAL, owner, &ring->keys[1]), 0);
	CHECK_INT(key_generate(KEY_TRANSPORT, owner, &ring->keys[2]), 0);
}

static const char *path_in(char path[PATH_MAX], const char *dir, const char *name)
{
	CHECK_INT(path_join(path, PATH_MAX, dir, name), 0);
	return path;
}

static const char *folder_make(char path[PATH_MAX], const char *name)
{
	path_in(path, check_tmpdir(), name);
	CHECK_INT(dir_make(path, 0700), 0);
	return path;
}

static void text_write(const char *path, const char *text, mode_t mode)
{
	CHECK_INT(file_replace(path, BYTES_STR(text), mode), 0);
}

static void what_is_written_is_read(void)
{
	_cleanup_(keyring_secret_deinit) struct keyring_secret ring = {0}, read = {0};
	struct keyring_public public;
	char dir[PATH_MAX], path[PATH_MAX], error[256] = "";
	struct stat st;
	ring_make(&ring);
	folder_make(dir, "round");
	CHECK_INT(keyfile_write(dir, "jobcenter", &ring), 0);

	CHECK_INT(keyfile_read_secret(path_in(path, dir, "jobcenter.secret"), &read, error, 256), 0);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 07777, 0600);
	CHECK_INT(keyfile_read_public(path_in(path, dir, "jobcenter.keys"), &public, error, 256), 0);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 07777, 0644);
	CHECK_INT(read.count, 3);
	CHECK_INT(public.count, 3);
	CHECK_STR(read.owner, "jobcenter");
	CHECK_STR(public.owner, "jobcenter");
	for (size_t i = 0; i < 3; i++) {
		CHECK_MEM(read.keys[i], ring.keys[i], sizeof(*read.keys[i]));
		CHECK_MEM(&public.keys[i], &ring.keys[i]->pub, sizeof(public.keys[i]));
	}
	CHECK(keyring_secret_find(&read, KEY_SEAL) == read.keys[1]);
	CHECK(keyring_secret_find(&read, KEY_ROOT) == NULL);
}

static void nothing_is_overwritten(void)
{
	_cleanup_(keyring_secret_deinit) struct keyring_secret ring = {0};
	char dir[PATH_MAX], path[PATH_MAX];
	_cleanup_(heap_free) uint8_t *text = NULL;
	size_t len;
	ring_make(&ring);
	folder_make(dir, "taken");
	text_write(path_in(path, dir, "a.secret"), "precious", 0600);
	CHECK_INT(keyfile_write(dir, "a", &ring), -EEXIST);
	CHECK_INT(file_read(path, 100, &text, &len), 0);
	CHECK_INT(len, 8);
	CHECK_INT(access(path_in(path, dir, "a.keys"), F_OK), -1);

	/* Only the public half is in the way: no secret may be left behind either. */
	text_write(path_in(path, dir, "b.keys"), "precious", 0644);
	CHECK_INT(keyfile_write(dir, "b", &ring), -EEXIST);
	CHECK_INT(access(path_in(path, dir, "b.secret"), F_OK), -1);
	CHECK_INT(keyfile_write(path_in(path, dir, "absent"), "c", &ring), -ENOENT);
}

static void readable_by_others_is_refused(void)
{
	static const mode_t unsafe[] = {0640, 0604, 0660, 0644, 0610};
	_cleanup_(keyring_secret_deinit) struct keyring_secret ring = {0};
	char dir[PATH_MAX], path[PATH_MAX], error[512];
	folder_make(dir, "unsafe");
	path_in(path, dir, "x.secret");
	for (size_t i = 0; i < sizeof(unsafe) / sizeof(unsafe[0]); i++) {
		error[0] = '\0';
		text_write(path, "dienstweg-secret 0 x\nsign " SEED "\n", unsafe[i]);
		CHECK_INT(keyfile_read_secret(path, &ring, error, sizeof(error)), KEYFILE_UNSAFE);
		CHECK(strstr(error, "chmod 600") != NULL);
		CHECK_INT(ring.count, 0);
	}
	CHECK_INT(chmod(path, 0400), 0);
	CHECK_INT(keyfile_read_secret(path, &ring, error, sizeof(error)), 0);
}

static void absent_and_odd_files(void)
{
	struct keyring_secret ring = {0};
	struct keyring_public public;
	char dir[PATH_MAX], path[PATH_MAX], error[256] = "";
	folder_make(dir, "odd");
	CHECK_INT(keyfile_read_secret(path_in(path, dir, "no"), &ring, error, 256), -ENOENT);
	CHECK_INT(keyfile_read_public(path, &public, error, 256), -ENOENT);
	CHECK_INT(keyfile_read_secret(dir, &ring, error, 256), -EISDIR);
	CHECK_INT(mkfifo(path_in(path, dir, "fifo"), 0600), 0);
	CHECK(keyfile_read_secret(path, &ring, error, 256) < 0);

	_cleanup_(heap_free) char *large = malloc(70001);
	CHECK(large != NULL);
	memset(large, '#', 70000);
	large[70000] = '\0';
	text_write(path_in(path, dir, "large"), large, 0600);
	CHECK_INT(keyfile_read_secret(path, &ring, error, 256), KEYFILE_MALFORMED);
	CHECK_INT(keyfile_read_public(path, &public, error, 256), KEYFILE_MALFORMED);
	CHECK(strstr(error, "large") != NULL);
}

struct bad_text {
	const char *text;
	const char *sentence; /* part of it */
};

static void bad_secret_text_names_its_line(void)
{
	static const struct bad_text bad[] = {
		{"", ":1: expected \"dienstweg-secret 0 OWNER\""},
		{"# only a comment\n", "expected \"dienstweg-secret"},
		{"dienstweg-keys 0 x\n", ":1: expected \"dienstweg-secret"},
		{"dienstweg-secret 1 x\n", ":1: format version"},
		{"dienstweg-secret 0 Upper\n", ":1: the owner is no name"},
		{"dienstweg-secret 0\n", ":1: expected"},
		{"dienstweg-secret 0 x y\n", ":1: expected"},
		{"dienstweg-secret 0 x\n", "no key in it"},
		{"dienstweg-secret 0 x\n\n# c\nsigh " SEED "\n", ":4: unknown use"},
		{"dienstweg-secret 0 x\nsign\n", ":2: expected \"USE SEED\""},
		{"dienstweg-secret 0 x\nsign " SEED " " SEED "\n", ":2: expected \"USE SEED\""},
		{"dienstweg-secret 0 x\nsign YSBzZWVk\n", ":2: the seed is not 32 bytes"},
		{"dienstweg-secret 0 x\nsign " SEED "=\n", ":2: the seed"},
		{"dienstweg-secret 0 x\nsign " SEED "\r\n", ":2: the seed"},
		{"dienstweg-secret 0 x\nsign " SEED "\nsign " SEED "\n", ":3: the same key twice"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct keyring_secret ring = {0};
		char error[256] = "";
		CHECK_INT(keytext_parse_secret("f", BYTES_STR(bad[i].text), &ring, error, 256),
			KEYFILE_MALFORMED);
		if (!strstr(error, bad[i].sentence))
			CHECK_FAIL("%zu: \"%s\" does not say \"%s\"", i, error, bad[i].sentence);
		CHECK(strstr(error, "YSBz") == NULL);
		CHECK_INT(ring.count, 0);
	}
}

static void blanks_and_comments_are_forgiven(void)
{
	_cleanup_(keyring_secret_deinit) struct keyring_secret ring = {0};
	static const char text[] = "\n# made by hand\n  dienstweg-secret\t0  jobcenter \n\n"
				   "  # the sign key\nsign   " SEED "\t\nlog " SEED;
	char error[256] = "";
	CHECK_INT(keytext_parse_secret("f", BYTES_STR(text), &ring, error, sizeof(error)), 0);
	CHECK_INT(ring.count, 2);
	CHECK_INT(ring.keys[1]->pub.use, KEY_LOG);
	CHECK_MEM(ring.keys[0]->seed, seed, sizeof(seed));
}

static void sixty_four_keys_and_no_more(void)
{
	char text[KEYTEXT_BYTES_MAX], error[256] = "";
	for (int keys = KEYFILE_KEYS_MAX; keys <= KEYFILE_KEYS_MAX + 1; keys++) {
		_cleanup_(keyring_secret_deinit) struct keyring_secret ring = {0};
		size_t used = (size_t)snprintf(text, sizeof(text), "dienstweg-secret 0 x\n");
		for (int i = 0; i < keys; i++) {
			char base64[TEXT_BASE64_SIZE(SIGN_SEED_SIZE)];
			uint8_t each[SIGN_SEED_SIZE] = {(uint8_t)i};
			text_base64(BYTES(each, sizeof(each)), base64);
			used += (size_t)snprintf(
				text + used, sizeof(text) - used, "sign %s\n", base64);
		}
		CHECK_INT(keytext_parse_secret("f", BYTES(text, used), &ring, error, sizeof(error)),
			keys > KEYFILE_KEYS_MAX ? KEYFILE_MALFORMED : 0);
	}
	CHECK_STR(error, "f:66: more than 64 keys: split the file");
}

/* The longest owner, all keys: the buffers of keyfile_write() hold it. */
static void the_longest_files_fit(void)
{
	_cleanup_(keyring_secret_deinit) struct keyring_secret ring = {0};
	char dir[PATH_MAX], path[PATH_MAX], error[256] = "";
	struct keyring_public public;
	memset(ring.owner, 'o', 63);
	for (; ring.count < KEYFILE_KEYS_MAX; ring.count++)
		CHECK_INT(key_generate(KEY_TRANSPORT, BYTES_STR(ring.owner), &ring.keys[ring.count]),
			0);
	CHECK_INT(keyfile_write(folder_make(dir, "long"), "x", &ring), 0);
	CHECK_INT(keyfile_read_public(path_in(path, dir, "x.keys"), &public, error, 256), 0);
	CHECK_INT(public.count, KEYFILE_KEYS_MAX);
}

/* What gets a further key, or loses a secret, keeps all others; the public half outlives its secret. */
static void keys_are_exchanged_in_place(void)
{
	_cleanup_(keyring_secret_deinit) struct keyring_secret ring = {0}, back = {0};
	char dir[PATH_MAX], path[PATH_MAX], error[256] = "";
	struct keyring_public public, read;
	ring_make(&ring);
	CHECK_INT(keyfile_write(folder_make(dir, "exchange"), "x", &ring), 0);
	CHECK_INT(key_generate(KEY_SIGN, BYTES_STR(ring.owner), &ring.keys[ring.count++]), 0);
	keyring_public_of(&ring, &public);
	key_secret_free(ring.keys[0]);
	ring.keys[0] = ring.keys[--ring.count];
	ring.keys[ring.count] = NULL;
	CHECK_INT(keyfile_exchange(dir, "x", &ring, &public), 0);
	CHECK_INT(keyfile_read_secret(path_in(path, dir, "x.secret"), &back, error, 256), 0);
	CHECK_INT(back.count, ring.count);
	CHECK_MEM(back.keys[0]->seed, ring.keys[0]->seed, SIGN_SEED_SIZE);
	CHECK_INT(keyfile_read_public(path_in(path, dir, "x.keys"), &read, error, 256), 0);
	CHECK_INT(read.count, ring.count + 1);
	CHECK_MEM(read.keys[0].id, public.keys[0].id, KEY_ID_SIZE);
}

static void public_text_is_checked_whole(void)
{
	_cleanup_(keyring_secret_deinit) struct keyring_secret ring = {0};
	char text[KEYTEXT_BYTES_MAX], error[256] = "";
	struct keyring_public public = {0};
	ring_make(&ring);
	keyring_public_of(&ring, &public);
	size_t len = keytext_format_public(&public, text);
	CHECK_INT(keytext_parse_public("f", BYTES(text, len), &public, error, sizeof(error)), 0);
	/* No character of any line can be another one, but for blanks and the case of hex. */
	public.count = 0;
	for (size_t i = 0; i < len; i++) {
		char was = text[i];
		text[i] = was == 'A' ? 'B' : 'A';
		bool same_hex = was == 'a' && text[i] == 'A';
		int r = keytext_parse_public("f", BYTES(text, len), &public, error, sizeof(error));
		if (r == 0 && !same_hex)
			CHECK_FAIL("accepted with character %zu changed", i);
		text[i] = was;
	}
	/* A word too many in the last line. */
	memcpy(text + len - 1, " x", 2);
	CHECK_INT(keytext_parse_public("f", BYTES(text, len + 1), &public, error, sizeof(error)),
		KEYFILE_MALFORMED);
	text[len - 1] = '\n';
	/* Cut anywhere but between lines, it is no key file. */
	for (size_t cut = 0; cut < len - 1; cut++) {
		bool whole_lines = cut > 0 && (text[cut] == '\n' || text[cut - 1] == '\n');
		int r = keytext_parse_public("f", BYTES(text, cut), &public, error, sizeof(error));
		if (!whole_lines)
			CHECK_INT(r, KEYFILE_MALFORMED);
	}
}

static void keys_of_another_owner_are_refused(void)
{
	_cleanup_(keyring_secret_deinit) struct keyring_secret ring = {0};
	char text[KEYTEXT_BYTES_MAX], error[256] = "";
	struct keyring_public public = {0};
	ring_make(&ring);
	memcpy(ring.owner, "ministry!", 8);
	ring.owner[8] = '\0';
	keyring_public_of(&ring, &public);
	size_t len = keytext_format_public(&public, text);
	CHECK_INT(keytext_parse_public("f", BYTES(text, len), &public, error, sizeof(error)),
		KEYFILE_MALFORMED);
	CHECK(strstr(error, "f:2: id or proof of possession") != NULL);
}

static void root_secrets_are_found(void)
{
	char dir[PATH_MAX], path[PATH_MAX], found[PATH_MAX] = "";
	folder_make(dir, "roots");
	CHECK(!keyfile_root_secret_in(dir, found, sizeof(found)));
	CHECK(!keyfile_root_secret_in(path_in(path, dir, "absent"), found, sizeof(found)));
	text_write(
		path_in(path, dir, "party.secret"), "dienstweg-secret 0 x\nsign " SEED "\n", 0600);
	text_write(path_in(path, dir, "notes"), "the root of all evil\nroot cause\n", 0644);
	CHECK_INT(mkfifo(path_in(path, dir, "fifo"), 0600), 0);
	CHECK(!keyfile_root_secret_in(dir, found, sizeof(found)));

	/* Neither its name nor its mode nor damage hides it. */
	text_write(path_in(path, dir, "old.bak"), "# old\ndienstweg-secret 0 r1\nroot damaged\n",
		0644);
	CHECK(keyfile_root_secret_in(dir, found, sizeof(found)));
	CHECK_STR(found, path);
	if (geteuid() != 0) {
		CHECK_INT(chmod(path, 0), 0);
		CHECK(!keyfile_root_secret_in(dir, found, sizeof(found)));
	}
	CHECK_INT(unlink(path), 0);
	CHECK(!keyfile_root_secret_in(dir, found, sizeof(found)));
}

CHECK_MAIN(CHECK_CASE(what_is_written_is_read), CHECK_CASE(nothing_is_overwritten),
	CHECK_CASE(readable_by_others_is_refused), CHECK_CASE(absent_and_odd_files),
	CHECK_CASE(bad_secret_text_names_its_line), CHECK_CASE(blanks_and_comments_are_forgiven),
	CHECK_CASE(sixty_four_keys_and_no_more), CHECK_CASE(the_longest_files_fit),
	CHECK_CASE(keys_are_exchanged_in_place), CHECK_CASE(public_text_is_checked_whole),
	CHECK_CASE(keys_of_another_owner_are_refused), CHECK_CASE(root_secrets_are_found))
