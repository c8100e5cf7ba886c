"""``fetch-chain``: the certificates that an endpoint presents, as a file for ``--endpoint`` and for a policy."""

import warnings

import click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from diskimage_validator.chain_fetch import MAX_TIMEOUT, TIMEOUT, fetch_chain
from diskimage_validator.cli.options import output_option, quiet_option
from diskimage_validator.cli_console import Progress, output
from diskimage_validator.endpoints import parse_address
from diskimage_validator.printable import printable


@click.command("fetch-chain")
@click.argument("address", metavar="NAME[:PORT]")
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, MAX_TIMEOUT),
    default=TIMEOUT,
    metavar="SECONDS",
    help=f"Time for the whole handshake. Default: {TIMEOUT:.0f}.",
)
@output_option
@quiet_option
def fetch_chain_command(address: str, timeout: float, output_file: str | None, quiet: bool) -> int:
    """Print the certificates that NAME[:PORT] presents (default: port 443), without trusting them.

    The result is what 'validate --endpoint NAME:PORT=FILE' and certificates.endpoints in a policy read. It says nothing
    of who answered: look at it before you build on it.
    """
    where = parse_address(address)
    with Progress(quiet=quiet) as progress:
        progress(f"asking {where}")
        chain = fetch_chain(where, timeout=timeout)
    with output(output_file) as stream:
        for number, der in enumerate(chain, start=1):
            stream.write(_block(number, der))
    return 0


def _block(number: int, der: bytes) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # oddities that cryptography will refuse one day; it still reads them
        loaded = x509.load_der_x509_certificate(der)
        rows = {
            "subject": loaded.subject.rfc4514_string(),
            "issuer": loaded.issuer.rfc4514_string(),
            "valid": f"{loaded.not_valid_before_utc:%Y-%m-%d} to {loaded.not_valid_after_utc:%Y-%m-%d}",
        }
        head = "".join(f"# {number} {name}: {printable(value)}\n" for name, value in rows.items())
        return head + loaded.public_bytes(Encoding.PEM).decode()
