"""Single files are there as the policy wants them, and others are not there at all.

A required path may be a file, a folder or anything else. Links are followed inside the image, so ``mode``, ``owner``
and ``sha256`` are those of what the path leads to; ``link`` asks for the link itself. ``owner`` is a user, or
``user:group``, each as a name or a number. What ``absent`` covers must not be there, not even as a link that leads
nowhere: ``*`` stays within one folder, ``**`` goes across several.

.. rubric:: Example

With this policy::

    files:
      required:
        - path: /etc/motd
        - path: /etc/sudoers
          mode: "0440"
          owner: root:root
        - path: /etc/localtime
          link: /usr/share/zoneinfo/Etc/UTC
      absent:
        - /usr/local/bin/package-installs*

an image passes whose files are as they are on any Debian.

An image fails whose ``/etc/sudoers`` has the mode 0644, and one with ``/usr/local/bin/package-installs-v2``.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.findings import could_not_read
from diskimage_validator.facts import known
from diskimage_validator.facts.base import FactUnavailableError
from diskimage_validator.facts.files import MAX_MATCHES, FileEntry
from diskimage_validator.facts.reading import Problem
from diskimage_validator.globs import is_plain
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy
from diskimage_validator.rules.files import RequiredFile

ID: Final = "files"
TITLE: Final = "Files"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("files",)

_ABSENT: Final = "not there"


def asked(policy: Policy) -> bool:
    """Whether the policy names files."""
    return bool(policy.rules.files.required or policy.rules.files.absent)


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for every required path, and a pass or the failures for every absent one."""
    files = known(question.facts.files)
    for rule in question.rules.files.required:
        entry = _answer(files.entries, rule.path)
        if isinstance(entry, Problem):
            yield from could_not_read([entry], _expected(rule))
        else:
            yield _check_required(rule, entry)
    for pattern in question.rules.files.absent:
        if is_plain(pattern):
            entry = _answer(files.entries, pattern)
            if isinstance(entry, Problem):
                yield from could_not_read([entry], _ABSENT)
                continue
            found: tuple[str, ...] = (pattern,) if entry else ()
        else:
            found = _answer(files.covered, pattern)
        yield from _check_absent(pattern, found)


def _answer(answers: Mapping[str, Any], path: str) -> Any:
    if path not in answers:
        raise FactUnavailableError(
            f"nobody looked for {path} when the facts were collected", "collect the facts with the same policy"
        )
    return answers[path]


def _check_absent(pattern: str, found: tuple[str, ...]) -> Iterator[Finding]:
    for path in found:
        message = "it must not be there" if path == pattern else f"it must not be there: {pattern}"
        yield Finding(path, Status.FAIL, message, _ABSENT, "there", "remove it at the end of the build", path)
    if len(found) == MAX_MATCHES:
        yield Finding(
            pattern, Status.FAIL, f"more than the {MAX_MATCHES} that are listed may be there", _ABSENT, "more"
        )
    if not found:
        yield Finding(pattern, Status.PASS, "it is not there", _ABSENT, _ABSENT)


def _check_required(rule: RequiredFile, entry: FileEntry | None) -> Finding:
    expected = _expected(rule)
    if entry is None:
        return Finding(rule.path, Status.FAIL, "it is not there", expected, "not there", path=rule.path)
    faults = list(_faults(rule, entry))
    if rule.sha256 and entry.kind == "file" and entry.sha256 is None:
        return Finding(rule.path, Status.ERROR, f"{entry.size} bytes are too many to read", expected, path=rule.path)
    if faults:
        return Finding(rule.path, Status.FAIL, "; ".join(faults), expected, "; ".join(faults), path=rule.path)
    return Finding(rule.path, Status.PASS, "it is there", expected, "as expected", path=rule.path)


def _expected(rule: RequiredFile) -> str:
    wanted = {"link to": rule.link, "sha256": rule.sha256, "mode": rule.mode, "owner": rule.owner}
    return ", ".join(f"{name} {value}" for name, value in wanted.items() if value) or "there"


def _faults(rule: RequiredFile, entry: FileEntry) -> Iterator[str]:
    if rule.link is not None and entry.link != rule.link:
        yield f"it is a link to {entry.link}" if entry.link else "it is no link"
    if entry.kind == "dangling":
        if rule.link is None or rule.sha256 or rule.mode or rule.owner:
            yield f"it is a link to {entry.link}, which leads nowhere"
        return
    if rule.sha256 and entry.kind != "file":
        yield "it is no regular file"
    elif rule.sha256 and entry.sha256 is not None and entry.sha256 != rule.sha256:
        yield f"its sha256 is {entry.sha256}"
    if rule.mode and int(rule.mode, 8) != entry.mode:
        yield f"its mode is {entry.mode:04o}"
    if rule.owner and not _is_owner(rule.owner, entry):
        yield f"its owner is {entry.user or entry.uid}:{entry.group or entry.gid}"


def _is_owner(wanted: str, entry: FileEntry) -> bool:
    user, _, group = wanted.partition(":")
    return user in (entry.user, str(entry.uid)) and (not group or group in (entry.group, str(entry.gid)))
