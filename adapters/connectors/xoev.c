/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * libxml2 is used as a SAX parser with nothing attached: no tree, no document type, no entities, no
 * network. A DOCTYPE ends the parsing at its first word, before its inside is read; without one there is
 * nothing to expand and nothing to fetch. UTF-8 is forced, because that is what the standards prescribe
 * and because other encodings would bring converters into reach.
 *
 * Fields are found by their path from the root, by local names: versions of a standard differ in
 * namespaces. Only what stands at its place in the head counts, and only once; an element of the same
 * name elsewhere is content.
 */
#include "adapters/connectors/xoev.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include "proto/base/cleanup.h"

enum {
	DEPTH_MAX = 100,
	PATH_SIZE = 128,
};

enum field { TYPE, ID, CREATED, READER, AUTHOR, FIELDS };

/* Which path of which head means what. A party has a scheme; "" takes it from "scheme:value". */
struct rule {
	const char *path; /* below the root element */
	enum field field;
	const char *scheme;
	bool weak; /* counts only when nothing else said it: it may as well be content */
};

static const struct rule rules[] = {
	{"nachrichtenkopf.g2g/identifikation.nachricht/nachrichtenUUID", ID, NULL},
	{"nachrichtenkopf.g2g/identifikation.nachricht/erstellungszeitpunkt", CREATED, NULL},
	{"nachrichtenkopf.g2g/leser/kennung", READER, ""},
	{"nachrichtenkopf.g2g/autor/kennung", AUTHOR, ""},

	{"nachrichtenkopf/identifikation.nachricht/nachrichtenUUID", ID, NULL},
	{"nachrichtenkopf/identifikation.nachricht/erstellungszeitpunkt", CREATED, NULL},
	{"nachrichtenkopf/leser/kennung", READER, ""},
	{"nachrichtenkopf/autor/kennung", AUTHOR, ""},

	{"nachrichtenkopf/eigeneNachrichtenID", ID, NULL},
	{"nachrichtenkopf/erstellungszeitpunkt", CREATED, NULL},
	{"nachrichtenkopf/auswahl_empfaenger/empfaenger.sonstige", READER, "xjustiz"},
	{"nachrichtenkopf/auswahl_empfaenger/empfaenger.gericht/code", READER, "xjustiz"},
	{"nachrichtenkopf/auswahl_empfaenger/empfaenger.rvTraeger/code", READER, "xjustiz"},
	{"nachrichtenkopf/auswahl_absender/absender.sonstige", AUTHOR, "xjustiz"},
	{"nachrichtenkopf/auswahl_absender/absender.gericht/code", AUTHOR, "xjustiz"},
	{"nachrichtenkopf/auswahl_absender/absender.rvTraeger/code", AUTHOR, "xjustiz"},

	{"nachrichtenkopf/nachrichtenID", ID, NULL},
	{"nachrichtenkopf/zeitstempel", CREATED, NULL},
	{"kommune/gemeindeschluessel/code", AUTHOR, "ags", true},
};

static const struct rule xta_rules[] = {
	{"MsgIdentification/MessageID", ID, NULL},
	{"DeliveryAttributes/Origin", CREATED, NULL},
	{"Qualifier/MessageType/code", TYPE, NULL},
	{"Destinations/Reader/Identifier", READER, ""},
	{"Originators/Author/Identifier", AUTHOR, ""},
};
static const char xta_root[] = "MessageMetaData";

struct parse {
	xmlParserCtxt *parser;
	char *reterr;
	size_t size;
	bool bad;  /* reterr is set */
	int line;  /* of the first error, 0: none */
	int code;  /* libxml2's */
	bool head; /* the head of a known standard was seen */
	bool xta;
	size_t depth;      /* open elements */
	size_t path_depth; /* those of them below the root that are in @path */
	size_t path_len;
	char path[PATH_SIZE];
	const struct rule *rule; /* being collected */
	size_t collected;
	bool found[FIELDS];
	struct xoev_head *ret;
};

static _printf_(2, 3) void complain(struct parse *parse, const char *format, ...)
{
	va_list args;
	if (parse->bad)
		return;
	va_start(args, format);
	vsnprintf(parse->reterr, parse->size, format, args);
	va_end(args);
	parse->bad = true;
	xmlStopParser(parse->parser);
}

/* ---- collecting ---- */

static char *target(struct parse *parse)
{
	struct xoev_head *head = parse->ret;
	switch (parse->rule->field) {
	case TYPE:
		return head->type;
	case ID:
		return head->id;
	case CREATED:
		return head->created;
	case READER:
		return head->reader.value;
	default:
		return head->author.value;
	}
}

static const struct rule *rule_find(const struct parse *parse)
{
	const struct rule *all = parse->xta ? xta_rules : rules;
	size_t count = parse->xta ? ARRAY_LEN(xta_rules) : ARRAY_LEN(rules);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(all[i].path, parse->path) == 0)
			return &all[i];
	}
	return NULL;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void trim(char *text)
{
	size_t len = strlen(text), from = 0;
	while (len > 0 && is_space(text[len - 1]))
		len--;
	while (from < len && is_space(text[from]))
		from++;
	memmove(text, text + from, len - from);
	text[len - from] = '\0';
}

static void collect_start(struct parse *parse, const struct rule *rule)
{
	if (parse->found[rule->field] && rule->weak)
		return;
	if (parse->found[rule->field]) {
		complain(parse, "%s: stands twice, or beside another that means the same; keep one",
			rule->path);
		return;
	}
	parse->found[rule->field] = true;
	parse->rule = rule;
	parse->collected = 0;
}

static void collect(struct parse *parse, const char *text, size_t len)
{
	size_t max = parse->rule->field == TYPE ? XOEV_TYPE_MAX : XOEV_TEXT_MAX;
	if (len > max - parse->collected) {
		complain(parse, "%s: is longer than %zu bytes; shorten it", parse->rule->path, max);
		return;
	}
	char *buf = target(parse);
	memcpy(buf + parse->collected, text, len);
	parse->collected += len;
	buf[parse->collected] = '\0';
}

static void party_end(struct xoev_party *party, const struct rule *rule)
{
	const char *colon = strchr(party->value, ':');
	snprintf(party->field, sizeof(party->field), "%s", rule->path);
	if (*rule->scheme) {
		snprintf(party->scheme, sizeof(party->scheme), "%s", rule->scheme);
	} else if (colon && (size_t)(colon - party->value) <= XOEV_SCHEME_MAX) {
		size_t len = (size_t)(colon - party->value);
		memcpy(party->scheme, party->value, len);
		party->scheme[len] = '\0';
		memmove(party->value, colon + 1, strlen(colon + 1) + 1);
	} else {
		snprintf(party->scheme, sizeof(party->scheme), "xoev");
	}
	if (!*party->value)
		party->scheme[0] = '\0';
}

static void collect_end(struct parse *parse)
{
	const struct rule *rule = parse->rule;
	trim(target(parse));
	if (rule->field == READER)
		party_end(&parse->ret->reader, rule);
	if (rule->field == AUTHOR)
		party_end(&parse->ret->author, rule);
	parse->rule = NULL;
}

/* ---- the path ---- */

/* Names are added only below others that were: what is too long for any rule is left out with its inside. */
static void path_push(struct parse *parse, const char *name)
{
	size_t len = strlen(name), used = parse->path_len;
	if (parse->path_depth != parse->depth - 1 || used + 1 + len >= PATH_SIZE)
		return;
	if (used > 0)
		parse->path[used++] = '/';
	memcpy(parse->path + used, name, len + 1);
	parse->path_len = used + len;
	parse->path_depth++;
}

static bool path_is_current(const struct parse *parse)
{
	return parse->depth > 1 && parse->path_depth == parse->depth - 1;
}

static void path_pop(struct parse *parse)
{
	char *slash = strrchr(parse->path, '/');
	parse->path_len = slash ? (size_t)(slash - parse->path) : 0;
	parse->path[parse->path_len] = '\0';
	parse->path_depth--;
}

/* ---- events of the parser ---- */

static void root_start(struct parse *parse, const char *name)
{
	parse->xta = strcmp(name, xta_root) == 0;
	parse->head = parse->xta;
	if (parse->xta)
		return;
	if (strlen(name) > XOEV_TYPE_MAX)
		complain(parse, "root element: its name is longer than %d bytes; no message type is",
			XOEV_TYPE_MAX);
	else
		snprintf(parse->ret->type, sizeof(parse->ret->type), "%s", name);
}

static void element_start(struct parse *parse, const char *name)
{
	if (parse->rule)
		complain(parse, "%s: must hold a text and no elements", parse->rule->path);
	if (parse->depth >= DEPTH_MAX)
		complain(parse,
			"line %d: elements are nested deeper than %d; no official message is",
			xmlSAX2GetLineNumber(parse->parser), DEPTH_MAX);
	path_push(parse, name);
	parse->depth++;
	if (parse->bad || !path_is_current(parse))
		return;
	if (strcmp(parse->path, "nachrichtenkopf") == 0 ||
		strcmp(parse->path, "nachrichtenkopf.g2g") == 0)
		parse->head = true;
	const struct rule *rule = rule_find(parse);
	if (rule)
		collect_start(parse, rule);
}

static void on_start(void *context, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
	int namespaces_count, const xmlChar **namespaces, int attributes_count, int defaulted_count,
	const xmlChar **attributes)
{
	struct parse *parse = context;
	if (parse->bad)
		return;
	if (parse->depth > 0) {
		element_start(parse, (const char *)name);
		return;
	}
	root_start(parse, (const char *)name);
	parse->depth = 1;
}

static void on_end(void *context, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct parse *parse = context;
	if (parse->bad)
		return;
	if (path_is_current(parse)) {
		if (parse->rule)
			collect_end(parse);
		path_pop(parse);
	}
	parse->depth--;
}

static void on_text(void *context, const xmlChar *text, int len)
{
	struct parse *parse = context;
	if (!parse->bad && parse->rule)
		collect(parse, (const char *)text, (size_t)len);
}

/* Called with the first word of a DOCTYPE, before anything in it is read. */
static void on_doctype(
	void *context, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
	struct parse *parse = context;
	complain(parse, "line %d: has a DOCTYPE, which may declare entities; remove it",
		xmlSAX2GetLineNumber(parse->parser));
}

/* amp, lt, gt, quot and apos; there are no others without a DOCTYPE. */
static xmlEntity *on_entity(void *context, const xmlChar *name)
{
	return xmlGetPredefinedEntity(name);
}

static void on_error(void *context, xmlError *error)
{
	struct parse *parse = context;
	if (parse->line == 0 && error->level >= XML_ERR_ERROR) {
		parse->line = error->line > 0 ? error->line : 1;
		parse->code = error->code;
	}
}

/* ---- the document ---- */

static int not_well_formed(struct parse *parse)
{
	const char *what = "is not well-formed XML";
	switch (parse->code) {
	case XML_ERR_NO_MEMORY:
		return -ENOMEM;
	case XML_ERR_INVALID_CHAR:
	case XML_ERR_INVALID_ENCODING:
	case XML_I18N_CONV_FAILED:
		what = "is not in UTF-8, or holds characters that XML forbids";
		break;
	case XML_ERR_UNDECLARED_ENTITY:
	case XML_WAR_UNDECLARED_ENTITY:
		what = "uses an entity that XML does not know";
		break;
	default:
		break;
	}
	snprintf(parse->reterr, parse->size, "line %d: %s; correct it there",
		parse->line ? parse->line : 1, what);
	return XOEV_BAD;
}

static int check_head(const struct parse *parse)
{
	if (!parse->head)
		snprintf(parse->reterr, parse->size,
			"nachrichtenkopf.g2g: missing; a document is sent by its own head "
			"(nachrichtenkopf.g2g, nachrichtenkopf, or MessageMetaData)");
	else if (!parse->ret->type[0])
		snprintf(parse->reterr, parse->size, "Qualifier/MessageType/code: missing; add it");
	else
		return 0;
	return XOEV_BAD;
}

/* Two bytes tell UTF-16, with and without a mark. */
static bool is_utf16(struct bytes document)
{
	if (document.len < 2)
		return false;
	uint8_t a = document.data[0], b = document.data[1];
	return (a == 0xfe && b == 0xff) || (a == 0xff && b == 0xfe) || a == 0 || b == 0;
}

static int parse_all(struct parse *parse, struct bytes document)
{
	const int options = XML_PARSE_NONET | XML_PARSE_IGNORE_ENC;
	xmlDoc *nothing = xmlCtxtReadMemory(parse->parser, (const char *)document.data,
		(int)document.len, NULL, "UTF-8", options);
	xmlFreeDoc(nothing); /* none is built; this says so should that ever change */
	if (parse->bad)
		return XOEV_BAD;
	if (!parse->parser->wellFormed || !parse->parser->nsWellFormed)
		return not_well_formed(parse);
	return check_head(parse);
}

int xoev_read(struct bytes document, struct xoev_head *ret, char *reterr, size_t size)
{
	static const xmlSAXHandler events = {
		.initialized = XML_SAX2_MAGIC,
		.internalSubset = on_doctype,
		.startElementNs = on_start,
		.endElementNs = on_end,
		.characters = on_text,
		.ignorableWhitespace = on_text,
		.cdataBlock = on_text,
		.getEntity = on_entity,
		.serror = on_error,
	};
	struct parse parse = {.reterr = reterr, .size = size, .ret = ret};
	*ret = (struct xoev_head){};
	if (is_utf16(document) || document.len > INT_MAX) {
		snprintf(reterr, size, "line 1: is not in UTF-8; save the document as UTF-8");
		return XOEV_BAD;
	}
	parse.parser = xmlNewParserCtxt();
	if (!parse.parser)
		return -ENOMEM;
	*parse.parser->sax = events;
	parse.parser->userData = &parse;
	int r = parse_all(&parse, document);
	xmlFreeParserCtxt(parse.parser);
	return r;
}
