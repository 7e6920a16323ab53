# SPDX-License-Identifier: EUPL-1.2
"""One side in Python, the other the program that people use, in both directions."""
import json
import os

from attachment import PIECE, fetch, named, open_file, seal_files, upload
from bus import Agency
from envelope import Fault, blake2b
from world import CITY, JOBCENTER, YOUTH, holds, same


def c_sends_and_python_receives(world):
    """Sealed, signed and proven there; opened, checked and accepted here; told as accepted there."""
    world.city.disconnect(bye=True)
    agency = Agency(world.bus, world.party, CITY.decode())
    document = world.folder / "antrag.xml"
    document.write_bytes(b"<antrag>" + bytes(range(256)) * 500 + b"</antrag>")
    sending = agency.start("send", "--service", "alg2.application", "--region", "051240000000",
                           "--file", document, "--content-type", "application/xml", "--wait", "ended")
    jobcenter = world.jobcenter
    holds("a delivery", jobcenter.wait(lambda: jobcenter.inbox))
    delivery, = jobcenter.inbox.values()
    same("fault", delivery.fault, None)
    same("delivery", (delivery.body, delivery.header.sender, delivery.header.content_type),
         (document.read_bytes(), CITY, b"application/xml"))
    world.settle(jobcenter, [delivery])
    events = agency.finish(sending)
    holds(f"accepted: {events}", any(event.get("state") == "accepted" for event in events))

    identity = delivery.header.message_id.hex()
    uuid = "-".join([identity[:8], identity[8:12], identity[12:16], identity[16:20], identity[20:]])
    proof, header = world.folder / "proof.c", world.folder / "header.c"
    agency.finish(agency.start("evidence", "--message", uuid, "--out", proof, "--header", header))
    same("header", header.read_bytes(), delivery.raw)
    world.check_with_handbook(proof.read_bytes(), header.read_bytes())
    world.city.connect()


def python_sends_and_c_receives(world):
    """Opened and acknowledged there; its word, accepted or rejected, verified here."""
    world.jobcenter.disconnect(bye=True)
    agency = Agency(world.bus, world.party, JOBCENTER.decode())
    bodies = [b"Antrag %d " % number + bytes(1 << number) for number in range(17)]
    messages = [world.message(body) for body in bodies]
    world.submit(*messages)
    out = agency.folder / "out"
    out.mkdir()
    agency.finish(agency.start("receive", "--out", out, "--count", str(len(messages))))
    same("documents", sorted(path.read_bytes() for path in out.glob("*.body")), sorted(bodies))
    told = {json.loads(path.read_text())["h"] for path in out.glob("*.json")}
    same("identities", told, {message.h.hex() for message in messages})
    same("states", {item.outcome.state for item in world.ended(world.city, messages)}, {b"accepted"})

    message = world.message(b"in a form that is not read there")
    world.submit(message)
    agency.finish(agency.start("receive", "--count", "1", "--reject", "schema", "unknown form"))
    outcome = world.ended(world.city, [message])[0].outcome
    same("outcome", (outcome.state, outcome.code, outcome.text),
         (b"rejected", b"schema", b"unknown form"))
    world.city.link()


def attachments_from_c_to_python(world):
    """Uploaded there, fetched and opened here, named in a message that both prove."""
    world.city.disconnect(bye=True)
    agency = Agency(world.bus, world.party, CITY.decode(), "files-")
    letter, plan, empty = (world.folder / name for name in ("letter", "plan.pdf", "empty"))
    letter.write_bytes(b"see the plan")
    plan.write_bytes(os.urandom(700_001))
    empty.write_bytes(b"")
    sending = agency.start("send", "--service", "alg2.application", "--region", "051240000000",
                           "--file", letter, "--attach", plan, "--attach", empty, "--wait", "ended")
    jobcenter = world.jobcenter
    holds("a delivery", jobcenter.wait(lambda: jobcenter.inbox))
    delivery, = jobcenter.inbox.values()
    same("fault", delivery.fault, None)
    same("names", [key.name for key in delivery.keys], [b"plan.pdf", b"empty"])
    for index, (key, file) in enumerate(zip(delivery.keys, (plan, empty))):
        listed = delivery.header.attachments[index]
        data = fetch(jobcenter, JOBCENTER, delivery.sequence, index, listed.size)
        same("digest", blake2b(data), listed.digest)
        same("file", open_file(key, data), file.read_bytes())
    try:
        fetch(jobcenter, JOBCENTER, delivery.sequence, 2, 1)
        holds("a third one", False)
    except Fault as fault:
        same("a third one", fault.detail, "unknown")
    world.settle(jobcenter, [delivery])
    agency.finish(sending)
    world.city.connect()


def attachments_from_python_to_c(world):
    """Sealed and uploaded here, put off until they are all there; files in a folder there."""
    world.jobcenter.disconnect(bye=True)
    agency = Agency(world.bus, world.party, JOBCENTER.decode(), "files-")
    files = [("plan.pdf", "application/pdf", os.urandom(400_000)), ("note.txt", "text/plain", b"x")]
    keys, ciphertexts = seal_files(files)
    message = world.message(b"see the plan", keys=keys, attachments=named(ciphertexts))
    city = world.city
    city.submit([message])
    holds("put off", city.wait(lambda: message.h in city.deferrals))
    same("reason", city.deferrals.pop(message.h).reason, b"attachments")
    for data in ciphertexts:
        same("pieces", upload(city, CITY, data), -(-len(data) // PIECE))
        same("again", upload(city, CITY, data), 0)
    world.submit(message)
    out = agency.folder / "files"
    out.mkdir()
    agency.finish(agency.start("receive", "--out", out, "--count", "1"))
    for number, (name, _, data) in enumerate(files, 1):
        arrived, = out.glob(f"*.{number}-{name}")
        same(name, arrived.read_bytes(), data)
    same("states", {item.outcome.state for item in world.ended(city, [message])}, {b"accepted"})
    city.link()
    world.jobcenter.connect()


STORIES = [
    attachments_from_c_to_python,
    attachments_from_python_to_c,
    c_sends_and_python_receives,
    python_sends_and_c_receives,
]
