"""PS3.18 §10.5.3: another content under a stored UID, by each policy that a server can be given."""

from collections.abc import Iterator

import pytest
from pydicom.dataset import Dataset

from conformance.requirement import requires
from conformance.samples import Sample, make, read, sample
from conformance.server import Server
from conformance.service import Service, value, values

POLICIES = ["keep", "replace", "reject"]
REFERENCED, FAILED, REASON, WARNING = "00081199", "00081198", "00081197", "00081196"


@pytest.fixture(scope="module", params=POLICIES)
def policy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def service(request: pytest.FixtureRequest, policy: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server of its own with that policy."""
    if request.config.getoption("--root") or request.config.getoption("--orthanc"):
        pytest.skip("only a server of our own can be given a policy")
    own = Server(tmp_path_factory.mktemp(policy), environment={"DICOMWEB_SERVER_ON_DUPLICATE": policy})
    client = Service(own.root)
    with client.http:
        yield client
    own.stop()


def twins() -> tuple[Sample, Sample]:
    """Two instances of one UID."""
    first = make(StudyDescription="first")
    second = Dataset.from_json(first.to_json())
    second.StudyDescription = "second"
    return sample(first), sample(second)


@requires("PS3.18 §10.5.3", "B")
def test_the_status_tells_of_the_other_content(service: Service, policy: str) -> None:
    first, second = twins()
    service.store(first.data)
    assert service.store(second.data).status_code == {"keep": 202, "replace": 202, "reject": 409}[policy]


@requires("PS3.18 §10.5.3", "B")
def test_the_item_tells_of_the_other_content(service: Service, policy: str) -> None:
    first, second = twins()
    service.store(first.data)
    answer = service.store(second.data).json()
    if policy == "reject":
        assert [value(item, REASON) for item in values(answer, FAILED)] == [0x0111]
    else:
        assert [value(item, WARNING) >> 8 for item in values(answer, REFERENCED)] == [0xB0]


@requires("PS3.18 §10.5.3", "B")
def test_the_policy_says_which_content_is_served(service: Service, policy: str) -> None:
    first, second = twins()
    service.store(first.data)
    service.store(second.data)
    got = read(service.get(first.path, accept="application/dicom; transfer-syntax=*").content)
    assert got.StudyDescription == ("second" if policy == "replace" else "first")


@requires("PS3.18 §10.5.3", "B")
def test_the_policy_says_which_content_is_found(service: Service, policy: str) -> None:
    first, second = twins()
    service.store(first.data)
    service.store(second.data)
    found = service.search("/studies", {"StudyInstanceUID": first.study, "includefield": "StudyDescription"})
    assert [value(one, "00081030") for one in found] == ["second" if policy == "replace" else "first"]


@requires("PS3.18 §10.5.3", "B")
def test_there_is_one_instance_whatever_the_policy(service: Service) -> None:
    first, second = twins()
    service.store(first.data, second.data, first.data)
    assert len(service.search("/instances", {"SOPInstanceUID": first.instance})) == 1


@requires("RFC 9110 §8.8.3", "B")
def test_the_entity_tag_changes_with_the_content_only(service: Service, policy: str) -> None:
    first, second = twins()
    service.store(first.data)
    before = service.get(first.path + "/metadata").headers["etag"]
    service.store(second.data)
    assert (service.get(first.path + "/metadata").headers["etag"] != before) == (policy == "replace")
