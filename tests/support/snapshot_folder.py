"""What is in a folder of this host, with the extended attributes that engines cannot tell."""

import hashlib
import os
import stat
from pathlib import Path

from diskimage_validator.comparison.trees import Entry


def snapshot_folder(root: Path) -> dict[str, Entry]:
    """Return all that is in the folder ``root``, itself included as ``/``.

    Links are not followed; other file systems mounted below it count as content. Raises OSError if something cannot be
    read.
    """
    found = {"/": _entry_of(root)}
    pending = [root]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                path = Path(entry.path)
                found[f"/{path.relative_to(root)}"] = _entry_of(path)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(path)
    return found


def _entry_of(path: Path) -> Entry:
    status = path.lstat()
    is_file = stat.S_ISREG(status.st_mode)
    content = ""
    if is_file:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    elif stat.S_ISLNK(status.st_mode):
        content = os.readlink(path)  # noqa: PTH115 - Path normalises the text, and "a/" differs from "a"
    elif stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        content = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    return Entry(
        mode=status.st_mode,
        uid=status.st_uid,
        gid=status.st_gid,
        size=status.st_size if is_file else None,
        mtime=status.st_mtime_ns // 1_000_000_000,
        content=content,
        links=status.st_nlink if is_file else None,
        attributes=_attributes_of(path),
    )


def _attributes_of(path: Path) -> tuple[tuple[str, str], ...]:
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return tuple((name, os.getxattr(path, name, follow_symlinks=False).hex()) for name in names)
