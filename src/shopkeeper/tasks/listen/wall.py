"""The clock on the wall: which hour of the week it is where the shop lives, summer time included."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SECONDS: Final = 3_600


class WallClock:
    """Tells hours since 1970 in UTC from hours since 1970 by the clock on the wall.

    Args:
        zone: Of the shop. Where it is off by parts of an hour, an hour is the one in which it begins.
    """

    def __init__(self, zone: tzinfo = UTC) -> None:
        self.zone = zone

    def local(self, hours: NDArray[np.int64]) -> NDArray[np.int64]:
        """Hours by the clock on the wall, int64, of hours in UTC; modulo 168 it is the hour of the week, Thursday's first being 0.

        One is left out when summer time begins, one comes twice when it ends.

        >>> from zoneinfo import ZoneInfo
        >>> spring = int(datetime(2026, 3, 29, tzinfo=UTC).timestamp()) // 3600
        >>> (WallClock(ZoneInfo("Europe/Berlin")).local(spring + np.arange(3)) - spring).tolist()
        [1, 3, 4]
        """
        offsets = (datetime.fromtimestamp(hour * _SECONDS, self.zone).utcoffset() for hour in hours.tolist())
        seconds = np.fromiter((offset.total_seconds() if offset else 0.0 for offset in offsets), float, len(hours))
        return hours + np.floor(seconds / _SECONDS).astype(np.int64)
