#!/usr/bin/python3
# SPDX-License-Identifier: EUPL-1.2
"""The journal of a real bus under a verifier that was written from docs/journal.md alone.

usage: auditor.py --dienstweg PROGRAM --broker PROGRAM --admin PROGRAM --party PROGRAM [--keep]

A bus runs, witnesses cosign, a case is held and another erased; then verifier.py reads the folder. It must
find nothing, and it must find each byte that is changed in a copy. Each story prints "ok - STORY". Exit 77
when what it needs is missing on this machine.
"""
import argparse
import importlib.util
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import types

import run as first_steps

SKIPPED = 77
MESSAGES = 70


class Case:
    """The bus, and what elsewhere.py's first steps want to find in it."""

    def __init__(self, world, args):
        self.world, self.admin, self.folder = world, args.admin, world.folder
        self.pinned, self.messages = world.folder / "pinned", []
        self.journal = world.bus.folder / "state" / "journal"
        self.older = world.folder / "older"
        self.verifier = self.store = self.policy = None  # known once protoc has run

    def order(self, *words, code=0):
        """Run an operator's command; what it printed."""
        done = subprocess.run([self.admin, *map(str, words), "--config",
                               self.world.bus.folder / "broker.yaml"],
                              capture_output=True, text=True, check=False)
        if done.returncode != code:
            raise AssertionError(f"{words}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def entries(self, kind):
        return self.order("audit", "list", "--kind", kind, "--json").splitlines()

    def wait_entry(self, kind, number=1):
        until = time.monotonic() + 60
        while len(self.entries(kind)) < number:
            if time.monotonic() > until:
                raise AssertionError(f"no entry {kind} within a minute")

    def copy_journal(self, folder):
        """As of one moment, beside the broker."""
        import lmdb
        folder.mkdir()
        with lmdb.open(str(self.journal), readonly=True) as environment:
            environment.copy(str(folder))

    def case_of(self, message):
        return message.fields.case_id.hex()


def attached(case):
    """A message with two files, which are uploaded already."""
    from attachment import named, seal_files, upload
    from world import CITY
    keys, ciphertexts = seal_files([("plan.pdf", "application/pdf", bytes(70_000)), ("note", "text/plain", b"x")])
    for data in ciphertexts:
        upload(case.world.city, CITY, data)
    return case.world.message(b"see the plan", keys=keys, attachments=named(ciphertexts))


def spoken_late(world, message):
    """It had reached its recipient all the same, who says so, twice: once that is recorded."""
    from world import JOBCENTER
    taken = types.SimpleNamespace(party=JOBCENTER, sequence=world.city.receipts[message.h].sequence, h=message.h)
    client, receipts = world.jobcenter, len(world.jobcenter.ack_receipts)
    for _ in range(2):
        client.acknowledge([taken])
        assert client.wait(lambda: not client.acks)
        if client.ack_states[JOBCENTER, taken.sequence] != b"already" or len(client.ack_receipts) != receipts + 1:
            raise AssertionError(f"{len(client.ack_receipts) - receipts} receipts for a late word")


def messages_go_through(case):
    """Accepted, rejected, refused, an event, one that waits, one that expires, one that is cancelled."""
    world = case.world
    case.messages = [world.message(b"Antrag %d" % number + bytes(90 * number))
                     for number in range(MESSAGES)]
    case.messages.append(world.message(bytes(range(256)) * 40))  # several chunks
    case.messages.append(world.message(b"x" * 3700))
    case.messages.append(attached(case))
    world.submit(*case.messages[:35])
    world.submit(*case.messages[35:])
    arrived = world.receive(world.jobcenter, case.messages)
    world.settle(world.jobcenter, arrived[:40])
    world.settle(world.jobcenter, arrived[40:44], b"schema", b"unknown version")
    world.ended(world.city, case.messages[:44])
    event = world.message(b"event", service=b"event.death", kind=3, recipient=b"")
    late = world.message(b"later", not_before_ms=int(time.time() * 1000) + 86_400_000)
    short = world.message(b"short", service=b"figures", recipient=b"ministry.interop",
                          expires_ms=int(time.time() * 1000) + 1_500)
    mistake = world.message(b"mistake", not_before_ms=int(time.time() * 1000) + 86_400_000)
    world.submit(event, late, short, mistake)
    said = world.city.cancel(b"city.interop", [mistake.fields.message_id], reason=b"mistake")
    if set(said.values()) != {b"cancelled"}:
        raise AssertionError(said)
    spoken_late(world, mistake)
    wrong = world.message(b"no", service=b"figures", recipient=b"city.interop")
    world.city.submit([wrong])
    assert world.city.wait(lambda: wrong.h in world.city.refusals)
    case.wait_entry("expired")


def questions_are_asked(case):
    """One is answered, one waits, one is over; and to a submission nobody replies in time."""
    from world import CITY, JOBCENTER
    world = case.world
    asked = [world.message(b"benefits?", service=b"benefit.question", kind=4) for _ in range(2)]
    world.submit(*asked)
    world.settle(world.jobcenter, world.receive(world.jobcenter, asked))
    answer = world.message(b"yes", client=world.jobcenter, service=b"benefit.question", kind=5, recipient=CITY,
                           case_id=asked[0].fields.case_id, in_reply_to=asked[0].h)
    world.submit(answer, client=world.jobcenter)
    world.receive(world.city, [answer])
    referred = world.message(b"referred", service=b"referral")
    slow, slower = (world.message(b"referred", service=b"referral." + how) for how in (b"slow", b"slower"))
    world.submit(referred, slow, slower, world.message(b"now?", service=b"benefit.question", kind=4,
                                         expires_ms=int(time.time() * 1000) + 1_500))
    case.wait_entry("due-soon")
    assert world.city.wait(lambda: (slow.h, JOBCENTER) in world.city.due_soon)
    case.wait_entry("overdue")
    assert world.city.wait(lambda: (referred.h, JOBCENTER) in world.city.overdue)
    case.wait_entry("expired", 2)


def an_operator_stops_some(case):
    """A message, a queue and a service; of the service one that waited already and one that comes later."""
    world = case.world
    waiting = world.city.receipts[case.messages[50].h].sequence
    case.order("queue", "hold", "--message", waiting)
    case.order("queue", "hold", "ministry.interop")
    world.submit(world.message(b"before", service=b"figures", recipient=b"ministry.interop"))
    case.order("queue", "hold", "--service", "figures")
    world.submit(world.message(b"after", service=b"figures", recipient=b"ministry.interop"))
    case.order("queue", "hold", "jobcenter.interop")
    case.order("queue", "release", "jobcenter.interop")


def a_registry_follows_and_witnesses_sign(case):
    import elsewhere
    world = case.world
    world.city.disconnect(bye=True)
    world.jobcenter.disconnect(bye=True)
    elsewhere.pin(case)
    elsewhere.appoint(case)
    elsewhere.begin_witnessing(case)
    youth = world.client(b"youth.interop")
    youth.connect()
    world.submit(world.message(b"Antrag", client=youth), client=youth)
    case.wait_entry("witnessed")


def a_case_is_held_and_one_is_erased(case):
    held, gone = case.messages[3], case.messages[7]
    paper = case.folder / "paper"
    paper.write_text("an order")
    case.order("hold", case.case_of(held), "--ground", paper)
    case.order("case", "show", case.case_of(held), "--role", "auditor", "--ground", "test")
    case.order("erase", "--case", case.case_of(gone), "--instruction", paper)
    case.order("erase", "--now", "--reason", "test")
    case.wait_entry("erased")
    # Proven by its number: who it was from is not to be read any more.
    sequence, until = case.world.city.receipts[gone.h].sequence, time.monotonic() + 60
    while json.loads(case.order("audit", "prove", sequence, "--out", case.folder / "proof",
                                "--json"))["whole"]:
        if time.monotonic() > until:
            raise AssertionError("not erased within a minute")
    case.wait_entry("state")
    # This one waits for its week.
    case.order("erase", "--case", case.case_of(case.messages[9]), "--instruction", paper)
    case.copy_journal(case.older)
    case.world.bus.end()  # which is an entry, too


def verify(case, folder, keys=True, held=(), blobs=None, archive=None):
    """What the verifier finds in a journal folder."""
    keyring = case.store.Keyring(case.journal.parent / "keyring",
                                 case.world.bus.folder / "master" / "master.key")
    try:
        journal = case.store.Journal(folder, keyring if keys else None)
    except case.store.Fault as fault:
        return [(0, "unreadable", str(fault))]
    try:
        archive = archive and case.verifier.journal_pruned.Archive(archive)
        return case.verifier.Verifier(journal, case.policy, archive).run(held, blobs)
    except case.store.Fault as fault:
        return [(0, fault.code, str(fault))]
    finally:
        journal.close()


def the_journal_holds_elsewhere(case):
    """By the documents alone: with the keys, without them, and behind a checkpoint that an adapter kept."""
    import verifier
    verifier.load(None)
    import journal_store
    case.verifier, case.store = verifier, journal_store
    case.policy = verifier.Policy(case.world.bus.policy.read_text(encoding="utf-8"))
    held = case.folder / "held"
    held.write_bytes(case.world.clients[-1].newest.note)
    for keys in (True, False):
        found = verify(case, case.journal, keys, [held.read_bytes()], case.journal.parent / "blobs")
        if found:
            raise AssertionError(f"keys {keys}: {found[:5]}")
    words = [sys.executable, verifier.__file__, "--protocol", case.folder / "protocol", "--journal",
             case.journal, "--policy", case.world.bus.policy, "--checkpoint", held]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode or " 0 findings" not in done.stdout:
        raise AssertionError(done.stdout + done.stderr)


class Copy:
    """A journal to plant changes in."""

    def __init__(self, case):
        self.folder, self.case = case.folder / "copy", case
        shutil.copytree(case.journal, self.folder)

    def put(self, table, key, value):
        """Set a row, or with None remove it."""
        import lmdb
        with lmdb.open(str(self.folder), max_dbs=24, map_size=1 << 28) as environment:
            with environment.begin(write=True) as write:
                rows = environment.open_db(table.encode(), write, create=False)
                if value is None:
                    write.delete(key, db=rows)
                else:
                    write.put(key, value, db=rows)

    def must_find(self, what, table, key, value, was):
        self.put(table, key, value)
        if not verify(self.case, self.folder):
            raise AssertionError(f"not found: {table} {key.hex()} {what}")
        self.put(table, key, was)

    def must_miss(self, what, rows):
        """Rows that are taken out together: (table, key, value)."""
        for table, key, _ in rows:
            self.put(table, key, None)
        if not verify(self.case, self.folder):
            raise AssertionError(f"not missed: {what}")
        for row in rows:
            self.put(*row)


def unproven(table, key, at):
    """Bytes that follow from no entry: docs/journal.md "What cannot be checked"."""
    return table == "instructed" or \
        table == "meta" and (key in (b"cosigned", b"erase-week", b"erase") or
                             key.startswith(b"confirmed")) or \
        table == "counter" and (key[:1] in b"ra" or key[:1] == b"q" and at is None) or \
        table == "queue" and (at in (0, 1) or key[4] == 3 and at is None) or \
        table == "timer" and (at in (1, 2) or key[20] == 3 and at is None) or \
        table == "cosignature" and at is None


def attachments_are_what_headers_say(case):
    """Changed, cut, exchanged, taken away: of each file of the message that has some."""
    blobs = case.folder / "blobs"
    shutil.copytree(case.journal.parent / "blobs", blobs)
    files = sorted(blobs.glob("*/@*"))
    if len(files) != 2:
        raise AssertionError(f"{files}: not two attachments")
    for path, other in zip(files, reversed(files)):
        true = path.read_bytes()
        for changed in (true[:-1] + bytes([true[-1] ^ 1]), true[:-1], true + b"\0", other.read_bytes(), None):
            path.unlink()
            if changed is not None:
                path.write_bytes(changed)
            found = verify(case, case.journal, blobs=blobs)
            if [code for _, code, _ in found] != ["attachment"]:
                raise AssertionError(f"{path.name}: {found[:5]}")
            path.write_bytes(true)


def an_old_copy_is_known_by_a_newer_checkpoint(case):
    """Nothing is wrong in it by itself; who kept a checkpoint of later misses the rest."""
    journal = case.store.Journal(case.journal)
    newest = journal.get("checkpoint", journal.size.to_bytes(8, "big"))
    journal.close()
    for held, sound in (([], True), ([newest], False)):
        found = verify(case, case.older, True, held)
        if bool(found) == sound:
            raise AssertionError(f"an older journal: {found[:5]}")


def a_log_that_lost_entries_goes_on(case):
    """From the older copy, under a new origin: sound, and whoever kept a checkpoint of what was lost misses it."""
    journal = case.store.Journal(case.journal)
    lost = journal.get("checkpoint", journal.size.to_bytes(8, "big"))
    journal.close()
    shutil.rmtree(case.journal)
    shutil.copytree(case.older, case.journal)
    case.world.bus.start("--new-epoch", "1", "--ground", "a test")
    case.world.bus.end()
    for held, sound in (([], True), ([lost], False)):
        found = verify(case, case.journal, True, held)
        if bool(found) == sound:
            raise AssertionError(f"a new epoch: {found[:5]}")


def what_was_planted_is_found(case):
    """A byte of every table, in several of its rows; and rows that are taken out."""
    journal = case.store.Journal(case.journal)
    tables = {name: list(journal.rows(name)) for name in case.store.TABLES}
    journal.close()
    copy, empty = Copy(case), [name for name, rows in tables.items() if not rows]
    if empty:
        raise AssertionError(f"nothing to change in {empty}")
    for table, rows in tables.items():
        for key, value in rows[::max(1, len(rows) // 6)]:
            for at in sorted({0, 1, len(value) // 2, len(value) - 1} & set(range(len(value)))):
                if not unproven(table, key, at):
                    changed = value[:at] + bytes([value[at] ^ 1]) + value[at + 1:]
                    copy.must_find(f"byte {at}", table, key, changed, value)
            # An erasure leaves rows of `seal` that repeat the one before.
            repeats = table == "seal" and value in {label for before, label in rows if before < key}
            if not repeats and not unproven(table, key, None):
                copy.must_find("taken out", table, key, None, value)
    if verify(case, copy.folder):
        raise AssertionError("the copy is not what it was")


STORIES = [
    messages_go_through,
    questions_are_asked,
    an_operator_stops_some,
    a_registry_follows_and_witnesses_sign,
    a_case_is_held_and_one_is_erased,
    the_journal_holds_elsewhere,
    attachments_are_what_headers_say,
    an_old_copy_is_known_by_a_newer_checkpoint,
    a_log_that_lost_entries_goes_on,
    what_was_planted_is_found,
]


def run(stories, label, begin=None):
    """The stories, one after the other, on a bus of their own. begin: those before them; None: story_trust's."""
    parser = argparse.ArgumentParser(description="a verifier written from the documents, on a real journal")
    for name in ("dienstweg", "broker", "admin", "party"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--keep", action="store_true", help="keep the folder of the bus")
    args = parser.parse_args()
    lacking = list(first_steps.missing())
    if importlib.util.find_spec("lmdb") is None:
        lacking.append("python3-lmdb")
    if lacking:
        print(f"skipped: missing Debian packages: {', '.join(lacking)}")
        return SKIPPED
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"dienstweg-{label}-"))
    first_steps.make_protocol(folder / "protocol")
    from story_trust import STORIES as trust  # needs what protoc made
    from world import World
    world, done = World(folder, args), False
    try:
        for story in trust if begin is None else begin:
            story(world)
        case = Case(world, args)
        for story in stories:
            story(case)
            print(f"ok - {story.__name__.replace('_', ' ')}", flush=True)
        done = True
    finally:
        world.close()
        if done and not args.keep:
            shutil.rmtree(folder)
        else:
            print(f"# the bus is in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(run(STORIES, "auditor"))
