"""Package caches are small and the temporary folders empty.

``max_cache_size`` bounds each cache by itself: apt's archives and lists, those of dnf, yum, zypper and PackageKit,
and in every home ``.cache`` (pip, for instance), ``.npm``, ``.yarn``, and the downloads of Cargo and Go. Where it is
given, ``/tmp`` and ``/var/tmp`` must not hold any file; empty folders do no harm. What is cached makes every upload
and every boot of the image slower, and lists of packages go out of date.

.. rubric:: Example

With this policy::

    hygiene:
      max_cache_size: 10 MiB

an image passes where apt's lists were removed at the end of the build.

An image fails with 120 MB in ``/var/cache/apt``, or with ``/tmp/get-pip.py``.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.findings import not_all_listed
from diskimage_validator.facts import known
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy
from diskimage_validator.sizes import format_size

ID: Final = "hygiene-caches"
TITLE: Final = "Caches and temporary files"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("usage",)

_NO_FILE: Final = "no file"


def asked(policy: Policy) -> bool:
    """Whether the policy bounds caches."""
    return policy.rules.hygiene.max_cache_size is not None


def check(question: Question) -> Iterator[Finding]:
    """Yield a failure for every cache that is too large and every temporary file, and a pass for either kind."""
    usage = known(question.facts.usage)
    bound = question.rules.hygiene.max_cache_size or 0
    expected = f"at most {format_size(bound)}"
    large = [area for area in usage.caches if area.size > bound]
    for area in large:
        size = format_size(area.size)
        message = f"{size} in {area.files} files, but {expected} is allowed"
        hint = "clean the cache at the end of the build, for instance with 'apt-get clean' or 'dnf clean all'"
        yield Finding(area.path, Status.FAIL, message, expected, size, hint, area.path)
    if not large:
        total = format_size(sum(area.size for area in usage.caches))
        yield Finding("caches", Status.PASS, f"{total} in all; each is small enough", expected, total)
    for path in usage.temporary:
        hint = "remove it at the end of the build"
        yield Finding(path, Status.FAIL, "a temporary file of the build", _NO_FILE, "there", hint, path)
    yield from not_all_listed("temporary files", len(usage.temporary), usage.temporary_count, _NO_FILE)
    if not usage.temporary_count:
        yield Finding("temporary files", Status.PASS, "there is none", _NO_FILE, "none")
