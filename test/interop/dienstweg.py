# SPDX-License-Identifier: EUPL-1.2
"""A client of Dienstweg in Python: session, submit, receive, acknowledge, check what the broker proves.

Written from docs/protocol.md, docs/journal.md and proto/*.proto alone, to show that these are enough.
It keeps nothing on disk: a real adapter writes its outbox before it submits, its inbox before it
acknowledges, and its newest checkpoint before it goes on.

    client = Client("tcp://127.0.0.1:4711", registry, {b"city": read_secrets("city.secret")[1]})
    client.connect()
    client.submit([client.compose(b"...", service=b"alg2.application", recipient=b"jobcenter", kind=1,
                                  content_type=b"application/xml")])
    client.wait(lambda: not client.outbox)

Needs PyNaCl, pyzmq, protobuf, and on the module path what protoc makes of the protocol:

    protoc --python_out=DIR proto/envelope.proto proto/frame.proto proto/registry.proto
"""
import os
import time
from dataclasses import dataclass

import zmq

from envelope import (ACKNOWLEDGEMENT, BATCH_MAX, CANCELLATION, MESSAGE, Fault, Message, ack_digest,
                      cancel_digest, compose, envelopes, h_of, now_ms, open_message, read_strict, sign_batch, verify_batch)
from evidence import (Checkpoint, Registry, ack_batch_digest, cancel_batch_digest, check_ack_receipt,
                      check_consistency, check_receipt, open_checkpoint)
from proto import envelope_pb2, frame_pb2 as pb

ACK_BATCH_BYTES = 3000
FRAME_ROOM = 1000  # for what stands around the envelopes of a Submit
HELLO_S, PING_S, SILENCE_S = 2, 4, 15


@dataclass
class Delivery:
    """An envelope that arrived: opened and checked, or with the fault to reject it for."""
    sequence: int
    party: bytes
    attempt: int
    raw: bytes  # the header's bytes
    header: envelope_pb2.Header
    body: bytes
    fault: Fault
    keys: list  # AttachmentKeys, in the order of header.attachments

    @property
    def h(self):
        return h_of(self.raw)


class Session:
    """One connection to the broker, and the nonce that marks the frames of the session on it."""

    def __init__(self, context, endpoint, bus_key, transport):
        self.nonce = b""
        self.socket = context.socket(zmq.DEALER)
        for option, value in ((zmq.LINGER, 0), (zmq.IMMEDIATE, 1), (zmq.SNDTIMEO, 1000 * HELLO_S),
                              (zmq.HANDSHAKE_IVL, 5000), (zmq.HEARTBEAT_IVL, 5000),
                              (zmq.HEARTBEAT_TIMEOUT, 15000)):
            self.socket.setsockopt(option, value)
        self.socket.curve_serverkey = bus_key
        self.socket.curve_publickey = transport.public
        self.socket.curve_secretkey = transport.x25519
        self.socket.connect(endpoint)
        self.sent = self.heard = time.monotonic()

    def begin(self, hello):
        self.nonce = os.urandom(16)
        self.heard = time.monotonic()
        self.send(hello=hello)

    def send(self, **body):
        """What does not leave because the broker is away is sent again after the next Welcome."""
        try:
            self.socket.send(pb.Frame(session=self.nonce, **body).SerializeToString())
        except zmq.Again:
            pass
        self.sent = time.monotonic()

    def receive(self, deadline):
        """(name, body) of the next frame of this session, None at the deadline; pings when idle."""
        while (now := time.monotonic()) < deadline:
            if now > self.heard + SILENCE_S:
                raise Fault("silence")
            if now > self.sent + PING_S:
                self.send(ping=pb.Ping(number=1))
            until = min(deadline, self.sent + PING_S, self.heard + SILENCE_S)
            if not self.socket.poll(max(1, 1000 * (until - now))):
                continue
            frame = pb.Frame.FromString(self.socket.recv())
            body = frame.WhichOneof("body")
            if body == "error" and not frame.session:  # of bytes in which it found no session
                return body, frame.error
            if frame.session == self.nonce and body is not None:
                self.heard = time.monotonic()
                return body, getattr(frame, body)
        return None


class Client:
    """A party on a bus, and the parties that it operates.

    registry: a verified Registry; secrets: {party: {use: Secret}}, the first one connects
    """

    def __init__(self, endpoint, registry, secrets, window=(1000, 8_000_000)):
        self.endpoint, self.registry, self.secrets = endpoint, registry, secrets
        self.bus, self.window, self.registry_wanted = registry.bus, window, False
        self.context, self.session = zmq.Context(), None
        self.newest, self.unlinked = None, []     # checkpoints: trusted, and not yet linked to it
        self.outbox = {}                          # h: Envelope, until answered for good
        self.number, self.submits = 0, {}         # of this session; number: [h]
        self.put_off, self.retry_at = None, 0     # number of the first Submit that was not read
        self.receipts, self.refusals, self.deferrals = {}, {}, {}
        self.inbox = {}                           # (party, sequence): Delivery, until it has a state
        self.acks = {}                            # digest: AckBatch, until all have a state
        self.ack_receipts, self.ack_states, self.ack_refusals = {}, {}, {}
        self.outcomes, self.confirmed = {}, {}    # (h, recipient): Item; party: sequence
        self.overdue, self.due_soon = {}, {}      # (h, recipient): Item, which is no end
        self.received = [0, 0]                    # messages and bytes delivered in this session

    # Session

    def open_socket(self):
        self.disconnect()
        transport = next(iter(self.secrets.values()))["transport"]
        self.session = Session(self.context, self.endpoint, self.registry.curve_key(), transport)

    def hello(self, **fields):
        newest = self.newest or Checkpoint("", 0, b"", b"")
        self.number, self.submits, self.put_off = 0, {}, None
        self.received = [0, 0]
        self.session.begin(pb.Hello(**{
            "versions": [0], "parties": list(self.secrets), "software": b"dienstweg-interop/0",
            "newest_size": newest.size, "newest_root": newest.root,
            "registry_version": self.registry.version, **fields}))

    def connect(self, seconds=30):
        self.open_socket()
        return self.recover(seconds)

    def recover(self, seconds=30):
        """Section Reconnect: it is the same after a start, a lost connection and a lost broker."""
        welcome, deadline = None, time.monotonic() + seconds
        while welcome is None:
            self.hello()
            try:
                welcome = self.expect("welcome", min(HELLO_S, deadline - time.monotonic()))
            except Fault as fault:
                if fault.code != "timeout" or time.monotonic() > deadline:
                    raise
        checkpoint = open_checkpoint(welcome.checkpoint, self.registry.log_keys())
        if self.newest:
            check_consistency(self.newest, checkpoint, welcome.consistency)
        self.newest, self.limits = checkpoint, welcome.limits
        self.registry_wanted = False
        for version in range(self.registry.version + 1, welcome.registry_version + 1):
            self.update_registry(version)
        for batch in self.acks.values():
            self.session.send(acknowledge=pb.Acknowledge(batches=[batch]))
        self.submit_envelopes(list(self.outbox.values()))
        self.credit(*self.window)
        return welcome

    def disconnect(self, bye=False):
        if self.session and bye:
            self.session.send(bye=pb.Bye())
        if self.session:
            self.session.socket.close(linger=1000 * bye)
        self.session = None

    def credit(self, messages, bytes_):
        """Let the broker deliver so much more than it has."""
        self.session.send(credit=pb.Credit(messages=self.received[0] + messages,
                                           bytes=self.received[1] + bytes_))

    def step(self, seconds):
        """Take one frame and return (name, body); (None, None) when none came in time."""
        name, body = self.session.receive(time.monotonic() + seconds) or (None, None)
        if name == "error":
            raise Fault(body.code.decode(), body.field.decode(), body.detail.decode())
        if name == "replaced":
            raise Fault("replaced")
        if name:
            getattr(self, "take_" + name, lambda body: None)(body)
        return name, body

    def wait(self, condition, seconds=30):
        """Take frames until the condition holds, and say Hello again when the session is lost."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                if condition():
                    return True
                self.step(left)
                if self.registry_wanted:
                    self.recover(left)  # Welcome tells which version is in force
            except Fault as fault:
                if fault.code not in ("hello-required", "silence"):
                    raise
                self.recover(left)
        return condition()

    def expect(self, name, seconds=30):
        """The next frame with this body; what comes before it is taken, too."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            found, body = self.step(left)
            if found == name:
                return body
        raise Fault("timeout", name)

    # Checkpoints and registry

    def see(self, note):
        """A checkpoint that came with something: signed by the log, and noted to be linked."""
        checkpoint = open_checkpoint(note, self.registry.log_keys())
        if checkpoint.size == self.newest.size:
            check_consistency(self.newest, checkpoint, b"")
        elif checkpoint not in self.unlinked:
            self.unlinked.append(checkpoint)
        return checkpoint

    def link(self, seconds=30):
        """Ask how the trees that were seen grew out of each other; a broker that lied cannot tell."""
        for checkpoint in sorted(self.unlinked, key=lambda checkpoint: checkpoint.size):
            old, new = sorted((self.newest, checkpoint), key=lambda checkpoint: checkpoint.size)
            self.session.send(get_proof=pb.GetProof(old_size=old.size, new_size=new.size))
            answer = self.expect("checkpoint", seconds)
            if (answer.old_size, answer.new_size) != (old.size, new.size):
                raise Fault("proof", "old_size")
            check_consistency(old, new, answer.consistency)
            self.newest = new
        self.unlinked = []

    def update_registry(self, version=0, seconds=30):
        """Fetch a registry, 0: the one in force."""
        self.session.send(get_registry=pb.GetRegistry(version=version))
        self.adopt(self.expect("registry", seconds).signed)

    def adopt(self, signed):
        """It must be signed by the pinned roots and follow the one held."""
        registry = Registry(signed, self.registry.pinned)
        if registry.digest != self.registry.digest:
            registry.check_successor(self.registry)
            self.registry = registry

    # Sending

    def compose(self, body, **header):
        """A message, sealed for those to whom the broker will route it if the service asks for that."""
        header = {"bus": self.bus, "sender": next(iter(self.secrets)), **header}
        keys = []
        if self.registry.is_sealed(header["service"]):
            names = self.registry.resolve(header["sender"], header["service"], now_ms(),
                                          header.get("recipient", b""), header.get("region", b""),
                                          answer=header["kind"] == 5)
            keys = [key for name in names for key in self.registry.keys(name, "seal")]
        return compose(body, keys, **header)

    def submit(self, messages, resume=False):
        """Sign messages of one sender and send them; what becomes of them is found by their h."""
        secret = self.secrets[messages[0].fields.sender]["sign"]
        self.submit_envelopes(envelopes(messages, secret), resume)
        return [message.h for message in messages]

    def submit_envelopes(self, signed, resume=False):
        """Send envelopes in as few frames as they fit into."""
        batch, size = {}, 0
        for envelope in signed:
            h = Message(envelope.header, envelope.content).h
            room = envelope.ByteSize() + 8
            if batch and (size + room > self.limits.frame_bytes - FRAME_ROOM
                          or len(batch) == self.limits.batch):
                self.submit_frame(batch, resume)
                batch, size, resume = {}, 0, False
            self.outbox[h] = batch[h] = envelope
            size += room
        if batch:
            self.submit_frame(batch, resume)

    def submit_frame(self, batch, resume):
        self.number += 1
        self.submits[self.number] = list(batch)
        self.session.send(submit=pb.Submit(number=self.number, resume=resume, envelopes=batch.values()))

    def resume(self):
        """Send again from the first Submit that was put off unread, after its retry_ms."""
        while (left := self.retry_at - time.monotonic()) > 0:
            self.step(left)
        again = []
        for number in [number for number in self.submits if number >= self.put_off]:
            again += [self.outbox[h] for h in self.submits.pop(number) if h in self.outbox]
        self.put_off = None
        self.submit_envelopes(again, resume=True)

    def take_answer(self, answer):
        checkpoint = self.see(answer.checkpoint) if answer.receipts else None
        for receipt in answer.receipts:
            if receipt.h in self.outbox:
                signature = self.outbox[receipt.h].signature
                self.receipts[receipt.h] = check_receipt(receipt, signature, answer.nodes, checkpoint)
                del self.outbox[receipt.h]
        for refusal in answer.refusals:
            self.outbox.pop(refusal.h, None)
            self.refusals[refusal.h] = refusal
        for deferral in answer.deferrals:
            self.deferrals[deferral.h] = deferral
        if answer.frame.number in self.submits and self.put_off is None:
            self.put_off = answer.frame.number
            self.retry_at = time.monotonic() + answer.frame.retry_ms / 1000

    # Receiving

    def take_deliver(self, deliver):
        for item in deliver.items:
            if item.HasField("outcome"):
                if item.sequence > self.confirmed.get(item.party, -1):
                    self.check_outcome(item)
                    told = {b"overdue": self.overdue, b"due-soon": self.due_soon}.get(
                        item.outcome.state, self.outcomes)
                    told[item.outcome.h, item.outcome.recipient] = item
                continue
            self.received[0] += 1
            self.received[1] += len(item.envelope.header) + len(item.envelope.content)
            key = item.party, item.sequence
            if key in self.inbox:
                self.inbox[key].attempt = item.attempt
                continue
            self.inbox[key] = self.open(item)
            if self.inbox[key].fault and self.inbox[key].fault.code == "unknown-key":
                self.nak(self.inbox[key], 500, b"unknown-key")
                self.registry_wanted = True

    def open(self, item):
        """Every check of section Deliver; a fault names the code to reject it with."""
        envelope, header, body, fault = item.envelope, envelope_pb2.Header(), b"", None
        keys = []
        try:
            header = read_strict(envelope_pb2.Header, envelope.header)
            self.check_address(header, item)
            self.check_sender(header, item)
            inside = open_message(header, envelope.content, [self.secrets[item.party]["seal"]])
            body, keys = inside.body, list(inside.attachments)
        except Fault as wrong:
            fault = wrong
        return Delivery(item.sequence, item.party, item.attempt, envelope.header, header, body, fault,
                        keys)

    def check_address(self, header, item):
        parties = [header.recipient]
        if not header.recipient:
            parties = self.registry.resolve(header.sender, header.service, item.batch_ms,
                                            region=header.region)
        if header.bus != self.bus or item.party not in parties:
            raise Fault("not-addressed", "recipient")

    def check_sender(self, header, item):
        signature = item.envelope.signature
        public = self.registry.sign_key(header.sender, signature.key_id, item.sequence)
        try:
            verify_batch(public, MESSAGE, self.bus, h_of(item.envelope.header), signature)
        except Fault as wrong:
            raise Fault("signature", wrong.field) from wrong

    def acknowledge(self, deliveries, code=b"", text=b""):
        """Accept deliveries, or with a code reject them. This is final."""
        for party in {delivery.party for delivery in deliveries}:
            batch, size = [], 0
            for delivery in (delivery for delivery in deliveries if delivery.party == party):
                ack = pb.Ack(sequence=delivery.sequence, h=delivery.h, accepted=not code, code=code,
                             text=text)
                if len(batch) == BATCH_MAX or size + ack.ByteSize() > ACK_BATCH_BYTES - 200:
                    self.send_acks(party, batch)
                    batch, size = [], 0
                batch.append(ack)
                size += ack.ByteSize() + 3
            self.send_acks(party, batch)

    def send_acks(self, party, acks):
        secret = self.secrets[party]["sign"]
        digests = [ack_digest(self.bus, party, ack) for ack in acks]
        root = sign_batch(secret, ACKNOWLEDGEMENT, self.bus, digests)[0].root
        batch = pb.AckBatch(recipient=party, acks=acks, key_id=secret.id, root=root)
        self.acks[ack_batch_digest(batch.SerializeToString())] = batch
        self.session.send(acknowledge=pb.Acknowledge(batches=[batch]))

    def take_acknowledged(self, acknowledged):
        checkpoint = self.see(acknowledged.checkpoint) if acknowledged.receipts else None
        for receipt in acknowledged.receipts:
            if receipt.digest in self.acks:
                proof = check_ack_receipt(receipt, acknowledged.nodes, checkpoint)
                self.ack_receipts[receipt.digest] = proof
        for state in acknowledged.states:
            self.ack_states[state.party, state.sequence] = state.state
            self.inbox.pop((state.party, state.sequence), None)
        for refusal in acknowledged.refusals:
            self.ack_refusals[refusal.h] = refusal
            self.acks.pop(refusal.h, None)
        self.acks = {digest: batch for digest, batch in self.acks.items()
                     if any((batch.recipient, ack.sequence) in self.inbox for ack in batch.acks)}

    def nak(self, delivery, delay_ms, reason):
        """Not now: deliver it again after the delay."""
        del self.inbox[delivery.party, delivery.sequence]
        self.session.send(nak=pb.Nak(party=delivery.party, sequences=[delivery.sequence],
                                     delay_ms=delay_ms, reason=reason))

    # Cancelling

    def cancel(self, party, ids, recipient=b"", reason=b""):
        """Take messages back, for one recipient or for all; the answer's states, or a Fault."""
        secret = self.secrets[party]["sign"]
        items = [pb.CancelItem(message_id=identity, recipient=recipient) for identity in ids]
        batch = pb.CancelBatch(sender=party, items=items, reason=reason, key_id=secret.id)
        digests = [cancel_digest(self.bus, batch, item) for item in items]
        batch.root = sign_batch(secret, CANCELLATION, self.bus, digests)[0].root
        self.session.send(cancel=pb.Cancel(batch=batch))
        answer = self.expect("cancelled")
        for refusal in answer.refusals:
            if refusal.h == cancel_batch_digest(batch.SerializeToString()):
                raise Fault(refusal.code.decode(), refusal.field.decode(), refusal.detail.decode())
        return {(state.message_id, state.recipient): state.state for state in answer.states}

    # Outcomes

    def check_outcome(self, item):
        """Accepted and rejected are the recipient's own signed word; the rest is the broker's."""
        outcome, receipt = item.outcome, self.receipts.get(item.outcome.h)
        if receipt and receipt.sequence != outcome.message_sequence:
            raise Fault("outcome", "message_sequence")
        if outcome.state not in (b"accepted", b"rejected"):
            return
        ack = pb.Ack(sequence=outcome.message_sequence, h=outcome.h, code=outcome.code,
                     accepted=outcome.state == b"accepted", text=outcome.text)
        public = self.registry.sign_key(outcome.recipient, outcome.signature.key_id, item.sequence)
        verify_batch(public, ACKNOWLEDGEMENT, self.bus,
                     ack_digest(self.bus, outcome.recipient, ack), outcome.signature)

    def confirm(self, party, sequence):
        """Outcomes up to this entry have been taken over; the broker need not tell them again."""
        self.confirmed[party] = sequence
        self.session.send(confirm=pb.Confirm(party=party, sequence=sequence))
