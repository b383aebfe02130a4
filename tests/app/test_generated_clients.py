"""Clients that others' generators make of openapi.json, used on a real server: drift breaks a test, not a customer."""

import importlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from conformance.samples import Sample, make, sample
from conformance.server import Server

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "openapi" / "openapi.json"
PACKAGES = ("openapi-typescript@7.13.0", "openapi-fetch@0.17.0", "typescript@5.9.3", "@types/node@20.19.43")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    own = Server(tmp_path_factory.mktemp("server"))
    yield own
    own.stop()


@pytest.fixture
def image() -> Sample:
    return sample(make(StudyDescription="Generated client"))


class PythonClient:
    """A generated package, by the names of its operations."""

    def __init__(self, package: str, address: str) -> None:
        self.package = package
        self.client = self.module("client").Client(base_url=address)

    def module(self, name: str) -> ModuleType:
        return importlib.import_module(f"{self.package}.{name}")

    def call(self, name: str, *arguments: Any, **named: Any) -> Any:
        """The detailed response of an operation such as search_qido_rs.search_for_studies."""
        return self.module(f"api.{name}").sync_detailed(*arguments, client=self.client, **named)


@pytest.fixture(scope="module")
def python_client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PythonClient]:
    folder = tmp_path_factory.mktemp("python")
    made = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--path", str(DOCUMENT)),
            *("--config", str(ROOT / "openapi" / "python-client.yaml")),
            *("--output-path", str(folder / "made_of_openapi"), "--meta", "none"),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    sys.path.insert(0, str(folder))
    made_client = PythonClient("made_of_openapi", f"http://127.0.0.1:{server.http_port}")
    with made_client.client:
        yield made_client
    sys.path.remove(str(folder))


def test_a_python_client_stores(python_client: PythonClient, image: Sample) -> None:
    file = python_client.module("types").File(payload=image.data)
    stored = python_client.call("store_stow_rs.store_instances", body=file)
    assert (stored.status_code, stored.parsed["00081199"].value[0]["00081155"].value) == (200, [image.instance])


def stored(python_client: PythonClient, image: Sample) -> Sample:
    python_client.call("store_stow_rs.store_instances", body=python_client.module("types").File(payload=image.data))
    return image


def test_a_python_client_searches(python_client: PythonClient, image: Sample) -> None:
    keys = python_client.module("models").SearchForStudiesKeys.from_dict
    study = stored(python_client, image).study
    found = python_client.call("search_qido_rs.search_for_studies", keys=keys({"StudyInstanceUID": study}), limit=5)
    assert [one["00081030"].value for one in found.parsed] == [["Generated client"]]


def test_a_python_client_retrieves_metadata(python_client: PythonClient, image: Sample) -> None:
    one = stored(python_client, image)
    name = "retrieve_wado_rs.retrieve_instance_metadata"
    found = python_client.call(name, one.study, one.series, one.instance)
    assert found.parsed[0]["00100010"].value[0].alphabetic == "Sample^One"


def test_a_python_client_retrieves_an_instance(python_client: PythonClient, image: Sample) -> None:
    one = stored(python_client, image)
    name = "retrieve_wado_rs.retrieve_instance"
    found = python_client.call(name, one.study, one.series, one.instance, accept="application/dicom")
    assert found.content == image.data


def test_a_python_client_deletes(python_client: PythonClient, image: Sample) -> None:
    one = stored(python_client, image)
    deleted = python_client.call("delete.delete_study", one.study)
    missing = python_client.call("retrieve_wado_rs.retrieve_study_metadata", one.study)
    assert (deleted.status_code, missing.parsed.status, missing.parsed.title) == (204, 404, "Not Found")


def run(folder: Path, tool: str, *arguments: str) -> None:
    command = [str(folder / "node_modules" / ".bin" / tool), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the compiled program; types are checked strictly."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("typescript")
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefer-offline", *PACKAGES]
    if subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode:
        pytest.skip("the packages of the TypeScript client cannot be fetched")
    shutil.copy(Path(__file__).with_name("typescript_client.ts"), folder)
    run(folder, "openapi-typescript", str(DOCUMENT), "-o", "schema.d.ts")
    strict = ("--strict", "--module", "nodenext", "--target", "es2022", "--skipLibCheck")
    run(folder, "tsc", *strict, "typescript_client.ts")
    return folder


def test_a_typescript_client_stores_searches_retrieves_and_deletes(
    server: Server, typescript: Path, image: Sample
) -> None:
    file = typescript / "image.dcm"
    file.write_bytes(image.data)
    address = f"http://127.0.0.1:{server.http_port}"
    command = ["node", "typescript_client.js", address, str(file), image.study]
    done = subprocess.run(command, cwd=typescript, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr
