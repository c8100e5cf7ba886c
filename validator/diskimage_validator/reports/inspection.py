"""What is in a target, for a person or as JSON: facts without a verdict."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, TextIO

import yaml
from rich.text import Text

from diskimage_validator.certificates import Certificate
from diskimage_validator.engines.base import Filesystem
from diskimage_validator.facts import Facts, Unreadable, dump
from diskimage_validator.facts.packages import Packages
from diskimage_validator.facts.trust_store import TrustStore
from diskimage_validator.reports import overview
from diskimage_validator.reports.lines import console_for, print_line
from diskimage_validator.reports.overview import Line
from diskimage_validator.reports.styles import plain
from diskimage_validator.sizes import format_size
from diskimage_validator.tooling import PACKAGES

MOST_KEYS: Final = 10
"""Signing keys of packages that are shown: a distribution has one or two."""


def write_json(facts: Facts, stream: TextIO) -> None:
    """Write the facts as one JSON object, which ``facts.replay`` reads back."""
    json.dump(dump(facts), stream, indent=2)
    stream.write("\n")


def write_text(facts: Facts, stream: TextIO) -> None:
    """Write a page for a person: one section per kind of fact, what could not be read with its reason."""
    console = console_for(stream)
    for title, lines in _sections(facts):
        console.print(Text(title, style="bold"))
        for line in lines:
            if isinstance(line, tuple):
                print_line(console, Text(f"  {plain(line[0]):<18} "), Text(plain(line[1])))
            else:
                print_line(console, Text("  "), Text(plain(line)))
        console.print()


INSPECTION_WRITERS: Final[dict[str, Callable[[Facts, TextIO], None]]] = {"text": write_text, "json": write_json}


def write_part_json(facts: Facts, part: str, stream: TextIO) -> None:
    """Write one field of the facts as JSON."""
    json.dump(dump(facts)[part], stream, indent=2)
    stream.write("\n")


def write_part_text(facts: Facts, part: str, stream: TextIO) -> None:
    """Write one field of the facts as YAML, which is easy to read and escapes what a terminal must not see."""
    yaml.safe_dump(dump(facts)[part], stream, sort_keys=False, default_flow_style=False, width=200)


PART_WRITERS: Final[dict[str, Callable[[Facts, str, TextIO], None]]] = {
    "text": write_part_text,
    "json": write_part_json,
}


def _sections(facts: Facts) -> Iterator[tuple[str, list[Line]]]:
    yield "Target", list(_target(facts))
    yield "System", list(_system(facts))
    yield "Disk", list(_disk(facts))
    yield "Packages", list(_packages(facts.packages))
    yield "Commands", list(_commands(facts))
    yield "Trusted CAs", list(_trust(facts.trust))
    yield "Services", list(overview.services(facts))
    yield "Who can log in", list(overview.people(facts))
    yield "Hosts in configuration", list(overview.hosts(facts))
    if facts.notes:
        yield "Notes", list(facts.notes)


def _unreadable(fact: Unreadable) -> Iterator[Line]:
    yield f"could not be read: {fact.reason}"
    if fact.hint:
        yield f"hint: {fact.hint}"


def _target(facts: Facts) -> Iterator[Line]:
    target = facts.target
    yield "name", target.name
    if target.format:
        yield "format", target.format
    if target.file_size is not None:
        yield "file size", format_size(target.file_size)
    if target.sha256:
        yield "sha256", target.sha256
    yield "read by", facts.engine


def _system(facts: Facts) -> Iterator[Line]:
    if isinstance(facts.os, Unreadable):
        yield from _unreadable(facts.os)
    else:
        yield "distribution", f"{facts.os.name} ({facts.os.id} {facts.os.version_id})"
    if isinstance(facts.architecture, Unreadable):
        yield "architecture", f"could not be read: {facts.architecture.reason}"
    else:
        signs = ", ".join(f"{sign.source}: {sign.machine}" for sign in facts.architecture.evidence)
        yield "architecture", f"{facts.architecture.machine} ({signs})"
    if isinstance(facts.kernels, Unreadable):
        yield "kernels", f"could not be read: {facts.kernels.reason}"
    else:
        yield "kernels", ", ".join(facts.kernels) or "none in /boot"


def _disk(facts: Facts) -> Iterator[Line]:
    disk = facts.disk
    if disk is None:
        yield "the target is no disk"
    elif isinstance(disk, Unreadable):
        yield from _unreadable(disk)
    else:
        yield "virtual size", format_size(disk.virtual_size)
        yield "partition table", disk.partition_table
        for filesystem in disk.filesystems:
            yield filesystem.device, _filesystem(filesystem)


def _filesystem(filesystem: Filesystem) -> str:
    parts = [filesystem.type]
    if filesystem.mountpoint:
        parts.append(f"on {filesystem.mountpoint}")
    if filesystem.label:
        parts.append(f"label {filesystem.label}")
    if filesystem.size is not None:
        parts.append(format_size(filesystem.size))
    if filesystem.free is not None:
        parts.append(f"{format_size(filesystem.free)} free")
    return ", ".join(parts)


def _packages(packages: Packages | Unreadable) -> Iterator[Line]:
    if isinstance(packages, Unreadable):
        yield from _unreadable(packages)
        return
    if packages.manager == "rpm":
        yield from _rpm_packages(packages)
    else:
        others = len(packages.all) - len(packages.installed)
        yield "installed", f"{len(packages.installed)} ({packages.manager}; {others} more known, but not installed)"
    for name in PACKAGES:
        for package in packages.named(name):
            state = "" if package.is_installed else f" ({package.state})"
            yield name, f"{package.version}{state}"


def _rpm_packages(packages: Packages) -> Iterator[Line]:
    signed = Counter(package.rpm.signing_key for package in packages.installed if package.rpm)
    yield "installed", f"{len(packages.installed)} (rpm; {signed[''] or 'none'} without signature)"
    for key, count in signed.most_common(MOST_KEYS):
        if key:
            yield "signed with", f"key {key}: {count}"
    for public in packages.keys[:MOST_KEYS]:
        yield "public key", f"{public.id} {public.owner}"


def _commands(facts: Facts) -> Iterator[Line]:
    if isinstance(facts.commands, Unreadable):
        yield from _unreadable(facts.commands)
        return
    for name, program in facts.commands.programs.items():
        if program is None:
            yield name, "not on PATH"
            continue
        kind = program.machine or (f"script for {program.interpreter}" if program.interpreter else program.kind)
        link = f" -> {program.real}" if program.real != program.path else ""
        yield name, f"{program.path}{link} ({kind if program.state == 'ok' else program.state})"


def _trust(store: TrustStore | Unreadable) -> Iterator[Line]:
    if isinstance(store, Unreadable):
        yield from _unreadable(store)
        return
    yield "generated bundle", f"{store.bundle_path or 'none'}, {len(store.certificates)} certificates"
    for block in store.unparsed:
        yield f"certificate {block.index} of the bundle cannot be parsed: {block.reason}"
    yield "added locally", str(len(store.added))
    for certificate in store.added:
        yield from _certificate(certificate)
    for anchor in store.anchors:
        missing = [certificate for certificate in anchor.certificates if store.find(certificate.sha256) is None]
        for certificate in missing:
            yield f"{anchor.path} is not in the generated bundle:"
            yield from _certificate(certificate)
        for block in anchor.unparsed:
            yield f"{anchor.path}: certificate {block.index} cannot be parsed: {block.reason}"


def _certificate(certificate: Certificate) -> Iterator[Line]:
    yield f"  {certificate}"
    yield f"    {certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d}, {certificate.constraint}"
    yield f"    sha256 {certificate.sha256}"
