# SPDX-License-Identifier: EUPL-1.2
"""One side in Python, the other the program that people use, in both directions."""
import json

from bus import Agency
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


STORIES = [
    c_sends_and_python_receives,
    python_sends_and_c_receives,
]
