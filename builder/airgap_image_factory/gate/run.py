"""The gate: build, validate the root, convert, validate every file, and only then give anything its name."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from airgap_image_factory.dib import check_sudo
from airgap_image_factory.errors import BuildError
from airgap_image_factory.gate.backoff import Failure, Memory, clear_command, next_failure
from airgap_image_factory.gate.build import build, outer_elements_path
from airgap_image_factory.gate.checksums import ALGORITHMS, digests, write_checksums
from airgap_image_factory.gate.convert import Output, check_outputs, convert
from airgap_image_factory.gate.front import Ledger, hold_out
from airgap_image_factory.gate.inputs import digest_of_inputs
from airgap_image_factory.gate.log import NAME, BuildLog
from airgap_image_factory.gate.options import Invocation
from airgap_image_factory.gate.places import scratch, temporary_folder
from airgap_image_factory.gate.placing import REJECTED, merge, publish, put_aside
from airgap_image_factory.gate.settings import Settings, read_settings
from airgap_image_factory.gate.verdicts import Verdict, judge, to_judge
from airgap_image_factory.gate.workspace import workspace
from diskimage_validator.digest import begin
from diskimage_validator.policy import load_policy
from diskimage_validator.policy_model import Policy

FILES: Final = {"squashfs": "squash", "docker": ""}
"""The suffix of a format's file where it is not the format's name; docker's image goes to a daemon."""


@dataclass(frozen=True)
class Outcome:
    """How it ended: the exit status and the last line of the log."""

    status: int
    line: str


@dataclass(frozen=True)
class Gate:
    """One call of the gate."""

    invocation: Invocation
    settings: Settings
    policy: Policy
    environment: Mapping[str, str]
    log: BuildLog
    ledger: Ledger

    @property
    def image(self) -> str:
        """The name that failures are remembered under: Nodepool's name of the image, whatever the build's number."""
        return self.environment.get("DIB_IMAGE_NAME") or self.invocation.base.name

    @property
    def reports(self) -> Path:
        """The folder of the reports."""
        base = self.invocation.base
        beside = base.with_name(f"{base.name}.d")
        return self.settings.reports / beside.name if self.settings.reports else beside


def run_gate(invocation: Invocation, environment: Mapping[str, str], log: BuildLog, ledger: Ledger) -> Outcome:
    """Do all that a call asks for. Raises ValidatorError for what is no verdict: wrong usage, a build that fails."""
    settings = read_settings(environment)
    policy = load_policy(settings.policy, ca_files=[str(path) for path in settings.authorities])
    gate = Gate(invocation, settings, policy, environment, log, ledger)
    check_outputs(_outputs(gate, invocation.base.parent))
    memory = Memory(settings.state)
    inputs = digest_of_inputs(invocation, settings, policy, environment, outer_elements_path(environment))
    before = memory.recall(gate.image)
    if before is not None and before.inputs == inputs and (left := before.remaining(time.time())) > 0:
        return _again(before, left, memory, log)
    memory.prepare()
    check_sudo()  # before there is a folder that only sudo may remove
    return _decide(gate, memory, before, inputs)


def _decide(gate: Gate, memory: Memory, before: Failure | None, inputs: str) -> Outcome:
    base = gate.invocation.base
    base.parent.mkdir(parents=True, exist_ok=True)
    with workspace(base.parent) as work:
        gate.ledger.enter(work)
        reports, made = work / ".reports", work / ".made"
        reports.mkdir()
        made.mkdir()
        with scratch(temporary_folder(gate.environment), gate.ledger) as temporary:
            root = build(
                gate.invocation,
                gate.settings,
                gate.environment,
                scratch=temporary,
                base=made / base.name,
                reports=reports,
                log=gate.log,
            )
        images, verdicts = _finish(gate, work, made, reports, root)
        merge(reports, gate.reports)
        memory.clean(before, gate.reports)
        bad = [verdict for verdict in verdicts if verdict.status]
        if not bad:
            memory.forget(gate.image)
            hold_out()
            finals = publish(made, base, images, gate.environment, gate.ledger)
            return Outcome(0, _good_line(gate, finals))
        is_policy = any(verdict.is_policy for verdict in bad)
        failure = next_failure(
            before,
            image=gate.image,
            inputs=inputs,
            status=max(verdict.status for verdict in bad),
            reason="; ".join(verdict.line for verdict in bad),
            reports=gate.reports,
            bounds=gate.settings.backoff,
        )
        # First of all: what nobody knows of nobody removes.
        memory.remember(failure if is_policy else failure.released())
        kept = put_aside(images, gate.reports, keep=gate.settings.keep_rejected)
        where = f"the image is in {gate.reports / REJECTED}" if kept else f"the reports are in {gate.reports}"
        held = f"; not built again for {failure.delay} s with these inputs" if is_policy else ""
        return Outcome(failure.status, f"REJECTED: {failure.reason}; {where}{held}")


def _finish(gate: Gate, work: Path, made: Path, reports: Path, root: Verdict) -> tuple[list[Path], list[Verdict]]:
    """Convert what was ``made`` of a root that passed, and judge every file. Return the files and the verdicts."""
    invocation, log = gate.invocation, gate.log
    if root.status:
        return [], [root]
    base = made / invocation.base.name
    images = _tree_files(gate, base)
    if images or "docker" in invocation.trees:
        log.say(f"{NAME}: {', '.join(invocation.trees)}: no disk images; the verdict on the root is theirs")
    if not invocation.disks:
        return images, []
    raw = base.with_name(f"{base.name}.raw")
    if not raw.exists():
        raise BuildError("not built: diskimage-builder made no disk", "the elements may ask for none (no-final-image)")
    for leftover in (f"{raw.name}.{name}" for name in ALGORITHMS):
        raw.with_name(leftover).unlink(missing_ok=True)
    outputs = _outputs(gate, work)
    log.say(f"{NAME}: the root passed; converting to {', '.join(invocation.disks)}")
    for one in convert(raw, outputs, progress=lambda said: log.say(f"{NAME}: {said}")):
        for kind in set(one.digests).difference(invocation.checksums):
            one.output.path.with_name(f"{one.output.path.name}.{kind}").unlink()
        log.say(f"{NAME}: {one.output.path.name}: {one.size} bytes in {one.seconds:.1f} s")
    images += [output.path for output in outputs]
    verdicts: list[Verdict] = []
    judged = {
        name: next((one.path for one in outputs if one.format == name), raw) for name in to_judge(invocation.disks)
    }
    for image in judged.values():
        begin(image)  # the digest of the largest takes longer than the verdict on any other
    for name, image in judged.items():
        final = invocation.base.with_name(image.name)
        log.say(f"{NAME}: validating {image.name}")
        verdicts.append(judge(image, name, final, gate.policy, gate.settings, reports))
        log.say(verdicts[-1].text)
    raw.unlink(missing_ok=True)  # if it was not asked for
    return images, verdicts


def _outputs(gate: Gate, folder: Path) -> list[Output]:
    invocation, replaced = gate.invocation, gate.settings.qemu_img_options
    options = invocation.qemu_img_options if replaced is None else replaced
    names = {name: f"{invocation.base.name}.{name}" for name in invocation.disks}
    return [
        Output(
            name,
            folder / file,
            qemu_img_options=options or None,
            checksum=bool(invocation.checksums),
            compress=invocation.compress,
            name=str(invocation.base.with_name(file)),
        )
        for name, file in names.items()
    ]


def _tree_files(gate: Gate, base: Path) -> list[Path]:
    """Return the files that diskimage-builder made of the tree, with checksums for that which it would give some.

    Raises BuildError if one is missing: diskimage-builder leaves out what it does not like, without a word.
    """
    trees = gate.invocation.trees
    found: list[Path] = []
    for name in trees:
        file = base.with_name(f"{base.name}.{FILES.get(name, name)}")
        if name == "docker" or (name == "tar" and "tgz" in trees):  # it packs the tar and takes it away
            continue
        if not file.exists():
            raise BuildError(f"not built: diskimage-builder made no {name}")
        for kind in ALGORITHMS:
            file.with_name(f"{file.name}.{kind}").unlink(missing_ok=True)
        if name == "tgz" and gate.invocation.checksums:
            wanted = {kind: hexes for kind, hexes in digests(file).items() if kind in gate.invocation.checksums}
            write_checksums(file, wanted, name=str(gate.invocation.base.with_name(file.name)))
        found.append(file)
    return found


def _good_line(gate: Gate, finals: Sequence[Path]) -> str:
    made = ", ".join(str(path) for path in finals) or ", ".join(gate.invocation.formats)
    return f"PASSED: {made} against {gate.policy.name}; the reports are in {gate.reports}"


def _again(failure: Failure, left: float, memory: Memory, log: BuildLog) -> Outcome:
    log.say(f"{NAME}: {failure.image} did not pass {failure.count} times in a row, the last time: {failure.reason}")
    log.say(f"{NAME}: the reports are in {failure.reports}")
    log.say(
        f"{NAME}: it is not built again before an input changes (elements, policy, CAs, mirrors, options, variables), "
        f"or {left:.0f} s have passed"
    )
    log.say(f"{NAME}: to have it built at once: {clear_command(failure.image, memory.folder)}")
    return Outcome(failure.status, f"REJECTED (not built again yet): {failure.reason}")
