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

from airgap_image_factory.dib import Build, disk_image_create
from airgap_image_factory.errors import BuildError
from airgap_image_factory.mirror import Mirror, probe
from airgap_image_factory.progress import Progress
from diskimage_validator import load_policy, validate
from diskimage_validator.cli_console import output as output_file
from diskimage_validator.elements import elements_path
from diskimage_validator.model import Report, Severity
from diskimage_validator.reports import WRITERS

RELEASES: Final = ("bookworm", "trixie")
PARTITION_TABLES: Final = ("mbr", "gpt")
REPORT_FILES: Final = {"text": "report.txt", "json": "report.json", "junit": "junit.xml"}
LOG: Final = "build.log"


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
    environment: Mapping[str, str] = field(default_factory=dict)

    def elements(self) -> list[str]:
        """Return the elements, as disk-image-create takes them."""
        return ["debian-minimal", "vm", f"block-device-loop-{self.partition_table}", "airgap-node"]

    def build_environment(self) -> dict[str, str]:
        """Return the variables that say this recipe to diskimage-builder."""
        return {
            "ELEMENTS_PATH": str(elements_path()),
            "DIB_RELEASE": self.release,
            "DIB_DISTRIBUTION_MIRROR": self.mirror.archive,
            "DIB_DEBIAN_SECURITY_MIRROR": self.mirror.security,
            "DIB_TRUSTED_CA_BUNDLE": " ".join(str(path) for path in self.authorities),
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
    # A policy that cannot be used is found before the build.
    policy = load_policy(recipe.policy, ca_files=[str(path) for path in recipe.authorities])
    progress("checking the mirror")
    probe(recipe.mirror, recipe.release, recipe.authorities)
    output = recipe.output.resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.stem}-", dir=output.parent) as working:
        built = Path(working) / output.name
        reports = built.with_suffix(".d")
        reports.mkdir()
        try:
            build = Build(recipe.elements(), built.with_suffix(""), recipe.build_environment(), reports / LOG)
            disk_image_create(build, progress=progress, tick=progress.tick)
        except BuildError as error:
            raise BuildError(error.message, f"the whole log: {_keep_log(reports / LOG, output)}") from error
        except BaseException:
            _keep_log(reports / LOG, output)
            raise
        report = validate(str(built), policy, image_format="qcow2", progress=progress)
        passed = report.exit_status() == 0
        final = output if passed else output.with_suffix(".rejected.qcow2")
        report = replace(report, target=replace(report.target, name=str(final)))
        for name, file in REPORT_FILES.items():
            with output_file(str(reports / file)) as stream:
                WRITERS[name](report, stream, Severity.WARNING)
        _put_in_place(built, report.target.sha256 or "", reports, final)
    return Outcome(final, final.with_suffix(".d"), report, passed)


def _keep_log(log: Path, output: Path) -> Path:
    """Keep the log of a failed build beside where the image would be, and return its path."""
    folder = output.with_suffix(".d")
    folder.mkdir(exist_ok=True)
    kept = folder / "failed-build.log"
    if log.exists():
        shutil.copyfile(log, kept)
    return kept


def _put_in_place(built: Path, digest: str, reports: Path, final: Path) -> None:
    """Rename image, checksum and reports to their final names. The image comes last: it is what others wait for."""
    checksum = built.with_name(f"{built.name}.sha256")
    checksum.write_text(f"{digest}  {final.name}\n")  # the format of sha256sum(1)
    folder = final.with_suffix(".d")
    shutil.rmtree(folder, ignore_errors=True)
    reports.rename(folder)
    checksum.replace(final.with_name(f"{final.name}.sha256"))
    built.replace(final)
