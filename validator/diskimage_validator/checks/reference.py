"""The reference of all checks, from their docstrings, as reStructuredText."""

from diskimage_validator.checks import CHECKS


def render_reference() -> str:
    """Return the page ``checks.rst``: a section per check with its id, title, default severity and explanation."""
    title = "Checks"
    parts = [f"{title}\n{'=' * len(title)}\n"]
    for check in CHECKS.values():
        heading = f"``{check.id}``"
        parts.append(f"{heading}\n{'-' * len(heading)}\n")
        parts.append(f"*{check.title}*, {check.severity} unless the policy's ``severity`` says otherwise.\n")
        parts.append(f"{check.explanation}\n")
    return "\n".join(parts)
