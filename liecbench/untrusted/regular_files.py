"""Read and write files that a user names, which may turn out to be pipes, devices, or larger than any memory."""

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import Final

_KINDS: Final = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a block device",
}
# A file in a directory that cannot be written, or mounted on its own as containers do, can only be written in place.
_NOT_REPLACEABLE: Final = (errno.EACCES, errno.EPERM, errno.EBUSY, errno.EXDEV)


def read_bytes(path: Path, most_bytes: int) -> bytes:
    """Return the contents of ``path``, which is a regular file or a symbolic link to one.

    Raises:
        OSError: If ``path`` leads to anything else, such as a pipe, a device or a directory, if the file has more than
            ``most_bytes`` bytes, or if the file cannot be read. The error's ``filename`` is ``path``.
    """
    with open(_opened(path), "rb") as file:
        num_bytes = os.fstat(file.fileno()).st_size
        if num_bytes <= most_bytes:
            content = file.read(most_bytes + 1)  # the files of /proc have size 0, and others may grow
            num_bytes = len(content)
        if num_bytes > most_bytes:
            reason = f"{num_bytes:,} bytes or more; at most {most_bytes:,} are read"
            raise OSError(errno.EFBIG, reason, str(path))
    return content


def read_text(path: Path, most_bytes: int) -> str:
    """Return the text of a UTF-8 file of at most ``most_bytes`` bytes. Each line end becomes one newline character.

    Raises:
        OSError: If ``path`` is not a regular file or a link to one, or if the file is larger or cannot be read.
        UnicodeDecodeError: If the file is not UTF-8 text.
    """
    return read_bytes(path, most_bytes).decode().replace("\r\n", "\n").replace("\r", "\n")


def require_regular(path: Path) -> None:
    """Raise OSError if ``path`` is neither a regular file nor a link to one."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise _not_regular(path, mode)


def _opened(path: Path) -> int:
    require_regular(path)
    # The path may have become a pipe since, whose opening would block.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise _not_regular(path, mode)
    return descriptor


def _not_regular(path: Path, mode: int) -> OSError:
    if stat.S_ISDIR(mode):
        return IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return OSError(errno.EINVAL, f"{_KINDS.get(stat.S_IFMT(mode), 'something else')}, not a regular file", str(path))


def write_bytes(path: Path, content: bytes) -> None:
    """Replace the content of a file that a user names, or create the file. Links are followed.

    A regular file is replaced atomically. If its directory does not permit this, the file is overwritten in place.
    Pipes, devices such as ``/dev/null``, and files to which standard output or standard error goes are not replaced,
    but written to as a stream.

    Raises:
        OSError: If the file cannot be written, or is a directory, a socket, a block device, or a pipe that nobody
            reads. The error's ``filename`` is the path.
    """
    try:
        existing = _stat(path)
        printed_to = None if existing is None else _printed_to(existing)
        if printed_to is not None:
            _write_to(os.dup(printed_to), content)
        elif existing is not None and not stat.S_ISREG(existing.st_mode):
            _write_to(_opened_for_writing(path, existing.st_mode), content)
        else:
            _replace(Path(os.path.realpath(path)), existing, content)
    except OSError as error:
        error.filename = str(path)  # not the name of a temporary file or of a link's target
        error.filename2 = None
        raise


def write_text(path: Path, text: str) -> None:
    """Replace the content of a file with ``text`` in UTF-8, or create the file.

    Lone surrogates, which UTF-8 cannot encode, become question marks. For links, pipes, devices and errors, see
    ``write_bytes``.
    """
    write_bytes(path, text.encode(errors="replace"))


def append_text(path: Path, text: str) -> None:
    """Append UTF-8 text to a file, or create the file. A pipe or a device such as ``/dev/null`` is written to, too.

    Raises OSError if the file cannot be written, or is a directory, a socket, a block device, or a pipe that nobody
    reads.
    """
    existing = _stat(path)
    if existing is not None and not stat.S_ISREG(existing.st_mode):
        descriptor = _opened_for_writing(path, existing.st_mode)
    else:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    _write_to(descriptor, text.encode(errors="replace"))


def require_writable(path: Path) -> None:
    """Raise OSError if ``write_bytes`` could not write ``path``. The check itself writes nothing.

    Only the kind of file, the permissions, and the existence of the directory are checked. A write can still fail, for
    example because the disk is full.
    """
    existing = _stat(path)
    if existing is not None:
        _require_kind(path, existing.st_mode)
    written = path if existing else Path(os.path.realpath(path)).parent
    if not os.access(written, os.W_OK):
        number = errno.EACCES if written.exists() else errno.ENOENT
        raise OSError(number, os.strerror(number), str(path))


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _printed_to(existing: os.stat_result) -> int | None:
    """Return 1 if standard output goes to the file or pipe ``existing``, 2 if only standard error does, else None."""
    # Such a file is written through the descriptor: anything else would lose or overwrite the printed text.
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), existing):
                return descriptor
    return None


def _require_kind(path: Path, mode: int) -> None:
    if not (stat.S_ISREG(mode) or stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)):
        raise _not_regular(path, mode)


def _opened_for_writing(path: Path, mode: int) -> int:
    _require_kind(path, mode)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise OSError(errno.ENXIO, f"{_KINDS[stat.S_IFMT(mode)]} that nobody reads", str(path)) from None
        raise
    os.set_blocking(descriptor, True)
    return descriptor


def _write_to(descriptor: int, content: bytes) -> None:
    with open(descriptor, "wb", buffering=0) as file:
        remaining = memoryview(content)
        while remaining:
            remaining = remaining[file.write(remaining) :]


def _replace(target: Path, existing: os.stat_result | None, content: bytes) -> None:
    """Write a new file and rename it to ``target``, so that a crash or a full disk leaves the old file whole.

    If the old file can only be written in place, as in a directory without write access, overwrite it instead.
    ``existing`` is the status of the file that is replaced; None if there is none.
    """
    if existing is not None and not os.access(target, os.W_OK):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    partial = target.with_name(f".{os.urandom(8).hex()}.partial")
    try:
        try:
            _write_to(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), content)
            if existing is not None:
                with contextlib.suppress(OSError):
                    os.chown(partial, existing.st_uid, existing.st_gid)
                partial.chmod(stat.S_IMODE(existing.st_mode))
            partial.replace(target)
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
    except OSError as error:
        if existing is None or error.errno not in _NOT_REPLACEABLE:
            raise
        _write_to(os.open(target, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC), content)
