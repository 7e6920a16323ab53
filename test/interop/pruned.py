#!/usr/bin/python3
# SPDX-License-Identifier: EUPL-1.2
"""The journal of a real bus, erased and pruned, under a verifier that was written from docs/journal.md alone.

usage: pruned.py --dienstweg PROGRAM --broker PROGRAM --admin PROGRAM --party PROGRAM [--keep]

A case of many messages goes on instruction, what was erased leaves for an archive, and traffic goes on. verifier.py
must find nothing in what is left, with the archive and without, and must find what is changed there. Each story
prints "ok - STORY". Exit 77 when what it needs is missing on this machine.
"""
import os
import sys
import time

import auditor
from auditor import Copy, verify

MANY, BEFORE = 100, 96  # so many that whole rows of 32 hashes go


def a_bus_begins(world):
    from bus import ROOTS
    from world import CITY, JOBCENTER
    import evidence
    bus = world.bus
    bus.make_keys()
    bus.build_registry(bus.registry)
    for root in ROOTS[:2]:
        bus.sign_registry(bus.registry, root)
    world.roots = evidence.read_policy(bus.policy.read_text())
    world.registry = world.read_registry()
    bus.write_config()
    bus.start()
    world.city, world.jobcenter = world.client(CITY), world.client(JOBCENTER)
    world.city.connect()
    world.jobcenter.connect()


def a_case_of_many_messages_ends(case):
    """All of them are taken, and their sender has heard of it; then comes something that stays."""
    from world import CITY
    world, about = case.world, os.urandom(16)
    case.messages = [world.message(b"letter %d" % number, case_id=about) for number in range(MANY)]
    for at in range(0, MANY, 25):
        batch = case.messages[at:at + 25]
        world.submit(*batch)
        world.settle(world.jobcenter, world.receive(world.jobcenter, batch))
        world.city.confirm(CITY, world.ended(world.city, batch)[-1].sequence)
    world.city.link()
    world.jobcenter.disconnect(bye=True)
    world.submit(*[world.message(b"stays %d" % number) for number in range(40)])
    case.paper = case.folder / "paper"
    case.paper.write_text("an order")


def it_is_erased(case):
    case.order("erase", "--case", case.case_of(case.messages[0]), "--instruction", case.paper)
    case.order("erase", "--now", "--reason", "test")
    until = time.monotonic() + 60
    while "\"finished_ms\"" not in (said := case.order("status", "--json")) or "\"phase\":\"none\"" not in said:
        if time.monotonic() > until:
            raise AssertionError("not erased within a minute")
    case.archive = case.folder / "archive"
    case.order("audit", "export", case.archive)


def what_was_erased_leaves(case):
    case.older = case.world.city.newest.note
    case.world.bus.end()
    print("#", case.order("audit", "prune", "--before", BEFORE, "--archive", case.archive).strip())
    import verifier
    verifier.load(None)
    import journal_store
    case.verifier, case.store = verifier, journal_store
    case.policy = verifier.Policy(case.world.bus.policy.read_text(encoding="utf-8"))
    codes = {code for _, code, _ in verify(case, case.journal)}
    if codes != {"pruned-unsaid"}:
        raise AssertionError(f"before the broker has said so: {codes}")
    case.world.bus.start()
    case.world.city.connect()
    case.world.submit(*[case.world.message(b"later %d" % number) for number in range(10)])
    case.world.bus.end()


def what_is_left_holds(case):
    """Without the archive a checkpoint of what was pruned cannot be compared, and that is said."""
    newest = case.world.city.newest.note
    for keys in (True, False):
        for archive in (None, case.archive):
            found = verify(case, case.journal, keys, [newest], archive=archive)
            if found:
                raise AssertionError(f"keys {keys}, archive {archive}: {found[:5]}")
    journal = case.store.Journal(case.journal)
    gone = [at for at in range(BEFORE) if journal.get("stub", at.to_bytes(8, "big")) is None]
    rows = [at for at in range(32, BEFORE + 1, 32) if journal.get("tile", at.to_bytes(8, "big") + b"\0") is None]
    journal.close()
    if len(gone) < BEFORE - 2 or len(rows) < 2:
        raise AssertionError(f"{len(gone)} stubs and {len(rows)} rows of hashes are gone, which is too few")


def what_was_planted_is_found(case):
    """Everything that pruning left, and that an auditor rests on."""
    journal = case.store.Journal(case.journal)
    tables = {name: list(journal.rows(name)) for name in ("meta", "stub", "record", "content", "tile", "checkpoint",
                                                          "registry", "end")}
    journal.close()
    copy, number = Copy(case), case.store.number
    for table, rows in tables.items():
        below = [row for row in rows if table in ("checkpoint", "registry") or number(row[0][:8]) < BEFORE]
        if table == "meta":
            below = [row for row in rows if row[0] == b"pruned" or row[0].startswith(b"edge")]
        for key, value in below if table != "end" else below[:3]:
            early = table == "checkpoint" and number(key) < BEFORE
            for at in (0, len(value) // 2, len(value) - 1):
                changed = value[:at] + bytes([value[at] ^ 1]) + value[at + 1:]
                if not (table == "meta" and key == b"pruned" and at > 15 or table == "end"):
                    copy.must_find(f"byte {at}", table, key, changed, value)
            if not early and table != "end":
                copy.must_find("taken out", table, key, None, value)
    for at in (number(key) for key, _ in tables["stub"] if number(key) < BEFORE):
        taken = [(name, *row) for name in ("stub", "record", "content") for row in tables[name]
                 if number(row[0][:8]) == at]
        copy.must_miss(f"entry {at}, altogether", taken)
    copy.must_find("another number", "meta", b"pruned", (BEFORE - 32).to_bytes(8, "big") + bytes(8), dict(
        tables["meta"])[b"pruned"])
    if verify(case, copy.folder):
        raise AssertionError("the copy is not what it was")


def an_archive_of_another_log_is_found(case):
    """A stub in it that is not the one that was pruned, and one that is not there."""
    bundle = case.archive / "tile" / "entries" / "000.p"
    path = next(bundle.iterdir()) if bundle.is_dir() else case.archive / "tile" / "entries" / "000"
    true = path.read_bytes()
    at = 37 * 40 + 10
    for changed in (true[:at] + bytes([true[at] ^ 1]) + true[at + 1:], true[:37 * 50]):
        path.write_bytes(changed)
        if not verify(case, case.journal, archive=case.archive):
            raise AssertionError("an archive that was changed holds")
    path.write_bytes(true)


STORIES = [
    a_case_of_many_messages_ends,
    it_is_erased,
    what_was_erased_leaves,
    what_is_left_holds,
    what_was_planted_is_found,
    an_archive_of_another_log_is_found,
]

if __name__ == "__main__":
    sys.exit(auditor.run(STORIES, "pruned", [a_bus_begins]))
