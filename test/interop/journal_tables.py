# SPDX-License-Identifier: EUPL-1.2
"""The tables of a journal that follow from its entries (docs/journal.md "Derived tables", "State entries"),
compared with what the entries give. It does not run the broker's rules: what these alone can tell is left out.
"""
from envelope import sha256, u8, u16, u32, u64
from journal_store import number
from proto import journal_pb2 as pb

ACCEPTED, REJECTED, EXPIRED, CANCELLED, DISCARDED = 1, 2, 3, 4, 5
OVERDUE, DUE_SOON = 8, 9  # in outcomes alone
HEARD = 0x80  # in a row of `end`, beside the state: it ended without its recipient, who spoke later
DELAYED, DEAD, HELD = 0, 6, 7  # states in `end` of what has not ended
RELEASE, SUMMARY, PARKED, ASKED, OUTCOMES = 1, 3, {4: DEAD, 5: HELD}, 6, 3
NEVER = 2 ** 64 - 1
SUBMISSION, ENQUIRY = 1, 4  # kinds of message
WAITS, OVER, REMINDS, WARNS, LATE = 0, 1, 2, 3, 4  # what counter `e` says of them
COMMON = 0  # under this number stands what the rows of several recipients of a message have in common


def check(verifier):
    tables = Tables(verifier)
    for part in (tables.parties, tables.seen, tables.ends, tables.open, tables.totals, tables.asked, tables.holds,
                 tables.order, tables.instructed, tables.seals, tables.marks, tables.states):
        verifier.guarded(verifier.journal.size, part)


def expires(header, decision):
    """When a message expires: the rules may have said another time than its header."""
    return decision.expires_ms or header.expires_ms


class Tables:
    def __init__(self, verifier):
        self.verifier, self.journal, self.find = verifier, verifier.journal, verifier.find
        self.numbers = {key: number(value) for key, value in self.journal.rows("party")}
        self.names = {value: key for key, value in self.numbers.items()}
        self.ends_of = {}  # (sequence, party): (state, ending entry, index)
        self.parked = {}  # the same of what waits for an operator
        self.waits = {}  # (sequence, party): the lane of what waits in `timer`, dead letters apart
        self.sent = {(sequence, self.numbers.get(name)) for sequence, message in verifier.messages.items()
                     for name in message[2].recipients}
        self.readable = self.journal.keyring is not None

    def parties(self):
        listed = set()
        for _, registry in self.verifier.registries:
            listed |= set(registry.parties)
        named = {number(key[1:]): value for key, value in self.journal.rows("counter", b"n")}
        if set(self.numbers) != listed or named != self.names or \
                sorted(self.names) != list(range(1, len(listed) + 1)) or \
                self.journal.get("counter", b"p") != u32(len(listed)):
            self.find(0, "party", "numbers are not those of the registries' parties")

    def seen(self):
        """A row for each message that was accepted or refused for good; h cannot be taken twice."""
        messages, refused, found = self.verifier.messages, self.verifier.refused, set()
        for key, value in self.journal.rows("seen"):
            sequence, kind = number(value[:8]), value[8]
            found.add(sequence)
            h, header = (messages if kind == 1 else refused).get(sequence, (None, None))[:2]
            stub = self.journal.get("stub", value[:8])
            if len(key) != 20 or len(value) != 25 or kind not in (1, 2) or not stub or stub[1] != kind:
                self.find(sequence, "seen", "names an entry of another kind")
            elif sequence in self.verifier.unread or h is None:
                if self.readable and h is None and not self.is_erased(sequence):
                    self.find(sequence, "seen", "names an entry that is not there")
            elif value[9:] != h[:16] or header and key != header.message_id + \
                    u32(self.numbers.get(header.sender, 0)):
                self.find(sequence, "seen", "is not of this message")
        for sequence in set(messages) - found:
            self.find(sequence, "seen", "is not there")

    def is_erased(self, sequence):
        return sequence in {row[2] for row in self.verifier.absent}

    def ends(self):
        """A row for each delivery that came to its end, by the entry that ended it."""
        ended, late, heard = {}, set(), set()
        for at, (batch, decision) in self.verifier.acks.items():
            for index, (ack, verdict) in enumerate(zip(batch.acks, decision.verdicts)):
                if verdict == pb.ACK_LATE:
                    late.add((ack.sequence, self.numbers.get(batch.recipient)))
                if verdict == pb.ACK_CLOSED:
                    ended[ack.sequence, self.numbers.get(batch.recipient)] = (
                        ACCEPTED if ack.accepted else REJECTED, at, index)
        for at, (state, decision) in self.verifier.ended.items():
            for index, one in enumerate(decision.affected):
                ended[one.sequence, self.numbers.get(one.party)] = (state, at, index)
        for key, value in self.journal.rows("end"):
            sequence, party = number(key[:8]), number(key[8:])
            state, at, index = value[0] & ~HEARD, number(value[1:9]), value[9]
            if value[0] & HEARD:
                heard.add((sequence, party))
            if state in (DEAD, HELD):
                self.parked[sequence, party] = (state, at, index)
            if state in (DELAYED, DEAD, HELD):
                continue
            self.ends_of[sequence, party] = (state, at, index)
            if (sequence, party) not in ended and at not in self.verifier.unread or \
                    ended.get((sequence, party), (state, at, index)) != (state, at, index):
                self.find(sequence, "end", f"is not what entry {at} says of party {party}")
        for sequence, party in set(ended) - set(self.ends_of):
            if sequence not in self.verifier.unread:
                self.find(sequence, "end", "is not there")
        unread = any(self.kind_of(at) == 3 for at in self.verifier.unread)
        for sequence, party in late - heard | (set() if unread else heard - late):
            if (sequence, party) in self.ends_of:
                self.find(sequence, "end", f"party {party} spoke after the end, or did not, and the row says otherwise")
        for sequence, party in late | heard:
            if self.ends_of.get((sequence, party), (EXPIRED,))[0] not in (EXPIRED, CANCELLED, DISCARDED):
                self.find(sequence, "end", f"party {party} spoke itself, and is said to have been late")

    def deliveries(self, size):
        """Those of entries below a size that nothing below it has ended: (sequence, party)."""
        return {row for row in self.sent if row[0] < size and
                self.ends_of.get(row, (0, size))[1] >= size}

    def queue_row(self, sequence):
        """What a row of `queue` holds of a message behind the attempts, or None when it is not read."""
        if sequence not in self.verifier.messages:
            return None
        h, header, decision, *_ = self.verifier.messages[sequence]
        sender = u32(self.numbers.get(header.sender, 0))
        size = u32(self.verifier.header_bytes[sequence] + header.content_length)
        return sender + size + u64(expires(header, decision)) + h + header.message_id + header.case_id

    def recipient_row(self, sequence):
        """The same of one recipient's row: nothing where the row of several has a common one."""
        message = self.verifier.messages.get(sequence)
        if message and message[2].rules_version >= 1 and len(message[2].recipients) > 1:
            return b""
        return self.queue_row(sequence)

    def is_row(self, value, sequence):
        """One recipient's row: attempts, the message, and strikes (with the service's limit) where there are any."""
        expected = self.recipient_row(sequence)
        if expected is None:
            return True
        tail = value[2 + len(expected):]
        return value[2:2 + len(expected)] == expected and \
            (not tail or len(tail) == (4 if expected else 2) and any(tail))

    def park(self, key, due, sequence, party, what, value):
        """A dead letter, or held: `end` says by which entry, and that entry says so."""
        state, at, index = self.parked.pop((sequence, party), (None, 0, 0))
        message = self.verifier.messages.get(sequence)
        if due != NEVER or state != PARKED[what] or message and (
                message[1].priority != value[0] or not self.is_row(value[9:], sequence)):
            self.find(sequence, "timer", f"parked, and not of this message: {key.hex()}")
        decision = self.verifier.parking.get(at)
        if at in self.verifier.unread or decision is None and self.kind_of(at) == (6 if state == DEAD else 9):
            return
        named = decision is not None and (
            index < len(decision.affected) and decision.affected[index].sequence == sequence and
            self.numbers.get(decision.affected[index].party) == party or
            state == HELD and not decision.affected and index == 0 and
            (message is None or decision.held_service == message[1].service))
        if not named or self.kind_of(at) != (6 if state == DEAD else 9):
            self.find(sequence, "end", f"entry {at} does not say that it waits for an operator")

    def commons(self, commons, waiting):
        """A message for several recipients has one common row, as long as somebody waits for it."""
        sharing = {sequence for sequence, _ in waiting
                   if sequence in self.verifier.messages and self.recipient_row(sequence) == b""}
        for sequence in sharing | set(commons):
            if sequence not in self.verifier.messages:
                continue
            count = len([row for row in waiting if row[0] == sequence])
            recipients = self.verifier.messages[sequence][2].recipients
            expected = u16(count) + self.queue_row(sequence) + b"".join(
                u32(self.numbers.get(name, 0)) for name in recipients)
            limit = commons.get(sequence, b"")[len(expected):]
            if commons.get(sequence) != expected + limit or limit and (len(limit) != 2 or not any(limit)):
                self.find(sequence, "queue", "its common row is not of this message and those it waits for")

    def open(self):
        """What has not ended waits in `queue` or in `timer`, and nothing else does."""
        waiting, delayed, commons = set(), {}, {}
        for key, value in self.journal.rows("queue"):
            party, lane, sequence = number(key[:4]), key[4], number(key[5:])
            if lane == OUTCOMES:
                self.outcome(party, sequence, value)
                continue
            if party == COMMON:
                commons[sequence] = value
                continue
            waiting.add((sequence, party))
            message = self.verifier.messages.get(sequence)
            if message and (message[1].priority != lane or not self.is_row(value, sequence)):
                self.find(sequence, "queue", f"party {party}: another lane or message")
        for key, value in self.journal.rows("timer"):
            due, sequence, party, what = (number(key[:8]), number(key[8:16]), number(key[16:20]),
                                          number(key[20:]))
            message = self.verifier.messages.get(sequence)
            if what == RELEASE:
                waiting.add((sequence, party))
                delayed[sequence, party] = (due, value[:1])
                self.waits[sequence, party] = value[0]
                if message and (message[1].priority != value[0] or not self.is_row(value[1:], sequence)):
                    self.find(sequence, "timer", "is not of this message")
            elif what in PARKED:
                waiting.add((sequence, party))
                if PARKED[what] == HELD:
                    self.waits[sequence, party] = value[0]
                self.park(key, due, sequence, party, what, value)
            elif what == 2:
                lane = message and (0 if party == COMMON else message[1].priority)
                if message and (expires(message[1], message[2]) != due or value != u8(lane) or
                                (party == COMMON) != (self.recipient_row(sequence) == b"")):
                    self.find(sequence, "timer", "expires at another time, or in another lane")
            elif what == ASKED:
                row = self.journal.get("counter", b"e" + u32(party) + value) or b""
                if len(value) != 16 or row[:8] != u64(sequence) or row[12:20] != u64(due):
                    self.find(sequence, "timer", "is the time of a message that nobody waits for")
            elif what != SUMMARY or value or due != 60_000 * (sequence + 1) or \
                    self.journal.get("counter", b"r" + u32(party) + u64(sequence)) is None:
                self.find(self.journal.size, "timer", f"sums up nothing: {key.hex()}")
        for sequence, party in self.parked:
            self.find(sequence, "end", f"party {party}: waits for an operator, and is not in `timer`")
        self.commons(commons, waiting)
        there = {row for row in waiting if row[0] not in self.verifier.unread}
        for sequence, party in there ^ self.deliveries(self.journal.size):
            self.find(sequence, "open", f"party {party}: waits or has ended, and the tables say otherwise")
        self.delayed(delayed)

    def delayed(self, delayed):
        """Rows of `end` in state 0 say where a message waits."""
        said = {(number(key[:8]), number(key[8:])): (number(value[1:9]), value[9:])
                for key, value in self.journal.rows("end") if value[0] == 0}
        for row in {*said, *delayed}:
            if said.get(row) != delayed.get(row):
                self.find(row[0], "end", f"party {row[1]}: waits elsewhere in `timer`")

    def outcome(self, party, sequence, value):
        """Outcomes wait for the sender, by the entry that brought them."""
        for at in range(0, len(value), 78):
            item = value[at:at + 78]
            message, state = number(item[:8]), self.ends_of.get((number(item[:8]), number(item[8:12])))
            if len(item) == 78 and item[12] in (OVERDUE, DUE_SOON):
                state = self.reminder(message, sequence, item)
            known = self.verifier.messages.get(message)
            if len(item) != 78 or state != (item[12], sequence, item[13]) or known and (
                    item[14:] != known[0] + known[1].message_id + known[1].case_id or
                    self.numbers.get(known[1].sender) != party):
                self.find(sequence, "queue", f"outcome of {message} is another one")

    def reminder(self, message, sequence, item):
        """What entry and item have to say of a message that nobody replied to; None when they do not."""
        decision, index = self.verifier.overdue.get(sequence), item[13]
        if decision is None or index >= len(decision.affected):
            return (item[12], sequence, index) if sequence in self.verifier.unread else None
        affected = decision.affected[index]
        kind = {OVERDUE: 30, DUE_SOON: 33}[item[12]]
        fits = self.kind_of(sequence) == kind and affected.sequence == message and \
            self.numbers.get(affected.party) == number(item[8:12])
        return (item[12], sequence, index) if fits else None

    def totals(self):
        """Counter `q`: messages and bytes that wait for each party; `r` lives as long as its timer."""
        counted = {}
        for sequence, party in self.deliveries(self.journal.size):
            messages, size = counted.get(party, (0, 0))
            room = self.verifier.header_bytes[sequence] + self.verifier.messages[sequence][1].content_length
            counted[party] = (messages + 1, size + room)
        rows = {number(key[1:]): (number(value[:8]), number(value[8:]))
                for key, value in self.journal.rows("counter", b"q")}
        for party in {*rows, *counted}:
            if rows.get(party, (0, 0)) != counted.get(party, (0, 0)) and not self.unread_open():
                self.find(self.journal.size, "counter", f"party {party}: other totals wait")
        timers = {key[16:20] + key[8:16] for key, _ in self.journal.rows("timer") if key[20] == SUMMARY}
        refusals = {key[1:]: number(value[8:]) for key, value in self.journal.rows("counter", b"r")}
        if set(refusals) != timers:
            self.find(self.journal.size, "counter", "refusals without a time at which they are summed up")

    def asked(self):
        """Counter `e`: what waits for a word, each with its time in `timer`; `w`: how many enquiries of one party wait;
        `o`: how many messages one party has not replied to in time."""
        timers = {(key[8:16], key[16:20], value): key[:8] for key, value in self.journal.rows("timer")
                  if key[20] == ASKED}
        waiting, late = {}, {}
        for key, value in self.journal.rows("counter", b"e"):
            sequence, asker, state = number(value[:8]), key[1:5], value[20]
            ids, service = (value[21:85], value[85:]) if state in (REMINDS, WARNS) else (b"", value[21:])
            if state == WARNS:
                later, service = number(service[:8]) > number(value[12:20]), service[8:]
                if not later:
                    self.find(sequence, "counter", "is overdue before its sender is warned")
            message = self.verifier.messages.get(sequence)
            if timers.get((value[:8], asker, key[5:])) != value[12:20] or message and (
                    message[1].kind != (ENQUIRY if state in (WAITS, OVER) else SUBMISSION) or
                    ids and ids != message[0] + message[1].message_id + message[1].case_id or self.numbers.get(message[1].sender) != number(asker) or
                    message[1].service != service or
                    self.numbers.get(message[2].recipients[0]) != number(value[8:12]) or
                    sha256(b"dienstweg/v1/asked\0", message[0], message[1].case_id)[:16] != key[5:]):
                self.find(sequence, "counter", "is not a message that was sent so")
            if state == WAITS:
                waiting[asker + service] = waiting.get(asker + service, 0) + 1
            if state == LATE:
                late[value[8:12]] = late.get(value[8:12], 0) + 1
        told = {key[1:]: number(value) for key, value in self.journal.rows("counter", b"w")}
        if told != waiting:
            self.find(self.journal.size, "counter", "another number of enquiries waits for answers")
        if {key[1:]: number(value) for key, value in self.journal.rows("counter", b"o")} != late:
            self.find(self.journal.size, "counter", "another number of messages is overdue")

    def unread_open(self):
        """Does something wait that cannot be read?"""
        return any(number(key[5:]) in self.verifier.unread for key, _ in self.journal.rows("queue")) or any(
            number(key[8:16]) in self.verifier.unread for key, _ in self.journal.rows("timer"))

    def order(self):
        """What waits in `timer` holds back later ones of its sender and case, since rules version 1."""
        rows = {(number(key[25:]), number(key[:4])): key for key, _ in self.journal.rows("order")}
        for (sequence, party), key in rows.items():
            message = self.verifier.messages.get(sequence)
            if (sequence, party) not in self.waits or message and key[4:25] != u8(message[1].priority) + \
                    u32(self.numbers.get(message[1].sender, 0)) + message[1].case_id:
                self.find(sequence, "order", f"party {party}: nothing that waits")
        for sequence, party in set(self.waits) - set(rows):
            message = self.verifier.messages.get(sequence)
            if message and message[2].rules_version >= 1:
                self.find(sequence, "order", f"party {party}: waits, and holds nothing back")

    def holds(self):
        rows = {key: number(value) for key, value in self.journal.rows("hold")}
        held = {key: at for key, at in rows.items() if len(key) == 16}
        stops = {b"q" + u32(self.numbers.get(name, 0)) if kind == "party" else b"s" + name.ljust(64, b"\0"): at
                 for (kind, name), at in self.verifier.stops.items()}
        if {key: at for key, at in rows.items() if len(key) != 16} != stops:
            self.find(self.journal.size, "hold", "not the queues and services that entries hold")
        readable = {case: at for case, at in held.items() if at not in self.verifier.unread}
        if readable != self.cases_held() or any(self.kind_of(at) != 12 for at in held.values()):
            self.find(self.journal.size, "hold", "not the cases that entries put under hold")

    def cases_held(self):
        """{case: entry} of what can be read. A release may be erased before its hold: each state says which hold."""
        held, events = {}, list(self.verifier.holds)

        def until(size):
            while events and events[0][0] < size:
                sequence, case, holds = events.pop(0)
                held.update({case: sequence}) if holds else held.pop(case, None)
        for sequence, cut, state in self.verifier.states:
            until(cut.size)
            if len(cut.tables) < 8:
                continue  # of rules version 0: it does not say
            told, mine = set(state.holds), set(held.values())
            gone = any(at < cut.size and self.kind_of(at) == 13 for at in self.verifier.unread)
            if told - mine - self.verifier.unread or mine - told and not gone or \
                    list(state.holds) != sorted(told):
                self.find(sequence, "state", "other cases were under hold")
            held = {case: at for case, at in held.items() if at in told}
        until(self.journal.size)
        return held

    def kind_of(self, sequence):
        return (self.journal.get("stub", u64(sequence)) or bytes(2))[1]

    def instructed(self):
        for key, value in self.journal.rows("instructed"):
            if number(key) >= self.journal.size or len(value) != 32:
                self.find(number(key), "instructed")

    def seals(self):
        for key, value in self.journal.rows("seal"):
            class_, label = key[1], number(value)
            if len(key) != 10 or key[0] not in (1, 2) or not class_ or len(value) != 4:
                self.find(number(key[2:]), "seal", "form")
            elif self.readable and label and (class_, label) not in self.journal.keyring.keys:
                self.find(number(key[2:]), "seal", f"no key of class {class_} for {label}")

    def marks(self):
        """Rows of `meta` that name entries."""
        state, found = self.journal.get("meta", b"state"), self.verifier.states
        if state and (not found or state != u64(found[-1][0]) + u64(found[-1][1].size) +
                      u64(found[-1][1].batch_ms)) or found and not state:
            self.find(self.journal.size, "meta", "state")
        erased = self.journal.get("meta", b"erased")
        if (number(erased) + 1 if erased else 0) != self.verifier.last_erased:
            self.find(self.journal.size, "meta", "erased")
        cosigned = self.journal.get("meta", b"cosigned")
        if cosigned and number(cosigned[16:24]) != (self.verifier.witnessed or [-1])[-1] + 1:
            self.find(self.journal.size, "meta", "cosigned")
        week = self.journal.get("meta", b"erase-week")
        if week and number(week) > (self.journal.batch_ms // 86400000 + 3) // 7:
            self.find(self.journal.size, "meta", "erase-week")
        for key, value in self.journal.rows("meta", b"confirmed"):
            if number(value) >= self.journal.size or number(key[9:]) not in self.names:
                self.find(self.journal.size, "meta", "confirmed")

    # State entries

    def states(self):
        for sequence, cut, state in self.verifier.states:
            parts = dict(zip(("queue", "timer", "seen", "end", "counter", "party", "hold"), cut.tables))
            start = getattr(cut, "from")
            for name, rows in (("seen", self.seen_rows(start, cut.size)),
                               ("end", self.end_rows(start, cut.size)),
                               ("party", self.party_rows(cut.size))):
                digest = sha256(b"dienstweg/v1/table\0", name.encode(), b"\0", *(
                    u32(len(key)) + key + u32(len(value)) + value +
                    (self.secret(name, value) if len(cut.tables) >= 8 else b"") for key, value in rows))
                if digest != parts[name].digest and not self.erased_in(start, cut.size):
                    self.find(sequence, "state", f"the table {name} was another one")
            self.state_open(sequence, cut.size, state)
            self.permanent(sequence, cut, state)

    def permanent(self, sequence, cut, state):
        """What is never erased is counted: one that is taken out of a pruned journal leaves no other trace."""
        if len(cut.tables) < 8:
            return  # of rules version 0: it does not say
        told, at = set(), 0
        for step in state.permanent:
            at += step
            told.add(at)
        for at in sorted(told - self.verifier.permanent):
            self.find(at, "stub", f"is gone altogether, or is another one: state entry {sequence} counts it as permanent")
        for at in self.verifier.permanent - told:
            if getattr(cut, "from") <= at < cut.size:
                self.find(sequence, "state", f"does not count entry {at}, which is permanent")

    def secret(self, name, value):
        """Of the entry that a row of `seen` or `end` is about; it counts with the row, since rules version 1."""
        if name == "party":
            return b""
        return self.verifier.secrets.get(number(value[:8] if name == "seen" else value[1:9]), bytes(32))

    def seen_rows(self, start, size):
        rows = [row for row in self.journal.rows("seen") if start <= number(row[1][:8]) < size]
        return sorted(rows, key=lambda row: row[1][:8])

    def end_rows(self, start, size):
        rows = [(key, u8(value[0] & ~HEARD) + value[1:]) for key, value in self.journal.rows("end")]
        rows = [row for row in rows
                if row[1][0] in range(ACCEPTED, DISCARDED + 1) and start <= number(row[1][1:9]) < size]
        return sorted(rows, key=lambda row: row[1][1:10])

    def party_rows(self, size):
        known = {name for at, registry in self.verifier.registries if at < size for name in registry.parties}
        return [row for row in self.journal.rows("party") if row[0] in known]

    def erased_in(self, start, size):
        return start < self.verifier.pruned.before or any(start <= row[2] < size for row in self.verifier.absent)

    def state_open(self, sequence, size, state):
        """What waited when the state was taken."""
        named = {(row.sequence, row.party) for row in state.waiting if row.lane != OUTCOMES}
        for lane in state.lanes:
            at = 0
            for step in lane.steps:
                at += step
                if lane.lane != OUTCOMES:
                    named.add((at, lane.party))
        named = {row for row in named if row[0] not in self.verifier.unread}
        for at, party in named ^ self.deliveries(size):
            self.find(sequence, "state", f"entry {at} waited for party {party}, or did not")
