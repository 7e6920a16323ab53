/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Each rule on the header is broken alone, starting from a header that is good, and must be answered with
 * the right verdict and the right field: a refusal that names the wrong field sends an integrator looking
 * in the wrong place. Rules are broken in the packed bytes where protobuf-c could not write them.
 */
#include <errno.h>

#include "proto/envelope/envelope.h"
#include "proto/envelope/test-sample.h"
#include "proto/envelope/wire.h"
#include "test/kit/check.h"

enum { ARENA_BYTES = 256 * 1024 };

static struct arena *arena_for_tests(void)
{
	struct arena *arena = arena_new(ARENA_BYTES);
	CHECK(arena != NULL);
	return arena;
}

static int parse_bytes(struct bytes bytes, const char **ret_field)
{
	_cleanup_(arena_free) struct arena *arena = arena_for_tests();
	Dienstweg__Header *header = NULL;
	*ret_field = "";
	int r = envelope_header_parse(arena, bytes, &header, ret_field);
	CHECK((r == 0) == (header != NULL));
	return r;
}

static int parse(const Dienstweg__Header *header, const char **ret_field)
{
	uint8_t buf[8192];
	size_t len = sample_pack(header, buf, sizeof(buf));
	return parse_bytes(BYTES(buf, len), ret_field);
}

#define EXPECT(header, verdict, name)                                                              \
	do {                                                                                       \
		const char *expect_field;                                                          \
		CHECK_INT(parse(header, &expect_field), verdict);                                  \
		CHECK_STR(expect_field, name);                                                     \
	} while (0)

static void a_usual_header_passes(void)
{
	_cleanup_(arena_free) struct arena *arena = arena_for_tests();
	Dienstweg__Header header = sample_header(), *read = NULL;
	uint8_t buf[HEADER_BYTES_MAX], again[HEADER_BYTES_MAX];
	const char *field;
	size_t len = sample_pack(&header, buf, sizeof(buf));
	CHECK_INT(envelope_header_parse(arena, BYTES(buf, len), &read, &field), ENVELOPE_OK);
	CHECK_INT(sample_pack(read, again, sizeof(again)), len);
	CHECK_MEM(again, buf, len);
}

/* Fields may stand in any order. */
static void order_does_not_matter(void)
{
	Dienstweg__Header header = sample_header();
	uint8_t buf[HEADER_BYTES_MAX], turned[HEADER_BYTES_MAX];
	const char *field;
	size_t len = sample_pack(&header, buf, sizeof(buf));
	/* The bus is the first field here: tag, length, 14 bytes. */
	memcpy(turned, buf + 16, len - 16);
	memcpy(turned + len - 16, buf, 16);
	CHECK_INT(buf[0], 0x12);
	CHECK_INT(parse_bytes(BYTES(turned, len), &field), ENVELOPE_OK);
}

static void identity_is_the_hash_of_the_bytes(void)
{
	uint8_t text[20 + 3], hash[HASH_SIZE], h[HASH_SIZE];
	memcpy(text, "dienstweg/v1/header\0abc", 23);
	sha256_of(BYTES(text, sizeof(text)), hash);
	envelope_header_hash(BYTES("abc", 3), h);
	CHECK_MEM(h, hash, sizeof(h));
	envelope_header_hash(BYTES("abd", 3), h);
	CHECK(memcmp(h, hash, sizeof(h)) != 0);
}

static void missing_fields_are_named(void)
{
	static const ProtobufCBinaryData none = {0};
#define WITHOUT(member)                                                                            \
	do {                                                                                       \
		Dienstweg__Header header = sample_header();                                        \
		header.member = none;                                                              \
		EXPECT(&header, ENVELOPE_MISSING, #member);                                        \
	} while (0)
	WITHOUT(bus);
	WITHOUT(message_id);
	WITHOUT(sender);
	WITHOUT(recipient);
	WITHOUT(service);
	WITHOUT(case_id);
	WITHOUT(content_type);
	WITHOUT(content_hash);
	WITHOUT(body_commitment);
	Dienstweg__Header header = sample_header();
	header.kind = DIENSTWEG__KIND__KIND_UNSPECIFIED;
	EXPECT(&header, ENVELOPE_MISSING, "kind");
	header = sample_header();
	header.created_ms = 0;
	EXPECT(&header, ENVELOPE_MISSING, "created_ms");
	header = sample_header();
	header.content_length = 0;
	EXPECT(&header, ENVELOPE_MISSING, "content_length");

	const char *field;
	CHECK_INT(parse_bytes(BYTES(NULL, 0), &field), ENVELOPE_MISSING);
	CHECK_STR(field, "bus");
}

static void optional_fields_may_be_missing(void)
{
	Dienstweg__Header header = sample_header();
	header.in_reply_to = header.agreement = header.schema = (ProtobufCBinaryData){0};
	header.not_before_ms = header.expires_ms = 0;
	header.status = DIENSTWEG__STATUS__STATUS_NONE;
	header.channel = DIENSTWEG__CHANNEL__CHANNEL_UNSPECIFIED;
	header.retention = header.priority = 0;
	EXPECT(&header, ENVELOPE_OK, "");
}

/* Every field of a full header once more at the end: same value, so only the count is wrong. */
static void duplicates_are_named(void)
{
	Dienstweg__Header header = sample_header();
	uint8_t buf[2 * HEADER_BYTES_MAX];
	size_t tried = 0;
	header.not_before_ms = header.created_ms;
	size_t len = sample_pack(&header, buf, HEADER_BYTES_MAX);
	for (size_t i = 0; i < dienstweg__header__descriptor.n_fields; i++) {
		const ProtobufCFieldDescriptor *wanted = &dienstweg__header__descriptor.fields[i];
		const char *field;
		size_t end = len;
		uint32_t tag = wanted->id << 3 | (wanted->type == PROTOBUF_C_TYPE_BYTES ? 2 : 0);
		if (wanted->label == PROTOBUF_C_LABEL_REPEATED ||
			strcmp(wanted->name, "region") == 0 || strcmp(wanted->name, "version") == 0)
			continue;
		if (tag > 0x7f)
			buf[end++] = (uint8_t)(tag | 0x80), tag >>= 7;
		buf[end++] = (uint8_t)tag;
		buf[end++] = 1;
		buf[end++] = 'x'; /* varints: a 1 and then a tag that is never reached */
		CHECK_INT(parse_bytes(BYTES(buf, end), &field), ENVELOPE_MALFORMED);
		CHECK_STR(field, wanted->name);
		tried++;
	}
	CHECK_INT(tried, 21);
}

static void unknown_fields_are_refused(void)
{
	Dienstweg__Header header = sample_header();
	uint8_t buf[HEADER_BYTES_MAX];
	const char *field;
	size_t len = sample_pack(&header, buf, sizeof(buf));
	memcpy(buf + len, "\xd2\x01\x01x", 4); /* field 26 */
	CHECK_INT(parse_bytes(BYTES(buf, len + 4), &field), ENVELOPE_MALFORMED);
	CHECK_STR(field, "header");
	/* Inside an attachment that is good otherwise: digest, size 1, then field 3, or the size again. */
	memcpy(buf + len, "\xaa\x01\x26\x0a\x20", 5);
	memcpy(buf + len + 5, sample_hash, HASH_SIZE);
	memcpy(buf + len + 37, "\x10\x01\x18\x01", 4);
	CHECK_INT(parse_bytes(BYTES(buf, len + 41), &field), ENVELOPE_MALFORMED);
	CHECK_STR(field, "attachments");
	buf[len + 39] = 0x10;
	CHECK_INT(parse_bytes(BYTES(buf, len + 41), &field), ENVELOPE_MALFORMED);
	CHECK_STR(field, "attachments");
	buf[len + 2] = 0x24;
	CHECK_INT(parse_bytes(BYTES(buf, len + 39), &field), ENVELOPE_OK);
}

static ProtobufCBinaryData bad_names(size_t i)
{
	static const char upper[] = "Wuppertal", space[] = "a b", dot[] = ".a", dash[] = "a-",
			  utf8[] = "m\xc3\xbcnchen", slash[] = "a/b", nul[] = "a\0b",
			  end[] = "ab\0", lone[] = "\0";
	static const char long64[] =
		"0123456789012345678901234567890123456789012345678901234567890123";
	const ProtobufCBinaryData bad[] = {
		sample_text(upper),
		sample_text(space),
		sample_text(dot),
		sample_text(dash),
		sample_text(utf8),
		sample_text(slash),
		sample_text(long64),
		sample_bytes(nul, 3),
		sample_bytes(end, 3),
		sample_bytes(lone, 1),
	};
	return i < sizeof(bad) / sizeof(bad[0]) ? bad[i] : (ProtobufCBinaryData){0};
}

static void names_are_of_the_alphabet(void)
{
	for (size_t i = 0; bad_names(i).len > 0; i++) {
#define NAMED(member)                                                                              \
	do {                                                                                       \
		Dienstweg__Header header = sample_header();                                        \
		header.member = bad_names(i);                                                      \
		EXPECT(&header, ENVELOPE_MALFORMED, #member);                                      \
	} while (0)
		NAMED(bus);
		NAMED(sender);
		NAMED(recipient);
		NAMED(service);
		NAMED(agreement);
	}
}

static void lengths_are_exact(void)
{
	static const uint8_t zeros[64] = {0};
	static const size_t not_32[] = {1, 31, 33, 64}, not_16[] = {1, 15, 17, 32};
#define SIZED(member, lengths)                                                                     \
	for (size_t i = 0; i < 4; i++) {                                                           \
		Dienstweg__Header header = sample_header();                                        \
		header.member = sample_bytes(zeros, (lengths)[i]);                                 \
		EXPECT(&header, ENVELOPE_MALFORMED, #member);                                      \
	}
	SIZED(in_reply_to, not_32)
	SIZED(content_hash, not_32)
	SIZED(body_commitment, not_32)
	SIZED(case_id, not_16)
	SIZED(message_id, not_16)
	Dienstweg__Header header = sample_header();
	header.message_id = header.case_id; /* 16 bytes, but no UUIDv7 */
	EXPECT(&header, ENVELOPE_MALFORMED, "message_id");
}

static void texts_are_printable(void)
{
	static const char nul[] = "text\0xml", newline[] = "a\nb", delete[] = "a\x7f",
			  high[] = "\xe4";
	char long128[129];
	memset(long128, 'a', sizeof(long128) - 1);
	long128[128] = '\0';
	const ProtobufCBinaryData bad[] = {sample_bytes(nul, 8), sample_text(newline),
		sample_text(delete), sample_text(high), sample_text(long128)};
	for (size_t i = 0; i < 5; i++) {
		Dienstweg__Header header = sample_header();
		header.content_type = bad[i];
		EXPECT(&header, ENVELOPE_MALFORMED, "content_type");
		header = sample_header();
		header.schema = bad[i];
		EXPECT(&header, ENVELOPE_MALFORMED, "schema");
	}
	Dienstweg__Header header = sample_header();
	long128[127] = '\0';
	header.content_type = sample_text(long128);
	header.schema = sample_text("verwaltung ~!");
	EXPECT(&header, ENVELOPE_OK, "");
}

static void numbers_are_in_range(void)
{
#define NUMBER(member, value, verdict)                                                             \
	do {                                                                                       \
		Dienstweg__Header number = sample_header();                                        \
		number.member = (value);                                                           \
		EXPECT(&number, verdict, (verdict) ? #member : "");                                \
	} while (0)
	NUMBER(version, 1, ENVELOPE_MALFORMED);
	NUMBER(kind, (Dienstweg__Kind)5, ENVELOPE_OK);
	NUMBER(kind, (Dienstweg__Kind)6, ENVELOPE_MALFORMED);
	NUMBER(kind, (Dienstweg__Kind)-1, ENVELOPE_MALFORMED);
	NUMBER(status, (Dienstweg__Status)4, ENVELOPE_OK);
	NUMBER(status, (Dienstweg__Status)5, ENVELOPE_MALFORMED);
	NUMBER(status, (Dienstweg__Status)-1, ENVELOPE_MALFORMED);
	NUMBER(channel, (Dienstweg__Channel)4, ENVELOPE_OK);
	NUMBER(channel, (Dienstweg__Channel)5, ENVELOPE_MALFORMED);
	NUMBER(channel, (Dienstweg__Channel)-1, ENVELOPE_MALFORMED);
	NUMBER(retention, 16, ENVELOPE_OK);
	NUMBER(retention, 17, ENVELOPE_MALFORMED);
	NUMBER(priority, 2, ENVELOPE_OK);
	NUMBER(priority, 3, ENVELOPE_MALFORMED);
	NUMBER(content_length, CONTENT_BYTES_MAX, ENVELOPE_OK);
	NUMBER(content_length, CONTENT_BYTES_MAX + 1, ENVELOPE_TOO_LARGE);
	NUMBER(content_length, UINT32_MAX, ENVELOPE_TOO_LARGE);
}

static void times_are_in_order(void)
{
	static const uint64_t year_9999 = UINT64_C(253402300799999);
	Dienstweg__Header header = sample_header();
	NUMBER(created_ms, UINT64_MAX, ENVELOPE_MALFORMED);
	NUMBER(created_ms, year_9999 + 1, ENVELOPE_MALFORMED);
	NUMBER(not_before_ms, year_9999 + 1, ENVELOPE_MALFORMED);
	NUMBER(expires_ms, year_9999 + 1, ENVELOPE_MALFORMED);
	NUMBER(expires_ms, year_9999, ENVELOPE_OK);
	NUMBER(expires_ms, header.created_ms, ENVELOPE_MALFORMED);
	NUMBER(expires_ms, header.created_ms + 1, ENVELOPE_OK);
	header.not_before_ms = header.expires_ms;
	EXPECT(&header, ENVELOPE_MALFORMED, "expires_ms");
	header.not_before_ms--;
	EXPECT(&header, ENVELOPE_OK, "");
	header.not_before_ms = year_9999;
	header.expires_ms = 0;
	EXPECT(&header, ENVELOPE_OK, "");
}

static void one_address(void)
{
	static const char *const regions[] = {"05", "053", "05124", "051240000000"};
	static const char *const bad[] = {"0", "0512400000000", "05x24", "05 24", "-5", "05.24"};
	Dienstweg__Header header = sample_header();
	header.region = sample_text("05124");
	EXPECT(&header, ENVELOPE_MALFORMED, "region");
	header.recipient = (ProtobufCBinaryData){0};
	for (size_t i = 0; i < sizeof(regions) / sizeof(regions[0]); i++) {
		header.region = sample_text(regions[i]);
		EXPECT(&header, ENVELOPE_OK, "");
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		header.region = sample_text(bad[i]);
		EXPECT(&header, ENVELOPE_MALFORMED, "region");
	}
	header.region = sample_bytes("05\0", 3);
	EXPECT(&header, ENVELOPE_MALFORMED, "region");

	/* An event has neither, and only an event. */
	header.kind = DIENSTWEG__KIND__KIND_EVENT;
	header.region = sample_text("05124");
	EXPECT(&header, ENVELOPE_MALFORMED, "region");
	header.region = (ProtobufCBinaryData){0};
	EXPECT(&header, ENVELOPE_OK, "");
	header.recipient = sample_text("jobcenter-wuppertal");
	EXPECT(&header, ENVELOPE_MALFORMED, "recipient");
}

static void sealed_recipients_are_ids_once(void)
{
	uint8_t ids[SEALED_RECIPIENTS_MAX + 1][KEY_ID_SIZE];
	ProtobufCBinaryData list[SEALED_RECIPIENTS_MAX + 1];
	for (size_t i = 0; i <= SEALED_RECIPIENTS_MAX; i++) {
		memset(ids[i], (int)i, KEY_ID_SIZE);
		list[i] = sample_bytes(ids[i], KEY_ID_SIZE);
	}
	Dienstweg__Header header = sample_header();
	header.sealed_recipients = list;
	header.n_sealed_recipients = SEALED_RECIPIENTS_MAX;
	EXPECT(&header, ENVELOPE_OK, "");
	header.n_sealed_recipients = SEALED_RECIPIENTS_MAX + 1;
	EXPECT(&header, ENVELOPE_TOO_LARGE, "sealed_recipients");
	header.n_sealed_recipients = 2;
	list[1].len = 15;
	EXPECT(&header, ENVELOPE_MALFORMED, "sealed_recipients");
	list[1].len = 0;
	EXPECT(&header, ENVELOPE_MALFORMED, "sealed_recipients");
	list[1] = list[0];
	EXPECT(&header, ENVELOPE_MALFORMED, "sealed_recipients");
}

static void attachments_are_digest_and_size(void)
{
	Dienstweg__Attachment each = DIENSTWEG__ATTACHMENT__INIT, *list[ATTACHMENTS_MAX + 1];
	each.digest = sample_bytes(sample_hash, sizeof(sample_hash));
	each.size = ATTACHMENT_BYTES_MAX;
	for (size_t i = 0; i <= ATTACHMENTS_MAX; i++)
		list[i] = &each;
	Dienstweg__Header header = sample_header();
	header.attachments = list;
	header.n_attachments = ATTACHMENTS_MAX;
	EXPECT(&header, ENVELOPE_OK, "");
	header.n_attachments = ATTACHMENTS_MAX + 1;
	EXPECT(&header, ENVELOPE_TOO_LARGE, "attachments");
	header.n_attachments = 1;
	each.size++;
	EXPECT(&header, ENVELOPE_TOO_LARGE, "attachments");
	each.size = 0;
	EXPECT(&header, ENVELOPE_MALFORMED, "attachments");
	each.size = 1;
	each.digest.len = 31;
	EXPECT(&header, ENVELOPE_MALFORMED, "attachments");
}

/* Zeros behind the fields: at the limit they are read and malformed, one byte more and nothing is read. */
static void oversized_headers_are_refused_unread(void)
{
	uint8_t *large = calloc(1, 1000000);
	const char *field;
	CHECK(large != NULL);
	Dienstweg__Header header = sample_header();
	size_t len = sample_pack(&header, large, HEADER_BYTES_MAX);
	CHECK(len < HEADER_BYTES_MAX);
	CHECK_INT(parse_bytes(BYTES(large, HEADER_BYTES_MAX), &field), ENVELOPE_MALFORMED);
	CHECK_INT(parse_bytes(BYTES(large, HEADER_BYTES_MAX + 1), &field), ENVELOPE_TOO_LARGE);
	CHECK_STR(field, "header");
	CHECK_INT(parse_bytes(BYTES(large, 1000000), &field), ENVELOPE_TOO_LARGE);
	free(large);
}

/* Everything as long as it may be: either with all recipients that there may be, or with all attachments. */
static void largest_header_passes(size_t recipients, size_t attachments)
{
	char schema[128], text[128], name[NAME_BYTES_MAX + 1];
	uint8_t ids[SEALED_RECIPIENTS_MAX][KEY_ID_SIZE], buf[HEADER_BYTES_MAX];
	ProtobufCBinaryData keys[SEALED_RECIPIENTS_MAX];
	Dienstweg__Attachment each = DIENSTWEG__ATTACHMENT__INIT, *list[ATTACHMENTS_MAX];
	memset(schema, 's', 127), schema[127] = '\0';
	memset(text, 't', 127), text[127] = '\0';
	memset(name, 'n', NAME_BYTES_MAX), name[NAME_BYTES_MAX] = '\0';
	each.digest = sample_bytes(sample_hash, sizeof(sample_hash));
	each.size = ATTACHMENT_BYTES_MAX;
	for (size_t i = 0; i < ATTACHMENTS_MAX; i++)
		list[i] = &each;
	for (size_t i = 0; i < SEALED_RECIPIENTS_MAX; i++) {
		memset(ids[i], (int)i, KEY_ID_SIZE);
		keys[i] = sample_bytes(ids[i], KEY_ID_SIZE);
	}
	Dienstweg__Header header = sample_header();
	header.bus = header.sender = header.recipient = header.service = header.agreement = sample_text(
		name);
	header.schema = sample_text(schema);
	header.content_type = sample_text(text);
	header.attachments = list;
	header.n_attachments = attachments;
	header.sealed_recipients = keys;
	header.n_sealed_recipients = recipients;
	header.not_before_ms = header.created_ms;
	CHECK(sample_pack(&header, buf, sizeof(buf)) <= HEADER_BYTES_MAX);
	EXPECT(&header, ENVELOPE_OK, "");
}

static void the_largest_legal_headers_pass(void)
{
	largest_header_passes(SEALED_RECIPIENTS_MAX, 0);
	largest_header_passes(24, ATTACHMENTS_MAX);
}

static void truncated_headers_are_refused(void)
{
	Dienstweg__Header header = sample_header();
	uint8_t buf[HEADER_BYTES_MAX];
	const char *field;
	/* Nothing optional behind the last required field. */
	header.status = DIENSTWEG__STATUS__STATUS_NONE;
	header.channel = DIENSTWEG__CHANNEL__CHANNEL_UNSPECIFIED;
	header.retention = header.priority = 0;
	size_t len = sample_pack(&header, buf, sizeof(buf));
	CHECK_INT(parse_bytes(BYTES(buf, len), &field), ENVELOPE_OK);
	for (size_t cut = 0; cut < len; cut++) {
		int r = parse_bytes(BYTES(buf, cut), &field);
		CHECK(r == ENVELOPE_MALFORMED || r == ENVELOPE_MISSING);
		CHECK(field[0] != '\0');
	}
}

static void random_bytes_are_refused(void)
{
	uint8_t buf[512];
	uint64_t random = 3;
	const char *field;
	for (size_t i = 0; i < 50000; i++) {
		size_t len = sample_number(&random) % sizeof(buf);
		sample_fill(&random, buf, len);
		int r = parse_bytes(BYTES(buf, len), &field);
		CHECK(r > 0 && field[0] != '\0');
	}
}

/* With less memory than needed the answer is that, not a verdict on the sender. */
static void a_small_budget_is_not_the_senders_fault(void)
{
	Dienstweg__Header header = sample_header(), *read = NULL;
	uint8_t buf[HEADER_BYTES_MAX];
	const char *field;
	size_t len = sample_pack(&header, buf, sizeof(buf)), budget = 0;
	for (;; budget += 16) {
		_cleanup_(arena_free) struct arena *arena = arena_new(budget);
		CHECK(arena != NULL);
		int r = envelope_header_parse(arena, BYTES(buf, len), &read, &field);
		if (r == 0)
			break;
		CHECK_INT(r, -ENOMEM);
		CHECK(budget < ARENA_BYTES);
	}
	CHECK(budget > 0);
}

static void verdicts_have_codes(void)
{
	CHECK_STR(envelope_verdict_code(ENVELOPE_MALFORMED), "malformed");
	CHECK_STR(envelope_verdict_code(ENVELOPE_TOO_LARGE), "too-large");
	CHECK_STR(envelope_verdict_code(ENVELOPE_MISSING), "missing-field");
	CHECK_STR(envelope_verdict_code(ENVELOPE_CONTENT), "content-mismatch");
	CHECK_STR(envelope_verdict_code(ENVELOPE_SIGNATURE_FORM), "signature-form");
}

static void context_carries_lengths(void)
{
	static const uint8_t expected[] = "\x0ewuppertal.demo\x10wuppertal-portal\x10";
	Dienstweg__Header header = sample_header();
	uint8_t a[ENVELOPE_CONTEXT_MAX], b[ENVELOPE_CONTEXT_MAX];
	size_t len = envelope_context(&header, a);
	CHECK_INT(len, 5 + 14 + 16 + 16 + 16 + 16);
	CHECK_MEM(a, expected, sizeof(expected) - 1);
	CHECK_MEM(a + 33, sample_message_id, 16);
	CHECK_INT(a[49], 16);
	CHECK_MEM(a + 50, sample_case_id, 16);
	CHECK_MEM(a + 66,
		"\x10"
		"alg2.application",
		17);
	/* The same letters, divided differently. */
	header.bus = sample_text("wuppertal.dem");
	header.sender = sample_text("owuppertal-portal");
	CHECK_INT(envelope_context(&header, b), len);
	CHECK(memcmp(a, b, len) != 0);
}

CHECK_MAIN(CHECK_CASE(a_usual_header_passes), CHECK_CASE(order_does_not_matter),
	CHECK_CASE(identity_is_the_hash_of_the_bytes), CHECK_CASE(missing_fields_are_named),
	CHECK_CASE(optional_fields_may_be_missing), CHECK_CASE(duplicates_are_named),
	CHECK_CASE(unknown_fields_are_refused), CHECK_CASE(names_are_of_the_alphabet),
	CHECK_CASE(lengths_are_exact), CHECK_CASE(texts_are_printable),
	CHECK_CASE(numbers_are_in_range), CHECK_CASE(times_are_in_order), CHECK_CASE(one_address),
	CHECK_CASE(sealed_recipients_are_ids_once), CHECK_CASE(attachments_are_digest_and_size),
	CHECK_CASE(oversized_headers_are_refused_unread),
	CHECK_CASE(the_largest_legal_headers_pass), CHECK_CASE(truncated_headers_are_refused),
	CHECK_CASE(random_bytes_are_refused), CHECK_CASE(a_small_budget_is_not_the_senders_fault),
	CHECK_CASE(verdicts_have_codes), CHECK_CASE(context_carries_lengths))
