#!/usr/bin/python3
# SPDX-License-Identifier: EUPL-1.2
"""What our tools prove, checked by tools that others wrote, on a bus that is really running; and what
somebody tampered with, refused by theirs as by ours.

usage: elsewhere.py --dienstweg PROGRAM --broker PROGRAM --admin PROGRAM --party PROGRAM --cache DIR
                    [--keep]

Each story prints "ok - STORY". Exit 77 when what it needs is missing on this machine.
"""
import argparse
import base64
import json
import pathlib
import shutil
import sys
import tempfile
import time

import run as first_steps
import third_party
from bus import ROOTS

SKIPPED = 77
MESSAGES = 300  # with their acknowledgements more than one complete tile


class Case:
    """The bus, the verifiers, and what the stories have made so far."""

    def __init__(self, world, args, have):
        self.world, self.admin, self.have = world, args.admin, have
        self.folder, self.export = world.folder, world.folder / "export"
        self.pinned, self.proofs, self.messages = world.folder / "pinned", [], []

    def audit(self, verb, *words, code=0, journal=True):
        """Run `dienstweg audit`; what it printed."""
        where = ["--config", self.world.bus.folder / "broker.yaml"] if journal else []
        done = third_party.run(self.admin, "audit", verb, *words, *where)
        if done.returncode != code:
            raise AssertionError(f"audit {verb} {words}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def erase(self, *words):
        done = third_party.run(self.admin, "erase", *words, "--config",
                               self.world.bus.folder / "broker.yaml")
        if done.returncode:
            raise AssertionError(f"erase {words}: {done.stdout}{done.stderr}")

    def check(self, subject, *words, code=0):
        """What `audit check` says, as JSON."""
        return json.loads(self.audit("check", subject, "--policy", self.pinned, "--json", *words,
                                     code=code, journal=False))

    def elsewhere(self, what, *paths):
        """It holds there, too."""
        for name, code, text in third_party.check(self.have, self.pinned, what, *paths):
            if code:
                raise AssertionError(f"{name}, {what} {paths}: {text}")

    def refused_elsewhere(self, what, path):
        """It does not hold there, either."""
        for name, code, text in third_party.check(self.have, self.pinned, what, path):
            if code == 0:
                raise AssertionError(f"{name} takes a damaged {what} {path}: {text}")


def a_log_is_exported_and_holds_elsewhere(case):
    """Beside the running broker; nothing of it but the folder and the pinned key is used."""
    world = case.world
    case.messages = [world.message(b"Antrag %d" % number) for number in range(MESSAGES)]
    for at in range(0, MESSAGES, 50):
        world.submit(*case.messages[at:at + 50])
    some = case.messages[:90]
    world.settle(world.jobcenter, world.receive(world.jobcenter, some))
    world.ended(world.city, some)
    case.audit("export", case.export)
    case.elsewhere("export", case.export)
    said = case.check(case.export)
    if said["verdict"] != "clean" or said["kinds"]["accepted"] != MESSAGES:
        raise AssertionError(said)


def a_message_and_its_acknowledgement_are_proven(case):
    """Out of the journal, by number, id, h; by the holder's bytes; and as a script of the handbook."""
    message, ack = case.messages[7], case.folder / "ack.tlog-proof"
    for name, which in (("by-h", message.h.hex()), ("by-id", uuid_of(message))):
        proof, header = case.folder / f"{name}.tlog-proof", case.folder / f"{name}.header"
        case.audit("prove", which, "--out", proof, "--header", header)
        if header.read_bytes() != message.header:
            raise AssertionError("another header")
        said = case.check(proof, "--header", header, "--registry", case.world.bus.registry)
        if said["kind"] != "accepted" or said["digest"] != message.h.hex() or \
                not said["signature_judged"] or said["final"]:
            raise AssertionError(said)
        case.world.check_with_handbook(proof.read_bytes(), header.read_bytes())
        case.proofs.append(proof)
    case.audit("prove", message.h.hex(), "--end", "jobcenter.interop", "--out", ack, "--batch",
               case.folder / "batch")
    said = case.check(ack, "--batch", case.folder / "batch", "--registry", case.world.bus.registry)
    if said["kind"] != "acknowledged" or not said["signature_judged"] or \
            message.h.hex() not in [row["h"] for row in said["acknowledgements"]]:
        raise AssertionError(said)
    case.proofs.append(ack)
    case.elsewhere("proof", *case.proofs)


def a_receipt_from_the_bus_is_the_same_file(case):
    """As a client in another language keeps it, and as the SDK does."""
    from bus import Agency
    world, kept = case.world, case.folder / "kept.tlog-proof"
    kept.write_bytes(world.city.receipts[case.messages[3].h].file())
    header = case.folder / "kept.header"
    header.write_bytes(case.messages[3].header)
    world.city.disconnect(bye=True)
    agency = Agency(world.bus, world.party, "city.interop")
    document = case.folder / "document"
    document.write_bytes(b"a document")
    events = agency.finish(agency.start("send", "--service", "alg2.application", "--region",
                                        "051240000000", "--file", document, "--content-type",
                                        "text/plain", "--wait", "recorded"))
    sent = next(event["message_id"] for event in events if "message_id" in event)
    proof, raw = case.folder / "sdk.tlog-proof", case.folder / "sdk.header"
    agency.finish(agency.start("evidence", "--message", sent, "--out", proof, "--header", raw))
    world.city.connect()
    for file, bytes_ in ((kept, header), (proof, raw)):
        said = case.check(file, "--header", bytes_, "--registry", world.bus.registry)
        if said["verdict"] != "holds" or not said["signature_judged"]:
            raise AssertionError(said)
        case.check(file, "--header", raw if bytes_ is header else header, code=1)
        case.proofs.append(file)
    case.elsewhere("proof", kept, proof)


def a_recipient_proves_its_acknowledgement(case):
    """What the SDK keeps of its own acknowledgements is such a file, too."""
    from bus import Agency
    world = case.world
    world.jobcenter.disconnect(bye=True)
    agency = Agency(world.bus, world.party, "jobcenter.interop", "taking-")
    events = agency.finish(agency.start("receive", "--out", agency.folder, "--count", "3"))
    number = str(next(event["sequence"] for event in events if "sequence" in event))
    proof, batch = case.folder / "acked.tlog-proof", case.folder / "acked.batch"
    agency.finish(agency.start("evidence", "--acknowledged", number, "--out", proof, "--batch", batch))
    world.jobcenter.connect()
    said = case.check(proof, "--batch", batch, "--registry", world.bus.registry)
    if said["kind"] != "acknowledged" or not said["signature_judged"] or \
            int(number) not in [row["sequence"] for row in said["acknowledgements"]]:
        raise AssertionError(said)
    case.proofs.append(proof)
    case.elsewhere("proof", proof)


def the_log_grows_and_proves_it(case):
    """The export goes on where it was, and the old checkpoint is in the new tree."""
    held, grown = case.folder / "held.checkpoint", case.folder / "grown"
    shutil.copy(case.export / "checkpoint", held)
    size = held.read_text(encoding="utf-8").split("\n")[1]
    case.world.submit(*[case.world.message(b"Nachtrag %d" % number) for number in range(40)])
    case.audit("export", case.export)
    case.elsewhere("export", case.export)
    said = case.check(case.export, "--checkpoint", held)
    if said["verdict"] != "clean" or said["extends"] != 1:
        raise AssertionError(said)
    case.audit("prove", "--from", size, "--out", grown)
    said = case.check(grown, "--checkpoint", held)
    if said["verdict"] != "holds" or not said["old"]["signed"]:
        raise AssertionError(said)
    case.elsewhere("consistency", grown)


WITNESSES = ["city.interop", "jobcenter.interop", "ministry.interop"]


def appoint(case):
    """A registry that lists three parties as witnesses, and a policy that wants two of them."""
    bus, new = case.world.bus, case.folder / "registry.next"
    for name in WITNESSES:
        bus.run("keygen", "witness", name, "--out", bus.keys)
    rows = "".join(f"  - {{name: {name}, keys: [{{file: {name}.witness}}]}}\n"
                   for name in WITNESSES)
    bus.build_registry(new, previous=bus.registry, changes={
        "classes:\n": f"witnesses:\n{rows}witness_quorum: 2\nclasses:\n"})
    for root in ROOTS[:2]:
        bus.sign_registry(new, root)
    bus.reload(new)
    words = [word for name in WITNESSES for word in ("--witness", bus.keys / f"{name}.witness.keys")]
    bus.run("registry", "policy", *[bus.keys / f"{name}.keys" for name in ROOTS], *words,
            "--quorum", "2", "--out", case.folder / "witnessed")
    pinned = case.pinned.read_text(encoding="utf-8").split("\n")[0]
    case.pinned.write_text(pinned + "\n" + (case.folder / "witnessed").read_text(encoding="utf-8"))


def begin_witnessing(case):
    """The witnesses are parties that the C program plays; they only have to be connected."""
    from bus import Agency
    world = case.world
    for name in WITNESSES:
        agency = Agency(world.bus, world.party, name, "witness-")
        with agency.config.open("a", encoding="utf-8") as config:
            config.write(f"witness: {world.bus.keys}/{name}.witness.secret\n")
        agency.start("receive", "--out", agency.folder)


def witnesses_make_it_final(case):
    """Their cosignatures are read elsewhere, too: in a proof, and by the policy that an export names."""
    world, proof, after = case.world, case.folder / "final", case.folder / "after"
    world.city.disconnect(bye=True)
    world.jobcenter.disconnect(bye=True)
    appoint(case)
    begin_witnessing(case)
    youth = world.client(b"youth.interop")
    youth.connect()
    message, = first = [world.message(b"Antrag", client=youth)]
    world.submit(*first, client=youth)
    until = time.monotonic() + 60
    said = {"final": False}
    while not said["final"]:
        if time.monotonic() > until:
            raise AssertionError(f"no quorum within a minute: {said}")
        case.audit("prove", message.h.hex(), "--out", proof, "--policy", case.pinned)
        said = case.check(proof)
    if said["cosigned"] < 2 or not said["not_later_than"]:
        raise AssertionError(said)
    case.elsewhere("proof", proof)
    if not all("final true" in text for name, _, text in
               third_party.check(case.have, case.pinned, "proof", proof) if name == "Go"):
        raise AssertionError("Go counts no quorum")
    # The receipt that the sender was given is under a checkpoint of its own; what it grew into is cosigned.
    receipt, grown = youth.receipts[message.h], case.folder / "receipt.grown"
    kept = case.folder / "receipt"
    kept.write_bytes(receipt.file())
    case.audit("prove", "--from", str(receipt.checkpoint.size), "--to", "final", "--out", grown,
               "--policy", case.pinned)
    if case.check(kept)["final"] or not case.check(kept, "--grown", grown)["final"]:
        raise AssertionError("a receipt is made final by what its tree grew into, and by nothing else")
    case.elsewhere("consistency", grown)
    # What comes now is younger than what the next entry *witnessed* notes.
    later = world.message(b"Nachtrag", client=youth)
    world.submit(later, client=youth)
    case.audit("prove", later.h.hex(), "--out", proof, "--after", after, "--policy", case.pinned)
    said = case.check(proof, "--after", after)
    if said["verdict"] != "holds" or not said["not_earlier_than"]:
        raise AssertionError(said)
    case.elsewhere("proof", proof, after)
    case.audit("export", case.export, "--policy", case.pinned)
    case.elsewhere("export", case.export)
    for name, code, text in third_party.check(case.have, case.export / "policy", "export", case.export):
        if code:
            raise AssertionError(f"{name} with the export's own policy: {text}")


def an_erasure_leaves_every_proof(case):
    """A case's records are destroyed; log, receipts and proofs of before hold as they did, here and there."""
    from proto import envelope_pb2
    message, kept, header = case.messages[7], case.folder / "by-h.tlog-proof", case.folder / "by-h.header"
    sequence = str(case.check(kept)["sequence"])
    order, proof = case.folder / "instruction", case.folder / "erased.tlog-proof"
    order.write_text("the controller's instruction")
    case.erase("--case", envelope_pb2.Header.FromString(message.header).case_id.hex(),
               "--instruction", order)
    case.erase("--now", "--reason", "test")
    until, whole = time.monotonic() + 60, True
    while whole:
        if time.monotonic() > until:
            raise AssertionError("not erased within a minute")
        whole = json.loads(case.audit("prove", sequence, "--out", proof, "--json"))["whole"]
    said = case.check(proof)
    if said["whole"] or said["kind"] != "accepted":
        raise AssertionError(said)
    case.check(proof, "--header", header, code=1)
    said = case.check(kept, "--header", header)
    if said["verdict"] != "holds":
        raise AssertionError(said)
    case.audit("export", case.export)
    said = case.check(case.export, "--checkpoint", case.folder / "held.checkpoint")
    if said["verdict"] != "clean" or said["extends"] != 1 or not said["kinds"].get("erased"):
        raise AssertionError(said)
    case.elsewhere("export", case.export)
    case.elsewhere("proof", proof, *case.proofs)


def flips(data):
    """Places to damage in a file: some of every stretch of it."""
    return sorted({at * (len(data) - 1) // 40 for at in range(41)})


def what_was_tampered_with_is_refused(case):
    """By ours with a reason; by theirs as well, wherever they look at the byte."""
    for what, path in [("proof", case.proofs[0]), ("consistency", case.folder / "grown")]:
        data, file = path.read_bytes(), case.folder / "flipped"
        for at in flips(data):
            file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
            said = case.check(file, code=1)
            if not said["field"] or not said["reason"]:
                raise AssertionError(said)
            # Node's base64 reads on over what is none, so only Go is held to every byte.
            for verifier in case.have:
                if isinstance(verifier, third_party.Go) and \
                        verifier.check(case.pinned, what, file).returncode == 0:
                    raise AssertionError(f"Go takes {what} with byte {at} changed")
    for path in sorted(p for p in case.export.rglob("*") if p.is_file() and p.name != "policy"):
        data = path.read_bytes()
        at = len(data) // 2
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
        said = case.check(case.export, code=1)
        if said["findings_total"] < 1 or not said["findings"][0]["reason"]:
            raise AssertionError(f"{path}: {said}")
        case.refused_elsewhere("export", case.export)
        path.write_bytes(data)
    case.elsewhere("export", case.export)


def uuid_of(message):
    from proto import envelope_pb2
    text = envelope_pb2.Header.FromString(message.header).message_id.hex()
    return "-".join([text[:8], text[8:12], text[12:16], text[16:20], text[20:]])


STORIES = [
    a_log_is_exported_and_holds_elsewhere,
    a_message_and_its_acknowledgement_are_proven,
    a_receipt_from_the_bus_is_the_same_file,
    a_recipient_proves_its_acknowledgement,
    the_log_grows_and_proves_it,
    witnesses_make_it_final,
    an_erasure_leaves_every_proof,
    what_was_tampered_with_is_refused,
]


def pin(case):
    """The roots' policy, and the key of the log beside them."""
    import evidence
    name, key = case.world.registry.log_keys()[0]
    vkey = f"{name}+{evidence.key_hash(name, key).hex()}+" + base64.b64encode(b"\1" + key).decode()
    case.pinned.write_text(f"log {vkey}\n" + case.world.bus.policy.read_text(encoding="utf-8"))


def main():
    parser = argparse.ArgumentParser(description="our proofs under programs of others")
    for name in ("dienstweg", "broker", "admin", "party", "cache"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--keep", action="store_true", help="keep the folder of the bus")
    args = parser.parse_args()
    lacking = list(first_steps.missing())
    have, absent = ([], []) if lacking else third_party.verifiers(pathlib.Path(args.cache))
    for why in absent:
        print(f"# without {why}")
    if lacking or not have:
        print(f"skipped: {'; '.join(absent) or 'missing Debian packages: ' + ', '.join(lacking)}")
        return SKIPPED
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dienstweg-elsewhere-"))
    first_steps.make_protocol(folder / "protocol")
    from story_trust import STORIES as begin  # needs what protoc made
    from world import World
    world, done = World(folder, args), False
    try:
        for story in begin:
            story(world)
        case = Case(world, args, have)
        pin(case)
        for story in STORIES:
            story(case)
            print(f"ok - {story.__name__.replace('_', ' ')}", flush=True)
        done = True
    finally:
        world.close()
        if done and not args.keep:
            shutil.rmtree(folder)
        else:
            print(f"# the bus is in {folder}")
    if absent:
        print(f"skipped: {'; '.join(absent)}")
        return SKIPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())
