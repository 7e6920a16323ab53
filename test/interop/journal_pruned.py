# SPDX-License-Identifier: EUPL-1.2
"""What pruning leaves of a journal (docs/journal.md "Pruning"), and the archive that has the rest.

Below the number in `meta` stand only permanent entries, the leaf hashes around them, and the hashes over 32 entries
each: enough to lead every entry that is left to the newest root.
"""
from envelope import Fault, leaf_of, u8, u64
from journal_store import CONTENT, NAMES, RECORD, number

WIDTH = 32  # leaf hashes of a row, and what is pruned together


class Archive:
    """Stubs out of an exported log (c2sp.org/tlog-tiles): read as they are needed, one bundle at a time."""

    def __init__(self, folder):
        self.folder, self.at, self.stubs = folder, None, []

    def bundle(self, place):
        groups = [f"{place % 1000:03}"]
        while place >= 1000:
            place //= 1000
            groups.insert(0, f"x{place % 1000:03}")
        whole = self.folder.joinpath("tile", "entries", *groups)
        parts = sorted(whole.parent.glob(whole.name + ".p/*"), key=lambda path: int(path.name))
        path = whole if whole.is_file() else parts[-1] if parts else None
        data = path.read_bytes() if path else b""
        return [data[at + 2:at + 37] for at in range(0, len(data) - 36, 37)]

    def stub(self, sequence):
        if self.at != sequence // 256:
            self.at, self.stubs = sequence // 256, self.bundle(sequence // 256)
        place = sequence % 256
        return self.stubs[place] if place < len(self.stubs) else None


class Pruned:
    """Walks a verifier over the entries below the number, and says who told it."""

    def __init__(self, verifier, archive=None):
        self.verifier, self.journal, self.archive = verifier, verifier.journal, archive
        row = self.journal.get("meta", b"pruned")
        if row is not None and (len(row) < 16 or number(row[:8]) > self.journal.size or number(row[:8]) % WIDTH):
            raise Fault("pruned", "meta", "says what cannot be")
        self.before, self.said = (number(row[:8]), number(row[8:16])) if row else (0, 0)

    def walk(self):
        for first in range(0, self.before, WIDTH):
            self.row(first)

    def row(self, first):
        """32 entries, and what is left of their hashes."""
        verifier, places = self.verifier, range(first, first + WIDTH)
        stubs = [self.journal.get("stub", u64(at)) for at in places]
        leaves = self.journal.get("tile", u64(first + WIDTH) + u8(0))
        if self.archive:
            kept, stubs = stubs, [self.archive.stub(at) for at in places]
            if None in stubs:
                raise Fault("archive", "entries", f"does not have {first}")
            for at, mine, theirs in zip(places, kept, stubs):
                if mine not in (None, theirs) or mine is None and theirs[2] == 0:
                    verifier.find(at, "stub", "is not that of the archive, or not there although it is permanent")
        elif leaves is None and any(stubs):
            verifier.find(first, "tile", "the hashes beside a permanent entry are not there")
        elif leaves is not None and not any(stubs):
            verifier.find(first, "stub", "of 32 whose hashes were kept none is there")
        self.hashes(first, stubs, leaves)
        for at, stub in zip(places, stubs):
            self.entry(at, stub)

    def hashes(self, first, stubs, leaves):
        tree = self.verifier.tree
        if leaves is None and None in stubs:
            tree.add_row(self.over(first))
            return
        for index, stub in enumerate(stubs):
            stored = leaves and leaves[32 * index:32 * index + 32]
            leaf = leaf_of(stub) if stub else stored
            if stored not in (None, leaf):
                self.verifier.find(first + index, "stub", "is not that of the tree")
            tree.add_leaf(leaf)

    def over(self, first):
        """The hash over 32 entries: in a row of 32 such hashes, or in the last one, which is not full."""
        place = first // WIDTH
        end = (place // WIDTH + 1) * WIDTH * WIDTH
        row = self.journal.get("tile", u64(end) + u8(5)) or self.journal.get("meta", b"edge" + u8(5)) or b""
        at = 32 * (place % WIDTH)
        if len(row) < at + 32:
            raise Fault("tile", "level 5", f"nothing over {first}")
        return row[at:at + 32]

    def entry(self, sequence, stub):
        """A permanent one is judged like any other; of the rest what must be gone, where the archive names it."""
        verifier = self.verifier
        if stub and stub[2] == 0:
            verifier.judge(sequence, stub)
            return
        verifier.unread.add(sequence)
        left = [table for table in (RECORD, CONTENT)
                if next(self.journal.rows(NAMES[table].decode(), u64(sequence)), None)]
        if left and self.journal.get("stub", u64(sequence)) is None:
            verifier.find(sequence, "pruned", "its stub is gone, and a row of it is there")
        if not stub:
            return
        verifier.kinds[stub[1]] += 1
        for table in (RECORD, CONTENT) if stub[1] == 1 else (RECORD,):
            verifier.absent.append((table, stub[2], sequence, verifier.batch_ms, verifier.registry))

    def check_said(self):
        """Who has the disk could write that number: an entry under the log's signature has to repeat it."""
        start = self.verifier.starts.get(self.said - 1)
        if self.before and (self.said <= self.before or start is None or start.pruned_size != self.before):
            self.verifier.find(self.before, "pruned-unsaid", "no start entry names this number")

    def is_known(self, sequence):
        """Is it known what of this entry is gone?"""
        return sequence >= self.before or self.archive is not None
