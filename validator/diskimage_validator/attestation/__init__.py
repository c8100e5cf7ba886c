"""What was found about an image, as evidence that travels with it: an in-toto Statement, signed or not."""
