/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A part of a report costs some tens of milliseconds, an index a hundred thousand entries a second. Both can wait,
 * traffic cannot: so one thread does both at the lowest priority, and what is asked of it is limited by who asks
 * (transport) and cut into parts (here).
 */
#include "broker/access/desk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/access/share.h"
#include "broker/field.h"
#include "broker/journal/journal.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/base/queue.h"
#include "proto/frame.pb-c.h"

enum {
	REQUESTS_MAX = 64,
	PART_ENTRIES = 128, /* some hundred kilobytes with their proofs */
	PART_LOOKED = 2048, /* entries opened for one part, whoever they are of */
	CATCH_UP_STEPS = 4, /* of the index, for somebody who waits */
	RECHECK_S = 60,     /* for keys that were destroyed without an entry */
	RETRY_S = 60,       /* after the index could not be written */
	REPORT_ARENA = 4 << 20,
	PATH_BYTES = 4096,
	WHY_SIZE = 512,
};
#define SECOND_NS UINT64_C(1000000000)

struct desk {
	struct desk_options options;
	struct clerk *clerk;
	struct case_index *index; /* the clerk's thread; NULL: to be opened */
	uint64_t rechecked_ns;    /* likewise */

	/* Reactor: */
	struct step {
		struct errand errand; /* first */
		struct desk *desk;
		int result;
		struct case_index_progress progress;
	} step;
	bool stepping, stopped;
	uint64_t retry_ns; /* not before */
	struct case_index_progress progress;
};

static struct audit audit_of(const struct desk *desk, struct journal_reader *reader)
{
	struct audit audit = {.keyring = desk->options.keyring, .reader = reader};
	struct journal_meta meta;
	if (journal_read_meta(reader, &meta) == 0)
		snprintf(audit.origin, sizeof(audit.origin), "%s/%u", meta.bus, meta.epoch);
	return audit;
}

/* ---- the index ---- */

/* One that cannot be opened is worth nothing: it is made anew. */
static int index_open(struct desk *desk)
{
	static const char *const files[] = {"data.mdb", "lock.mdb"};
	char why[WHY_SIZE] = "", path[PATH_BYTES];
	int r = case_index_open(desk->options.index, &desk->index, why, sizeof(why));
	if (r != -EBADMSG && r != -EINVAL && r != -EIO)
		return r;
	log_warn("access", "the case index is damaged and is made anew", F_STR("why", why));
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (path_join(path, sizeof(path), desk->options.index, files[i]) == 0)
			unlink(path);
	return case_index_open(desk->options.index, &desk->index, why, sizeof(why));
}

static int index_step(struct desk *desk, struct audit *audit, struct case_index_progress *ret)
{
	struct audit_report report = {};
	uint64_t now_ns = clock_mono_ns(desk->options.clock);
	int r = desk->index ? 0 : index_open(desk);
	if (r)
		return r;
	if (now_ns - desk->rechecked_ns > RECHECK_S * SECOND_NS) {
		desk->rechecked_ns = now_ns;
		case_index_recheck(desk->index);
	}
	r = case_index_step(desk->index, audit, false, &report, ret);
	if (r) /* whoever mends or deletes it need not stop the broker */
		case_index_free(steal(&desk->index));
	return r;
}

static void step_run(struct errand *errand, struct journal_reader *reader)
{
	struct step *step = (struct step *)errand;
	struct audit audit = audit_of(step->desk, reader);
	step->result = index_step(step->desk, &audit, &step->progress);
}

static void step_send(struct desk *desk)
{
	desk->stepping = clerk_send(desk->clerk, &desk->step.errand) == 0;
}

static void step_done(struct errand *errand)
{
	struct step *step = (struct step *)errand;
	struct desk *desk = step->desk;
	int r = errand->result ? errand->result : step->result;
	desk->stepping = false;
	if (r) {
		desk->retry_ns = clock_mono_ns(desk->options.clock) + RETRY_S * SECOND_NS;
		log_error("access",
			"the case index cannot be brought up to date, subject access has to wait: "
			"make room, or delete the folder",
			F_STR("folder", desk->options.index), F_ERR(r));
		return;
	}
	desk->progress = step->progress;
	if (desk->progress.more && !desk->stopped)
		step_send(desk);
}

void desk_tick(struct desk *desk, uint64_t size)
{
	if (desk->stepping || desk->stopped || desk->progress.done == size ||
		clock_mono_ns(desk->options.clock) < desk->retry_ns)
		return;
	step_send(desk);
}

/* ---- a report ---- */

/* Those of our log keys that the registry in force has as active. */
static size_t signers_of(const struct desk_request *request, const struct key_secret **ret)
{
	const struct desk_options *options = &request->desk->options;
	size_t count = 0;
	for (size_t i = 0; i < JOURNAL_LOG_KEYS_MAX && options->log_keys[i]; i++) {
		const Dienstweg__Party *owner = NULL;
		const Dienstweg__Key *key = registry_key(request->registry,
			BYTES(options->log_keys[i]->pub.id, KEY_ID_SIZE), &owner);
		if (key && !owner && key->state == DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE)
			ret[count++] = options->log_keys[i];
	}
	return count;
}

static int pack(struct desk_request *request, const struct share *share, struct bytes words,
	struct bytes json)
{
	Dienstweg__AccessReport report = DIENSTWEG__ACCESS_REPORT__INIT;
	report.report = field_bytes(words);
	report.json = field_bytes(json);
	report.more = share->more;
	report.next_message = share->next.message;
	report.next_entry = share->next.entry;
	if (!share->more)
		report.next_message = report.next_entry = 0;
	request->report_len = dienstweg__access_report__get_packed_size(&report);
	request->report = malloc(request->report_len);
	if (!request->report)
		return -ENOMEM;
	dienstweg__access_report__pack(&report, request->report);
	return 0;
}

static int write_report(struct desk_request *request, const struct share_options *options,
	const struct share *share)
{
	const struct key_secret *signers[JOURNAL_LOG_KEYS_MAX];
	_cleanup_(arena_free) struct arena *arena = arena_new(REPORT_ARENA);
	json_t *object = share_object(options, share, clock_wall_ms(request->desk->options.clock));
	_cleanup_(heap_free) char *json = json_dumps(object, JSON_INDENT(2));
	struct bytes words;
	int r = arena && json ? 0 : -ENOMEM;
	if (r == 0)
		r = share_words(object, BYTES_STR(json), signers, signers_of(request, signers),
			arena, &words);
	json_decref(object);
	return r ? (r > 0 ? -EBADMSG : r) : pack(request, share, words, BYTES_STR(json));
}

static int make(struct desk_request *request, struct audit *audit)
{
	struct desk *desk = request->desk;
	_cleanup_(share_deinit) struct share share = {};
	struct share_options options = {
		.audit = audit,
		.index = desk->index,
		.party = BYTES_STR(request->party),
		.from = request->from,
		.entries_max = PART_ENTRIES,
		.looked_max = PART_LOOKED,
	};
	memcpy(options.id, request->id, CASE_ID_SIZE);
	int r = share_make(&options, &share);
	request->opened = share.looked;
	if (r == 0 && json_array_size(share.entries) == 0 && !share.more)
		return DESK_NOTHING;
	if (r == 0)
		r = share_prove(&options, &share);
	return r ? r : write_report(request, &options, &share);
}

static void request_run(struct errand *errand, struct journal_reader *reader)
{
	struct desk_request *request = (struct desk_request *)errand;
	struct desk *desk = request->desk;
	struct audit audit = audit_of(desk, reader);
	struct journal_meta meta;
	int r = 0;
	request->progress.more = true;
	for (int i = 0; r == 0 && i < CATCH_UP_STEPS && request->progress.more; i++)
		r = index_step(desk, &audit, &request->progress);
	if (r == 0 && request->progress.more)
		r = DESK_BEHIND;
	if (r == 0)
		r = case_index_begin(desk->index);
	if (r == 0)
		r = make(request, &audit);
	if (desk->index)
		case_index_end(desk->index);
	if (r == 0)
		r = audit_refresh(&audit);
	if (r == 0)
		r = journal_read_meta(reader, &meta);
	request->size = r == 0 ? meta.size : 0;
	request->result = r;
}

static void request_done(struct errand *errand)
{
	struct desk_request *request = (struct desk_request *)errand;
	if (errand->result)
		request->result = errand->result;
	request->done(request);
}

int desk_ask(struct desk *desk, struct desk_request *request)
{
	request->desk = desk;
	request->errand = (struct errand){.run = request_run, .done = request_done};
	return desk->stopped ? QUEUE_FULL : clerk_send(desk->clerk, &request->errand);
}

/* ---- life ---- */

int desk_new(const struct desk_options *options, struct desk **ret)
{
	const struct clerk_options clerk = {
		.env = options->env,
		.keyring = options->keyring,
		.errands_max = REQUESTS_MAX + 1,
		.name = "desk",
		.nice = CLERK_PATIENT,
	};
	_cleanup_(desk_free) struct desk *desk = calloc(1, sizeof(*desk));
	if (!desk)
		return -ENOMEM;
	desk->options = *options;
	desk->step.errand = (struct errand){.run = step_run, .done = step_done};
	desk->step.desk = desk;
	int r = clerk_new(&clerk, &desk->clerk);
	if (r == 0)
		*ret = steal(&desk);
	return r;
}

void desk_free(struct desk *desk)
{
	if (!desk)
		return;
	clerk_free(desk->clerk);
	case_index_free(desk->index);
	free(desk);
}

void desk_stop(struct desk *desk)
{
	desk->stopped = true;
}

int desk_fd(const struct desk *desk)
{
	return clerk_fd(desk->clerk);
}

size_t desk_collect(struct desk *desk)
{
	return clerk_collect(desk->clerk);
}

size_t desk_out(const struct desk *desk)
{
	return clerk_out(desk->clerk);
}

struct case_index_progress desk_progress(const struct desk *desk)
{
	return desk->progress;
}
