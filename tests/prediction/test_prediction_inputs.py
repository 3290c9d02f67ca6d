import pytest

from liecbench.compressors import Sign
from liecbench.config.block_choice import BlockChoice
from liecbench.config.choice import Choice
from liecbench.errors import LiecbenchError
from liecbench.prediction.assumed_profile import assumed_profile
from liecbench.prediction.method_choice import Method
from liecbench.prediction.named_methods import named_methods, parse_server
from liecbench.prediction.prediction_inputs import (
    parse_count,
    parse_delay,
    parse_links,
    parse_step_seconds,
    parse_workers,
    server_of,
)
from tests.scenarios import edited, scenario


def test_links_may_be_faster_than_those_that_can_be_emulated() -> None:
    slow, fast = parse_links("56kbit,400gbit", delay_seconds=0.005)

    assert (str(slow), str(fast)) == ("56kbit delay 5ms round trip 20ms", "400gbit delay 5ms round trip 20ms")


def test_a_delay_replaces_that_of_a_preset() -> None:
    (link,) = parse_links("home-dsl", delay_seconds=0.001)

    assert link.default is not None
    assert (link.default.delay_seconds, link.default.up_bits_per_second) == (0.001, 10**7)


@pytest.mark.parametrize(("text", "count"), [("30M", 30_000_000), ("1.5B", 1_500_000_000), ("11_171_146", 11_171_146)])
def test_numbers_of_parameters_have_suffixes(text: str, count: int) -> None:
    assert parse_count("--parameters", text) == count


def test_a_method_takes_each_compressor_that_it_works_with() -> None:
    methods = named_methods(["ddp", "liec:average_period=4", "csgd"], ["sign", "qsgd"], "root")

    # LIEC keeps an error memory, which needs a contraction; QSGD is unbiased.
    assert [method.name for method in methods] == ["ddp", "liec(sign)", "csgd(sign)", "csgd(qsgd)"]
    assert methods[1].algorithm.options["average_period"] == 4
    assert [method.server for method in methods] == [None, "root", "root", "root"]


def test_named_methods_have_the_blocks_that_suit_their_compressor() -> None:
    usual = named_methods(["ddp", "liec", "psgd"], ["block_sign", "sign"], "sharded")
    given = named_methods(["ddp", "liec"], ["sign"], "root", BlockChoice(block_bytes=1000, block_order="forward"))

    # DDP's own buckets; block_sign prefers 5 MiB; the others have 25 MiB.
    assert [one.block_bytes for one in usual] == [None, 5 * 2**20, 25 * 2**20, 25 * 2**20]
    assert [(one.block_bytes, one.block_order) for one in given] == [(1000, "backward"), (1000, "forward")]


def test_the_server_is_that_of_all_cells_or_sharded() -> None:
    text = edited("workers: [2]", "workers: [2]\n  server: [root, sharded]").replace("[ddp, liec]", "[ddp, liec, psgd]")
    cells = scenario(text).cells()

    places = [cell.server for cell in cells]
    assert set(places) == {None, "root", "sharded"}
    assert server_of(cells) == "sharded"
    assert server_of(cell for cell in cells if cell.server != "sharded") == "root"
    assert server_of(cell for cell in cells if cell.server is None) == "sharded"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: parse_workers("8,x"), "'x' is no number of workers"),
        (lambda: parse_workers("0"), "'0' is no number of workers"),
        (lambda: parse_workers(""), "no number of workers"),
        (lambda: parse_links("fast"), "--link fast"),
        (lambda: parse_links("0mbit"), "no rate of a link"),
        (lambda: parse_delay("5"), "no delay; write one"),
        (lambda: parse_delay("11s"), "no delay"),
        (lambda: parse_count("--parameters", "many"), "no number of parameters"),
        (lambda: parse_count("--parameters", "0"), "no number of parameters"),
        (lambda: parse_count("--parameters", "1e99"), "no number of parameters"),
        (lambda: parse_server("rooot"), "did you mean root"),
        (lambda: named_methods(["dpp"], [], "root"), "--algorithm dpp: there is no algorithm"),
        (lambda: named_methods(["liec:average_period"], ["sign"], "root"), "'average_period' has no value"),
        (lambda: named_methods(["liec"], ["qsgd"], "root"), "only a contraction"),
    ],
)
def test_wrong_options_are_refused_with_what_to_write(call: object, message: str) -> None:
    assert callable(call)

    with pytest.raises(LiecbenchError, match=message):
        call()


@pytest.mark.parametrize(("text", "seconds"), [("0.15", 0.15), ("150ms", 0.15), ("2", 2.0), ("1.5 s", 1.5)])
def test_the_seconds_of_a_step_may_have_a_unit(text: str, seconds: float) -> None:
    assert parse_step_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["fast", "", "-1", "0", "nan", "1e3s", "150mb", "1000h"])
def test_other_seconds_of_a_step_are_refused(text: str) -> None:
    with pytest.raises(LiecbenchError, match=f"--step-seconds {text}: no time; write seconds, such as 0.15, or"):
        parse_step_seconds(text)


def test_an_assumed_profile_has_all_parameters_and_says_what_it_assumes() -> None:
    profile = assumed_profile(30_000_001, 0.15, [Sign()], compress_gbytes_per_second=2.0)

    ready = [parameter.ready_seconds for parameter in profile.parameters]
    assert profile.num_parameters == 30_000_001
    assert profile.compute_seconds == pytest.approx(0.15)
    assert [profile.backward.median, ready[0]] == pytest.approx([0.1, 0.1])
    assert ready == sorted(ready, reverse=True)
    # 4 bytes per element at 2 GB/s.
    assert profile.compressors[0].compress.per_element == pytest.approx(2e-9)
    assert len(profile.assumptions) == 5
    assert profile.origin == "assumed"


@pytest.mark.parametrize("count", [1, 7, 1000, 10**12])
def test_an_assumed_profile_of_any_size_is_complete(count: int) -> None:
    assert assumed_profile(count, 0.1).num_parameters == count


def test_a_label_names_the_optimizer_without_options_that_others_lack() -> None:
    ddp = Choice.model_validate("ddp")
    plain = Method(algorithm=ddp, update={"optimizer": {"name": "sgd"}, "momentum": 0.9})
    adaptive = Method(algorithm=ddp, update={"optimizer": {"name": "adamw", "eps": 1e-8}, "momentum": 0.9})
    precise = Method(algorithm=ddp, update={"optimizer": {"name": "adamw", "eps": 1e-6}, "momentum": 0.9})

    assert [one.label([plain, adaptive]) for one in (plain, adaptive)] == ["ddp optimizer sgd", "ddp optimizer adamw"]
    assert [one.label([adaptive, precise]) for one in (adaptive, precise)] == ["ddp eps 1e-08", "ddp eps 1e-06"]
    assert plain.label([plain]) == "ddp"
