# SPDX-License-Identifier: EUPL-1.2
"""What can be proven: notes, checkpoints, receipts (docs/journal.md), and the signed registry
(docs/protocol.md "Registry")."""
import base64
import binascii
from dataclasses import dataclass, field

from envelope import (USES, Fault, check_key, climb, leaf_of, node_of, sha256, short, signature_core,
                      u8, u32, u64, verify)
from proto import registry_pb2 as pb

ACCEPTED, ACKNOWLEDGED = 1, 3


def base64_of(text):
    """Standard alphabet, padded, in the one spelling there is."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as wrong:
        raise Fault("note", "base64", str(wrong)) from wrong
    if base64.b64encode(data).decode() != text:
        raise Fault("note", "base64", "a second spelling")
    return data


# Notes (c2sp.org/signed-note)

def key_hash(name, public):
    return sha256(name.encode(), b"\n\1", public)[:4]


def verifier_key(text):
    """NAME+HASH+BASE64: (name, public)."""
    name, digest, key = text.split("+", 2)
    key = base64_of(key)
    if len(key) != 33 or key[0] != 1 or digest != key_hash(name, key[1:]).hex():
        raise Fault("note", "verifier key")
    return name, key[1:]


def open_note(note, keys):
    """(text, names that signed it), by the keys [(name, public)]; a bad signature spoils the note."""
    text, found, lines = note.decode().rpartition("\n\n")
    if not found or not lines.endswith("\n"):
        raise Fault("note", "form")
    text += "\n"
    signed = set()
    for line in lines[:-1].split("\n"):
        words = line.split(" ")
        if len(words) != 3 or words[0] != "—":
            raise Fault("note", "signature line")
        name, blob = words[1], base64_of(words[2])
        for known, public in keys:
            if known == name and blob[:4] == key_hash(name, public):
                verify(public, text.encode(), blob[4:])
                signed.add(name)
    return text, signed


# Checkpoints

@dataclass(frozen=True)
class Checkpoint:
    origin: str
    size: int
    root: bytes
    note: bytes = field(compare=False, repr=False)


def open_checkpoint(note, log_keys):
    text, signed = open_note(note, log_keys)
    origin, size, root = text.split("\n")[:3]
    if origin not in signed:
        raise Fault("checkpoint", "signature", "not by the log itself")
    if not size.isascii() or not size.isdigit() or size != str(int(size)):
        raise Fault("checkpoint", "size")
    root = base64_of(root)
    if len(root) != 32 or size == "0" and root != sha256():
        raise Fault("checkpoint", "root")
    return Checkpoint(origin, int(size), root, note)


def check_consistency(old, new, proof):
    """The tree of the checkpoint new begins with the tree of old; proof is hashes in one row."""
    hashes = [proof[at:at + 32] for at in range(0, len(proof), 32)]
    if old.origin != new.origin or old.size > new.size or len(proof) % 32:
        raise Fault("fork", "checkpoint")
    if old.size in (0, new.size):
        if hashes or old.size and old.root != new.root:
            raise Fault("fork", "root")
        return
    index, last = old.size - 1, new.size - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    try:
        a = b = hashes.pop(0) if index > 0 else old.root
        while last > 0:
            if index & 1:
                left = hashes.pop(0)
                a, b = node_of(left, a), node_of(left, b)
            elif index < last:
                b = node_of(b, hashes.pop(0))
            index, last = index >> 1, last >> 1
    except IndexError:
        raise Fault("fork", "consistency", "too short") from None
    if hashes or a != old.root or b != new.root:
        raise Fault("fork", "consistency")


# Receipts

@dataclass
class Proof:
    """A receipt that has been checked: entry `sequence` of the log is what it says."""
    sequence: int
    batch_ms: int
    stub: bytes
    nonce: bytes
    private_digest: bytes
    disclosed: bytes
    path: list
    checkpoint: Checkpoint

    def file(self):
        """The evidence as a *.tlog-proof file."""
        extra = b"\1" + self.stub + self.nonce + self.private_digest + self.disclosed
        lines = ["c2sp.org/tlog-proof@v1", "extra " + base64.b64encode(extra).decode(),
                 f"index {self.sequence}"]
        lines += [base64.b64encode(step).decode() for step in self.path]
        return "\n".join(lines).encode() + b"\n\n" + self.checkpoint.note


def check_entry(kind, receipt, digest, rest, nodes, checkpoint):
    """Rebuild the stub of an entry from a Receipt or an AckReceipt and climb from it to the root."""
    disclosed = b"".join([u8(kind), u64(receipt.batch_ms), u64(receipt.registry_version), digest, rest])
    if len(receipt.nonce) != 32 or len(receipt.private_digest) != 32 or len(nodes) % 32:
        raise Fault("receipt", "nonce")
    commitment = sha256(b"dienstweg/v1/stub\0", receipt.nonce, u32(len(disclosed)), disclosed,
                        receipt.private_digest)
    stub = u8(0) + u8(kind) + u8(getattr(receipt, "class")) + commitment
    if any(32 * place >= len(nodes) for place in receipt.path):
        raise Fault("receipt", "path", "names a node that is not there")
    path = [nodes[32 * place:32 * place + 32] for place in receipt.path]
    if climb(leaf_of(stub), receipt.sequence, checkpoint.size, path) != checkpoint.root:
        raise Fault("receipt", "path", "does not lead to the root")
    return Proof(receipt.sequence, receipt.batch_ms, stub, receipt.nonce, receipt.private_digest,
                 disclosed, path, checkpoint)


def check_receipt(receipt, signature, nodes, checkpoint):
    """A message's receipt; signature: the one submitted with the h that the receipt names."""
    if receipt.HasField("signature"):
        signature = receipt.signature
    return check_entry(ACCEPTED, receipt, receipt.h, signature_core(signature), nodes, checkpoint)


def ack_batch_digest(batch):
    return sha256(b"dienstweg/v1/ack-batch\0", batch)


def cancel_batch_digest(batch):
    return sha256(b"dienstweg/v1/cancel-batch\0", batch)


def check_ack_receipt(receipt, nodes, checkpoint):
    return check_entry(ACKNOWLEDGED, receipt, receipt.digest, b"", nodes, checkpoint)


# Registry

def read_policy(text):
    """The pinned roots of a policy file: [(name, public)]."""
    lines = [line.split() for line in text.splitlines() if line.strip() and line[0] != "#"]
    roots = [verifier_key(words[1]) for words in lines if words[0] == "root"]
    if len(roots) != 3 or ["root-quorum", "2"] not in lines:
        raise Fault("policy", "root")
    return roots


class Registry:
    """A signed registry, verified with the pinned roots: who is who, and who may send what to whom."""

    def __init__(self, signed, roots):
        outer, self.pinned = pb.SignedRegistry.FromString(signed), roots
        text, names = open_note(outer.note, roots)
        lines = text.split("\n")
        if len(lines) != 8 or lines[0] != "dienstweg/v1/registry" or lines[7]:
            raise Fault("registry", "note")
        if len(names) < 2:
            raise Fault("registry", "note", "two of the pinned roots must sign")
        if base64_of(lines[6]) != sha256(outer.content):
            raise Fault("registry", "content")
        self.bus, self.version, self.previous = lines[1].encode(), int(lines[2]), lines[3]
        self.note, self.digest, self.stale_after = outer.note, sha256(text.encode()), lines[5]
        self.content = pb.RegistryContent.FromString(outer.content)
        self._check_content()
        self.parties = {party.name: party for party in self.content.parties}

    def _check_content(self):
        content = self.content
        if content.version != 0 or content.bus != self.bus:
            raise Fault("registry", "bus")
        if len(self.roots()) != 3 or len(open_note(self.note, self.roots())[1]) < 2:
            raise Fault("registry", "roots", "two of the listed roots must sign")
        for rows in (content.parties, content.services):
            names = [row.name for row in rows]
            if names != sorted(set(names)):
                raise Fault("registry", "name")
        for owner, keys in [(party.name, party.keys) for party in content.parties] + \
                [(content.bus, content.bus_keys)] + \
                [(row.name, [row.key]) for row in [*content.roots, *content.witnesses]]:
            for key in keys:
                check_key(owner, key)

    def check_successor(self, held):
        """May this registry replace the one held? Two of the roots of that must have signed it, too."""
        if self.version <= held.version or base64_of(self.previous) != held.digest:
            raise Fault("registry", "previous")
        if len(open_note(self.note, held.roots())[1]) < 2:
            raise Fault("registry", "roots")

    def roots(self):
        return [(root.name.decode(), root.key.public) for root in self.content.roots
                if root.key.state == pb.KEY_STATE_ACTIVE]

    def keys(self, owner, use):
        """Active keys of a party."""
        party = self.parties.get(owner)
        return [key for key in (party.keys if party else ())
                if key.use == USES[use] and key.state == pb.KEY_STATE_ACTIVE]

    def sign_key(self, owner, identity, sequence):
        """The public key of a signature in the entry with this sequence.

        A retired key counts: that it was active when it signed follows from the order of the journal,
        which the broker judged by. A key that is not here at all may be in a newer registry.
        """
        found = [(party.name, key) for party in self.content.parties for key in party.keys
                 if key.id == identity]
        if not found:
            raise Fault("unknown-key", "key_id")
        name, key = found[0]
        if name != owner or key.use != USES["sign"] or key.state == pb.KEY_STATE_REVOKED or \
                0 < key.suspect_from <= sequence:
            raise Fault("signature", "key_id", "does not count")
        return key.public

    def curve_key(self):
        return next(key.public for key in self.content.bus_keys
                    if key.use == USES["transport"] and key.state == pb.KEY_STATE_ACTIVE)

    def log_keys(self, epoch=0):
        name = f"{self.bus.decode()}/{epoch}"
        return [(name, key.public) for key in self.content.bus_keys
                if key.use == USES["log"] and key.state != pb.KEY_STATE_REVOKED]

    def is_sealed(self, service):
        """Must content of this service be sealed?"""
        return all(row.confidentiality == pb.CONFIDENTIALITY_END_TO_END
                   for row in self.content.services if row.name == service)

    def is_enquiry(self, service):
        return any(row.name == service and row.pattern == 1 for row in self.content.services)

    def resolve(self, sender, service, now, recipient=b"", region=b"", answer=False):
        """The parties that a message would go to, as the broker decides it."""
        if answer and self.is_enquiry(service):  # it goes back along the flow by which it may be asked
            self.resolve(recipient, service, now, recipient=sender)
            return [recipient]
        event = next((row.event for row in self.content.services if row.name == service), None)
        if event is None or not event and not recipient and not region:
            raise Fault("unknown-party" if event is not None else "unknown-service")
        found = {}  # party: length of the longest region prefix
        for agreement in self.content.agreements:
            if now < agreement.valid_from_ms or 0 < agreement.valid_until_ms <= now:
                continue
            for flow in agreement.flows:
                if service not in flow.services or sender not in getattr(flow, "from"):
                    continue
                lengths = [len(prefix) for prefix in flow.regions if region.startswith(prefix)]
                if recipient == flow.to or not recipient and not region:
                    found[flow.to] = 0
                elif region and lengths:
                    found[flow.to] = max(lengths + [found.get(flow.to, 0)])
        if region:
            found = {to: length for to, length in found.items() if length == max(found.values())}
            if len(found) > 1:
                raise Fault("ambiguous", "region", b", ".join(sorted(found)).decode())
        if not found:
            raise Fault("no-agreement", "service")
        return sorted(found)
