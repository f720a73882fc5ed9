"""The engine `vllm` as a configuration file names it."""

from pathlib import Path

import pytest

from gateway.config import EngineConfig, load_config
from gateway.engines.configured import make_engine
from gateway.errors import ConfigurationError, EngineDown

ENGINE = """
[engine]
kind = "vllm"
url = "http://vllm.internal:8000"
api_key = "${KEY}"
base_model = "base"

[engine.folders]
"store" = "/adapters"
"/srv/more" = "/more"
"""


def test_a_file_names_server_key_and_the_folders_as_the_server_sees_them(tmp_path: Path) -> None:
    file = tmp_path / "pointsman.toml"
    file.write_text(ENGINE)
    engine = load_config(file, {"KEY": "k3y"}).engine
    here = tmp_path.resolve()
    assert engine.base_model == here / "base"
    assert engine.folders == {here / "store": "/adapters", Path("/srv/more"): "/more"}
    assert "k3y" not in repr(engine)
    assert [each.url for each in make_engine(engine, 8).status] == ["http://vllm.internal:8000"]


@pytest.mark.parametrize("left_out", ["url", "base_model"])
def test_server_and_base_model_are_both_needed(tmp_path: Path, left_out: str) -> None:
    file = tmp_path / "pointsman.toml"
    kept = [line for line in ENGINE.splitlines() if not line.startswith(left_out)]
    file.write_text("\n".join(kept))
    with pytest.raises(ConfigurationError, match="needs `url` or `urls`, and `base_model`"):
        load_config(file, {"KEY": "k3y"})


def test_a_file_may_name_several_servers_and_how_patient_to_be(tmp_path: Path) -> None:
    several = 'urls = ["http://one:8000", "http://me:hush-4711@two:8000"]\nreconcile_s = 1.5'
    file = tmp_path / "pointsman.toml"
    text = ENGINE.replace('url = "http://vllm.internal:8000"', several)
    file.write_text(text + "[engine.patience]\nstart_s = 0\nload_s = 90")
    engine = load_config(file, {"KEY": "k3y"}).engine
    assert engine.servers == ("http://one:8000", "http://me:hush-4711@two:8000")
    assert (engine.patience.start_s, engine.patience.load_s, engine.reconcile_s) == (0, 90, 1.5)
    made = make_engine(engine, 8)
    assert [each.url for each in made.status] == ["http://one:8000", "http://two:8000"]
    assert [each.state for each in made.status] == ["starting", "starting"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ('url = "http://a"\nurls = ["http://b"]', "one server is named by `url`, several by"),
        ('urls = ["http://a", "http://b", "http://a"]', "`urls` names a server twice"),
        ('urls = ["vllm:8000"]', "urls.0"),
        ("urls = []", "needs `url` or `urls`"),
        ('url = "http://a"\nreconcile_s = 0', "reconcile_s"),
        ('url = "http://a"\npatience = {connect_s = 0}', "patience.connect_s"),
        ('url = "http://a"\npatience = {wait_s = 1}', "patience.wait_s: unknown key"),
    ],
)
def test_addresses_and_times_that_make_no_sense_are_refused(
    tmp_path: Path, settings: str, reason: str
) -> None:
    file = tmp_path / "pointsman.toml"
    file.write_text(ENGINE.replace('url = "http://vllm.internal:8000"', settings))
    with pytest.raises(ConfigurationError) as refused:
        load_config(file, {"KEY": "k3y"})
    assert reason in str(refused.value)


async def test_a_base_model_folder_without_a_tokenizer_stops_the_start(tmp_path: Path) -> None:
    engine = make_engine(EngineConfig(kind="vllm", url="http://vllm", base_model=tmp_path), 8)
    with pytest.raises(EngineDown, match=r"holds no tokenizer\.json"):
        await engine.start()
    await engine.close()
