"""Measure pictures that are in no cache, frames decoded from JPEG 2000, and an archive that is transcoded.

    python -m tests.bench.pictures [SCENARIO ...] [--folder DICOM] [--without-orthanc]

Scenarios: rendered, thumbnails, frames, archive; all by default. Where Orthanc is installed, both servers are up and
are asked by turns, so that what else the machine does hurts both. `--folder`: slices from there instead of made ones.
"""

import argparse
import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from conformance.server import COMMAND, ORTHANC, Server
from tests.bench.http_client import Connection, multipart
from tests.bench.picture_data import Picture, in_series_of_their_own, many_frames, shuffled_frames, slices, slices_of

_CLIENTS, _ROUND, _SERIES, _FRAMES, _STUDY = 8, 100, 500, 500, 250
_JPEG_LS = "1.2.840.10008.1.2.4.80"
_JPEG = [("Accept", "image/jpeg")]
_NATIVE = [("Accept", 'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1')]
Headers = Sequence[tuple[str, str]]
_T = TypeVar("_T")


class Side:
    """A server, and connections to it."""

    def __init__(self, name: str, server: Server) -> None:
        self.name = name
        self._root = f"http://127.0.0.1:{server.http_port}"

    async def store(self, pictures: Sequence[Picture]) -> None:
        """Store instances."""
        content_type, body = multipart(picture.data for picture in pictures)
        async with Connection(self._root) as connection:
            await connection.ask("POST", "/dicom-web/studies", [("Content-Type", content_type)], body)

    async def rate(self, paths: Sequence[str], headers: Headers = ()) -> float:
        """Each path once, by several clients: how many a second."""
        left = iter(paths)

        async def client() -> None:
            async with Connection(self._root) as connection:
                for path in left:
                    await connection.ask("GET", path, headers)

        started = time.perf_counter()
        await asyncio.gather(*[client() for _ in range(_CLIENTS)])
        return len(paths) / (time.perf_counter() - started)

    async def seconds(self, paths: Sequence[str], headers: Headers = ()) -> list[float]:
        """Each path once, one after the other: the time of each."""
        took = []
        async with Connection(self._root) as connection:
            for path in paths:
                started = time.perf_counter()
                await connection.ask("GET", path, headers)
                took.append(time.perf_counter() - started)
        return took


class Bench:
    """The scenarios. `sides`: this server, and Orthanc if it is there."""

    def __init__(self, sides: Sequence[Side], folder: Path | None) -> None:
        self._sides = sides
        self._folder = folder

    async def rendered(self) -> None:
        """Each slice once, as JPEG."""
        paths = await self._stored(self._slices(1000), lambda picture: picture.path + "/rendered")
        await self._by_turns("rendered, cold", [(paths, _JPEG)] * 2)

    async def thumbnails(self) -> None:
        """One of each series; Orthanc, which has no thumbnails, is asked for the preview of its only instance."""
        pictures = in_series_of_their_own(self._slices(_SERIES), _SERIES)
        named = await self._stored(pictures, lambda picture: (picture.path, picture.identifier))
        ours = [path.partition("/instances/")[0] + "/thumbnail" for path, _ in named]
        theirs = [f"/instances/{identifier}/preview" for _, identifier in named]
        half = len(named) // 2
        await self._by_turns("thumbnails, preview in PNG", [(ours[:half], _JPEG), (theirs[:half], ())])
        await self._by_turns("thumbnails, preview in JPEG", [(ours[half:], _JPEG), (theirs[half:], _JPEG)])

    async def frames(self) -> None:
        """A client that goes to and fro in an object of 500 frames in JPEG 2000, asked as uncompressed."""
        for side in (256, 512):
            picture = many_frames(side, _FRAMES)
            await self._sides[0].store([picture])
            paths = [f"{picture.path}/frames/{number}" for number in shuffled_frames(_FRAMES)]
            for times in ("first", "again"):
                took = sorted(await self._sides[0].seconds(paths, _NATIVE))
                say(
                    f"frame of {side} x {side} in JPEG 2000, {times}",
                    f"p50 {1000 * took[len(took) // 2]:.1f} ms, p95 {1000 * took[len(took) * 95 // 100]:.1f} ms",
                )

    async def archive(self) -> None:
        """A study as ZIP in JPEG-LS, first and again."""
        found = await self._stored(self._slices(_STUDY), lambda picture: picture.study_identifier)
        for times in ("first", "again"):
            for side in self._sides:
                (took,) = await side.seconds([f"/studies/{found[0]}/archive?transcode={_JPEG_LS}"])
                say(f"archive of {len(found)} slices in JPEG-LS, {times}, {side.name}", f"{took:.2f} s")

    def _slices(self, count: int) -> Iterator[Picture]:
        found = slices_of(self._folder) if self._folder else slices(count)
        return islice(found, count)

    async def _stored(self, pictures: Iterator[Picture], named: Callable[[Picture], _T]) -> list[_T]:
        """Store them everywhere; what each is called."""
        names = []
        while group := list(islice(pictures, 10)):
            for side in self._sides:
                await side.store(group)
            names += [named(picture) for picture in group]
        return names

    async def _by_turns(self, what: str, asked: Sequence[tuple[Sequence[str], Headers]]) -> None:
        """The same number of requests to each server, and the other way round the next time."""
        rates: dict[str, list[float]] = {side.name: [] for side in self._sides}
        turns = list(zip(self._sides, asked, strict=False))
        for start in range(0, len(asked[0][0]), _ROUND):
            for side, (paths, headers) in turns:
                rates[side.name].append(await side.rate(paths[start : start + _ROUND], headers))
            turns.reverse()
        figures = [f"{name} {statistics.median(found):.0f}/s" for name, found in rates.items()]
        if len(rates) == 2:
            pairs = zip(*rates.values(), strict=True)
            figures.append(f"{statistics.median(ours / theirs for ours, theirs in pairs):.2f}x")
        say(what, ", ".join(figures))


def say(what: str, figures: str) -> None:
    """One line of the report."""
    sys.stdout.write(f"{what:50}{figures}\n")
    sys.stdout.flush()


def main() -> None:
    """Start what is there, run what is wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ("rendered", "thumbnails", "frames", "archive")
    parser.add_argument("scenarios", nargs="*", choices=[*names, []], default=names, metavar="SCENARIO")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--without-orthanc", action="store_true")
    arguments = parser.parse_args()
    commands = {"ours": COMMAND}
    if shutil.which("Orthanc") and not arguments.without_orthanc:
        commands["Orthanc"] = ORTHANC
    for name in arguments.scenarios:  # each on fresh folders
        with tempfile.TemporaryDirectory(prefix="dicomweb-bench-") as folder:
            servers = [Server(Path(folder) / side, command) for side, command in commands.items()]
            try:
                sides = [Side(side, server) for side, server in zip(commands, servers, strict=True)]
                scenario: Callable[[], Coroutine[None, None, None]] = getattr(Bench(sides, arguments.folder), name)
                asyncio.run(scenario())
            finally:
                for server in servers:
                    server.stop()


if __name__ == "__main__":
    main()
