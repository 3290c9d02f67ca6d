import itertools

from hypothesis import given
from hypothesis import strategies as st

from liecbench.algorithms.fragments import FragmentTimes, cut_fragments


@given(
    st.lists(st.integers(1, 1000), min_size=1, max_size=12).flatmap(
        lambda n: st.tuples(st.just(n), st.integers(1, len(n)))
    )
)
def test_fragments_are_consecutive_tensors_and_none_is_empty(case: tuple[list[int], int]) -> None:
    numels, num_fragments = case
    fragments = cut_fragments(numels, num_fragments)

    assert [index for fragment in fragments for index in fragment] == list(range(len(numels)))
    assert len(fragments) == num_fragments
    assert all(fragments)


def test_fragments_have_about_equal_sizes() -> None:
    assert cut_fragments([63, 9, 54, 6, 24, 4], 2) == [[0, 1], [2, 3, 4, 5]]
    assert cut_fragments([10] * 6, 3) == [[0, 1], [2, 3], [4, 5]]
    assert cut_fragments([1000, 1, 1], 3) == [[0], [1], [2]]
    assert cut_fragments([1, 1, 1000], 2) == [[0, 1], [2]]


def test_fragments_take_turns_and_are_sent_before_their_outer_steps() -> None:
    times = FragmentTimes(sync_every=12, num_fragments=3, delay=2)

    # Every 4 steps one fragment: after steps 3, 7, 11, and again after 15.
    applied = {step: times.applied_after(step) for step in range(16)}
    assert {step: fragment for step, fragment in applied.items() if fragment is not None} == {3: 0, 7: 1, 11: 2, 15: 0}
    for step in range(16):
        assert times.sent_after(step) == times.applied_after(step + 2)


def test_impossible_times_are_refused_with_what_to_write() -> None:
    assert FragmentTimes(sync_every=6, num_fragments=2, delay=2).problem() is None
    assert FragmentTimes(sync_every=6, num_fragments=2, delay=3).problem() == (
        "delay 3 is not below sync_every / fragments = 3, so that a fragment would be sent before the one before it "
        "has arrived; write a delay of at most 2, or a larger sync_every"
    )
    assert FragmentTimes(sync_every=7, num_fragments=3, delay=0).problem() == (
        "sync_every 7 is no multiple of fragments 3, which take turns at equal distances; write sync_every 9, or other "
        "fragments"
    )


@given(st.integers(1, 5), st.integers(1, 8), st.data())
def test_a_fragment_is_sent_when_none_is_under_way(num_fragments: int, distance: int, data: st.DataObject) -> None:
    delay = data.draw(st.integers(0, distance - 1))
    times = FragmentTimes(sync_every=distance * num_fragments, num_fragments=num_fragments, delay=delay)
    assert times.problem() is None
    sent = [step for step in range(3 * times.sync_every) if times.sent_after(step) is not None]
    assert all(later - earlier > delay for earlier, later in itertools.pairwise(sent))
