"""``python -m diskimage_validator``."""

from diskimage_validator.cli import main

main()
