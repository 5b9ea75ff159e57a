"""Readers look at jobs of this run or at the list; only a state that was told becomes a record."""

from loadtests.follow import Follower
from loadtests.outcomes import Answer
from loadtests.reader import RECENT, Reader

LIST = Answer(200, b'{"jobs": []}')


class World:
    def __init__(self, listing=LIST, seed=1):
        self.records, self.rows, self.asked = [], [], []
        follower = Follower(self.read, self, self.row, lambda _: None)
        self.listing_answer = listing
        self.reader = Reader(follower, self.listing, self.row, seed)

    def append(self, event, **fields):
        self.records.append({"event": event, **fields})

    def row(self, *row):
        self.rows.append(row)

    def read(self, job_id):
        self.asked.append(job_id)
        return Answer(200, b'{"state": "STARTED"}')

    def listing(self):
        if isinstance(self.listing_answer, Exception):
            raise self.listing_answer
        return self.listing_answer


def test_before_the_first_job_only_the_list_is_read():
    world = World()
    for _ in range(20):
        world.reader.look()
    assert {row[:2] for row in world.rows} == {("GET", "/jobs")}
    assert world.records == []
    assert {row[4] for row in world.rows} == {None}


def test_both_are_read_and_states_are_recorded():
    world = World()
    world.reader.remember("r-000000", "j0")
    for _ in range(100):
        world.reader.look()
    names = [row[1] for row in world.rows]
    assert 20 < names.count("/jobs/[id]") < 80
    assert len(world.records) == names.count("/jobs/[id]")
    first = world.records[0]
    assert (first["event"], first["key"], first["id"], first["state"]) == (
        "status",
        "r-000000",
        "j0",
        "STARTED",
    )


def test_old_jobs_are_forgotten():
    world = World()
    for number in range(RECENT + 50):
        world.reader.remember(f"r-{number:06d}", f"j{number}")
    for _ in range(600):
        world.reader.look()
    assert {int(job[1:]) >= 50 for job in world.asked} == {True}


def test_trouble_with_the_list_is_a_failed_row():
    for bad in (Answer(503, b""), Answer(200, None), OSError("gone")):
        world = World(bad)
        world.reader.look()
        assert world.rows[0][4]
        assert world.records == []
