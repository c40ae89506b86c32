"""What is sent next: newest first, then backfill; again after five seconds; everything on a new epoch."""

from probes.outbox import OLD_SECONDS, RESEND_SECONDS, WINDOW, Outbox
from sereno.ranges import Ranges
from sereno.wire import VERSION, Ack


def ack(epoch, **committed):
    return Ack(v=VERSION, epoch=epoch, committed=committed)


def spans(outbox, now=0.0):
    found = []
    while (flight := outbox.next_batch(now)) is not None:
        found.append((flight.boot, flight.first, flight.last))
    return found


def test_newest_first_then_backfill_in_batches_of_one_boot():
    outbox = Outbox({"old": Ranges([(1, 700)]), "new": Ranges([(5, 20)])})
    outbox.add("now", 1)
    assert spans(outbox) == [("now", 1, 1), ("new", 5, 20), ("old", 201, 700), ("old", 1, 200)]


def test_what_comes_in_meanwhile_goes_before_the_backlog():
    outbox = Outbox({"old": Ranges([(1, 2_000)])})
    assert outbox.next_batch(0.0).last == 2_000
    outbox.add("old", 2_001)
    flight = outbox.next_batch(0.0)
    assert (flight.first, flight.last) == (2_001, 2_001)


def test_only_so_many_batches_are_on_their_way():
    outbox = Outbox({"old": Ranges([(1, 500 * (WINDOW + 2))])})
    assert len(spans(outbox)) == WINDOW
    outbox.acknowledged(ack(1), 0.0)  # the first word of a collector: everything again
    assert len(spans(outbox)) == WINDOW


def test_sent_again_after_five_seconds_without_an_ack_and_not_before():
    outbox = Outbox({})
    outbox.acknowledged(ack(1), 0.0)
    outbox.add("b", 1)
    outbox.add("b", 2)
    assert spans(outbox, 10.0) == [("b", 1, 2)]
    assert spans(outbox, 10.0 + RESEND_SECONDS - 0.01) == []
    assert spans(outbox, 10.0 + RESEND_SECONDS) == [("b", 1, 2)]


def test_only_what_was_not_acknowledged_is_sent_again():
    outbox = Outbox({})
    outbox.acknowledged(ack(1), 0.0)
    for seq in range(1, 11):
        outbox.add("b", seq)
    assert spans(outbox) == [("b", 1, 10)]
    assert outbox.acknowledged(ack(1, b=[(1, 4), (8, 100)]), 0.0) == [("b", (1, 4)), ("b", (8, 10))]
    assert outbox.oldest() == {"b": 5}
    assert spans(outbox, 6.0) == [("b", 5, 7)]


def test_a_new_epoch_sends_everything_again_at_once():
    outbox = Outbox({})
    outbox.acknowledged(ack(1), 0.0)
    outbox.add("b", 1)
    assert spans(outbox) == [("b", 1, 1)]
    outbox.acknowledged(ack(1), 0.0)
    assert spans(outbox) == []
    outbox.acknowledged(ack(2), 0.0)
    assert spans(outbox) == [("b", 1, 1)]


def test_an_ack_of_what_was_never_held_changes_nothing():
    outbox = Outbox({"b": Ranges([(3, 4)])})
    assert outbox.acknowledged(ack(1, b=[(9, 2), (50, 60)], c=[(1, 5)]), 0.0) == []
    assert outbox.held() == {"b": Ranges([(3, 4)])}


def test_a_batch_that_is_too_large_is_sent_in_parts_the_newest_first():
    outbox = Outbox({"old": Ranges([(1, 300)])})
    flight = outbox.shortened(outbox.next_batch(0.0), 251)
    assert (flight.first, flight.last) == (251, 300)
    assert (outbox.next_batch(0.0).first, outbox.next_batch(0.0)) == (1, None)
    assert outbox.acknowledged(ack(1, old=[(251, 300)]), 0.0) == [("old", (251, 300))]
    assert outbox.held() == {"old": Ranges([(1, 250)])}


def test_a_former_writer_is_not_heeded_unless_the_newer_one_has_long_been_silent():
    outbox = Outbox({"b": Ranges([(1, 10)])})
    outbox.acknowledged(ack(7), 0.0)
    assert spans(outbox) == [("b", 1, 10)]
    assert not outbox.heeds(6, 1.0)
    assert outbox.acknowledged(ack(6, b=[(1, 5)]), 1.0) == []
    assert outbox.held() == {"b": Ranges([(1, 10)])}
    assert spans(outbox, 1.0) == []  # nor does it send anything again
    assert outbox.acknowledged(ack(7, b=[(1, 2)]), 10.0) == [("b", (1, 2))]
    assert outbox.acknowledged(ack(6, b=[(3, 5)]), 10.0 + OLD_SECONDS - 0.1) == []
    assert outbox.acknowledged(ack(6, b=[(3, 5)]), 10.0 + OLD_SECONDS) == [
        ("b", (3, 5))
    ]  # a store of yesterday, restored
    assert spans(outbox, 30.0) == [("b", 6, 10)]
