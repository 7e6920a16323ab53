# SPDX-License-Identifier: EUPL-1.2
"""Messages that do not go as wished, and a broker that is killed."""
import dataclasses
import shutil
import signal

from bus import ROOTS
from envelope import MESSAGE, Message, Secret, compose, h_of, now_ms, read_secrets, sign_batch, uuid7
from proto.envelope_pb2 import Envelope
from world import APPLICATION, CITY, JOBCENTER, MINISTRY, YOUTH, fault_of, holds, same


def acknowledgements_that_end_nothing(world):
    city, jobcenter = world.city, world.jobcenter
    message = world.message(b"to be accepted in the end")
    world.submit(message)
    delivery, = world.receive(jobcenter, [message])

    jobcenter.acknowledge([dataclasses.replace(delivery, raw=b"another")])
    holds("a state", jobcenter.wait(lambda: not jobcenter.acks))
    same("another h", jobcenter.ack_states[JOBCENTER, delivery.sequence], b"unknown")

    jobcenter.inbox[JOBCENTER, delivery.sequence] = delivery
    good, jobcenter.secrets = jobcenter.secrets, {JOBCENTER: {"sign": Secret("sign", bytes(32))}}
    jobcenter.acknowledge([delivery])
    jobcenter.secrets = good
    digest, = jobcenter.acks
    holds("a refusal", jobcenter.wait(lambda: jobcenter.ack_refusals))
    refusal = jobcenter.ack_refusals[digest]
    same("unknown key", (refusal.code, refusal.field), (b"unknown-key", b"key_id"))

    world.settle(jobcenter, [delivery])
    jobcenter.inbox[JOBCENTER, delivery.sequence] = delivery
    proofs = len(jobcenter.ack_receipts)
    jobcenter.acknowledge([delivery])
    holds("a state", jobcenter.wait(lambda: not jobcenter.acks))
    same("twice", jobcenter.ack_states[JOBCENTER, delivery.sequence], b"already")
    same("no second receipt", len(jobcenter.ack_receipts), proofs)
    world.ended(city, [message])


def what_is_taken_back(world):
    """A message under delivery is not; given back it is, once, and its sender is told as of every other end."""
    city, jobcenter = world.city, world.jobcenter
    message = world.message(b"sent by mistake")
    identity = message.fields.message_id
    world.submit(message)
    delivery, = world.receive(jobcenter, [message])

    def states(*args, **more):
        return city.cancel(CITY, [identity], *args, **more)

    same("being read", states(), {(identity, JOBCENTER): b"under-delivery"})
    jobcenter.nak(delivery, 3_600_000, b"unavailable")
    deadline = now_ms() + 30_000
    while (said := states(reason=b"mistake")) == {(identity, JOBCENTER): b"under-delivery"}:
        holds("given back", now_ms() < deadline)
    same("taken back", said, {(identity, JOBCENTER): b"cancelled"})
    same("once more", states(reason=b"mistake"), said)
    same("for who never was to have it", states(YOUTH), {(identity, YOUTH): b"unknown"})
    same("by somebody else", jobcenter.cancel(JOBCENTER, [identity]), {(identity, b""): b"unknown"})
    good, city.secrets = city.secrets, {CITY: {"sign": Secret("sign", bytes(32))}}
    same("unknown key", fault_of(states), "unknown-key")
    city.secrets = good
    outcome, = world.ended(city, [message])
    same("outcome", (outcome.outcome.state, outcome.outcome.code), (b"cancelled", b"mistake"))


def what_is_refused_and_why(world):
    """Each with its code and the field at fault; nothing of it arrives."""
    city, first = world.city, world.first[0]
    good = world.message(b"good")

    def header(**changes):
        fields = good.fields
        fields.message_id = uuid7(now_ms())
        for name, value in changes.items():
            setattr(fields, name, value)
        return Message(fields.SerializeToString(), good.content)

    plain = compose(b"plain", bus=city.bus, sender=CITY, recipient=JOBCENTER, **APPLICATION)
    reused = first.fields
    reused.priority = 2
    table = [
        (Message(good.header + b"\x58\1", good.content), b"malformed", b"created_ms"),  # a second time
        (Message(good.header + b"\xfa\7\0", good.content), b"malformed", b"header"),     # field 127
        (header(service=b"ALG2"), b"malformed", b"service"),
        (header(region=b"05124"), b"malformed", b"region"),
        (header(service=b""), b"missing-field", b"service"),
        (header(bus=b"other.demo"), b"wrong-bus", b"bus"),
        (header(content_length=len(good.content) + 1), b"content-mismatch", b"content_length"),
        (header(content_hash=bytes(32)), b"content-mismatch", b"content_hash"),
        (header(service=b"alg3.application"), b"unknown-service", b"service"),
        (header(sender=JOBCENTER), b"not-operated", b"sender"),
        (header(recipient=b"nobody"), b"unknown-party", b"recipient"),
        (header(recipient=MINISTRY), b"no-agreement", b"agreement"),
        (header(recipient=b"", region=b"09162"), b"region-not-covered", b"region"),
        (header(expires_ms=now_ms() - 1, created_ms=now_ms() - 1000), b"expired", b"expires_ms"),
        (header(retention=7), b"unknown-class", b"retention"),
        (plain, b"plaintext", b"sealed_recipients"),
        (Message(reused.SerializeToString(), first.content), b"id-reused", b"message_id"),
    ]
    secret = city.secrets[CITY]["sign"]
    hashes = [message.h for message, _, _ in table]
    signed = [pb for message, _, _ in table for pb in sign_as(secret, city.bus, [message])]

    junk = sign_as(secret, city.bus, [header(priority=0)])[0]
    junk.signature.root = bytes(64)
    steps = sign_as(secret, city.bus, [header(priority=0)])[0]
    steps.signature.path = bytes(32)
    other_bus = sign_as(secret, b"other.demo", [header(priority=0)])[0]
    other_key = sign_as(Secret("sign", bytes(32)), city.bus, [header(priority=0)])[0]
    other_party = sign_as(world.jobcenter.secrets[JOBCENTER]["sign"], city.bus, [header(priority=0)])[0]
    spoiled = [(junk, b"bad-signature", b"signature"), (steps, b"signature-form", b"signature"),
               (other_bus, b"bad-signature", b"signature"), (other_key, b"unknown-key", b"key_id"),
               (other_party, b"foreign-key", b"key_id")]
    hashes += [h_of(envelope.header) for envelope, _, _ in spoiled]
    city.submit_envelopes(signed + [envelope for envelope, _, _ in spoiled])
    holds("answers", city.wait(lambda: not city.outbox))
    refusals = [city.refusals[h] for h in hashes if h in city.refusals]
    same("refusals", [(refusal.code, refusal.field) for refusal in refusals],
         [row[1:] for row in table + spoiled])
    holds("entries and remedies", all(refusal.sequence and refusal.detail for refusal in refusals))

    expired = compose(b"plain", bus=city.bus, sender=JOBCENTER, recipient=MINISTRY, service=b"figures",
                      kind=1, content_type=b"text/plain")
    world.jobcenter.submit([expired])
    holds("an answer", world.jobcenter.wait(lambda: expired.h in world.jobcenter.refusals))
    same("agreement", world.jobcenter.refusals[expired.h].code, b"agreement-expired")


def sign_as(secret, bus, messages):
    """Envelopes whatever the header says, which envelopes() would not sign."""
    signatures = sign_batch(secret, MESSAGE, bus, [message.h for message in messages])
    return [Envelope(header=message.header, signature=signature, content=message.content)
            for message, signature in zip(messages, signatures)]


def what_is_put_off(world):
    """Not refused: the same id may come again."""
    city = world.city
    early = world.message(b"early", message_id=uuid7(now_ms() + 3_600_000))
    mine = compose(b"for others", city.registry.keys(MINISTRY, "seal"), bus=city.bus, sender=CITY,
                   recipient=JOBCENTER, **APPLICATION)
    city.submit([early, mine])
    holds("answers", city.wait(lambda: {early.h, mine.h} <= city.deferrals.keys()))
    same("reasons", [(city.deferrals[h].reason, city.deferrals[h].field) for h in (early.h, mine.h)],
         [(b"clock", b"message_id"), (b"registry-outdated", b"sealed_recipients")])
    same("still ours", list(city.outbox), [early.h, mine.h])
    city.outbox.clear()


def not_now_and_again(world):
    """A Nak brings the message back with its next attempt; so does a session that is lost."""
    city, jobcenter = world.city, world.jobcenter
    message = world.message(b"not now")
    world.submit(message)
    delivery, = world.receive(jobcenter, [message])
    same("attempt", delivery.attempt, 1)
    jobcenter.nak(delivery, 50, b"busy")
    delivery, = world.receive(jobcenter, [message])
    same("attempt", (delivery.attempt, delivery.body), (2, b"not now"))
    jobcenter.inbox.clear()
    jobcenter.disconnect(bye=True)
    jobcenter.connect()
    delivery, = world.receive(jobcenter, [message])
    world.settle(jobcenter, [delivery])
    world.ended(city, [message])


def nobody_took_it_in_time(world):
    """The sender is told, without anybody's signature."""
    world.ministry.disconnect(bye=True)
    message = world.message(b"soon", service=b"figures", recipient=MINISTRY, expires_ms=now_ms() + 1500)
    receipt, = world.submit(message)
    item, = world.ended(world.city, [message], MINISTRY)
    same("state", (item.outcome.state, item.outcome.signature.root), (b"expired", b""))
    same("entry", (item.outcome.message_sequence, item.sequence > receipt.sequence),
         (receipt.sequence, True))


def more_than_the_broker_holds(world):
    """Ten megabytes at once: put off unread from somewhere on, resumed there, in order at the end."""
    city, ministry = world.city, world.ministry
    messages = [world.message(bytes([number]) * 250_000, service=b"figures", recipient=MINISTRY)
                for number in range(40)]
    city.submit(messages)
    resumed = 0
    while city.outbox:
        holds("answers", city.wait(lambda: not city.outbox or city.put_off))
        if city.put_off:
            city.resume()
            resumed += 1
    holds("a frame deferral", resumed)
    places = [city.receipts[message.h].sequence for message in messages]
    same("order", places, sorted(places))

    ministry.window = 3, 8_000_000
    ministry.connect()
    for at in range(0, len(messages), 3):
        deliveries = world.receive(ministry, messages[at:at + 3])
        world.fence(ministry)
        same("no more than credit", len(ministry.inbox), len(deliveries))
        same("bodies", [delivery.body[:1] for delivery in deliveries],
             [bytes([number]) for number in range(at, at + len(deliveries))])
        world.settle(ministry, deliveries)
        ministry.credit(3, 8_000_000)
    world.ended(city, messages, MINISTRY)


def killed_in_the_middle(world):
    """SIGKILL with messages and acknowledgements on their way; everybody goes on by itself."""
    city, jobcenter, bus = world.city, world.jobcenter, world.bus
    recorded = [world.message(b"recorded %d" % number) for number in range(3)]
    receipts = world.submit(*recorded)
    deliveries = world.receive(jobcenter, recorded)
    unanswered = [world.message(b"unanswered %d" % number) for number in range(5)]
    city.submit(unanswered)
    jobcenter.acknowledge(deliveries[:1])
    bus.end(signal.SIGKILL)
    held = city.newest.size
    bus.start()
    holds("answers", city.wait(lambda: not city.outbox))
    holds("a log that went on", city.newest.size >= held)
    holds("states", jobcenter.wait(lambda: not jobcenter.acks))
    again = world.submit(*recorded[1:])
    same("entries", [(receipt.sequence, receipt.stub) for receipt in again],
         [(receipt.sequence, receipt.stub) for receipt in receipts[1:]])
    rest = recorded[1:] + unanswered
    world.settle(jobcenter, world.receive(jobcenter, rest))
    states = [item.outcome.state for item in world.ended(city, recorded + unanswered)]
    same("states", states, [b"accepted"] * 8)
    same("each once", len({city.receipts[message.h].sequence for message in recorded + unanswered}), 8)
    city.link()
    jobcenter.link()


def a_new_registry(world):
    """What it allows is allowed from then on, and receipts name its version."""
    bus, city = world.bus, world.city
    fresh, other, after = (world.folder / name for name in ("fresh", "other", "after"))
    flow, wider = "[jobcenter.interop], to: youth", "[jobcenter.interop, city.interop], to: youth"
    for registry, previous, changes in ((fresh, bus.registry, {flow: wider}),
                                        (other, bus.registry, {"400 days": "399 days"}),
                                        (after, other, {})):
        bus.build_registry(registry, previous, changes)
        for root in ROOTS[1:]:
            bus.sign_registry(registry, root)
    fields = {"service": b"alg2.status", "recipient": YOUTH, "body": b"im Hause"}
    same("not yet", fault_of(lambda: world.message(**fields)), "no-agreement")
    bus.reload(fresh)
    world.wait_registry(city, 2)
    same("another version 2", fault_of(city.adopt, other.read_bytes()), "registry")
    same("its successor", fault_of(city.adopt, after.read_bytes()), "registry")
    message = world.message(**fields)
    receipt, = world.submit(message)
    same("version", int.from_bytes(receipt.disclosed[9:17], "big"), 2)
    world.settle(city, world.receive(city, [message]))
    world.ended(city, [message], YOUTH)


def a_key_is_replaced(world):
    """What the old key signed in its time counts; who is behind fetches all registries that followed."""
    bus, city, jobcenter = world.bus, world.city, world.jobcenter
    same("behind", jobcenter.registry.version, 1)
    before = world.message(b"signed before", sender=YOUTH)
    world.submit(before)
    world.receive(jobcenter, [before])
    jobcenter.inbox.clear()  # so that it is opened again, with the newer registry

    (bus.keys / "youth.interop.keys").rename(bus.keys / "youth.old.keys")
    bus.run("keygen", "party", "youth.interop", "--out", world.folder / "new")
    shutil.copy(world.folder / "new" / "youth.interop.keys", bus.keys)
    party = "operated_by: city.interop"
    files = "keys: [{file: youth.old, state: retired}, {file: youth.interop}]"
    registry = world.folder / "replaced"
    bus.build_registry(registry, bus.registry, {party: f"{party}, {files}"})
    for root in ROOTS[:2]:
        bus.sign_registry(registry, root)
    bus.reload(registry)
    world.wait_registry(city, 3)

    late = world.message(b"signed twice", sender=YOUTH)
    city.submit([late])
    holds("an answer", city.wait(lambda: late.h in city.deferrals))
    same("put off", (city.deferrals[late.h].reason, city.deferrals[late.h].field),
         (b"registry-outdated", b"key_id"))
    city.outbox.clear()
    city.secrets[YOUTH] = read_secrets(world.folder / "new" / "youth.interop.secret")[1]
    after = world.message(b"signed with the new key", sender=YOUTH)
    world.submit(late, after)
    deliveries = world.receive(jobcenter, [before, late, after])
    same("registry", jobcenter.registry.version, 3)
    same("bodies", [(delivery.fault, delivery.body) for delivery in deliveries],
         [(None, b"signed before"), (None, b"signed twice"), (None, b"signed with the new key")])
    world.settle(jobcenter, deliveries)
    world.ended(city, [before, late, after])


def a_newer_process_takes_over(world):
    newer = world.client(CITY, YOUTH)
    newer.registry, newer.secrets = world.city.registry, world.city.secrets
    newer.connect()
    same("the older one", fault_of(world.city.expect, "pong"), "replaced")
    world.city.disconnect()
    world.city = newer


STORIES = [
    acknowledgements_that_end_nothing,
    what_is_taken_back,
    what_is_refused_and_why,
    what_is_put_off,
    not_now_and_again,
    nobody_took_it_in_time,
    more_than_the_broker_holds,
    killed_in_the_middle,
    a_new_registry,
    a_key_is_replaced,
    a_newer_process_takes_over,
]
