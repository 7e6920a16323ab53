/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Start-up asks everything that could make going on a mistake, in the order in which it is cheap and
 * safe to ask: is somebody else writing, do we know the format, is it our bus, does the tree lead to the
 * last checkpoint we signed, may the given registry follow the one in force. Only then is anything
 * written. It reads meta, the edge of the tree and the registry, never a whole table.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "broker/journal/reader.h"
#include "broker/journal/writer.h"
#include "proto/base/file.h"
#include "proto/base/log.h"

enum { PAGE_BYTES = 4096, OPEN_ARENA = 8 << 20 };

/* ---- the folder ---- */

static int lock_folder(struct journal *journal, char *reterr, size_t size)
{
	char path[4096];
	int r = path_join(path, sizeof(path), journal->options.dir, "LOCK");
	if (r == 0) {
		journal->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		r = journal->lock_fd < 0 ? -errno : 0;
	}
	if (r) {
		snprintf(reterr, size, "%s: %s: make the folder, owned by the broker's user",
			journal->options.dir, strerrordesc_np(-r));
		return r;
	}
	if (flock(journal->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	r = -errno;
	snprintf(reterr, size,
		"%s: another broker is using this journal: stop it first (fuser %s names it)",
		journal->options.dir, path);
	return r == -EWOULDBLOCK ? -EBUSY : r;
}

static int open_env(struct journal *journal, char *reterr, size_t size)
{
	struct db_options options = {
		.map_bytes = journal->options.map_bytes / PAGE_BYTES * PAGE_BYTES,
		.tables_max = TABLES_MAX,
		.readers_max = READERS_MAX,
		.mode = 0600,
	};
	int r = db_env_open(journal->options.dir, &options, &journal->env);
	if (r)
		snprintf(reterr, size, "%s: the database cannot be opened: %s",
			journal->options.dir, strerrordesc_np(-r));
	return r;
}

/* ---- what is in it ---- */

static int check_head(struct journal *journal, int found, uint32_t format, char *reterr, size_t size)
{
	const char *dir = journal->options.dir;
	struct bytes bus = journal->options.bus;
	if (found == HEAD_FORMAT) {
		snprintf(reterr, size,
			"%s: format version %" PRIu32
			", this program knows %d: start the version of the "
			"program that wrote it",
			dir, format, JOURNAL_FORMAT_VERSION);
		return JOURNAL_FORMAT;
	}
	if (found) {
		snprintf(reterr, size, "%s: its head cannot be read: restore it from a backup", dir);
		return found < 0 ? found : -EBADMSG;
	}
	if (!bytes_equal(bus, BYTES_STR(journal->head.bus))) {
		snprintf(reterr, size,
			"%s: the journal of bus \"%s\", not of \"%.*s\": check `state`", dir,
			journal->head.bus, (int)bus.len, (const char *)bus.data);
		return JOURNAL_CONFLICT;
	}
	return 0;
}

/* A journal out of a backup has its entries and nothing that follows from them: no queue, for one. */
static int check_derived(struct journal *journal, struct db_txn *txn, char *reterr, size_t size)
{
	uint64_t parties;
	bool unfinished;
	int r = unfinished_get(txn, &journal->tables, &unfinished);
	if (r == 0)
		r = db_count(txn, journal->store.tables[STATE_PARTY], &parties);
	if (r || (!unfinished && parties > 0))
		return r;
	snprintf(reterr, size,
		"%s: its derived tables (queues and what else follows from the entries) are "
		"missing or unfinished: make them with dienstweg audit rebuild",
		journal->options.dir);
	return JOURNAL_CONFLICT;
}

/* Tables; a head, new or old. */
static int load_head(struct journal *journal, struct db_txn *txn, char *reterr, size_t size)
{
	uint32_t format = 0;
	struct journal_head *head = &journal->head;
	int r = db_table_open(txn, "meta", &journal->tables.meta);
	if (r == 0)
		r = head_get(txn, &journal->tables, head, &format);
	if (r == DB_NOT_FOUND) {
		*head = (struct journal_head){};
		memcpy(head->bus, journal->options.bus.data, journal->options.bus.len);
		r = head_create(txn, &journal->tables);
		if (r == 0)
			r = head_put(txn, &journal->tables, head);
	} else {
		r = check_head(journal, r, format, reterr, size);
	}
	if (r == 0)
		r = journal_tables_open(&journal->tables, txn);
	if (r == 0)
		r = state_store_open(&journal->store, txn);
	if (r == 0 && head->size > 0)
		r = check_derived(journal, txn, reterr, size);
	return r == DB_FULL && !*reterr ? -ENOSPC : r;
}

static int load_epochs(struct journal *journal, struct db_txn *txn, char *reterr, size_t size)
{
	int r = epochs_get(txn, &journal->tables, &journal->epochs);
	if (r == 0 && epochs_newest(&journal->epochs) != journal->head.epoch)
		r = -EBADMSG;
	if (r == -EBADMSG)
		snprintf(reterr, size,
			"%s: what it says of its epochs cannot be: it is damaged; restore it from "
			"a backup",
			journal->options.dir);
	return r;
}

static int last_checkpoint(
	struct journal *journal, struct db_txn *txn, struct checkpoint *ret, struct bytes *ret_note)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	int r = db_cursor_open(txn, journal->tables.checkpoint, &cursor);
	if (r == 0)
		r = db_cursor_last(cursor, NULL, ret_note);
	if (r)
		return r == DB_NOT_FOUND ? -EBADMSG : r;
	const uint8_t *end = memmem(ret_note->data, ret_note->len, "\n\n", 2);
	if (!end || ret_note->len > CHECKPOINT_NOTE_MAX)
		return -EBADMSG;
	struct bytes text = BYTES(ret_note->data, (size_t)(end - ret_note->data) + 1);
	return checkpoint_parse(text, ret) ? -EBADMSG : 0;
}

static int last_stub(struct journal *journal, struct db_txn *txn, uint64_t *ret_sequence)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	struct bytes key;
	int r = db_cursor_open(txn, journal->tables.stub, &cursor);
	if (r == 0)
		r = db_cursor_last(cursor, &key, NULL);
	if (r || key.len != 8)
		return r < 0 ? r : -EBADMSG;
	*ret_sequence = be64_get(key.data);
	return 0;
}

/* The edge must lead to the root that we signed last: else rows were lost or changed. */
static int load_tree(struct journal *journal, struct db_txn *txn, char *reterr, size_t size)
{
	struct tile_source source = {
		.txn = txn, .tables = &journal->tables, .size = journal->head.size};
	struct checkpoint checkpoint;
	struct merkle_hash root;
	struct bytes note;
	uint64_t last;
	int r = tree_new(&journal->tree);
	if (r || source.size == 0)
		return r;
	r = tree_load(journal->tree, &source);
	if (r == 0)
		r = last_checkpoint(journal, txn, &checkpoint, &note);
	if (r == 0)
		r = last_stub(journal, txn, &last);
	if (r == 0) {
		tree_root(journal->tree, &root);
		memcpy(journal->note, note.data, note.len);
		journal->note_len = note.len;
		journal->note_day = clock_day(journal->head.batch_ms);
		if (checkpoint.size != source.size || last + 1 != source.size ||
			strcmp(checkpoint.origin, journal->origin) != 0 ||
			memcmp(&checkpoint.root, &root, sizeof(root)) != 0)
			r = -EBADMSG;
	}
	if (r)
		snprintf(reterr, size,
			"%s: its tree does not lead to its last checkpoint: it is damaged; find "
			"out what "
			"with audit verify, and restore it from a backup",
			journal->options.dir);
	return r;
}

/* ---- the registry ---- */

static int load_registry(struct journal *journal, struct db_txn *txn, char *reterr, size_t size)
{
	struct record_source source = {.txn = txn, .tables = &journal->tables};
	struct bytes bytes;
	char why[256] = "";
	_cleanup_(arena_free) struct arena *arena = arena_new(OPEN_ARENA * 8);
	if (!arena)
		return -ENOMEM;
	int r = content_read(&source, journal->head.registry_sequence, arena, &bytes);
	if (r == 0) /* we checked it when it came, and whom it follows */
		r = registry_load_self(bytes, &journal->registry, why, sizeof(why));
	if (r <= 0)
		return r;
	snprintf(reterr, size, "%s: the registry in force (entry %" PRIu64 ") cannot be read%s%s",
		journal->options.dir, journal->head.registry_sequence, *why ? ": " : "", why);
	return -EBADMSG;
}

/* ---- all of it ---- */

static int make_parts(struct journal *journal)
{
	const struct journal_options *options = &journal->options;
	const struct fair_limits limits = {
		.parcels = options->batch_parcels_max,
		.messages = options->batch_messages_max,
		.party_messages = options->fair_messages,
	};
	journal->acts_tail = &journal->acts;
	pthread_mutex_init(&journal->shared.lock, NULL);
	int r = queue_new(options->parcels_max + JOURNAL_TICKS + 1, &journal->input);
	if (r == 0)
		r = fair_new(&limits, &journal->fair);
	for (size_t i = 0; i < JOURNAL_TICKS && r == 0; i++) {
		r = parcel_new(PARCEL_TICK, TICK_ARENA, &journal->ticks[i]);
		if (r == 0) {
			journal->ticks[i]->next = journal->ticks_idle;
			journal->ticks_idle = journal->ticks[i];
		}
	}
	return r;
}

static int load(struct journal *journal, char *reterr, size_t size)
{
	struct db_txn *txn = NULL;
	int r = db_begin(journal->env, true, &txn);
	if (r)
		return r;
	r = load_head(journal, txn, reterr, size);
	if (r == 0)
		r = load_epochs(journal, txn, reterr, size);
	if (r == 0) {
		epoch_origin(BYTES_STR(journal->head.bus), journal->head.epoch, journal->origin);
		r = load_tree(journal, txn, reterr, size);
	}
	if (r == 0)
		r = cosign_load(journal, txn);
	if (r == 0 && journal->head.size > 0)
		r = load_registry(journal, txn, reterr, size);
	if (r == 0)
		r = erase_load(journal, txn);
	if (r) {
		db_abort(txn);
		return r;
	}
	return journal_put_error(db_commit(txn));
}

static int open_all(struct journal *journal, struct registry *given, char *reterr, size_t size)
{
	int r = lock_folder(journal, reterr, size);
	if (r == 0)
		r = open_env(journal, reterr, size);
	if (r == 0)
		r = make_parts(journal);
	if (r == 0)
		r = load(journal, reterr, size);
	if (r)
		return r;
	if (journal->registry)
		journal->signers_count = signers_choose(
			journal, journal->registry, journal->signers);
	journal->log.tables = &journal->tables;
	journal->log.keyring = journal->options.keyring;
	journal->log.seal = &journal->erase.seal;
	journal->log.tree = journal->tree;
	journal->fill = (struct fill){
		.env = journal->env,
		.dir = journal->options.dir,
		.limit_percent = journal->options.fill_limit_percent,
		.reserve_bytes = journal->options.disk_reserve_bytes,
	};
	if (journal->registry)
		journal->shared.registry = registry_ref(journal->registry);
	r = state_job_init(&journal->state, journal->env, journal->options.keyring, journal->input,
		clock_day(journal->head.size ? journal->head.batch_ms
					     : clock_wall_ms(journal->options.clock)));
	if (r == 0)
		r = highwater_look(journal);
	/* Before anything is written: an epoch must not begin with a registry that cannot follow. */
	if (r == 0 && (journal->doubt != JOURNAL_SURE || journal->options.order))
		r = adopt_check(journal, given, reterr, size);
	if (r == 0 && journal->options.order)
		r = epoch_open(journal, reterr, size);
	if (r)
		return r;
	if (journal->doubt == JOURNAL_SURE)
		return adopt_registry(journal, given, reterr, size);
	journal->given = registry_ref(given);
	return 0;
}

enum journal_doubt journal_doubt(const struct journal *journal)
{
	return journal->doubt;
}

uint32_t journal_next_epoch(const struct journal *journal)
{
	return epoch_next(journal);
}

int journal_trust(struct journal *journal, const char *why, char *reterr, size_t size)
{
	assert(journal->doubt != JOURNAL_SURE && !journal->started);
	*reterr = '\0';
	journal->doubt = JOURNAL_SURE;
	journal->trusted = why;
	log_warn("journal", "trusted although its high-water file says otherwise, or is missing",
		F_STR("why", why), F_U64("entries", journal->head.size),
		F_U64("signed", journal->marked_size));
	return adopt_registry(journal, journal->given, reterr, size);
}

int journal_open(const struct journal_options *options, struct registry *registry,
	struct journal **ret, char *reterr, size_t size)
{
	assert(options->parcels_max > 0 && options->batch_parcels_max > 0 && options->done);
	assert(options->batch_messages_max > 0 && options->fair_messages > 0 && options->failed);
	assert(options->bus.len > 0 && options->bus.len < sizeof(((struct journal_head *)0)->bus));
	_cleanup_(journal_free) struct journal *journal = calloc(1, sizeof(*journal));
	*reterr = '\0';
	if (!journal)
		return -ENOMEM;
	journal->options = *options;
	journal->lock_fd = -1;
	int r = open_all(journal, registry, reterr, size);
	if (r < 0 && !*reterr)
		snprintf(reterr, size, "%s: %s", options->dir, strerrordesc_np(-r));
	if (r)
		return r;
	log_info("journal", "open", F_STR("origin", journal->origin),
		F_U64("entries", journal->head.size),
		F_U64("registry", registry_version(journal->registry)));
	*ret = steal(&journal);
	return 0;
}

void journal_free(struct journal *journal)
{
	if (!journal)
		return;
	if (journal->started)
		pthread_join(journal->thread, NULL);
	state_job_deinit(&journal->state);
	for (size_t i = 0; i < JOURNAL_TICKS; i++)
		parcel_free(journal->ticks[i]);
	queue_free(journal->input);
	fair_free(journal->fair);
	proofs_deinit(&journal->proofs);
	erase_deinit(&journal->erase);
	tree_free(journal->tree);
	registry_unref(journal->registry);
	registry_unref(journal->shared.registry);
	registry_unref(journal->given);
	db_env_close(journal->env);
	fd_close_at(&journal->lock_fd);
	pthread_mutex_destroy(&journal->shared.lock);
	free(journal);
}
