/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

/* Stretches of the journal that are being looked at for parties that asked for a replay. Reactor only. */
enum { REPLAYS_MAX = 8 /* of all sessions; one each */ };

struct replay;
struct replays {
	struct replay *all[REPLAYS_MAX];
	struct replay *idle;
};

/**
 * replays_init() - none is under way
 * @replays: zeroed
 * Return: 0 or -ENOMEM; replays_deinit() in both cases.
 */
int replays_init(struct replays *replays);
void replays_deinit(struct replays *replays); /* none may be with the clerk any more */
