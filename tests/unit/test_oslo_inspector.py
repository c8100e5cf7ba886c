"""The inspector of image formats is imported alone, and once, whoever asks for it at the same time."""

import subprocess
import sys

PROGRAM = """\
import sys, threading
from diskimage_validator.oslo_inspector import format_inspector
sys.setswitchinterval(1e-6)
found, start = [], threading.Barrier(16)
def ask():
    start.wait()
    found.append(format_inspector())
threads = [threading.Thread(target=ask) for _ in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(found) == 16, len(found)
assert len(set(map(id, found))) == 1
assert "oslo_utils.imageutils" not in sys.modules
"""


def test_threads_that_ask_at_the_same_time_get_the_same_module() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60)
