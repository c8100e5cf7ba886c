"""A process that reads targets for ``fleet``: ``python -m diskimage_validator.worker``, started by nobody else.

On standard input it gets a pickle of the options for ``inspect`` and of the targets that share an appliance, if any do;
then a target per line, as JSON. On standard output
it answers in lines: ``step``, ``facts`` or ``error``, a blank, and JSON: a list of words while it reads, then what
``dump`` makes of facts, or class, message and hint. What it sends is data alone, because what it reads may be hostile.
"""

import json
import os
import pickle
import signal
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts import dump
from diskimage_validator.runner import inspect

if TYPE_CHECKING:
    from diskimage_validator.engines.sharing import SharedAppliance


def main() -> None:
    """Answer until standard input ends."""
    signal.signal(signal.SIGTERM, _interrupt)
    questions, answers = os.fdopen(os.dup(0), "rb"), os.dup(1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    with suppress(KeyboardInterrupt, BrokenPipeError):
        options, together = pickle.load(questions)  # noqa: S301 - from the process that started us
        with _sharing(together, options["image_format"]) as sharing:
            for line in questions:
                _answer(answers, json.loads(line), {**options, "sharing": sharing})


def _sharing(targets: Sequence[str], image_format: str | None) -> "AbstractContextManager[SharedAppliance | None]":
    if not targets:
        return nullcontext()
    from diskimage_validator.engines.sharing import SharedAppliance

    return SharedAppliance(targets, image_format=image_format)


def _answer(answers: int, target: str, options: dict[str, Any]) -> None:
    try:
        facts = inspect(target, progress=lambda step: _write(answers, "step", [step]), **options)
        _write(answers, "facts", dump(facts))
    except ValidatorError as error:
        _write(answers, "error", [type(error).__name__, error.message, error.hint])
    except BrokenPipeError:
        raise
    except Exception as error:  # a bug must not end the whole fleet
        message = f"internal error: {type(error).__name__}: {error}"
        _write(answers, "error", ["EngineError", message, "this is a bug: please report it"])


def _write(answers: int, kind: str, message: Any) -> None:
    data = f"{kind} {json.dumps(message)}\n".encode()
    while data:  # without a buffer, which an interrupted process would try to empty once more at its end
        data = data[os.write(answers, data) :]


def _interrupt(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not cut off the closing of an appliance
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
