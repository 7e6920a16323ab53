/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The stack comes from the heap and not from mmap(): a killed process leaves its stacks lying, and the leak
 * checker looks for pointers in what it knows to be memory. It and the address sanitizer are told of
 * every change of stacks, else both would take one for a corruption.
 */
#include "test/sim/fiber.h"

#include <stddef.h>
#include <stdlib.h>
#include <ucontext.h>

#include "test/kit/check.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
#include <sanitizer/common_interface_defs.h>
#endif

/* The real threads have eight times that; what they use is a small part of it. */
enum { STACK_BYTES = 1 << 20 };

struct fiber {
	ucontext_t inside;
	void *(*main)(void *);
	void *argument;
	bool ended;
	char *stack;
};

/* Who runs, and where the simulation goes on when that pauses. */
static struct {
	struct fiber *running;
	ucontext_t context;
	const void *stack;
	size_t size;
} outside;

static void leave(void **keep, const void *stack, size_t size)
{
#ifdef SANITIZED
	__sanitizer_start_switch_fiber(keep, stack, size);
#else
	(void)keep, (void)stack, (void)size;
#endif
}

static void arrive(void *kept, const void **from, size_t *size)
{
#ifdef SANITIZED
	__sanitizer_finish_switch_fiber(kept, from, size);
#else
	(void)kept, (void)from, (void)size;
#endif
}

static void run(void)
{
	struct fiber *fiber = outside.running;
	arrive(NULL, &outside.stack, &outside.size);
	fiber->main(fiber->argument);
	fiber->ended = true;
	leave(NULL, outside.stack, outside.size);
	setcontext(&outside.context);
}

struct fiber *fiber_new(void *(*main)(void *), void *argument)
{
	struct fiber *fiber = calloc(1, sizeof(*fiber));
	CHECK(fiber);
	fiber->main = main;
	fiber->argument = argument;
	fiber->stack = aligned_alloc(64, STACK_BYTES);
	CHECK(fiber->stack);
	CHECK_INT(getcontext(&fiber->inside), 0);
	fiber->inside.uc_stack.ss_sp = fiber->stack;
	fiber->inside.uc_stack.ss_size = STACK_BYTES;
	makecontext(&fiber->inside, run, 0);
	return fiber;
}

void fiber_free(struct fiber *fiber)
{
	if (!fiber)
		return;
	CHECK(fiber != outside.running);
	free(fiber->stack);
	free(fiber);
}

void fiber_resume(struct fiber *fiber)
{
	void *kept = NULL;
	CHECK(!outside.running && !fiber->ended);
	outside.running = fiber;
	leave(&kept, fiber->stack, STACK_BYTES);
	CHECK_INT(swapcontext(&outside.context, &fiber->inside), 0);
	arrive(kept, NULL, NULL);
	outside.running = NULL;
}

void fiber_pause(void)
{
	void *kept = NULL;
	struct fiber *fiber = outside.running;
	leave(&kept, outside.stack, outside.size);
	CHECK_INT(swapcontext(&fiber->inside, &outside.context), 0);
	arrive(kept, &outside.stack, &outside.size);
}

struct fiber *fiber_current(void)
{
	return outside.running;
}

bool fiber_ended(const struct fiber *fiber)
{
	return fiber->ended;
}
