"""MetadataCodec: DICOM JSON of an instance ↔ a few hundred bytes; the first instance of its series is the dictionary.

A codec belongs to one thread: zstd's contexts must not be shared.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from zstandard import (
    DICT_TYPE_RAWCONTENT,
    FORMAT_ZSTD1_MAGICLESS,
    ZstdCompressionDict,
    ZstdCompressionParameters,
    ZstdCompressor,
    ZstdDecompressor,
    ZstdError,
)

from dicomweb_server.errors import Reason, ServerError

# The blob of the instance whose metadata is the template itself.
SAME_AS_TEMPLATE = b""

_LEVEL = 3
_CONTEXTS_HELD = 32  # a compressor takes 250 kB, a decompressor 65 kB
# As much of a long template as serves for a dictionary.
_DICTIONARY_LIMIT = 64 * 1024

_Context = TypeVar("_Context", ZstdCompressor, ZstdDecompressor)


class MetadataCodec:
    """Compresses and restores metadata; keeps the contexts of the last few templates."""

    def __init__(self, load_template: Callable[[int], bytes]) -> None:
        """`load_template` gives the packed content of a row of `template`."""
        self._load_template = load_template
        self._compressors: OrderedDict[int, ZstdCompressor] = OrderedDict()
        self._decompressors: OrderedDict[int, ZstdDecompressor] = OrderedDict()
        self._plain_compressor = ZstdCompressor(level=_LEVEL)
        self._plain_decompressor = ZstdDecompressor()

    def pack_template(self, document: bytes) -> bytes:
        """What the row of a new template holds; its own instance is stored as `SAME_AS_TEMPLATE`."""
        return self._plain_compressor.compress(document)

    def encode(self, document: bytes, template_id: int) -> bytes:
        """The bytes to store for a document."""
        compressor = self._compressors.get(template_id)
        if compressor is None:
            compressor = self._compressor(template_id)
            _keep(self._compressors, template_id, compressor)
        return compressor.compress(document)

    def decode(self, blob: bytes, template_id: int) -> bytes:
        """The document; ServerError(STORAGE_DAMAGED) if the bytes are not what `encode` gave."""
        try:
            if blob == SAME_AS_TEMPLATE:
                return self._template(template_id)
            decompressor = self._decompressors.get(template_id)
            if decompressor is None:
                decompressor = self._decompressor(template_id)
                _keep(self._decompressors, template_id, decompressor)
            return decompressor.decompress(blob)
        except ZstdError as error:
            raise ServerError(Reason.STORAGE_DAMAGED, "stored metadata cannot be decompressed") from error

    def forget(self) -> None:
        """Drop what belongs to templates: some may have been undone with their transaction, and their ids reused."""
        self._compressors.clear()
        self._decompressors.clear()

    def _template(self, template_id: int) -> bytes:
        return self._plain_decompressor.decompress(self._load_template(template_id))

    def _dictionary(self, template_id: int) -> ZstdCompressionDict:
        return ZstdCompressionDict(self._template(template_id)[:_DICTIONARY_LIMIT], dict_type=DICT_TYPE_RAWCONTENT)

    def _compressor(self, template_id: int) -> ZstdCompressor:
        dictionary = self._dictionary(template_id)
        parameters = ZstdCompressionParameters.from_level(
            _LEVEL,
            source_size=2 * len(dictionary),  # keeps the window, and so the context's memory, small
            dict_size=len(dictionary),
            format=FORMAT_ZSTD1_MAGICLESS,
            write_content_size=True,
            write_checksum=False,
            write_dict_id=False,
        )
        return ZstdCompressor(compression_params=parameters, dict_data=dictionary)

    def _decompressor(self, template_id: int) -> ZstdDecompressor:
        return ZstdDecompressor(dict_data=self._dictionary(template_id), format=FORMAT_ZSTD1_MAGICLESS)


def _keep(contexts: "OrderedDict[int, _Context]", template_id: int, context: _Context) -> None:
    contexts[template_id] = context
    if len(contexts) > _CONTEXTS_HELD:
        contexts.popitem(last=False)
