"""``schema``: the JSON Schemas of what this command writes."""

import click

from diskimage_validator.cli.options import output_option
from diskimage_validator.cli_console import output
from diskimage_validator.reports.published import SCHEMAS, schema_text


@click.command("schema")
@click.argument("name", type=click.Choice(SCHEMAS))
@output_option
def schema_command(name: str, output_file: str | None) -> int:
    """Print the JSON Schema of a JSON report: on one target, or the summary of several."""
    with output(output_file) as stream:
        stream.write(schema_text(name))
    return 0
