/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Joins the way in, the way out and an agency's forms to the SDK. Everything that a wrong configuration
 * could do to files is asked before the first of them is touched.
 */
#include "adapters/connectors/folder.h"

#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/connectors/handover.h"
#include "adapters/connectors/outgoing.h"
#include "adapters/connectors/receipts.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/registry/registry.h"

enum {
	REMEMBER = 4096, /* letters put between two commits, beyond the broker's credit */
	CREDIT_MAX = 1 << 16,
	PATH_SIZE = 4096,
	WHY_SIZE = 1024,
};

struct folder_context {
	const struct config_adapter *config;
	struct folder_in *in;
	struct outgoing outgoing;
	char journal_out[PATH_SIZE], journal_documents[PATH_SIZE];
	struct handover handover;
};

/* ---- ops ---- */

int folder_from_agency(struct dw_adapter *adapter, void *context, bool *ret_more)
{
	struct folder_context *folder = context;
	const struct folder_in_taker taker = {.take = outgoing_take, .context = &folder->outgoing};
	folder->outgoing.adapter = adapter;
	return folder_in_turn(folder->in, &taker, ret_more);
}

int folder_submitted(
	struct dw_adapter *adapter, void *context, struct bytes key, const struct dw_submitted *ids)
{
	struct folder_context *folder = context;
	return folder_in_submitted(folder->in, key);
}

int folder_to_agency(struct dw_adapter *adapter, void *context, const struct dw_delivery *delivery,
	struct dw_verdict *ret)
{
	struct folder_context *folder = context;
	folder->handover.adapter = adapter;
	return handover_put(&folder->handover, delivery, ret);
}

int folder_report(struct dw_adapter *adapter, void *context, const struct dw_report *report)
{
	const struct folder_context *folder = context;
	const char *receipts = folder->config->connector.receipts;
	return receipts ? receipts_put(receipts, dw_adapter_registry(adapter), report) : 0;
}

int folder_watch_descriptor(void *context)
{
	const struct folder_context *folder = context;
	return folder_in_fd(folder->in);
}

/* ---- opening ---- */

static _printf_(3, 4) int bad(char *reterr, size_t size, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(reterr, size, format, args);
	va_end(args);
	return FOLDER_IN_INVALID;
}

static bool is_region(const char *text)
{
	size_t len = strlen(text);
	return len >= 2 && len <= 12 && strspn(text, "0123456789") == len;
}

static bool setting_is_known(const struct config_setting *setting, bool *ret_value_good)
{
	if (strncmp(setting->name, "recipient.", 10) == 0) {
		*ret_value_good = text_is_name(BYTES_STR(setting->value));
		return text_is_name(BYTES_STR(setting->name + 10));
	}
	*ret_value_good = is_region(setting->value);
	return strcmp(setting->name, "region") == 0 ||
	       (strncmp(setting->name, "region.", 7) == 0 &&
		       text_is_name(BYTES_STR(setting->name + 7)));
}

static int settings_check(const struct config_connector *config, char *reterr, size_t size)
{
	if (strcmp(config->kind, "folder") != 0)
		return bad(reterr, size, "connector.kind: must be folder for this adapter");
	for (size_t i = 0; i < config->settings_count; i++) {
		const struct config_setting *setting = &config->settings[i];
		bool value_good;
		if (!setting_is_known(setting, &value_good))
			return bad(reterr, size,
				"connector.settings: \"%.80s\" is unknown; known are region, "
				"region.SERVICE and recipient.SERVICE",
				setting->name);
		if (!value_good)
			return bad(reterr, size,
				"connector.settings: the value of \"%.80s\" is no %s", setting->name,
				setting->name[2] == 'c' ? "party name" : "region key (ARS)");
	}
	return 0;
}

static int out_open(const struct folder_context *folder, const char *field, const char *path,
	const char *journal, struct folder_out **ret, char *reterr, size_t size)
{
	uint64_t credit = folder->config->flight.credit_messages;
	const struct folder_out_options options = {.path = path,
		.field = field,
		.journal = journal,
		.remember = REMEMBER + (size_t)(credit < CREDIT_MAX ? credit : CREDIT_MAX)};
	if (!path)
		return bad(reterr, size, "%s: missing; name a folder", field);
	return folder_out_open(&options, ret, reterr, size);
}

/* Different paths may lead to one folder; what we put there would then be taken as input, or swept away. */
static int check_distinct(const struct config_connector *config, char *reterr, size_t size)
{
	const struct {
		const char *field, *path;
	} folders[] = {{"in", config->in}, {"work", config->work}, {"done", config->done},
		{"failed", config->failed}, {"out", config->out}, {"documents", config->documents},
		{"receipts", config->receipts}};
	struct stat all[ARRAY_LEN(folders)] = {};
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		if (!folders[i].path || stat(folders[i].path, &all[i]) < 0)
			continue;
		for (size_t k = 0; k < i; k++) {
			if (all[k].st_ino == all[i].st_ino && all[k].st_dev == all[i].st_dev)
				return bad(reterr, size,
					"connector.%s: is the same folder as connector.%s; give it "
					"one of its own",
					folders[i].field, folders[k].field);
		}
	}
	return 0;
}

/* A folder that is not there yet is made at start, if the one above it allows. */
static int check_usable(const char *field, const char *path, char *reterr, size_t size)
{
	char above[PATH_SIZE];
	struct stat found;
	if (stat(path, &found) == 0) {
		if (!S_ISDIR(found.st_mode))
			return bad(reterr, size, "connector.%s: %s: is no folder", field, path);
	} else if (errno == ENOENT) {
		snprintf(above, sizeof(above), "%s", path);
		path = dirname(above);
	}
	if (access(path, R_OK | W_OK | X_OK) < 0)
		return bad(reterr, size,
			"connector.%s: %s: %s; let this program's account read and write it", field,
			path, strerrordesc_np(errno));
	return 0;
}

static int check_folders(const struct config_connector *config, char *reterr, size_t size)
{
	const struct {
		const char *field, *path;
	} folders[] = {{"in", config->in}, {"out", config->out}, {"documents", config->documents}};
	int r = 0;
	if (!config->in || !config->out)
		return bad(reterr, size, "connector.%s: missing; name a folder",
			config->in ? "out" : "in");
	for (size_t i = 0; i < ARRAY_LEN(folders) && r == 0; i++) {
		if (folders[i].path)
			r = check_usable(folders[i].field, folders[i].path, reterr, size);
	}
	return r;
}

/* Of a folder that is not there yet: the one in which it will be made. */
static int stat_nearest(const char *wanted, struct stat *ret)
{
	char path[PATH_SIZE];
	snprintf(path, sizeof(path), "%s", wanted);
	while (stat(path, ret) != 0) {
		char *slash = strrchr(path, '/');
		if (errno != ENOENT)
			return -errno;
		if (!slash)
			return stat(".", ret) == 0 ? 0 : -errno;
		slash[slash == path ? 1 : 0] = '\0';
	}
	return 0;
}

/* Files move between them by rename. */
static int check_one_disk(const struct config_connector *config, char *reterr, size_t size)
{
	const struct {
		const char *field, *path;
	} folders[] = {{"in", config->in}, {"work", config->work}, {"done", config->done},
		{"failed", config->failed}};
	dev_t in = 0;
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		struct stat found;
		int r = folders[i].path ? stat_nearest(folders[i].path, &found) : 0;
		if (r < 0)
			return bad(reterr, size, "connector.%s: %s: %s", folders[i].field,
				folders[i].path, strerrordesc_np(-r));
		if (i == 0)
			in = found.st_dev;
		if (folders[i].path && found.st_dev != in)
			return bad(reterr, size,
				"connector.%s: is on another file system than connector.in; files "
				"are moved between them by renaming, so put both on one",
				folders[i].field);
	}
	return 0;
}

/* What a document would otherwise be told, when it is late. */
static int settings_look_up(const struct config_connector *config, const struct registry *registry,
	char *reterr, size_t size)
{
	for (size_t i = 0; i < config->settings_count; i++) {
		const struct config_setting *setting = &config->settings[i];
		const char *service = strchr(setting->name, '.');
		if (service && !registry_service(registry, BYTES_STR(service + 1)))
			return bad(reterr, size,
				"connector.settings: \"%.80s\" names no service of the registry",
				setting->name);
		if (setting->name[2] == 'c' && !registry_party(registry, BYTES_STR(setting->value)))
			return bad(reterr, size,
				"connector.settings: the value of \"%.80s\" is no party of the "
				"registry",
				setting->name);
	}
	return 0;
}

int folder_check_agency(const struct config_adapter *config, const struct registry *registry,
	char *reterr, size_t size)
{
	const struct config_connector *connector = &config->connector;
	int r = settings_check(connector, reterr, size);
	if (r == 0)
		r = settings_look_up(connector, registry, reterr, size);
	if (r == 0)
		r = check_folders(connector, reterr, size);
	if (r == 0)
		r = check_one_disk(connector, reterr, size);
	return r ? r : check_distinct(connector, reterr, size);
}

static int parts_open(struct folder_context *folder, char *reterr, size_t size)
{
	const struct config_connector *config = &folder->config->connector;
	int r = path_join(folder->journal_out, PATH_SIZE, folder->config->state, "put-out");
	if (r == 0)
		r = path_join(folder->journal_documents, PATH_SIZE, folder->config->state,
			"put-documents");
	if (r == 0)
		r = settings_check(config, reterr, size);
	if (r == 0)
		r = check_distinct(config, reterr, size);
	if (r == 0)
		r = out_open(folder, "connector.out", config->out, folder->journal_out,
			&folder->handover.out, reterr, size);
	if (r == 0 && config->documents)
		r = out_open(folder, "connector.documents", config->documents,
			folder->journal_documents, &folder->handover.documents, reterr, size);
	return r ? r : folder_in_open(config, &folder->in, reterr, size);
}

int folder_open_agency(struct dw_adapter *adapter, const struct config_adapter *config,
	const struct folder_agency *agency, void **ret_context)
{
	char why[WHY_SIZE] = "";
	struct folder_context *folder = calloc(1, sizeof(*folder));
	if (!folder)
		return -ENOMEM;
	folder->config = config;
	folder->handover.agency = agency;
	folder->handover.state = config->state;
	folder->handover.party = config->party;
	folder->outgoing = (struct outgoing){
		.config = config, .agency = agency, .arena = arena_new(outgoing_budget(config))};
	int r = folder->outgoing.arena ? parts_open(folder, why, sizeof(why)) : -ENOMEM;
	if (r) {
		log_error("folder", "the folders cannot be used", F_STR("why", why));
		folder_close(folder);
		return r < 0 ? r : -EINVAL;
	}
	*ret_context = folder;
	return 0;
}

void folder_close(void *context)
{
	struct folder_context *folder = context;
	if (!folder)
		return;
	folder_in_free(folder->in);
	folder_out_free(folder->handover.documents);
	folder_out_free(folder->handover.out);
	arena_free(folder->outgoing.arena);
	free(folder);
}
