"""BlendingFrames: which frames of which instances a blending presentation state lays over one another."""

from collections.abc import Awaitable, Callable, Sequence

from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.frames import FrameIndex
from dicomweb_server.dicom.rendering.advanced_blending import BlendingInput, inputs_of
from dicomweb_server.dicom.rendering.blending import Plane, layers_of, nearest, plane_of
from dicomweb_server.dicom.rendering.frame_attributes import frame_attributes
from dicomweb_server.dicom.rendering.presentation_state import (
    ADVANCED_BLENDING_PRESENTATION_STATE,
    BLENDING_PRESENTATION_STATE,
    ReferencedImage,
    referenced_images,
)
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import Scope, StoredInstance
from dicomweb_server.services.retrieve import RetrieveService
from dicomweb_server.services.shown import Kind, Shown, kind_of

_MOST_LOOKED_AT = 1000  # images among which the nearest is looked for, of all inputs together


class BlendingFrames:
    """Finds them among what is stored."""

    def __init__(self, retrieve: RetrieveService, data_set: Callable[[StoredInstance], Awaitable[DataSet]]) -> None:
        """`data_set`: reads the attributes of an instance."""
        self._retrieve = retrieve
        self._data_set = data_set

    async def first(self, state: StoredInstance, data_set: DataSet) -> Shown:
        """What a presentation state shows unless told otherwise; ServerError(NOT_FOUND) if nothing of it is stored."""
        for reference, study_uid in await self._references(state, data_set):
            image = await self._image(study_uid or state.study_uid, reference)
            if image is not None:
                return Shown(image, (reference.frames or (1,))[:1])
        raise ServerError(Reason.NOT_FOUND, "none of the images that the presentation state is for is stored here")

    async def superimposed(self, shown: Shown, state: StoredInstance, data_set: DataSet) -> Shown:
        """The frame that lies nearest to one, of those that a state lays over it."""
        below, above = layers_of(data_set)
        if shown.instance.instance_uid not in {image.instance_uid for image in below.images}:
            raise _not_meant()
        return await self._nearest(shown, above.study_uid or state.study_uid, above.images[:_MOST_LOOKED_AT])

    async def inputs(self, shown: Shown, data_set: DataSet) -> list[tuple[int, Shown]]:
        """A frame of each input of an advanced blending state, that which is to be shown, and tells where, first."""
        inputs = inputs_of(data_set)
        images = {one.number: await self._images_of(one) for one in inputs}
        uid = shown.instance.instance_uid
        base = next((one for one in inputs if uid in {image.instance_uid for image in images[one.number]}), None)
        if base is None:
            raise _not_meant()
        found = [(base.number, shown)]
        for one in inputs:
            if one is not base:
                among = images[one.number][: _MOST_LOOKED_AT // len(inputs)]
                found.append((one.number, await self._nearest(shown, one.study_uid, among)))
        return found

    async def _references(self, state: StoredInstance, data_set: DataSet) -> list[tuple[ReferencedImage, str]]:
        """The images of a state, and the study of each if it names one."""
        if state.sop_class_uid == BLENDING_PRESENTATION_STATE:
            below, _ = layers_of(data_set)
            return [(image, below.study_uid) for image in below.images]
        if state.sop_class_uid == ADVANCED_BLENDING_PRESENTATION_STATE:
            base = inputs_of(data_set)[0]
            return [(image, base.study_uid) for image in await self._images_of(base)]
        return [(image, "") for image in referenced_images(data_set)]

    async def _images_of(self, one: BlendingInput) -> Sequence[ReferencedImage]:
        if one.images:
            return one.images
        try:
            instances = await self._retrieve.instances(Scope(one.study_uid, one.series_uid))
        except ServerError:
            return ()
        return [ReferencedImage(instance.series_uid, instance.instance_uid) for instance in instances]

    async def _nearest(self, shown: Shown, study_uid: str, images: Sequence[ReferencedImage]) -> Shown:
        found: list[Shown] = []
        planes: list[Plane | None] = []
        for reference in images:
            image = await self._image(study_uid, reference)
            if image is None:
                continue
            attributes = await self._data_set(image)
            for number in reference.frames or range(1, FrameIndex.unpack(image.frames).count + 1):
                found.append(Shown(image, (number,)))
                planes.append(plane_of(frame_attributes(attributes, number)))
        if not found:
            raise ServerError(
                Reason.NOT_FOUND, "none of the images that the presentation state superimposes is stored here"
            )
        own = plane_of(frame_attributes(await self._data_set(shown.instance), shown.frames[0]))
        return found[nearest(own, planes) or 0]

    async def _image(self, study_uid: str, reference: ReferencedImage) -> StoredInstance | None:
        scope = Scope(study_uid, reference.series_uid, reference.instance_uid)
        try:
            image = self._retrieve.peek(scope) or await self._retrieve.instance(scope)
        except ServerError:
            return None
        return image if kind_of(image) is Kind.IMAGE else None


def _not_meant() -> ServerError:
    return ServerError(Reason.BAD_REQUEST, "the presentation state blends nothing over this image")
