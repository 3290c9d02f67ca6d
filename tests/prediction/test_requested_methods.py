import pytest

from liecbench.config.scenario import Scenario
from liecbench.errors import LiecbenchError
from liecbench.prediction.requested_methods import requested_methods
from tests.scenarios import edited, scenario


def rooted(algorithms: str, rest: str = "") -> Scenario:
    return scenario(edited("[ddp, liec]", algorithms) + f"server: root\n{rest}")


def test_without_options_the_methods_are_those_of_the_scenario() -> None:
    methods = requested_methods(rooted("[psgd, {name: liec, average_period: 4}, ddp]"))

    assert [one.name for one in methods] == ["ddp", "psgd", "liec(sign)"]
    assert methods[2].algorithm.options["average_period"] == 4


def test_named_methods_have_the_server_and_the_blocks_of_the_scenario() -> None:
    blocks = "block_bytes: 1MB\nblock_order: forward\n"
    for options in ({"algorithms": ["psgd", "memsgd"]}, {"server": "root"}, {"compressors": ["top_k"]}):
        ddp, *others = requested_methods(rooted("[ddp, liec]", blocks), **options)

        assert (ddp.name, ddp.block_bytes, ddp.block_order) == ("ddp", 10**6, "backward")
        found = {(one.server, one.block_bytes, one.block_order) for one in others if one.server is not None}
        assert found == {("root", 10**6, "forward")}
        assert not any("block" in one.label([ddp, *others]) for one in [ddp, *others])


def test_a_compressor_and_a_server_replace_those_of_the_scenario_and_nothing_else() -> None:
    own = rooted("[ddp, psgd, {name: liec, average_period: 4}, {name: memsgd, task: {accumulate: 2}}]")

    methods = requested_methods(own, compressors=["top_k", "block_sign"])
    sharded = requested_methods(own, server="sharded")

    found = [(one.name, one.server, one.block_bytes, one.accumulate) for one in methods]
    mib = 2**20  # block_sign prefers 5 MiB
    assert found == [
        ("ddp", None, None, 1),
        ("psgd", "root", 25 * mib, 1),
        ("liec(top_k)", "root", 25 * mib, 1),
        ("liec(block_sign)", "root", 5 * mib, 1),
        ("memsgd(top_k)", "root", 25 * mib, 2),
        ("memsgd(block_sign)", "root", 5 * mib, 2),
    ]
    assert {one.algorithm.options.get("average_period") for one in methods[2:4]} == {4}
    assert [(one.name, one.server) for one in sharded] == [
        ("ddp", None),
        ("psgd", "sharded"),
        ("liec(sign)", "sharded"),
        ("memsgd(sign)", "sharded"),
    ]


def test_a_compressor_that_a_method_of_the_scenario_does_not_take_is_refused() -> None:
    with pytest.raises(
        LiecbenchError, match=r"^memsgd of the scenario: .*; give another --compressor, or name methods"
    ):
        requested_methods(rooted("[ddp, memsgd]"), compressors=["qsgd"])


def test_without_a_scenario_blocks_suit_the_compressor() -> None:
    methods = requested_methods(None, ["ddp", "psgd", "liec"], ["sign", "block_sign"])

    # Of ddp DDP's own buckets; block_sign prefers 5 MiB.
    assert {one.name: one.block_bytes for one in methods} == {
        "ddp": None,
        "psgd": 25 * 2**20,
        "liec(sign)": 25 * 2**20,
        "liec(block_sign)": 5 * 2**20,
    }
    assert [one.label(methods) for one in methods] == ["ddp", "psgd", "liec(sign)", "liec(block_sign)"]


@pytest.mark.parametrize("baseline", ["liec", "{algorithm: liec, average_period: 4}"])
def test_the_server_that_is_given_is_that_of_the_scenarios_baseline_too(baseline: str) -> None:
    of_scenario = rooted("[psgd, {name: liec, average_period: 4}]", f"baseline: {baseline}\n")

    for server, expected in ((None, "root"), ("sharded", "sharded")):
        methods = requested_methods(of_scenario, ["psgd"], server=server)
        assert [(one.name, one.server) for one in methods] == [("liec(sign)", expected), ("psgd", expected)]
        assert methods[0].algorithm.options["average_period"] == 4


def test_a_baseline_of_the_scenario_accumulates_as_there() -> None:
    of_scenario = rooted("[{name: ddp, task: {accumulate: 4}}, psgd]", "baseline: ddp\n")

    assert [(one.name, one.accumulate) for one in requested_methods(of_scenario, ["psgd"])] == [("ddp", 4), ("psgd", 1)]


def test_the_baseline_of_the_command_line_has_the_options_of_the_scenario() -> None:
    of_scenario = rooted("[ddp, {name: liec, average_period: 4}]")
    own, usual = (requested_methods(of_scenario, ["psgd"], baseline=name)[0] for name in ("liec", "memsgd"))

    assert (own.algorithm.options["average_period"], own.server) == (4, "root")
    assert (usual.name, usual.server) == ("memsgd(sign)", "root")


@pytest.mark.parametrize(
    ("baseline", "message"),
    [(None, "the scenario's baseline liec: .*; add --baseline ddp, or"), ("liec", "--baseline liec: .*; give another")],
)
def test_a_baseline_without_a_compressor_that_fits_is_refused(baseline: str | None, message: str) -> None:
    of_scenario = rooted("[csgd, liec]", "baseline: liec\n")

    with pytest.raises(LiecbenchError, match=message):
        requested_methods(of_scenario, ["csgd"], ["qsgd"], baseline=baseline)
    assert requested_methods(of_scenario, ["csgd"], ["qsgd"], baseline="ddp")[0].name == "ddp"
