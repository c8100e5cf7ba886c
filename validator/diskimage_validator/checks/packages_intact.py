"""The files that packages installed are the ones that the packages brought.

Something that a build overwrites in passing (an installer run as root over a packaged program, a patch by hand, a disk
that was full, a file system that was damaged) is gone with the next update of that package, or breaks it; and nobody
who reads the list of packages sees it. This check does what ``dpkg --verify``, ``debsums -s`` and ``rpm -V`` do: every
file of every package is read and held against the digest that the package manager noted.

- **dpkg**: the md5sums of each package, and of its configuration files. A file that is diverted (dpkg-divert(1)) is
  held where it lies. A file that another package took over, or that ``path-exclude`` of dpkg's configuration kept
  out, is left out; so are packages that are removed or half-installed.
- **RPM**: the digests and the texts of links in its database. Files that RPM did not install (``--nodocs``), ghosts
  and what a package exempts from verification are left out, as ``rpm -V`` does it.

Owners, modes, times, folders and device nodes are not held; nor are links under dpkg, which does not note their text. A
link in the place of a file counts as what it leads to. Files that belong to no package are not seen.

A changed configuration file is the administrator's right: it is counted, and is a failure with ``configuration: true``
only. ``changed`` and ``missing`` are patterns of paths that may differ, or be gone; ``packages`` are patterns of the
packages whose files are read, instead of all; each has to match one. A package that has files without any digest fails,
unless ``unlisted`` covers its name. A list that cannot be read is "could not tell".

The check reads every installed file, so it is asked for by ``packages.intact``, and no shipped policy asks for it.

MD5, which is all that dpkg notes, shows accidents and carelessness. It proves nothing against somebody who can write to
the image: he makes another file of the same digest, or just writes the new one into the list. RPM's digests are
stronger, and its list is as easily changed.

.. rubric:: Example

With this policy::

    packages:
      intact:
        changed:
          - /usr/lib/python3/dist-packages/podman_compose.py
        missing:
          - /usr/share/doc/**

an image passes where ``/etc/ssh/sshd_config`` was edited, ``podman_compose.py`` was patched, and all documentation was
removed.

An image where ``/usr/bin/jq`` is another program than the package's fails, and so does one without it.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.findings import could_not_read, not_all_listed
from diskimage_validator.facts import known
from diskimage_validator.facts.base import FactUnavailableError
from diskimage_validator.facts.package_files import Difference, PackageFiles
from diskimage_validator.globs import matches
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy
from diskimage_validator.rules.packages import IntactRules

ID: Final = "packages-intact"
TITLE: Final = "Files of packages"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("packages", "package_files")

_EXPECTED: Final = "as the package brought it"
_ALL: Final = "every file as its package brought it"
_WHAT: Final = {"missing": "is gone", "changed": "is not what the package brought", "replaced": "is something else"}


def asked(policy: Policy) -> bool:
    """Whether the policy asks for it."""
    return policy.rules.packages.intact is not None


def check(question: Question) -> Iterator[Finding]:
    """Yield a failure for every file that differs and may not, or one pass."""
    rules = question.rules.packages.intact
    if rules is None:
        return
    found = _files(question, rules)
    failures = [*_not_there(question, rules), *_unlisted(found, rules)]
    failures += [_failure(one) for one in found.differing if not _is_allowed(one, rules)]
    failures += not_all_listed("files of packages", len(found.differing), found.count, _ALL)
    failures += could_not_read(found.problems, _ALL)
    if not found.files and not failures:
        message = "no file was held against a digest: there is nothing to go by"
        failures.append(Finding("files of packages", Status.FAIL, message, _ALL, "nothing"))
    yield from failures or [_pass(found)]


def _files(question: Question, rules: IntactRules) -> PackageFiles:
    """Return the fact. Raises FactUnavailableError if it was not read, or for other packages than are asked for."""
    facts = question.facts.package_files
    hint = "collect the facts with the same policy"
    if facts is None:
        raise FactUnavailableError("installed files were not read when the facts were collected", hint)
    found = known(facts)
    if set(found.asked) != set(rules.packages):
        raise FactUnavailableError(f"the files of other packages were read: {', '.join(found.asked)}", hint)
    return found


def _not_there(question: Question, rules: IntactRules) -> Iterator[Finding]:
    """Yield a failure for every pattern that no package matches: it would hold nothing, and nobody would notice."""
    names = {package.name for package in known(question.facts.packages).present}
    for pattern in rules.packages:
        if not any(fnmatchcase(name, pattern) for name in names):
            yield Finding(pattern, Status.FAIL, "no installed package is called so", "a package", "none")


def _unlisted(found: PackageFiles, rules: IntactRules) -> Iterator[Finding]:
    for name in found.unlisted:
        if not any(fnmatchcase(name, pattern) for pattern in rules.unlisted):
            message = "the package has files, and no digests that they could be held against"
            hint = "install the package again, or add it to packages.intact.unlisted"
            yield Finding(name, Status.FAIL, message, "digests", "none", hint)


def _failure(one: Difference) -> Finding:
    kind = "the configuration file" if one.configuration else "the file"
    message = f"{kind} of {one.package} {_WHAT[one.kind]}"
    hint = "install the package again, or allow the difference in packages.intact"
    actual = "missing" if one.kind == "missing" else one.actual
    return Finding(one.path, Status.FAIL, message, one.expected or _EXPECTED, actual, hint, one.path)


def _is_allowed(one: Difference, rules: IntactRules) -> bool:
    if one.configuration and not rules.configuration:
        return True
    return matches(one.path, rules.changed) or (one.kind == "missing" and matches(one.path, rules.missing))


def _pass(found: PackageFiles) -> Finding:
    message = f"{found.files} files of {found.packages} packages were held against their digests"
    edited = sum(one.configuration for one in found.differing)
    others = len(found.differing) - edited
    message += f"; of {found.configuration} configuration files {edited} differ, as allowed" if edited else ""
    message += f"; {others} others differ, as allowed" if others else ""
    message += f"; {found.left_out} were left out" if found.left_out else ""
    return Finding("files of packages", Status.PASS, message, _ALL, _ALL)
