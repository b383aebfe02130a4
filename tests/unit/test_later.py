import pytest

from dicomweb_server.later import Later


def test_stands_for_the_module_and_keeps_what_was_asked_for() -> None:
    import colorsys

    later = Later("colorsys")
    assert later.rgb_to_hsv is colorsys.rgb_to_hsv
    assert "rgb_to_hsv" in vars(later)


def test_what_the_module_has_not() -> None:
    with pytest.raises(AttributeError):
        _ = Later("colorsys").nothing
