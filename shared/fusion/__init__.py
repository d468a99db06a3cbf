"""From engines' views to one decision: configured weights, renormalised over those who spoke; hysteresis; reasons in words. Pure.

`decide` makes the Decision fact; `fuse` is the arithmetic under it; `reduces` says whether an action takes exposure off.
"""

from shared.fusion.decide import decide, reduces, standing_action
from shared.fusion.fuse import Fused, View, fuse
from shared.fusion.settings import FusionSettings

__all__ = ["Fused", "FusionSettings", "View", "decide", "fuse", "reduces", "standing_action"]
