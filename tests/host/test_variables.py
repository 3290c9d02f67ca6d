from liecbench.host import variables


def test_only_what_changes_numbers_or_times_is_recorded() -> None:
    found = variables.recorded(
        {
            "OMP_PROC_BIND": "true",
            "MKL_CBWR": "COMPATIBLE",
            "LD_PRELOAD": "/home/me/secret/libjemalloc.so.2:/opt/b.so",
            "AWS_SECRET_ACCESS_KEY": "hunter2",
            "HOME": "/home/me",
            "OMP_NUM_THREADS": "1",
            "NCCL_SECRET": "x",
        }
    )

    assert found == {"OMP_PROC_BIND": "true", "MKL_CBWR": "COMPATIBLE", "LD_PRELOAD": "libjemalloc.so.2 b.so"}


def test_without_variables_nothing_is_recorded() -> None:
    assert variables.recorded({"PATH": "/bin", "LD_PRELOAD": ""}) == {}
