"""From a YAML file, or the name of a shipped policy, to a Policy. All errors at once, each with its path and line."""

import difflib
import types
import typing
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from diskimage_validator import policy_lines
from diskimage_validator.certificates import holds_private_key, parse_certificates
from diskimage_validator.checks import CHECKS
from diskimage_validator.errors import PolicyError, UsageError
from diskimage_validator.policy_lines import Document, Problem
from diskimage_validator.policy_model import Policy, Rules, TrustedCa

MAX_FILE_SIZE: Final = 256 * 1024
_MESSAGES: Final = {
    "missing": "is missing",
    "list_type": "a list is wanted",
    "model_type": "a mapping of keys to values is wanted",
    "dict_type": "a mapping of keys to values is wanted",
    "bool_type": "true or false is wanted",
    "string_pattern_mismatch": "a sha256 is wanted: 64 hexadecimal digits in lower case, without colons",
}
_SHIPPED: Final = resources.files("diskimage_validator") / "policies"


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


def load_policy(name_or_path: str, *, ca_files: Iterable[str | Path] = ()) -> Policy:
    """Return the policy of a shipped name (``container-node``) or of a YAML file.

    ``ca_files`` are certificate files (PEM or DER) on this host; their CAs are asked for in addition to the policy's.
    A shipped name wins over a file of that name in the current folder. Raises UsageError if there is no such policy
    or file, PolicyError with all problems of the policy's text.
    """
    if name_or_path in shipped_policies() or not _is_file_name(name_or_path):
        policy = parse_policy(shipped_text(name_or_path), name_or_path, Path())
    else:
        path = Path(name_or_path)
        text = _read(path, "policy").decode("utf-8", "replace")
        policy = parse_policy(text, name_or_path, path.parent)
    given = [ca for file in ca_files for ca in _read_cas(Path(file), str(file))]
    return Policy(policy.rules, _unique([*policy.trusted, *given]))


def parse_policy(text: str, name: str, folder: Path) -> Policy:
    """Return the policy that the YAML ``text`` spells; ``name`` is for messages, ``folder`` for relative files."""
    try:
        document = policy_lines.parse_document(text)
    except policy_lines.DocumentError as error:
        raise _policy_error(name, error.problems) from error
    if not isinstance(document.data, dict):
        raise _policy_error(name, [Problem(1, (), "a policy is a mapping of keys to values")])
    problems = list(document.problems)
    try:
        rules = Rules.model_validate(document.data)
    except ValidationError as error:
        problems += [_problem(document, details) for details in error.errors(include_url=False)]
    problems += _unknown_checks(document)
    trusted = _trusted_cas(document, folder, problems)
    if problems:
        raise _policy_error(name, problems)
    return Policy(rules, _unique(trusted))


def _is_file_name(text: str) -> bool:
    return "/" in text or text.endswith((".yaml", ".yml")) or Path(text).is_file()


def _read(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_SIZE + 1)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise UsageError(f"cannot read {what} {path}: {getattr(error, 'strerror', '') or error}") from error
    if len(data) > MAX_FILE_SIZE:
        raise UsageError(f"{what} {path} is larger than {MAX_FILE_SIZE // 1024} KiB", "is this the right file?")
    return data


def _policy_error(name: str, problems: list[Problem]) -> PolicyError:
    ordered = sorted(problems, key=lambda problem: problem.line)
    count = f"{len(ordered)} errors" if len(ordered) > 1 else "1 error"
    return PolicyError("\n".join([f"policy {name} has {count}", *(f"  {problem}" for problem in ordered)]))


def _problem(document: Document, details: ErrorDetails) -> Problem:
    path, kind = details["loc"], details["type"]
    if kind == "invalid_key":  # a number, say: lines are kept under the text of the key
        path, kind = (*path[:-1], str(path[-1])), "extra_forbidden"
    message = details["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        message = "unknown key" + _did_you_mean(str(path[-1]), _keys_at(path[:-1]))
    elif kind in _MESSAGES:
        message = _MESSAGES[kind]
    elif kind == "string_type" and isinstance(details["input"], int | float):
        message = "text is wanted: write the number in quotes"
    elif kind == "literal_error" and path == ("version",):
        message = "only version 1 of the policy format is known"
    return Problem(document.line(path), path, message)


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; known are {', '.join(known)}"


def _keys_at(path: tuple[int | str, ...]) -> list[str]:
    """Return the keys that a policy knows at ``path``, by walking through the models."""
    model: Any = Rules
    for part in path:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation)
    return list(model.model_fields)


def _model_in(annotation: Any) -> Any:
    """Return the model inside an annotation such as ``list[Release] | None``."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((model for part in typing.get_args(annotation) if (model := _model_in(part))), None)


def _unknown_checks(document: Document) -> Iterator[Problem]:
    severities = document.data.get("severity")
    for name in severities if isinstance(severities, dict) else ():
        if name not in CHECKS:
            path = ("severity", str(name))
            yield Problem(document.line(path), path, "no such check" + _did_you_mean(str(name), CHECKS))


def _trusted_cas(document: Document, folder: Path, problems: list[Problem]) -> list[TrustedCa]:
    """Resolve ``certificates.trusted``; what is wrong with the *form* of an entry is the model's business."""
    certificates = document.data.get("certificates")
    entries = certificates.get("trusted") if isinstance(certificates, dict) else None
    found: list[TrustedCa] = []
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        if not isinstance(entry, dict):
            continue
        path = ("certificates", "trusted", index)
        if isinstance(digest := entry.get("sha256"), str):
            found.append(TrustedCa(digest, "", "policy"))
        elif isinstance(file := entry.get("file"), str) and file:
            try:
                found += _read_cas(folder / file, file)
            except UsageError as error:
                problems.append(Problem(document.line((*path, "file")), (*path, "file"), error.message))
    return found


def _read_cas(path: Path, source: str) -> list[TrustedCa]:
    data = _read(path, "CA file")
    parsed = parse_certificates(data)
    if holds_private_key(data):
        raise UsageError(f"CA file {path} holds a private key", "give only the certificate, and keep the key safe")
    if parsed.unparsed:
        bad = parsed.unparsed[0]
        raise UsageError(f"CA file {path}: certificate {bad.index} cannot be parsed: {bad.reason}")
    if not parsed.certificates:
        raise UsageError(f"CA file {path} holds no certificate", "PEM blocks or one DER certificate are wanted")
    return [TrustedCa(certificate.sha256, certificate.subject, source) for certificate in parsed.certificates]


def _unique(cas: Iterable[TrustedCa]) -> tuple[TrustedCa, ...]:
    """Drop repeated certificates; the first one that has a subject stays."""
    unique: dict[str, TrustedCa] = {}
    for ca in cas:
        if ca.sha256 not in unique or not unique[ca.sha256].subject:
            unique[ca.sha256] = ca
    return tuple(unique.values())
