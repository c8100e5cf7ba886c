"""The guestfs engine against a bare guestfish, and against virt-inspector.

guestfish does the least that anybody could: launch, mount the root file system, download two files.
"""

from benchmarks.measure import measure
from benchmarks.report import Comparison
from benchmarks.say import say
from benchmarks.setup import Setup

BARE_GOAL = 1.25
INSPECTOR_GOAL = 0.6


def run(setup: Setup) -> list[Comparison]:
    """Measure all three, and hold ours against each of the others."""
    downloads = [
        word
        for path in ("/var/lib/dpkg/status", "/etc/ssl/certs/ca-certificates.crt")
        for word in (":", "download", path, str(setup.scratch / "download"))
    ]
    arguments = ["--ro", "--format=qcow2", "-a", str(setup.image), "run", ":"]
    arguments += ["mount-ro", setup.root_device, "/", *downloads]
    bare = setup.tool("guestfish, mount and two downloads", "guestfish", *arguments, package="libguestfs-tools")
    ours, fish, inspector = measure([setup.ours("guestfs"), bare, setup.virt_inspector()], setup.rounds, say)
    return [
        Comparison("guestfs-bare", "guestfs engine against a bare guestfish", [ours, fish], goal=BARE_GOAL),
        Comparison("guestfs", "guestfs engine against virt-inspector", [ours, inspector], goal=INSPECTOR_GOAL),
    ]
