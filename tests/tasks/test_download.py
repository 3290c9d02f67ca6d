import io
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from rich.console import Console

from liecbench.errors import LiecbenchError
from liecbench.tasks.download import fetch
from liecbench.tasks.official_archives import Archive
from tests.tasks.archive_server import CONTENT, NAME, Server, error_of, leave, partial, quietly
from tests.tasks.made_archives import entry
from tests.waiting import TIMEOUT_SECONDS, wait_for


@pytest.mark.parametrize("says_length", [True, False])
def test_an_archive_is_downloaded_and_checked(
    server: Server, archive: Archive, directory: Path, says_length: bool
) -> None:
    server.says_length = says_length
    said = quietly(archive, directory)

    assert f"{directory / NAME}: 1.5 MB, SHA-256 checked" in said
    assert server.asked == [None]


def test_an_existing_archive_is_not_downloaded_again(server: Server, archive: Archive, directory: Path) -> None:
    quietly(archive, directory)

    assert f"{directory / NAME} is there already: 1.5 MB, SHA-256 checked" in quietly(archive, directory)
    assert len(server.asked) == 1


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT[:-1] + b"?", b""])
def test_a_wrong_archive_is_downloaded_again(archive: Archive, directory: Path, content: bytes) -> None:
    directory.mkdir(parents=True)
    (directory / NAME).write_bytes(content)

    assert "downloading it again" in quietly(archive, directory)


def test_a_cut_connection_loses_nothing(server: Server, archive: Archive, directory: Path) -> None:
    server.cuts = [600_000]
    said = error_of(archive, directory)

    assert f"{server.url}: the server closed the connection; check the network; nothing was lost: 600.0 kB of" in said
    assert f"1.5 MB are in {partial(directory)}, and the same command goes on from there" in said
    assert partial(directory).read_bytes() == CONTENT[:600_000]
    quietly(archive, directory)
    assert server.asked == [None, "bytes=600000-"]


def test_without_range_requests_the_whole_file_is_downloaded_again(
    server: Server, archive: Archive, directory: Path
) -> None:
    server.ranges = False
    leave(directory, CONTENT[:700_000])

    assert "The server sends whole files only; 700.0 kB come again" in quietly(archive, directory)
    assert server.asked == ["bytes=700000-"]


def test_a_complete_partial_file_needs_no_server(server: Server, archive: Archive, directory: Path) -> None:
    leave(directory, CONTENT)
    quietly(archive, directory)

    assert server.asked == []


def test_a_partial_file_that_is_too_long_is_downloaded_again(server: Server, archive: Archive, directory: Path) -> None:
    leave(directory, CONTENT + b"more")
    quietly(archive, directory)

    assert server.asked == [None]


def test_a_server_that_has_no_more_leaves_it_to_the_check(server: Server, archive: Archive, directory: Path) -> None:
    server.content = CONTENT[:500_000]
    leave(directory, CONTENT[:500_000])
    said = error_of(archive, directory)

    assert server.asked == ["bytes=500000-"]
    assert "gave something else" in said
    assert "has 500000 bytes; the official things.tar.gz has 1500000; it was removed" in said
    assert not list(directory.iterdir())


def test_a_wrong_checksum_removes_what_came(server: Server, archive: Archive, directory: Path) -> None:
    server.content = CONTENT[:-1] + b"?"
    said = error_of(archive, directory)

    assert f"{server.url} gave something else: {partial(directory)} has the SHA-256" in said
    assert "it was removed; try again later, or get it elsewhere and give the dataset its path" in said
    assert not list(directory.iterdir())
    server.content = CONTENT
    quietly(archive, directory)


def test_a_partial_file_of_another_download_is_found_out(archive: Archive, directory: Path) -> None:
    leave(directory, b"?" * 1000)

    assert "gave something else" in error_of(archive, directory)
    quietly(archive, directory)


def test_a_file_of_another_length_is_refused_before_it_comes(server: Server, archive: Archive, directory: Path) -> None:
    server.content, server.ranges = b"<html>Log in to this network</html>", False
    leave(directory, CONTENT[:1000])

    assert f"{server.url} is a file of 35 bytes, not of 1500000; try again later" in error_of(archive, directory)
    assert partial(directory).read_bytes() == CONTENT[:1000]


def test_a_server_cannot_fill_the_disk(server: Server, archive: Archive, directory: Path) -> None:
    server.content, server.says_length = CONTENT * 20, False

    assert "gave something else" in error_of(archive, directory)
    assert not list(directory.iterdir())


@pytest.mark.parametrize(("status", "reason"), [(404, "Not Found"), (503, "Service Unavailable")])
def test_errors_of_the_server_are_reported(
    server: Server, archive: Archive, directory: Path, status: int, reason: str
) -> None:
    server.status = status

    assert f"{server.url}: the server answers {status} {reason}; try again later" in error_of(archive, directory)
    assert not list(directory.iterdir())


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize("kept", [b"", CONTENT[:2000]])
def test_an_unreachable_server_is_an_error(directory: Path, tmp_path: Path, kept: bytes) -> None:
    (tmp_path / NAME).write_bytes(CONTENT)
    archive = entry(tmp_path / NAME, "things", url=f"http://127.0.0.1:{closed_port()}/{NAME}")
    leave(directory, kept)
    said = error_of(archive, directory)

    assert f"{archive.url}: Connection refused; check the network; noth" in said
    assert [partial(directory).name] * bool(kept) == [path.name for path in directory.iterdir()]


def test_a_full_disk_is_an_error(archive: Archive, directory: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    directory.mkdir(parents=True)
    partial(directory).symlink_to("/dev/full")

    assert "No space left on device; make room; the same command goes on from there" in error_of(archive, directory)


def in_the_way(directory: Path) -> None:
    directory.parent.mkdir()
    directory.write_text("a file where a directory should be")


def archive_in_the_way(directory: Path) -> None:
    (directory / NAME).mkdir(parents=True)


def partial_in_the_way(directory: Path) -> None:
    partial(directory).mkdir(parents=True)


@pytest.mark.parametrize("prepare", [in_the_way, archive_in_the_way, partial_in_the_way])
def test_an_unwritable_directory_is_an_error(
    prepare: Callable[[Path], None], archive: Archive, directory: Path
) -> None:
    prepare(directory)

    assert "; set LIECBENCH_DATA to a directory that can be written" in error_of(archive, directory)


def test_two_downloads_do_not_mix(archive: Archive, directory: Path) -> None:
    leave(directory, CONTENT[:1000])
    with FileLock(directory / f"{NAME}.lock"):
        assert f"another process is downloading {partial(directory)}; wait for it" in error_of(archive, directory)
    quietly(archive, directory)


PROGRAM = """
import signal
import sys
from pathlib import Path
from filelock import FileLock
from rich.console import Console
from liecbench.tasks.download import download
from liecbench.tasks.official_archives import Archive
signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts tests in the background has it ignored
name, url, num_bytes, sha256, directory = sys.argv[1:]
archive = Archive(name=name, url=url, num_bytes=int(num_bytes), sha256=sha256, folder="")
download(archive, Path(directory), Console())
"""


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_download_goes_on(
    server: Server, archive: Archive, directory: Path, kind: signal.Signals
) -> None:
    server.goes_on.clear()
    values = [archive.name, archive.url, str(archive.num_bytes), archive.sha256, str(directory)]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *values],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    wait_for(lambda: partial(directory).exists() and partial(directory).stat().st_size, "the first bytes arrive")
    process.send_signal(kind)
    said, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    kept = partial(directory).stat().st_size
    server.goes_on.set()

    assert 0 < kept < len(CONTENT)
    if kind == signal.SIGINT:
        assert "Interrupted; nothing was lost: " in said
        assert f"of 1.5 MB are in {partial(directory)}, and the same command goes on from there" in said
    quietly(archive, directory)
    assert server.asked == [None, f"bytes={kept}-"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cifar_10", "there is no dataset 'cifar_10' to download; did you mean cifar10?"),
        ("tinyimagenet", "did you mean tiny_imagenet?"),
        ("xyz", "valid: cifar10, cifar100, tiny_imagenet"),
        ("digits", "digits needs no download"),
        ("text", "text needs no download"),
        ("synthetic", "synthetic needs no download"),
    ],
)
def test_names_without_an_archive_are_errors(name: str, expected: str, directory: Path) -> None:
    with pytest.raises(LiecbenchError) as caught:
        fetch(name, directory, Console(file=io.StringIO()))
    assert expected in str(caught.value)
    assert not directory.exists()


def test_importing_it_imports_nothing_heavy() -> None:
    code = "import sys, liecbench.tasks.download; print({'torch', 'numpy', 'PIL', 'pydantic'} & sys.modules.keys())"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout == "set()\n"


def test_a_pipe_in_the_place_of_the_download_is_refused(archive: Archive, directory: Path) -> None:
    directory.mkdir(parents=True)
    os.mkfifo(partial(directory))

    assert f"{partial(directory)}: No such device or address; set LIECBENCH_DATA" in error_of(archive, directory)


def test_what_a_server_says_is_no_control_code(server: Server, archive: Archive, directory: Path) -> None:
    server.status, server.reason = 404, "\x1b]0;t\x07" + "a" * 5000
    said = error_of(archive, directory)

    assert f"{server.url}: the server answers 404 \\u001b]0;t\\u0007aaa" in said
    assert len(said) < 1000
