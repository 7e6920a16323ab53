/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Official documents come from anybody who may write into a folder. Whatever they are, there is a head or a
 * complaint, and everything in a head is text within its bounds.
 */
#include "adapters/connectors/xoev.h"

#include "test/fuzz/target.h"
#include "test/kit/check.h"

static void check_text(const char *text, size_t max)
{
	CHECK(strnlen(text, max + 1) <= max);
}

static void check_party(const struct xoev_party *party)
{
	check_text(party->scheme, XOEV_SCHEME_MAX);
	check_text(party->value, XOEV_TEXT_MAX);
	CHECK(!party->value[0] || (party->scheme[0] && party->field[0]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xoev_head head;
	char why[600] = "";
	int r = xoev_read(BYTES(data, size), &head, why, sizeof(why));
	CHECK(r == 0 || r == XOEV_BAD);
	if (r) {
		CHECK(why[0] != '\0');
		return 0;
	}
	CHECK(head.type[0] != '\0');
	check_text(head.type, XOEV_TYPE_MAX);
	check_text(head.id, XOEV_TEXT_MAX);
	check_text(head.created, XOEV_TEXT_MAX);
	check_party(&head.reader);
	check_party(&head.author);
	return 0;
}
