"""A real series as a loop without a seam, and a path inside every bar.

Each recorded bar keeps its open, high, low and close relative to one another. Bars are chained by their returns; the average
drift is taken out of the gaps between bars, so that the last close leads into the first open and prices neither jump at
the loop's end nor run away after many rounds. Inside a bar runs a seeded Brownian bridge that starts at the open, touches the high
and the low, and ends at the close.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from services.sandbox.prices.history import Floats, History

NODES = 5  # straight pieces of the path in one 15-minute step


@dataclass(frozen=True, slots=True)
class Loop:
    """Log prices around 0 (the history's reference).

    path        [steps, NODES + 1]; a step begins where the last one ended, but for the gap between two recorded bars
    high, low   of each step
    dollars     value traded in each step
    """

    history: History
    path: Floats
    high: Floats
    low: Floats
    dollars: Floats

    def __len__(self) -> int:
        return len(self.path)


def make_loop(history: History, seed: int) -> Loop:
    random = np.random.default_rng([seed, zlib.crc32(history.name.encode())])
    level = _levels(history)
    shape = level[:, None] + np.log(np.stack([history.open, history.high, history.low, history.close], axis=1) / history.open[:, None])
    bridged = bridge(shape, history.steps * NODES, random)
    rows = len(bridged)
    # Every step shares its last node with the next one's first.
    columns = np.arange(history.steps)[:, None] * NODES + np.arange(NODES + 1)[None, :]
    path = bridged[:, columns].reshape(rows * history.steps, NODES + 1)
    path -= np.median(path[:, -1])
    return Loop(
        history=history,
        path=np.ascontiguousarray(path),
        high=path.max(axis=1),
        low=path.min(axis=1),
        dollars=_spread(history, random),
    )


def _levels(history: History) -> Floats:
    """Log price of each bar's open in the closed loop; the first is 0."""
    inside = np.log(history.close / history.open)
    gaps = np.zeros(len(inside))
    gaps[1:] = np.log(history.open[1:] / history.close[:-1])
    drift = (inside.sum() + gaps.sum()) / len(inside)
    moves = inside[:-1] + gaps[1:] - drift
    levels: Floats = np.concatenate([[0.0], np.cumsum(moves)])
    return levels


def bridge(shape: Floats, pieces: int, random: np.random.Generator) -> Floats:
    """[bars, pieces + 1] from log [bars, (open, high, low, close)]: ends exact, high and low touched exactly and never passed."""
    open_, high, low, close = shape.T
    t = np.linspace(0.0, 1.0, pieces + 1)
    # A Brownian motion's expected range is about 1.6 of its deviation.
    deviation = np.maximum(high - low, 1e-12) / 1.6
    noise = np.zeros((len(shape), pieces + 1))
    noise[:, 1:] = random.standard_normal((len(shape), pieces)).cumsum(axis=1) * (deviation / np.sqrt(pieces))[:, None]
    x: Floats = open_[:, None] + t * (close - open_)[:, None] + noise - t * noise[:, -1:]
    x[:, 0], x[:, -1] = open_, close
    _stretch(x, np.maximum(open_, close), high)
    # The same from below: a mirrored path has its low where the high was.
    np.negative(x, out=x)
    _stretch(x, np.maximum(-open_, -close), -low)
    np.negative(x, out=x)
    x[:, 0], x[:, -1] = open_, close
    return x


def _stretch(x: Floats, top: Floats, high: Floats) -> None:
    """Scale what is above `top` (the higher of open and close) so that its maximum is `high`; in place."""
    bars = np.arange(len(x))
    inner = x[:, 1:-1]
    peak = inner.argmax(axis=1) + 1
    above = x[bars, peak] - top
    reach = high - top
    scale = np.where(above > 1e-12, reach / np.where(above > 1e-12, above, 1.0), 0.0)
    over = x - top[:, None]
    np.copyto(x, top[:, None] + over * scale[:, None], where=over > 0)
    # A path that never rose above its ends gets its high at its highest inner point.
    x[bars, peak] = np.where(reach > 0, high, x[bars, peak])


def _spread(history: History, random: np.random.Generator) -> Floats:
    """A day's value over its steps: more at the open and the close, as real sessions have it."""
    if history.steps == 1:
        return history.dollars
    u = np.linspace(-1.0, 1.0, history.steps)
    weights = (0.6 + 1.2 * u * u) * random.lognormal(0.0, 0.25, (len(history.dollars), history.steps))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.ravel(weights * history.dollars[:, None])
