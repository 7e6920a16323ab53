# SPDX-License-Identifier: EUPL-1.2
"""Before any message: the documents, keys, registry, and who is let in."""
import base64
import json
import os
import subprocess

import zmq
from zmq.utils.monitor import recv_monitor_message

import evidence
import examples
from bus import ROOTS
from envelope import Fault, Secret, now_ms, read_keys, read_secrets
from proto import frame_pb2, registry_pb2
from world import CITY, JOBCENTER, MINISTRY, ROOT, YOUTH, fault_of, holds, same


def the_numbers_in_the_documents(world):
    for name in examples.check(ROOT / "docs", world.folder):
        print(f"ok - example: {name}")


def key_files_go_both_ways(world):
    """What `dienstweg keygen` writes is read here, and what is written here is compiled there."""
    world.bus.make_keys()
    for path in world.bus.keys.glob("*.secret"):
        owner, secrets = read_secrets(path)
        same("owner", owner.decode(), path.stem)
        named, public = read_keys(path.with_suffix(".keys").read_text())
        same("owner", named, owner)
        same("keys", {(key.use, key.id, key.public) for key in public},
             {(secret.use, secret.id, secret.public) for secret in secrets.values()})
    write_key_files(world.bus.keys, MINISTRY)


def write_key_files(folder, owner):
    """A party's key files, made here in place of those that are there."""
    secrets = {use: Secret(use, os.urandom(32)) for use in ("sign", "seal", "transport")}

    def line(*parts):
        return " ".join(part if isinstance(part, str) else base64.b64encode(part).decode()
                        for part in parts)

    path = folder / f"{owner.decode()}.secret"
    path.write_text("\n".join([
        f"dienstweg-secret 0 {owner.decode()}",
        *(line(use, bytes(secret.signing)) for use, secret in secrets.items())]) + "\n")
    path.with_suffix(".keys").write_text("\n".join([
        f"dienstweg-keys 0 {owner.decode()}",
        *(line(use, secret.id.hex(), secret.public, secret.possession_key, secret.possession(owner))
          for use, secret in secrets.items())]) + "\n")


def a_registry_needs_two_roots(world):
    """Nobody's word counts before two pinned roots have signed every byte."""
    bus = world.bus
    bus.build_registry(bus.registry)
    world.roots = evidence.read_policy(bus.policy.read_text())
    same("unsigned", fault_of(world.read_registry), "note")
    bus.sign_registry(bus.registry, ROOTS[0])
    same("one root", fault_of(world.read_registry), "registry")
    bus.sign_registry(bus.registry, ROOTS[2])
    world.registry = world.read_registry()
    same("bus", (world.registry.bus, world.registry.version), (b"interop.demo", 1))

    strangers = [(name, Secret("root", bytes([number]) * 32).public)
                 for number, (name, _) in enumerate(world.roots)]
    same("other roots", fault_of(world.read_registry, strangers), "registry")
    signed = registry_pb2.SignedRegistry.FromString(bus.registry.read_bytes())
    signed.content = signed.content.replace(b"Jobcenter", b"jobcenter")
    same("content", fault_of(evidence.Registry, signed.SerializeToString(), world.roots), "registry")
    signed.note = signed.note.replace(b"\n1\n", b"\n2\n")
    same("note", fault_of(evidence.Registry, signed.SerializeToString(), world.roots), "signature")


def routing_is_the_same_here_and_there(world):
    questions = [(sender, service, recipient, region)
                 for sender in (CITY, YOUTH, JOBCENTER)
                 for service in (b"alg2.application", b"alg2.status", b"figures", b"event.death", b"no")
                 for recipient, region in ((JOBCENTER, b""), (MINISTRY, b""), (CITY, b""),
                                           (b"", b"051240000000"), (b"", b"05315"), (b"", b"09162"),
                                           (b"", b""))]
    for sender, service, recipient, region in questions:
        words = [b"--from", sender, b"--service", service]
        words += [b"--to", recipient] if recipient else [b"--region", region] if region else []
        show = [world.bus.dienstweg, "registry", "show", world.bus.registry, "--json", *words]
        done = subprocess.run(show, capture_output=True, text=True, check=False)
        try:
            mine = world.registry.resolve(sender, service, now_ms(), recipient, region)
        except Fault:
            mine = []
        theirs = json.loads(done.stdout)["recipients"]
        same(b" ".join(words), [name.decode() for name in mine], sorted(theirs))


def a_stranger_stays_outside(world):
    """A transport key that the registry does not know gets no further than the handshake."""
    world.bus.write_config()
    world.bus.start()
    client = world.client(CITY)
    client.secrets = {CITY: {"transport": Secret("transport", bytes(32))}}
    client.open_socket()
    client.session.socket.monitor("inproc://stranger", zmq.EVENT_ALL)
    failed = (zmq.EVENT_HANDSHAKE_FAILED_AUTH, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
              zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)
    with client.context.socket(zmq.PAIR) as monitor:
        monitor.connect("inproc://stranger")
        event = None
        while event not in failed:
            holds("an event of the connection", monitor.poll(30_000))
            event = recv_monitor_message(monitor)["event"]
            holds("a stranger came in", event != zmq.EVENT_HANDSHAKE_SUCCEEDED)
        client.session.socket.disable_monitor()
    client.disconnect()


def a_session_begins_with_hello(world):
    client = world.client(CITY, YOUTH)
    client.open_socket()
    client.session.nonce = os.urandom(16)
    client.session.send(ping=frame_pb2.Ping(number=1))
    same("before Hello", fault_of(client.expect, "pong"), "hello-required")
    client.hello(versions=[7])
    same("version", fault_of(client.expect, "welcome"), "version")
    client.hello(parties=[JOBCENTER])
    same("party", fault_of(client.expect, "welcome"), "not-operated")
    same("welcome", client.connect().registry_version, 1)
    unknown = frame_pb2.Frame(session=client.session.nonce).SerializeToString() + b"\xa2\x06\0"
    client.session.socket.send(unknown)
    same("body 100", fault_of(client.expect, "pong"), "unknown-frame")
    client.session.socket.send(b"no frame")
    same("no frame", fault_of(client.expect, "pong"), "malformed")
    client.session.send(ping=frame_pb2.Ping(number=77))
    same("ping", client.expect("pong").number, 77)
    world.city, world.jobcenter = client, world.client(JOBCENTER)
    world.jobcenter.connect()


STORIES = [
    the_numbers_in_the_documents,
    key_files_go_both_ways,
    a_registry_needs_two_roots,
    routing_is_the_same_here_and_there,
    a_stranger_stays_outside,
    a_session_begins_with_hello,
]
