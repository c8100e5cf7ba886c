"""Several resolvers, of which one breaks whoever reads its answer."""

import pytest

from diskimage_validator.endpoints import Address
from diskimage_validator.readiness.facts.dns import Lookup
from diskimage_validator.readiness.probes import dns
from diskimage_validator.readiness.probes.dns import NoAnswerError, address_of

GOOD, BAD = Address("192.0.2.53", 53), Address("192.0.2.54", 53)


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(resolver: Address, name: str, timeout: float) -> Lookup:
        if resolver == BAD:
            raise RuntimeError("boom")
        return Lookup("NOERROR", ("192.0.2.1",)) if name == "zuul.internal" else Lookup("NXDOMAIN")

    monkeypatch.setattr(dns, "look_up", look_up)


def test_the_other_one_is_heard() -> None:
    assert address_of("zuul.internal", (BAD, GOOD), 1) == "192.0.2.1"


def test_nobody_waits_for_it() -> None:
    said = "192.0.2.54:53: no answer that can be read (RuntimeError); 192.0.2.53:53: NXDOMAIN"
    with pytest.raises(NoAnswerError, match=r"logs.internal does not resolve") as caught:
        address_of("logs.internal", (BAD, GOOD), 1)
    assert said in str(caught.value)
