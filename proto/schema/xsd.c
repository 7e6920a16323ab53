/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * libxml2 finds included files by their place, through loaders that are global to the process. So that a schema is
 * made of the pinned bytes and nothing else, each file is put into an anonymous file in memory, and every
 * schemaLocation is rewritten to point there before libxml2 sees it. What points elsewhere is refused, and
 * so is a document type: nothing is left that could reach the disk or the network.
 *
 * A compiled schema is only read while documents are checked (libxml2 extends it only when there is none and the
 * document names its own), so threads share it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <libxml/hash.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xmlschemas.h>

#include "proto/base/text.h"
#include "proto/schema/form.h"

enum {
	PLACE_SIZE = 32,
	ROOT_SIZE = 128,
	DEPTH_MAX = 64,
	PARSE = XML_PARSE_NONET | XML_PARSE_COMPACT
};

struct xsd {
	xmlSchema *schema;
	xmlHashTable *names;  /* of elements and attributes that it declares */
	char root[ROOT_SIZE]; /* "": any that the schema declares */
};

static void doc_free(xmlDoc *doc)
{
	xmlFreeDoc(doc);
}
DEFINE_CLEANUP(xmlDoc *, doc_free);

static void silence(void *context, xmlError *error)
{
	(void)context, (void)error;
}

/* At its first word, before its inside is read. */
static void stop_at_doctype(
	void *context, const xmlChar *name, const xmlChar *public, const xmlChar *system)
{
	xmlParserCtxt *parser = context;
	struct schema_fault *fault = parser->_private;
	(void)name, (void)public, (void)system;
	snprintf(fault->reason, sizeof(fault->reason),
		"has a document type (DOCTYPE), which is not allowed");
	parser->wellFormed = 0;
	xmlStopParser(parser);
}

/* UTF-8 is forced: other encodings would bring converters into reach. Return: NULL with a reason, or no memory. */
static xmlDoc *parse(struct bytes data, struct schema_fault *ret)
{
	xmlParserCtxt *parser = xmlNewParserCtxt();
	if (!parser)
		return NULL;
	parser->_private = ret;
	parser->sax->serror = silence;
	parser->sax->internalSubset = stop_at_doctype;
	xmlDoc *doc = xmlCtxtReadMemory(
		parser, (const char *)data.data, (int)data.len, NULL, "UTF-8", PARSE);
	if (!doc && !ret->reason[0] && parser->lastError.code != XML_ERR_NO_MEMORY)
		snprintf(ret->reason, sizeof(ret->reason), "is not well-formed XML (line %d)",
			parser->lastError.line);
	xmlFreeParserCtxt(parser);
	return doc;
}

/* ---- making ---- */

struct bundle {
	const struct schema_file *files;
	size_t count;
	int fds[SCHEMA_FILES_MAX];
	xmlDoc *docs[SCHEMA_FILES_MAX];
	char *reterr;
};

static void bundle_deinit(struct bundle *bundle)
{
	for (size_t i = 0; i < bundle->count; i++) {
		if (bundle->fds[i] >= 0)
			close(bundle->fds[i]);
		xmlFreeDoc(bundle->docs[i]);
	}
}

DEFINE_CLEANUP_PTR(struct bundle, bundle_deinit);

static int fail(const struct bundle *bundle, size_t file, const char *what, const char *more)
{
	const struct bytes name = bundle->files[file].name;
	snprintf(bundle->reterr, SCHEMA_ERROR_SIZE, "%.*s: %s%s", (int)name.len,
		(const char *)name.data, what, more);
	return SCHEMA_BAD;
}

static int bundle_parse(struct bundle *bundle, size_t i)
{
	struct schema_fault fault = {};
	bundle->fds[i] = memfd_create("schema", MFD_CLOEXEC);
	if (bundle->fds[i] < 0)
		return -errno;
	bundle->docs[i] = parse(bundle->files[i].data, &fault);
	if (bundle->docs[i])
		return 0;
	return fault.reason[0] ? fail(bundle, i, "it ", fault.reason) : -ENOMEM;
}

static const char *base_name(const char *place)
{
	const char *slash = strrchr(place, '/');
	return slash ? slash + 1 : place;
}

static int bundle_find(const struct bundle *bundle, const char *name, size_t *ret)
{
	for (size_t i = 0; i < bundle->count; i++)
		if (bytes_equal(bundle->files[i].name, BYTES_STR(name))) {
			*ret = i;
			return 0;
		}
	return SCHEMA_BAD;
}

static void place_of(const struct bundle *bundle, size_t i, char place[PLACE_SIZE])
{
	snprintf(place, PLACE_SIZE, "/proc/self/fd/%d", bundle->fds[i]);
}

/* include, import, redefine stand below the root. An import without a place is found by its namespace, or not at all. */
static int bundle_redirect(struct bundle *bundle, size_t i)
{
	const xmlChar *location = (const xmlChar *)"schemaLocation";
	xmlNode *root = xmlDocGetRootElement(bundle->docs[i]);
	for (xmlNode *at = root ? root->children : NULL; at; at = at->next) {
		char place[PLACE_SIZE];
		size_t target = 0;
		xmlChar *wanted = at->type == XML_ELEMENT_NODE ? xmlGetNoNsProp(at, location) : NULL;
		if (!wanted)
			continue;
		int r = bundle_find(bundle, base_name((const char *)wanted), &target);
		if (r != 0)
			r = fail(bundle, i, "it includes a file that is not listed: ",
				base_name((const char *)wanted));
		xmlFree(wanted);
		if (r != 0)
			return r;
		place_of(bundle, target, place);
		if (!xmlSetProp(at, location, (const xmlChar *)place))
			return -ENOMEM;
	}
	return 0;
}

static int bundle_store(struct bundle *bundle, size_t i)
{
	xmlChar *text = NULL;
	int len = 0, r = 0;
	xmlDocDumpMemoryEnc(bundle->docs[i], &text, &len, "UTF-8");
	if (!text)
		return -ENOMEM;
	for (ssize_t done = 0; r == 0 && done < len;) {
		ssize_t n = write(bundle->fds[i], text + done, (size_t)(len - done));
		if (n < 0)
			r = -errno;
		else
			done += n;
	}
	xmlFree(text);
	return r;
}

static void keep_first(void *context, xmlError *error)
{
	char *text = context;
	if (text[0] == '\0' && error->message)
		snprintf(text, SCHEMA_REASON_SIZE, "line %d: %.*s", error->line,
			(int)strcspn(error->message, "\n"), error->message);
}

static int compile(struct bundle *bundle, xmlSchema **ret)
{
	char place[PLACE_SIZE], text[SCHEMA_REASON_SIZE] = "";
	place_of(bundle, 0, place);
	xmlSchemaParserCtxt *parser = xmlSchemaNewParserCtxt(place);
	if (!parser)
		return -ENOMEM;
	xmlSchemaSetParserStructuredErrors(parser, keep_first, text);
	*ret = xmlSchemaParse(parser);
	xmlSchemaFreeParserCtxt(parser);
	if (!*ret || text[0]) {
		xmlSchemaFree(*ret);
		*ret = NULL;
		return fail(bundle, 0, "it is no usable XML Schema; ", text);
	}
	return 0;
}

/* Every name="..." in the files: more than elements and attributes, and none of them from a document. */
static int collect_names(struct xsd *xsd, const xmlDoc *doc)
{
	const xmlNode *root = xmlDocGetRootElement(doc), *at = root;
	while (at) {
		xmlChar *name = at->type == XML_ELEMENT_NODE
					? xmlGetNoNsProp(at, (const xmlChar *)"name")
					: NULL;
		if (name && xmlStrlen(name) <= 63 && !xmlHashLookup(xsd->names, name) &&
			xmlHashAddEntry(xsd->names, name, xsd))
			return -ENOMEM;
		xmlFree(name);
		const xmlNode *next = at->children;
		while (!next && at != root) {
			next = at->next;
			at = at->parent;
		}
		at = next;
	}
	return 0;
}

int xsd_new(const struct schema_file *files, size_t count, struct bytes root, struct xsd **ret,
	char reterr[SCHEMA_ERROR_SIZE])
{
	_cleanup_(bundle_deinit) struct bundle bundle = {
		.files = files, .count = count, .reterr = reterr};
	_cleanup_(xsd_free) struct xsd *xsd = calloc(1, sizeof(*xsd));
	int r = xsd && root.len < ROOT_SIZE ? 0 : -ENOMEM;
	for (size_t i = 0; i < count; i++)
		bundle.fds[i] = -1;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = bundle_parse(&bundle, i);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = bundle_redirect(&bundle, i);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = bundle_store(&bundle, i);
	if (r == 0)
		r = compile(&bundle, &xsd->schema);
	if (r != 0)
		return r;
	xsd->names = xmlHashCreate(64);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = xsd->names ? collect_names(xsd, bundle.docs[i]) : -ENOMEM;
	if (r != 0)
		return r;
	if (root.len > 0)
		memcpy(xsd->root, root.data, root.len);
	*ret = steal(&xsd);
	return 0;
}

void xsd_free(struct xsd *xsd)
{
	if (!xsd)
		return;
	xmlSchemaFree(xsd->schema);
	xmlHashFree(xsd->names, NULL);
	free(xsd);
}

/* ---- checking ---- */

static unsigned int place_among_equals(const xmlNode *node, bool *several)
{
	unsigned int n = 1;
	*several = false;
	for (const xmlNode *at = node->prev; at; at = at->prev)
		if (at->type == XML_ELEMENT_NODE && xmlStrEqual(at->name, node->name))
			n++;
	for (const xmlNode *at = node->next; at && !*several; at = at->next)
		*several = at->type == XML_ELEMENT_NODE && xmlStrEqual(at->name, node->name);
	*several = *several || n > 1;
	return n;
}

/* A name that the schema does not have was made up by the document: it may be anybody's. */
static const char *shown(const struct xsd *xsd, const xmlChar *name)
{
	return xmlHashLookup(xsd->names, name) ? (const char *)name : "?";
}

static void write_path(const struct xsd *xsd, const xmlNode *node, char field[SCHEMA_FIELD_SIZE])
{
	const xmlNode *chain[DEPTH_MAX];
	size_t depth = 0, len = 0;
	for (; node && node->type != XML_DOCUMENT_NODE && depth < DEPTH_MAX; node = node->parent)
		if (node->type == XML_ELEMENT_NODE || node->type == XML_ATTRIBUTE_NODE)
			chain[depth++] = node;
	field[0] = '\0';
	while (depth > 0) {
		char step[128];
		bool several = false;
		const xmlNode *at = chain[--depth];
		bool attribute = at->type == XML_ATTRIBUTE_NODE;
		unsigned int nth = attribute ? 1 : place_among_equals(at, &several);
		snprintf(step, sizeof(step), several ? "/%s%s[%u]" : "/%s%s", attribute ? "@" : "",
			shown(xsd, at->name), nth);
		if (len + strlen(step) + 4 >= SCHEMA_FIELD_SIZE) {
			memcpy(field + len, "/..", 4);
			return;
		}
		memcpy(field + len, step, strlen(step) + 1);
		len += strlen(step);
	}
}

/* What was expected instead stands in the schema; what was found may be somebody's name. */
static void write_reason(const xmlError *error, char reason[SCHEMA_REASON_SIZE])
{
	const char *expected = error->code == XML_SCHEMAV_ELEMENT_CONTENT && error->message
				       ? strstr(error->message, "Expected is")
				       : NULL;
	switch (error->code) {
	case XML_SCHEMAV_ELEMENT_CONTENT:
		snprintf(reason, SCHEMA_REASON_SIZE,
			"does not have the elements that the schema wants here%s%.*s",
			expected ? "; e" : "", expected ? (int)strcspn(expected + 1, "\n") : 0,
			expected ? expected + 1 : "");
		break;
	case XML_SCHEMAV_CVC_ELT_1:
		snprintf(reason, SCHEMA_REASON_SIZE,
			"begins with an element that the schema does not know");
		break;
	case XML_SCHEMAV_CVC_DATATYPE_VALID_1_2_1:
	case XML_SCHEMAV_CVC_DATATYPE_VALID_1_2_2:
	case XML_SCHEMAV_CVC_PATTERN_VALID:
	case XML_SCHEMAV_CVC_ENUMERATION_VALID:
	case XML_SCHEMAV_CVC_LENGTH_VALID:
	case XML_SCHEMAV_CVC_MINLENGTH_VALID:
	case XML_SCHEMAV_CVC_MAXLENGTH_VALID:
		snprintf(reason, SCHEMA_REASON_SIZE,
			"has a value here that the schema does not allow (line %d)", error->line);
		break;
	case XML_SCHEMAV_CVC_COMPLEX_TYPE_4:
		snprintf(reason, SCHEMA_REASON_SIZE,
			"lacks an attribute that the schema demands here");
		break;
	default:
		snprintf(reason, SCHEMA_REASON_SIZE,
			"does not follow the schema here (line %d, rule %d of libxml2)",
			error->line, error->code);
	}
}

struct check {
	const struct xsd *xsd;
	struct schema_fault *fault;
};

static void note_fault(void *context, xmlError *error)
{
	const struct check *check = context;
	if (check->fault->reason[0])
		return;
	write_path(check->xsd, error->node, check->fault->field);
	write_reason(error, check->fault->reason);
}

static int check_root(const struct xsd *xsd, xmlDoc *doc, struct schema_fault *ret)
{
	xmlNode *root = xmlDocGetRootElement(doc);
	if (!xsd->root[0] || (root && strcmp((const char *)root->name, xsd->root) == 0))
		return 0;
	snprintf(ret->field, sizeof(ret->field), "/");
	snprintf(ret->reason, sizeof(ret->reason), "must begin with the element %.63s", xsd->root);
	return SCHEMA_FAULT;
}

int xsd_check(const struct xsd *xsd, struct bytes body, struct schema_fault *ret)
{
	*ret = (struct schema_fault){};
	_cleanup_(doc_free) xmlDoc *doc = parse(body, ret);
	if (!doc)
		return ret->reason[0] ? SCHEMA_FAULT : -ENOMEM;
	int r = check_root(xsd, doc, ret);
	if (r != 0)
		return r;
	struct check check = {.xsd = xsd, .fault = ret};
	xmlSchemaValidCtxt *validator = xmlSchemaNewValidCtxt(xsd->schema);
	if (!validator)
		return -ENOMEM;
	xmlSchemaSetValidStructuredErrors(validator, note_fault, &check);
	int verdict = xmlSchemaValidateDoc(validator, doc);
	xmlSchemaFreeValidCtxt(validator);
	if (verdict == 0 && !ret->reason[0])
		return 0;
	if (verdict < 0 && !ret->reason[0])
		return -ENOMEM;
	return SCHEMA_FAULT;
}
