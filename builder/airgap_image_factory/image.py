"""From elements to a validated image file: what ``./run image`` does.

Everything is made in a working folder beside the output and moved into place in the end, so that a build that fails
leaves the previous image as it was. An image that was built but does not pass goes aside under a name of its own.
"""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from airgap_image_factory.dib import Build, check_sudo, disk_image_create
from airgap_image_factory.errors import BuildError
from airgap_image_factory.mirror import Mirror, probe
from airgap_image_factory.progress import Progress
from diskimage_validator import load_policy, validate
from diskimage_validator.cli_console import output as output_file
from diskimage_validator.elements import elements_path
from diskimage_validator.errors import UsageError, ValidatorError
from diskimage_validator.model import Report, Severity
from diskimage_validator.policy_model import Policy
from diskimage_validator.process import run
from diskimage_validator.reports import WRITERS

RELEASES: Final = ("bookworm", "trixie")
PARTITION_TABLES: Final = ("mbr", "gpt")
REPORT_FILES: Final = {"text": "report.txt", "json": "report.json", "junit": "junit.xml"}
LOG: Final = "build.log"
CHECK_TIMEOUT: Final = 60.0


@dataclass(frozen=True)
class Recipe:
    """What image to make. ``output`` ends in ``.qcow2``; ``authorities`` are PEM or DER files on this host.

    ``environment`` is handed to diskimage-builder on top of what the recipe itself says, so that every variable of
    every element can be set.
    """

    release: str
    mirror: Mirror
    authorities: Sequence[Path]
    policy: str
    output: Path
    partition_table: str = "mbr"
    extra_elements: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def elements(self) -> list[str]:
        """Return the elements, as disk-image-create takes them."""
        base = ["debian-minimal", "vm", f"block-device-loop-{self.partition_table}", "airgap-node"]
        return [*base, *self.extra_elements]

    def build_environment(self) -> dict[str, str]:
        """Return the variables that say this recipe to diskimage-builder."""
        return {
            "ELEMENTS_PATH": str(elements_path()),
            "DIB_RELEASE": self.release,
            "DIB_DISTRIBUTION_MIRROR": self.mirror.archive,
            "DIB_DEBIAN_SECURITY_MIRROR": self.mirror.security,
            "DIB_TRUSTED_CA_BUNDLE": ":".join(str(path) for path in self.authorities),
            **self.environment,
        }


@dataclass(frozen=True)
class Outcome:
    """A built image: where it lies now, where its reports lie, and the validator's report."""

    image: Path
    reports: Path
    report: Report
    passed: bool


def make_image(recipe: Recipe, *, progress: Progress) -> Outcome:
    """Build the image, validate it and put it, its checksum and its reports in place.

    Raises BuildError if it cannot be built and the validator's errors if it cannot be read. In both cases what was
    there before is untouched, and the build log is kept in ``<output>.d``.
    """
    # A CA or a policy that cannot be used is found before the build.
    check_authorities(recipe.authorities)
    policy = load_policy(recipe.policy, ca_files=[str(path) for path in recipe.authorities])
    check_sudo()
    progress("checking the mirror")
    probe(recipe.mirror, recipe.release, recipe.authorities)
    output = recipe.output.resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.stem}-", dir=output.parent) as working:
        built = Path(working) / output.name
        log = built.with_suffix(".d") / LOG
        log.parent.mkdir()
        try:
            build = Build(recipe.elements(), built.with_suffix(""), recipe.build_environment(), log)
            disk_image_create(build, progress=progress, tick=progress.tick)
        except BuildError as error:
            kept = _keep_log(log, output)
            raise BuildError(error.message, error.hint or f"the whole log: {kept}") from error
        except BaseException:
            _keep_log(log, output)
            raise
        progress("validating the image")
        return judge(built, policy, output)


def judge(built: Path, policy: Policy, output: Path) -> Outcome:
    """Validate the image ``built`` and move it with its checksum and reports (``<built>.d``) to where it belongs.

    That is ``output`` if it passes, and ``<output>.rejected.qcow2`` if it does not, or if it cannot be read, in which
    case the validator's error is raised again.
    """
    rejected = output.with_suffix(".rejected.qcow2")
    try:
        report = validate(str(built), policy, image_format="qcow2")
    except ValidatorError as error:
        _put_in_place(built, None, rejected)
        error.hint = f"the image is kept as {rejected}" + (f"; {error.hint}" if error.hint else "")
        raise
    passed = report.exit_status() == 0
    final = output if passed else rejected
    report = replace(report, target=replace(report.target, name=str(final)))
    for name, file in REPORT_FILES.items():
        with output_file(str(built.with_suffix(".d") / file)) as stream:
            WRITERS[name](report, stream, Severity.WARNING)
    _put_in_place(built, report.target.sha256, final)
    return Outcome(final, final.with_suffix(".d"), report, passed)


def check_authorities(authorities: Sequence[Path]) -> None:
    """Ask the element's own check whether these files can be trusted CAs, before anything is built.

    Raises UsageError with a line for each file that cannot: unreadable, expired, no CA, with a private key, ...
    """
    if odd := [str(path) for path in authorities if ":" in str(path)]:
        raise UsageError(f"{odd[0]}: a colon in the name of a CA file", "rename it: the element separates files by it")
    check = elements_path() / "trusted-ca-bundle/trusted-ca-bundle/ca-anchors"
    done = run([str(check), ":".join(str(path) for path in authorities)], timeout=CHECK_TIMEOUT)
    if done.status != 0:
        reasons = [line.removeprefix("ERROR: trusted-ca-bundle: ") for line in done.stderr.splitlines()]
        raise UsageError("\n".join(reasons), "--ca takes CA certificates, PEM or DER, valid today, without keys")


def _keep_log(log: Path, output: Path) -> Path:
    """Keep the log of a failed build beside where the image would be, and return its path."""
    folder = output.with_suffix(".d")
    folder.mkdir(exist_ok=True)
    kept = folder / "failed-build.log"
    if log.exists():
        shutil.copyfile(log, kept)
    return kept


def _put_in_place(built: Path, digest: str | None, final: Path) -> None:
    """Rename image, checksum and reports to their final names. The image comes last: it is what others wait for."""
    folder = final.with_suffix(".d")
    shutil.rmtree(folder, ignore_errors=True)
    built.with_suffix(".d").rename(folder)
    checksum = final.with_name(f"{final.name}.sha256")
    if digest is None:
        checksum.unlink(missing_ok=True)
    else:
        with output_file(str(checksum)) as stream:
            stream.write(f"{digest}  {final.name}\n")  # the format of sha256sum(1)
    built.replace(final)
