"""The formats that this gateway renders, by the name that a manifest gives them."""

from collections.abc import Mapping

from gateway.formats.base import Format, FormatName
from gateway.formats.json import JsonFormat
from gateway.formats.native import NativeFormat

FORMATS: Mapping[FormatName, Format] = {"json": JsonFormat(), "native": NativeFormat()}
