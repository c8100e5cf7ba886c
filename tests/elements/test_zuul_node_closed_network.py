"""zuul-node asks nobody outside on its own account: no public time servers, no neighbours, no public resolvers."""

import configparser

import pytest

from tests.elements.conftest import MakeRoot

HOOK = "install.d/54-zuul-node-closed-network"


@pytest.mark.parametrize("family", ["debian", "redhat", "suse"])
def test_systemd_is_left_no_server_of_its_own(fake_root: MakeRoot, family: str) -> None:
    root = fake_root("zuul-node", family)
    run = root.run_twice(HOOK)
    assert run.ok, run.output
    found = configparser.ConfigParser()
    found.optionxform = str  # type: ignore[assignment,method-assign]
    for name in ("timesyncd", "resolved"):
        found.read_string(root.read(f"/etc/systemd/{name}.conf.d/10-zuul-node.conf"))
    assert dict(found["Time"]) == {"FallbackNTP": "127.0.0.1"}
    assert dict(found["Resolve"]) == {"FallbackDNS": "", "LLMNR": "no", "MulticastDNS": "no"}
