"""Amazon Bedrock: model invocation logs from S3 or CloudWatch, joined with CloudTrail where it is at hand.

A log says who called what and, where text delivery is on, the whole request and reply. It does not know
the address or the agent of the caller; CloudTrail does. Bodies over 100 KB lie in files of their own.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from stillwatch.adapters import bedrock_audit
from stillwatch.adapters.batches import EventBatches, drain
from stillwatch.adapters.bedrock_bodies import asked, operation_of, replied
from stillwatch.adapters.bodies import Columns, embedded_json, first, typed
from stillwatch.adapters.contract import Dialect, Head, LogFile, ReadSettings, Reject, Rejection
from stillwatch.adapters.paths import first_at, value_at
from stillwatch.adapters.source import NotJsonError, decode_json, json_texts, open_stream
from stillwatch.adapters.streams import CHUNK_BYTES
from stillwatch.errors import Error
from stillwatch.event import EVENT_SCHEMA

DIALECT = Dialect(
    ident="bedrock",
    title="Amazon Bedrock model invocation logs (S3, CloudWatch)",
    columns=frozenset(EVENT_SCHEMA.names) - {"client_asn", "tls_fingerprint", "sampled_weight", "losses"},
    losses=("truncated",),
    notes=(
        "the address, the agent and the access key come from CloudTrail: --companion FOLDER",
        "a role is one account, whatever its sessions call themselves; --field account_id=identity.arn "
        "makes each session one",
        "prompts are there only where the logging configuration delivers text",
        "bodies over 100 KB lie in files of their own; the setting body-root says where these are",
        "times are whole seconds, and only the calls of an application that names a conversation in "
        "requestMetadata have a session",
    ),
    principal_example="requestMetadata.tenant",
)

SCHEMA_TYPE = "ModelInvocationLog"
ACCESS_PATH = "cloud:bedrock"

STATUS_OF_ERROR = {
    "AccessDeniedException": 403,
    "InternalServerException": 500,
    "ModelErrorException": 424,
    "ModelNotReadyException": 429,
    "ModelStreamErrorException": 424,
    "ModelTimeoutException": 408,
    "ResourceNotFoundException": 404,
    "ServiceQuotaExceededException": 400,
    "ServiceUnavailableException": 503,
    "ThrottlingException": 429,
    "ValidationException": 400,
}
"""HTTP statuses that the API reference of Bedrock Runtime gives to its errors."""

NAMED_RESOURCES = ("default-prompt-router", "foundation-model", "inference-profile")
"""Kinds of model ARN that end in a model's name; of the others only kind and id together mean anything."""

INFERENCE_SCOPES = frozenset({"apac", "au", "ca", "eu", "global", "jp", "sa", "us", "us-gov"})
"""Prefixes by which a cross-region inference profile differs from the model that it stands for."""

SIGNED_IN = "AWSReservedSSO_"
"""Roles of IAM Identity Center, which names the session after the person who signed in."""

BODY_BYTES_MAX = 32 * 2**20
"""InvokeModel takes 25 MB; a file with more is no body, and its text counts as truncated."""

MOVED_BODY = re.compile(r"/data/[^/]*_(?:input|output)\.json(?:\.gz)?$")
EXPORT_TIME = re.compile(rb"\d{4}-\d\d-\d\dT[\d:.]+Z[ \t]+(?=\{)")
"""What a CloudWatch export task writes before each message."""

SESSION_PATHS = ("requestMetadata.session_id", "requestMetadata.sessionId")
END_USER_PATHS = ("requestMetadata.user_id", "requestMetadata.userId")


def recognise(head: Head) -> str | None:
    """Fit where a record is a ModelInvocationLog, itself or in a CloudWatch envelope."""
    for record in head.records:
        if any(isinstance(one, dict) and one.get("schemaType") == SCHEMA_TYPE for one in _opened(record)):
            return f"the records are of schemaType {SCHEMA_TYPE}"
    if head.records and MOVED_BODY.search(head.file.uri):
        return "the file is a body that Bedrock moved out of its log"
    return None


def read(file: LogFile, settings: ReadSettings, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Yield the model calls of one file; files of moved bodies in the same folder are passed over.

    Raises: Error input-vanished, input-unreadable.
    """
    if MOVED_BODY.search(file.uri):
        return
    audit = bedrock_audit.load(settings.companions)
    audit.tell(reject)
    batches = EventBatches(file, settings, reject)
    for line, record in _records(file, reject):
        row = row_of(record, file, settings, audit)
        if (batch := batches.add(line, row)) is not None:
            yield batch
    yield from drain(batches)


def _records(file: LogFile, reject: Reject) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for line, text in json_texts(file, reject):
        try:
            exported = EXPORT_TIME.match(text) if isinstance(text, bytes) else None
            value = decode_json(text[exported.end() :] if exported else text)
        except NotJsonError as error:
            reject(Rejection(file.uri, line, error.reason, error.detail))
            continue
        for record in _opened(value):
            if isinstance(record, dict):
                yield line, record
            else:
                reject(Rejection(file.uri, line, "wrong-type", "record"))


def _opened(value: object) -> Iterator[object]:
    """Yield the records in what CloudWatch wraps around them; a control message holds none."""
    if not isinstance(value, dict) or "modelId" in value:
        yield value
        return
    events = next((value[key] for key in ("logEvents", "events") if isinstance(value.get(key), list)), [value])
    for event in events:
        keys = [key for key in ("message", "@message") if isinstance(event, dict) and key in event]
        yield embedded_json(event[keys[0]]) if keys else event


def row_of(
    record: Mapping[str, Any], file: LogFile, settings: ReadSettings, audit: bedrock_audit.AuditIndex
) -> Columns:
    """Return the canonical row of one record."""
    given, made = (_mapping(record.get(side)) for side in ("input", "output"))
    request, request_cut = _body(given, "inputBody", file, settings)
    reply, reply_cut = _body(made, "outputBody", file, settings)
    model = model_name(record.get("modelId"))
    account_id, session_name = principal(_mapping(record.get("identity")).get("arn"))
    operation = record.get("operation")
    row: Columns = {**replied(reply), **asked(request)}
    row["end_user_id"] = first_at(record, END_USER_PATHS) or row.get("end_user_id") or session_name
    counted = {
        "input_tokens": given.get("inputTokenCount"),
        "output_tokens": made.get("outputTokenCount"),
        "cached_tokens": given.get("cacheReadInputTokenCount"),
    }
    row |= {column: count for column, count in counted.items() if count is not None}
    if isinstance(operation, str):
        row["stream"] = operation.endswith("Stream")
    row |= {
        "event_id": record.get("requestId") or None,
        "time": record.get("timestamp") or None,
        "account_id": account_id,
        "organization_id": record.get("accountId") or None,
        "session_id": first_at(record, SESSION_PATHS),
        "access_path": ACCESS_PATH,
        "request_model": model,
        "operation": operation_of(operation, model, request),
        "status": _status(record),
        "losses": ["truncated"] if request_cut or reply_cut else None,
    }
    row["client_ip"], row["user_agent"], row["credential_id"] = audit.caller(row["event_id"])
    for column, path in settings.fields.items():
        value = value_at(record, path)
        if value is not None or column == "account_id":
            row[column] = value
    return typed(row)


def model_name(model_id: object) -> object:
    """Return the name of a model behind its id, ARN or inference profile."""
    if not isinstance(model_id, str):
        return model_id
    name = model_id
    if model_id.startswith("arn:"):
        resource = model_id.split(":", 5)[-1]
        kind, _, rest = resource.partition("/")
        name = rest if kind in NAMED_RESOURCES and rest else resource
    scope, _, rest = name.partition(".")
    return rest if scope in INFERENCE_SCOPES and "." in rest else name


def principal(arn: object) -> tuple[object, str | None]:
    """Return the account behind an identity, and the name of its role session where that is not a person's.

    A caller may name each session as it likes: were sessions accounts, one role could look like a
    thousand. So the role is the account and the session's name is told as its end user. Identity Center
    alone names sessions after people who have signed in, and there the session is the account.
    """
    if not isinstance(arn, str):
        return arn, None
    role = re.fullmatch(r"(arn:[^:]*:sts::[^:]*:assumed-role/([^/]+))/(.+)", arn)
    if not role or role[2].startswith(SIGNED_IN):
        return arn or None, None
    return role[1], role[3]


def _status(record: Mapping[str, Any]) -> object:
    """Return the HTTP status: as told, or as the error's name implies; 200 without an error."""
    error = first(record, ("errorCode",))
    for told in (record.get("status"), error):
        if isinstance(told, str) and re.fullmatch(r"[1-5]\d\d", told):
            return int(told)
        if isinstance(told, int):
            return told
    if error is None:
        return 200
    return STATUS_OF_ERROR.get(error) if isinstance(error, str) else None


def _body(side: Mapping[str, Any], name: str, file: LogFile, settings: ReadSettings) -> tuple[object, bool]:
    """Return a body, from the record or from where it was moved, and whether it is lost or cut."""
    body = embedded_json(side.get(f"{name}Json"))
    if body is None and (pointer := side.get(f"{name}S3Path")):
        body = _moved_body(pointer, file, settings)
        return body, body is None
    return body, isinstance(body, str) and body.lstrip()[:1] in ("{", "[")


def _moved_body(pointer: object, file: LogFile, settings: ReadSettings) -> object:
    """Return a body that lies in a file of its own, or None where it cannot be had."""
    for uri in _places(pointer, file, settings):
        try:
            return decode_json(_whole(uri))
        except (Error, OSError, EOFError, zlib.error, gzip.BadGzipFile, NotJsonError):
            continue
    return None


def _whole(uri: str) -> bytes:
    """Return all of a file; what would be over BODY_BYTES_MAX is no JSON then."""
    chunks: list[bytes] = []
    with open_stream(LogFile(uri, 0)) as stream:
        while sum(map(len, chunks)) <= BODY_BYTES_MAX and (chunk := stream.read(CHUNK_BYTES)):
            chunks.append(chunk)
    text = b"".join(chunks)
    return text if len(text) <= BODY_BYTES_MAX else b""


def _places(pointer: object, file: LogFile, settings: ReadSettings) -> Iterator[str]:
    """Yield where a moved body may lie: below `body_root`, beside a copy of the log, in the bucket itself.

    A log is not trusted to send its reader anywhere: the key cannot leave the root, and a bucket is
    asked only where the log came from one.
    """
    found = re.fullmatch(r"s3://[^/]+/(.+)", pointer) if isinstance(pointer, str) else None
    if not found or "::" in found[1] or ".." in found[1].split("/"):
        return
    if settings.body_root:
        yield f"{settings.body_root.rstrip('/')}/{found[1]}"
        return
    folder, _, _ = file.uri.rpartition("/")
    yield f"{folder or '.'}/data/{found[1].rpartition('/')[2]}"
    if file.uri.startswith("s3://"):
        yield found[0]


def _mapping(value: object) -> Mapping[str, Any]:
    value = embedded_json(value)
    return value if isinstance(value, dict) else {}
