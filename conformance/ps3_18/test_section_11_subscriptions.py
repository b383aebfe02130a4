"""PS3.18 §8.10 and §11.10 to §11.13: subscriptions to workitems, and the WebSocket by which subscribers are told."""

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from pydicom.uid import generate_uid
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from conformance.patience import SOON
from conformance.procedure_steps import Address, filled, modality
from conformance.ps3_18.test_section_11_workitems import change, create, known, send, state
from conformance.requirement import requires
from conformance.service import JSON, DicomJson, Service, value
from conformance.workitems import ALL_WORKITEMS, FILTERED_WORKITEMS, PULL, PUSH, code, progress, state_change

STATE_REPORT, CANCEL_REQUESTED, PROGRESS_REPORT, ASSIGNED = 1, 2, 3, 5
EVENT, INSTANCE, STATE = "00001002", "00001000", "00741000"
QUIET = 0.3  # seconds in which nothing comes


@pytest.fixture(scope="module")
def workitems(service: Service) -> Service:
    """The service, if it offers workitems and subscriptions to them."""
    if service.get("/workitems", accept=JSON, query={"limit": "1"}).status_code in (404, 405, 501):
        pytest.skip("workitems are not offered over HTTP")
    return service


@pytest.fixture
def ae_title(workitems: Service) -> Iterator[str]:
    """A subscriber of one test."""
    title = f"WS{generate_uid()[-12:]}"
    yield title
    send(workitems, "DELETE", f"/{ALL_WORKITEMS}/subscribers/{title}")


def subscribe(service: Service, uid: str, ae_title: str, query: str = "") -> httpx.Response:
    response = send(service, "POST", f"/{uid}/subscribers/{ae_title}{query}")
    assert response.status_code == 201, response.text
    return response


def channel(service: Service, ae_title: str) -> ClientConnection:
    place = service.root.replace("http", "ws", 1)
    opened: ClientConnection = connect(f"{place}/subscribers/{ae_title}", open_timeout=SOON, proxy=None)
    return opened


def report(channel: ClientConnection) -> DicomJson:
    """The next event report, which is a text frame."""
    text = channel.recv(SOON)
    assert isinstance(text, str)
    return dict(json.loads(text))


def told(channel: ClientConnection) -> tuple[str, int, str | None]:
    """UID, Event Type ID and state of the next event."""
    found = report(channel)
    return value(found, INSTANCE), value(found, EVENT), value(found, STATE)


def is_quiet(channel: ClientConnection) -> bool:
    try:
        channel.recv(QUIET)
    except TimeoutError:
        return True
    return False


@requires("PS3.18 §11.10.3.2")
def test_the_answer_names_the_web_socket(workitems: Service, ae_title: str) -> None:
    place = urlsplit(subscribe(workitems, create(workitems), ae_title).headers["content-location"])
    assert place.scheme == ("wss" if workitems.root.startswith("https") else "ws")
    with connect(place.geturl(), open_timeout=SOON, proxy=None) as opened:
        assert opened.ping().wait(SOON)


@requires("PS3.4 §CC.2.4.3")
def test_who_subscribes_is_told_of_the_state(workitems: Service, ae_title: str) -> None:
    uid = create(workitems)
    with channel(workitems, ae_title) as opened:
        subscribe(workitems, uid, ae_title)
        found = report(opened)
    assert (value(found, INSTANCE), value(found, EVENT)) == (uid, STATE_REPORT)
    assert (value(found, STATE), value(found, "00404041")) == ("SCHEDULED", "READY")
    assert value(found, "00000002") == PUSH


@requires("PS3.4 §CC.2.4.3")
def test_who_is_subscribed_is_told_of_everything(workitems: Service, ae_title: str) -> None:
    uid, lock = create(workitems), str(generate_uid())
    with channel(workitems, ae_title) as opened:
        subscribe(workitems, uid, ae_title)
        assert told(opened) == (uid, STATE_REPORT, "SCHEDULED")
        change(workitems, uid, "IN PROGRESS", lock)
        assert told(opened) == (uid, STATE_REPORT, "IN PROGRESS")
        send(workitems, "POST", f"/{uid}?{lock}", progress(ProcedureStepProgress="20"))
        found = report(opened)
        assert (value(found, EVENT), value(value(found, "00741002"), "00741004")) == (PROGRESS_REPORT, 20)
        stations = filled({"ScheduledStationNameCodeSequence": [code("GPU1", "The first one")]})
        send(workitems, "POST", f"/{uid}?{lock}", stations)
        found = report(opened)
        assert (value(found, EVENT), value(value(found, "00404025"), "00080100")) == (ASSIGNED, "GPU1")
        reasons = filled({"ReasonForCancellation": "Wrong patient", "RequestingAE": "DESK"})
        assert send(workitems, "POST", f"/{uid}/cancelrequest", reasons).status_code == 202
        found = report(opened)
        assert (value(found, EVENT), value(found, "00741238")) == (CANCEL_REQUESTED, "Wrong patient")
        assert value(found, "00741236") == "DESK"
        change(workitems, uid, "CANCELED", lock)
        assert told(opened) == (uid, STATE_REPORT, "CANCELED")
        assert is_quiet(opened)


@requires("PS3.18 §11.8.3.1")
def test_a_performer_that_nobody_can_tell_cannot_be_asked(workitems: Service, ae_title: str) -> None:
    uid = create(workitems)
    change(workitems, uid, "IN PROGRESS", str(generate_uid()))
    assert send(workitems, "POST", f"/{uid}/cancelrequest").status_code == 409
    subscribe(workitems, uid, ae_title)
    assert send(workitems, "POST", f"/{uid}/cancelrequest").status_code == 202
    assert state(workitems, uid) == "IN PROGRESS"


@requires("PS3.18 §11.11")
def test_who_is_not_subscribed_any_more_is_not_told(workitems: Service, ae_title: str) -> None:
    uid = create(workitems)
    with channel(workitems, ae_title) as opened:
        subscribe(workitems, uid, ae_title)
        assert told(opened)[0] == uid
        assert send(workitems, "DELETE", f"/{uid}/subscribers/{ae_title}").status_code == 200
        change(workitems, uid, "IN PROGRESS", str(generate_uid()))
        assert is_quiet(opened)


@requires("PS3.18 §11.12", "O")
def test_all_workitems_until_it_is_suspended(workitems: Service, ae_title: str) -> None:
    with channel(workitems, ae_title) as opened:
        subscribe(workitems, ALL_WORKITEMS, ae_title)
        uid = create(workitems)
        assert told(opened) == (uid, STATE_REPORT, "SCHEDULED")
        assert send(workitems, "POST", f"/{ALL_WORKITEMS}/subscribers/{ae_title}/suspend").status_code == 200
        create(workitems)
        change(workitems, uid, "IN PROGRESS", str(generate_uid()))
        assert told(opened) == (uid, STATE_REPORT, "IN PROGRESS")
        assert send(workitems, "DELETE", f"/{ALL_WORKITEMS}/subscribers/{ae_title}").status_code == 200
        create(workitems)
        assert is_quiet(opened)


@requires("PS3.4 §CC.2.3.3", "O")
def test_with_a_deletion_lock_all_states_are_told(workitems: Service, ae_title: str) -> None:
    uids = {create(workitems) for _ in range(3)}
    with channel(workitems, ae_title) as opened:
        subscribe(workitems, ALL_WORKITEMS, ae_title, "?deletionlock=true")
        while uids:
            uid, kind, _ = told(opened)
            assert kind == STATE_REPORT
            uids.discard(uid)


@requires("PS3.18 §11.10.1.2", "O")
@pytest.mark.parametrize("form", ["?filter=WorklistLabel={}", "?WorklistLabel={}&deletionlock=false"])
def test_those_that_match(workitems: Service, ae_title: str, form: str) -> None:
    label = str(generate_uid())
    with channel(workitems, ae_title) as opened:
        subscribe(workitems, FILTERED_WORKITEMS, ae_title, form.format(label))
        create(workitems)
        uid = create(workitems, WorklistLabel=label)
        assert told(opened) == (uid, STATE_REPORT, "SCHEDULED")
        assert is_quiet(opened)


@requires("PS3.18 §11.10.3.1")
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/1.2.3.4/subscribers/NOBODY", 404),
        (f"/{FILTERED_WORKITEMS}/subscribers/NOBODY", 400),
        (f"/{ALL_WORKITEMS}/subscribers/NOBODY?deletionlock=perhaps", 400),
        (f"/{ALL_WORKITEMS}/subscribers/THIS_IS_NO_AE_TITLE", 400),
    ],
)
def test_wrong_subscriptions_are_refused(workitems: Service, path: str, status: int) -> None:
    assert send(workitems, "POST", path).status_code == status


@requires("PS3.18 §8.10.4.2")
def test_a_lost_connection_is_opened_again(workitems: Service, ae_title: str) -> None:
    uid = create(workitems)
    subscribe(workitems, uid, ae_title)
    with channel(workitems, ae_title) as opened:
        assert opened.ping().wait(SOON)
    with channel(workitems, ae_title) as opened:
        change(workitems, uid, "IN PROGRESS", str(generate_uid()))
        found = told(opened)
        while found[2] == "SCHEDULED":  # which may have waited
            found = told(opened)
        assert found == (uid, STATE_REPORT, "IN PROGRESS")


@requires("PS3.18 §8.10.4", "B")
def test_what_is_no_web_socket(workitems: Service) -> None:
    assert workitems.get("/subscribers/NOBODY").status_code == 426
    with pytest.raises(InvalidStatus) as refused:
        channel(workitems, "THIS_IS_NO_AE_TITLE")
    assert refused.value.response.status_code == 400


@requires("PS3.4 §CC.2.4.3")
def test_changes_by_dimse_are_told_too(workitems: Service, ae_title: str, dimse: Address) -> None:
    uid, lock = create(workitems), str(generate_uid())
    with channel(workitems, ae_title) as opened, modality(dimse, PULL) as association:
        subscribe(workitems, uid, ae_title)
        assert told(opened) == (uid, STATE_REPORT, "SCHEDULED")
        status, _ = association.send_n_action(state_change("IN PROGRESS", lock), 1, PUSH, uid, meta_uid=PULL)
        assert status.Status == 0
        assert told(opened) == (uid, STATE_REPORT, "IN PROGRESS")
        assert value(known(workitems, uid), STATE) == "IN PROGRESS"
