/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Hello. Party numbers, the newest checkpoint and the proof that it extends what the adapter saw last
 * stand in the journal, so the clerk looks them up, all in one snapshot; the Welcome follows when it
 * returns. Only then are older sessions of the same parties replaced: a Hello that fails changes nothing.
 */
#include "broker/transport/room.h"

#include <errno.h>
#include <stdlib.h>

#include "broker/audit/bridge.h"
#include "broker/field.h"
#include "proto/base/log.h"
#include "proto/base/queue.h"
#include "proto/base/text.h"
#include "proto/envelope/envelope.h"

enum {
	PROTOCOL_VERSION = 0,
	SOFTWARE_BYTES_MAX = 63,
	VISITING_MAX = 4, /* sessions of one speaker that only ask: no Hello replaces them */
	OPENING_MAX = 16, /* Hellos of one speaker at the clerk: its time is everybody's */
	CONTINUATIONS_ARENA = 1 << 20,
};

struct hello {
	struct errand errand; /* first */
	struct transport *transport;
	uint32_t slot;
	uint64_t serial;
	char speaker[64];
	char parties[OUTLET_PARTIES_MAX][64];
	size_t count;
	uint64_t newest_size;
	struct merkle_hash newest_root;
	bool visiting;
	uint32_t newest_epoch;

	/* found */
	int result;
	uint32_t speaker_number;
	uint32_t numbers[OUTLET_PARTIES_MAX]; /* 0: the journal does not know the party */
	uint8_t checkpoint[CHECKPOINT_NOTE_MAX];
	size_t checkpoint_len;
	struct merkle_hash proof[2 * MERKLE_LEVELS];
	size_t proof_count;
	bool forked;         /* the adapter saw a tree that ours does not extend */
	bool pruned;         /* ... or of which that cannot be told: it ended in what was pruned */
	bool lost;           /* and we know: it is one of an earlier epoch */
	struct arena *arena; /* NULL, or of what follows */
	size_t continuations_count;
	Dienstweg__Continuation *continuations[EPOCHS_MAX];
};

static void hello_free(struct hello *hello)
{
	if (!hello)
		return;
	arena_free(hello->arena);
	free(hello);
}
DEFINE_CLEANUP(struct hello *, hello_free);

/* ---- clerk ---- */

static int number_read(struct journal_reader *reader, const char *name, uint32_t *ret)
{
	struct bytes key, value;
	int r = journal_read_table(reader, STATE_PARTY, BYTES_STR(name), &key, &value);
	*ret = 0;
	if (r == READER_NOT_FOUND)
		return 0;
	if (r == 0 && bytes_equal(key, BYTES_STR(name)) && value.len == sizeof(uint32_t))
		*ret = be32_get(value.data);
	return r;
}

static int numbers_read(struct hello *hello, struct journal_reader *reader)
{
	int r = number_read(reader, hello->speaker, &hello->speaker_number);
	for (size_t i = 0; r == 0 && i < hello->count; i++)
		r = number_read(reader, hello->parties[i], &hello->numbers[i]);
	return r;
}

static void consistency_judge(struct hello *hello, const struct checkpoint *now)
{
	hello->forked = hello->newest_size > now->size ||
			merkle_consistency_check(hello->newest_size, &hello->newest_root, now->size,
				&now->root, hello->proof, hello->proof_count) != 0;
}

/* What an adapter has to see that last heard of an earlier epoch. */
static int continuations_read(struct hello *hello, struct journal_reader *reader,
	const struct epochs *epochs, uint64_t size)
{
	int r = 0;
	hello->arena = arena_new(CONTINUATIONS_ARENA);
	if (!hello->arena)
		return -ENOMEM;
	for (size_t i = 0; i < epochs->count && r == 0; i++) {
		if (epochs->all[i].epoch <= hello->newest_epoch)
			continue;
		Dienstweg__Continuation *proof = arena_alloc(hello->arena, sizeof(*proof));
		if (!proof)
			return -ENOMEM;
		r = journal_read_continuation(
			reader, epochs->all[i].size, size, hello->arena, proof);
		hello->continuations[hello->continuations_count++] = proof;
	}
	return r;
}

static int epochs_read(struct hello *hello, struct journal_reader *reader, uint64_t size)
{
	struct epochs epochs;
	int r = journal_read_epochs(reader, &epochs);
	uint32_t newest = epochs_newest(&epochs);
	if (r || hello->newest_epoch == newest)
		return r;
	/* Of a later epoch than ours: an older journal was put in the place of a newer one. */
	hello->forked = hello->forked || hello->newest_epoch > newest;
	hello->lost = hello->newest_epoch < newest &&
		      hello->newest_size > epochs_kept(&epochs, hello->newest_epoch);
	return hello->newest_epoch < newest ? continuations_read(hello, reader, &epochs, size) : 0;
}

static int tree_read(struct hello *hello, struct journal_reader *reader)
{
	struct checkpoint now;
	int r = checkpoint_read(reader, hello->checkpoint, &hello->checkpoint_len, &now);
	if (r == 0 && hello->newest_size > 0 && hello->newest_size <= now.size) {
		r = bridge_consistency(
			reader, hello->newest_size, now.size, hello->proof, &hello->proof_count);
		hello->pruned = r == BRIDGE_PRUNED;
		r = hello->pruned ? 0 : r;
	}
	if (r == 0 && hello->newest_size > 0 && !hello->pruned)
		consistency_judge(hello, &now);
	return r ? r : epochs_read(hello, reader, now.size);
}

static void hello_run(struct errand *errand, struct journal_reader *reader)
{
	struct hello *hello = (struct hello *)errand;
	hello->result = numbers_read(hello, reader);
	if (hello->result == 0)
		hello->result = tree_read(hello, reader);
}

/* ---- reactor ---- */

static void replaced_send(struct transport *transport, struct session *session)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Replaced replaced = DIENSTWEG__REPLACED__INIT;
	frame.body_case = DIENSTWEG__FRAME__BODY_REPLACED;
	frame.replaced = &replaced;
	transport_send(transport, session, &frame);
}

static void older_replace(struct transport *transport, const struct hello *hello)
{
	for (size_t i = 0; i < hello->count; i++) {
		struct outlet *outlet = delivery_outlet(
			transport->options.delivery, hello->numbers[i]);
		if (!outlet)
			continue;
		struct session *older = session_of(outlet);
		replaced_send(transport, older);
		transport_close(transport, older, "session-replaced");
	}
}

static void welcome_send(
	struct transport *transport, struct session *session, const struct hello *hello)
{
	const struct config_limits *config = &transport->options.config->limits;
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Welcome welcome = DIENSTWEG__WELCOME__INIT;
	Dienstweg__Limits limits = DIENSTWEG__LIMITS__INIT;
	limits.frame_bytes = FRAME_BYTES_MAX;
	limits.envelope_bytes = ENVELOPE_BYTES_MAX;
	limits.content_bytes = CONTENT_BYTES_MAX;
	limits.header_bytes = HEADER_BYTES_MAX;
	limits.batch = (uint32_t)config->submit_max;
	limits.party_bytes = config->party_bytes;
	welcome.version = PROTOCOL_VERSION;
	welcome.registry_version = registry_version(transport->registry);
	welcome.limits = &limits;
	welcome.checkpoint = field_bytes(BYTES(hello->checkpoint, hello->checkpoint_len));
	welcome.consistency = field_bytes(
		BYTES(hello->proof, hello->proof_count * sizeof(hello->proof[0])));
	welcome.n_continuations = hello->continuations_count;
	welcome.continuations = (Dienstweg__Continuation **)(uintptr_t)hello->continuations;
	frame.body_case = DIENSTWEG__FRAME__BODY_WELCOME;
	frame.welcome = &welcome;
	transport_send(transport, session, &frame);
}

/* Return: 0, or what delivery gave. */
static int parties_attach(
	struct transport *transport, struct session *session, const struct hello *hello)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < hello->count; i++)
		r = delivery_attach(transport->options.delivery, &session->outlet,
			hello->numbers[i], BYTES_STR(hello->parties[i]));
	return r;
}

static bool numbers_known(const struct hello *hello)
{
	bool known = hello->speaker_number != 0;
	for (size_t i = 0; i < hello->count; i++)
		known &= hello->numbers[i] != 0;
	return known;
}

static void session_open(
	struct transport *transport, struct session *session, const struct hello *hello)
{
	if (hello->lost && transport_tells(transport, session->speaker))
		log_warn("transport",
			"an adapter saw entries that were lost: it sends its messages again",
			F_STR("party", session->speaker), F_U64("epoch", hello->newest_epoch),
			F_U64("size", hello->newest_size));
	else if (hello->forked && !hello->lost && transport_tells(transport, session->speaker))
		log_error("transport",
			"an adapter saw a checkpoint that this journal does not extend",
			F_STR("party", session->speaker), F_U64("size", hello->newest_size));
	if (!hello->visiting)
		older_replace(transport, hello);
	session->state = SESSION_OPEN;
	session->speaker_number = hello->speaker_number;
	session->heard_ns = session->opened_ns = clock_mono_ns(transport->options.clock);
	int r = hello->visiting ? 0 : parties_attach(transport, session, hello);
	if (r < 0) {
		transport_end(transport, session, "session-lost");
		return;
	}
	transport->counters.sessions_opened++;
	connections_session_opened(transport, session);
	if (transport_tells(transport, session->speaker))
		log_info("transport", "session opened", F_STR("party", session->speaker),
			F_U64("parties", hello->count));
	welcome_send(transport, session, hello);
}

/* Without a proof the adapter would raise an alarm; there is nothing to be alarmed about yet. */
static void deny_pruned(
	struct transport *transport, struct session *session, const struct hello *hello)
{
	if (transport_tells(transport, session->speaker))
		log_error("transport",
			"an adapter's newest checkpoint lies in what was pruned, and the archive "
			"is not "
			"where "
			"it was: put it back there (dienstweg status tells where)",
			F_STR("party", session->speaker), F_U64("size", hello->newest_size));
	session_error(transport, session, "pruned", "newest_size",
		"that this log extends what you saw can only be proven with its archive, which is "
		"not in its place: tell the operator of the bus, and say Hello again");
	transport_end(transport, session, "pruned");
}

static void hello_done(struct errand *errand)
{
	_cleanup_(hello_free) struct hello *hello = (struct hello *)errand;
	struct transport *transport = hello->transport;
	struct session *session = sessions_at(transport->sessions, hello->slot, hello->serial);
	int r = errand->result ? errand->result : hello->result;
	if (r != 0) {
		transport->options.failed(transport->options.failed_context, r < 0 ? r : -EBADMSG);
		return;
	}
	if (!session || session->ending)
		return;
	if (transport->hold.on) {
		hold_hear(transport, session,
			&(struct hold_claim){.parties = hello->parties,
				.count = hello->count,
				.size = hello->lost ? 0 : hello->newest_size,
				.forked = hello->forked || hello->pruned});
		return;
	}
	if (hello->pruned && !hello->lost) {
		deny_pruned(transport, session, hello);
		return;
	}
	if (numbers_known(hello)) {
		session_open(transport, session, hello);
		return;
	}
	if (transport_tells(transport, session->speaker))
		log_warn("transport", "the journal has no number for a party of this session yet",
			F_STR("party", session->speaker));
	transport_end(transport, session, "session-lost");
}

/* ---- Hello comes in ---- */

static bool version_spoken(const Dienstweg__Hello *frame)
{
	for (size_t i = 0; i < frame->n_versions; i++) {
		if (frame->versions[i] == PROTOCOL_VERSION)
			return true;
	}
	return false;
}

static bool party_named_before(const struct hello *hello, struct bytes name)
{
	for (size_t i = 0; i < hello->count; i++) {
		if (bytes_equal(BYTES_STR(hello->parties[i]), name))
			return true;
	}
	return false;
}

static bool parties_take(const struct transport *transport, struct hello *hello,
	const struct incoming *incoming, const Dienstweg__Hello *frame)
{
	if (frame->n_parties < 1 || frame->n_parties > OUTLET_PARTIES_MAX)
		return false;
	for (size_t i = 0; i < frame->n_parties; i++) {
		struct bytes name = BYTES_PB(frame->parties[i]);
		if (!text_is_name(name) || party_named_before(hello, name) ||
			!registry_may_speak(transport->registry, incoming->speaker, name))
			return false;
		memcpy(hello->parties[hello->count++], name.data, name.len);
	}
	memcpy(hello->speaker, incoming->speaker.data, incoming->speaker.len);
	return true;
}

/* Return: false when an Error was sent. */
static bool hello_check(struct transport *transport, struct hello *hello,
	const struct incoming *incoming, const Dienstweg__Hello *frame)
{
	bool seen = frame->newest_size > 0;
	if (incoming->peek.session.len != NONCE_SIZE ||
		frame->newest_root.len != (seen ? HASH_SIZE : 0) ||
		frame->software.len > SOFTWARE_BYTES_MAX) {
		transport_send_error(transport, incoming, "malformed", "hello",
			"session has 16 bytes, newest_root 32 or none, software at most 63");
		return false;
	}
	if (!version_spoken(frame)) {
		transport_send_error(transport, incoming, "version", "versions",
			"this broker speaks protocol version 0 only");
		return false;
	}
	if (!parties_take(transport, hello, incoming, frame)) {
		transport_send_error(transport, incoming, "not-operated",
			"parties", "name 1 to 65 parties, each once, that the registry lets this key speak for");
		return false;
	}
	hello->visiting = frame->visiting;
	hello->newest_size = frame->newest_size;
	hello->newest_epoch = frame->newest_epoch;
	if (seen)
		memcpy(hello->newest_root.bytes, frame->newest_root.data, HASH_SIZE);
	return true;
}

static struct session *session_begin(struct transport *transport, const struct incoming *incoming)
{
	struct session *session;
	int fd = router_frame_fd(incoming->raw);
	_cleanup_(tally_drop) struct tally *tally = connections_tally(transport, fd);
	if (!tally || sessions_add(transport->sessions, &incoming->raw->route, &session) != 0)
		return NULL;
	session->state = SESSION_OPENING;
	session->heard_ns = clock_mono_ns(transport->options.clock);
	session->fd = fd;
	session->tally = steal(&tally);
	memcpy(session->nonce, incoming->peek.session.data, NONCE_SIZE);
	memcpy(session->key, incoming->raw->key, BOX_KEY_SIZE);
	memcpy(session->speaker, incoming->speaker.data, incoming->speaker.len);
	session->visiting = incoming->frame->hello->visiting;
	return session;
}

/* A Hello whose look-up is out costs until it is back, even when its connection says another. */
static bool is_opening_too_much(const struct transport *transport, const struct session *session,
	const struct incoming *incoming)
{
	size_t slot = 0, opening = 0;
	const struct session *other;
	if (session && session->state == SESSION_OPENING)
		return true;
	while ((other = sessions_walk(transport->sessions, &slot)) != NULL)
		opening += other->state == SESSION_OPENING &&
			   bytes_equal(BYTES_STR(other->speaker), incoming->speaker);
	return opening >= OPENING_MAX;
}

static bool is_visited_enough(const struct transport *transport, const struct session *session,
	const struct incoming *incoming)
{
	size_t slot = 0, visiting = 0;
	const struct session *other;
	while ((other = sessions_walk(transport->sessions, &slot)) != NULL)
		visiting += other != session && other->visiting &&
			    bytes_equal(BYTES_STR(other->speaker), incoming->speaker);
	return visiting >= VISITING_MAX;
}

void hello_handle(struct transport *transport, struct session *session, struct incoming *incoming)
{
	_cleanup_(hello_free) struct hello *hello = calloc(1, sizeof(*hello));
	if (!hello || transport->draining) {
		transport_send_error(transport, incoming, "busy", "hello", "say Hello again later");
		return;
	}
	if (!hello_check(transport, hello, incoming, incoming->frame->hello))
		return;
	if (is_opening_too_much(transport, session, incoming)) {
		transport_send_error(transport, incoming, "busy",
			"hello", "an earlier Hello is being looked up: wait for Welcome, or say it again later");
		return;
	}
	if (incoming->frame->hello->visiting && is_visited_enough(transport, session, incoming)) {
		transport_send_error(transport, incoming, "busy", "hello",
			"this party has its most visiting sessions: end one, or come later");
		return;
	}
	/* The same connection starts anew: its earlier session ends without Replaced, it is the same process. */
	if (session)
		transport_close(transport, session, "session-replaced");
	session = session_begin(transport, incoming);
	if (!session) {
		transport_send_error(transport, incoming, "busy", "hello",
			"this broker has its most sessions: say Hello again later");
		return;
	}
	hello->errand = (struct errand){.run = hello_run, .done = hello_done};
	hello->transport = transport;
	hello->slot = session->slot;
	hello->serial = session->serial;
	if (clerk_send(transport->options.clerk, &hello->errand) != 0) {
		transport_close(transport, session, "session-lost");
		transport_send_error(transport, incoming, "busy", "hello", "say Hello again later");
		return;
	}
	(void)steal(&hello);
}
