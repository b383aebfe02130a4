"""What arrives is brought into one transfer syntax where a setting says so; what cannot be is stored as it came."""

from pathlib import Path

import numpy as np
import pytest

from dicomweb_server.dicom.origin import Origin
from dicomweb_server.dicom.pixels.encode import Target
from dicomweb_server.dicom.uid_patterns import UidPatterns
from dicomweb_server.services.ingest import IngestService
from dicomweb_server.services.ingest_transcoding import IngestException, IngestTarget, IngestTranscoder
from dicomweb_server.storage.durability import SyncMode
from dicomweb_server.storage.store import Store, StoreOptions
from dicomweb_server.storage.threads import Threads
from tests.builders import fake_jpeg, make_dataset, make_encapsulated, write_part10
from tests.encoded_images import decoded, image_file, read
from tests.images import described, image
from tests.pixel_workers import InlineWorkers

P = "1.2.840.10008.1.2."
EXPLICIT, JPEG, J2K, HTJ2K = P + "1", P + "4.50", P + "4.90", P + "4.202"
IMAGE = described(12)
WEB = Origin("test")


async def stored(tmp_path: Path, files: list[bytes], wanted: IngestTarget, origin: Origin = WEB) -> list[bytes]:
    """What is in the store after files came in."""
    store = Store(tmp_path, StoreOptions(sync=SyncMode.OFF))
    workers = Threads(1, "worker")
    ingest = IngestService(
        store.blobs, store.index, workers, transcoder=IngestTranscoder(store.blobs, InlineWorkers(), wanted)
    )
    staged = []
    for data in files:
        spool = ingest.stage()
        await spool.write(data)
        staged.append(await spool.finish())
    outcomes = await ingest.ingest_batch(staged, origin)
    assert all(outcome.is_success for outcome in outcomes)
    keys = [key async for key, _, _ in store.blobs.keys()]  # noqa: SIM118 - no mapping
    found = [await store.blobs.read(key) for key in keys]
    await ingest.close()
    workers.close()
    await store.close()
    return found


@pytest.mark.parametrize("source", [EXPLICIT, J2K, P + "5"])
async def test_all_that_has_pixels(tmp_path: Path, source: str) -> None:
    (data,) = await stored(tmp_path, [image_file(IMAGE, source, frames=2)], IngestTarget(target=Target(HTJ2K)))
    assert read(data).file_meta.TransferSyntaxUID == HTJ2K
    np.testing.assert_array_equal(decoded(data), [image(IMAGE, 0), image(IMAGE, 1)])


async def test_large_ones_too(tmp_path: Path) -> None:
    """Those that are spooled in a file."""
    big = described(16, rows=1500, columns=1500)
    (data,) = await stored(tmp_path, [image_file(big)], IngestTarget(target=Target(HTJ2K)))
    assert read(data).file_meta.TransferSyntaxUID == HTJ2K


@pytest.mark.parametrize(("of_compressed", "of_uncompressed"), [(True, False), (False, True)])
async def test_only_what_is_to_be(tmp_path: Path, *, of_compressed: bool, of_uncompressed: bool) -> None:
    wanted = IngestTarget(target=Target(HTJ2K), of_compressed=of_compressed, of_uncompressed=of_uncompressed)
    files = [image_file(IMAGE), image_file(IMAGE, J2K)]
    syntaxes = {read(data).file_meta.TransferSyntaxUID for data in await stored(tmp_path, files, wanted)}
    assert syntaxes == {HTJ2K, EXPLICIT if of_compressed else J2K}


async def test_what_cannot_be_is_stored_as_it_came(tmp_path: Path) -> None:
    broken = make_encapsulated([fake_jpeg(b"x" * 40)])
    report = write_part10(make_dataset(), EXPLICIT)
    dose = image_file(described(32))  # viewers do not decode such streams
    color = image_file(described(8, samples=3, color="YBR_FULL"))  # nor these
    files = await stored(tmp_path, [broken, report, dose, color], IngestTarget(target=Target(HTJ2K)))
    assert sorted(files) == sorted([broken, report, dose, color])


@pytest.mark.parametrize(
    ("sender", "modality", "sop_class", "syntax"),
    [
        ("", "CT", "1.2.840.10008.5.1.4.1.1.2", J2K),  # no rule is meant for it
        ("", "MG", "1.2.840.10008.5.1.4.1.1.2", EXPLICIT),
        (" WARD1 ", "US", "1.2.840.10008.5.1.4.1.1.6.1", HTJ2K),
        ("WARD2", "US", "1.2.840.10008.5.1.4.1.1.6.1", J2K),
        ("WARD1", "MG", "1.2.840.10008.5.1.4.1.1.6.1", EXPLICIT),  # two are: the first one counts
        ("WARD1", "US", "1.2.840.10008.5.1.4.1.1.7", J2K),
    ],
)
async def test_rules_by_what_it_is_and_who_sent_it(
    tmp_path: Path, sender: str, modality: str, sop_class: str, syntax: str
) -> None:
    wanted = IngestTarget(
        target=Target(J2K),
        exceptions=(
            IngestException(target=None, modalities=frozenset({"MG"})),
            IngestException(
                target=Target(HTJ2K),
                sop_classes=UidPatterns(["1.2.840.10008.5.1.4.1.1.6.*"]),
                senders=frozenset({"WARD1"}),
            ),
        ),
    )
    data = image_file(IMAGE, Modality=modality, SOPClassUID=sop_class)
    (kept,) = await stored(tmp_path, [data], wanted, Origin("dimse", calling_ae_title=sender))
    assert read(kept).file_meta.TransferSyntaxUID == syntax


async def test_color_of_jpeg_becomes_rgb(tmp_path: Path) -> None:
    original = image_file(described(8, samples=3), JPEG)
    (data,) = await stored(tmp_path, [original], IngestTarget(target=Target(HTJ2K)))
    assert (read(original).PhotometricInterpretation, read(data).PhotometricInterpretation) == (
        "YBR_FULL_422",
        "YBR_RCT",
    )


async def test_with_losses_it_is_another_instance(tmp_path: Path) -> None:
    original = image_file(described(8, samples=3))
    (data,) = await stored(tmp_path, [original], IngestTarget(target=Target(JPEG, 80)))
    dataset = read(data)
    assert (dataset.LossyImageCompression, dataset.file_meta.TransferSyntaxUID) == ("01", JPEG)
    assert dataset.SOPInstanceUID != read(original).SOPInstanceUID
