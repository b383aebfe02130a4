"""Warning headers: code 299 with the service as agent (PS3.18 §8.4.2)."""

from collections.abc import Sequence


def warning(root: str, *texts: str) -> tuple[bytes, bytes]:
    """One header field with all of the texts; `root`: the URL of the service."""
    return b"warning", ", ".join(_values(root, texts)).encode("latin-1", "replace")


def _values(root: str, texts: Sequence[str]) -> list[str]:
    return [f'299 {root}: "{_quoted(text)}"' for text in texts]


def _quoted(text: str) -> str:
    printable = "".join(letter if letter.isprintable() else "?" for letter in text)
    return printable.replace("\\", "\\\\").replace('"', '\\"')
