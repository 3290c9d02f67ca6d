import errno
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from liecbench.untrusted.regular_files import (
    append_text,
    read_bytes,
    read_text,
    require_writable,
    write_bytes,
    write_text,
)


@pytest.fixture
def odd(tmp_path: Path) -> dict[str, Path]:
    """Return paths that are no regular files, by what an error says of them."""
    pipe, directory, address = tmp_path / "pipe", tmp_path / "directory", tmp_path / "socket"
    os.mkfifo(pipe)
    directory.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
    link = tmp_path / "link"
    link.symlink_to("/dev/zero")
    return {
        "a named pipe, not a regular file": pipe,
        "Is a directory": directory,
        "a socket, not a regular file": address,
        "a device, not a regular file": link,
    }


def test_only_regular_files_are_read(odd: dict[str, Path], tmp_path: Path) -> None:
    for kind, path in odd.items():
        with pytest.raises(OSError, match=kind) as raised:
            read_bytes(path, 10)
        assert raised.value.filename == str(path)

    (tmp_path / "text").write_bytes(b"a\r\nb\rc\n")
    (tmp_path / "to-text").symlink_to("text")
    assert read_text(tmp_path / "to-text", 7) == "a\nb\nc\n"
    assert read_bytes(Path("/proc/self/cmdline"), 2**20)  # its size is 0


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(2**40)

    with pytest.raises(OSError, match="1,099,511,627,776 bytes or more; at most 100 are read"):
        read_bytes(sparse, 100)


def test_links_are_written_through_and_attributes_stay(tmp_path: Path) -> None:
    target, link, dangling = tmp_path / "sub" / "target", tmp_path / "link", tmp_path / "dangling"
    target.parent.mkdir()
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to("sub/target")
    dangling.symlink_to("sub/new")
    write_text(link, "new\udc80")
    write_text(dangling, "newer")

    assert (link.is_symlink(), target.read_text(), stat.S_IMODE(target.stat().st_mode)) == (True, "new?", 0o640)
    assert (dangling.is_symlink(), (tmp_path / "sub" / "new").read_text()) == (True, "newer")
    assert sorted(path.name for path in target.parent.iterdir()) == ["new", "target"]


def test_what_cannot_be_written_is_refused_at_once(odd: dict[str, Path], tmp_path: Path) -> None:
    for kind in ("Is a directory", "a socket, not a regular file"):
        for refuse in (require_writable, lambda path: write_bytes(path, b"")):
            with pytest.raises(OSError, match=kind):
                refuse(odd[kind])
    for write in (write_text, append_text):
        with pytest.raises(OSError, match="a named pipe that nobody reads"):
            write(odd["a named pipe, not a regular file"], "text")
    with pytest.raises(FileNotFoundError):
        require_writable(tmp_path / "missing" / "file")
    for path in (tmp_path / "missing" / "file", Path("/proc/no-such-file"), tmp_path / ("n" * 300)):
        with pytest.raises(OSError, match=r"(No such file or directory|File name too long): ") as raised:
            write_bytes(path, b"text")
        assert raised.value.filename == str(path)


def test_a_device_is_written_to_and_stays_one(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device") as raised:
        write_bytes(full, b"text")

    assert (raised.value.errno, stat.S_ISCHR(full.stat().st_mode)) == (errno.ENOSPC, True)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode), (
        "on this machine /dev/null is no device; git would read the text"
    )
    write_bytes(Path("/dev/null"), b"text")
    require_writable(Path("/dev/null"))
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_pipe_gets_all_of_a_text(odd: dict[str, Path]) -> None:
    content: list[bytes] = []
    reader = threading.Thread(target=lambda: content.append(odd["a named pipe, not a regular file"].read_bytes()))
    reader.start()
    with odd["a named pipe, not a regular file"].open("wb"):  # returns once the reader has opened it
        write_bytes(odd["a named pipe, not a regular file"], bytes(10**6))
    reader.join()

    assert content == [bytes(10**6)]


@pytest.mark.parametrize("to_file", [True, False])
def test_standard_output_is_written_to(tmp_path: Path, to_file: bool) -> None:
    command = "from liecbench.untrusted.regular_files import write_text; from pathlib import Path; "
    command += "print('before', flush=True); write_text(Path('/dev/stdout'), 'text\\n'); print('after')"
    with (tmp_path / "printed").open("wb") as file:
        stdout = file if to_file else subprocess.PIPE
        done = subprocess.run([sys.executable, "-c", command], stdout=stdout, check=True)

    printed = (tmp_path / "printed").read_bytes() if to_file else done.stdout
    assert printed.split() == [b"before", b"text", b"after"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    command = (
        "import resource, signal; from pathlib import Path; from liecbench.untrusted.regular_files import write_bytes; "
    )
    command += "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10)); "
    command += f"write_bytes(Path({str(path)!r}), bytes(100))"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=False)

    assert f"File too large: '{path}'" in done.stderr
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])
