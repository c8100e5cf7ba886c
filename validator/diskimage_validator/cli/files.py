"""``ls``, ``cat`` and ``find`` inside an image: names are made printable, links never lead out."""

import posixpath
import stat
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TextIO

import click

from diskimage_validator.cli.options import engine_option, image_format_option, quiet_option, ssh_options
from diskimage_validator.cli_console import Progress, output
from diskimage_validator.engines.base import Engine, Stat
from diskimage_validator.engines.find_output import TYPES
from diskimage_validator.engines.open import read_target
from diskimage_validator.engines.ssh.options import SshOptions
from diskimage_validator.errors import DeclinedError, EngineDiedError, EngineError, EntryNotFoundError, UsageError
from diskimage_validator.printable import clean_path, printable

BLOCK = 1 << 20


@click.command("ls")
@click.argument("target")
@click.argument("path", default="/")
@click.option("-l", "--long", "long_form", is_flag=True, help="Mode, owner (numbers), size and date as well.")
@engine_option
@image_format_option
@ssh_options
@quiet_option
def ls_command(
    *, target: str, path: str, long_form: bool, engine: str, image_format: str | None, ssh: SshOptions, quiet: bool
) -> int:
    """List PATH inside TARGET, a disk image."""

    def listing(opened: Engine) -> Iterator[str]:
        entry = opened.lstat(path)
        if entry is not None and entry.is_link and path.endswith("/"):
            entry = opened.stat(path)
        if entry is None:
            raise EntryNotFoundError(f"{path}: not in the target")
        names = opened.listdir(path) if entry.is_dir else [path]
        for name in names:
            child = posixpath.join(path, name)
            yield _line(opened, child, name, long_form=long_form)

    return _with(target, engine, image_format, ssh, listing, quiet=quiet)


@click.command("find")
@click.argument("target")
@click.argument("path", default="/")
@click.option("--name", metavar="PATTERN", help="Names that match, as in a shell: '*.pem'.")
@click.option("--type", "kind", type=click.Choice(list(TYPES)), help="As find(1) names them: f, d, l, ...")
@click.option("--perm", metavar="MODE", help="All of these permission bits are set, octal: 4000 finds setuid files.")
@click.option("-l", "--long", "long_form", is_flag=True, help="Mode, owner (numbers), size and date as well.")
@engine_option
@image_format_option
@ssh_options
@quiet_option
def find_command(
    *,
    target: str,
    path: str,
    name: str | None,
    kind: str | None,
    perm: str | None,
    long_form: bool,
    engine: str,
    image_format: str | None,
    ssh: SshOptions,
    quiet: bool,
) -> int:
    """Print the paths below PATH inside TARGET that match all options."""
    bits = _octal(perm) if perm is not None else 0

    def matches(found: str, entry: Stat) -> bool:
        return (
            (name is None or fnmatchcase(posixpath.basename(found), name))
            and (kind is None or stat.S_IFMT(entry.mode) == TYPES[kind])
            and entry.mode & bits == bits
        )

    def search(opened: Engine) -> Iterator[str]:
        folder = opened.stat(path)
        if folder is None or not folder.is_dir:
            raise EntryNotFoundError(f"{path}: no directory in the target")
        for found, entry in opened.walk(path):
            if matches(found, entry):
                yield _line(opened, found, found, long_form=long_form)

    return _with(target, engine, image_format, ssh, search, quiet=quiet)


@click.command("cat")
@click.argument("target")
@click.argument("path")
@engine_option
@image_format_option
@ssh_options
@quiet_option
def cat_command(*, target: str, path: str, engine: str, image_format: str | None, ssh: SshOptions, quiet: bool) -> int:
    """Write the file PATH inside TARGET to standard output, byte by byte.

    On a terminal, control characters are shown as escapes, because a file may hold what takes a terminal over.
    """
    return _with(target, engine, image_format, ssh, lambda opened: _blocks(opened, path), quiet=quiet)


def _with(
    target: str,
    engine: str,
    image_format: str | None,
    ssh: SshOptions,
    work: Callable[[Engine], Iterator[str | bytes]],
    *,
    quiet: bool,
) -> int:
    """Open ``target`` and write what ``work`` yields. A path that is not there is the caller's mistake.

    What has been written cannot be taken back: an engine that declines or dies after that is an error.
    """
    with Progress(quiet=quiet) as progress, output(None) as stream:

        def copy(opened: Engine) -> None:
            progress.stop()
            written = False
            try:
                for part in work(opened):
                    _write(part, stream)
                    written = True
                opened.confirm()
            except DeclinedError as error:
                if not written:
                    raise
                hint = "begin again with --engine guestfs"
                raise EngineError(f"in the middle of it, the direct engine declined: {error.message}", hint) from error
            except EngineDiedError as error:
                if not written:
                    raise
                raise EngineError(f"in the middle of it, {error.message}", "begin again") from error

        try:
            read_target(target, copy, engine=engine, image_format=image_format, ssh=ssh, progress=progress)
        except EntryNotFoundError as error:
            raise UsageError(error.message) from error
    return 0


def _write(part: str | bytes, stream: TextIO) -> None:
    if isinstance(part, str):
        stream.write(part)
    elif stream.isatty():
        for line in part.decode("utf-8", "backslashreplace").splitlines(keepends=True):
            stream.write("\t".join(printable(word) for word in line.rstrip("\r\n").split("\t")) + "\n")
    else:
        stream.flush()
        sys.stdout.buffer.write(part)


def _blocks(opened: Engine, path: str) -> Iterator[bytes]:
    """Yield the content of a file, of any size, in pieces."""
    offset = 0
    while block := opened.read(path, offset=offset, limit=BLOCK, whole=False):
        yield block
        offset += len(block)


def _line(opened: Engine, path: str, name: str, *, long_form: bool) -> str:
    """Return the line of one entry; a link shows where it points."""
    shown = printable(clean_path(name))
    if not long_form:
        return f"{shown}\n"
    entry = opened.lstat(path)
    if entry is None:  # a live system lost it meanwhile
        return ""
    if entry.is_link:
        shown += f" -> {printable(clean_path(opened.readlink(path)))}"
    date = datetime.fromtimestamp(entry.mtime, UTC)
    owner = f"{entry.uid}:{entry.gid}"
    return f"{stat.filemode(entry.mode)} {owner:>11} {entry.size:>11} {date:%Y-%m-%d %H:%M} {shown}\n"


def _octal(text: str) -> int:
    try:
        return int(text, 8)
    except ValueError:
        raise UsageError(f"--perm {text}: octal digits are wanted, such as 4000") from None
