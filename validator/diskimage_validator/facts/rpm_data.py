"""What the readers of RPM's databases read from, and what they give."""

import mmap
from collections.abc import Generator

Data = bytes | mmap.mmap
"""A whole file, in memory or mapped into it. Slicing either gives bytes; ``struct`` reads from both."""
Headers = Generator[bytes, None, None]
"""The headers of a database, one blob after the other. Close it if you do not read it to its end."""
