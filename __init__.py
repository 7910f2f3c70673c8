"""tile-engine: from whole-slide images to maps of what is in them and where."""

from .version import VERSION as __version__

__all__ = ["__version__"]
