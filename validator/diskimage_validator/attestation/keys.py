"""Keys that sign and verify: PEM, of the kinds that securesystemslib signs envelopes with.

Private keys are PKCS #8 (``openssl genpkey``), public ones SubjectPublicKeyInfo (``openssl pkey -pubout``): Ed25519,
ECDSA on P-256, P-384 or P-521, RSA of 2048 bits or more (signed as PSS).
"""

from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from securesystemslib.signer import CryptoSigner, SSlibKey

from diskimage_validator.errors import UsageError

MAX_SIZE: Final = 64 * 1024
KINDS: Final = "Ed25519, ECDSA (P-256, P-384, P-521) or RSA (2048 bits or more), as PEM"
_MIN_RSA_BITS: Final = 2048


def private_key(data: bytes, where: str) -> CryptoSigner:
    """Return the signer for the private key ``data``; ``where`` names its place. Raises UsageError, without the key."""
    try:
        key = load_pem_private_key(data, None)
    except TypeError:
        raise UsageError(f"{where}: the key is encrypted", "openssl pkey decrypts it, e.g. into a pipe") from None
    except (ValueError, UnsupportedAlgorithm):  # its text may quote the input
        raise UsageError(f"{where} is no private key", KINDS) from None
    _refuse_short(key, where)
    try:
        return CryptoSigner(key)  # it refuses other kinds by itself
    except (ValueError, TypeError):
        raise UsageError(f"{where}: keys of this kind cannot sign here", KINDS) from None


def public_key(data: bytes, where: str) -> SSlibKey:
    """Return the public key ``data``. Raises UsageError; a private key is refused, for it has no place there."""
    if b"PRIVATE KEY" in data:
        raise UsageError(f"{where} is a private key; its public half is wanted", "openssl pkey -pubout")
    try:
        key = load_pem_public_key(data)
        _refuse_short(key, where)
        return SSlibKey.from_crypto(key)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{where} is no public key", KINDS) from error


def _refuse_short(key: object, where: str) -> None:
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey) and key.key_size < _MIN_RSA_BITS:
        raise UsageError(f"{where}: an RSA key of {key.key_size} bits is too short", KINDS)
