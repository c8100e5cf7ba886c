"""From a YAML file, or the name of a shipped policy, to a Policy. All errors at once, each with its path and line."""

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from diskimage_validator.endpoints import Address, Endpoint
from diskimage_validator.errors import UsageError
from diskimage_validator.frozen import dataclass
from diskimage_validator.policy_document import problems_error, read_document
from diskimage_validator.policy_files import read_cas, read_chain, read_endpoint, read_file
from diskimage_validator.policy_lines import Document, DocumentError, Problem
from diskimage_validator.policy_merge import anchor_files, merge
from diskimage_validator.policy_model import Policy, Rules, TrustedCa
from diskimage_validator.rules.certificates import TrustedSource

MAX_DEPTH: Final = 8
"""Policies in a row that extend each other."""
_SHIPPED: Final = Path(__file__).with_name("policies")


@dataclass(frozen=True)
class Source:
    """The text of a policy. ``name`` is for messages, ``folder`` is where files are that it names."""

    name: str
    text: str
    folder: Path


def shipped_policies() -> list[str]:
    """Return the names of the policies that come with this package, sorted."""
    return sorted(entry.name.removesuffix(".yaml") for entry in _SHIPPED.iterdir() if entry.name.endswith(".yaml"))


def shipped_text(name: str) -> str:
    """Return the YAML text of a shipped policy. Raises UsageError if there is none of that name."""
    if name not in shipped_policies():
        close = difflib.get_close_matches(name, shipped_policies(), n=1)
        guess = f"did you mean '{close[0]}'? " if close else ""
        raise UsageError(
            f"no policy '{name}'", f"{guess}shipped are {', '.join(shipped_policies())}; a file is named by its path"
        )
    return (_SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")


def load_policy(
    name_or_path: str,
    *,
    ca_files: Iterable[str | Path] = (),
    endpoints: Iterable[Endpoint] = (),
    live_registry: Address | None = None,
) -> Policy:
    """Return the policy of a shipped name (``container-node``) or of a YAML file, with all that it extends.

    ``ca_files`` are certificate files (PEM or DER) on this host; their CAs are asked for in addition to the policy's.
    So are ``endpoints``; ``live_registry``, if there is one, takes the place of the policy's. A shipped name wins over
    a file of that name in the current folder. Raises UsageError if there is no such policy or file, PolicyError with
    all problems of the policy's text.
    """
    policy = _policy(_find(name_or_path, Path()))
    if live_registry is not None:
        live = policy.rules.live.model_copy(update={"registry": live_registry})
        policy = replace(policy, rules=policy.rules.model_copy(update={"live": live}))
    given = [ca for file in ca_files for ca in read_cas(Path(file), str(file))]
    return replace(policy, trusted=_unique([*policy.trusted, *given]), endpoints=(*policy.endpoints, *endpoints))


def parse_policy(text: str, name: str, folder: Path) -> Policy:
    """Return the policy that the YAML ``text`` spells; ``name`` is for messages, ``folder`` for relative files."""
    return _policy(Source(name, text, folder))


def resolve(name_or_path: str) -> dict[str, Any]:
    """Return a policy as plain data with all that it extends merged in. Raises what load_policy raises."""
    return _resolve(_find(name_or_path, Path()))


def _find(name_or_path: str, folder: Path) -> Source:
    """Return a shipped policy by its name or a file by its path, which is relative to ``folder``."""
    if name_or_path in shipped_policies() or not _is_file_name(name_or_path, folder):
        return Source(name_or_path, shipped_text(name_or_path), Path())
    path = folder / name_or_path
    return Source(str(path), read_file(path, "policy").decode("utf-8", "replace"), path.parent)


def _is_file_name(text: str, folder: Path) -> bool:
    return "/" in text or text.endswith((".yaml", ".yml")) or (folder / text).is_file()


def _policy(source: Source) -> Policy:
    merged = _resolve(source)
    try:
        rules = Rules.model_validate(merged)
    except ValidationError as error:  # each part is sound, the whole is not
        raise problems_error("policy", source.name, [Problem(1, (), str(error.errors()[0]["msg"]))]) from error
    certificates = rules.certificates
    endpoints = tuple(
        read_endpoint(Address(entry.name, entry.port), entry.chain, entry.consumers, strict=entry.strict)
        for entry in certificates.endpoints
    )
    distrusted = _resolve_cas(certificates.distrusted or [])
    return Policy(rules, _resolve_cas(certificates.trusted), endpoints, distrusted)


def _resolve(source: Source, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the data of ``source`` on top of what it extends; ``above`` are the policies that extend it."""
    try:
        document, problems = read_document(source.text)
    except DocumentError as error:
        raise problems_error("policy", source.name, error.problems) from error
    problems += _bad_files(document, source)
    base: dict[str, Any] = {}
    extends = document.data.get("extends")
    if isinstance(extends, str) and extends:
        try:
            base = _resolve_base(extends, source, above)
        except UsageError as error:
            problems.append(Problem(document.line(("extends",)), ("extends",), error.message))
    if problems:
        raise problems_error("policy", source.name, problems)
    return merge(base, anchor_files(document.data, source.folder), document.overrides)


def _resolve_base(extends: str, source: Source, above: tuple[str, ...]) -> dict[str, Any]:
    base = _find(extends, source.folder)
    chain = (*above, _identity(source))
    if _identity(base) in chain:
        raise UsageError(f"{extends} extends this policy in turn")
    if len(chain) >= MAX_DEPTH:
        raise UsageError(f"more than {MAX_DEPTH} policies extend each other")
    return _resolve(base, chain)


def _identity(source: Source) -> str:
    """Return what two sources of the same policy have in common."""
    return source.name if source.folder == Path() else str(Path(source.name).resolve())


def _bad_files(document: Document, source: Source) -> list[Problem]:
    """Read the files that the document names; what is wrong with the *form* of an entry is the model's business."""
    return [
        *_bad_entries(document, source, "trusted", "file", read_cas),
        *_bad_entries(document, source, "distrusted", "file", read_cas),
        *_bad_entries(document, source, "endpoints", "chain", lambda path, _: read_chain(path)),
    ]


def _bad_entries(
    document: Document, source: Source, section: str, key: str, read: Callable[[Path, str], object]
) -> Iterator[Problem]:
    certificates = document.data.get("certificates")
    entries = certificates.get(section) if isinstance(certificates, dict) else None
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        if isinstance(entry, dict) and isinstance(file := entry.get(key), str) and file:
            path = ("certificates", section, index, key)
            try:
                read(source.folder / file, file)
            except UsageError as error:
                yield Problem(document.line(path), path, error.message)


def _resolve_cas(entries: Iterable[TrustedSource]) -> tuple[TrustedCa, ...]:
    """Return the CAs that entries of a policy name by digest or by file."""
    found: list[TrustedCa] = []
    for entry in entries:
        if entry.sha256:
            found.append(TrustedCa(entry.sha256, "", "policy"))
        else:
            found += read_cas(Path(str(entry.file)), str(entry.file))
    return _unique(found)


def _unique(cas: Iterable[TrustedCa]) -> tuple[TrustedCa, ...]:
    """Drop repeated certificates; the first one that has a subject stays."""
    unique: dict[str, TrustedCa] = {}
    for ca in cas:
        if ca.sha256 not in unique or not unique[ca.sha256].subject:
            unique[ca.sha256] = ca
    return tuple(unique.values())
