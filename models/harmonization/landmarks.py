"""landmarks: piecewise linear intensity standardisation by deciles (Nyul & Udupa 1999; Nyul, Udupa & Zhang 2000).

```text
volume:    p1   p10   p20  ...  p90   p99        its own landmarks
            |     |     |         |     |        straight pieces between them; the first and last continue beyond
target:    m1   m10   m20  ...  m90   m99        mean landmarks of the target's volumes
```
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .quantiles import Array, MaskedVolume, Transform, mapped, mean_quantile_function, quantile_function

LANDMARKS = np.array([0.01, *np.arange(0.1, 0.95, 0.1), 0.99])
"""Levels of the landmarks; the ends leave out the tails, which noise and vessels decide."""


def fit_landmarks(source: Iterable[MaskedVolume], target: Iterable[MaskedVolume]) -> Transform:
    """Learn the target's mean landmarks; the transform maps each volume's own landmarks to them.

    No value becomes lower than the target's lowest, on average.
    """
    lowest, *standard = mean_quantile_function(target, np.array([0.0, *LANDMARKS]))

    def transform(values: Array, mask: Array) -> Array:
        own = quantile_function(values, mask, LANDMARKS)
        return mapped(values, mask, (own, np.array(standard)), extend=True, lowest=lowest)

    return transform
