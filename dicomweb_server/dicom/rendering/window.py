"""Window: a range of values shown from black to white (PS3.3 §C.11.2.1.2, §C.11.2.1.3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from dicomweb_server.dicom.arrays import NDArray, np

Floats = NDArray["np.float64"]


class Function(Enum):
    """VOI LUT Function (0028,1056)."""

    LINEAR = "LINEAR"
    LINEAR_EXACT = "LINEAR_EXACT"
    SIGMOID = "SIGMOID"


@dataclass(frozen=True, slots=True)
class Window:
    """A centre, a width and how values between the ends become brightness."""

    center: float
    width: float
    function: Function = Function.LINEAR

    @property
    def is_valid(self) -> bool:
        """LINEAR needs a width of 1 or more, the others one above 0 (PS3.3 §C.11.2.1.2.1)."""
        return self.width >= 1 if self.function is Function.LINEAR else self.width > 0

    @property
    def _exact(self) -> tuple[float, float]:
        """Centre and width as those of LINEAR_EXACT."""
        return (self.center - 0.5, self.width - 1) if self.function is Function.LINEAR else (self.center, self.width)

    @property
    def line(self) -> tuple[float, float] | None:
        """Slope and offset of the brightness between its ends; None where that is no line."""
        center, width = self._exact
        if self.function is Function.SIGMOID or width == 0:
            return None
        return 1 / width, 0.5 - center / width

    def brightness(self, values: Floats) -> Floats:
        """0 to 1 for each value."""
        if self.function is Function.SIGMOID:
            exponent = np.clip(-4 * (values - self.center) / self.width, -700, 700)
            return 1 / (1 + np.exp(exponent))
        center, width = self._exact
        if width == 0:
            return (values > center).astype(np.float64)
        return np.clip((values - center) / width + 0.5, 0, 1)


def full_range(low: float, high: float) -> Window:
    """The window that shows everything from the lowest to the highest value."""
    return Window((low + high) / 2, max(high - low, 1e-9), Function.LINEAR_EXACT)
