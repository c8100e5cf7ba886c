"""The HTML report in a real browser: its script runs under its own Content Security Policy and does its work."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import images
from tests.support.reports import broken, written

CHROMIUM = shutil.which("chromium")


def browse(source: str, folder: Path, words: str = "") -> str:
    """Return the document as it is after Chromium ran its script."""
    (folder / "report.html").write_text(source, encoding="utf-8")
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile"]
    command += ["--enable-logging=stderr", "--dump-dom", f"file://{folder}/report.html#{words}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert "CONSOLE" not in done.stderr, done.stderr  # neither an error nor a violation of the policy
    return done.stdout


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_browser_folds_away_what_passed_and_finds_words(tmp_path: Path) -> None:
    source = written(broken(images.debian()), "html")
    assert 'hidden=""' not in browse(source, tmp_path).partition("<main>")[2]
    assert '<details class="check" data-check="os">' in browse(source, tmp_path)
    found = browse(source, tmp_path, words="skopeo%20removed")
    assert found.count('<article class="finding" data-kind="fail">') == 1
    assert ">1 match<" in found
