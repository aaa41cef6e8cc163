"""Who gets a place, and how long a process is used."""

from __future__ import annotations

import threading
import time
import uuid

import pytest

from api_gateway import metrics
from api_gateway.errors import Busy
from api_gateway.places import Places
from api_gateway.pool import Life, Pool
from tests.servers import wait_for


class Quiet:
    """A process that only counts."""

    def __init__(self) -> None:
        self.born_at, self.served, self.dead = time.monotonic(), 0, False
        self.slow = False
        # The seconds on the CPU that it uses each time it is asked for them.
        self.behind: float = False
        self.used_s = 0.0

    def open(self, sources, memory_mb=None) -> None:
        self.sources = list(sources)

    def cpu_s(self) -> float:
        self.used_s += self.behind
        return self.used_s

    def wait(self, timeout_s: float) -> None:
        """It goes on for long."""
        time.sleep(timeout_s)
        raise TimeoutError

    def head(self, timeout_s: float) -> tuple[bytes, int]:
        self.wait(timeout_s)
        raise AssertionError

    def alive(self) -> bool:
        return not self.dead

    def kill(self, patience_s: float = 0.0) -> None:
        self.dead = True


class Cradle:
    """What makes them; those that gave way stay behind."""

    takes_turns = False

    def __init__(self) -> None:
        self.made: list[Quiet] = []

    def spawn(self) -> Quiet:
        self.made.append(Quiet())
        return self.made[-1]


class Causes:
    """Why processes of one pool ended, as its metric counts it."""

    def __init__(self, pool: str) -> None:
        self.pool = pool

    @staticmethod
    def _counts(pool: str) -> dict[str, float]:
        (found,) = metrics.ENDED.collect()
        return {
            sample.labels["cause"]: sample.value
            for sample in found.samples
            if sample.labels["pool"] == pool and sample.name.endswith("_total")
        }

    def __eq__(self, other: object) -> bool:
        return other == sorted(self._counts(self.pool))


def pool_of(size: int = 2, life: Life | None = None) -> tuple[Pool, Cradle, Causes]:
    cradle, name = Cradle(), uuid.uuid4().hex
    return Pool(cradle, size, 0.2, spare=False, life=life, name=name), cradle, Causes(name)


def use(pool: Pool, key: str, *, finish: bool = True) -> Quiet:
    with pool.process(key, ()) as lease:
        if finish:
            lease.finish()
        return lease.process


def test_one_process_serves_all_who_may_read_the_same():
    pool, cradle, _ = pool_of()
    assert use(pool, "a") is use(pool, "a")
    assert use(pool, "b") is not use(pool, "a")
    assert len(cradle.made) == 2


def test_process_that_failed_is_not_used_again():
    pool, _, causes = pool_of()
    with pool.process("a", ()) as lease:
        lease.finish()
        lease.fail("query_invalid")
    assert lease.process.dead
    assert use(pool, "a", finish=False).dead
    assert use(pool, "a").dead is False
    assert causes == ["left", "query_invalid"]


@pytest.mark.parametrize(("life", "ages_s"), [(Life(queries=3), 0.0), (Life(seconds=60), 60.0)])
def test_process_is_replaced_after_so_many_queries_and_so_long(life, ages_s):
    pool, _, causes = pool_of(life=life)
    first = use(pool, "a")
    assert use(pool, "a") is first
    first.born_at -= ages_s
    use(pool, "a")
    assert use(pool, "a") is not first
    assert first.dead
    assert causes == ["age"]


def test_process_that_died_while_idle_is_not_leased():
    pool, _, _ = pool_of()
    use(pool, "a").dead = True
    assert use(pool, "a").dead is False


def test_longest_idle_process_makes_room():
    pool, cradle, _ = pool_of(size=2)
    for key in "abc":
        use(pool, key)
    assert [each.dead for each in cradle.made] == [True, False, False]


def test_those_that_gave_way_and_the_others_do_not_end_each_other(monkeypatch):
    monkeypatch.setattr("api_gateway.pool.SLOW_S", 0.01)
    pool, cradle, _ = pool_of(size=2)

    def lease(work: str):
        lease = pool.lease("a", (), work, work)
        lease.process.behind |= work == "heavy"
        return lease

    def end(lease, seconds: float = 0.0) -> None:
        time.sleep(seconds)
        lease.finish()
        lease.end()

    end(lease("heavy"), 0.02)
    for _ in range(3):
        heavy, light = lease("heavy"), lease("light")
        end(heavy, 0.02)
        another = lease("other")
        end(light)
        end(another)
    # The first one, which gave way, and one for each of two that ran at once.
    assert len(cradle.made) == 3
    assert not any(each.dead for each in cradle.made)


def test_what_a_new_process_needs_for_its_tables_makes_no_query_slow(monkeypatch):
    monkeypatch.setattr("api_gateway.pool.SLOW_S", 0.02)
    monkeypatch.setattr("api_gateway.pool.LONG_CPU_S", 0.01)
    pool, cradle, _ = pool_of()
    for took_long in (False, True):
        lease = pool.lease("a", (), "", "light")
        lease.process.behind = 0.015
        time.sleep(0.03)
        assert lease.took_long() is took_long
        lease.finish()
        lease.end()
    assert len(cradle.made) == 1


def test_those_that_take_turns_are_kept_for_every_place(monkeypatch):
    monkeypatch.setattr("api_gateway.pool.SLOW_S", 0.01)
    monkeypatch.setattr(Cradle, "takes_turns", True)
    pool, cradle, _ = pool_of(size=2)

    def lease_and_end(*works: str) -> None:
        leases = [pool.lease("a", (), work, work) for work in works]
        for lease in leases:
            lease.process.behind = lease.work == "heavy"
        time.sleep(0.02)
        for lease in leases:
            lease.finish()
            lease.end()

    lease_and_end("heavy")
    for _ in range(3):
        lease_and_end("heavy", "light", "other")
    assert len(cradle.made) == 3
    assert not any(each.dead for each in cradle.made)


def test_queries_known_to_take_long_have_processes_and_places_of_their_own(monkeypatch):
    monkeypatch.setattr("api_gateway.pool.SLOW_S", 0.05)
    monkeypatch.setattr("api_gateway.pool.SLOW_QUEUE_S", 0.1)
    pool, _, _ = pool_of(size=2)

    def lease(work: str, seconds: float = 0.0):
        lease = pool.lease("a", (), "", work)
        lease.process.behind |= seconds > 0.05
        time.sleep(seconds)
        lease.finish()
        lease.end()
        return lease.process

    behind = lease("heavy", 0.06)
    quick = lease("light")
    assert quick is not behind
    assert lease("heavy", 0.06) is behind
    running = pool.lease("a", (), "somebody", "heavy")
    with pytest.raises(Busy):
        pool.lease("a", (), "", "heavy")
    assert lease("light") is quick
    running.finish()
    running.end()
    # In a process that holds what it read it is quicker, and stays with it.
    assert lease("heavy") is behind
    assert lease("heavy") is behind
    # Once it hardly used the CPU, it is no longer known to take long.
    behind.behind = False
    assert lease("heavy") is behind
    assert lease("heavy") is quick


def test_queries_found_to_take_long_while_they_run_leave_places_to_others(monkeypatch):
    monkeypatch.setattr("api_gateway.pool.SLOW_S", 0.02)
    monkeypatch.setattr("api_gateway.pool.SLOW_QUEUE_S", 0.1)
    pool, _, _ = pool_of(size=4)
    unknown = [pool.lease("a", (), party, "heavy") for party in ("1st", "2nd", "3rd", "4th")]
    for lease in unknown:
        lease.process.behind = True
        with pytest.raises(TimeoutError):
            lease.receive(0.05)
    assert (pool.slow_places.held, pool.places.held) == (4, 0)
    with pytest.raises(Busy):
        pool.lease("a", (), "5th", "heavy")
    light = [pool.lease("a", (), party, "light") for party in ("5th", "6th")]
    for lease in (*unknown, *light):
        lease.finish()
        lease.end()
    assert pool.busy == 0
    assert sum(lease.process.dead for lease in unknown) == 2
    assert [lease.process.slow for lease in light] == [False, False]


def test_who_asks_what_was_found_to_take_long_waits_for_another_place(monkeypatch):
    monkeypatch.setattr("api_gateway.pool.SLOW_S", 0.02)
    monkeypatch.setattr("api_gateway.pool.SLOW_QUEUE_S", 0.2)
    pool, _, _ = pool_of(size=1)
    refused: list[Busy] = []

    def wait() -> None:
        with pytest.raises(Busy) as refusal:
            pool.lease("a", (), "second", "heavy")
        refused.append(refusal.value)

    first, thread = pool.lease("a", (), "first", "heavy"), threading.Thread(target=wait)
    thread.start()
    wait_for(lambda: pool.places.waiting == 1, "its place in the queue")
    first.process.behind = True
    with pytest.raises(TimeoutError):
        first.receive(0.05)
    wait_for(lambda: pool.slow_places.waiting == 1, "its place in the other queue")
    pool.lease("a", (), "third", "light").end()
    thread.join()
    assert refused
    first.end()


def test_no_party_holds_every_place_and_who_waits_too_long_is_told():
    places = Places(4, 0.05)
    for _ in range(3):
        places.take("greedy")
    with pytest.raises(Busy):
        places.take("greedy")
    places.take("other")
    assert (places.held, places.waiting) == (4, 0)
    with pytest.raises(Busy) as refusal:
        places.take("third")
    assert refusal.value.headers["Retry-After"]
    places.free("greedy")
    places.take("third")


def test_free_places_go_to_the_party_that_has_the_fewest_and_then_by_turn():
    places, order = Places(4, 10), []
    for party in ("first", "first", "second", "second"):
        places.take(party)

    def want(party: str) -> None:
        places.take(party)
        order.append(party)

    threads = []
    for count, party in enumerate(["greedy", "greedy", "greedy", "modest", "late"], 1):
        threads.append(threading.Thread(target=want, args=[party]))
        threads[-1].start()
        wait_for(lambda count=count: places.waiting == count, "its place in the queue")
    for count, party in enumerate(["first", "second", "first", "second", "greedy"], 1):
        places.free(party)
        wait_for(lambda count=count: len(order) == count, "the next one")
    for thread in threads:
        thread.join()
    assert order == ["greedy", "modest", "late", "greedy", "greedy"]


def test_a_place_that_was_set_apart_does_not_set_back_the_others_of_its_party():
    places, order = Places(4, 10), []
    for party in "abbc":
        places.take(party)
    places.set_apart("a")

    def want(party: str) -> None:
        places.take(party)
        order.append(party)

    threads = [threading.Thread(target=want, args=[party]) for party in "ad"]
    for count, thread in enumerate(threads, 1):
        thread.start()
        wait_for(lambda count=count: places.waiting == count, "its place in the queue")
    for count, party in enumerate("bc", 1):
        places.free(party)
        wait_for(lambda count=count: len(order) == count, "the next one")
    for thread in threads:
        thread.join()
    assert order == ["a", "d"]
    places.free("a", apart=True)
    places.take("a")


def test_a_single_place_is_for_everyone():
    places = Places(1, 0.05)
    places.take("a")
    places.free("a")
    places.take("b")
