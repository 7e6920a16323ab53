# SPDX-License-Identifier: EUPL-1.2
"""Attachments, from docs/protocol.md "Attachments" and "PutBlob and GetBlob".

    keys, ciphertexts = seal_files([("plan.pdf", "application/pdf", data)])
    upload(client, b"city", ciphertexts[0])
"""
from nacl import bindings

from envelope import Fault, blake2b, padded_length
from proto import envelope_pb2, frame_pb2

PLAIN, PIECE, HEAD = 65519, 65536, 24


def seal_file(data):
    """Key and ciphertext."""
    key = bindings.crypto_secretstream_xchacha20poly1305_keygen()
    state = bindings.crypto_secretstream_xchacha20poly1305_state()
    sealed = [bindings.crypto_secretstream_xchacha20poly1305_init_push(state, key)]
    text = data + bytes(padded_length(len(data)) - len(data))
    for at in range(0, len(text), PLAIN):
        tag = 3 if at + PLAIN >= len(text) else 0
        sealed.append(bindings.crypto_secretstream_xchacha20poly1305_push(
            state, text[at:at + PLAIN], tag=tag))
    return key, b"".join(sealed)


def open_file(key, ciphertext):
    """The file that an AttachmentKey opens."""
    state, text = bindings.crypto_secretstream_xchacha20poly1305_state(), b""
    bindings.crypto_secretstream_xchacha20poly1305_init_pull(state, ciphertext[:HEAD], key.key)
    for at in range(HEAD, len(ciphertext), PIECE):
        piece, tag = bindings.crypto_secretstream_xchacha20poly1305_pull(
            state, ciphertext[at:at + PIECE])
        if (tag == 3) != (at + PIECE >= len(ciphertext)):
            raise Fault("attachment", "attachments", "not the last piece")
        text += piece
    if len(text) != padded_length(key.size) or any(text[key.size:]):
        raise Fault("attachment", "attachments", "padding")
    return text[:key.size]


def seal_files(files):
    """For (name, media type, bytes) each: AttachmentKeys for the content, ciphertexts to upload."""
    keys, ciphertexts = [], []
    for name, media_type, data in files:
        key, ciphertext = seal_file(data)
        keys.append(envelope_pb2.AttachmentKey(key=key, size=len(data), name=name.encode(),
                                               content_type=media_type.encode()))
        ciphertexts.append(ciphertext)
    return keys, ciphertexts


def named(ciphertexts):
    """What the header says of them."""
    return [envelope_pb2.Attachment(digest=blake2b(data), size=len(data)) for data in ciphertexts]


def upload(client, party, ciphertext):
    """From where the broker is, a piece at a time. Return: how many pieces were sent."""
    digest, sent = blake2b(ciphertext), 0
    piece = b""
    offset = 0
    while True:
        client.session.send(put_blob=frame_pb2.PutBlob(
            party=party, digest=digest, size=len(ciphertext), offset=offset, data=piece))
        stored = client.expect("blob_stored")
        if stored.complete:
            return sent
        if stored.reason:
            piece = b""
            continue
        offset = stored.offset
        piece = ciphertext[offset:offset + PIECE]
        sent += 1


def fetch(client, party, sequence, index, size):
    """The ciphertext of an attachment of a recorded message."""
    data, mark = b"", 0
    while len(data) < size:
        client.session.send(get_blob=frame_pb2.GetBlob(
            party=party, sequence=sequence, index=index, offset=len(data), mark=mark))
        answer = client.expect("blob_data")
        if answer.reason:
            raise Fault("attachment", "attachments", answer.reason.decode())
        data, mark = data + answer.data, answer.mark
    return data
