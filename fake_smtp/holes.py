"""Gives the disk space of the beginning of a file back, while the offsets in the rest stay true (Linux).

Used by `retention`, which makes holes, and by readers of evidence, which must not read gigabytes of zeros.
Never touches a byte at or behind the offset it is given.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import tempfile
from pathlib import Path

_KEEP_SIZE, _PUNCH_HOLE = 1, 2
_STEP = 2**23
"""Bytes that are given back at once: well under a millisecond, so that a loop can do it."""


def punch(fd: int, at: int, size: int) -> None:
    """Turn `size` bytes from offset `at` into a hole. Raises OSError (EOPNOTSUPP: there is no such thing)."""
    if sys.platform != "linux":
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    libc = ctypes.CDLL(None, use_errno=True)
    # musl has the one name only, and there it takes 64 bits everywhere.
    fallocate = getattr(libc, "fallocate64", None) or libc.fallocate
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    if fallocate(fd, _PUNCH_HOLE | _KEEP_SIZE, at, size) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def next_data(fd: int, at: int) -> int:
    """Return the first offset from `at` on that is not in a hole; the end of the file when there is none."""
    try:
        return os.lseek(fd, at, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return max(at, os.fstat(fd).st_size)
        # A file system without holes.
        return at


def begin(path: Path) -> int:
    """Return where the bytes of a file begin that are still there. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return next_data(fd, 0)
    finally:
        os.close(fd)


def allocated(path: Path) -> int:
    """Return how many bytes of the disk a file takes; 0 when it is not there."""
    try:
        return path.stat().st_blocks * 512
    except FileNotFoundError:
        return 0


def probe(folder: Path) -> None:
    """Try it on a small file in `folder`, made when missing. Raises OSError, with words for people."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"x")
        file.flush()
        try:
            punch(file.fileno(), 0, 1)
        except OSError as error:
            words = f"the disk space of old mails cannot be given back there ({error.strerror})"
            raise OSError(error.errno, words) from None


class Prefix:
    """The beginning of one file, given back step by step."""

    def __init__(self, path: Path) -> None:
        """Raises OSError when the file cannot be opened."""
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._block = os.fstat(self._fd).st_blksize
        self._at = next_data(self._fd, 0) // self._block * self._block

    def size(self) -> int:
        """Return how long the file is, the hole included."""
        return os.fstat(self._fd).st_size

    def give_back(self, upto: int) -> bool:
        """Make a hole of the whole blocks before `upto`, or of some of them; return whether there are more.

        Raises OSError.
        """
        end = upto // self._block * self._block
        if (step := min(end - self._at, _STEP)) > 0:
            punch(self._fd, self._at, step)
            self._at += step
        return self._at < end

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)
