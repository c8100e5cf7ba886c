import re
from pathlib import Path

import pytest

from airgap_image_factory.gate import main, settings
from airgap_image_factory.gate.settings import read_settings
from diskimage_validator.errors import UsageError
from diskimage_validator.model import Severity

PAGE = Path(__file__).parents[2] / "doc/source/gate.rst"


def test_defaults() -> None:
    found = read_settings({"HOME": "/var/lib/nodepool"})
    assert (found.policy, found.engine, found.threshold) == ("container-node", "auto", Severity.WARNING)
    assert (found.authorities, found.reports, found.keep_rejected) == ((), None, True)
    assert (found.qemu_img_options, found.backoff) == (None, (900, 86400))
    assert found.state.is_absolute()


def test_what_is_not_said_is_what_validate_root_is_told(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("")
    root = {
        "DIB_VALIDATE_ROOT_POLICY": str(policy),
        "DIB_VALIDATE_ROOT_THRESHOLD": "critical",
        "DIB_TRUSTED_CA_BUNDLE": "/a.pem:/b.pem",
    }
    found = read_settings(root)
    assert (found.policy, found.threshold) == (str(policy), Severity.CRITICAL)
    assert found.authorities == (Path("/a.pem"), Path("/b.pem"))
    said = {"DIB_GATE_POLICY": "minimal", "DIB_GATE_THRESHOLD": "info", "DIB_GATE_CA": "/c.pem"}
    found = read_settings({**root, **said})
    assert (found.policy, found.threshold, found.authorities) == ("minimal", Severity.INFO, (Path("/c.pem"),))


def test_all_errors_are_told_at_once() -> None:
    wrong = {
        "DIB_GATE_POLICIE": "x",
        "DIB_GATE_ENGINE": "fast",
        "DIB_GATE_THRESHOLD": "high",
        "DIB_GATE_REJECTED": "drop",
        "DIB_GATE_BACKOFF": "1h",
    }
    with pytest.raises(UsageError) as caught:
        read_settings(wrong)
    told = [line.split(" ")[0].rstrip(":") for line in caught.value.message.splitlines()]
    assert sorted(told) == sorted(wrong)


def test_no_options_for_qemu_img_are_options_too() -> None:
    """An empty value takes Nodepool's compat=0.10 away."""
    assert read_settings({"DIB_GATE_QEMU_IMG_OPTIONS": ""}).qemu_img_options == ""


def test_the_page_and_the_help_name_every_variable() -> None:
    for text in (PAGE.read_text(), main.HELP):
        assert set(re.findall(r"DIB_GATE_[A-Z_]+", text)) == settings.KNOWN
