"""The bearer keys that a gateway knows, from wherever they are kept."""

import os
from collections.abc import Mapping
from pathlib import Path

from gateway.config import AuthConfig
from gateway.errors import ConfigurationError
from gateway.faces.parts import Keys


def read_keys(config: AuthConfig, environ: Mapping[str, str] = os.environ) -> Keys:
    """Bearer keys from the configuration, the environment and the keys file together.

    The environment names `POINTSMAN_AGENT_KEYS` and `POINTSMAN_ADMIN_KEYS`, each a list with
    commas; a line of the file is `agent KEY` or `admin KEY`.

    Raises:
        ConfigurationError: the file cannot be read or has another line.
    """
    found: dict[str, list[str]] = {
        "agent": [key.get_secret_value() for key in config.agent_keys],
        "admin": [key.get_secret_value() for key in config.admin_keys],
    }
    for scope, keys in found.items():
        listed = environ.get(f"POINTSMAN_{scope.upper()}_KEYS", "")
        keys += [key.strip() for key in listed.split(",") if key.strip()]
    if config.keys_file is not None:
        for scope, key in _lines(config.keys_file):
            found[scope].append(key)
    return Keys(tuple(found["agent"]), tuple(found["admin"]))


def _lines(file: Path) -> list[tuple[str, str]]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as exc:
        raise ConfigurationError(f"auth.keys_file {file}: {exc.strerror}") from exc
    except ValueError as exc:
        raise ConfigurationError(f"auth.keys_file {file}: not UTF-8 text") from exc
    found: list[tuple[str, str]] = []
    for number, line in enumerate(lines, 1):
        scope, _, key = line.strip().partition(" ")
        if not scope or scope.startswith("#"):
            continue
        if scope not in ("agent", "admin") or not key.strip():
            raise ConfigurationError(f"{file}:{number}: a line is `agent KEY` or `admin KEY`")
        found.append((scope, key.strip()))
    return found
