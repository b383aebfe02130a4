"""PURE: what another server says of the instances that it was sent (PS3.18 §10.5.3, Annex I)."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from dicomweb_server.services.peers import PeerError, Sent
from dicomweb_server.services.retrieve import StoredInstance

_FAILED, _REFERENCED = "00081198", "00081199"
_INSTANCE_UID, _FAILURE_REASON = "00081155", "00081197"


def read_store_answer(status: int, body: bytes, instances: Sequence[StoredInstance], size: int) -> Sent:
    """What became of the instances. Without a word about one, the status decides: 200 is a success (PS3.18 §10.5.3)."""
    sent = [instance.instance_uid for instance in instances]
    attributes = _attributes(body)
    failed = {uid: reason for uid, reason in _failures(attributes) if uid in set(sent)}
    if status != 200:
        stored = {_text(item, _INSTANCE_UID) for item in _items(attributes, _REFERENCED)}
        for uid in sent:
            if uid not in stored:
                failed.setdefault(uid, f"the server answered with status {status}")
    return Sent(sum(uid not in failed for uid in sent), failed, size)


def _attributes(body: bytes) -> dict[str, Any]:
    """The answer as DICOM JSON; empty if it is none, such as XML from a server that knows nothing else."""
    text = body.strip()
    if not text.startswith((b"{", b"[")):
        return {}
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise PeerError("the server answered a store request with JSON that cannot be read") from None
    if isinstance(value, list):
        value = value[0] if value else {}
    return value if isinstance(value, dict) else {}


def _failures(attributes: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for item in _items(attributes, _FAILED):
        reason = item.get(_FAILURE_REASON)
        values = reason.get("Value") if isinstance(reason, dict) else None
        code = values[0] if isinstance(values, list) and values and isinstance(values[0], int) else None
        yield _text(item, _INSTANCE_UID), f"failure reason {code:04X}H" if code is not None else "no reason was given"


def _items(attributes: dict[str, Any], tag: str) -> list[dict[str, Any]]:
    element = attributes.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return [item for item in values if isinstance(item, dict)] if isinstance(values, list) else []


def _text(item: dict[str, Any], tag: str) -> str:
    element = item.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return values[0] if isinstance(values, list) and values and isinstance(values[0], str) else ""
