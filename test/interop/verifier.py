#!/usr/bin/python3
# SPDX-License-Identifier: EUPL-1.2
"""Verifies a journal by docs/journal.md, docs/protocol.md and proto/*.proto, to show that these are enough:
nothing of the broker is used. Where they were not, they were mended first ("What cannot be checked" tells).

usage: verifier.py --journal DIR --policy FILE [--keyring DIR --master FILE] [--blobs DIR] [--archive DIR]
                   [--checkpoint NOTE]... [--protocol DIR]

Prints a line for each finding, "SEQUENCE CODE WHAT", and what it counted. Exit 0: nothing found, 1: something,
2: it could not read. Without keyring it judges the tree and what stands in clear. Of a journal that was pruned it
verifies what is left, and with the archive as if nothing had gone.
"""
import argparse
import collections
import pathlib
import sys

DAY_MS = 86_400_000
IN_CLEAR = {12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}


class Verifier:
    """What was found, and what the entries so far have said."""

    def __init__(self, journal, policy, archive=None):
        self.journal, self.pinned = journal, policy
        self.findings, self.kinds = [], collections.Counter()
        self.registry, self.registries, self.pinned_seen = None, [], False
        self.batch_ms, self.absent = 0, []
        self.erased, self.last_erased = [], 0
        self.messages, self.header_bytes, self.refused, self.acks = {}, {}, {}, {}
        self.ended, self.holds, self.states, self.unread = {}, [], [], set()
        self.overdue = {}  # entries that told senders that nobody replied in time, or yet
        self.parking = {}  # entries that made dead letters, or held messages
        self.stops = {}  # ("party" or "service", name): the entry that holds it
        self.witnessed, self.epochs = [], []  # of epochs: (number, entry that begins it)
        self.starts, self.contents = {}, set()  # start entries; messages whose content is there
        self.permanent = set()  # entries of class 0
        self.secrets = {}  # of the records, which state entries rest on
        self.tree = Tree(self.sizes_wanted())
        self.pruned = journal_pruned.Pruned(self, archive)

    def find(self, sequence, code, what=""):
        self.findings.append((sequence, code, str(what)))

    def sizes_wanted(self):
        """Trees whose roots are compared: those of kept checkpoints and of entries *witnessed*."""
        wanted = {number(key) for table in ("checkpoint", "cosignature")
                  for key, _ in self.journal.rows(table)}
        for key, stub in self.journal.rows("stub"):
            if stub[1:2] == u8(23):
                wanted.add(number(key))
            if stub[1:2] == u8(18):
                try:
                    row, _ = self.journal.record(number(key), stub[2])
                    wanted.add(pb.Decision.FromString(row.private).witnessed_size)
                except (Fault, DecodeError, AttributeError):
                    pass  # judged when the walk comes by
        return wanted

    # Entries

    def walk(self):
        journal = self.journal
        self.pruned.walk()
        for sequence in range(self.pruned.before, journal.size):
            stub = journal.get("stub", u64(sequence))
            self.tree.add(stub or b"")
            self.judge(sequence, stub)
        for table in ("stub", "record", "content"):
            for key, _ in journal.rows(table):
                if number(key[:8]) >= journal.size or len(key) not in (8, 10):
                    self.find(number(key[:8]), f"{table}-beyond-end")

    def judge(self, sequence, stub):
        if stub is None or len(stub) != 35 or stub[0] != 0:
            self.find(sequence, "stub", "not there, or of another form")
            return
        self.kinds[stub[1]] += 1
        self.guarded(sequence, self.entry, sequence, stub)

    def entry(self, sequence, stub):
        kind, class_ = stub[1], stub[2]
        if class_ == 0:
            self.permanent.add(sequence)
        if kind in IN_CLEAR and class_ != 0 and kind not in (12, 13):
            self.find(sequence, "class", f"{class_} of kind {kind}")
        try:
            row, labels = self.journal.record(sequence, class_)
        except Fault as fault:
            self.unread.add(sequence)
            if kind == 1:
                self.content_of(sequence, class_, None)
            raise fault
        self.labels(RECORD, sequence, class_, labels)
        if row is None:
            self.unread.add(sequence)
            self.absent.append((RECORD, class_, sequence, self.batch_ms, self.registry))
            if kind == 1:
                self.content_of(sequence, class_, None)
            return
        if stub_of(row, class_) != stub:
            self.find(sequence, "record", "is not what the stub commits to")
        if class_ != 0:
            self.secrets[sequence] = row.secret
        decision = self.disclosed(sequence, kind, row)
        judge = getattr(self, "kind_%d" % kind, None)
        if judge is None:
            raise Fault("kind", str(kind), "is none that docs/journal.md tells of")
        judge(sequence, class_, row, decision)

    def labels(self, table, sequence, class_, labels):
        """Sealed under what `seal` says: else a key is destroyed and the row stays, or the other way round."""
        said = self.journal.label(table, class_, sequence) if class_ else 0
        if labels - {said}:
            self.find(sequence, "seal", f"sealed under {sorted(labels)}, the table says {said}")

    def disclosed(self, sequence, kind, row):
        said = row.disclosed
        if len(said) < 49 or said[0] != kind or kind != 1 and len(said) != 49:
            raise Fault("disclosed", "form")
        time, version = number(said[1:9]), number(said[9:17])
        if time < self.batch_ms:
            self.find(sequence, "time", "runs backwards")
        self.batch_ms = max(time, self.batch_ms)
        decision = pb.Decision.FromString(row.private)
        if kind == 16:
            return decision
        held = self.registry.version if self.registry else 0
        if version != held:
            self.find(sequence, "registry-version", f"{version}, in force is {held}")
        if self.registry is None and kind in (1, 2, 3, 11, 18):
            raise Fault("registry-missing", "registry", "none is in force here")
        if kind not in (1, 2, 3, 11, 16, 17, 18, 23) and (said[17:49] != bytes(32) or row.original):
            self.find(sequence, "original", "this kind has none")
        return decision

    def kind_1(self, sequence, class_, row, decision):
        """Accepted: who signed, and is the content what the header says?"""
        h = h_of(row.original)
        if row.disclosed[17:49] != h:
            raise Fault("original", "header", "is not what was recorded")
        header = read_strict(envelope_pb2.Header, row.original)
        self.messages[sequence] = (h, header, decision)
        self.header_bytes[sequence] = len(row.original)
        self.content_of(sequence, class_, header)
        core = row.disclosed[49:]
        steps = core[24]
        if len(core) != 25 + 32 * steps + 64 or header.bus != self.journal.bus:
            raise Fault("signature-form", "core")
        signature = envelope_pb2.Signature(key_id=core[:16], size=number(core[16:20]),
                                           index=number(core[20:24]), path=core[25:-64], root=core[-64:])
        verify_batch(self.key_of(header.sender, signature.key_id), MESSAGE, self.journal.bus, h, signature)
        for party in decision.recipients:
            if party not in self.registry.parties:
                self.find(sequence, "recipient", party)

    def content_of(self, sequence, class_, header):
        try:
            content, labels = self.journal.read(CONTENT, sequence, class_)
        except Fault as fault:
            self.find(sequence, "content", fault)
            return
        self.labels(CONTENT, sequence, class_, labels)
        if content is None:
            self.absent.append((CONTENT, class_, sequence, self.batch_ms, self.registry))
            return
        self.contents.add(sequence)
        if header and (len(content) != header.content_length or
                         blake2b(content) != header.content_hash):
            self.find(sequence, "content", "is not what the header says")

    def key_of(self, party, identity):
        """A sign key that the broker could take: active under the registry in force here."""
        found = [key.public for key in self.registry.keys(party, "sign") if key.id == identity]
        if not found:
            raise Fault("signature-key", party.decode())
        return found[0]

    def kind_2(self, sequence, _class, row, decision):
        """Refused: the header is cut, so a longer one cannot be hashed."""
        if len(row.original) < 2048 and row.disclosed[17:49] != h_of(row.original):
            raise Fault("original", "header", "is not what was recorded")
        try:
            self.refused[sequence] = (row.disclosed[17:49],
                                      read_strict(envelope_pb2.Header, row.original), decision)
        except (Fault, DecodeError):
            self.refused[sequence] = (row.disclosed[17:49], None, decision)

    def kind_3(self, sequence, _class, row, decision):
        if row.disclosed[17:49] != ack_batch_digest(row.original):
            raise Fault("original", "batch", "is not what was recorded")
        batch = frame_pb2.AckBatch.FromString(row.original)
        self.acks[sequence] = (batch, decision)
        if not 1 <= len(batch.acks) <= 32 or len(decision.verdicts) != len(batch.acks):
            raise Fault("acknowledgement", "acks")
        digests = [ack_digest(self.journal.bus, batch.recipient, ack) for ack in batch.acks]
        text = batch_text(ACKNOWLEDGEMENT, self.journal.bus, len(digests),
                          root_of([leaf_of(digest) for digest in digests]))
        verify(self.key_of(batch.recipient, batch.key_id), text, batch.root)
        for ack, verdict in zip(batch.acks, decision.verdicts):
            known = self.messages.get(ack.sequence)
            if verdict == pb.ACK_UNKNOWN:
                continue
            # Of what had ended already nobody compares h: what a party says then is its own word, and ends nothing.
            if ack.sequence >= sequence or known and batch.recipient not in known[2].recipients or \
                    known and verdict == pb.ACK_CLOSED and known[0] != ack.h:
                self.find(sequence, "acknowledgement", f"of {ack.sequence}, which is another message")

    def kind_4(self, sequence, _class, _row, decision):
        for one in decision.affected:
            if one.sequence >= sequence:
                self.find(sequence, "affected", f"{one.sequence} comes later")

    def kind_5(self, sequence, class_, row, decision):
        self.kind_4(sequence, class_, row, decision)
        self.ended[sequence] = (3, decision)

    def kind_6(self, sequence, class_, row, decision):
        """Dead letters."""
        self.kind_4(sequence, class_, row, decision)
        self.parking[sequence] = decision

    def kind_7(self, sequence, class_, row, decision):
        self.kind_4(sequence, class_, row, decision)

    def kind_8(self, sequence, class_, row, decision):
        """Discarded."""
        self.kind_4(sequence, class_, row, decision)
        self.ended[sequence] = (5, decision)

    def kind_9(self, sequence, class_, row, decision):
        """Held: messages, or a queue or service as a whole."""
        self.kind_4(sequence, class_, row, decision)
        self.parking[sequence] = decision
        if not decision.affected:
            self.stops[self.stop_of(sequence, class_, decision)] = sequence

    def kind_10(self, sequence, class_, row, decision):
        self.kind_4(sequence, class_, row, decision)
        if not decision.affected:
            self.stops.pop(self.stop_of(sequence, class_, decision), None)

    def stop_of(self, sequence, class_, decision):
        if class_ != 0 or bool(decision.held_party) == bool(decision.held_service):
            self.find(sequence, "held", "neither a queue nor a service, or not permanent")
        return ("party", decision.held_party) if decision.held_party else ("service", decision.held_service)

    def kind_11(self, sequence, class_, row, decision):
        """Cancelled, by their sender's signed order."""
        if row.disclosed[17:49] != cancel_batch_digest(row.original):
            raise Fault("original", "batch", "is not what was recorded")
        batch = frame_pb2.CancelBatch.FromString(row.original)
        if not 1 <= len(batch.items) <= 32:
            raise Fault("cancellation", "items")
        digests = [cancel_digest(self.journal.bus, batch, item) for item in batch.items]
        text = batch_text(CANCELLATION, self.journal.bus, len(digests),
                          root_of([leaf_of(digest) for digest in digests]))
        verify(self.key_of(batch.sender, batch.key_id), text, batch.root)
        named = {(item.message_id, item.recipient) for item in batch.items}
        for one in decision.affected:
            header = self.messages[one.sequence][1] if one.sequence in self.messages else None
            if header and (header.sender != batch.sender or
                           not named & {(header.message_id, b""), (header.message_id, one.party)}):
                self.find(sequence, "cancellation", f"of {one.sequence}, which it does not name")
        self.kind_4(sequence, class_, row, decision)
        self.ended[sequence] = (4, decision)

    def kind_30(self, sequence, class_, row, decision):
        """Overdue: ends nothing, but its senders are told."""
        self.kind_4(sequence, class_, row, decision)
        self.overdue[sequence] = decision

    def kind_33(self, sequence, class_, row, decision):
        """Due soon: likewise."""
        self.kind_30(sequence, class_, row, decision)

    def kind_12(self, sequence, _class, _row, decision):
        self.holds.append((sequence, decision.case_id, True))

    def kind_13(self, sequence, _class, _row, decision):
        self.holds.append((sequence, decision.case_id, False))

    def kind_14(self, sequence, _class, _row, decision):
        if decision.previous_erased != self.last_erased:
            self.find(sequence, "erased-chain", f"names {decision.previous_erased - 1}")
        self.last_erased = sequence + 1
        day = self.batch_ms // DAY_MS
        if not decision.erased:
            self.find(sequence, "erased-false", "names nothing")
        for one in decision.erased:
            self.erased.append((one, bool(decision.instructions), day, sequence))
            room = one.last - one.first + 1
            if one.last >= sequence or one.first > one.last or not 0 < one.erased <= room or \
                    decision.instructions and one.erased != room or \
                    not decision.instructions and one.erase_day >= day:
                self.find(sequence, "erased-false", f"range {one.first} to {one.last}")

    def kind_15(self, sequence, _class, _row, decision):
        seen = decision.inspection
        if seen.last < seen.first or seen.last > sequence or not seen.role or not seen.ground:
            self.find(sequence, "inspected", "range, role or ground")

    def kind_16(self, sequence, class_, row, decision):
        """A registry: signed by its own roots, and following the one before."""
        content, _ = self.journal.read(CONTENT, sequence, class_)
        if content is None:
            raise Fault("registry", "content", "is not there")
        signed = registry_pb2.SignedRegistry.FromString(content)
        listed = registry_pb2.RegistryContent.FromString(signed.content)
        new = Registry(content, [(root.name.decode(), root.key.public) for root in listed.roots
                                 if root.key.state == registry_pb2.KEY_STATE_ACTIVE])
        if not new.digest == row.disclosed[17:49] == decision.digest or new.version != decision.version \
                or new.version != number(row.disclosed[9:17]) or new.bus != self.journal.bus:
            raise Fault("registry", "digest", "is not what was recorded")
        kept = read_strict(pb.RegistryRow, self.journal.get("registry", u64(sequence)) or b"")
        chunks = sum(1 for _ in self.journal.rows("content", u64(sequence)))
        if (kept.version, kept.digest, kept.content_chunks) != (new.version, new.digest, chunks):
            self.find(sequence, "registry-row")
        if self.registry:
            new.check_successor(self.registry)
        try:
            self.pinned_seen |= len(open_note(new.note, self.pinned.roots)[1]) >= 2
        except Fault:
            pass  # a pinned root signed badly: it does not count
        self.registries.append((sequence, new))
        self.registry = new

    def kind_17(self, sequence, class_, row, decision):
        content, _ = self.journal.read(CONTENT, sequence, class_)
        content = content or b""  # no bytes, no row: nothing had happened yet
        if sha256(b"dienstweg/v1/state\0", content) != row.disclosed[17:49]:
            raise Fault("state", "content", "is not what was recorded")
        cut, before = decision.state, self.states[-1][1].size if self.states else 0
        if cut.size > sequence or getattr(cut, "from") != before:
            self.find(sequence, "state-order", f"from {getattr(cut, 'from')}, before was {before}")
        self.states.append((sequence, cut, pb.State.FromString(content)))

    def kind_18(self, sequence, _class, row, decision):
        if sha256(row.original) != row.disclosed[17:49]:
            raise Fault("original", "checkpoint", "is not what was recorded")
        size = decision.witnessed_size
        cosigned = self.checkpoint(sequence, size, row.original, self.registry)
        times = sorted(cosigned.values())
        quorum, witnesses = self.registry.content.witness_quorum, self.active_witnesses(self.registry)
        bad = max(0, 2 * quorum - len(witnesses) - 1)
        if not quorum or len(times) < quorum or (times[bad], times[-1 - bad]) != (
                decision.witnessed_seen_s, decision.witnessed_signed_s):
            self.find(sequence, "witnessed", f"{times} do not give what it says")
        self.witnessed.append(sequence)

    def kind_19(self, sequence, _class, _row, decision):
        """Start: from here on the rules are bound by these limits."""
        if not decision.software or len(decision.config_digest) not in (0, 32) or not decision.HasField("limits"):
            self.find(sequence, "start", "program, configuration or limits")
        self.starts[sequence] = decision

    def kind_20(self, sequence, _class, _row, decision):
        if not decision.software:
            self.find(sequence, "stop", "of which program?")

    def kind_21(self, sequence, _class, _row, decision):
        if abs(decision.step_ms) < 10_000:
            self.find(sequence, "clock-step", f"{decision.step_ms} ms are none")

    def kind_22(self, sequence, _class, _row, decision):
        """Refusals beyond a party's limit, in a minute that is over."""
        if decision.party not in self.registry.parties or not decision.count or \
                decision.minute >= self.batch_ms // 60_000:
            self.find(sequence, "summed", "no such party, none of them, or a minute that is not over")

    def kind_23(self, sequence, _class, row, decision):
        """The log goes on under a new origin: from the very tree before this entry, which the old one signed."""
        if sha256(row.original) != row.disclosed[17:49]:
            raise Fault("original", "checkpoint", "is not what was recorded")
        self.checkpoint(sequence, sequence, row.original)
        if self.journal.get("checkpoint", u64(sequence)) != row.original:
            self.find(sequence, "checkpoint-missing", "the last one of the epoch before")
        if decision.epoch <= self.epoch_at(sequence):
            self.find(sequence, "epoch", f"{decision.epoch} does not follow {self.epoch_at(sequence)}")
        self.epochs.append((decision.epoch, sequence))

    def epoch_at(self, size):
        """The epoch under whose origin a tree of this size is signed."""
        return next((epoch for epoch, begin in reversed(self.epochs) if begin < size), 0)

    # Tree and checkpoints

    @staticmethod
    def active_witnesses(registry):
        return {row.name.decode(): row.key.public for row in registry.content.witnesses
                if row.key.state == registry_pb2.KEY_STATE_ACTIVE}

    def in_force(self, size):
        """The registry under which a tree of this size was signed: the last one in it."""
        return next((row for at, row in reversed(self.registries) if at < size), None)

    def checkpoint(self, sequence, size, note, cosigners=None):
        """Signed by the log, of this size, over this tree; times by the names of its cosigners."""
        registry = self.in_force(size)
        if registry is None:
            raise Fault("checkpoint", "registry", "none is in force")
        found = open_checkpoint(note, registry.log_keys(self.epoch_at(size)))
        if found.size != size:
            self.find(sequence, "checkpoint-size", f"{found.size} under {size}")
        elif size not in self.tree.roots:
            if size > self.pruned.before:  # else only the archive can tell
                self.find(sequence, "checkpoint-size", f"{size} is behind the end")
        elif self.tree.roots[size] != found.root:
            self.find(sequence, "root", f"the checkpoint of {size} was signed over another tree")
        return cosigners_of(note, self.active_witnesses(cosigners)) if cosigners else {}

    def check_tree(self):
        journal, tree = self.journal, self.tree
        stored, there = list(journal.rows("tile")), {key for key, _ in journal.rows("tile")}
        tree.complete = [(key, row) for key, row in tree.complete
                         if key in there or key[8] or number(key[:8]) > self.pruned.before]
        for (key, row), (kept, nodes) in zip(tree.complete, stored):
            if (key, row) != (kept, nodes):
                self.find(number(key[:8]), "tile", f"level {key[8]}")
        if len(stored) != len(tree.complete):
            self.find(journal.size, "tile", f"{len(stored)} rows, not {len(tree.complete)}")
        edge = {key[4:]: value for key, value in journal.rows("meta", b"edge") if value}
        if edge != {u8(level): b"".join(row) for level, row in tree.levels.items() if row}:
            self.find(journal.size, "edge")
        newest = None
        for key, note in journal.rows("checkpoint"):
            newest = number(key)
            self.guarded(newest, self.checkpoint, newest, newest, note)
        if newest != journal.size:
            self.find(journal.size, "checkpoint-missing", f"the newest is of {newest}")
        for key, note in journal.rows("cosignature"):
            self.guarded(number(key), self.cosignature, number(key), note)

    def cosignature(self, size, note):
        lines = note.decode().rpartition("\n\n")[2].count("\n")
        self.checkpoint(size, size, note)
        registry = self.in_force(size)
        # Lines come one by one, each under the registry in force when it came.
        later = [row for at, row in self.registries if at >= size]
        signers = {(name, self.active_witnesses(row)[name]) for row in [registry, *later[:8]]
                   for name in cosigners_of(note, self.active_witnesses(row))}
        if not lines - len(registry.log_keys(self.epoch_at(size))) <= len(signers) < lines:
            self.find(size, "cosignature", "a line is by nobody that the registry lists")

    def held(self, note):
        """A checkpoint that somebody else kept: this journal must extend it."""
        size = int(note.split(b"\n")[1])
        self.guarded(size, self.checkpoint, size, size, note)
        if size <= self.pruned.before and size not in self.tree.roots:
            self.find(size, "archived", "the tree that this checkpoint is of was pruned: it takes the archive")

    def guarded(self, sequence, call, *args):
        try:
            return call(*args)
        except Fault as fault:
            self.find(sequence, fault.code, fault)
        except (ValueError, IndexError, DecodeError) as wrong:
            self.find(sequence, "malformed", wrong)
        return None

    # What is gone

    def class_days(self, registry, class_, table):
        rows = list(registry.content.classes if registry else ())
        of_class = [row for row in rows if row.number == class_] or \
            sorted(rows, key=lambda row: row.record_days)[-1:]
        if not of_class:
            return sys.maxsize
        return of_class[0].record_days if table == RECORD else of_class[0].content_days

    def check_absent(self):
        if self.journal.keyring is None:
            return
        counts = collections.Counter()
        for table, class_, sequence, time, registry in self.absent:
            name = NAMES[table].decode()
            if class_ == 0:
                self.find(sequence, f"{name}-missing", "is permanent")
                continue
            counts[table, class_] += 1
            due = time // DAY_MS + self.class_days(registry, class_, table)
            if not any(one.table == table and getattr(one, "class") == class_ and
                       one.first <= sequence <= one.last and
                       (instructed or due <= one.erase_day < day)
                       for one, instructed, day, _ in self.erased):
                self.find(sequence, f"{name}-missing", "and no entry makes that lawful")
        # Of a range that reaches below what was pruned it is not known how much of it lay there.
        most, least = collections.Counter(), collections.Counter()
        for one, *_ in self.erased:
            most[one.table, getattr(one, "class")] += one.erased * self.pruned.is_known(one.last)
            least[one.table, getattr(one, "class")] += one.erased * self.pruned.is_known(one.first)
        removing = self.journal.get("meta", b"erase") is not None
        for table, class_ in most | counts:
            missing = counts[table, class_]
            if missing > most[table, class_] or missing < least[table, class_] and not removing:
                self.find(0, "absent-uncounted", f"{missing} {NAMES[table].decode()} rows are gone,"
                          f" {least[table, class_]} to {most[table, class_]} told")
        for one, _, _, sequence in self.erased:
            if not self.pruned.is_known(one.first):
                continue
            gone = sum(row[:2] == (one.table, getattr(one, "class")) and one.first <= row[2] <= one.last
                       for row in self.absent)
            if gone < one.erased and not removing:
                self.find(sequence, "erased-overstated", f"{one.erased} told, {gone} gone")

    def check_taken(self):
        """What a recipient took was there: who waits for a message keeps it from being erased."""
        gone = collections.defaultdict(list)
        for table, class_, sequence, *_ in self.absent:
            gone[sequence].append((table, class_))
        for at, (batch, decision) in self.acks.items():
            taken = [ack.sequence for ack, verdict in zip(batch.acks, decision.verdicts)
                     if verdict == pb.ACK_CLOSED]
            for sequence, row in ((sequence, row) for sequence in taken for row in gone[sequence]):
                went = [erased for one, _, _, erased in self.erased
                        if (one.table, getattr(one, "class")) == row and one.first <= sequence <= one.last]
                if went and max(went) < at:
                    self.find(at, "erased-undelivered", f"{sequence}, erased in {max(went)}")

    def check_attached(self, blobs):
        """As long as a content is there, so are its attachments; then they are what the header says."""
        for sequence in sorted(self.contents & set(self.messages)):
            header = self.messages[sequence][1]
            for index, told in enumerate(header.attachments):
                path = blobs / header.sender.decode() / f"@{sequence:020}.{index:02}"
                data = path.read_bytes() if path.is_file() else None
                if data is None or (len(data), blake2b(data)) != (told.size, told.digest):
                    self.find(sequence, "attachment", f"{index} is "
                              + ("not there" if data is None else "not what the header says"))

    def check_head(self):
        journal = self.journal
        if not self.registries or self.registries[-1][0] != journal.registry:
            self.find(journal.registry, "head", "another registry is in force")
        if self.registry and self.registry.bus != journal.bus or journal.batch_ms < self.batch_ms:
            self.find(journal.size, "head", "bus or time")
        told = journal.get("meta", b"epochs") or b""
        newest = self.epochs[-1][0] if self.epochs else 0
        if journal.epoch != newest or told != b"".join(u32(epoch) + u64(at) for epoch, at in self.epochs):
            self.find(journal.size, "head-epoch", f"the newest is {newest}")
        if not self.pinned_seen:
            self.find(0, "registry-unpinned", "two of the policy's roots signed none of them")
        listed = [number(key) for key, _ in journal.rows("registry")]
        if listed != [at for at, _ in self.registries]:
            self.find(journal.size, "registry-row", f"{listed}")

    def run(self, held=(), blobs=None):
        """Everything; held: checkpoints that others kept; blobs: the folder of attachments. Findings, in order."""
        self.tree.wanted |= {int(note.split(b"\n")[1]) for note in held}
        self.walk()
        self.pruned.check_said()
        self.check_head()
        self.check_tree()
        for note in held:
            self.held(note)
        self.check_absent()
        self.check_taken()
        if blobs:
            self.check_attached(blobs)
        journal_tables.check(self)
        return sorted(set(self.findings), key=lambda row: row[:2])


def cosigners_of(note, witnesses):
    """{name: time} of the cosignature lines by these witnesses; a bad one spoils the note."""
    text, _, lines = note.decode().rpartition("\n\n")
    found = {}
    for line in lines.splitlines():
        _, name, blob = line.split(" ")
        blob, public = base64_of(blob), witnesses.get(name)
        if public and blob[:4] == sha256(name.encode(), b"\n\4", public)[:4]:
            time = number(blob[4:12])
            verify(public, f"cosignature/v1\ntime {time}\n{text}\n".encode(), blob[12:])
            found[name] = time
    return found


class Policy:
    def __init__(self, text):
        self.roots = read_policy(text)


def load(protocol):
    """Modules that need what protoc makes of the .proto files; they are this file's after it."""
    if protocol:
        sys.path.insert(0, str(protocol))
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
    import envelope
    import evidence
    import journal_pruned
    import journal_store
    import journal_tables
    from google.protobuf.message import DecodeError
    from proto import envelope_pb2, frame_pb2, journal_pb2, registry_pb2
    globals().update({name: getattr(module, name) for module, names in (
        (envelope, "Fault MESSAGE ACKNOWLEDGEMENT CANCELLATION ack_digest batch_text blake2b cancel_digest h_of leaf_of"
                   " read_strict root_of sha256 u8 u32 u64 verify verify_batch"),
        (evidence, "Registry ack_batch_digest base64_of cancel_batch_digest open_checkpoint open_note"
                   " read_policy"),
        (journal_store, "CONTENT NAMES RECORD Journal Keyring Tree number stub_of"))
        for name in names.split()})
    globals().update(journal_pruned=journal_pruned, journal_tables=journal_tables, DecodeError=DecodeError, pb=journal_pb2,
                     envelope_pb2=envelope_pb2, frame_pb2=frame_pb2, registry_pb2=registry_pb2)


def main():
    parser = argparse.ArgumentParser(description="verifies a journal, by its documentation alone")
    for name in ("journal", "policy"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    for name in ("keyring", "master", "protocol", "blobs", "archive"):
        parser.add_argument(f"--{name}", type=pathlib.Path)
    parser.add_argument("--checkpoint", action="append", default=[], type=pathlib.Path)
    args = parser.parse_args()
    load(args.protocol)
    try:
        keyring = Keyring(args.keyring, args.master) if args.keyring else None
        journal = Journal(args.journal, keyring)
        verifier = Verifier(journal, Policy(args.policy.read_text(encoding="utf-8")),
                            args.archive and journal_pruned.Archive(args.archive))
        findings = verifier.run([path.read_bytes() for path in args.checkpoint], args.blobs)
    except Fault as fault:
        print(f"0 unreadable {fault}")
        return 2
    for sequence, code, what in findings:
        print(sequence, code, what)
    if verifier.pruned.before:
        print(f"# the entries before {verifier.pruned.before} were pruned:"
              + (" taken from the archive" if args.archive else " of these, the permanent ones"))
    print(f"# {journal.size} entries, {len(verifier.absent)} rows absent,"
          f" kinds {dict(sorted(verifier.kinds.items()))}, {len(findings)} findings")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
