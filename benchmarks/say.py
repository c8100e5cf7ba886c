"""What is being measured just now, on standard error."""

import sys


def say(step: str) -> None:
    """Tell one line."""
    print(step, file=sys.stderr, flush=True)
