"""Rendering: stored instances as pictures, pages and drawings, made in processes of their own."""

import contextlib
from collections.abc import Sequence

from dicomweb_server.dicom.data_set import DataSet, data_set_of
from dicomweb_server.dicom.frames import FrameIndex
from dicomweb_server.dicom.header import open_part10
from dicomweb_server.dicom.rendering.export import (
    LARGEST_ARRAY,
    Export,
    PixelArray,
    numpy_file,
    too_large,
)
from dicomweb_server.dicom.rendering.frame_attributes import frame_attributes
from dicomweb_server.dicom.rendering.icc_profile import ColourSpace
from dicomweb_server.dicom.rendering.icon import labelled_icon
from dicomweb_server.dicom.rendering.image_format import ANIMATED_TYPES, Encoded
from dicomweb_server.dicom.rendering.options import RenderingOptions, Viewport
from dicomweb_server.dicom.rendering.presentation_state import (
    ADVANCED_BLENDING_PRESENTATION_STATE,
    BLENDING_PRESENTATION_STATE,
)
from dicomweb_server.dicom.rendering.segmentation import frames_beside, segment_frames, source_image
from dicomweb_server.dicom.rendering.slide import MOST_TILES, WHOLE_SLIDE, rank_as_overview, tiling_of
from dicomweb_server.dicom.rendering.source import Source, SourceFrame
from dicomweb_server.dicom.rendering.subtraction import subtraction_of
from dicomweb_server.dicom.rendering.transforms import grayscale_of
from dicomweb_server.dicom.rendering.window import Window
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.blobs import Blobs
from dicomweb_server.ports.derived import Derived
from dicomweb_server.ports.index import Scope, StoredInstance
from dicomweb_server.services.blending import BlendingFrames
from dicomweb_server.services.choices import Choices
from dicomweb_server.services.pixels import PixelService
from dicomweb_server.services.rendering_work import (
    AnySource,
    SourceFile,
    array_by,
    exported_by,
    matlab_by,
    ready,
    rendered_by,
    slide_by,
    still_by,
)
from dicomweb_server.services.retrieve import RetrieveService
from dicomweb_server.services.shown import Kind, Shown, kind_of
from dicomweb_server.services.workers import Workers

_REPRESENTATIVE_FRAME = 0x00286010
_THUMBNAIL_QUALITY = 80
_LARGEST_HEAD = 256 << 20
_MOST_OF_SLIDE = 50  # images of a slide among which the best overview is looked for
_MOST_PLANES = 16  # focal planes and optical paths of an image of a slide that is shown as a whole
_MOST_ANIMATED = 256  # frames of one animation
_LARGEST_ANIMATION = 256 << 20  # bytes of its frames as they are stored


class RenderingService:
    """Chooses what represents a study, series or instance, and has it rendered."""

    def __init__(
        self, retrieve: RetrieveService, blobs: Blobs, workers: Workers, pixels: PixelService, derived: Derived
    ) -> None:
        self._retrieve = retrieve
        self._blobs = blobs
        self._workers = workers
        self._pixels = pixels
        self._derived = derived
        self._choices = Choices(retrieve, self._representative)
        self._blending = BlendingFrames(retrieve, self._data_set)

    async def warm_up(self) -> None:
        """Have a process ready before the first picture is asked for: starting one takes a second."""
        with contextlib.suppress(ServerError):
            await self._pixels.run(ready)

    async def representative(self, scope: Scope) -> StoredInstance:
        """The instance that stands for a study or series: from the middle of its first series with images."""
        if scope.instance_uid is not None:
            return self._retrieve.peek(scope) or await self._retrieve.instance(scope)
        return await self._choices.chosen(scope)

    async def _representative(self, instances: Sequence[StoredInstance]) -> StoredInstance:
        for wanted in (frozenset({Kind.IMAGE}), frozenset(Kind) - {Kind.OTHER}, frozenset(Kind)):
            found = [instance for instance in instances if kind_of(instance) in wanted]
            if found:
                series = [instance for instance in found if instance.series_uid == found[0].series_uid]
                if series[0].sop_class_uid == WHOLE_SLIDE:
                    return await self._overview(series)
                return series[len(series) // 2]
        return instances[0]

    async def _overview(self, slide: Sequence[StoredInstance]) -> StoredInstance:
        """The image that shows most of a slide in the fewest pixels, but not its label."""

        def size(instance: StoredInstance) -> int:
            return FrameIndex.unpack(instance.frames).count

        smallest = sorted(slide, key=size)[:_MOST_OF_SLIDE]
        ranks = [rank_as_overview(await self._data_set(instance)) for instance in smallest]
        return smallest[ranks.index(min(ranks))]

    async def rendered(
        self,
        shown: Shown,
        media_type: str,
        options: RenderingOptions,
        state: StoredInstance | None = None,
    ) -> Encoded:
        """A picture, page or drawing; several frames become an animation. ServerError says why it cannot be made."""
        kind = kind_of(shown.instance)
        if kind is Kind.PRESENTATION_STATE:
            return await self._presented(shown.instance, media_type, options)
        if kind is Kind.SEGMENTATION and len(shown.frames) == 1:
            return await self._segmented(shown, media_type, options)
        if state is not None:
            return await self._in_state(shown, state, await self._data_set(state), media_type, options)

        async def make() -> bytes:
            if kind is Kind.VIDEO:  # all of which is stored as one frame
                source, number = await self._source(shown.instance, (1,)), shown.frames[0]
                return (await self._pixels.run(still_by, source, number, media_type, options)).data
            source = await self._source(shown.instance, shown.frames)
            work = slide_by if shown.as_tiles else rendered_by
            return (await self._pixels.run(work, source, media_type, options)).data

        return Encoded(
            media_type,
            await self._pixels.kept((shown.instance.key, "rendered", media_type, options, shown), make),
        )

    async def main_frame(self, instance: StoredInstance, *, middle: bool = False) -> int:
        """The frame that stands for an instance: the one it names itself, the middle one, or the first."""
        frames = FrameIndex.unpack(instance.frames)
        if frames.count <= 1:
            return 1
        data_set = await self._data_set(instance)
        named = data_set.integer(_REPRESENTATIVE_FRAME)
        return named if 1 <= named <= frames.count else frames.count // 2 + 1 if middle else 1

    async def slide(self, instance: StoredInstance) -> Shown | None:
        """All tiles of a small image of a slide; None of others."""
        frames = FrameIndex.unpack(instance.frames)
        if instance.sop_class_uid != WHOLE_SLIDE or frames.count > MOST_TILES * _MOST_PLANES:
            return None
        tiling = tiling_of(await self._data_set(instance))
        if tiling is None or max(tiling.tiles)[0] > frames.count:
            return None
        return Shown(instance, tuple(number for number, _, _ in tiling.tiles), as_tiles=True)

    async def thumbnail(
        self, instance: StoredInstance, frame_number: int | None, media_type: str, viewport: Viewport
    ) -> bytes:
        """A small picture of an instance or of one of its frames, made once and kept."""
        variant = f"thumbnail {frame_number} {media_type} {viewport}"

        async def make() -> bytes:
            there = await self._derived.get(instance.key, variant)
            if there is not None:
                return there
            try:
                made = (await self._thumbnail(instance, frame_number, media_type, viewport)).data
            except ServerError as error:
                if not _has_stand_in(instance, error):
                    raise
                # Not kept on the disk: what is missing now, an image or a package, may be there some day.
                return (await self._pixels.run(labelled_icon, kind_of(instance).value, media_type, viewport)).data
            await self._derived.put(instance.key, variant, made)
            return made

        return await self._pixels.kept((instance.key, variant), make)

    async def _thumbnail(
        self, instance: StoredInstance, frame_number: int | None, media_type: str, viewport: Viewport
    ) -> Encoded:
        kind = kind_of(instance)
        options = RenderingOptions(viewport, quality=_THUMBNAIL_QUALITY, colour_space=ColourSpace.NONE)
        slide = await self.slide(instance) if frame_number is None else None
        if slide is not None:
            return await self.rendered(slide, media_type, options)
        if kind in (Kind.IMAGE, Kind.SEGMENTATION):
            number = await self.main_frame(instance, middle=True) if frame_number is None else frame_number
            return await self.rendered(Shown(instance, (number,)), media_type, options)
        if kind is Kind.VIDEO:
            return await self.rendered(Shown(instance, (frame_number or 1,)), media_type, options)
        if frame_number is not None:
            FrameIndex.unpack(instance.frames).locate(frame_number)
        if kind is Kind.PRESENTATION_STATE:
            return await self._presented(instance, media_type, options)
        return await self._pixels.run(labelled_icon, kind.value, media_type, viewport)

    async def presentation_state(self, study_uid: str, series_uid: str, instance_uid: str) -> StoredInstance:
        """A presentation state of a study; ServerError if it is none, or not there."""
        state = await self._retrieve.instance(Scope(study_uid, series_uid, instance_uid))
        if kind_of(state) is not Kind.PRESENTATION_STATE:
            raise ServerError(Reason.BAD_REQUEST, "what should be a presentation state is none that can be applied")
        return state

    async def exported(
        self, instance: StoredInstance, frame_number: int, export: Export, media_type: str, quality: int
    ) -> Encoded:
        """A frame as it is decoded, stretched or clamped; what has other pictures than frames, as that picture."""
        kind = kind_of(instance)
        if export is Export.PREVIEW and kind in (Kind.VIDEO, Kind.DOCUMENT, Kind.REPORT):
            options = RenderingOptions(quality=quality)
            return await self.rendered(page_or_frame(instance, frame_number), media_type, options)
        source = await self._source(instance, (frame_number,))
        return await self._pixels.run(exported_by, source, export, media_type, quality)

    async def icon(self, media_type: str) -> Encoded:
        """What stands for an image that cannot be shown."""
        return await self._pixels.run(labelled_icon, "?", media_type, Viewport())

    async def window(self, instance: StoredInstance, frame_number: int) -> Window | None:
        """The first window of a frame."""
        data_set = await self._data_set(instance)
        voi = grayscale_of(frame_attributes(data_set, frame_number)).voi
        return voi if isinstance(voi, Window) else None

    async def numpy(
        self, instances: Sequence[StoredInstance], frame_number: int | None, *, rescale: bool, compress: bool
    ) -> bytes:
        """The pixels of instances, or of one frame of one, as a file of NumPy."""
        arrays: list[PixelArray] = []
        for instance in instances:
            count = FrameIndex.unpack(instance.frames).count
            numbers = range(1, max(count, 1) + 1) if frame_number is None else (frame_number,)
            source = await self._source(instance, numbers)
            arrays.append(await self._pixels.run(array_by, source, int(rescale)))
            if sum(len(array.data) for array in arrays) > LARGEST_ARRAY:
                raise too_large()
        single = frame_number is not None
        return await self._workers.run(lambda: numpy_file(arrays, compress=compress, single=single))

    async def matlab(self, instance: StoredInstance, frame_number: int) -> bytes:
        """A frame as an expression of MATLAB."""
        return await self._pixels.run(matlab_by, await self._source(instance, (frame_number,)))

    async def _source(self, instance: StoredInstance, numbers: Sequence[int] = ()) -> AnySource:
        frames = FrameIndex.unpack(instance.frames)
        path = self._blobs.local_path(instance.key)
        if path is not None and not frames.deflated and (frames.encapsulated or frames.verbatim):
            spans = tuple((number, frames.locate(number)) for number in numbers)
            size = _head_size(instance, frames)
            return SourceFile(str(path), size, frames.tag, frames.vr, spans, instance.instance_uid)
        reader = self._retrieve.contents
        data = [await reader.read(self._retrieve.frame(instance, frames, number)) for number in numbers]
        made = tuple(SourceFrame(number, one) for number, one in zip(numbers, data, strict=True))
        return Source(await self._head(instance, frames), frames.tag, frames.vr, made, instance.instance_uid)

    async def _head(self, instance: StoredInstance, frames: FrameIndex) -> bytes:
        size = _head_size(instance, frames)
        peeked = self._blobs.peek(instance.key, 0, size)
        return peeked if peeked is not None else await self._blobs.read(instance.key, 0, size)

    async def _data_set(self, instance: StoredInstance) -> DataSet:
        head = await self._head(instance, FrameIndex.unpack(instance.frames))
        return await self._workers.run(lambda: data_set_of(open_part10(head)))

    async def _presented(self, state: StoredInstance, media_type: str, options: RenderingOptions) -> Encoded:
        """The first image that is stored here of those a presentation state speaks of."""
        data_set = await self._data_set(state)
        shown = await self._blending.first(state, data_set)
        return await self._in_state(shown, state, data_set, media_type, options)

    async def _in_state(
        self, shown: Shown, state: StoredInstance, data_set: DataSet, media_type: str, options: RenderingOptions
    ) -> Encoded:
        """A frame as a state wants it, with the frames that the state subtracts from it or blends with it."""
        if state.sop_class_uid == ADVANCED_BLENDING_PRESENTATION_STATE:
            found = await self._blending.inputs(shown, data_set)
            inputs = tuple([(number, await self._source(one.instance, one.frames)) for number, one in found])
            source = await self._source(state)
            return await self._pixels.run(rendered_by, inputs[0][1], media_type, options, source, None, inputs)
        if state.sop_class_uid == BLENDING_PRESENTATION_STATE:
            below = await self._source(shown.instance, shown.frames)
            above = await self._blending.superimposed(shown, state, data_set)
            source = await self._source(above.instance, above.frames)
            return await self._pixels.run(rendered_by, below, media_type, options, await self._source(state), source)
        count, number = FrameIndex.unpack(shown.instance.frames).count, shown.frames[0]
        subtraction = subtraction_of(data_set, shown.instance.instance_uid, number, count)
        source = await self._source(shown.instance, subtraction.frames if subtraction is not None else shown.frames)
        return await self._pixels.run(rendered_by, source, media_type, options, await self._source(state))

    async def _segmented(self, shown: Shown, media_type: str, options: RenderingOptions) -> Encoded:
        """All segments that lie where the one of a frame does, on their image if that is stored here."""
        data_set = await self._data_set(shown.instance)
        beside = await self._workers.run(lambda: frames_beside(segment_frames(data_set), shown.frames[0]))
        reference = source_image(data_set, beside[0])
        background: AnySource = Source(b"")
        if reference is not None:
            image = await self._image_in_study(shown.instance.study_uid, reference.series_uid, reference.instance_uid)
            if image is not None:
                background = await self._source(image, reference.frames)
        # The one that was asked for comes first.
        numbers = sorted((frame.number for frame in beside), key=lambda number: number != shown.frames[0])
        source = await self._source(shown.instance, numbers)
        return await self._pixels.run(rendered_by, source, media_type, options, None, background)

    async def _image_in_study(self, study_uid: str, series_uid: str, instance_uid: str) -> StoredInstance | None:
        if series_uid:
            return await self._find(Scope(study_uid, series_uid, instance_uid))
        try:
            instances = await self._retrieve.instances(Scope(study_uid))
        except ServerError:
            return None
        return next((one for one in instances if one.instance_uid == instance_uid), None)

    async def _find(self, scope: Scope) -> StoredInstance | None:
        try:
            return self._retrieve.peek(scope) or await self._retrieve.instance(scope)
        except ServerError:
            return None


def page_or_frame(instance: StoredInstance, frame_number: int) -> Shown:
    """A frame, or, as the first one of what has none, its page."""
    has_page = kind_of(instance) in (Kind.DOCUMENT, Kind.REPORT) and frame_number == 1
    return Shown(instance, () if has_page else (frame_number,))


def _has_stand_in(instance: StoredInstance, error: ServerError) -> bool:
    """Whether an icon is shown where a thumbnail could not be made: nobody doubts that the instance is right."""
    kind = kind_of(instance)
    return (kind is Kind.VIDEO and error.reason is Reason.NOT_ACCEPTABLE) or (
        kind is Kind.PRESENTATION_STATE and not FrameIndex.unpack(instance.frames).tag
    )


def _head_size(instance: StoredInstance, frames: FrameIndex) -> int:
    """How much precedes the pixel data in the file; all of it if there are none, or if it is deflated."""
    size = instance.size if frames.deflated or not frames.tag else min(frames.offset, instance.size)
    if size > _LARGEST_HEAD:
        raise ServerError(Reason.TOO_LARGE, f"{size} bytes beside the pixels are more than rendering looks through")
    return size


def animated_frames(instance: StoredInstance, media_type: str) -> tuple[int, ...]:
    """The frames of an animation of all of an instance: every one, or every so many if there are too many."""
    frames = FrameIndex.unpack(instance.frames)
    if media_type not in ANIMATED_TYPES or frames.count <= 1:
        return ()
    size = max(frames.size(1), 1)
    step = max(1, -(-frames.count // _MOST_ANIMATED), -(-frames.count * size // _LARGEST_ANIMATION))
    return tuple(range(1, frames.count + 1, step))
