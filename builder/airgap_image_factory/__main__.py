"""``python -m airgap_image_factory``."""

from airgap_image_factory.cli import main

main()
