"""A clinic's drop folder, and nothing beside it: an admin types its name, the operator says where such folders lie.

A name is one segment below the operator's root. The folder and each file are opened relative to what was opened before
them and never through a symbolic link, so that no name and no later exchange leads elsewhere. Only plain files are
read, and no more of each than its cap. Nothing is ever written, moved or deleted.
"""

from __future__ import annotations

import errno
import hmac
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.pms.errors import PmsAuthFailed, PmsMalformed, PmsNotConfigured, PmsUnavailable

#: Letters, digits and a few signs; a leading dot is for what is hidden.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
#: Lies in each folder and holds what an admin must know to read it: folders of other practices have names as well.
KEY_FILE = "drop.key"
SHORTEST_KEY = 16
MOST_FILES = 2_000
#: Bytes of one file of appointments, of one manifest.
FILE_CAP, SMALL_CAP = 10 * 1024 * 1024, 64 * 1024

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Not blocking: a pipe in a file's place would otherwise hold us up for ever.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Folder:
    """One clinic's folder. Raises PmsNotConfigured where the operator has set no usable root."""

    def __init__(self, root: str | None, name: str, setting: str) -> None:
        """setting: the name of the operator's setting, for the sentence that says it is missing."""
        self._root, self._name, self._setting = root, name, setting

    def unlock(self, key: str) -> None:
        """Raises PmsAuthFailed where there is no such folder or its key is another: the two are not told apart."""
        try:
            kept = self.read(KEY_FILE, SMALL_CAP).decode("utf-8").strip()
        except (FileNotFoundError, UnicodeDecodeError):
            kept = ""
        known = len(kept) >= SHORTEST_KEY and hmac.compare_digest(kept.encode(), key.encode())
        if not known:
            raise PmsAuthFailed("no such drop folder, or another key")

    def names(self) -> list[str]:
        """Of every plain file, in order. Raises PmsMalformed for a folder nobody ever clears."""
        found: list[str] = []
        with self._opened() as folder, os.scandir(folder) as entries:
            for entry in entries:
                if len(found) >= MOST_FILES:
                    raise PmsMalformed(f"more than {MOST_FILES} files in the drop folder", reason="page_budget")
                if entry.is_file(follow_symlinks=False):
                    found.append(entry.name)
        return sorted(found)

    def read(self, name: str, cap: int = FILE_CAP) -> bytes:
        """A file's bytes. Raises FileNotFoundError where there is no such plain file, PmsMalformed above the cap."""
        with self._opened() as folder:
            try:
                descriptor = os.open(name, _FILE, dir_fd=folder)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.ENOTDIR):
                    raise FileNotFoundError from None
                raise _unreadable(error) from None
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise FileNotFoundError
                content = _all_of(descriptor, cap + 1)
            finally:
                os.close(descriptor)
        if len(content) > cap:
            raise PmsMalformed("a file larger than we accept", reason="too_large")
        return content

    @contextmanager
    def _opened(self) -> Iterator[int]:
        root = self._opened_root()
        try:
            folder = self._below(root)
        finally:
            os.close(root)
        try:
            yield folder
        finally:
            os.close(folder)

    def _opened_root(self) -> int:
        """The root itself may be a link: the operator has chosen it."""
        if not self._root or not Path(self._root).is_absolute():
            raise PmsNotConfigured(
                f"Drop folders are not set up here: whoever runs this Runsheet sets {self._setting} to the whole path "
                "of the folder in which clinics' drop folders lie."
            )
        try:
            return os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise _unreadable(error) from None

    def _below(self, root: int) -> int:
        if not NAME.fullmatch(self._name):
            raise PmsAuthFailed("not the name of a drop folder")
        try:
            return os.open(self._name, _FOLDER, dir_fd=root)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR):
                raise PmsAuthFailed("no such drop folder, or another key") from None
            raise _unreadable(error) from None


def _all_of(descriptor: int, most: int) -> bytes:
    """At most so many bytes from the beginning on. Raises PmsUnavailable."""
    parts: list[bytes] = []
    try:
        while most > 0 and (part := os.read(descriptor, most)):
            parts.append(part)
            most -= len(part)
    except OSError as error:
        raise _unreadable(error) from None
    return b"".join(parts)


def _unreadable(error: OSError) -> PmsUnavailable:
    """A share that is not mounted, a right that is missing: told by its number, never by its path."""
    return PmsUnavailable(f"the drop folder cannot be read ({errno.errorcode.get(error.errno or 0, 'unknown')})")
