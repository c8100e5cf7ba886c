"""One check at work: whatever happens in it becomes results, and the others go on."""

from collections.abc import Callable, Iterable

from diskimage_validator.errors import PermissionDeniedError, ValidatorError
from diskimage_validator.model import NOT_ASKED, Finding, Result, Severity, Status


def judge(
    check: str, title: str, severity: Severity, *, asked: bool, run: Callable[[], Iterable[Finding]]
) -> list[Result]:
    """Return the results of the check with that id. What it found before it failed stays; that is an ERROR result.

    A check that would need more rights than the account has is skipped, with the reason.
    """
    if not asked:
        return [Result(check, severity, Finding(check, Status.SKIP, NOT_ASKED))]
    findings: list[Finding] = []
    try:
        findings.extend(run())
    except PermissionDeniedError as error:
        findings.append(Finding(title, Status.SKIP, error.message, hint=error.hint))
    except ValidatorError as error:
        findings.append(Finding(title, Status.ERROR, error.message, hint=error.hint))
    except Exception as error:  # a crash of one check must not hide what the others say
        message = f"the check crashed: {type(error).__name__}: {error}"
        findings.append(Finding(title, Status.ERROR, message, hint="this is a bug: please report it"))
    return [Result(check, severity, finding) for finding in findings]
