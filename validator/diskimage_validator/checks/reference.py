"""The reference of all checks, from their docstrings, as reStructuredText."""

from collections.abc import Iterable

from diskimage_validator.catalogue import Described
from diskimage_validator.checks import CHECKS


def render_reference(
    checks: Iterable[Described] = tuple(CHECKS.values()), title: str = "Checks", rules: str = "policy"
) -> str:
    """Return a page with a section per check: its id, title, default severity and explanation.

    ``rules`` is what the file is called that may give it another severity.
    """
    parts = [f"{title}\n{'=' * len(title)}\n"]
    for check in checks:
        heading = f"``{check.id}``"
        parts.append(f"{heading}\n{'-' * len(heading)}\n")
        parts.append(f"*{check.title}*, {check.severity} unless the {rules}'s ``severity`` says otherwise.\n")
        parts.append(f"{check.explanation}\n")
    return "\n".join(parts)
