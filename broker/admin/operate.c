/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An order is a parcel like every other: it goes to the journal, is decided and journaled there in its turn, and
 * what became of it is told after the commit. Nothing is changed here.
 */
#include "broker/admin/operate.h"

#include <errno.h>
#include <string.h>

#include "proto/base/text.h"

enum { WORD_MAX = 80 };

/* Words of a line, one after the other. */
struct words_of {
	const char *at;
	char word[WORD_MAX];
};

/* Return: false at the end, and for a word that cannot be one of ours. */
static bool next_word(struct words_of *words)
{
	size_t len = strcspn(words->at, " ");
	if (len == 0 || len >= sizeof(words->word))
		return false;
	memcpy(words->word, words->at, len);
	words->word[len] = '\0';
	words->at += len;
	words->at += *words->at == ' ';
	return true;
}

static bool next_hex(struct words_of *words, uint8_t *ret, size_t len)
{
	return next_word(words) && strlen(words->word) == 2 * len &&
	       text_unhex(words->word, ret, len) == 0;
}

static bool next_case(struct words_of *words, struct case_act *act)
{
	return next_hex(words, act->case_id, sizeof(act->case_id)) &&
	       next_hex(words, act->ground, sizeof(act->ground));
}

static int parse_sequences(struct words_of *words, struct arena *arena, struct operator_act *act)
{
	size_t most = strlen(words->at) / 2 + 1;
	uint64_t *sequences = arena_alloc(arena, most * sizeof(*sequences));
	if (!sequences)
		return -ENOMEM;
	while (*words->at) {
		if (!next_word(words) ||
			text_parse_u64(BYTES_STR(words->word), &sequences[act->count]))
			return -EINVAL;
		act->count++;
	}
	act->sequences = sequences;
	return act->count > 0 ? 0 : -EINVAL;
}

static int parse_erase(struct words_of *words, struct arena *arena, struct operator_act *act)
{
	if (!next_word(words))
		return -EINVAL;
	if (strcmp(words->word, "due") == 0) {
		act->what = OPERATOR_ERASE_DUE;
		return *words->at ? -EINVAL : 0;
	}
	if (strcmp(words->word, "now") == 0) {
		act->what = OPERATOR_ERASE_NOW;
		if (!next_word(words) || *words->at || !text_is_name(BYTES_STR(words->word)))
			return -EINVAL;
		memcpy(act->cause, words->word, strlen(words->word) + 1);
		return 0;
	}
	act->what = OPERATOR_ERASE_CASE;
	if (strcmp(words->word, "case") != 0 || !next_case(words, &act->about))
		return -EINVAL;
	return parse_sequences(words, arena, act);
}

static bool next_code(struct words_of *words, char ret[64])
{
	if (!next_word(words) || !text_is_name(BYTES_STR(words->word)))
		return false;
	memcpy(ret, words->word, strlen(words->word) + 1);
	return true;
}

static bool next_number(struct words_of *words, uint64_t *ret)
{
	return next_word(words) && text_parse_u64(BYTES_STR(words->word), ret) == 0;
}

static int parse_inspect(struct words_of *words, struct operator_act *act)
{
	struct inspection *what = &act->inspection;
	act->what = OPERATOR_INSPECT;
	if (!next_code(words, what->role) || !next_code(words, what->ground) ||
		!next_number(words, &what->first) || !next_number(words, &what->last) ||
		!next_number(words, &what->count) || *words->at)
		return -EINVAL;
	return what->count > 0 && what->first <= what->last ? 0 : -EINVAL;
}

/* SEQUENCE/PARTY-NUMBER, each. */
static int parse_items(struct words_of *words, struct arena *arena, struct operator_act *act)
{
	struct rules_item *items = arena_zalloc(arena, (strlen(words->at) / 4 + 1) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	while (*words->at) {
		uint64_t party;
		if (!next_word(words))
			return -EINVAL;
		char *slash = strchr(words->word, '/');
		if (!slash)
			return -EINVAL;
		*slash = '\0';
		if (text_parse_u64(BYTES_STR(words->word), &items[act->count].sequence) ||
			text_parse_u64(BYTES_STR(slash + 1), &party) || party > UINT32_MAX)
			return -EINVAL;
		items[act->count++].party = (uint32_t)party;
	}
	act->items = items;
	return act->count > 0 ? 0 : -EINVAL;
}

/* A name, kept in the arena; "-" stands for none. */
static int parse_name(struct words_of *words, struct arena *arena, struct bytes *ret)
{
	*ret = (struct bytes){};
	if (!next_word(words))
		return -EINVAL;
	if (strcmp(words->word, "-") == 0)
		return 0;
	if (!text_is_name(BYTES_STR(words->word)))
		return -EINVAL;
	return arena_copy(arena, BYTES_STR(words->word), ret);
}

static int parse_dead(struct words_of *words, struct arena *arena, struct operator_act *act)
{
	if (!next_word(words))
		return -EINVAL;
	bool discard = strcmp(words->word, "discard") == 0;
	if (!discard && strcmp(words->word, "retry") != 0)
		return -EINVAL;
	act->what = discard ? OPERATOR_DISCARD : OPERATOR_RETRY;
	int r = parse_name(words, arena, &act->queue.cause);
	if (r == 0 && discard && act->queue.cause.len == 0)
		return -EINVAL;
	return r ? r : parse_items(words, arena, act);
}

static int parse_queue(struct words_of *words, struct arena *arena, struct operator_act *act)
{
	if (!next_word(words))
		return -EINVAL;
	bool hold = strcmp(words->word, "hold") == 0;
	if ((!hold && strcmp(words->word, "release") != 0) || !next_word(words))
		return -EINVAL;
	bool party = strcmp(words->word, "party") == 0;
	if (party || strcmp(words->word, "service") == 0) {
		struct bytes *name = party ? &act->queue.party : &act->queue.service;
		act->what = hold ? OPERATOR_HOLD_QUEUE : OPERATOR_RELEASE_QUEUE;
		int r = parse_name(words, arena, name);
		return r ? r : name->len > 0 && !*words->at ? 0 : -EINVAL;
	}
	act->what = hold ? OPERATOR_HOLD_ITEMS : OPERATOR_RELEASE_ITEMS;
	if (strcmp(words->word, "items") != 0)
		return -EINVAL;
	int r = parse_name(words, arena, &act->queue.service);
	return r ? r : parse_items(words, arena, act);
}

static int parse_hold(struct words_of *words, enum operator_what what, struct operator_act *act)
{
	act->what = what;
	return next_case(words, &act->about) && !*words->at ? 0 : -EINVAL;
}

static int parse(const char *line, struct arena *arena, struct operator_act *act)
{
	struct words_of words = {.at = line};
	if (!next_word(&words))
		return -EINVAL;
	if (strcmp(words.word, "erase") == 0)
		return parse_erase(&words, arena, act);
	if (strcmp(words.word, "inspect") == 0)
		return parse_inspect(&words, act);
	if (strcmp(words.word, "dead") == 0)
		return parse_dead(&words, arena, act);
	if (strcmp(words.word, "queue") == 0)
		return parse_queue(&words, arena, act);
	return parse_hold(
		&words, strcmp(words.word, "hold") == 0 ? OPERATOR_HOLD : OPERATOR_RELEASE, act);
}

static json_t *error_of(const char *why)
{
	json_t *object = json_object();
	json_object_set_new(object, "error", json_string(why));
	return object;
}

static void done(struct operator_act *act)
{
	const struct operate_options *options = act->context;
	json_t *object = json_object();
	json_object_set_new(object, "changed", json_boolean(act->changed));
	bool erases = act->what == OPERATOR_ERASE_CASE || act->what == OPERATOR_ERASE_DUE ||
		      act->what == OPERATOR_ERASE_NOW;
	if (act->changed && !erases)
		json_object_set_new(object, "sequence", json_integer((json_int_t)act->sequence));
	if (act->what == OPERATOR_ERASE_CASE || act->items)
		json_object_set_new(object, "taken", json_integer((json_int_t)act->taken));
	if (act->late)
		json_object_set_new(object, "late", json_true());
	options->answer(options->context, act->ticket, object);
}

bool operate_is(const char *line)
{
	return strncmp(line, "hold ", 5) == 0 || strncmp(line, "release ", 8) == 0 ||
	       strncmp(line, "erase ", 6) == 0 || strncmp(line, "inspect ", 8) == 0 ||
	       strncmp(line, "dead ", 5) == 0 || strncmp(line, "queue ", 6) == 0;
}

void operate_request(
	const struct operate_options *options, const char *line, uint64_t ticket, uint32_t account)
{
	struct parcel *parcel = transport_draining(options->transport)
					? NULL
					: parcel_take(options->pool, PARCEL_OPERATE);
	struct operator_act *act = parcel ? arena_zalloc(parcel->arena, sizeof(*act)) : NULL;
	if (!act) {
		parcel_give(options->pool, parcel);
		options->answer(options->context, ticket,
			error_of("busy or stopping: ask again in a while"));
		return;
	}
	if (parse(line, parcel->arena, act)) {
		parcel_give(options->pool, parcel);
		options->answer(options->context, ticket,
			error_of("no such order: this program and the broker are of different "
				 "versions"));
		return;
	}
	act->about.account = account;
	act->done = done;
	act->context = (void *)(uintptr_t)options;
	act->ticket = ticket;
	parcel->act = act;
	transport_act(options->transport, parcel);
}
