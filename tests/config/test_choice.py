import pytest

from tests.scenarios import edited, error_of


@pytest.mark.parametrize(
    ("old", "new", "prefix", "remedy"),
    [
        (
            "model: mlp",
            "model: {name: gpt, width: 9}",
            "s.yaml:4:10: task.model: ",
            "9",
        ),
        ("digits", "{name: synthetic, shape: [2]}", "s.yaml:3:12: task.dataset: ", "fewer than 10 classes; enlarge"),
        ("model: mlp", "model: nowhere:build", "s.yaml:4:10: task.model.name: ", "'nowhere' cannot be imported"),
        ("model: mlp", "model: os:nothing", "s.yaml:4:10: task.model.name: ", "has no function 'nothing'"),
        ("[sign]", "[os:getcwd]", "s.yaml:10:16: matrix.compressor[0].name: ", "only datasets and models can be"),
        (
            "model: mlp",
            "model: {name: 'tests.own_tasks:linear', bais: true}",
            "s.yaml:4:43: task.model.bais: ",
            "did you mean bias?",
        ),
        ("[ddp, liec]", "[dpd]", "s.yaml:9:15: matrix.algorithm[0].name: ", "did you mean ddp?"),
        ("[ddp, liec]", "[ddp, {name: leic}]", "s.yaml:9:27: matrix.algorithm[1].name: ", "did you mean liec?"),
        (
            "[ddp, liec]",
            "[{name: liec, average_perod: 8}]",
            "s.yaml:9:28: matrix.algorithm[0].average_perod: ",
            "did you mean average_period?",
        ),
        (
            "[ddp, liec]",
            "[{name: liec, average_period: 0}]",
            "s.yaml:9:28: matrix.algorithm[0].average_period: ",
            "`liecbench list algorithms` shows the options",
        ),
        ("[sign]", "[sing]", "s.yaml:10:16: matrix.compressor[0].name: ", "did you mean sign?"),
        ("[sign]", "[zz]", "s.yaml:10:16: matrix.compressor[0].name: ", "valid: bf16, block_sign, chunked_top_k, fp16"),
        ("[sign]", "[3]", "s.yaml:10:16: matrix.compressor[0]: ", "write {name: …, option: …}"),
        ("[sign]", "[{ratio: 1.0}]", "s.yaml:10:16: matrix.compressor[0]: ", "write {name: …, option: …}"),
        ("[sign]", "[{name: sign, x: 1}]", "s.yaml:10:29: matrix.compressor[0].x: ", "it takes none"),
        (
            "[sign]",
            "[{name: top_k, ratio: 0}]",
            "s.yaml:10:30: matrix.compressor[0].ratio: ",
            "above 0 (`liecbench list compressors`",
        ),
        (
            "[sign]",
            "[{name: top_k, ratio: 2}]",
            "s.yaml:10:30: matrix.compressor[0].ratio: ",
            "at most 1 (`liecbench list compressors`",
        ),
        (
            "[sign]",
            "[{name: top_k, ratio: .nan}]",
            "s.yaml:10:30: matrix.compressor[0].ratio: ",
            "finite number (`liecbench list compressors`",
        ),
        (
            "[sign]",
            "[{name: top_k, ratio: true}]",
            "s.yaml:10:30: matrix.compressor[0].ratio: ",
            "true should be a number",
        ),
        ("dataset: digits", "dataset: digit", "s.yaml:3:12: task.dataset.name: ", "did you mean digits?"),
        (
            "dataset: digits",
            "dataset: mlp",
            "s.yaml:3:12: task.dataset.name: ",
            "'mlp' is not a dataset (valid: cifar10, cifar100, digits",
        ),
        ("model: mlp", "model: {name: mlp, widht: 3}", "s.yaml:4:22: task.model.widht: ", "did you mean width?"),
        (
            "workers: [2]\n",
            "workers: [2]\nexclude: [{algorithm: dpp}]\n",
            "s.yaml:12:23: exclude[0].algorithm.name: ",
            "did you mean ddp?",
        ),
    ],
)
def test_mistakes_have_their_place_and_remedy(old: str, new: str, prefix: str, remedy: str) -> None:
    actual = error_of(edited(old, new))

    assert (prefix, True) == (actual[: len(prefix)], remedy in actual)


def test_a_field_of_the_scenario_among_the_options_of_a_method_is_refused_with_the_way_out() -> None:
    for name, option, way_out in (
        ("sparseloco", "server: root", "remove it: the method takes none"),
        ("liec", "server: root", "write it in the matrix, or in an entry of include"),
        ("liec", "block_order: forward", "write it at the top level of the scenario"),
        ("liec", "block_bytes: 1000", "write it at the top level of the scenario"),
        ("ddp_bf16", "block_order: forward", "remove it: the method takes none"),
    ):
        message = error_of(edited("[ddp, liec]", f"[ddp, {{name: {name}, {option}}}]"))
        key = option.partition(":")[0]

        assert message.startswith(f"s.yaml:9:{29 + len(name)}: matrix.algorithm[1].{key}: ")
        assert message.endswith(f"{name} has no option '{key}' ({way_out})")
