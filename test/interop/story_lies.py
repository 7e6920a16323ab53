# SPDX-License-Identifier: EUPL-1.2
"""A broker that lies is found out: what a true one said, changed in one place, is refused.

The broker under test is honest, so without these stories a client that checks nothing would pass.
"""
import copy
import dataclasses

from envelope import Secret
from evidence import check_consistency
from world import CITY, fault_of, holds, same


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
    """(what, copy of the message changed there) for each path: names, numbers of list elements, a field."""
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

    client, outcome = world.city, last(city_heard, "deliver").items[0].outcome
    client.check_outcome(outcome)
    for what, changed in variants(outcome, ["message_sequence", "h", "recipient", "code", "text",
                                            "signature key_id", "signature root", "signature index"]):
        holds(what, fault_of(client.check_outcome, changed))
    outcome.state = b"accepted"
    holds("the contrary", fault_of(client.check_outcome, outcome))


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


STORIES = [
    a_false_receipt,
    a_false_delivery_or_outcome,
    a_false_history,
]
