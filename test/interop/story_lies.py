# SPDX-License-Identifier: EUPL-1.2
"""A broker that lies is found out: what a true one said, changed in one place, is refused.

The broker under test is honest, so without these stories a client that checks nothing would pass.
"""
import base64
import copy
import dataclasses

from envelope import (ACKNOWLEDGEMENT, MESSAGE, Secret, blake2b, envelopes, now_ms, open_message,
                      read_keys, read_secrets, read_strict, sign_batch, verify_batch)
from evidence import check_consistency, key_hash
from proto import frame_pb2
from proto.envelope_pb2 import Header, Payload
from world import CITY, JOBCENTER, MINISTRY, fault_of, holds, same


def record(client):
    """From now on, every frame that the client takes is also kept in the list returned."""
    taken, step = [], client.step

    def stepping(seconds):
        name, body = step(seconds)
        taken.append((name, copy.deepcopy(body)))
        return name, body

    client.step = stepping
    return taken


def last(taken, name):
    return [body for found, body in taken if found == name][-1]


def flipped(data, at=0):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


def variants(message, paths):
    """(path, copy of the message changed there); a path is names and places in lists, a field last."""
    for path in paths:
        changed = copy.deepcopy(message)
        *way, field = path.split()
        inside = changed
        for step in way:
            inside = inside[int(step)] if step.isdigit() else getattr(inside, step)
        value = getattr(inside, field)
        if isinstance(value, (bytes, int)):
            setattr(inside, field, flipped(value) if isinstance(value, bytes) else value + 1)
        else:
            value.append(value.pop() ^ 1)
        yield path, changed


def true_words(world):
    """One message all the way, and what the broker said of it to both sides."""
    city, jobcenter = world.city, world.jobcenter
    heard = record(city), record(jobcenter)
    message = world.message(b"the truth")
    world.submit(message)
    world.settle(jobcenter, world.receive(jobcenter, [message]), b"schema", b"no")
    world.ended(city, [message])
    return message, *heard


def a_false_receipt(world):
    message, city_heard, jobcenter_heard = true_words(world)
    client, answer = world.city, last(city_heard, "answer")
    envelope = last(jobcenter_heard, "deliver").items[0].envelope
    paths = ["checkpoint", "nodes", *(f"receipts 0 {field}" for field in (
        "sequence", "batch_ms", "registry_version", "nonce", "private_digest", "class", "path"))]
    for what, changed in variants(answer, paths):
        client.outbox[message.h] = envelope
        holds(what, fault_of(client.take_answer, changed))
    client.outbox[message.h] = copy.deepcopy(envelope)
    client.outbox[message.h].signature.root = flipped(envelope.signature.root)
    holds("another signature", fault_of(client.take_answer, answer))
    client.outbox[message.h] = envelope
    client.take_answer(answer)

    client, acknowledged = world.jobcenter, last(jobcenter_heard, "acknowledged")
    client.acks[acknowledged.receipts[0].digest] = None
    for what, changed in variants(acknowledged, paths):
        holds(what, fault_of(client.take_acknowledged, changed))
    client.acks.clear()


def a_false_delivery_or_outcome(world):
    _, city_heard, jobcenter_heard = true_words(world)
    client = world.jobcenter
    item = last(jobcenter_heard, "deliver").items[0]
    same("true", client.open(item).fault, None)
    paths = ["envelope header", "envelope content", "envelope signature root",
             "envelope signature key_id", "envelope signature size"]
    for what, changed in variants(item, paths):
        delivery = client.open(changed)
        holds(what, delivery.fault and not delivery.body)
    stolen = copy.deepcopy(item)
    stolen.party = CITY
    client.secrets[CITY] = {"seal": Secret("seal", bytes(32))}
    holds("for another party", client.open(stolen).fault)
    del client.secrets[CITY]

    client, item = world.city, last(city_heard, "deliver").items[0]
    client.check_outcome(item)
    for what, changed in variants(item, [f"outcome {field}" for field in (
            "message_sequence", "h", "recipient", "code", "text", "signature key_id", "signature root",
            "signature index")]):
        holds(what, fault_of(client.check_outcome, changed))
    item.outcome.state = b"accepted"
    holds("the contrary", fault_of(client.check_outcome, item))
    item.outcome.state = b"expired"
    client.check_outcome(item)
    item.outcome.message_sequence += 1
    holds("of another entry", fault_of(client.check_outcome, item))


def a_false_history(world):
    """Another tree of the same size, a proof that does not hold, a log that has become shorter."""
    client = world.city
    client.link()
    old = client.newest
    heard = record(client)
    message = world.message(b"one more")
    world.submit(message)
    world.settle(world.jobcenter, world.receive(world.jobcenter, [message]))
    world.ended(client, [message])
    client.link()
    answer, new = last(heard, "checkpoint"), client.newest
    holds("a proof of more than nothing", len(answer.consistency) >= 32 and new.size > old.size)

    fork = dataclasses.replace(old, root=flipped(old.root))
    shorter = dataclasses.replace(new, size=old.size)
    proof = answer.consistency
    for what, first, second, hashes in (
            ("another old root", fork, new, proof),
            ("another new root", old, dataclasses.replace(new, root=flipped(new.root)), proof),
            ("a changed proof", old, new, flipped(proof)), ("a cut proof", old, new, proof[:-32]),
            ("a longer proof", old, new, proof + bytes(32)), ("no proof", old, new, b""),
            ("a shorter log", new, old, b""), ("two trees of one size", old, shorter, b""),
            ("another log", dataclasses.replace(old, origin="interop.demo/1"), new, proof)):
        same(what, fault_of(check_consistency, first, second, hashes), "fork")
    client.newest = dataclasses.replace(new, root=flipped(new.root))
    same("a fork when saying Hello", fault_of(client.connect), "fork")
    client.newest = dataclasses.replace(new, size=new.size + 1000)
    same("a rollback", fault_of(client.connect), "fork")
    client.newest = new
    client.connect()


def bytes_with_two_readings(world):
    """A parser that takes either would let two readers of one signature see two messages."""
    message = world.message(b"one reading")
    header, salt = message.header, b"\x0a\x20" + bytes(32)
    read_strict(Header, header)
    read_strict(Payload, b"\x0a\x22" + salt)
    for what, kind, data in (
            ("cut off", Header, header[:-1]), ("a tag alone", Header, header + b"\x08"),
            ("a field twice", Header, header + header[:2]),
            ("an unknown field", Header, header + b"\xfa\7\0"),
            ("another wire type", Header, b"\x0a\0" + header), ("a group", Header, header + b"\x0b\x0c"),
            ("a long number", Header, b"\x08\x80\0"), ("a long tag", Header, b"\x88\0\0"),
            ("a number of 33 bits", Header, b"\x08\x80\x80\x80\x80\x10"),
            ("a number without end", Header, b"\x58" + b"\x80" * 12),
            ("two forms", Payload, b"\x0a\x22" + salt + b"\x12\0"),
            ("a field twice inside", Payload, b"\x0a\x44" + salt + salt)):
        same(what, fault_of(read_strict, kind, data), "malformed")


def a_false_key_file(world):
    path = world.bus.keys / "city.interop.keys"
    lines = path.read_text().splitlines()
    for what, words in (("id", 1), ("public", 2), ("possession key", 3), ("possession", 4)):
        seal = next(line for line in lines if line.startswith("seal ")).split()
        sign = next(line for line in lines if line.startswith("sign ")).split()
        seal[words] = sign[words]
        text = "\n".join([lines[0], " ".join(seal)])
        holds(what, fault_of(read_keys, text))
    text = path.read_text().replace("city.interop", "youth.interop")
    holds("another owner", fault_of(read_keys, text))
    secret = world.folder / "open.secret"
    secret.write_text("dienstweg-secret 0 nobody\n")
    secret.chmod(0o640)
    same("others can read it", fault_of(read_secrets, secret), "key-file")


def a_false_content_or_signature(world):
    """What a recipient must find, whoever spoiled it."""
    city, secret = world.city, world.jobcenter.secrets[JOBCENTER]["seal"]
    message, other = world.message(b"this"), world.message(b"that")
    header, sealed = message.fields, Payload.FromString(message.content)
    same("true", open_message(header, message.content, [secret]).body, b"this")
    same("another content", fault_of(open_message, header, other.content, [secret]), "sealing")
    header.content_length += 1
    same("length", fault_of(open_message, header, message.content, [secret]), "sealing")
    header = message.fields
    header.sealed_recipients.append(bytes(16))
    same("wraps", fault_of(open_message, header, message.content, [secret]), "sealing")
    same("no wrap for us", fault_of(open_message, message.fields, message.content, []), "sealing")
    sealed.sealed.box = flipped(sealed.sealed.box)
    header = message.fields
    header.content_hash = blake2b(sealed.SerializeToString())
    same("box", fault_of(open_message, header, sealed.SerializeToString(), [secret]), "sealing")

    sign = city.secrets[CITY]["sign"]
    one, = sign_batch(sign, MESSAGE, city.bus, [message.h])
    many = sign_batch(sign, MESSAGE, city.bus, [message.h] * 33)

    def verify(signature, domain=MESSAGE, bus=city.bus):
        verify_batch(sign.public, domain, bus, message.h, signature)

    verify(one)
    verify(sign_batch(sign, MESSAGE, city.bus, [message.h] * 32)[31])
    same("33 leaves", fault_of(verify, many[32]), "signature-form")
    for what, changes in (("path", {"path": bytes(32)}), ("odd path", {"path": bytes(31)}),
                          ("size", {"size": 0}), ("size", {"size": 33}), ("index", {"index": 1}),
                          ("root", {"root": bytes(63)}), ("key", {"key_id": b""})):
        changed = copy.deepcopy(one)
        for field, value in changes.items():
            setattr(changed, field, value)
        same(what, fault_of(verify, changed), "signature-form")
    for domain, bus in ((ACKNOWLEDGEMENT, city.bus), (MESSAGE, b"other.demo")):
        same("domain", fault_of(verify, one, domain, bus), "signature")

    figures = world.message(b"in clear", service=b"figures", recipient=MINISTRY)
    item = frame_pb2.Item(sequence=1, party=MINISTRY, envelope=envelopes([figures], sign)[0],
                          batch_ms=now_ms())
    client = world.client(MINISTRY)
    same("for us", (client.open(item).fault, client.open(item).body), (None, b"in clear"))
    client = world.jobcenter
    item.party = JOBCENTER
    same("for another", client.open(item).fault.code, "not-addressed")


def a_forged_checkpoint(world):
    """By one who has the log's key and tells each his own story, or has another key under its name."""
    client = world.city
    _, secrets = read_secrets(world.bus.keys / "interop.demo.secret")

    def note(secret, name, size, root):
        text = f"interop.demo/0\n{size}\n{base64.b64encode(root).decode()}\n"
        blob = key_hash(name, secret.public) + secret.sign(text.encode())
        return f"{text}\n\u2014 {name} {base64.b64encode(blob).decode()}\n".encode()

    log, size, root = secrets["log"], client.newest.size, client.newest.root
    client.see(note(log, "interop.demo/0", size, root))
    same("a fork", fault_of(client.see, note(log, "interop.demo/0", size, bytes(32))), "fork")
    same("another name", fault_of(client.see, note(log, "interop.demo/1", size, root)), "checkpoint")
    another = Secret("log", bytes(32))
    same("another key", fault_of(client.see, note(another, "interop.demo/0", size, root)), "checkpoint")
    client.see(note(log, "interop.demo/0", size - 1, bytes(32)))
    same("an old one", fault_of(client.link), "fork")
    client.unlinked = []


def late_frames_of_an_earlier_session(world):
    client = world.city
    client.session.send(ping=frame_pb2.Ping(number=5))
    heard = record(client)
    client.recover()
    world.fence(client)
    same("pongs", len([name for name, _ in heard if name == "pong"]), 1)


STORIES = [
    a_false_receipt,
    a_false_delivery_or_outcome,
    a_false_history,
    bytes_with_two_readings,
    a_false_key_file,
    a_false_content_or_signature,
    a_forged_checkpoint,
    late_frames_of_an_earlier_session,
]
