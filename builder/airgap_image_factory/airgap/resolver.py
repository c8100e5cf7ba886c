"""The DNS server of the air gap: dnsmasq, which knows the services' names and nothing else, and logs every question."""

import re
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from airgap_image_factory.errors import BuildError
from diskimage_validator.process import find_program

START_TIMEOUT: Final = 10.0
_QUESTION: Final = re.compile(r"query\[\w+\] (\S+) from ")


class Resolver:
    """dnsmasq on ``address``, port 53. It answers the names in ``addresses`` with theirs and refuses the rest."""

    def __init__(self, address: str, addresses: Mapping[str, str]) -> None:
        """Start it. Raises BuildError if it is not installed or does not start."""
        program = find_program("dnsmasq")
        if program is None:
            raise BuildError("dnsmasq is not installed", "install the package dnsmasq-base (Debian) or dnsmasq")
        self._folder = tempfile.TemporaryDirectory(prefix="airgap-dns-")
        self._log = Path(self._folder.name) / "log"
        self._names = {name.lower() for name in addresses}
        command = [str(program), "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"]
        command += ["--bind-interfaces", "--except-interface=lo", f"--listen-address={address}", "--pid-file="]
        command += ["--user=root", "--log-queries", f"--log-facility={self._log}"]
        # A new root has no /etc/hosts yet, so programs in its chroot ask even for localhost (RFC 6761, section 6.3).
        command += ["--host-record=localhost,127.0.0.1"]
        command += [f"--host-record={name},{own}" for name, own in sorted(addresses.items())]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        try:
            self._wait_until_up()
        except BaseException:
            self.close()
            raise

    def questions(self) -> dict[str, int]:
        """Return the names that were asked for, each with how often."""
        return dict(sorted(Counter(name.lower() for name in _QUESTION.findall(self._log.read_text())).items()))

    def other_names(self) -> list[str]:
        """Return the names that were asked for and are neither a service's, nor below one, nor localhost.

        Below: apt, for one, asks for the SRV records of its mirror (RFC 2782).
        """
        own = tuple(f".{name}" for name in (*self._names, "localhost"))
        return [name for name in self.questions() if not f".{name}".endswith(own)]

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not (self._log.exists() and "started" in self._log.read_text()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = self._process.communicate(timeout=1)[1] if self._process.poll() is not None else "no answer"
                raise BuildError(f"dnsmasq does not start: {said.strip()}")
            time.sleep(0.05)

    def close(self) -> None:
        """End it and remove its log."""
        self._process.terminate()
        self._process.wait(START_TIMEOUT)
        if self._process.stderr is not None:
            self._process.stderr.close()
        self._folder.cleanup()
