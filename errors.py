"""The one tree of errors, importable from every room because it imports nothing.

```text
TileEngineError            exit   what a caller does about it
├── SettingsError             2   change a setting, a path or a plan
├── SlideError                3   one slide is rejected, the others go on (E_NO_MPP, E_EMPTY, ...)
│   └── TileError             3   one tile of it could not be decoded: it is masked and counted
├── NoInputError              4   nothing usable to work on
├── MachineError              5   disk, memory, versions, devices
├── LockedError               6   another run owns this folder
├── CorruptError              7   what was stored is not what was written
└── UnfinishedError          75   run the same command again
```

Every error carries a reason `code`; its text says what, with both values, why it matters and what to do.
"""

from __future__ import annotations


class TileEngineError(Exception):
    """What every deliberate failure of tile-engine is; `code` is for programs, the text for people."""

    exit_status = 1
    code = "E_TILE_ENGINE"

    def __init__(self, message: str, code: str | None = None) -> None:
        # names and metadata of foreign files may hold halves of characters, which no terminal and no file takes
        message = message.encode("utf-8", "backslashreplace").decode()
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code

    def __reduce__(self) -> tuple[type[TileEngineError], tuple[str, str]]:
        """Errors cross process borders: keep the code."""
        return type(self), (self.message, self.code)


class SettingsError(TileEngineError):
    """A setting, a path or a plan that cannot work; refused before any work."""

    exit_status = 2
    code = "E_SETTINGS"


class SlideError(TileEngineError):
    """One slide cannot be used; the run goes on without it and records why."""

    exit_status = 3
    code = "E_UNREADABLE"


class TileError(SlideError):
    """Some pixels of a slide cannot be decoded, even from a fresh handle."""

    code = "E_BAD_TILE"


class NoInputError(TileEngineError):
    """There is nothing usable to work on."""

    exit_status = 4
    code = "E_NO_INPUT"


class MachineError(TileEngineError):
    """The machine cannot do what was asked: disk, memory, versions, devices."""

    exit_status = 5
    code = "E_MACHINE"


class LockedError(TileEngineError):
    """Another run owns the output folder."""

    exit_status = 6
    code = "E_LOCKED"


class CorruptError(TileEngineError):
    """What is stored is not what was written."""

    exit_status = 7
    code = "E_CORRUPT"


class UnfinishedError(TileEngineError):
    """Work stopped early but is safe; the same command goes on."""

    exit_status = 75
    code = "E_UNFINISHED"
