"""The size of every set of packages that the mirrors have to hold can be told, out of the index of its repository.

An index is that of an apt repository (``Packages``) or of an RPM repository (``repodata/repomd.xml``, whose
``primary.xml`` has to have the checksum that is told there; where a package needs a file that is not in it, so does
``filelists.xml``). Without ``packages`` everything in it counts, each file once. With them, these and all that they
depend on, in the index and in those under ``also``: Depends and Pre-Depends, or Requires; of several versions the
newest, of alternatives the first that is there, and bounds on versions left aside.

.. rubric:: Example

With this factory::

    storage:
      packages:
        - index: https://mirror.internal/debian/dists/bookworm/main/binary-amd64/Packages.xz
          packages: [podman, skopeo]
        - index: https://mirror.internal/rocky/9/AppStream/x86_64/os/repodata/repomd.xml
          also: [https://mirror.internal/rocky/9/BaseOS/x86_64/os/repodata/repomd.xml]
          packages: [podman]
      mirrors:
        - {path: /srv/mirror}

the line passes if the packages are in the indices, and whatever they depend on.

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
        yield AskPackages(source.index, _once(source.packages or []), _once(source.also))


def _once(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every set."""
    for ask in dict.fromkeys(asks(question.factory)):
        evidence = question.seen[ask]
        expected = f"{', '.join(ask.packages)}, with dependencies" if ask.packages else "all packages of the index"
        fact = evidence.fact
        if isinstance(fact, Unreadable):
            yield cannot_tell(evidence, ask.index, expected, fact)
            continue
        number = "1 package" if len(fact.files) == 1 else f"{len(fact.files)} packages"
        actual = f"{number}, {format_size(sum(file.size for file in fact.files))}"
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
