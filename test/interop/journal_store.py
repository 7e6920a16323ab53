# SPDX-License-Identifier: EUPL-1.2
"""A journal folder as docs/journal.md describes it: tables, sealed rows, the keyring, the tree.

Only reads. Whatever cannot be read raises Fault; a row whose key is not there is None.
"""
import pathlib

import lmdb
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt as open_box
from nacl.exceptions import CryptoError

from envelope import Fault, leaf_of, node_of, sha256, u8, u32, u64
from proto import journal_pb2 as pb

CHUNK = 3955
KEYRING = b"dienstweg-keyring 0\n"
RECORD, CONTENT = 1, 2  # as numbers; by name they stand in the associated data
NAMES = {RECORD: b"record", CONTENT: b"content"}
TABLES = ("meta", "stub", "record", "content", "tile", "checkpoint", "cosignature", "registry", "seal",
          "instructed", "queue", "timer", "seen", "end", "counter", "party", "hold", "order")


def number(data):
    return int.from_bytes(data, "big")


class Keyring:
    """The keys of rows, by (class, label)."""

    def __init__(self, folder, master):
        data = (pathlib.Path(folder) / "keyring").read_bytes()
        if not data.startswith(KEYRING):
            raise Fault("keyring", "first line")
        nonce, box = data[len(KEYRING):len(KEYRING) + 24], data[len(KEYRING) + 24:]
        for path in (pathlib.Path(master), pathlib.Path(str(master) + ".next")):
            try:
                keys = open_box(box, KEYRING, nonce, path.read_bytes())
                break
            except (CryptoError, OSError):
                continue
        else:
            raise Fault("keyring", "master key", "does not open it")
        if len(keys) % 37:
            raise Fault("keyring", "keys")
        self.keys = {(keys[at], number(keys[at + 1:at + 5])): keys[at + 5:at + 37]
                     for at in range(0, len(keys), 37)}


class Journal:
    """One moment of a journal; everything is read under the same snapshot."""

    def __init__(self, folder, keyring=None):
        self.keyring = keyring
        self.environment = lmdb.open(str(folder), readonly=True, max_dbs=len(TABLES) + 4, create=False)
        self.snapshot = self.environment.begin()
        self.tables = {}
        for name in TABLES:
            try:
                self.tables[name] = self.environment.open_db(name.encode(), self.snapshot, create=False)
            except lmdb.NotFoundError as wrong:
                raise Fault("journal", name, "no such table") from wrong
        if self.get("meta", b"format") != u32(0):
            raise Fault("journal", "format")
        head = self.get("meta", b"head") or b""
        if len(head) < 29:
            raise Fault("journal", "head")
        self.epoch, self.size, self.batch_ms, self.registry = (
            number(head[:4]), number(head[4:12]), number(head[12:20]), number(head[20:28]))
        self.bus = head[28:]

    def close(self):
        self.snapshot.abort()
        self.environment.close()

    def get(self, table, key):
        return self.snapshot.get(key, db=self.tables[table])

    def rows(self, table, prefix=b""):
        cursor = self.snapshot.cursor(self.tables[table])
        if not cursor.set_range(prefix):
            return
        for key, value in cursor:
            if not key.startswith(prefix):
                return
            yield key, value

    def label(self, table, class_, sequence):
        """What `seal` says a row of this class is sealed under; None when it says nothing."""
        prefix, found = u8(table) + u8(class_), None
        for key, value in self.rows("seal", prefix):
            if number(key[2:]) > sequence:
                break
            found = number(value)
        return found

    def open_chunk(self, table, sequence, chunk, class_, value):
        """(bytes, label) of one row; bytes are None when its key is not there."""
        if value[:1] == b"\0":
            if class_:
                raise Fault("seal", NAMES[table].decode(), "in clear although its class is not 0")
            return value[1:], 0
        if value[:1] != b"\1" or not class_ or len(value) < 45:
            raise Fault("seal", NAMES[table].decode(), "a form that its class does not have")
        label = number(value[1:5])
        if self.keyring is None or (class_, label) not in self.keyring.keys:
            return None, label
        about = NAMES[table] + u64(sequence) + chunk.to_bytes(2, "big") + u8(class_) + u32(label)
        try:
            return open_box(value[29:], about, value[5:29], self.keyring.keys[class_, label]), label
        except CryptoError as wrong:
            raise Fault("seal", NAMES[table].decode(), "does not open") from wrong

    def read(self, table, sequence, class_):
        """(bytes, labels) of all chunks of an entry's row; bytes are None when one has no key."""
        name, key = NAMES[table].decode(), u64(sequence)
        found = [(number(at[8:]) if len(at) > 8 else 0, value) for at, value in self.rows(name, key)
                 if len(at) in ((8, 10) if table == RECORD else (10,))]
        if not found:
            return None, set()
        if [chunk for chunk, _ in found] != list(range(len(found))):
            raise Fault(name, "chunk", "one is not there")
        opened = [self.open_chunk(table, sequence, chunk, class_, value) for chunk, value in found]
        labels = {label for _, label in opened}
        parts = [part for part, _ in opened]
        if None in parts:
            return None, labels
        if any(len(part) != CHUNK for part in parts[:-1]) or len(parts[-1]) > CHUNK:
            raise Fault(name, "chunk", "of another length")
        return b"".join(parts), labels

    def record(self, sequence, class_):
        """The Row, or None; labels."""
        data, labels = self.read(RECORD, sequence, class_)
        if data is None:
            return None, labels
        row = pb.Row.FromString(data)
        if row.nonce or row.salt or len(row.secret) != 32:
            raise Fault("record", "secret")
        return row, labels


def stub_of(row, class_):
    """The 35 bytes that a record commits to."""
    nonce = sha256(b"dienstweg/v1/nonce\0", row.secret)
    private = sha256(b"dienstweg/v1/private\0", sha256(b"dienstweg/v1/salt\0", row.secret), row.private)
    commitment = sha256(b"dienstweg/v1/stub\0", nonce, u32(len(row.disclosed)), row.disclosed, private)
    return u8(0) + row.disclosed[:1] + u8(class_) + commitment


class Tree:
    """The tree over the leaves, its rows of 32, and the roots of the sizes that somebody asks for."""

    def __init__(self, wanted):
        self.size, self.edge, self.levels, self.complete = 0, [], {}, []
        self.wanted, self.roots = set(wanted), {0: sha256()}

    def add(self, stub):
        self.add_leaf(leaf_of(stub))

    def add_leaf(self, leaf):
        self.add_node(leaf, 0)

    def add_row(self, node):
        """32 leaves at once, of which only the hash over them is known."""
        self.add_node(node, 5)

    def add_node(self, node, level):
        self.size += 1 << level
        self.put(node, level)
        while self.edge and self.edge[-1][0] == level:
            node, level = node_of(self.edge.pop()[1], node), level + 1
            self.put(node, level)
        self.edge.append((level, node))
        if self.size in self.wanted:
            self.roots[self.size] = self.root()

    def put(self, node, level):
        """Node of a whole subtree: rows are kept of every fifth level."""
        if level % 5 == 0:
            row = self.levels.setdefault(level, [])
            row.append(node)
            if len(row) == 32:
                self.complete.append((u64(self.size) + u8(level), b"".join(row)))
                self.levels[level] = []

    def root(self):
        root = None
        for _, node in reversed(self.edge):
            root = node if root is None else node_of(node, root)
        return sha256() if root is None else root
