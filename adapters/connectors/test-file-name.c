/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Names as other agencies send them: ordinary ones must survive, because people look for them, and nothing
 * that leads out of a folder or hides in a listing may.
 */
#include "adapters/connectors/file-name.h"

#include "test/kit/check.h"

#define CHECK_CLEAN(raw, expected)                                                                 \
	do {                                                                                       \
		char clean[FILE_NAME_MAX + 1];                                                     \
		file_name_clean(BYTES_STR(raw), clean);                                            \
		CHECK_STR(clean, expected);                                                        \
	} while (0)

#define CHECK_WORD(raw, expected)                                                                  \
	do {                                                                                       \
		char word[FILE_WORD_MAX + 1];                                                      \
		file_name_word(BYTES_STR(raw), word);                                              \
		CHECK_STR(word, expected);                                                         \
	} while (0)

static void ordinary_names_survive(void)
{
	CHECK_CLEAN("hello_world.pdf", "hello_world.pdf");
	CHECK_CLEAN("Bescheid über Leistungen (2).pdf", "Bescheid über Leistungen (2).pdf");
	CHECK_CLEAN("Änderung–Müller.xml", "Änderung–Müller.xml");
	CHECK_CLEAN("文書.txt", "文書.txt");
}

static void nothing_leads_out(void)
{
	CHECK_CLEAN("../../etc/passwd", "_._.._etc_passwd");
	CHECK_CLEAN("/etc/passwd", "_etc_passwd");
	CHECK_CLEAN("..", "_.");
	CHECK_CLEAN(".", "_");
	CHECK_CLEAN("", "_");
	CHECK_CLEAN(".hidden", "_hidden");
	CHECK_CLEAN("-rf", "_rf");
	CHECK_CLEAN("C:\\x.exe", "C__x.exe");
	CHECK_CLEAN("a\nb\tc", "a_b_c");
	CHECK_CLEAN("   ", "_");
	CHECK_CLEAN(" a ", "_a");
}

static void nothing_hides(void)
{
	char buf[FILE_NAME_MAX + 1];
	CHECK_CLEAN("gpj.\u202Eexe", "gpj._exe"); /* right-to-left override */
	CHECK_CLEAN("a\u200Bb", "a_b");           /* zero-width space */
	CHECK_CLEAN("a\xC2\x85z", "a_z");         /* C1 control */
	CHECK_CLEAN("a\xFFz", "a_z");             /* no UTF-8 */
	CHECK_CLEAN("a\xC0\xAFz", "a__z");        /* overlong '/' */
	CHECK_CLEAN("a\xED\xA0\x80z", "a_z");     /* surrogate */
	CHECK_CLEAN("a\xC3", "a_");               /* cut off */
	file_name_clean(BYTES("a\0b", 3), buf);
	CHECK_STR(buf, "a_b");
}

static void long_names_keep_their_suffix(void)
{
	char raw[600], name[FILE_NAME_MAX + 1];
	memset(raw, 'x', sizeof(raw));
	memcpy(raw + 500, ".pdf", 5);
	file_name_clean(BYTES_STR(raw), name);
	CHECK(strlen(name) <= FILE_NAME_MAX);
	CHECK_STR(name + strlen(name) - 5, "x.pdf");
	for (size_t i = 0; i < 500; i += 2)
		memcpy(raw + i, "ä", 2);
	file_name_clean(BYTES_STR(raw), name);
	CHECK(strlen(name) <= FILE_NAME_MAX);
	CHECK_STR(name + strlen(name) - 4, ".pdf");
}

static void words_are_plain(void)
{
	char raw[300], long_word[FILE_WORD_MAX + 1];
	CHECK_WORD("4f28f648-5bd7-22b5-7c14-fba1cee8e5de", "4f28f648-5bd7-22b5-7c14-fba1cee8e5de");
	CHECK_WORD("Antrag Müller.json", "Antrag_M__ller.json");
	CHECK_WORD("../x", "_._x");
	CHECK_WORD("-x", "_x");
	CHECK_WORD("", "_");
	memset(raw, 'y', sizeof(raw));
	raw[sizeof(raw) - 1] = '\0';
	file_name_word(BYTES_STR(raw), long_word);
	CHECK_INT(strlen(long_word), FILE_WORD_MAX);
}

static void unfinished_names(void)
{
	CHECK(file_name_is_unfinished(".x") && file_name_is_unfinished("a.json.tmp"));
	CHECK(file_name_is_unfinished("a.PART") && file_name_is_unfinished("a.json~"));
	CHECK(!file_name_is_unfinished("a.json") && !file_name_is_unfinished("tmp"));
	CHECK(!file_name_is_unfinished("part.of.it"));
}

static void suffixes(void)
{
	CHECK(file_name_ends("a.XML", ".xml") && !file_name_ends(".xml", ".xml"));
	CHECK(!file_name_ends("axml", ".xml"));
	CHECK_STR(file_name_media_type("Bescheid.PDF"), "application/pdf");
	CHECK_STR(file_name_media_type("nachricht.xml"), "application/xml");
	CHECK_STR(file_name_media_type("pdf"), "application/octet-stream");
}

CHECK_MAIN(CHECK_CASE(ordinary_names_survive), CHECK_CASE(nothing_leads_out),
	CHECK_CASE(nothing_hides), CHECK_CASE(long_names_keep_their_suffix),
	CHECK_CASE(words_are_plain), CHECK_CASE(unfinished_names), CHECK_CASE(suffixes))
