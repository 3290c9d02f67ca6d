"""Profiles that lack times of compressors: one mistake per profile, which names all of them."""

from tests.config.test_mistakes import places
from tests.scenarios import error_of, scenario

TIMED = """\
name: timed
task: {profile: h100-resnet18}
matrix:
  algorithm: [psgd, liec]
  compressor: [sign, {name: top_k, ratio: 0.3}, {name: top_k, ratio: 0.31}]
  workers: [2]
"""
LACKING = "top_k (ratio: 0.3) and top_k (ratio: 0.31); measure them with `liecbench profile`"


def test_all_compressors_without_times_are_named_in_one_mistake() -> None:
    assert error_of(TIMED) == f"s.yaml:2:17: task.profile: h100-resnet18 has no times of the compressors {LACKING}"


def test_one_compressor_without_times_is_named() -> None:
    message = error_of(TIMED.replace(", {name: top_k, ratio: 0.31}", ""))

    assert message.endswith("has no times of the compressor top_k (ratio: 0.3); measure them with `liecbench profile`")


def test_methods_that_cannot_be_timed_hide_no_missing_times() -> None:
    text = TIMED.replace("[psgd, liec]", "[psgd, {name: neolithic, accumulate: true}]")

    assert places(error_of(text)) == ["s.yaml:2:17: task.profile", "s.yaml:4:21: matrix.algorithm[1]"]


def test_profiles_with_all_times_are_accepted() -> None:
    assert len(scenario(TIMED.replace(", {name: top_k, ratio: 0.3}, {name: top_k, ratio: 0.31}", "")).cells()) == 2
