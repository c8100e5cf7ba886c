"""Options that several commands have."""

from collections.abc import Callable, Iterable
from functools import reduce, wraps
from pathlib import Path
from typing import Any

import click

from diskimage_validator.engines.open import BOOT, BOTH, ENGINES
from diskimage_validator.engines.ssh.options import DEFAULT_TIMEOUT, SshOptions
from diskimage_validator.image_file import FORMATS
from diskimage_validator.model import Severity

engine_option = click.option("--engine", type=click.Choice(ENGINES), default="auto", help="What reads the image.")
facts_engine_option = click.option(
    "--engine",
    type=click.Choice([*ENGINES, BOTH, BOOT]),
    default="auto",
    help="What reads the image; both: guestfs and direct, and what they tell differently is an error; boot: the image "
    "is started, and judged as the node that it becomes.",
)
image_format_option = click.option(
    "--image-format", type=click.Choice(FORMATS), help="Format of the image file; detected if left out."
)
output_option = click.option(
    "--output", "output_file", metavar="FILE", help="Write there instead of to standard output."
)
quiet_option = click.option("--quiet", is_flag=True, help="No progress.")
quiet_report_option = click.option("--quiet", is_flag=True, help="No progress; of the text report only the verdict.")
report_option = click.option(
    "--report", "reports", multiple=True, metavar="FORMAT=FILE", help="A further report; repeatable."
)
all_option = click.option(
    "--all", "everything", is_flag=True, help="In the text report, every single thing that passed."
)


def format_option(formats: Iterable[str]) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Return the option that chooses one of ``formats`` for what is written, text by default."""
    return click.option(
        "--format", "report_format", type=click.Choice(list(formats)), default="text", help="Default: text."
    )


def threshold_option(target: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Return the option that says which failures fail ``target``, e.g. "the image"."""
    return click.option(
        "--threshold",
        type=click.Choice([str(severity) for severity in Severity]),
        default=str(Severity.WARNING),
        help=f"Least severity of a failure that fails {target}. Default: warning.",
    )


_SSH = (
    click.option(
        "--ssh-key", type=click.Path(path_type=Path), metavar="FILE", help="The only private key to log in with."
    ),
    click.option("--ssh-jump", metavar="[USER@]HOST[:PORT]", help="Host to go through; several with commas between."),
    click.option("--ssh-config", metavar="FILE|none", help="Default: ~/.ssh/config."),
    click.option(
        "--known-hosts",
        type=click.Path(path_type=Path),
        multiple=True,
        metavar="FILE",
        help="Instead of the user's and the system's; repeatable.",
    ),
    click.option(
        "--host-key",
        "host_keys",
        multiple=True,
        metavar="'TYPE BASE64'|SHA256:...",
        help="Key of the node; of a jump host with its name in front. Repeatable.",
    ),
    click.option(
        "--ssh-timeout",
        type=click.FloatRange(1, 3600),
        default=DEFAULT_TIMEOUT,
        metavar="SECONDS",
        help="To connect, to log in, for any answer. Default: 30.",
    ),
    click.option("--sudo/--no-sudo", default=True, help="Whether 'sudo -n' may be used on a node. Default: yes."),
)


def ssh_options(command: Callable[..., int]) -> Callable[..., int]:
    """Give ``command`` the options for targets ``ssh://``; it gets them together, as ``ssh``."""

    @wraps(command)
    def wrapped(
        *,
        ssh_key: Path | None,
        ssh_jump: str | None,
        ssh_config: str | None,
        known_hosts: tuple[Path, ...],
        host_keys: tuple[str, ...],
        ssh_timeout: float,
        sudo: bool,
        **others: Any,
    ) -> int:
        ssh = SshOptions(ssh_key, ssh_jump, ssh_config, known_hosts, host_keys, ssh_timeout, sudo)
        return command(ssh=ssh, **others)

    return reduce(lambda function, option: option(function), reversed(_SSH), wrapped)
