"""Options: how somebody wants something to be rendered (PS3.18 §8.3.5), in values that were checked."""

from dataclasses import dataclass, field
from enum import Enum

from dicomweb_server.dicom.rendering.icc_profile import ColourSpace
from dicomweb_server.dicom.rendering.window import Window

DEFAULT_QUALITY = 90


class Annotation(Enum):
    """What may be written into an image (PS3.18 §8.3.5.1.1)."""

    PATIENT = "patient"
    TECHNIQUE = "technique"


@dataclass(frozen=True, slots=True)
class Region:
    """A part of an image: of its pixels, or, if `relative`, of its size (0 to 1). None: up to its edge."""

    left: float = 0.0
    top: float = 0.0
    width: float | None = None
    height: float | None = None
    relative: bool = False


@dataclass(frozen=True, slots=True)
class Viewport:
    """The largest size of the result, in which the region is shown as large as it fits; None: as large as it is.

    `flip_x`: left and right change places.
    """

    width: int | None = None
    height: int | None = None
    region: Region = field(default_factory=Region)
    flip_x: bool = False
    flip_y: bool = False
    smooth: bool = True


@dataclass(frozen=True, slots=True)
class RenderingOptions:
    """All of them. `window` None: as the image itself says. `square_pixels`: made so where they are not."""

    viewport: Viewport = field(default_factory=Viewport)
    window: Window | None = None
    quality: int = DEFAULT_QUALITY
    annotations: tuple[Annotation, ...] = ()
    colour_space: ColourSpace = ColourSpace.AS_IT_IS
    overlays: bool = False
    bits: int = 8
    square_pixels: bool = True
