"""Check a site file, and print it normalised as JSON or as environment variables for a build.

Needs PyYAML, as diskimage-builder does. Every mistake gets one line on standard error, with its line and path in the
file; the status is then 1.
"""

import argparse
import json
import sys

from site_document import SiteError, load
from site_environment import environment
from site_schema import normalise


def main() -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="airgap-site", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("site", help="the site file; an empty name stands for an empty file")
    parser.add_argument("--distribution", default="debian", help="DISTRO_NAME of the build (default: %(default)s)")
    parser.add_argument("--release", required=True, help="DIB_RELEASE of the build, such as trixie")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print all settings with defaults filled in")
    form.add_argument("--environment", action="store_true", help="print export lines for the shell that starts a build")
    arguments = parser.parse_args()
    try:
        site = normalise(load(arguments.site), arguments.distribution, arguments.release)
        lines = environment(site, arguments.distribution, arguments.release) if arguments.environment else []
    except SiteError as error:
        sys.stderr.writelines(f"ERROR: airgap-site: {problem}\n" for problem in error.problems)
        return 1
    if arguments.json:
        lines = [json.dumps(site, indent=2, sort_keys=True)]
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0
