"""Invalid rates, folders and ports are refused at start; the error names the setting."""

import os
from pathlib import Path

import pytest

from pigwav.errors import NotConfigured
from pigwav.port_range import read_port_range
from pigwav.settings import DiskSettings, read_settings

RATES = [
    "PIGWAV_RATE_REQUESTS_PER_ADDRESS",
    "PIGWAV_RATE_REQUESTS_PER_USER",
    "PIGWAV_RATE_UPLOADS_PER_USER",
    "PIGWAV_RATE_REGISTRATIONS_PER_ADDRESS",
]


@pytest.mark.parametrize("name", RATES)
@pytest.mark.parametrize("text", ["60/fortnight", "60", "10/second;5/minute", "0/day"])
def test_a_malformed_rate_names_its_setting_and_itself(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(NotConfigured, match=rf"^{name}: '.*(is not a rate|longer window).*\.$") as raised:
        read_settings()
    assert text in str(raised.value)


@pytest.mark.parametrize("text", ["20000", "2-1", "0-5", "1-65536", "a-b", "1-2-3", "-5"])
def test_a_malformed_range_of_ports_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PIGWAV_EMBEDDED_PORTS", text)
    with pytest.raises(NotConfigured, match=r"^PIGWAV_EMBEDDED_PORTS: '.*is not a range of ports.*\.$"):
        read_settings()


def test_a_range_of_ports_has_both_its_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIGWAV_EMBEDDED_PORTS", " 20000 - 20009 ")

    assert [*read_port_range(read_settings().embedded_ports)] == [*range(20000, 20010)]


def test_a_range_without_room_for_the_embedded_s3_server_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIGWAV_EMBEDDED_PORTS", "20000-20008")
    with pytest.raises(
        NotConfigured, match=r"^PIGWAV_EMBEDDED_PORTS: '20000-20008' has fewer than the 10 ports"
    ):
        read_settings()


def test_rates_are_off_unless_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in RATES:
        monkeypatch.delenv(name, raising=False)

    assert {*read_settings().rates.model_dump().values()} == {""}


def test_folders_are_separated_as_in_path(tmp_path: Path) -> None:
    folders = [tmp_path / "a, b", tmp_path / "данные"]
    for folder in folders:
        folder.mkdir()
    disk = DiskSettings.model_validate({"folders": os.pathsep.join(map(str, folders))})

    assert disk.paths() == tuple(folders)
    assert DiskSettings.model_validate({"folders": ""}).paths() == ()


def test_a_folder_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    disk = DiskSettings.model_validate({"folders": str(tmp_path / "nowhere")})
    with pytest.raises(NotConfigured, match=r"PIGWAV_DISK_FOLDERS.*nowhere\.$"):
        disk.paths()
