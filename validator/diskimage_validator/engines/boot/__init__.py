"""Boot an image in QEMU and look at the node that comes up: a throw-away overlay, no network, one run's own key."""
