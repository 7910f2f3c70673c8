"""Bucket: the client of one bucket of an object store, and its errors as errors of this package.

Credentials never leave this file. They come from the environment (`AWS_ACCESS_KEY_ID` ...), else from the profile in
`~/.aws/credentials`, else from the machine's role. Requests to a busy store are repeated for three minutes, with growing
pauses of random length.
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import MachineError, UnfinishedError

RETRY_TIMEOUT = timedelta(minutes=3)
"""Time for which a request is repeated; a signature is valid for five minutes."""
MAX_RETRIES = 20
_DENIED = ("AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId", "AccountProblem", "AllAccessDisabled")
_EXPIRED = ("ExpiredToken", "InvalidToken", "TokenRefreshRequired", "RequestExpired")


def client(bucket: str) -> Any:
    """The bucket's obstore client, one per process. Raises MachineError (E_NO_OBSTORE) if obstore is not installed."""
    return _client(bucket, os.getpid())  # a forked child must not share its parent's connections


@lru_cache(maxsize=8)
def _client(bucket: str, process: int) -> Any:
    try:
        from obstore.store import S3Store
    except ImportError as error:
        raise MachineError(
            f"s3://{bucket} lies in an object store, and the package obstore, which reads and writes object stores, is not "
            "installed: pip install 'tile-engine[s3]'",
            "E_NO_OBSTORE",
        ) from error
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    known: dict[str, Any] = {**_profile(), **({"endpoint": endpoint} if endpoint else {})}
    return S3Store(
        bucket,
        **known,
        client_options={
            "timeout": timedelta(minutes=5),  # the whole of one request: a shard over a slow line
            "connect_timeout": timedelta(seconds=15),
            "allow_http": bool(endpoint) and str(endpoint).startswith("http://"),  # only where the user said so
        },
        retry_config={
            "max_retries": MAX_RETRIES,
            "retry_timeout": RETRY_TIMEOUT,
            "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=15), "base": 2},
        },
    )


def _profile() -> dict[str, str]:
    """Credentials and region from the user's AWS files; empty if the environment holds keys."""
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        return {}
    home, name = Path.home() / ".aws", os.environ.get("AWS_PROFILE") or "default"
    keys = _section(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials", name)
    config = os.environ.get("AWS_CONFIG_FILE") or home / "config"
    other = _section(config, name if name == "default" else f"profile {name}")
    names = {"aws_access_key_id": "access_key_id", "aws_secret_access_key": "secret_access_key"}
    credentials = {option: keys[key] for key, option in names.items() if key in keys}
    if len(credentials) < len(names):
        credentials = {}
    elif "aws_session_token" in keys:
        credentials["session_token"] = keys["aws_session_token"]
    if "region" in other and not (os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")):
        credentials["region"] = other["region"]
    return credentials


def _section(path: str | Path, name: str) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(Path(path).expanduser(), encoding="utf-8")
        return dict(parser.items(name))
    except (configparser.Error, OSError, UnicodeDecodeError):
        return {}


@contextmanager
def request(what: str, name: str) -> Iterator[None]:
    """Context of every request, which does `what` to `name`: its errors become errors of this package.

    The store's own message is left out, because it may quote keys and signatures. FileNotFoundError and FileExistsError
    keep their meaning.
    """
    try:
        yield
    except Exception as error:
        meaning = _meaning(error, what, name)
        if meaning is None:
            raise
        # the original error stays the context of the new one and may be sent to other processes
        error.args = ("what the store said is left out: it may quote keys",)
        raise meaning from None


def _meaning(error: Exception, what: str, name: str) -> Exception | None:
    """The error of this package for an error of obstore; None for any other error."""
    kind = type(error).__name__
    ours = type(error).__module__.startswith("obstore") or isinstance(error, FileNotFoundError)
    if not ours:
        return None
    text = str(error)
    codes = re.findall(r"<Code>(\w+)</Code>", text)
    code = codes[-1] if codes else ""
    numbers = re.findall(r"status code: (\d{3})", text)
    status = f"{numbers[-1] if numbers else 'no answer'}{f' {code}' if code else ''}"
    bucket = "/".join(name.split("/")[:3])
    if code == "NoSuchBucket":
        return MachineError(
            f"the bucket {bucket} does not exist at this endpoint: {name} cannot be {what}. Create the bucket first, or "
            "check AWS_ENDPOINT_URL and AWS_REGION.",
            "E_NO_BUCKET",
        )
    if kind in ("AlreadyExistsError", "PreconditionError"):
        return FileExistsError(17, "another writer was first", name)
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(2, "there is no such object", name)
    if code in _EXPIRED:
        return MachineError(
            f"the credentials for {bucket} have expired ({status}): {name} cannot be {what}. What was written is safe; renew "
            "them and run the same command again.",
            "E_STORE_EXPIRED",
        )
    if kind in ("PermissionDeniedError", "UnauthenticatedError") or code in _DENIED or "403" in numbers:
        return MachineError(
            f"the store denies access: {name} cannot be {what} ({status}). Check which credentials are in force (AWS_PROFILE, "
            "AWS_ACCESS_KEY_ID, the machine's role) and that they may read, list, write and delete there.",
            "E_STORE_DENIED",
        )
    if kind == "InvalidPathError":
        return MachineError(
            f"below {name} lies an object whose name is no valid path (it contains // or ..): {name} cannot be {what}. Rename "
            "that object, or give a prefix without it.",
            "E_STORE",
        )
    if numbers and not numbers[-1].startswith("5") and numbers[-1] not in ("408", "429"):
        return MachineError(
            f"the store rejects the request: {name} cannot be {what} ({status}). Check the path, AWS_REGION and "
            "AWS_ENDPOINT_URL.",
            "E_STORE",
        )
    if "credential" in text.lower() or ("metadata" in text.lower() and not numbers):
        return MachineError(
            f"there are no credentials for {bucket}: {name} cannot be {what}. Set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; for a public bucket AWS_SKIP_SIGNATURE=true.",
            "E_STORE_DENIED",
        )
    return UnfinishedError(
        f"the object store does not answer or is too busy ({status}): {name} could not be {what} although it was tried again "
        f"for {RETRY_TIMEOUT.total_seconds():g} s. What was written is safe: run the same command again later.",
        "E_STORE_BUSY",
    )
