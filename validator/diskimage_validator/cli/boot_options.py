"""Options of ``--engine boot``."""

from collections.abc import Callable
from functools import reduce, wraps
from pathlib import Path
from typing import Any, Final

import click

from diskimage_validator.cli_console import check_writable
from diskimage_validator.engines.boot.options import FIRMWARES, BootOptions, parse_served
from diskimage_validator.errors import UsageError
from diskimage_validator.sizes import parse_size

_DEFAULT: Final = BootOptions()
_BOOT: Final = (
    click.option(
        "--boot-timeout",
        type=click.FloatRange(1, 86400),
        default=_DEFAULT.timeout,
        metavar="SECONDS",
        help=f"From power-on to the end of the boot. Default: {_DEFAULT.timeout:.0f}.",
    ),
    click.option("--boot-user", default="", metavar="NAME", help="Who logs in. Default: who may become root."),
    click.option("--boot-memory", default="2 GiB", metavar="SIZE", help="Memory of the machine. Default: 2 GiB."),
    click.option(
        "--disk-size", default="80 GiB", metavar="SIZE", help="The flavor's disk, to be grown into. Default: 80 GiB."
    ),
    click.option(
        "--boot-firmware",
        type=click.Choice(FIRMWARES),
        default=_DEFAULT.firmware,
        help="Default: uefi for an image that a BIOS cannot start, bios for any other.",
    ),
    click.option("--serial-log", metavar="FILE", help="Keep what the machine says on its serial console."),
    click.option(
        "--registry-endpoint",
        metavar="NAME:PORT=HOST:PORT",
        help="A registry for the machine: what it reaches as NAME:PORT is HOST:PORT here.",
    ),
)


def boot_options(command: Callable[..., int]) -> Callable[..., int]:
    """Give ``command`` the options for ``--engine boot``; it gets them together, as ``boot``."""

    @wraps(command)
    def wrapped(
        *,
        boot_timeout: float,
        boot_user: str,
        boot_memory: str,
        boot_firmware: str,
        disk_size: str,
        serial_log: str | None,
        registry_endpoint: str | None,
        **others: Any,
    ) -> int:
        if serial_log is not None:
            check_writable(serial_log)
        boot = BootOptions(
            timeout=boot_timeout,
            memory=_size("--boot-memory", boot_memory),
            disk_size=_size("--disk-size", disk_size),
            serial_log=None if serial_log is None else Path(serial_log),
            user=boot_user,
            firmware=boot_firmware,
            served=None if registry_endpoint is None else parse_served(registry_endpoint),
        )
        return command(boot=boot, **others)

    return reduce(lambda function, option: option(function), reversed(_BOOT), wrapped)


def _size(option: str, text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from error
