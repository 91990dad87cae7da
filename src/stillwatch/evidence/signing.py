"""Ed25519 signatures over canonical JSON; the one room that knows the cryptography library."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from stillwatch.errors import Error

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ALGORITHM = "ed25519"

KEY_BYTES_MAX = 10_000
"""A PEM file of one Ed25519 key has some 120 bytes; what is a hundred times as large is another file."""


def canonical(value: object) -> bytes:
    """Return the one spelling of a JSON value that is signed: sorted names, no spaces, UTF-8, integers only.

    Raises ValueError for a float, whose spelling differs between programs, and for text that is no UTF-8.
    """
    _refuse_floats(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def new_private_key() -> bytes:
    """Return a new private key, PEM (PKCS 8, not encrypted). Raises Error where the extra is not installed."""
    _need_library()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    pem: bytes = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem


def public_key(private_pem: bytes, where: str = "") -> bytes:
    """Return the public key of a private one, PEM."""
    return _public_pem(_private(private_pem, where).public_key())


def key_ident(public_pem: bytes, where: str = "") -> str:
    """Return the name of a public key: 16 hex digits of a digest of its 32 bytes."""
    return _ident(_public(public_pem, where))


def sign(message: bytes, purpose: str, private_pem: bytes, where: str = "") -> dict[str, str]:
    """Return a signature as plain values: algorithm, key and value (base64).

    `purpose` is signed as well, so that a signature for one thing is never one for another.
    """
    private = _private(private_pem, where)
    value = base64.b64encode(private.sign(_framed(message, purpose))).decode()
    return {"algorithm": ALGORITHM, "key": _ident(private.public_key()), "value": value}


def verify(message: bytes, purpose: str, signature: object, public_pems: dict[str, bytes], where: str = "") -> str:
    """Return the name of the key that signed, one of `public_pems` (file name → PEM).

    Raises:  bad-signature where the signature does not hold; untrusted-key where none of the keys made it.
    """
    if not isinstance(signature, dict) or signature.get("algorithm") != ALGORITHM:
        raise Error("bad-signature", f"expected a signature of the kind {ALGORITHM}, got another or none", where=where)
    trusted = {}
    for name, pem in sorted(public_pems.items()):
        key = _public(pem, name)
        trusted[_ident(key)] = key
    signer = trusted.get(str(signature.get("key")))
    if signer is None:
        raise Error(
            "untrusted-key",
            f"none of the {len(trusted)} keys that you trust has signed it",
            hint="pass the public key of its issuer, if you know it from the issuer and not from the same sender",
            where=where,
        )
    from cryptography.exceptions import InvalidSignature

    try:
        value = base64.b64decode(str(signature.get("value")), validate=True)
        signer.verify(value, _framed(message, purpose))
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise Error("bad-signature", "the signature does not hold: something was changed", where=where) from error
    return str(signature["key"])


def read_key(path: Path) -> bytes:
    """Read a key file. Raises Error where it cannot be read or is far too large for one."""
    try:
        with path.open("rb") as stream:
            pem = stream.read(KEY_BYTES_MAX + 1)
    except OSError as error:
        raise Error("no-such-signing-key", "the key file cannot be read", where=str(path)) from error
    if len(pem) > KEY_BYTES_MAX:
        raise _bad_key(str(path))
    return pem


def write_key_pair(private_path: Path, private_pem: bytes, public_path: Path, public_pem: bytes) -> None:
    """Write both keys, neither where one of the files exists."""
    write_private_key(private_path, private_pem)
    try:
        _create(public_path, public_pem, 0o644)
    except Error:
        private_path.unlink()
        raise


def write_private_key(path: Path, pem: bytes) -> None:
    """Write a private key that its owner alone can read. Raises Error where the file exists: keys are not replaced."""
    _create(path, pem, 0o600)


def _create(path: Path, pem: bytes, mode: int) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise Error(
            "key-exists",
            "there is a file already, and keys are never replaced",
            hint="name another file",
            where=str(path),
        ) from error
    with os.fdopen(handle, "wb") as stream:
        stream.write(pem)


def _need_library() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise Error(
            "missing-extra",
            "signatures need the cryptography library, which is not installed",
            hint='install the extra: pip install "stillwatch[grants]"',
        ) from error


def _private(pem: bytes, where: str) -> Ed25519PrivateKey:
    _need_library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _bad_key(where) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _bad_key(where)
    return key


def _public(pem: bytes, where: str) -> Ed25519PublicKey:
    _need_library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _bad_key(where) from error
    if not isinstance(key, Ed25519PublicKey):
        raise _bad_key(where)
    return key


def _public_pem(key: Ed25519PublicKey) -> bytes:
    _need_library()
    from cryptography.hazmat.primitives import serialization

    pem: bytes = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem


def _ident(key: Ed25519PublicKey) -> str:
    return hashlib.blake2b(key.public_bytes_raw(), digest_size=8).hexdigest()


def _framed(message: bytes, purpose: str) -> bytes:
    return f"stillwatch {purpose}\n".encode() + message


def _bad_key(where: str) -> Error:
    return Error("bad-signing-key", "expected an Ed25519 key as PEM, not encrypted, got something else", where=where)


def _refuse_floats(value: object) -> None:
    if isinstance(value, float):
        raise ValueError("a float has no canonical spelling")
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        _refuse_floats(part)
