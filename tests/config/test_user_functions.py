import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from liecbench.config import user_functions
from liecbench.errors import Interruption


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(sys.path))
    return tmp_path


def call(name: str, **options: object) -> object:
    return user_functions.call(name, user_functions.options_model(name, ())(**options), {})


def test_a_module_of_the_working_directory_is_found(directory: Path) -> None:
    (directory / "found_here.py").write_text("def double(number):\n    return 2 * number\n")

    assert call("found_here:double", number=4) == 8


def test_no_file_of_the_working_directory_takes_an_installed_modules_place(directory: Path) -> None:
    (directory / "wave.py").write_text("def open(number):\n    return 'shadow'\n")

    assert user_functions.function("wave:open").__module__ == "wave"
    assert not str(sys.modules["wave"].__file__).startswith(str(directory))


def test_a_function_gets_the_facts_that_it_has_arguments_for(directory: Path) -> None:
    (directory / "asks.py").write_text("def build(num_classes, width=3):\n    return num_classes, width\n")
    facts = {"input_shape": (1, 8, 8), "num_classes": 10}
    options = user_functions.options_model("asks:build", user_functions.DATA_ARGUMENTS)(width=5)

    assert user_functions.call("asks:build", options, facts) == (10, 5)


def test_options_are_the_arguments_that_yaml_can_say() -> None:
    source = user_functions.options_model("tests.own_tasks:linear", user_functions.DATA_ARGUMENTS)
    loose = user_functions.options_model("tests.own_tasks:with_any_options", user_functions.DATA_ARGUMENTS)

    assert (source(bias=False).model_dump(), source().model_dump()) == ({"bias": False}, {"bias": True})
    assert loose(bias=False).model_dump() == {"bias": False}
    with pytest.raises(ValidationError):
        source(width=3)
    with pytest.raises(ValidationError):
        user_functions.options_model("tests.own_tasks:raising", user_functions.DATA_ARGUMENTS)(width=0)


def test_a_dataset_may_have_an_option_named_like_a_models_argument(directory: Path) -> None:
    (directory / "examples.py").write_text("def data(num_classes=10):\n    return num_classes\n")

    assert call("examples:data", num_classes=3) == 3


def test_a_default_of_false_takes_no_text_that_would_count_as_true(directory: Path) -> None:
    (directory / "unhinted.py").write_text("def f(pretrained=False, width=8):\n    return pretrained, width\n")
    options = user_functions.options_model("unhinted:f", ())

    assert options(pretrained=True, width=[8, 8]).model_dump() == {"pretrained": True, "width": [8, 8]}
    with pytest.raises(ValidationError, match="valid boolean"):
        options(pretrained="no")


def test_options_reach_the_function_as_it_annotates_them(directory: Path) -> None:
    source = "from pathlib import Path\ndef f(path: Path, widths: tuple[int, ...] = (64,)):\n    return path, widths\n"
    (directory / "annotated.py").write_text(source)
    found = user_functions.options_model("annotated:f", ())(path="a/b").model_dump(mode="json")

    assert found == {"path": "a/b", "widths": [64]}
    assert call("annotated:f", **found) == (Path("a/b"), (64,))


def test_an_interruption_goes_through(directory: Path) -> None:
    (directory / "slow_one.py").write_text("from liecbench.errors import Interruption\nraise Interruption\n")

    with pytest.raises(Interruption):
        user_functions.function("slow_one:f")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("class Config: pass\ndef f(config: Config): ...\n", "the arguments of 'odd:f' cannot be options"),
        ("f = dict\n", "the arguments of 'odd:f' cannot be options"),
    ],
)
def test_arguments_that_cannot_be_options_say_why(directory: Path, source: str, message: str) -> None:
    (directory / "odd.py").write_text(source)
    user_functions.function.cache_clear()
    user_functions.options_model.cache_clear()
    sys.modules.pop("odd", None)

    with pytest.raises(user_functions.FunctionError, match=message):
        user_functions.options_model("odd:f", ())


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        ("not_there_at_all:f", None, "'not_there_at_all' cannot be imported: ModuleNotFoundError"),
        ("broken_one:f", "import torch.no_such_thing\n", "cannot be imported: ModuleNotFoundError: No module named"),
        ("broken_two:f", "raise ValueError('not today')\n", "cannot be imported: ValueError: not today"),
        ("broken_three:f", "def f(:\n", "cannot be imported: SyntaxError"),
        ("leaving:f", "raise SystemExit(3)\n", "cannot be imported: SystemExit: 3"),
        ("empty_one:f", "\n", "has no function 'f'"),
        ("a_number:f", "f = 3\n", "has no function 'f'"),
    ],
)
def test_a_failed_import_has_its_reason(directory: Path, name: str, source: str | None, message: str) -> None:
    if source is not None:
        (directory / f"{name.partition(':')[0]}.py").write_text(source)

    with pytest.raises(user_functions.FunctionError) as raised:
        user_functions.function(name)
    assert message in str(raised.value)
