"""Options that several commands have."""

import click

from diskimage_validator.engines.open import BOTH, ENGINES
from diskimage_validator.image_file import FORMATS

engine_option = click.option("--engine", type=click.Choice(ENGINES), default="auto", help="What reads the image.")
facts_engine_option = click.option(
    "--engine",
    type=click.Choice([*ENGINES, BOTH]),
    default="auto",
    help="What reads the image; both: guestfs and direct, and what they tell differently is an error.",
)
image_format_option = click.option(
    "--image-format", type=click.Choice(FORMATS), help="Format of the image file; detected if left out."
)
output_option = click.option(
    "--output", "output_file", metavar="FILE", help="Write there instead of to standard output."
)
quiet_option = click.option("--quiet", is_flag=True, help="No progress.")
