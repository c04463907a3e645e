import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.remembered import GENERATIONS, Keys, Remembered, keys_of


def keys(*references: str, status: str = "completed") -> Keys:
    return keys_of(pa.chunked_array([list(references)]), pa.chunked_array([[status] * len(references)]))


def numbered(numbers: range) -> Keys:
    return keys(*(f"T-{number}" for number in numbers))


def test_all_but_the_first_of_equal_keys_are_repeats():
    remembered = Remembered(1000)

    assert remembered.repeats(keys("a", "b", "a", "a", "c")).tolist() == [False, False, True, True, False]
    assert remembered.repeats(keys("c", "d", "b", "d")).tolist() == [True, False, True, True]
    assert len(remembered) == 4


def test_a_reference_with_another_status_is_another_key():
    remembered = Remembered(1000)
    remembered.repeats(keys("a", status="pending"))

    assert remembered.repeats(keys("a", status="completed")).tolist() == [False]


def test_what_stands_in_the_reference_is_not_mistaken_for_the_status():
    remembered = Remembered(1000)
    remembered.repeats(keys("pending", status="completed"))

    assert remembered.repeats(keys("completed", status="pending")).tolist() == [False]


def test_half_a_hash_alone_makes_no_repeat():
    remembered = Remembered(1000)
    one = np.array([7], dtype=np.uint64)
    remembered.repeats(Keys(one, one))

    assert remembered.repeats(Keys(one, one + one)).tolist() == [False]


def test_the_newest_keys_are_kept_and_the_oldest_go():
    most = 8_000
    remembered = Remembered(most)
    for first in range(0, 40_000, 100):
        assert not remembered.repeats(numbered(range(first, first + 100))).any()

    assert most * (GENERATIONS - 1) // GENERATIONS <= len(remembered) <= most
    assert remembered.repeats(numbered(range(40_000 - len(remembered), 40_000))).all()
    assert not remembered.repeats(numbered(range(100))).any()


def test_small_batches_do_not_make_many_places_to_look_in():
    remembered = Remembered(80_000)
    for first in range(0, 120_000, 30):
        remembered.repeats(numbered(range(first, first + 30)))

    assert len(remembered._runs) < 40


def test_a_batch_larger_than_all_that_is_kept_is_still_known_as_the_last_one():
    remembered = Remembered(100)
    remembered.repeats(numbered(range(1000)))

    assert remembered.repeats(numbered(range(1000))).all()


@pytest.mark.timeout(60)
@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.integers(0, 60), max_size=30), max_size=20))
def test_the_answer_is_that_of_a_plain_set(batches):
    remembered, seen = Remembered(1_000_000), set()
    for batch in batches:
        expected = []
        for number in batch:
            expected.append(number in seen)
            seen.add(number)
        assert remembered.repeats(keys(*map(str, batch))).tolist() == expected
