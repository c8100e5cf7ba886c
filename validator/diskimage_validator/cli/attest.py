"""``attest``: a report as an in-toto Statement, signed if there is a key."""

from pathlib import Path

import click

from diskimage_validator.cli.options import output_option
from diskimage_validator.cli_console import output
from diskimage_validator.documents import read_bounded


@click.command("attest")
@click.argument("report")
@click.option("--key", metavar="FILE|env://NAME|-", help="Private key that signs (PEM). Default: it is not signed.")
@click.option("--name", default="", help="The image's name in the statement. Default: that of its file.")
@output_option
def attest_command(report: str, key: str | None, name: str, output_file: str | None) -> int:
    """Write REPORT, the JSON report on an image file, as an in-toto Statement about the image's sha256.

    It says PASSED, WARNED (failures are waived or below the threshold) or FAILED. With a key it is in a DSSE envelope.
    The status is 0 whatever the verdict: 'verify' refuses an image that failed.
    """
    from diskimage_validator.attestation.statement import statement_of
    from diskimage_validator.reports.json_reader import read_report

    data = statement_of(*read_report(read_bounded(Path(report)), report), name).encoded()
    if key is not None:
        from diskimage_validator.attestation.envelope import sign
        from diskimage_validator.attestation.keys import private_key
        from diskimage_validator.cli.key_source import read_key

        data = sign(data, private_key(*read_key(key)))
    with output(output_file) as stream:
        stream.write(data.decode())
    return 0
