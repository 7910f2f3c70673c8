"""yaml_file: files that users write, as YAML: read within limits, by the safe loader, and written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import SettingsError


def read_limited(path: Path, limit: int, code: str) -> bytes:
    """The bytes of a file. Raises FileNotFoundError, and SettingsError (`code`) for one that is too large or cannot be read."""
    try:
        with path.open("rb") as file:
            text = file.read(limit + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}).", code) from error
    if len(text) > limit:
        raise SettingsError(f"{path} is larger than {limit} bytes, the limit of such a file.", code)
    return text


def yaml_values(text: bytes | str, name: str, code: str) -> dict[str, Any]:
    """The `key: value` lines of a text; messages use `name`. Raises SettingsError (`code`)."""
    import yaml

    try:
        raw: Any = yaml.safe_load(text) or {}
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise SettingsError(f"{name} is not valid YAML: {' '.join(str(error).split())}", code) from error
    if not isinstance(raw, dict):
        raise SettingsError(f"{name} holds a {type(raw).__name__} and no `key: value` lines.", code)
    return {str(key): value for key, value in raw.items()}


def yaml_text(values: Mapping[str, Any]) -> str:
    """Values as YAML, in their order."""
    import yaml

    return str(yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True, default_flow_style=None, width=120))
