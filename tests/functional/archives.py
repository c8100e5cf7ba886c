"""Archives of trees that MemoryEngine has, to be unpacked on a disk."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import PurePosixPath

from tests.support.memory_engine import Broken, Entry, File, Folder, Link


def tar(tree: Mapping[str, Entry], folder: str = "/", *, without: str = "") -> bytes:
    """Return an archive, owned by root, of what ``tree`` has below ``folder``.

    What is below ``without``, where something else will be mounted, is left out; the folder itself is there.
    """
    entries: dict[str, Entry] = {str(PurePosixPath(without).relative_to(folder)): Folder()} if without else {}
    for path, entry in sorted(tree.items()):
        inside = PurePosixPath(path).is_relative_to(folder) and path != folder
        if inside and not (without and PurePosixPath(path).is_relative_to(without)):
            for parent in reversed(PurePosixPath(path).relative_to(folder).parents[:-1]):
                entries.setdefault(str(parent), tree.get(str(PurePosixPath(folder) / parent), Folder()))
            entries[str(PurePosixPath(path).relative_to(folder))] = entry
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, entry in entries.items():
            _add(archive, name, entry)
    return stream.getvalue()


def _add(archive: tarfile.TarFile, name: str, entry: Entry) -> None:
    member = tarfile.TarInfo(name)
    if isinstance(entry, Folder):
        member.type, member.mode = tarfile.DIRTYPE, entry.mode
        archive.addfile(member)
    elif isinstance(entry, Link):
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, entry.text, 0o777
        archive.addfile(member)
    else:
        assert not isinstance(entry, Broken)
        file = entry if isinstance(entry, File) else File(entry.encode() if isinstance(entry, str) else entry)
        member.size, member.mode = len(file.content), file.mode
        archive.addfile(member, io.BytesIO(file.content))
