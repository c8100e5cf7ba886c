"""DSSE, the envelope of a signed Statement: base64 of the bytes that were signed, and signatures.

Source: https://github.com/secure-systems-lab/dsse protocol.md and envelope.md (version 1.0). What is verified are
exactly the bytes that are read afterwards, and the payload's type is signed with them. A signature's ``keyid`` is a
hint that nobody signed, so every trusted key is tried with every signature.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, Field
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import CryptoSigner, Signature, SSlibKey

from diskimage_validator.attestation.statement import PAYLOAD_TYPE
from diskimage_validator.documents import parse_document

MAX_SIGNATURES: Final = 32


class _Signature(BaseModel):
    sig: str


class _Document(BaseModel):
    payload: str
    payload_type: str = Field(alias="payloadType")
    signatures: list[_Signature] = Field(max_length=MAX_SIGNATURES)


def sign(payload: bytes, signer: CryptoSigner) -> bytes:
    """Return an envelope, JSON, with ``payload``, an encoded Statement, and one signature."""
    envelope = Envelope(payload, PAYLOAD_TYPE, {})
    envelope.sign(signer)
    return json.dumps(envelope.to_dict(), indent=2).encode() + b"\n"


def opened(data: bytes, keys: Sequence[SSlibKey]) -> tuple[bytes, SSlibKey]:
    """Return what the envelope ``data`` holds, and which of ``keys`` signed it.

    Raises ValueError with a sentence if it is no envelope with a Statement or none of ``keys`` signed it.
    """
    document = parse_document(data, _Document)
    payload = _decoded(document.payload)
    if document.payload_type != PAYLOAD_TYPE:
        raise ValueError(f"its payload is no {PAYLOAD_TYPE}")
    signed = Envelope(payload, document.payload_type, {}).pae()
    for found in document.signatures:
        signature = _decoded(found.sig).hex()
        for key in keys:
            if _made(Signature(key.keyid, signature), key, signed):
                return payload, key
    raise ValueError("no signature of a key that is trusted here")


def _made(signature: Signature, key: SSlibKey, signed: bytes) -> bool:
    try:
        key.verify_signature(signature, signed)
    except UnverifiedSignatureError:
        return False
    return True


def _decoded(text: str) -> bytes:
    """Return what ``text`` is in base64; both alphabets are valid in an envelope."""
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("it has something that is not base64") from error
