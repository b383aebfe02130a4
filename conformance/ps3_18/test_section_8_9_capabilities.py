"""PS3.18 §8.9 and Annex H: the service describes itself."""

from xml.etree import ElementTree

import pytest

from conformance.requirement import requires
from conformance.service import Service

WADL = "application/vnd.sun.wadl+xml"
NAMESPACE = "{http://wadl.dev.java.net/2009/02}"


def tree(service: Service) -> ElementTree.Element:
    response = service.send("OPTIONS", "/", accept=WADL)
    assert (response.status_code, response.headers["content-type"].split(";")[0]) == (200, WADL)
    return ElementTree.fromstring(response.text)


@requires("PS3.18 §8.9")
def test_the_default_description_is_wadl(service: Service) -> None:
    response = service.send("OPTIONS", "/")
    assert (response.status_code, response.headers.get("content-type", "").split(";")[0]) == (200, WADL)


@requires("PS3.18 §8.9")
def test_the_description_is_an_application(service: Service) -> None:
    assert tree(service).tag == NAMESPACE + "application"


@requires("PS3.18 §H")
def test_the_description_names_the_base_url(service: Service) -> None:
    resources = tree(service).findall(NAMESPACE + "resources")
    assert [one.get("base", "").rstrip("/") for one in resources] == [service.root]


@requires("PS3.18 §H")
@pytest.mark.parametrize("name", ["studies", "series", "instances", "metadata", "bulkdata", "pixeldata"])
def test_the_description_has_a_resource(service: Service, name: str) -> None:
    paths = " ".join(one.get("path", "") for one in tree(service).iter(NAMESPACE + "resource"))
    assert name in paths.replace("/", " ").split()


@requires("PS3.18 §H")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_description_of_studies_has_its_methods(service: Service, method: str) -> None:
    studies = [one for one in tree(service).iter(NAMESPACE + "resource") if one.get("path", "").strip("/") == "studies"]
    assert method in [one.get("name") for one in studies[0].findall(NAMESPACE + "method")]


@requires("PS3.18 §8.9", "B")
def test_the_description_comes_as_json_when_asked(service: Service) -> None:
    response = service.send("OPTIONS", "/", accept="application/json")
    assert (response.status_code, response.headers.get("content-type", "").split(";")[0]) == (200, "application/json")


@requires("PS3.18 §8.9")
def test_the_description_in_another_type_answers_406(service: Service) -> None:
    assert service.send("OPTIONS", "/", accept="image/png").status_code == 406
