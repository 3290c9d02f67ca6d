import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from liecbench.errors import LiecbenchError
from liecbench.tasks.archives import Files, Source, data_directory, find, remedy
from liecbench.tasks.official_archives import OFFICIAL, Archive, mismatch
from tests.tasks.made_archives import entry, make_tar, make_zip, unpack

MEMBERS = {"things/a.bin": b"first", "things/deep/b.bin": b"second", "things/deep/c.bin": b"third", "other": b"x"}
REMEDY = re.escape("`liecbench data fetch cifar10`")


@pytest.fixture
def tar(tmp_path: Path) -> Archive:
    make_tar(tmp_path / "things.tar.gz", MEMBERS)
    return entry(tmp_path / "things.tar.gz", "things")


def source_of(path: Path, archive: Archive) -> Source:
    return Source(dataset="cifar10", archive=archive, path=path)


def contents(files: Files) -> dict[str, bytes]:
    return {"a.bin": files.read("a.bin"), **{name: files.read(f"deep/{name}") for name in files.names("deep")}}


def test_the_same_is_read_from_a_tar_a_zip_and_a_folder(tmp_path: Path, tar: Archive) -> None:
    make_zip(tmp_path / "things.zip", MEMBERS)
    unpack(tmp_path, MEMBERS)
    zipped = entry(tmp_path / "things.zip", "things")
    sources = [
        source_of(tmp_path / "things.tar.gz", tar),
        source_of(tmp_path / "things.zip", zipped),
        source_of(tmp_path / "things", tar),
    ]
    for source in sources:
        with source.files() as files:
            assert contents(files) == {"a.bin": b"first", "b.bin": b"second", "c.bin": b"third"}


@pytest.mark.parametrize("kind", ["things.tar.gz", "things.zip", "folder"])
def test_a_missing_member_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "folder":
        unpack(path / "things", {"there": b""})
        source = source_of(path / "things", OFFICIAL["cifar10"][0])
    else:
        make = make_tar if kind.endswith("gz") else make_zip
        make(path, {"things/there": b""})
        source = source_of(path, entry(path, "things"))

    with source.files() as files, pytest.raises(LiecbenchError, match=f"not-there is missing; {REMEDY}"):
        files.read("not-there")


def test_a_truncated_archive_is_refused(tmp_path: Path, tar: Archive) -> None:
    path = tmp_path / "things.tar.gz"
    path.write_bytes(path.read_bytes()[:-1])

    expected = f"has {tar.num_bytes - 1} bytes; the official things.tar.gz has {tar.num_bytes}; {REMEDY}"
    with pytest.raises(LiecbenchError, match=expected), source_of(path, tar).files():
        pass


def test_an_archive_with_another_checksum_is_refused(tmp_path: Path, tar: Archive) -> None:
    path = tmp_path / "things.tar.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    expected = f"has the SHA-256 .* has {tar.sha256}; {REMEDY}"
    with pytest.raises(LiecbenchError, match=expected), source_of(path, tar).files():
        pass


@pytest.mark.parametrize("name", ["things.tar.gz", "things.zip"])
def test_an_official_archive_that_is_no_archive_is_no_traceback(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"neither gzip nor zip")
    source = source_of(tmp_path / name, entry(tmp_path / name, "things"))

    with pytest.raises(LiecbenchError, match=f"the archive cannot be read: .*{REMEDY}"), source.files():
        pass


def test_a_tar_that_ends_too_early_is_no_traceback(tmp_path: Path, tar: Archive) -> None:
    path = tmp_path / "things.tar.gz"
    path.write_bytes(path.read_bytes()[: tar.num_bytes // 2])

    source = source_of(path, entry(path, "things"))
    with pytest.raises(LiecbenchError, match="the archive cannot be read"), source.files():
        pass


def link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "things.tar.gz"
    make_tar(path, {"things/b": b"secret", "things/a": link("things/a", "things/b", kind)})

    expected = "things/a is not a plain file; links are not followed"
    with source_of(path, entry(path, "things")).files() as files, pytest.raises(LiecbenchError, match=expected):
        files.read("a")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    member = zipfile.ZipInfo("things/a")
    member.create_system, member.external_attr = 3, 0o120777 << 16
    path = tmp_path / "things.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(member, "/etc/passwd")

    expected = "things/a is not a plain file"
    with source_of(path, entry(path, "things")).files() as files, pytest.raises(LiecbenchError, match=expected):
        files.read("a")


@pytest.mark.parametrize("name", ["things.tar.gz", "things.zip"])
def test_nothing_is_written_whatever_members_are_called(tmp_path: Path, name: str) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    members: dict[str, bytes] = {
        "../escaped": b"1",
        f"{tmp_path}/absolute": b"2",
        "things/../../up": b"3",
        "things/a": b"4",
    }
    if name.endswith("gz"):
        up = link("things/l", "..", tarfile.SYMTYPE)
        make_tar(inner / name, {**members, "things/l": up, "things/l/through": b"5"})
    else:
        make_zip(inner / name, members)
    with source_of(inner / name, entry(inner / name, "things")).files() as files:
        assert files.read("a") == b"4"

    assert [inner, inner / name] == sorted(tmp_path.rglob("*"))


def test_the_data_directory_is_the_users_choice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("LIECBENCH_DATA", raising=False)
    assert data_directory() == tmp_path / ".cache" / "liecbench"
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cached")
    assert data_directory() == Path("/var/cached/liecbench")
    monkeypatch.setenv("LIECBENCH_DATA", "~/data")
    assert data_directory() == tmp_path / "data"
    monkeypatch.setenv("LIECBENCH_DATA", "~nobody-of-this-name/data")
    with pytest.raises(LiecbenchError, match="no such home directory"):
        data_directory()


def test_a_dataset_is_found_wherever_it_may_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tar: Archive) -> None:
    second = entry(tmp_path / "things.tar.gz", "unpacked")
    monkeypatch.setenv("LIECBENCH_DATA", str(tmp_path))
    places = {
        None: tmp_path / "things.tar.gz",
        str(tmp_path): tmp_path / "things.tar.gz",
        str(tmp_path / "things.tar.gz"): tmp_path / "things.tar.gz",
        str(tmp_path / "far"): tmp_path / "far" / "unpacked",
        str(tmp_path / "far" / "unpacked"): tmp_path / "far" / "unpacked",
    }
    (tmp_path / "far" / "unpacked").mkdir(parents=True)
    for path, expected in places.items():
        source = find("cifar10", path, (tar, second))
        assert (expected, second if "far" in str(path) else tar) == (source.path, source.archive)


def test_an_archive_of_another_name_is_known_by_its_size(tmp_path: Path, tar: Archive) -> None:
    (tmp_path / "things.tar.gz").rename(tmp_path / "renamed")
    (tmp_path / "unknown").write_bytes(b"?")

    assert find("cifar10", str(tmp_path / "renamed"), (tar,)).archive == tar
    with pytest.raises(LiecbenchError, match=rf"unknown \(1 bytes\) is not things.tar.gz; {REMEDY}"):
        find("cifar10", str(tmp_path / "unknown"), (tar,))


def test_an_error_says_what_may_be_given_if_nothing_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIECBENCH_DATA", str(tmp_path))
    archives = OFFICIAL["cifar10"]

    with pytest.raises(LiecbenchError, match=rf"no cifar10 in {tmp_path}: cifar-10-binary.*or.*-py/; {REMEDY}"):
        find("cifar10", None, archives)
    with pytest.raises(LiecbenchError, match=f"there is no {tmp_path}/nowhere; {REMEDY}"):
        find("cifar10", str(tmp_path / "nowhere"), archives)
    (tmp_path / "cifar-10-binary.tar.gz.partial").write_bytes(b"1")
    with pytest.raises(LiecbenchError, match="the download has not ended"):
        find("cifar10", None, archives)
    assert str(tmp_path) in remedy("cifar10")


def test_fingerprints_follow_what_is_read(tmp_path: Path, tar: Archive) -> None:
    unpack(tmp_path, MEMBERS)
    source = source_of(tmp_path / "things", tar)
    prints = [source.fingerprint(["a.bin"]), source.fingerprint(["a.bin"], 32), source.fingerprint(["*/*.bin"])]
    again = source.fingerprint(["a.bin"])
    (tmp_path / "things" / "a.bin").write_bytes(b"longer than before")
    prints.append(source.fingerprint(["a.bin"]))
    os.utime(tmp_path / "things" / "a.bin", ns=(1, 1))
    prints += [source.fingerprint(["a.bin"]), source_of(tmp_path / "things.tar.gz", tar).fingerprint(["a.bin"])]

    assert (prints[0], len(prints)) == (again, len(set(prints)))


def test_the_table_is_whole() -> None:
    archives = [archive for several in OFFICIAL.values() for archive in several]

    assert all(re.fullmatch("[0-9a-f]{64}", archive.sha256) for archive in archives)
    assert all(archive.url.endswith(f"/{archive.name}") for archive in archives)
    assert len({archive.num_bytes for archive in archives}) == len(archives)


def test_a_right_archive_has_no_mismatch(tmp_path: Path, tar: Archive) -> None:
    assert mismatch(tmp_path / "things.tar.gz", tar) is None


def test_importing_it_imports_nothing_heavy() -> None:
    code = "import sys, liecbench.tasks.archives; print({'torch', 'numpy', 'PIL', 'pydantic'} & sys.modules.keys())"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout == "set()\n"


def test_only_regular_files_of_a_plausible_size_are_read_from_a_folder(tmp_path: Path) -> None:
    """A link to /dev/zero has no end, and a pipe may never get a writer."""
    source = source_of(tmp_path / "things", OFFICIAL["cifar10"][0])
    unpack(tmp_path / "things", {"file": b"content", "large": b""})
    (tmp_path / "things" / "endless").symlink_to("/dev/zero")
    (tmp_path / "things" / "link").symlink_to("file")
    os.mkfifo(tmp_path / "things" / "pipe")
    os.truncate(tmp_path / "things" / "large", 2**25 + 1)
    mistakes = {
        "endless": "a device, not a regular file",
        "pipe": "a named pipe, not a regular file",
        "large": "33,554,433 bytes or more; at most 33,554,432 are read",
        "": "Is a directory",
    }
    with source.files() as files:
        for name, mistake in mistakes.items():
            with pytest.raises(LiecbenchError, match=f"{name} cannot be read: {mistake}; {REMEDY}"):
                files.read(name)
        assert files.read("link") == b"content"
