"""The notation of rates: `60/minute`, or several, `10/second;300/minute`."""

import re
from typing import Final

from pyrate_limiter import Duration, Rate, validate_rate_list

_RATE: Final = re.compile(
    r"([1-9][0-9]{0,8}) */ *(?:([1-9][0-9]{0,3}) *)?(second|minute|hour|day)s?", re.ASCII | re.IGNORECASE
)


def read_rates(text: str) -> list[Rate]:
    """Parses `10/second;300/minute` or `5/10 minutes`. Returns the shortest window first; an empty text has no rates.

    Raises ValueError with the reason.
    """
    parts = [part.strip() for part in re.split("[;,]", text)] if text.strip() else []
    rates = sorted(map(_rate, parts), key=lambda rate: rate.interval)
    if rates and not validate_rate_list(rates):
        raise ValueError(f"{text!r}: a longer window must allow more in total, and not more per second")
    return rates


def _rate(text: str) -> Rate:
    found = _RATE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a rate; write it as 60/minute or 10/second;300/minute")
    return Rate(int(found[1]), int(found[2] or 1) * Duration[found[3].upper()])
