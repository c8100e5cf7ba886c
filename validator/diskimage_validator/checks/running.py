"""What the checks of running systems share."""

from diskimage_validator.model import Finding, Status


def not_running(subject: str) -> Finding:
    """Return the finding about a target at rest."""
    hint = "validate the node itself: ssh://USER@HOST, or / on it; --engine boot makes a node of an image"
    return Finding(subject, Status.SKIP, "only a running system can tell", hint=hint)
