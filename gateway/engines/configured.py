"""The engine that a configuration names."""

from gateway.config import EngineConfig
from gateway.engines.base import Engine
from gateway.engines.scripted import ScriptedEngine
from gateway.errors import ConfigurationError


def make_engine(config: EngineConfig, max_queue: int) -> Engine:
    """The configured engine. Raises ConfigurationError if it is not installed or not configured."""
    if config.kind == "scripted":
        return ScriptedEngine(config.answers)
    if config.kind == "local":
        try:
            from gateway.engines.local import LocalEngine  # an extra: torch is not always here
        except ImportError as exc:
            raise ConfigurationError(
                f"the local engine is not installed ({exc.name}): pip install 'pointsman[local]'"
            ) from exc
        assert config.base_model is not None
        if not (config.base_model / "config.json").is_file():
            raise ConfigurationError(f"engine.base_model: {config.base_model} holds no model")
        return LocalEngine(
            config.base_model,
            device=config.device,
            threads=config.threads,
            max_queue=max_queue,
        )
    if config.kind == "vllm":
        try:
            from gateway.engines.replicas import Replicas  # an extra: tokenizers and jinja2
        except ImportError as exc:
            raise ConfigurationError(
                f"the engine vllm is not installed ({exc.name}): pip install 'pointsman[remote]'"
            ) from exc
        return Replicas.configured(config, max_queue)
    return ScriptedEngine()
