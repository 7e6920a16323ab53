/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What an agency has at hand is the receipts of its messages, and each of them holds a checkpoint. So both
 * are taken; anything else is a mistake in the command and no finding about a journal.
 */
#include "broker/admin/held.h"

#include <string.h>

#include "conf/cli/cli.h"
#include "proto/note/checkpoint.h"
#include "proto/note/cosignature.h"
#include "proto/receipt/proof-file.h"

int held_checkpoint(const char *path, struct bytes file, struct bytes *ret)
{
	struct proof_file proof;
	struct proof_fault fault;
	struct checkpoint checkpoint;
	*ret = file;
	if (proof_form(file) == PROOF_FORM_ENTRY && proof_file_parse(file, &proof, &fault) == 0)
		*ret = proof.note;
	const uint8_t *end = ret->len ? memmem(ret->data, ret->len, "\n\n", 2) : NULL;
	if (end && ret->len <= COSIGNED_NOTE_MAX &&
		checkpoint_parse(BYTES(ret->data, end + 1 - ret->data), &checkpoint) == 0)
		return 0;
	return cli_fail(CLI_FAILED,
		"%s: holds no checkpoint: give one that the log signed, or a receipt", path);
}
