"""numpy, Pillow and the codecs, loaded when they are first used: most of what a server does needs none of them.

Whoever needs them imports them from here (a test sees to it), and has `from __future__ import annotations`.
"""

from typing import TYPE_CHECKING

__all__ = ["Image", "ImageCms", "ImageDraw", "ImageFont", "NDArray", "imagecodecs", "jpeg_ls", "np"]

if TYPE_CHECKING:
    import imagecodecs
    import jpeg_ls
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image, ImageCms, ImageDraw, ImageFont
else:
    from dicomweb_server.later import Later

    imagecodecs = Later("imagecodecs")
    jpeg_ls = Later("jpeg_ls")
    np = Later("numpy")
    Image = Later("PIL.Image")
    ImageCms = Later("PIL.ImageCms")
    ImageDraw = Later("PIL.ImageDraw")
    ImageFont = Later("PIL.ImageFont")

    class NDArray:
        """A name for annotations."""

        def __class_getitem__(cls, _item: object) -> type:
            return cls
