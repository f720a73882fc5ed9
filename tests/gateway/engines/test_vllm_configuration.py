"""The engine `vllm` as a configuration file names it."""

from pathlib import Path

import pytest

from gateway.app import make_engine
from gateway.config import EngineConfig, load_config
from gateway.engines.vllm import VllmEngine
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
    assert isinstance(make_engine(engine, 8), VllmEngine)


@pytest.mark.parametrize("left_out", ["url", "base_model"])
def test_server_and_base_model_are_both_needed(tmp_path: Path, left_out: str) -> None:
    file = tmp_path / "pointsman.toml"
    kept = [line for line in ENGINE.splitlines() if not line.startswith(left_out)]
    file.write_text("\n".join(kept))
    with pytest.raises(ConfigurationError, match="the engine vllm needs `url`, and `base_model`"):
        load_config(file, {"KEY": "k3y"})


async def test_a_base_model_folder_without_a_tokenizer_stops_the_start(tmp_path: Path) -> None:
    engine = make_engine(EngineConfig(kind="vllm", url="http://vllm", base_model=tmp_path), 8)
    with pytest.raises(EngineDown, match=r"holds no tokenizer\.json"):
        await engine.start()
    await engine.close()
