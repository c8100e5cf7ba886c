"""Which release this is. setup.cfg takes the version from here: asking the installed metadata takes 20 ms."""

from typing import Final

VERSION: Final = "0.1.0"
