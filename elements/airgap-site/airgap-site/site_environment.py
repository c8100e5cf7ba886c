"""The site as variables of diskimage-builder and its tools, for the shell that starts a build.

An element cannot do this: the elements of the operating systems read these variables before any hook runs.
"""

import shlex
from typing import Any

from site_document import SiteError


def environment(site: dict[str, Any], distribution: str, release: str) -> list[str]:
    """Return ``export`` lines for bash. Raises SiteError if the site has no mirror that a build could start from."""
    mirrors = site["mirrors"]
    variables: dict[str, str] = {}
    if distribution in ("debian", "ubuntu"):
        variables |= _apt(mirrors["apt"], distribution, release)
    elif distribution == "opensuse":
        variables["DIB_ZYPPER_REPOS"] = " ".join(f"{repo['id']}=>{repo['baseurl']}" for repo in mirrors["zypper"])
    if mirrors["pip"]:
        variables["PIP_INDEX_URL"] = mirrors["pip"]["index_url"]
    if mirrors["npm"]:
        variables["NPM_CONFIG_REGISTRY"] = mirrors["npm"]["registry"]
    return [f"export {name}={shlex.quote(value)}" for name, value in variables.items() if value]


def _apt(entries: list[dict[str, Any]], distribution: str, release: str) -> dict[str, str]:
    base = next((entry for entry in entries if release in entry["suites"]), None)
    if base is None:
        raise SiteError([f"mirrors.apt: no entry has the suite {release}, which debootstrap starts from"])
    variables = {"DIB_DISTRIBUTION_MIRROR": base["uri"], "DIB_DEBIAN_COMPONENTS": ",".join(base["components"])}
    if distribution == "ubuntu":
        # ubuntu-minimal takes every suite from the one mirror.
        others = [suite.removeprefix(f"{release}-") for suite in base["suites"] if suite != release]
        return {**variables, "DIB_UBUNTU_MIRROR_DISTS": ",".join(others) or " "}
    security = next((entry["uri"] for entry in entries if f"{release}-security" in entry["suites"]), "")
    # All sources by name: the default of debian-minimal adds suites and public hosts that the site does not have.
    sources = [
        f"site-{number}-{suite.replace('/', '-')}:deb {entry['uri']} {suite} {' '.join(entry['components'])}"
        for number, entry in enumerate(entries)
        for suite in entry["suites"]
    ]
    return {**variables, "DIB_DEBIAN_SECURITY_MIRROR": security, "DIB_APT_SOURCES_CONF": "\n".join(sources)}
