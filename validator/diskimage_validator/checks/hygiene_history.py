"""Nobody's history is in the image: no file in which a shell or a tool remembers what was typed.

Histories tell how the image was made, and hold whatever was typed on a command line: passwords, tokens, host names.
Looked at are the homes of root, in ``/home`` and of every account of passwd(5): files such as ``.bash_history``,
``.python_history``, ``.mysql_history``, ``.lesshst``, ``.viminfo``, fish's and nushell's. An empty file or a link to
``/dev/null`` is clean.

.. rubric:: Example

With this policy::

    hygiene:
      history: true

an image passes whose ``/root`` has ``.bashrc`` and ``.profile`` only.

An image fails with a ``/root/.bash_history`` of 120 bytes.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy
from diskimage_validator.sizes import format_size

ID: Final = "hygiene-history"
TITLE: Final = "Histories"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("leftovers",)

_EXPECTED: Final = "no history"


def asked(policy: Policy) -> bool:
    """Whether the policy asks for it."""
    return policy.rules.hygiene.history


def check(question: Question) -> Iterator[Finding]:
    """Yield a failure for every history that is not empty, or one pass."""
    histories = known(question.facts.leftovers).histories
    for history in histories:
        message = "it remembers what somebody typed or visited"
        size = format_size(history.size)
        hint = "remove it at the end of the build"
        yield Finding(history.path, Status.FAIL, message, _EXPECTED, size, hint, history.path)
    if not histories:
        yield Finding("histories", Status.PASS, "there is none", _EXPECTED, "none")
