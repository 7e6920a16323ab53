# SPDX-License-Identifier: EUPL-1.2
"""Keys, headers, signatures and content: what stands in docs/protocol.md from "Header" to "Content".

Names, ids and texts are bytes, as they are on the wire. Whatever is wrong raises Fault.
"""
import base64
import hashlib
import os
import stat
import time
from dataclasses import dataclass

from nacl import bindings
from nacl.exceptions import BadSignatureError, CryptoError
from nacl.signing import SigningKey, VerifyKey

from proto import envelope_pb2 as pb
from proto.registry_pb2 import Key

BATCH_MAX = 32
USES = {"sign": 1, "seal": 2, "transport": 3, "log": 4, "witness": 5, "root": 6}


class Fault(Exception):
    """What is wrong, by the code and the field that a refusal or a rejection would name."""

    def __init__(self, code, field="", detail=""):
        super().__init__(f"{code} {field} {detail}".strip())
        self.code, self.field, self.detail = code, field, detail


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def blake2b(*parts):
    return hashlib.blake2b(b"".join(parts), digest_size=32).digest()


def u8(number):
    return number.to_bytes(1, "big")


def u16(number):
    return number.to_bytes(2, "big")


def u32(number):
    return number.to_bytes(4, "big")


def u64(number):
    return number.to_bytes(8, "big")


def short(text):
    """u8 length, then the bytes."""
    return u8(len(text)) + text


# Strict reading: bytes with two readings would be two messages under one signature.

def varint(data, at):
    number = shift = 0
    while True:
        if at == len(data) or shift > 63:
            raise Fault("malformed", "", "a number that does not end")
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            break
    if byte == 0 and shift > 7 or number >> 64:
        raise Fault("malformed", "", "a number longer than need be")
    return number, at


def walk(descriptor, data):
    """Refuse a field twice or unknown, a wrong wire type, and two members of a oneof."""
    seen, at = set(), 0
    while at < len(data):
        tag, at = varint(data, at)
        field = descriptor.fields_by_number.get(tag >> 3)
        if field is None:
            raise Fault("malformed", descriptor.name, f"unknown field {tag >> 3}")
        inside = field.type in (field.TYPE_BYTES, field.TYPE_STRING, field.TYPE_MESSAGE)
        place = field.containing_oneof or field
        if tag & 7 != (2 if inside else 0):
            raise Fault("malformed", field.name, "wrong wire type")
        if place.name in seen and field.label != field.LABEL_REPEATED:
            raise Fault("malformed", field.name, "twice")
        seen.add(place.name)
        number, at = varint(data, at)
        if inside:
            if number > len(data) - at:
                raise Fault("malformed", field.name, "cut off")
            if field.type == field.TYPE_MESSAGE:
                walk(field.message_type, data[at:at + number])
            at += number
        elif field.type != field.TYPE_UINT64 and number >> 32:
            raise Fault("malformed", field.name, "too large")


def read_strict(kind, data):
    walk(kind.DESCRIPTOR, data)
    return kind.FromString(data)


# Keys

class Secret:
    """A secret key: an Ed25519 seed with one use."""

    def __init__(self, use, seed):
        self.use = USES[use]
        self.signing = SigningKey(seed)
        self.possession_key = self.public = bytes(self.signing.verify_key)
        if use in ("seal", "transport"):
            both = bytes(seed) + self.possession_key
            self.x25519 = bindings.crypto_sign_ed25519_sk_to_curve25519(both)
            self.public = bindings.crypto_scalarmult_base(self.x25519)
        self.id = key_id(self.use, self.public)

    def sign(self, text):
        return self.signing.sign(text).signature

    def possession(self, owner):
        return self.sign(possession_text(owner, self.use, self.public))


def key_id(use, public):
    return sha256(b"dienstweg/v1/key\0", u8(use), public)[:16]


def possession_text(owner, use, public):
    return b"dienstweg/v1/possession\0" + short(owner) + u8(use) + public


def verify(public, text, signature):
    try:
        VerifyKey(public).verify(text, signature)
    except (BadSignatureError, ValueError, CryptoError) as wrong:
        raise Fault("signature", "signature", str(wrong)) from wrong


def check_key(owner, key):
    """A Key of the registry or of a .keys file: its id, and that its owner holds the secret."""
    if key.id != key_id(key.use, key.public):
        raise Fault("key", "id")
    own = key.public
    if key.use in (USES["seal"], USES["transport"]):
        own = bindings.crypto_sign_ed25519_pk_to_curve25519(key.possession_key)
    elif key.possession_key != key.public:
        raise Fault("key", "possession_key")
    if own != key.public:
        raise Fault("key", "possession_key")
    verify(key.possession_key, possession_text(owner, key.use, key.public), key.possession)


def key_file_lines(text, word):
    """(owner, the other lines as lists of words) of a .secret or .keys file."""
    lines = [line.split() for line in text.splitlines() if line.strip() and line[0] != "#"]
    if not lines or lines[0][:2] != [word, "0"] or len(lines[0]) != 3 or len(lines) > 17:
        raise Fault("key-file", word)
    return lines[0][2].encode(), lines[1:]


def read_secrets(path):
    """NAME.secret: (owner, {use: Secret})."""
    if stat.S_IMODE(os.stat(path).st_mode) & 0o077:
        raise Fault("key-file", str(path), "others than its owner can read it: chmod 600")
    with open(path, encoding="utf-8") as file:
        owner, lines = key_file_lines(file.read(), "dienstweg-secret")
    return owner, {use: Secret(use, base64.b64decode(seed, validate=True)) for use, seed in lines}


def read_keys(text):
    """NAME.keys: (owner, [Key]), each with its proof of possession checked."""
    owner, lines = key_file_lines(text, "dienstweg-keys")
    keys = []
    for use, identity, *rest in lines:
        public, possession_key, possession = (base64.b64decode(part, validate=True) for part in rest)
        keys.append(Key(id=bytes.fromhex(identity), use=USES[use], public=public,
                        possession_key=possession_key, possession=possession))
        check_key(owner, keys[-1])
    return owner, keys


# Trees (RFC 6962)

def leaf_of(item):
    return sha256(b"\0", item)


def node_of(left, right):
    return sha256(b"\1", left, right)


def root_of(leaves):
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return node_of(root_of(leaves[:half]), root_of(leaves[half:]))


def path_of(leaves, index):
    """Audit path of one leaf, from the leaf upwards."""
    if len(leaves) == 1:
        return []
    half = 1 << (len(leaves) - 1).bit_length() - 1
    if index < half:
        return path_of(leaves[:half], index) + [root_of(leaves[half:])]
    return path_of(leaves[half:], index - half) + [root_of(leaves[:half])]


def climb(leaf, index, size, path):
    """The root that a path leads to; the path must be exactly as long as (index, size) asks for."""
    steps, last = iter(path), size - 1
    if not 0 <= index < size:
        raise Fault("signature-form", "index")
    try:
        while last > 0:
            if index & 1:
                leaf = node_of(next(steps), leaf)
            elif index < last:
                leaf = node_of(leaf, next(steps))
            index, last = index >> 1, last >> 1
    except StopIteration:
        raise Fault("signature-form", "path", "too short") from None
    if next(steps, None) is not None:
        raise Fault("signature-form", "path", "too long")
    return leaf


# Signatures: one Ed25519 signature for up to 32 items

MESSAGE = b"dienstweg/v1/message\0"
ACKNOWLEDGEMENT = b"dienstweg/v1/acknowledgement\0"


def batch_text(domain, bus, size, root):
    return domain + short(bus) + u32(size) + root


def sign_batch(secret, domain, bus, items):
    """A Signature for each of up to 32 items (h, or digests of acknowledgements)."""
    leaves = [leaf_of(item) for item in items]
    root = secret.sign(batch_text(domain, bus, len(leaves), root_of(leaves)))
    return [pb.Signature(key_id=secret.id, size=len(leaves), index=index,
                         path=b"".join(path_of(leaves, index)), root=root)
            for index in range(len(leaves))]


def verify_batch(public, domain, bus, item, signature):
    if not 1 <= signature.size <= BATCH_MAX or len(signature.path) % 32 or \
            len(signature.root) != 64 or len(signature.key_id) != 16:
        raise Fault("signature-form", "signature")
    path = [signature.path[at:at + 32] for at in range(0, len(signature.path), 32)]
    root = climb(leaf_of(item), signature.index, signature.size, path)
    verify(public, batch_text(domain, bus, signature.size, root), signature.root)


def signature_core(signature):
    return b"".join([signature.key_id, u32(signature.size), u32(signature.index),
                     u8(len(signature.path) // 32), signature.path, signature.root])


def ack_digest(bus, recipient, ack):
    return sha256(b"dienstweg/v1/ack\0", short(bus), short(recipient), u64(ack.sequence), ack.h,
                  u8(ack.accepted), short(ack.code), short(ack.text))


CANCELLATION = b"dienstweg/v1/cancellation\0"


def cancel_digest(bus, batch, item):
    return sha256(b"dienstweg/v1/cancel\0", short(bus), short(batch.sender), item.message_id,
                  short(item.recipient), short(batch.reason))


# Content

def context_of(header):
    return b"".join(short(part) for part in (header.bus, header.sender, header.message_id,
                                             header.case_id, header.service))


def commitment_of(context, salt, body, keys=()):
    """keys: the serialized AttachmentKeys, as they stand in the Content."""
    if not keys:
        return blake2b(b"dienstweg/v1/body\0", context, salt, body)
    parts = [part for data in (body, *keys) for part in (len(data).to_bytes(4, "big"), data)]
    return blake2b(b"dienstweg/v1/body-attached\0", context, salt, *parts)


def padded_length(length):
    """Padmé, at least 256: lengths of documents tell little about them."""
    if length <= 256:
        return 256
    exponent = length.bit_length() - 1
    mask = (1 << exponent - exponent.bit_length()) - 1
    return length + mask & ~mask


def wrap_key(shared, ephemeral, recipient, context):
    return blake2b(b"dienstweg/v1/wrap\0", shared, ephemeral, recipient, context)


def seal(context, content, keys, ephemeral, random=os.urandom):
    """SealedContent for the seal keys (.id, .public) of the recipients.

    ephemeral: X25519 secret; the messages of one Submit may share it.
    """
    public = bindings.crypto_scalarmult_base(ephemeral)
    content_key, nonce = random(32), random(24)
    text = content + b"\x80"
    text += bytes(padded_length(len(text)) - len(text))
    box = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(text, context, nonce, content_key)
    sealed = pb.SealedContent(ephemeral=public, nonce=nonce, box=box)
    for key in keys:
        shared = bindings.crypto_scalarmult(ephemeral, key.public)
        wrap_nonce = random(24)
        sealed.wraps.add(key_id=key.id, nonce=wrap_nonce,
                         box=bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
                             content_key, context, wrap_nonce,
                             wrap_key(shared, public, key.public, context)))
    return sealed


def unseal(context, sealed, secrets):
    """The serialized Content, with that seal key of ours for which there is a wrap."""
    mine = {secret.id: secret for secret in secrets}
    wrap = next((wrap for wrap in sealed.wraps if wrap.key_id in mine), None)
    if wrap is None:
        raise Fault("sealing", "sealed_recipients", "sealed for others")
    secret = mine[wrap.key_id]
    try:
        shared = bindings.crypto_scalarmult(secret.x25519, sealed.ephemeral)
        key = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
            wrap.box, context, wrap.nonce,
            wrap_key(shared, sealed.ephemeral, secret.public, context))
        text = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
            sealed.box, context, sealed.nonce, key)
    except (CryptoError, RuntimeError, ValueError, TypeError) as wrong:
        raise Fault("sealing", "content", "does not open") from wrong
    text = text.rstrip(b"\0")
    if text[-1:] != b"\x80":
        raise Fault("sealing", "content", "no mark before the padding")
    return text[:-1]


# Messages

@dataclass
class Message:
    header: bytes   # these bytes are hashed and signed; nobody encodes them again
    content: bytes

    @property
    def h(self):
        return h_of(self.header)

    @property
    def fields(self):
        return pb.Header.FromString(self.header)


def h_of(header):
    return sha256(b"dienstweg/v1/header\0", header)


def now_ms():
    return time.time_ns() // 1_000_000


def uuid7(ms, random=os.urandom):
    number = ms << 80 | int.from_bytes(random(10), "big")
    number = number & ~(0xF << 76 | 0x3 << 62) | 0x7 << 76 | 0x2 << 62
    return number.to_bytes(16, "big")


def compose(body, seal_keys=(), ephemeral=None, random=os.urandom, keys=(), **fields):
    """A message ready to be signed.

    seal_keys: seal keys of the recipients, .id and .public; none: the broker may read the body
    keys: AttachmentKeys, one for each of the header's attachments
    fields: of Header; ids and times are made where they are not given
    """
    header = pb.Header(**fields)
    header.created_ms = header.created_ms or now_ms()
    header.message_id = header.message_id or uuid7(header.created_ms, random)
    header.case_id = header.case_id or random(16)
    context = context_of(header)
    content = pb.Content(salt=random(32), body=body, attachments=keys)
    payload = pb.Payload(clear=content)
    if seal_keys:
        payload = pb.Payload(sealed=seal(context, content.SerializeToString(), seal_keys,
                                         ephemeral or random(32), random))
    sent = payload.SerializeToString()
    header.content_length, header.content_hash = len(sent), blake2b(sent)
    header.body_commitment = commitment_of(context, content.salt, body,
                                           [key.SerializeToString() for key in keys])
    header.sealed_recipients.extend(key.id for key in seal_keys)
    return Message(header.SerializeToString(), sent)


def envelopes(messages, secret):
    """Sign messages of one sender, 32 at a time."""
    result = []
    for at in range(0, len(messages), BATCH_MAX):
        batch = messages[at:at + BATCH_MAX]
        bus = batch[0].fields.bus
        signatures = sign_batch(secret, MESSAGE, bus, [message.h for message in batch])
        result += [pb.Envelope(header=message.header, signature=signature, content=message.content)
                   for message, signature in zip(batch, signatures)]
    return result


def open_message(header, content, secrets):
    """The Content, after every check of "To open"."""
    if len(content) != header.content_length or blake2b(content) != header.content_hash:
        raise Fault("sealing", "content_hash")
    payload = read_inside(pb.Payload, content)
    form, context = payload.WhichOneof("form"), context_of(header)
    listed = list(header.sealed_recipients)
    if form is None or [wrap.key_id for wrap in payload.sealed.wraps] != listed:
        raise Fault("sealing", "sealed_recipients")
    inside = payload.clear
    if form == "sealed":
        inside = read_inside(pb.Content, unseal(context, payload.sealed, secrets))
    keys = [key.SerializeToString() for key in inside.attachments]
    commitment = commitment_of(context, inside.salt, inside.body, keys)
    if len(inside.salt) != 32 or commitment != header.body_commitment:
        raise Fault("commitment", "body_commitment")
    if len(keys) != len(header.attachments):
        raise Fault("sealing", "attachments")
    return inside


def read_inside(kind, data):
    try:
        return read_strict(kind, data)
    except Fault as wrong:
        raise Fault("sealing", "content") from wrong
