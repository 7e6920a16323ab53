/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The published sample messages, as their authors wrote them: what the rules in xoev.c were made from, and
 * what they have to go on understanding.
 */
#include "adapters/connectors/xoev.h"

#include "proto/base/cleanup.h"
#include "proto/base/file.h"
#include "test/kit/check.h"

struct reading {
	struct xoev_head head;
	char why[600];
};

static void read_shared(struct reading *t, const char *relative)
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	size_t len = 0;
	const char *path = check_shared(relative);
	if (!path)
		check_skip("the sample messages are not here");
	CHECK_INT(file_read(path, 1 << 20, &data, &len), 0);
	int r = xoev_read(BYTES(data, len), &t->head, t->why, sizeof(t->why));
	if (r)
		CHECK_FAIL("%s: %s", relative, t->why);
}

static void g2g_sample(void)
{
	struct reading t = {};
	read_shared(&t, "data/xwasser/administration_receipt.xml");
	CHECK_STR(t.head.type, "administration.quittung.0020");
	CHECK_STR(t.head.id, "693c64d6-456f-4d14-abe7-fe9681c74aaf");
	CHECK_STR(t.head.created, "2024-05-28T09:00:00");
	CHECK_STR(t.head.reader.scheme, "psw");
	CHECK_STR(t.head.reader.value, "01003110");
	CHECK_STR(t.head.reader.field, "nachrichtenkopf.g2g/leser/kennung");
	CHECK_STR(t.head.author.scheme, "psw");
	CHECK_STR(t.head.author.value, "11113110");
}

static void xjustiz_sample(void)
{
	struct reading t = {};
	read_shared(&t, "data/xjustiz/nachricht.xml");
	CHECK_STR(t.head.type, "nachricht.gds.uebermittlungSchriftgutobjekte.0005005");
	CHECK_STR(t.head.id, "4f28f648-5bd7-22b5-7c14-fba1cee8e5de");
	CHECK_STR(t.head.created, "2025-01-13T13:38:06.591Z");
	CHECK_STR(t.head.reader.scheme, "xjustiz");
	CHECK_STR(t.head.reader.value, "Digitalservice");
	CHECK_STR(t.head.author.value, "Digitalservice");
}

static void xgewerbesteuer_samples(void)
{
	struct reading t = {};
	static const char *const numbers[][2] = {{"0001", "011"}, {"0002", "021"}, {"0003", "031"},
		{"0010", "101"}, {"0021", "211"}};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		char path[200];
		snprintf(path, sizeof(path),
			"data/xgewerbesteuer/GEWST-%s-12345678-1234567890000-2021-01-15_"
			"00000000-0000-0000-0000-000000000%s.xml",
			numbers[i][0], numbers[i][1]);
		read_shared(&t, path);
		CHECK(strstr(t.head.type, numbers[i][0]));
		CHECK(strstr(t.head.id, numbers[i][1]));
		CHECK_STR(t.head.author.scheme, "ags");
		CHECK_STR(t.head.author.value, "12345678");
		CHECK_STR(t.head.reader.value, "");
	}
}

CHECK_MAIN(CHECK_CASE(g2g_sample), CHECK_CASE(xjustiz_sample), CHECK_CASE(xgewerbesteuer_samples))
