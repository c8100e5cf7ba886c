"""``python -m airgap_image_factory.gate``: disk-image-create-validated."""

from airgap_image_factory.gate.main import main

main()
