# SPDX-License-Identifier: EUPL-1.2
"""The numbers that docs/protocol.md and docs/journal.md give as examples, computed again.

Only what the text says is repeated here (names, times, that random bytes count up); every number that
follows from it is taken from the page and compared.
"""
import re

from nacl import bindings

import envelope
import evidence
from envelope import (ACKNOWLEDGEMENT, MESSAGE, Secret, ack_digest, batch_text, compose, context_of,
                      leaf_of, open_message, root_of, sign_batch, signature_core, verify_batch)
from proto import envelope_pb2, frame_pb2

BUS = b"example.demo"
BODY = b"<antrag>Hallo Jobcenter</antrag>"


def blocks(text):
    """Each ```text block as [(label, bytes)]: labels stand at the margin, digits are indented."""
    for block in re.findall(r"^```text\n(.*?)^```", text, re.M | re.S):
        rows = []
        for line in block.split("\n"):
            if line.startswith("  ") and rows:
                rows[-1][1] += bytes.fromhex(line)
            elif line and not line.startswith("#"):
                rows.append([line, b""])
        yield rows


def section(text, title):
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.M | re.S).group(1)


def same(what, got, want):
    if got != want:
        raise AssertionError(f"{what}: {got!r} is not {want!r}")


def random_of(*starts):
    """Bytes that count up, as in the examples: each draw begins with the next of the starts."""
    left = list(starts)
    return lambda length: bytes(range(left[0], left.pop(0) + length))


def keys(page):
    rows = next(blocks(section(page, "Keys")))
    for use, owner, part in (("sign", b"portal", rows[:5]), ("seal", b"jobcenter", rows[5:])):
        seed, public, identity, possession_key, possession = (value for _, value in part)
        secret = Secret(use, seed)
        same("public", secret.public, public)
        same("id", secret.id, identity)
        same("possession key", secret.possession_key, possession_key)
        same("possession", secret.possession(owner), possession)
    return Secret("sign", rows[0][1]), Secret("seal", rows[5][1])


def content(page, seal):
    """The message of the section Content, made again from what the text says about it."""
    rows = dict(next(blocks(section(page, "Content"))))
    given = envelope_pb2.Header.FromString(rows["header"])
    message = compose(
        BODY, [seal], ephemeral=rows["ephemeral secret (one for a batch)"],
        random=random_of(0x60, 0x80, 0xA0, 0xC0), bus=BUS, sender=b"portal", recipient=b"jobcenter",
        service=b"alg2.application", content_type=b"application/xml", kind=1, channel=1, priority=1,
        message_id=given.message_id, case_id=given.case_id, created_ms=given.created_ms)
    header, context = message.fields, context_of(message.fields)
    ephemeral = rows["ephemeral secret (one for a batch)"]
    shared = bindings.crypto_scalarmult(ephemeral, seal.public)
    same("context", context, rows["context"])
    same("X25519", shared, rows["X25519(ephemeral secret, seal key)"])
    same("wrap key", envelope.wrap_key(shared, rows["ephemeral public"], seal.public, context),
         rows["wrap key"])
    sealed = envelope_pb2.Payload.FromString(message.content).sealed
    plaintext = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
        sealed.box, context, sealed.nonce, rows["content key"])
    same("plaintext", plaintext, rows["plaintext: Content, mark, zeros"])
    same("content", message.content, rows["content: Payload, as it stands in Envelope.content"])
    same("commitment", header.body_commitment, rows["body commitment"])
    same("content hash", header.content_hash, rows["content hash"])
    same("header", message.header, rows["header"])
    same("h", message.h, rows["h"])
    same("body", open_message(header, message.content, [seal]).body, BODY)
    return message.h


def signature(page, sign, h):
    rows = next(blocks(section(page, "Signature")))
    alone, middle = rows[2:4], rows[5:]
    same("leaf", leaf_of(h), rows[0][1])
    same("text", batch_text(MESSAGE, BUS, 1, leaf_of(h)), rows[1][1])
    one = sign_batch(sign, MESSAGE, BUS, [h])[0]
    same("root", [one.root, signature_core(one)], [value for _, value in alone])
    items = [b"\xaa" * 32, h, b"\xcc" * 32]
    same("tree", root_of([leaf_of(item) for item in items]), rows[4][1])
    second = sign_batch(sign, MESSAGE, BUS, items)[1]
    same("path", [second.path, second.root, signature_core(second)], [value for _, value in middle])
    verify_batch(sign.public, MESSAGE, BUS, h, second)


def acknowledgement(page, h):
    seed, public, accepted, rejected, root = (value for _, value in
                                              next(blocks(section(page, "Acknowledgement"))))
    sign = Secret("sign", seed)
    same("public", sign.public, public)
    acks = [frame_pb2.Ack(sequence=258, h=h, accepted=True),
            frame_pb2.Ack(sequence=259, h=h, code=b"schema", text=b"antrag: unknown version")]
    digests = [ack_digest(BUS, b"jobcenter", ack) for ack in acks]
    same("digests", digests, [accepted, rejected])
    same("root", sign_batch(sign, ACKNOWLEDGEMENT, BUS, digests)[0].root, root)


def key_files(page, sign, folder):
    """The two files of the section, read as files."""
    text = re.search(r"^```text\n(.*?)^```", section(page, "Key files"), re.M | re.S).group(1)
    secret_text, public_text = re.findall(r"(?<=# portal\.)\w+\n(.*?)(?=^# |\Z)", text, re.M | re.S)
    path = folder / "portal.secret"
    path.touch(0o600)
    path.write_text(secret_text)
    owner, secrets = envelope.read_secrets(path)
    same("owner", owner, b"portal")
    same("secret", secrets["sign"].public, sign.public)
    owner, read = envelope.read_keys(public_text)
    same("keys", [(key.use, key.id) for key in read], [(sign.use, sign.id)])


def checkpoint(page):
    """The checkpoint of docs/journal.md, which is a real one."""
    text = section(page, "Checkpoint")
    note = re.search(r"^```\n(.*?)^```", text, re.M | re.S).group(1)
    vkey = re.search(r"verifier key is `([^`]+)`", text).group(1)
    opened = evidence.open_checkpoint(note.encode(), [evidence.verifier_key(vkey)])
    same("size", (opened.origin, opened.size), ("wuppertal.demo/0", 1001))


def check(docs, folder):
    """Yield the name of each example that came out as the pages say."""
    page = (docs / "protocol.md").read_text(encoding="utf-8")
    sign, seal = keys(page)
    yield "keys, ids, proofs of possession"
    key_files(page, sign, folder)
    yield "key files"
    h = content(page, seal)
    yield "context, wrap, box, commitment, header, h"
    signature(page, sign, h)
    yield "signature of one, and of three"
    acknowledgement(page, h)
    yield "acknowledgements"
    checkpoint((docs / "journal.md").read_text(encoding="utf-8"))
    yield "checkpoint"
