"""How soon a viewer on a slow line has an image: as it came, and stored as HTJ2K, of which it asks for a tenth first.

    python -m tests.bench.first_image FILE [--mbit N] [--latency-ms N] [--pictures DIR]

FILE: an uncompressed image in gray. The line is a relay that passes on no more than so many bits each second. What is
made of a tenth of a frame is compared with the whole image by the signal to noise ratio of what the window shows.
"""

import argparse
import asyncio
import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import httpx
import imagecodecs
import numpy as np
import numpy.typing as npt
import pydicom

from conformance.server import Server, free_port

_HTJ2K = "1.2.840.10008.1.2.4.202"
_FIRST = 10  # a tenth of the frame
_PIECE = 8192
Samples = npt.NDArray[Any]


class SlowLine:
    """A TCP relay to a port of this machine, for as long as its context lasts."""

    def __init__(self, target: int, mbit: float, latency: float) -> None:
        self._target, self._rate, self._latency = target, mbit * 1e6 / 8, latency
        self.port = free_port()
        self._relays: set[asyncio.Task[None] | None] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._server.close()
        await asyncio.gather(*filter(None, self._relays))

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._relays.add(asyncio.current_task())
        above_reader, above_writer = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(self._pass(reader, above_writer), self._pass(above_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        free = 0.0  # when the line has room for the next piece
        while piece := await reader.read(_PIECE):
            now = time.monotonic()
            if now - free > self._latency:  # what comes after a pause is on its way for a while
                free = now + self._latency
            free += len(piece) / self._rate
            await asyncio.sleep(free - now)
            writer.write(piece)
        writer.close()


def shown(samples: Samples, window: tuple[float, float]) -> Samples:
    """The samples as gray levels."""
    low, high = window
    return np.clip((samples.astype(np.float64) - low) / (high - low), 0, 1) * 255


def from_a_part(data: bytes, bits: int, *, signed: bool) -> Samples:
    """What the first bytes of a codestream give, clipped to the range that missing details may push samples out of."""
    samples = imagecodecs.htj2k_decode(data, resilient=True)
    if bits < 8 * samples.dtype.itemsize:
        samples = samples.view(f"i{samples.dtype.itemsize}")
    lowest = -(1 << bits - 1) if signed else 0
    clipped: Samples = np.clip(samples, lowest, lowest + (1 << bits) - 1)
    return clipped


async def fetch(client: httpx.AsyncClient, path: str, accept: str, first: int = 0, end: int = 0) -> tuple[bytes, float]:
    """The bytes of a frame, or of a range of it, and how long they took."""
    headers = {"Accept": accept} | ({"Range": f"bytes={first}-{end - 1}"} if end else {})
    begin = time.perf_counter()
    answer = await client.get(path, headers=headers)
    answer.raise_for_status()
    return answer.content, time.perf_counter() - begin


async def measure(server: Server, data: bytes, arguments: argparse.Namespace) -> None:
    """Store, then ask for the frame through the slow line."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    async with httpx.AsyncClient(timeout=120, trust_env=False) as near:
        stored = await near.post(f"{server.root}/studies", content=data, headers={"Content-Type": "application/dicom"})
        stored.raise_for_status()
    path = (
        f"/dicom-web/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}"
        f"/instances/{dataset.SOPInstanceUID}/frames/1"
    )
    async with (
        SlowLine(server.http_port, arguments.mbit, arguments.latency_ms / 1000) as line,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{line.port}", timeout=120, trust_env=False) as far,
    ):
        plain, seconds = await fetch(far, path, "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1")
        say("uncompressed", len(plain), seconds)
        accept = f"image/jphc; transfer-syntax={_HTJ2K}"
        whole, seconds = await fetch(far, path, accept)
        say("HTJ2K", len(whole), seconds)
        end = len(whole) // _FIRST
        part, seconds = await fetch(far, path, accept, 0, end)
        say("its first tenth", len(part), seconds)
        rest, more = await fetch(far, path, accept, end, len(whole))
        assert part + rest == whole
        say("and the rest", len(rest), seconds + more)
    judge(part, whole, dataset, arguments.pictures)


def judge(part: bytes, whole: bytes, dataset: pydicom.Dataset, pictures: Path | None) -> None:
    """Compare what the part gives with the image."""
    image = imagecodecs.htj2k_decode(whole)
    assert np.array_equal(image, dataset.pixel_array)
    first = from_a_part(part, dataset.BitsStored, signed=bool(dataset.PixelRepresentation))
    window = tuple(np.percentile(image, [0.5, 99.5]))
    error = np.mean((shown(first, window) - shown(image, window)) ** 2)
    sys.stdout.write(
        f"peak signal to noise ratio of the first tenth, as shown: {10 * np.log10(255**2 / error):.1f} dB\n"
    )
    for name, samples in (("first", first), ("whole", image)) if pictures else ():
        assert pictures
        (pictures / f"{name}.png").write_bytes(imagecodecs.png_encode(shown(samples, window).astype(np.uint8)))


def say(what: str, size: int, seconds: float) -> None:
    """One line of the report."""
    sys.stdout.write(f"{what:20}{size:>12,} bytes{seconds:>10.2f} s\n")
    sys.stdout.flush()


def main() -> None:
    """Measure one file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--mbit", type=float, default=10)
    parser.add_argument("--latency-ms", type=float, default=20)
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "server", environment={"DICOMWEB_SERVER_INGEST_TRANSCODING": _HTJ2K})
        try:
            asyncio.run(measure(server, arguments.file.read_bytes(), arguments))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
