"""What all settings are made of."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

SERVER_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
_HEADER_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_HEADER_VALUE = r"[\x21-\x7e]([\t\x20-\x7e]*[\x21-\x7e])?|"


class Part(BaseModel):
    """Base of all settings: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _has_a_host(url: str) -> str:
    parts = urlsplit(url)
    if not parts.hostname or parts.port == 0:  # reading a port that is none raises
        raise ValueError("the address names no host")
    return url


def _can_be_sent(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name, value in headers.items():
        if not re.fullmatch(_HEADER_NAME, name):
            raise ValueError(f"{name!r} is no name of a header")
        if not re.fullmatch(_HEADER_VALUE, value.get_secret_value()):
            raise ValueError(f"the value of header {name} is not plain ASCII without line breaks")
    return headers


Url = Annotated[str, Field(pattern=r"^https?://"), AfterValidator(_has_a_host)]
Headers = Annotated[dict[str, SecretStr], AfterValidator(_can_be_sent)]
