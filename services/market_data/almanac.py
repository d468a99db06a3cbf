"""The exchange's trading days, from the calendar library, in a process of its own.

`python -m services.market_data.almanac` prints them as one JSON object and ends. The library brings pandas: 60 MiB and most of a second
that market_data need not carry all day. Its calendar ends a year ahead, so it is asked again every day.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from services.market_data.sessions import NEW_YORK, Day, Hours
from shared.domain.errors import DataMalformed, SourceUnavailable

EXCHANGE = "XNYS"
PAST, AHEAD = timedelta(days=400), timedelta(days=370)
PATIENCE_SECONDS = 60.0
ROOT = Path(__file__).resolve().parents[2]


def printed(today: date) -> str:
    """Days from 400 days ago to a year ahead, as the library has them; JSON."""
    import exchange_calendars

    calendar = exchange_calendars.get_calendar(EXCHANGE, start=str(today - PAST))
    schedule = calendar.schedule
    days = [
        (str(day.date()), int(row.open.timestamp()), int(row.close.timestamp()))
        for day, row in zip(schedule.index, schedule.itertuples(), strict=True)
    ]
    rules = calendar.regular_holidays
    named = rules.holidays(str(today - PAST), str(today + AHEAD), return_name=True) if rules is not None else {}
    return json.dumps({"days": days, "holidays": {str(day.date()): str(name) for day, name in named.items()}})


def read_almanac(text: str) -> Hours:
    """Raises DataMalformed."""
    try:
        told = json.loads(text)
        days = [Day(date.fromisoformat(day), _utc(opens), _utc(closes)) for day, opens, closes in told["days"]]
        holidays = {date.fromisoformat(day): name for day, name in told["holidays"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataMalformed(f"calendar: expected days and holidays, was {text[:80]!r}: {error}") from None
    if not days:
        raise DataMalformed("calendar: expected trading days, were none")
    return Hours(days, holidays)


async def consult() -> Hours:
    """Asks the library in a child process. Raises SourceUnavailable where it fails, DataMalformed."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=ROOT
    )
    try:
        out, err = await asyncio.wait_for(child.communicate(), PATIENCE_SECONDS)
    except TimeoutError:
        raise SourceUnavailable(f"calendar: no answer in {PATIENCE_SECONDS:g} s") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        last = err.decode(errors="replace").strip().splitlines()[-1:] or ["nothing said"]
        raise SourceUnavailable(f"calendar: the library failed: {last[0][:200]}")
    return read_almanac(out.decode())


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


if __name__ == "__main__":
    sys.stdout.write(printed(datetime.now(NEW_YORK).date()))
