/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Heads made by hand, and documents made to hurt the reader: each must end soon, with a sentence that says
 * where, and without a word of what stands in the document.
 */
#include "adapters/connectors/xoev.h"

#include <stdint.h>
#include <time.h>

#include "proto/base/cleanup.h"
#include "test/kit/check.h"

struct reading {
	struct xoev_head head;
	char why[600];
};

static int read_text(struct reading *t, const char *text)
{
	t->why[0] = '\0';
	return xoev_read(BYTES_STR(text), &t->head, t->why, sizeof(t->why));
}

static void refused(struct reading *t, const char *text, const char *expected)
{
	CHECK_INT(read_text(t, text), XOEV_BAD);
	if (!strstr(t->why, expected))
		CHECK_FAIL("\"%s\" does not say \"%s\"", t->why, expected);
}

#define G2G(inside)                                                                                \
	"<x:a.0001 xmlns:x='urn:x'><nachrichtenkopf.g2g>" inside "</nachrichtenkopf.g2g>"          \
	"</x:a.0001>"

static void heads_by_hand(void)
{
	struct reading t = {};
	CHECK_INT(read_text(&t, G2G("<leser><kennung> psw:1 </kennung></leser>")), 0);
	CHECK_STR(t.head.type, "a.0001");
	CHECK_STR(t.head.reader.scheme, "psw");
	CHECK_STR(t.head.reader.value, "1");
	CHECK_INT(read_text(&t, G2G("<leser><kennung>ohne</kennung></leser>")), 0);
	CHECK_STR(t.head.reader.scheme, "xoev");
	CHECK_STR(t.head.reader.value, "ohne");
	CHECK_INT(read_text(&t, G2G("<leser><kennung></kennung></leser>")), 0);
	CHECK_STR(t.head.reader.value, "");
	CHECK_INT(read_text(&t,
			  G2G("<leser><kennung><![CDATA[psw:]]>1&amp;2&#51;</kennung></leser>")),
		0);
	CHECK_STR(t.head.reader.value, "1&23");
}

static void xta_metadata(void)
{
	struct reading t = {};
	CHECK_INT(read_text(&t,
			  "<o:MessageMetaData xmlns:o='urn:o' xmlns:w='urn:w'>"
			  "<o:DeliveryAttributes><o:Origin>2026-11-21T12:00:00Z</o:Origin>"
			  "</o:DeliveryAttributes>"
			  "<o:Originators><o:Author><o:Identifier type='xoev'>psw:11113110"
			  "</o:Identifier></o:Author></o:Originators>"
			  "<o:Destinations><o:Reader><o:Identifier type='xoev'>psw:01003110"
			  "</o:Identifier></o:Reader></o:Destinations>"
			  "<o:MsgIdentification><w:MessageID>urn:de:xta:messageid:1"
			  "</w:MessageID></o:MsgIdentification>"
			  "<o:Qualifier><o:MessageType payloadSchema='urn:p' listURI='urn:l' "
			  "listVersionID='1'><code>antrag.0001</code></o:MessageType></o:Qualifier>"
			  "</o:MessageMetaData>"),
		0);
	CHECK_STR(t.head.type, "antrag.0001");
	CHECK_STR(t.head.id, "urn:de:xta:messageid:1");
	CHECK_STR(t.head.reader.value, "01003110");
	CHECK_STR(t.head.author.value, "11113110");
	CHECK_STR(t.head.created, "2026-11-21T12:00:00Z");
	refused(&t, "<MessageMetaData/>", "Qualifier/MessageType/code: missing");
}

/* An element of the same name counts only at its place. */
static void content_is_no_head(void)
{
	struct reading t = {};
	CHECK_INT(read_text(&t,
			  "<a.1><nachrichtenkopf.g2g><leser><kennung>psw:1</kennung></leser>"
			  "</nachrichtenkopf.g2g><inhalt><nachrichtenkopf.g2g><leser><kennung>psw:2"
			  "</kennung></leser></nachrichtenkopf.g2g></inhalt></a.1>"),
		0);
	CHECK_STR(t.head.reader.value, "1");
	CHECK_INT(read_text(&t, "<a.1><nachrichtenkopf.g2g><autor><kennung>psw:1</kennung></autor>"
				"</nachrichtenkopf.g2g><kommune><gemeindeschluessel><code>9</code>"
				"</gemeindeschluessel></kommune></a.1>"),
		0);
	CHECK_STR(t.head.author.value, "1");
	refused(&t,
		"<a.1><b><nachrichtenkopf.g2g><leser><kennung>psw:2</kennung></leser>"
		"</nachrichtenkopf.g2g></b></a.1>",
		"nachrichtenkopf.g2g: missing");
	refused(&t,
		G2G("<leser><kennung>psw:1</kennung></leser><leser><kennung>psw:2</kennung></"
		    "leser>"),
		"nachrichtenkopf.g2g/leser/kennung: stands twice");
	refused(&t, G2G("<leser><kennung>psw:<b>1</b></kennung></leser>"), "must hold a text");
}

static void lengths_are_bounded(void)
{
	struct reading t = {};
	char text[1000], value[XOEV_TEXT_MAX + 2];
	memset(value, '1', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	snprintf(text, sizeof(text), G2G("<leser><kennung>%s</kennung></leser>"), value);
	refused(&t, text, "longer than 200 bytes");
	value[sizeof(value) - 2] = '\0';
	snprintf(text, sizeof(text), G2G("<leser><kennung>%s</kennung></leser>"), value);
	CHECK_INT(read_text(&t, text), 0);
	CHECK_INT(strlen(t.head.reader.value), XOEV_TEXT_MAX);
	memset(value, 'a', XOEV_TYPE_MAX + 1);
	value[XOEV_TYPE_MAX + 1] = '\0';
	snprintf(text, sizeof(text), "<%s><nachrichtenkopf/></%s>", value, value);
	refused(&t, text, "root element: its name is longer");
}

static void not_well_formed(void)
{
	struct reading t = {};
	refused(&t, "", "line 1: is not well-formed");
	refused(&t, "text", "is not well-formed");
	refused(&t, "<a>", "is not well-formed");
	refused(&t, "<a>\n\n<b></a>", "line 3: is not well-formed");
	refused(&t, "<a/><b/>", "is not well-formed");
	refused(&t, "<a b=1/>", "is not well-formed");
	refused(&t, "<a b='1' b='1'/>", "is not well-formed");
	refused(&t, "<p:a/>", "is not well-formed"); /* a prefix that nobody declared */
	refused(&t, "<a><nachrichtenkopf>", "is not well-formed");
	refused(&t, "<a>&#0;</a>", "line 1: ");
}

static void complaints_hold_no_content(void)
{
	struct reading t = {};
	refused(&t, "<a><geheim>Mustermann</Mustermann2></a>", "line 1");
	CHECK(!strstr(t.why, "Mustermann"));
	refused(&t, "<a>&Mustermann;</a>", "uses an entity that XML does not know");
	CHECK(!strstr(t.why, "Mustermann"));
}

static void no_document_type(void)
{
	struct reading t = {};
	refused(&t, "<!DOCTYPE a>\n<a><nachrichtenkopf/></a>", "line 1: has a DOCTYPE");
	refused(&t, "<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/a.dtd'><a/>", "has a DOCTYPE");
	refused(&t, "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
		"has a DOCTYPE");
	refused(&t, "<!DOCTYPE a [<!ENTITY % p SYSTEM 'http://127.0.0.1:1/'> %p;]><a/>",
		"has a DOCTYPE");
	refused(&t, "<!DOCTYPE a [<!ENTITY % p '<!ENTITY x \"y\">'> %p;]><a>&x;</a>",
		"has a DOCTYPE");
}

static void billion_laughs(void)
{
	struct reading t = {};
	char text[4000];
	size_t used = (size_t)snprintf(text, sizeof(text), "<!DOCTYPE a [<!ENTITY l0 'ha'>");
	for (int i = 1; i < 30; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
			"<!ENTITY l%d '&l%d;&l%d;&l%d;&l%d;'>", i, i - 1, i - 1, i - 1, i - 1);
	snprintf(text + used, sizeof(text) - used, "]><a>&l29;</a>");
	refused(&t, text, "has a DOCTYPE");
}

/* @count times a text, between two others; free() it. */
static char *repeated(const char *before, const char *text, size_t count, const char *after)
{
	size_t len = strlen(text), first = strlen(before);
	char *buf = malloc(first + count * len + strlen(after) + 1);
	CHECK(buf != NULL);
	memcpy(buf, before, first);
	for (size_t i = 0; i < count; i++)
		memcpy(buf + first + i * len, text, len);
	memcpy(buf + first + count * len, after, strlen(after) + 1);
	return buf;
}

static void enormous_depth(void)
{
	struct reading t = {};
	_cleanup_(heap_free) char *deep = repeated("", "<a>", 80000, "");
	refused(&t, deep, "nested deeper than 100");
	_cleanup_(heap_free) char *inner = repeated("<a>", "<b>", 98, "");
	_cleanup_(heap_free) char *outer = repeated(inner, "</b>", 98, "<nachrichtenkopf/></a>");
	CHECK_INT(read_text(&t, outer), 0);
}

static double cpu_seconds(void)
{
	struct timespec now;
	CHECK_INT(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Everything that fits into a message: elements, attributes, references, names. */
static void large_documents_end_soon(void)
{
	struct reading t = {};
	_cleanup_(heap_free) char *elements = repeated(
		"<a><nachrichtenkopf/>", "<b/>", 60000, "</a>");
	_cleanup_(heap_free) char *references = repeated(
		"<a><nachrichtenkopf/>", "&amp;", 50000, "</a>");
	_cleanup_(heap_free) char *comment = repeated(
		"<a><nachrichtenkopf/><!--", "x", 250000, "--></a>");
	_cleanup_(heap_free) char *attributes = malloc(300000);
	size_t used = (size_t)snprintf(attributes, 300000, "<a ");
	for (int i = 0; i < 24000; i++)
		used += (size_t)snprintf(attributes + used, 300000 - used, "a%d='' ", i);
	snprintf(attributes + used, 300000 - used, "><nachrichtenkopf/></a>");
	double before = cpu_seconds();
	CHECK_INT(read_text(&t, elements), 0);
	CHECK_INT(read_text(&t, references), 0);
	CHECK_INT(read_text(&t, comment), 0);
	CHECK_INT(read_text(&t, attributes), 0);
	if (cpu_seconds() - before > 20)
		CHECK_FAIL("%.1f s of CPU", cpu_seconds() - before);
}

static void other_encodings(void)
{
	struct reading t = {};
	static const char utf16[] = "\xff\xfe<\0a\0/\0>\0", utf16_plain[] = "\0<\0a\0/\0>";
	static const char utf32[] = "<\0\0\0a\0\0\0/\0\0\0>\0\0";
	CHECK_INT(xoev_read(BYTES(utf16, sizeof(utf16) - 1), &t.head, t.why, sizeof(t.why)),
		XOEV_BAD);
	CHECK(strstr(t.why, "not in UTF-8"));
	CHECK_INT(xoev_read(BYTES(utf16_plain, sizeof(utf16_plain) - 1), &t.head, t.why,
			  sizeof(t.why)),
		XOEV_BAD);
	CHECK_INT(xoev_read(BYTES(utf32, sizeof(utf32) - 1), &t.head, t.why, sizeof(t.why)),
		XOEV_BAD);
	refused(&t, "<?xml version='1.0' encoding='ISO-8859-1'?>\n<a>\xe4</a>", "is not in UTF-8");
	refused(&t, "<?xml version='1.0' encoding='UTF-8'?>\n\n<a>M\xfcller</a>",
		"line 3: is not in UTF-8");
	refused(&t, "<a>\xed\xa0\x80</a>", "is not in UTF-8");
	refused(&t, "+ADw-a/+AD4-", "is not well-formed"); /* UTF-7 */
	CHECK_INT(read_text(&t,
			  "\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?><a><nachrichtenkopf/>"
			  "ä</a>"),
		0);
}

static void not_an_official_document(void)
{
	struct reading t = {};
	refused(&t, "<html><body/></html>", "nachrichtenkopf.g2g: missing");
	refused(&t, "<a><nachrichtenkopf.anders/></a>", "nachrichtenkopf.g2g: missing");
}

CHECK_MAIN(CHECK_CASE(heads_by_hand), CHECK_CASE(xta_metadata), CHECK_CASE(content_is_no_head),
	CHECK_CASE(lengths_are_bounded), CHECK_CASE(not_well_formed),
	CHECK_CASE(complaints_hold_no_content), CHECK_CASE(no_document_type),
	CHECK_CASE(billion_laughs), CHECK_CASE(enormous_depth), CHECK_CASE(large_documents_end_soon),
	CHECK_CASE(other_encodings), CHECK_CASE(not_an_official_document))
