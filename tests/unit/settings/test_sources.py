"""Settings from flags, environment and file: precedence, refusal in words, and safety."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from dicomweb_server.settings import OPTIONS, Settings, SettingsError, load
from dicomweb_server.settings.passwords import hash_password, verify_password
from dicomweb_server.settings.sources import is_loopback


def test_defaults_are_safe_to_serve() -> None:
    settings = load().settings
    assert settings == Settings()
    assert settings.host == ("127.0.0.1",)
    assert (settings.http_port, settings.dimse_port) == (8042, 4242)
    assert settings.users == {}


def test_flags_win_over_environment_over_file(tmp_path: Path) -> None:
    config = tmp_path / "server.toml"
    config.write_text('http_port = 1\ndimse_port = 2\nae_title = "FILE"\n')
    environment = {"DICOMWEB_SERVER_DIMSE_PORT": "3", "DICOMWEB_SERVER_AE_TITLE": "ENVIRONMENT"}
    settings = load({"ae_title": "FLAG"}, environment, config).settings
    assert (settings.http_port, settings.dimse_port, settings.ae_title) == (1, 3, "FLAG")


def test_configuration_can_be_named_by_the_environment(tmp_path: Path) -> None:
    config = tmp_path / "server.toml"
    config.write_text("http_port = 77\n")
    assert load(environment={"DICOMWEB_SERVER_CONFIG": str(config)}).settings.http_port == 77


def test_paths_in_a_file_are_relative_to_it(tmp_path: Path) -> None:
    config = tmp_path / "server.toml"
    config.write_text('data = "here"\nindex = "/absolute"\n')
    settings = load(config=config).settings
    assert settings.data == tmp_path / "here"
    assert settings.index == Path("/absolute")


@pytest.mark.parametrize(
    ("variable", "raw", "words"),
    [
        ("HTTP_PORT", "99999", "a whole number from 0 to 65535"),
        ("HTTP_PORT", "eighty", "a whole number from 0 to 65535"),
        ("EPHEMERAL", "maybe", "true or false"),
        ("ON_DUPLICATE", "merge", "one of keep, replace, reject"),
        ("AE_TITLE", "MORE THAN SIXTEEN CHARS", "an AE title"),
        ("MAX_REQUEST_SIZE", "5 parsecs", "bytes from"),
        ("HEADER_TIMEOUT", "-1", "seconds, from"),
        ("HEADER_TIMEOUT", "nan", "seconds, from"),
        ("DICOMWEB_ROOT", "dicom-web/", "a path that starts"),
        ("CORS_ORIGINS", "https://a.example/path", "an origin"),
        ("MODALITIES", "CT1=CT@host", "a table of name"),
        ("UNKNOWN_ALLOW", "store,delete", "one of echo, store"),
        ("EXTRA_ATTRIBUTES", "StudyComments", "level:attribute"),
        ("IMPLEMENTATION_CLASS_UID", "1.02.3", "a UID"),
        ("IMPLEMENTATION_CLASS_UID", "1." + "2" * 63, "a UID"),
        ("IMPLEMENTATION_VERSION_NAME", "LONGER THAN 16 CHARACTERS", "1 to 16"),
    ],
)
def test_wrong_value_is_refused_with_name_value_and_what_is_allowed(variable: str, raw: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environment={"DICOMWEB_SERVER_" + variable: raw})
    message = str(caught.value)
    assert message.startswith(variable.lower())
    assert repr(raw) in message
    assert f"DICOMWEB_SERVER_{variable}" in message
    assert "allowed is" in message
    assert words in message


def test_wrong_value_in_a_file_names_the_file(tmp_path: Path) -> None:
    config = tmp_path / "server.toml"
    config.write_text("http_port = true\n")
    with pytest.raises(SettingsError, match=r"http_port = 'True' from .*server\.toml"):
        load(config=config)


def test_unknown_key_in_a_file_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    config = tmp_path / "server.toml"
    config.write_text("htpp_port = 1\n")
    with pytest.raises(SettingsError, match=r"htpp_port .* is no option; did you mean http_port\?"):
        load(config=config)


def test_unreadable_file_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "server.toml"
    broken.write_text("http_port = \n")
    for path in (broken, tmp_path / "none.toml"):
        with pytest.raises(SettingsError, match="cannot be read"):
            load(config=path)


def test_unknown_variable_is_a_warning_and_those_of_kubernetes_are_nothing() -> None:
    environment = {
        "DICOMWEB_SERVER_HTPP_PORT": "1",
        "DICOMWEB_SERVER_PORT_8042_TCP": "tcp://10.0.0.1:8042",
        "DICOMWEB_SERVER_SERVICE_HOST": "10.0.0.1",
        "OTHER": "x",
    }
    warnings = load(environment=environment).warnings
    assert len(warnings) == 1
    assert "DICOMWEB_SERVER_HTPP_PORT" in warnings[0]
    assert "did you mean DICOMWEB_SERVER_HTTP_PORT?" in warnings[0]


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("max_request_size", "2 GiB", 2 * 2**30),
        ("max_request_size", "1.5GB", 1_500_000_000),
        ("max_request_size", 5_000_000, 5_000_000),
        ("host", "127.0.0.1, ::1", ("127.0.0.1", "::1")),
        ("host", ["127.0.0.1"], ("127.0.0.1",)),
        ("public_url", "", None),
        ("public_url", "https://pacs.example/dicom-web", "https://pacs.example/dicom-web"),
        ("dimse", "off", False),
        ("unknown_allow", "", ()),
        ("log_format", "JSON", "json"),
    ],
)
def test_values_are_read(name: str, raw: object, value: object) -> None:
    assert getattr(load({name: raw}).settings, name) == value


def test_modalities_from_text_and_table(tmp_path: Path) -> None:
    text = load({"modalities": "CT1=CTAE@10.0.0.5:104,MR=MR1@mr.example:11112"}).settings.modalities
    assert (text["CT1"].ae_title, text["CT1"].host, text["CT1"].port) == ("CTAE", "10.0.0.5", 104)
    config = tmp_path / "server.toml"
    config.write_text('[modalities.CT1]\nae_title = "CTAE"\nhost = "10.0.0.5"\nport = 104\nallow = ["store"]\n')
    table = load(config=config).settings.modalities
    assert table["CT1"].allow == ("store",)


@pytest.mark.parametrize(
    "flags",
    [
        {"host": "0.0.0.0"},
        {"host": "127.0.0.1,192.0.2.1"},
        {"host": "::"},
        {"host": "pacs.example"},
        {"insecure_anonymous": "false", "host": "0.0.0.0"},
    ],
)
def test_exposed_server_without_users_is_refused(flags: Mapping[str, object]) -> None:
    with pytest.raises(SettingsError, match="can be reached from other machines, but there are no users"):
        load(flags)


@pytest.mark.parametrize(
    "flags",
    [
        {"host": "0.0.0.0", "insecure_anonymous": "true"},
        {"host": "0.0.0.0", "http": "false"},
        {"host": "localhost"},
        {"host": "127.0.0.2,::1"},
    ],
)
def test_telling_or_loopback_lets_it_serve(flags: Mapping[str, object]) -> None:
    load(flags)


def test_users_let_it_serve_and_only_hashes_are_taken(tmp_path: Path) -> None:
    hashed = hash_password("secret")
    config = tmp_path / "server.toml"
    config.write_text(f'host = ["0.0.0.0"]\n[users]\nalice = "{hashed}"\n')
    users = load(config=config).settings.users
    assert verify_password("secret", users["alice"])
    assert not verify_password("Secret", users["alice"])
    config.write_text('[users]\nalice = "plain-secret"\n')
    with pytest.raises(SettingsError, match="hash-password") as caught:
        load(config=config)
    assert "plain-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "flags",
    [{"tls_key": "key.pem"}, {"tls_client_ca": "ca.pem"}, {"http": "false", "dimse": "false"}],
)
def test_options_that_do_not_go_together_are_refused(flags: Mapping[str, object]) -> None:
    with pytest.raises(SettingsError, match=r"allowed is|need"):
        load(flags)


@pytest.mark.parametrize(("host", "expected"), [("127.8.8.8", True), ("::1", True), ("10.0.0.1", False), ("a", False)])
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_every_option_reads_its_own_default() -> None:
    for option in OPTIONS.values():
        if option.default not in (None, {}) and not isinstance(option.default, dict):
            assert option.kind.read(option.default) == option.default, option.name
