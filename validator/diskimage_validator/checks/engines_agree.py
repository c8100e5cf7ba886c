"""Two engines that share no code below the facts read the same from the image.

``--engine both`` reads it with guestfs and with direct. Every value that they tell differently is an ERROR here, under
its place in the facts: one of the two is wrong, and it cannot be told which. The other checks judge what guestfs read.
Where direct declines an image, because of LVM for instance, nothing can be compared, and the reason is told.

It takes no rule in the policy.

.. rubric:: Example

::

    diskimage-validator validate node.qcow2 --policy container-node --engine both

An image passes of which both engines read all the same values.

An image fails, with an ERROR and exit status 3, if for instance one of them finds another version of a package.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question, always
from diskimage_validator.model import NOT_ASKED, Finding, Severity, Status

ID: Final = "engines-agree"
TITLE: Final = "Two engines"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ()

asked = always


def check(question: Question) -> Iterator[Finding]:
    """Yield an ERROR for every difference, or one finding if there is none."""
    found = question.facts.agreement
    if found is None:
        yield Finding(ID, Status.SKIP, NOT_ASKED)
        return
    first, second = found.engines
    subject = f"{first} and {second}"
    if found.declined:
        yield Finding(subject, Status.SKIP, f"nothing was compared: {found.declined}")
    elif not found.differing:
        yield Finding(subject, Status.PASS, f"they read the same {found.compared} values")
    hint = "please report it, with the image if possible"
    for one in found.differences:
        said, other = (value or "nothing" for value in one.values)
        message = f"{first} reads {said}, {second} reads {other}"
        yield Finding(one.path, Status.ERROR, message, f"{first}: {said}", f"{second}: {other}", hint)
    if more := found.differing - len(found.differences):
        yield Finding(subject, Status.ERROR, f"{more} more values differ", hint=hint)
