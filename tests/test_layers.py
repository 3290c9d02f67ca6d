import ast
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.ledgers import run_of, write_ledger

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "liecbench"
# Test files of what several modules do together. The names of all others are those of modules.
SEVERAL_MODULES = {
    "algorithms/clipping",
    "algorithms/closures",
    "algorithms/gpu",
    "algorithms/grad_scaler",
    "algorithms/identities",
    "algorithms/loop_variants",
    "algorithms/training_loop",
    "algorithms/trajectories",
    "algorithms/unused_parameters",
    "algorithms/worked_example",
    "check/regressions",
    "cli/predict_from_scenario",
    "cli/predict_refusals",
    "compressors/compressors",
    "compressors/kernel_imports",
    "compressors/kernels/triton/bit_packing",
    "compressors/kernels/triton/compilation",
    "compressors/kernels/triton/gpu_only",
    "compressors/kernels/triton/selection",
    "config/mistake_places",
    "config/own_model",
    "documents/notebook",
    "documents/pages",
    "documents/predict_page",
    "documents/python_blocks",
    "documents/records_page",
    "documents/scenarios_page",
    "documents/shell_blocks",
    "documents/yaml_blocks",
    "host/recorded_nvml",
    "profiles/documentation",
    "report/page_for_readers",
    "simulations/gate_decisions",
    "worker/own_models",
}
TORCH_BELOW = {"worker", "integrations", "algorithms", "compressors", "tasks", "bench", "theory"}


def module(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module(path): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


def part(name: str) -> str:
    """Return the package of a module: ``algorithms`` for ``liecbench.algorithms.liec``."""
    return f"{name}.".split(".")[1]


def named(name: str, nodes: Iterator[ast.AST] | list[ast.stmt]) -> Iterator[str]:
    """Yield the modules that the import statements among ``nodes`` name, submodules rather than their package."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (module if module in MODULES else node.module or "" for module in full)


def imports(name: str, *, top_level: bool = False) -> set[str]:
    tree = MODULES[name]
    return set(named(name, tree.body if top_level else ast.walk(tree)))


def own(names: set[str]) -> set[str]:
    return {name for name in names if name.split(".")[0] == "liecbench"}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ledger(tmp_path_factory.mktemp("results"), *(run_of(f"cell{seed}", seed=seed) for seed in (0, 1)))


COMMANDS = """
import contextlib, io, json, sys
for line in sys.stdin:
    sys.argv = ["liecbench", *json.loads(line)]
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        from liecbench.cli.app import main
        main()
    print(json.dumps(sorted(sys.modules)))
"""
QUICKSTART = str(TESTS.parent / "scenarios" / "quickstart.yaml")


@pytest.fixture(scope="module")
def loaded(results: Path) -> dict[str, set[str]]:
    """Run commands one after the other in one process; return all modules that it has imported after each.

    Commands that may import more stand behind those that may import less.
    """
    commands = {
        "help": ["--help"],
        **{name: ["compare", str(results), "--format", name] for name in ("table", "markdown", "json", "csv")},
        "report": ["report", str(results), "-o", str(results / "r.html")],
        **{name: ["list", name] for name in ("algorithms", "compressors", "models", "datasets")},
        "schema": ["schema"],
        "dry run": ["run", QUICKSTART, "--dry-run", "--out", str(results / "results")],
    }
    given = "".join(f"{json.dumps(words)}\n" for words in commands.values())
    done = subprocess.run([sys.executable, "-c", COMMANDS], input=given, capture_output=True, text=True, check=True)
    return {name: set(json.loads(line)) for name, line in zip(commands, done.stdout.splitlines(), strict=True)}


def test_no_file_name_is_used_twice() -> None:
    paths = [path for path in PACKAGE.rglob("*.py") if not path.stem.startswith("__") and path.stem != "base"]
    # A kernel may have the name of its compressor or codec, and the same name for the CPU and for Triton.
    kernels = {path.stem for path in paths if "kernels" in path.parts}
    others = [path for path in paths if "kernels" not in path.parts]
    counts = Counter(path.stem for path in others)

    assert [stem for stem, count in counts.items() if count > 1] == []
    assert [path for path in others if path.stem in kernels and "compressors" not in path.parts] == []


def test_a_test_file_has_the_name_of_the_module_that_it_tests() -> None:
    modules = {path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py")}
    tests = [path.relative_to(TESTS) for path in TESTS.rglob("test_*.py") if path.parent != TESTS]
    names = {(path.parent / path.stem.removeprefix("test_")).as_posix() for path in tests}

    assert names - modules == SEVERAL_MODULES


def test_the_root_holds_no_module_but_the_errors() -> None:
    expected = {"__init__.py", "__main__.py", "errors.py", "py.typed"}

    assert expected == {path.name for path in PACKAGE.iterdir() if path.is_file()}


def test_top_level_imports_have_no_cycle() -> None:
    graph = {name: own(imports(name, top_level=True)) - {name} for name in MODULES}
    order = list(TopologicalSorter(graph).static_order())

    assert set(MODULES) == set(order)


def test_torch_stands_below_a_line() -> None:
    heavy = ("torch", "numba", "scipy")
    above = {
        name
        for name in MODULES
        if part(name) not in TORCH_BELOW
        and any(other.split(".")[0] in heavy for other in imports(name, top_level=True))
    }

    assert set() == above


@pytest.mark.parametrize("output", ["table", "markdown", "json", "csv"])
def test_comparing_imports_nothing_heavy(loaded: dict[str, set[str]], output: str) -> None:
    modules = loaded[output]

    heavy = {"torch", "numba", "numpy", "scipy", "sklearn"}
    assert (True, set()) == ("liecbench.results.student_t" in modules, modules & heavy)


def test_a_report_imports_nothing_heavy(loaded: dict[str, set[str]]) -> None:
    modules = loaded["report"]
    heavy = {"torch", "numba", "scipy.stats", "sklearn", "plotly", "matplotlib"}
    assert (True, set()) == ("liecbench.report.html" in modules, modules & heavy)


def test_checking_a_scenario_imports_neither_kernels_nor_torchs_compiler() -> None:
    program = """
import sys
from pathlib import Path
from liecbench.config.loader import load_scenario
from liecbench.estimate.eta import TimeLeft
from liecbench.launch.launch import group
from liecbench.launch.pending import jobs_left
pending = jobs_left(load_scenario(Path(sys.argv[1])).cells(), {})
TimeLeft(pending)
print(*(name for launch in group(pending.jobs) for name in launch.torchrun().kernels))
print(*({"torch", "torch._dynamo", "numba", "triton", "scipy", "sklearn", "matplotlib"} & set(sys.modules)))
"""
    command = [sys.executable, "-c", program, QUICKSTART]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    kernels, imported = done.stdout.splitlines()

    assert ("liecbench.compressors.kernels.cpu.sign" in kernels, {"torch"}) == (True, set(imported.split()))


def test_a_dry_run_does_not_import_torchs_compiler(loaded: dict[str, set[str]]) -> None:
    assert ("torch" in loaded["dry run"], "torch._dynamo" in loaded["dry run"]) == (True, False)


@pytest.mark.parametrize("what", ["algorithms", "compressors", "models", "datasets", "schema"])
def test_listing_and_the_schema_import_no_kernel(loaded: dict[str, set[str]], what: str) -> None:
    assert set() == loaded[what] & {"numba", "triton", "scipy.stats", "torch._dynamo", "sklearn"}


def test_a_cell_does_not_wait_for_what_its_optimizer_imports() -> None:
    program = """
import sys
from liecbench.worker.cell_setup import torch
before = set(sys.modules)
model = torch.nn.Linear(2, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
optimizer.zero_grad()
model(torch.ones(1, 2)).sum().backward()
optimizer.step()
print(len(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert int(done.stdout) < 5  # torch can import hundreds


def test_importing_the_package_imports_nothing_else() -> None:
    program = "import sys; before = set(sys.modules); import liecbench; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert {name for name in done.stdout.split() if name.split(".")[0] not in sys.stdlib_module_names} == {"liecbench"}


def test_loading_results_imports_nothing_heavy(results: Path) -> None:
    program = "import sys, liecbench; liecbench.load_results(sys.argv[1]).epochs; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program, results], capture_output=True, text=True, check=True)

    assert set() == {"torch", "numba", "typer", "plotly", "matplotlib", "pandas"} & set(done.stdout.split())


def test_help_imports_nothing_heavy(loaded: dict[str, set[str]]) -> None:
    modules = loaded["help"]

    assert (True, set()) == (
        "liecbench.cli.app" in modules,
        modules & {"torch", "numba", "scipy", "numpy", "pydantic", "yaml"},
    )

    # Today about 150, which load in an eighth of a second; 250 stay below 0.3 s on slower machines.
    assert len(modules) < 250
