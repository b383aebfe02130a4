"""Multipart bodies that are cut, nested, endless or sent byte by byte."""

from collections.abc import Iterator

import pytest

from conformance.cost import Clock, at_most
from conformance.multipart import encode
from conformance.raw_http import exchange, request
from conformance.requirement import requires
from conformance.samples import make, sample
from conformance.service import Service

HEAD = "Content-Type: application/dicom"
TYPE = 'type="application/dicom"; boundary=b'
REFUSED = (400, 409, 413, 415)


def body(*data: bytes) -> bytes:
    return encode([(HEAD, one) for one in data], "b")


def stored(service: Service, path: str) -> bool:
    return service.get(path).status_code == 200


@requires("Hostile input: multipart", "B")
@pytest.mark.parametrize("cut", [1, 2, 3, 4, 7, 8, 100])
def test_a_body_without_its_end_is_never_a_plain_success(service: Service, cut: int) -> None:
    first, second = sample(make()), sample(make())
    response = service.store_body(body(first.data, second.data)[:-cut], TYPE)
    whole = response.status_code == 200 and stored(service, second.path)
    assert response.status_code in (202, *REFUSED) or (whole and cut <= 4)


@requires("Hostile input: multipart", "B")
def test_an_answer_to_a_cut_body_tells_what_is_stored(service: Service) -> None:
    first, second = sample(make()), sample(make())
    response = service.store_body(body(first.data, second.data)[:-200], TYPE)
    told = {item["00081155"]["Value"][0] for item in response.json().get("00081199", {}).get("Value", [])}
    assert {one.instance for one in (first, second) if stored(service, one.path)} == told


@requires("Hostile input: multipart", "B")
def test_lines_that_end_in_lf_alone_are_refused_or_understood(service: Service) -> None:
    one = sample(make())
    text = b"--b\n" + HEAD.encode() + b"\n\n" + one.data + b"\n--b--\n"
    response = service.store_body(text, TYPE)
    assert response.status_code in REFUSED or (response.status_code == 200 and stored(service, one.path))


@requires("Hostile input: multipart", "B")
@pytest.mark.parametrize("inside", ["--b", "\r\n--bb", "\r\n--", "\r\n-", "--b--", "\r\n --b", "\n--b\n"])
def test_a_boundary_inside_the_data_does_not_end_it(service: Service, inside: str) -> None:
    one = sample(make(PatientComments=f"before{inside}after"))
    response = service.store_body(body(one.data), TYPE)
    assert (response.status_code, stored(service, one.path)) == (200, True)


@requires("Hostile input: multipart", "B")
def test_a_true_delimiter_inside_the_data_does_not_store_half(service: Service) -> None:
    one = sample(make(PatientComments="before\r\n--b\r\nafter"))
    response = service.store_body(body(one.data), TYPE)
    assert (response.status_code in (202, *REFUSED), stored(service, one.path)) == (True, False)


@requires("Hostile input: multipart", "B")
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_body_in_small_pieces_is_understood(service: Service, size: int) -> None:
    first, second = sample(make()), sample(make(PatientComments="\r\n-" * 20))
    whole = body(first.data, second.data)

    def pieces() -> Iterator[bytes]:
        yield request(
            service.root,
            "POST",
            "/studies",
            f"Content-Type: multipart/related; {TYPE}",
            f"Content-Length: {len(whole)}",
        )
        for start in range(0, len(whole), size):
            yield whole[start : start + size]

    answer = exchange(service.root, pieces())
    assert (answer.status, stored(service, first.path), stored(service, second.path)) == (200, True, True)


@requires("Hostile input: multipart", "B")
def test_a_chunked_body_is_understood(service: Service) -> None:
    one = sample(make())
    whole = body(one.data)

    def pieces() -> Iterator[bytes]:
        yield request(
            service.root, "POST", "/studies", f"Content-Type: multipart/related; {TYPE}", "Transfer-Encoding: chunked"
        )
        for start in range(0, len(whole), 13):
            chunk = whole[start : start + 13]
            yield b"%x\r\n%s\r\n" % (len(chunk), chunk)
        yield b"0\r\n\r\n"

    assert (exchange(service.root, pieces()).status, stored(service, one.path)) == (200, True)


@requires("Hostile input: multipart", "B")
@pytest.mark.parametrize(
    ("boundary", "legal"), [("x" * 70, True), ("x" * 10_000, False), ("ä", False), ("a\tb", False)]
)
def test_a_boundary_of_an_odd_length_or_letter(service: Service, boundary: str, legal: bool) -> None:
    one = sample(make())
    text = f'multipart/related; type="application/dicom"; boundary="{boundary}"'.encode()
    head = request(service.root, "POST", "/studies", "Content-Type: @", "Content-Length: @@")
    content = encode([(HEAD, one.data)], boundary)
    head = head.replace(b"@@", str(len(content)).encode()).replace(b"@", text)
    status = exchange(service.root, [head, content]).status
    assert status == 200 if legal else status in (200, *REFUSED, 431)


@requires("Hostile input: multipart", "B")
@pytest.mark.parametrize("lines", [1, 1000])
def test_the_header_of_a_part_without_end_is_refused(service: Service, clock: Clock, lines: int) -> None:
    line = b"X-Long: " + b"x" * (1 << 20) + b"\r\n" if lines == 1 else b"X-Many: yes\r\n" * 100_000
    with at_most(1, clock):
        response = service.store_body(b"--b\r\n" + line, TYPE)
    assert response.status_code in REFUSED


@requires("Hostile input: multipart", "B")
@pytest.mark.parametrize(
    "header",
    [b"no colon", b": no name", b"Content-Type application/dicom", b"\0: zero", b"Content-Type: \xff\xfe", b"a b: c",
     b"Content-Type: application/dicom; boundary=\"x", b"Content-Length: -1", b"Content-Length: 99999999999999999999"],
)  # fmt: skip
def test_a_broken_header_of_a_part_is_refused_or_ignored(service: Service, header: bytes) -> None:
    one = sample(make())
    response = service.store_body(b"--b\r\n" + header + b"\r\n\r\n" + one.data + b"\r\n--b--\r\n", TYPE)
    assert response.status_code in (200, *REFUSED)


@requires("Hostile input: multipart", "B")
def test_twenty_thousand_empty_parts_are_answered_soon(service: Service, clock: Clock) -> None:
    with at_most(10, clock):
        response = service.store_body(b"--b\r\n\r\n\r\n" * 20_000 + b"--b--\r\n", TYPE)
    assert response.status_code in REFUSED


@requires("Hostile input: multipart", "B")
def test_a_megabyte_of_almost_delimiters_costs_little(service: Service, clock: Clock) -> None:
    with at_most(2, clock):
        response = service.store_body(b"--b\r\n\r\n" + b"\r\n--" * (4 << 20) + b"\r\n--b--\r\n", TYPE)
    assert response.status_code in REFUSED


@requires("Hostile input: multipart", "B")
def test_a_multipart_inside_a_multipart_is_refused(service: Service) -> None:
    inner = encode([(HEAD, sample(make()).data)], "inner")
    text = encode([('Content-Type: multipart/related; type="application/dicom"; boundary=inner', inner)], "b")
    assert service.store_body(text, TYPE).status_code in REFUSED


@requires("Hostile input: multipart", "B")
@pytest.mark.parametrize("text", [b"", b"\r\n", b"junk", b"--", b"--b", b"--b\r\n", b"--b--", b"--c\r\n\r\n\r\n--c--"])
def test_a_body_that_is_no_multipart_is_refused(service: Service, text: bytes) -> None:
    assert service.store_body(text, TYPE).status_code in REFUSED


@requires("Hostile input: multipart", "B")
def test_a_transfer_encoded_part_is_refused(service: Service) -> None:
    text = encode([(HEAD + "\r\nContent-Transfer-Encoding: base64", b"AAAA")], "b")
    assert service.store_body(text, TYPE).status_code in REFUSED
