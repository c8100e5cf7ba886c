"""``verify``: whether an image has the statement that somebody demands of it."""

import datetime
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from diskimage_validator.attestation.demands import Demands, judge
from diskimage_validator.cli_console import output
from diskimage_validator.digest import Digest
from diskimage_validator.documents import read_bounded
from diskimage_validator.durations import parse_duration
from diskimage_validator.errors import TargetError, UsageError
from diskimage_validator.printable import printable

if TYPE_CHECKING:
    from securesystemslib.signer import SSlibKey

_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
EPILOG: Final = """\b
Exit status:
  0    the image has a valid statement
  1    it is refused, with a line per reason
  2    wrong usage, or a key or the statement's file cannot be read
  3    the image cannot be read
"""


@click.command("verify", epilog=EPILOG)
@click.argument("image", required=False)
@click.option("--sha256", metavar="HEX", help="Ask about an image that is not here, by its sha256, instead of IMAGE.")
@click.option("--statement", required=True, metavar="FILE", help="What 'attest' wrote.")
@click.option(
    "--key", "keys", multiple=True, metavar="FILE|env://NAME|-", help="Public key (PEM) that is trusted; repeatable."
)
@click.option("--unsigned", is_flag=True, help="Take a bare statement: whoever can write the file can say anything.")
@click.option("--policy", metavar="NAME|FILE", help="The policy that is demanded.")
@click.option("--ca", "cas", multiple=True, metavar="FILE", help="A CA that 'validate' was given; repeatable.")
@click.option("--policy-digest", metavar="HEX", help="The policy that is demanded, by its sha256 in a report.")
@click.option("--max-age", metavar="TIME", help="How long ago it may have been validated: 12h, 7d, 4w.")
def verify_command(
    *,
    image: str | None,
    sha256: str | None,
    statement: str,
    keys: Sequence[str],
    unsigned: bool,
    policy: str | None,
    cas: Sequence[str],
    policy_digest: str | None,
    max_age: str | None,
) -> int:
    """Say whether a statement proves that IMAGE, these very bytes, was validated and passed."""
    demands = Demands(_keys(keys, unsigned=unsigned), _policy(policy, cas, policy_digest), _age(max_age))
    data = read_bounded(Path(statement))
    evidence = judge(data, _sha256(image, sha256), demands, datetime.datetime.now(datetime.UTC))
    found = evidence.statement
    with output(None) as stream:
        stream.write(f"{found.result}: {printable(found.image)}, sha256 {found.sha256}\n")
        stream.write(f"policy: {printable(found.policy)}, sha256 {found.policy_sha256}\n")
        stream.write(f"validated: {found.started:%Y-%m-%d %H:%M:%S %Z}\n")
        stream.write(f"signed by: {evidence.keyid or 'nobody'}\n")
    return 0


def _sha256(image: str | None, given: str | None) -> str:
    if (image is None) == (given is None):
        raise UsageError("name either an IMAGE or --sha256 HEX", "diskimage-validator verify --help")
    if image is None:
        return _hex("--sha256", given or "")
    try:
        if not Path(image).is_file():
            Path(image).stat()
            raise TargetError(f"{image} is no image file", "--sha256 asks about an image that is elsewhere")
        return Digest(Path(image)).result()
    except (OSError, ValueError) as error:
        raise TargetError(f"cannot read {image}: {getattr(error, 'strerror', None) or error}") from error


def _hex(option: str, text: str) -> str:
    if not _SHA256.fullmatch(text.lower()):
        raise UsageError(f"{option}: '{text}' is no sha256", "64 hexadecimal digits")
    return text.lower()


def _keys(sources: Sequence[str], *, unsigned: bool) -> list["SSlibKey"]:
    if bool(sources) == unsigned:
        raise UsageError("name the key that is trusted with --key, or say --unsigned", "one of the two")
    if unsigned:
        return []
    from diskimage_validator.attestation.keys import public_key
    from diskimage_validator.cli.key_source import read_key

    return [public_key(*read_key(source)) for source in sources]


def _policy(name: str | None, cas: Sequence[str], digest: str | None) -> str:
    if name is not None and digest is not None:
        raise UsageError("name the policy either with --policy or with --policy-digest")
    if cas and name is None:
        raise UsageError("--ca belongs to --policy: it is a part of what was asked for")
    if name is not None:
        from diskimage_validator.policy import load_policy

        return load_policy(name, ca_files=cas).digest
    return "" if digest is None else _hex("--policy-digest", digest)


def _age(text: str | None) -> datetime.timedelta | None:
    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--max-age: {error}") from error
