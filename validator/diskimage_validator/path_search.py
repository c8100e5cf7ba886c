"""All ways from a server's certificate towards an anchor, by names and signatures alone."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from diskimage_validator.frozen import dataclass

MAX_SIGNATURES: Final = 128
"""Signatures that are verified in one search: certificates can be made so that there are endless ways."""
MAX_LENGTH: Final = 10


@dataclass(frozen=True)
class Way:
    """Certificates from the server's onwards, each signed by the next; ``complete`` if the last one is an anchor."""

    certificates: tuple[x509.Certificate, ...]
    complete: bool

    @property
    def last(self) -> x509.Certificate:
        """The certificate that the way ends at."""
        return self.certificates[-1]


def find_ways(
    leaf: x509.Certificate, others: Sequence[x509.Certificate], anchors: Collection[x509.Certificate]
) -> list[Way]:
    """Return the ways from ``leaf`` over ``others``, ``anchors`` among them; at least one, and the longest of each."""
    budget = iter(range(MAX_SIGNATURES))
    found: list[Way] = []
    pending: list[tuple[x509.Certificate, ...]] = [(leaf,)]
    while pending:
        way = pending.pop()
        if way[-1] in anchors:
            found.append(Way(way, complete=True))
            continue
        further = [] if len(way) == MAX_LENGTH else list(_issuers(way, others, budget))
        pending += [(*way, issuer) for issuer in further]
        if not further:
            found.append(Way(way, complete=False))
    return found


def namesakes(certificate: x509.Certificate, others: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Return those of ``others`` that bear the name of the certificate's issuer, but did not sign it."""
    return [other for other in others if other.subject == certificate.issuer and other != certificate]


def signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the key of ``issuer``, which has the right name, signed ``certificate``.

    A signature that the library does not verify (SHA-1, say) counts as its: whoever explains has to get to it.
    """
    try:
        certificate.verify_directly_issued_by(issuer)
    except InvalidSignature:
        return False
    except (UnsupportedAlgorithm, ValueError, TypeError):
        return True
    return True


def _issuers(
    way: tuple[x509.Certificate, ...], others: Sequence[x509.Certificate], budget: Iterator[int]
) -> Iterator[x509.Certificate]:
    for other in others:
        if other.subject != way[-1].issuer or other in way or next(budget, None) is None:
            continue
        if signed_by(way[-1], other):
            yield other
