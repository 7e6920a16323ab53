/* SPDX-License-Identifier: EUPL-1.2 */

/* The signed text has one form only: two readings of a signature would be two registries. */
#include "proto/registry/head.h"

#include "test/kit/check.h"

static const char text[] = "dienstweg/v1/registry\n"
			   "wuppertal.demo\n"
			   "7\n"
			   "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
			   "2021-07-01T00:00:00Z\n"
			   "2022-07-01T12:34:56Z\n"
			   "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=\n";

static void reads_and_writes_the_same_bytes(void)
{
	struct registry_head head;
	char again[REGISTRY_HEAD_SIZE];
	CHECK_INT(registry_head_parse(BYTES_STR(text), &head), 0);
	CHECK_STR(head.bus, "wuppertal.demo");
	CHECK_INT(head.version, 7);
	CHECK(!head.first);
	CHECK_INT(head.previous[31], 31);
	CHECK_INT(head.content[0], 31);
	CHECK_INT(head.issued_ms, 1625097600000);
	CHECK_INT(head.stale_after_ms, 1656678896000);
	CHECK_INT(registry_head_format(&head, again), strlen(text));
	CHECK_STR(again, text);
}

static void first_version_has_a_dash(void)
{
	struct registry_head head;
	char again[REGISTRY_HEAD_SIZE];
	CHECK_INT(registry_head_parse(BYTES_STR(text), &head), 0);
	head.first = true;
	registry_head_format(&head, again);
	CHECK(strstr(again, "\n7\n-\n2021"));
	CHECK_INT(registry_head_parse(BYTES_STR(again), &head), 0);
	CHECK(head.first);
}

/* The text with its n-th line (from 0) replaced. */
static int with_line(size_t n, const char *line)
{
	char changed[1024], *to = changed;
	const char *from = text;
	struct registry_head head;
	for (size_t i = 0; *from; i++) {
		size_t len = strcspn(from, "\n") + 1;
		to += snprintf(to, 512, "%.*s", i == n ? 0 : (int)len, from);
		if (i == n)
			to += snprintf(to, 512, "%s\n", line);
		from += len;
	}
	return registry_head_parse(BYTES_STR(changed), &head);
}

static void other_forms_are_refused(void)
{
	static const struct {
		size_t line;
		const char *text;
	} bad[] = {{0, "dienstweg/v2/registry"}, {1, "Wuppertal"}, {1, ""}, {2, "0"}, {2, "07"},
		{2, "-1"}, {2, "18446744073709551616"}, {3, "AAEC"}, {3, "--"}, {3, ""},
		{3, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9="}, {4, "2021-07-01 00:00:00Z"},
		{4, "2021-13-01T00:00:00Z"}, {4, "2021-07-01T24:00:00Z"},
		{4, "2021-07-01T00:60:00Z"}, {4, "2021-07-01T00:00:00+00:00"},
		{4, "2022-07-01T12:34:56Z"}, {5, "2021-07-01T00:00:00.000Z"}, {6, "x"}, {6, "Hx4="},
		{5, "a\nb"}, {6, "\nx"}};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (with_line(bad[i].line, bad[i].text) != REGISTRY_HEAD_MALFORMED)
			CHECK_FAIL("accepted line %zu as \"%s\"", bad[i].line, bad[i].text);
	CHECK_INT(with_line(2, "8"), 0); /* the replacing itself works */
}

static void cut_and_longer_texts_are_refused(void)
{
	struct registry_head head;
	char longer[sizeof(text) + 4];
	for (size_t len = 0; len < strlen(text); len++)
		CHECK_INT(registry_head_parse(BYTES(text, len), &head), REGISTRY_HEAD_MALFORMED);
	snprintf(longer, sizeof(longer), "%s\n", text);
	CHECK_INT(registry_head_parse(BYTES_STR(longer), &head), REGISTRY_HEAD_MALFORMED);
}

CHECK_MAIN(CHECK_CASE(reads_and_writes_the_same_bytes), CHECK_CASE(first_version_has_a_dash),
	CHECK_CASE(other_forms_are_refused), CHECK_CASE(cut_and_longer_texts_are_refused))
