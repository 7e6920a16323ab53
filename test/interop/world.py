# SPDX-License-Identifier: EUPL-1.2
"""What the stories share: the bus, its parties, and the steps that every message takes."""
import base64
import pathlib
import re
import subprocess
import sys
import time

import evidence
from bus import Bus
from dienstweg import Client
from envelope import Fault, read_secrets
from proto import frame_pb2

CITY, YOUTH, JOBCENTER, MINISTRY = (b"city.interop", b"youth.interop", b"jobcenter.interop",
                                    b"ministry.interop")
APPLICATION = {"service": b"alg2.application", "kind": 1, "channel": 1, "priority": 1,
               "content_type": b"text/plain"}
ROOT = pathlib.Path(__file__).resolve().parents[2]


def same(what, got, want):
    if got != want:
        raise AssertionError(f"{what}: {repr(got)[:500]} is not {repr(want)[:500]}")


def holds(what, condition):
    if not condition:
        raise AssertionError(what)


def fault_of(call, *args):
    """Code of the Fault that a call must raise."""
    try:
        call(*args)
    except Fault as fault:
        return fault.code
    raise AssertionError(f"{call} raised nothing")


class World:
    """Filled by the stories as they go: registry, then parties, then messages."""

    def __init__(self, folder, args):
        self.folder, self.party = folder, args.party
        self.bus = Bus(folder / "bus", args.dienstweg, args.broker)
        self.clients, self.roots, self.registry = [], None, None
        self.city = self.jobcenter = self.ministry = None
        self.first = None  # (message, its receipt)

    def close(self):
        for client in self.clients:
            client.disconnect()
            client.context.destroy(linger=0)
        self.bus.close()

    def client(self, *names):
        """A party, with those that it operates."""
        secrets = {name: read_secrets(self.bus.keys / f"{name.decode()}.secret")[1] for name in names}
        client = Client(self.bus.endpoint, self.registry, secrets)
        self.clients.append(client)
        return client

    def read_registry(self, roots=None):
        return evidence.Registry(self.bus.registry.read_bytes(), roots or self.roots)

    def wait_registry(self, client, version):
        """A new registry is in force a moment after the broker has logged it."""
        until = time.monotonic() + 30
        while client.registry.version < version and time.monotonic() < until:
            client.update_registry()
        same("version", client.registry.version, version)

    def message(self, body, client=None, **fields):
        if "region" not in fields:
            fields.setdefault("recipient", JOBCENTER)
        return (client or self.city).compose(body, **{**APPLICATION, **fields})

    def submit(self, *messages, client=None):
        """Submit and wait for the receipts."""
        client = client or self.city
        hashes = client.submit(list(messages))
        holds("receipts", client.wait(lambda: all(h in client.receipts for h in hashes)))
        return [client.receipts[h] for h in hashes]

    def receive(self, client, messages):
        """Deliveries of these messages, in the order of the messages."""
        def found():
            arrived = {delivery.h: delivery for delivery in client.inbox.values()}
            return [arrived[message.h] for message in messages if message.h in arrived]
        holds("deliveries", client.wait(lambda: len(found()) == len(messages)))
        return found()

    def settle(self, client, deliveries, code=b"", text=b""):
        """Acknowledge, and see it recorded and proven."""
        before = len(client.ack_receipts)
        client.acknowledge(deliveries, code, text)
        sent = len(client.acks)
        holds("acknowledged", client.wait(lambda: not client.acks))
        same("proofs", len(client.ack_receipts) - before, sent)
        states = {client.ack_states[delivery.party, delivery.sequence] for delivery in deliveries}
        same("states", states, {b"recorded"})

    def ended(self, client, messages, recipient=JOBCENTER):
        """Items with the outcomes of these messages; their signatures were checked when they came."""
        holds("outcomes", client.wait(
            lambda: all((message.h, recipient) in client.outcomes for message in messages)))
        return [client.outcomes[message.h, recipient] for message in messages]

    def fence(self, client):
        """What was sent before has been read by the broker when this returns."""
        client.session.send(ping=frame_pb2.Ping(number=len(self.clients)))
        same("pong", client.expect("pong").number, len(self.clients))

    def check_with_handbook(self, proof, header):
        """Run the verifier that is printed in docs/journal.md on a tlog-proof file."""
        page = (ROOT / "docs" / "journal.md").read_text(encoding="utf-8")
        script = self.folder / "verifier.py"
        script.write_text(re.search(r"^```python\n(.*?)^```", page, re.M | re.S).group(1))
        name, key = self.registry.log_keys()[0]
        vkey = f"{name}+{evidence.key_hash(name, key).hex()}+" + base64.b64encode(b"\1" + key).decode()
        words = [sys.executable, script, vkey, self.folder / "proof", self.folder / "header"]
        words[3].write_bytes(proof)
        words[4].write_bytes(header)
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        holds(done.stderr, done.returncode == 0 and "of kind 1 recorded" in done.stdout)
        words[4].write_bytes(header + b"\0")
        done = subprocess.run(words, capture_output=True, check=False)
        holds("another header passes", done.returncode)
