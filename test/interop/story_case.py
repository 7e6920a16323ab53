# SPDX-License-Identifier: EUPL-1.2
"""Messages that go as they should: receipt, delivery, acknowledgement, outcome."""
from envelope import Message
from proto import frame_pb2
from world import CITY, JOBCENTER, MINISTRY, YOUTH, holds, same


def one_message_all_the_way(world):
    """Receipt, delivery, acknowledgement, outcome; the receipt also convinces the handbook's program."""
    message = world.message(b"Antrag")
    receipt, = world.submit(message)
    world.first = message, receipt
    world.check_with_handbook(receipt.file(), message.header)
    delivery, = world.receive(world.jobcenter, [message])
    same("delivery", (delivery.fault, delivery.body, delivery.attempt, delivery.header.sender),
         (None, b"Antrag", 1, CITY))
    same("sequence", delivery.sequence, receipt.sequence)
    world.settle(world.jobcenter, [delivery])
    outcome, = world.ended(world.city, [message])
    same("state", outcome.outcome.state, b"accepted")
    same("ids", (outcome.outcome.message_id, outcome.outcome.case_id),
         (delivery.header.message_id, delivery.header.case_id))
    world.city.link()
    world.jobcenter.link()


def forty_messages_in_one_submit(world):
    """Two signatures; in order at the other end."""
    bodies = [b"Antrag %d" % number for number in range(40)]
    messages = [world.message(body, region=b"051240000000") for body in bodies]
    places = [receipt.sequence for receipt in world.submit(*messages)]
    same("order", places, sorted(places))
    deliveries = world.receive(world.jobcenter, messages)
    same("bodies", [delivery.body for delivery in deliveries], bodies)
    same("faults", {delivery.fault for delivery in deliveries}, {None})
    same("places", [delivery.sequence for delivery in deliveries], places)
    world.settle(world.jobcenter, deliveries)
    same("states", {item.outcome.state for item in world.ended(world.city, messages)}, {b"accepted"})
    world.city.link()


def a_recipient_says_no(world):
    """In its own signed words; also to a document that is not what the sender committed to."""
    message = world.message(b"Antrag in alter Form")
    world.submit(message)
    words = b"schema", b"version 1 is not read any more"
    world.settle(world.jobcenter, world.receive(world.jobcenter, [message]), *words)
    outcome = world.ended(world.city, [message])[0].outcome
    same("outcome", (outcome.state, outcome.code, outcome.text), (b"rejected", *words))

    honest = world.message(b"one document")
    header = honest.fields
    header.body_commitment = bytes(32)
    forged = Message(header.SerializeToString(), honest.content)
    world.submit(forged)
    delivery, = world.receive(world.jobcenter, [forged])
    same("fault", (delivery.fault.code, delivery.body), ("commitment", b""))
    world.settle(world.jobcenter, [delivery], delivery.fault.code.encode())
    same("code", world.ended(world.city, [forged])[0].outcome.code, b"commitment")


def sent_again_is_the_same_entry(world):
    """With the same signature, and in another batch; proven under a newer checkpoint."""
    message, receipt = world.first
    beside = world.message(b"beside it")
    for batch in ([message], [message, beside]):
        del world.city.receipts[message.h]
        again = world.submit(*batch)[0]
        same("entry", (again.sequence, again.stub, again.nonce),
             (receipt.sequence, receipt.stub, receipt.nonce))
        holds("a newer checkpoint", again.checkpoint.size > receipt.checkpoint.size)
    world.settle(world.jobcenter, world.receive(world.jobcenter, [beside]))
    world.ended(world.city, [beside])
    world.city.link()


def outcomes_come_until_confirmed(world):
    """And what is confirmed comes no more: the next one that comes is newer."""
    city, jobcenter = world.city, world.jobcenter
    before = dict(city.outcomes)
    city.outcomes.clear()
    city.connect()
    holds("the same again", city.wait(lambda: city.outcomes.keys() == before.keys()))
    entries = [item.sequence for item in city.outcomes.values()]
    same("order", entries, sorted(entries))
    city.confirm(CITY, max(item.sequence for item in before.values()))
    # Confirm has no answer, but what was submitted after it is recorded after it.
    message = world.message(b"after the confirmation")
    world.submit(message)
    city.outcomes.clear()
    city.take_deliver(frame_pb2.Deliver(items=before.values()))
    same("old ones", city.outcomes, {})
    city.confirmed.clear()
    city.connect()
    world.settle(jobcenter, world.receive(jobcenter, [message]))
    outcome, = world.ended(city, [message])
    same("outcomes", len(city.outcomes), 1)
    city.confirm(CITY, outcome.sequence)


def a_tenant_and_a_case(world):
    """The city's session speaks for its youth office, whose messages are signed with its own key."""
    city, jobcenter = world.city, world.jobcenter
    question = world.message(b"Antrag", sender=YOUTH)
    world.submit(question)
    delivery, = world.receive(jobcenter, [question])
    same("sender", (delivery.header.sender, delivery.fault), (YOUTH, None))
    world.settle(jobcenter, [delivery])
    answer = world.message(b"Bescheid", client=jobcenter, recipient=YOUTH, service=b"alg2.status",
                           kind=2, status=3, case_id=delivery.header.case_id, in_reply_to=delivery.h)
    world.submit(answer, client=jobcenter)
    reply, = world.receive(city, [answer])
    same("reply", (reply.party, reply.body, reply.header.in_reply_to, reply.header.case_id),
         (YOUTH, b"Bescheid", question.h, question.fields.case_id))
    world.settle(city, [reply])
    world.ended(jobcenter, [answer], YOUTH)
    city.confirm(YOUTH, world.ended(city, [question])[0].sequence)


def an_event_for_two(world):
    """Each recipient ends it for itself; one of them has keys that were made in Python."""
    city, jobcenter = world.city, world.jobcenter
    world.ministry = world.client(MINISTRY)
    world.ministry.connect()
    event = world.message(b"Sterbefall", service=b"event.death", kind=3, recipient=b"")
    world.submit(event)
    for client, code in ((jobcenter, b""), (world.ministry, b"not-responsible")):
        world.settle(client, world.receive(client, [event]), code)
    states = [world.ended(city, [event], party)[0].outcome.state for party in (JOBCENTER, MINISTRY)]
    same("states", states, [b"accepted", b"rejected"])


STORIES = [
    one_message_all_the_way,
    forty_messages_in_one_submit,
    a_recipient_says_no,
    sent_again_is_the_same_entry,
    outcomes_come_until_confirmed,
    a_tenant_and_a_case,
    an_event_for_two,
]
