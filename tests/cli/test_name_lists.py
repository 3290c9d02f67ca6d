from tests.cli.in_process import run_in_process


def test_list_python_prints_calls_that_run() -> None:
    for others in (("scenarios", "--python"), ("algorithms", "--python", "--format", "json")):
        refused = run_in_process("list", *others)
        assert (refused.returncode, "remove --python" in refused.stderr) == (2, True)
    done = run_in_process("list", "algorithms", "--python")

    calls = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert calls["ddp"].split("  ")[0] == "AllReduce(block_bytes=None)"
    assert [part.strip() for part in calls["liec"].split("#")] == [
        "LIEC(block_bytes=26214400, block_order='backward', server='sharded', average_period=32, compressor=Sign(), "
        "rescale_memory=False)",
        "from liecbench.algorithms import LIEC",
    ]
    for call in calls.values():
        expression, _, statement = call.partition("#")
        exec(f"{statement.strip()}\nfrom liecbench.compressors import Sign\n{expression}", {})


def test_list_prints_one_line_per_name() -> None:
    done = run_in_process("list", "algorithms", environment={"COLUMNS": ""})
    names = ["ddp_fp16", "liec", "neolithic", "psgd"]
    listed = [line.split()[0] for line in done.stdout.splitlines()]

    assert (0, "", names) == (done.returncode, done.stderr, [name for name in listed if name in names])
    assert sorted(set(listed)) == listed
