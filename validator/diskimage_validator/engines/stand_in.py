"""A program that stands in for an appliance's QEMU, and becomes it, so that its last words are heard.

libguestfs tells nothing of them but in its verbose mode, among a thousand lines; its callback for them ends our process
where they are not UTF-8. QEMU writes them on standard error, so that goes into a file. Besides, where there is no KVM,
the program has the kernel unpacked beforehand (``unpacked_kernel.py``), and takes from the processor what slows TCG.
"""

import os
import shlex
import sys
from pathlib import Path
from typing import Final

from diskimage_validator.engines import unpacked_kernel
from diskimage_validator.engines.boot.console import clean_lines
from diskimage_validator.engines.kvm import TCG_FEATURES

FOR_TCG: Final = """\
for argument do
    shift
    [ "$before" != -kernel ] || argument=$({unpack} "$argument" {cache} || printf %s "$argument")
    case "$before $argument" in "-cpu max"*) argument=$argument,{features} ;; esac
    set -- "$@" "$argument"
    before=$argument
done
"""
SAID: Final = "said"
PROGRAM: Final = """\
#!/bin/sh
{for_tcg}exec {qemu} "$@" 2>>"${{0%/*}}/{said}"
"""
MAX_READ: Final = 16 * 1024
"""Bytes of the end of what QEMU said."""
MAX_WORDS: Final = 300
"""Characters of its last line."""


def stand_in(qemu: Path, folder: Path, cache: Path | None) -> Path:
    """Return a program in ``folder`` that becomes ``qemu``; ``qemu`` itself where there can be no such program.

    With a ``cache``, which is for TCG, it unpacks the kernel into that, and takes features from the processor.
    libguestfs remembers what a QEMU can do by the size and the time of its file, so the time is QEMU's, and the name of
    ``folder``, which is another one each time, is not in it.
    """
    program = folder / "qemu"
    for_tcg = ""
    if cache:
        unpack = [shlex.quote(part) for part in (sys.executable, "-I", "-S", unpacked_kernel.__file__)]
        for_tcg = FOR_TCG.format(unpack=" ".join(unpack), cache=shlex.quote(str(cache)), features=TCG_FEATURES)
    program.write_text(PROGRAM.format(for_tcg=for_tcg, qemu=shlex.quote(str(qemu)), said=SAID))
    program.chmod(0o700)
    try:
        found = qemu.stat()
    except OSError:
        return qemu
    os.utime(program, ns=(found.st_atime_ns, found.st_mtime_ns))
    return program if os.access(program, os.X_OK) else qemu  # /tmp may be mounted with noexec


def last_words(folder: Path) -> str:
    """Return the last line that the QEMU behind the program in ``folder`` said; nothing if there is no such program.

    It is printable, and cut at MAX_WORDS.
    """
    try:
        with (folder / SAID).open("rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - MAX_READ, 0))
            lines = clean_lines(file.read(MAX_READ))
    except FileNotFoundError:
        return ""
    return lines[-1][:MAX_WORDS] if lines else "QEMU said nothing"
