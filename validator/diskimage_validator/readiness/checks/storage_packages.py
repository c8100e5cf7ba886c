"""The size of every set of packages that the mirrors have to hold can be told, out of the index of its repository.

Without ``packages`` everything in the index counts, each file once. With them, these and all that they depend on
(Depends and Pre-Depends; of alternatives the first that is there).

.. rubric:: Example

With this factory::

    storage:
      packages:
        - index: https://mirror.internal/debian/dists/bookworm/main/binary-amd64/Packages.xz
          packages: [podman, skopeo]
      mirrors:
        - {path: /srv/mirror}

the line passes if both packages are in the index, and whatever they depend on.

It fails if there is no ``skopeo``, or if nothing in the index satisfies one of the dependencies. An index that cannot
be read is neither: ERROR.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.checks.base import Question, cannot_tell, tell
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.storage import AskPackages
from diskimage_validator.sizes import format_size

ID: Final = "storage-packages"
TITLE: Final = "Packages for the mirrors"
SEVERITY: Final = Severity.WARNING
LINE: Final = "Storage"


def asks(factory: Factory) -> Iterator[AskPackages]:
    """Yield a question per set."""
    for source in factory.rules.storage.packages if factory.rules.storage else ():
        yield AskPackages(source.index, tuple(dict.fromkeys(source.packages or ())))


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every set."""
    for ask in dict.fromkeys(asks(question.factory)):
        evidence = question.seen[ask]
        expected = f"{', '.join(ask.packages)}, with dependencies" if ask.packages else "all packages of the index"
        fact = evidence.fact
        if isinstance(fact, Unreadable):
            yield cannot_tell(evidence, ask.index, expected, fact)
            continue
        actual = f"{len(fact.files)} packages, {format_size(sum(file.size for file in fact.files))}"
        faults = []
        if fact.missing:
            faults.append(f"the index has no {', '.join(fact.missing)}")
        if fact.unmet:
            faults.append(f"nothing in the index satisfies {'; '.join(fact.unmet)}")
        if faults:
            hint = "name the index that has it, or mirror that part of the distribution as well"
            yield tell(evidence, ask.index, Status.FAIL, "; ".join(faults), expected, actual, hint)
        else:
            yield tell(evidence, ask.index, Status.PASS, actual, expected, actual)
