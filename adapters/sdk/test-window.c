/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Order is what the window is for, so every test asks for the sequence in which messages leave. The last
 * one lets chance act for a long time and checks after every step what must always hold: of a case only
 * the oldest is out, and nothing is lost.
 */
#include "adapters/sdk/window.h"

#include <time.h>

#include "proto/base/bytes.h"
#include "test/kit/check.h"

enum { MAX = 64, SECOND = 1000000000 };

static struct window *window_of(size_t max)
{
	struct window *window = NULL;
	CHECK_INT(crypto_init(), 0);
	CHECK_INT(window_new(max, &window), 0);
	return window;
}

static void h_of(uint64_t number, uint8_t h[HASH_SIZE])
{
	sha256_of(BYTES(&number, sizeof(number)), h);
}

static void add(struct window *window, uint64_t number, uint64_t case_gate, uint64_t place)
{
	struct window_entry entry = {
		.number = number, .case_gate = case_gate, .place_gate = place, .bytes = 100};
	h_of(number, entry.h);
	window_add(window, &entry);
}

static struct window_entry *find(struct window *window, uint64_t number)
{
	uint8_t h[HASH_SIZE];
	h_of(number, h);
	return window_find(window, h);
}

struct text {
	char text[512];
};

/* Send what may leave, one frame; the numbers as text. */
static struct text send_all(struct window *window, uint64_t now, uint64_t frame)
{
	struct text ret = {};
	struct window_entry *entry, *entries[MAX];
	size_t count = 0, len = 0;
	while (count < MAX && (entry = window_next(window, now)))
		entries[count++] = entry;
	for (size_t i = 0; i < count; i++) {
		len += (size_t)snprintf(ret.text + len, sizeof(ret.text) - len, "%s%d",
			i ? " " : "", (int)entries[i]->number);
		window_sent(window, entries[i], frame);
	}
	return ret;
}

/* The third does not fit into the frame, and the pass begins anew before the frame is sent. */
static void what_did_not_fit_is_next(void)
{
	_cleanup_(window_free) struct window *window = window_of(MAX);
	struct window_entry *entries[3];
	for (uint64_t i = 1; i <= 4; i++)
		add(window, i, i, 1);
	for (size_t i = 0; i < ARRAY_LEN(entries); i++)
		entries[i] = window_next(window, 0);
	window_rewind(window);
	window_sent(window, entries[0], 1);
	window_sent(window, entries[1], 1);
	CHECK_STR(send_all(window, 0, 2).text, "3 4");
	CHECK_STR(send_all(window, 0, 3).text, "");
}

static void leaves_in_order(void)
{
	_cleanup_(window_free) struct window *window = window_of(MAX);
	for (uint64_t i = 1; i <= 5; i++)
		add(window, i, i, 1);
	CHECK_STR(send_all(window, 0, 1).text, "1 2 3 4 5");
	CHECK_STR(send_all(window, 0, 2).text, "");
	CHECK_INT(window_sent_count(window), 5);
	CHECK_INT(window_sent_bytes(window), 500);
	window_remove(window, find(window, 3));
	CHECK(find(window, 3) == NULL);
	CHECK_INT(window_count(window), 4);
	add(window, 6, 6, 1);
	CHECK_STR(send_all(window, 0, 2).text, "6");
}

static void only_the_oldest_of_a_case_is_out(void)
{
	_cleanup_(window_free) struct window *window = window_of(MAX);
	add(window, 1, 7, 1);
	add(window, 2, 8, 1);
	add(window, 3, 7, 1);
	add(window, 4, 7, 1);
	CHECK_STR(send_all(window, 0, 1).text, "1 2");
	window_remove(window, find(window, 2));
	CHECK_STR(send_all(window, 0, 2).text, "");
	window_defer(window, find(window, 1), SECOND, WINDOW_ALONE);
	CHECK_STR(send_all(window, 0, 3).text, "");
	CHECK_INT(window_due_ns(window), SECOND);
	CHECK_STR(send_all(window, SECOND, 4).text, "1");
	window_remove(window, find(window, 1));
	CHECK_STR(send_all(window, SECOND, 5).text, "3");
	window_remove(window, find(window, 3));
	CHECK_STR(send_all(window, SECOND, 6).text, "4");
}

static void a_closed_place_is_tried_with_one(void)
{
	_cleanup_(window_free) struct window *window = window_of(MAX);
	for (uint64_t i = 1; i <= 4; i++)
		add(window, i, i, 1);
	add(window, 5, 5, 2);
	CHECK_STR(send_all(window, 0, 1).text, "1 2 3 4 5");
	for (uint64_t i = 1; i <= 3; i++)
		window_defer(window, find(window, i), SECOND, WINDOW_PLACE);
	add(window, 6, 6, 1);
	add(window, 7, 7, 2);
	CHECK_STR(send_all(window, 0, 2).text, "7");
	/* One probe, and no second one while it is out. */
	CHECK_STR(send_all(window, SECOND, 3).text, "1");
	CHECK_STR(send_all(window, SECOND, 4).text, "");
	window_defer(window, find(window, 1), 3ull * SECOND, WINDOW_PLACE);
	CHECK_STR(send_all(window, 2ull * SECOND, 5).text, "");
	CHECK_STR(send_all(window, 3ull * SECOND, 6).text, "1");
	/* It got through: the others follow, in order. */
	window_remove(window, find(window, 1));
	CHECK_STR(send_all(window, 3ull * SECOND, 7).text, "2 3 6");
}

static void what_was_not_sent_is_offered_again(void)
{
	_cleanup_(window_free) struct window *window = window_of(MAX);
	add(window, 1, 1, 1);
	add(window, 2, 2, 1);
	CHECK_INT(window_next(window, 0)->number, 1);
	CHECK_INT(window_next(window, 0)->number, 2);
	CHECK(window_next(window, 0) == NULL);
	window_rewind(window);
	CHECK_STR(send_all(window, 0, 1).text, "1 2");
}

static void a_lost_session_starts_from_the_oldest(void)
{
	_cleanup_(window_free) struct window *window = window_of(MAX);
	for (uint64_t i = 1; i <= 6; i++)
		add(window, i, i % 3, i % 2);
	CHECK_STR(send_all(window, 0, 1).text, "1 2 3");
	window_remove(window, find(window, 2));
	CHECK_STR(send_all(window, 0, 2).text, "5");
	window_defer(window, find(window, 1), SECOND, WINDOW_PLACE);
	window_put_back(window, 0);
	CHECK_INT(window_sent_count(window), 0);
	CHECK_INT(window_sent_bytes(window), 0);
	CHECK_STR(send_all(window, 5ull * SECOND, 1).text, "1");
	window_remove(window, find(window, 1));
	CHECK_STR(send_all(window, 5ull * SECOND, 2).text, "3 4 5");
}

static void a_frame_put_off_takes_the_later_ones_along(void)
{
	_cleanup_(window_free) struct window *window = window_of(MAX);
	add(window, 1, 1, 1);
	CHECK_STR(send_all(window, 0, 1).text, "1");
	add(window, 2, 2, 1);
	add(window, 3, 3, 1);
	CHECK_STR(send_all(window, 0, 2).text, "2 3");
	add(window, 4, 4, 1);
	CHECK_STR(send_all(window, 0, 3).text, "4");
	window_put_back(window, 2);
	CHECK_INT(window_sent_count(window), 1);
	add(window, 5, 5, 1);
	CHECK_STR(send_all(window, 0, 4).text, "2 3 4 5");
}

static void sealed_anew_it_has_another_name(void)
{
	_cleanup_(window_free) struct window *window = window_of(MAX);
	uint8_t h[HASH_SIZE] = {9};
	add(window, 1, 1, 1);
	add(window, 2, 1, 1);
	CHECK_STR(send_all(window, 0, 1).text, "1");
	struct window_entry *entry = find(window, 1);
	entry->reseal = true;
	window_defer(window, entry, SECOND, WINDOW_ALONE);
	CHECK(window_next_reseal(window, 0) == NULL);
	CHECK_STR(send_all(window, 2ull * SECOND, 2).text, "");
	window_hurry_reseals(window);
	CHECK(window_next_reseal(window, 0) == entry);
	window_resealed(window, entry, h, 200);
	CHECK(window_next_reseal(window, 0) == NULL);
	CHECK(window_find(window, h) == entry);
	CHECK(find(window, 1) == NULL);
	CHECK_STR(send_all(window, 0, 3).text, "1");
	CHECK_INT(window_sent_bytes(window), 200);
}

/* ---- chance ---- */

struct chance {
	uint64_t state;
};

static uint64_t roll(struct chance *chance, uint64_t sides)
{
	chance->state = chance->state * 6364136223846793005u + 1442695040888963407u;
	return (chance->state >> 33) % sides;
}

enum { CASES = 5, PLACES = 3, NUMBERS = 4000 };

/* Which numbers are in the window, of which case, and are they out? */
struct model {
	uint64_t next, frame, now;
	size_t present, answered;
	uint8_t case_of[NUMBERS];
	bool in[NUMBERS], out[NUMBERS];
};

static void check_order(const struct model *model)
{
	for (uint64_t a = 1; a < model->next; a++) {
		for (uint64_t b = a + 1; b < model->next && model->in[a]; b++)
			CHECK(!model->out[b] || model->case_of[b] != model->case_of[a]);
	}
}

static void model_send(struct model *model, struct window *window)
{
	struct window_entry *entry;
	model->frame++;
	while ((entry = window_next(window, model->now))) {
		CHECK(model->in[entry->number] && !model->out[entry->number]);
		model->out[entry->number] = true;
		window_sent(window, entry, model->frame);
	}
	check_order(model);
}

static void model_answer(struct model *model, struct window *window, struct chance *chance)
{
	for (uint64_t i = 1; i < model->next; i++) {
		if (!model->out[i] || roll(chance, 2))
			continue;
		struct window_entry *entry = find(window, i);
		model->out[i] = false;
		switch (roll(chance, 4)) {
		case 0:
			window_defer(window, entry, model->now + roll(chance, 50), WINDOW_ALONE);
			break;
		case 1:
			window_defer(window, entry, model->now + roll(chance, 50), WINDOW_PLACE);
			break;
		default:
			window_remove(window, entry);
			model->in[i] = false;
			model->answered++;
			model->present--;
		}
	}
}

static void chance_breaks_nothing(void)
{
	_cleanup_(window_free) struct window *window = window_of(MAX);
	_cleanup_(heap_free) struct model *model = calloc(1, sizeof(*model));
	struct chance chance = {.state = (uint64_t)time(NULL)};
	CHECK(model);
	printf("seed %llu\n", (unsigned long long)chance.state);
	model->next = 1;
	while (model->answered < NUMBERS - 1) {
		while (window_left(window) && model->next < NUMBERS && roll(&chance, 3)) {
			model->case_of[model->next] = (uint8_t)roll(&chance, CASES);
			model->in[model->next] = true;
			model->present++;
			add(window, model->next, model->case_of[model->next], roll(&chance, PLACES));
			model->next++;
		}
		model_send(model, window);
		if (roll(&chance, 20) == 0) {
			window_put_back(window, 0);
			memset(model->out, 0, sizeof(model->out));
		}
		model_answer(model, window, &chance);
		CHECK_INT(window_count(window), model->present);
		model->now += roll(&chance, 30);
	}
	CHECK_INT(window_count(window), 0);
}

CHECK_MAIN(CHECK_CASE(leaves_in_order), CHECK_CASE(what_did_not_fit_is_next),
	CHECK_CASE(only_the_oldest_of_a_case_is_out), CHECK_CASE(a_closed_place_is_tried_with_one),
	CHECK_CASE(what_was_not_sent_is_offered_again),
	CHECK_CASE(a_lost_session_starts_from_the_oldest),
	CHECK_CASE(a_frame_put_off_takes_the_later_ones_along),
	CHECK_CASE(sealed_anew_it_has_another_name), CHECK_CASE(chance_breaks_nothing))
