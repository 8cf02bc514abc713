"""When each fault and decoy of the synthetic shop happens: a pure function of seed and anchor.

The 24 hours before the anchor hold one fault of every kind and a flash sale, at least 75 minutes apart; a disk fills
across the anchor; before that day one mild fault strikes every 84 hours, after the anchor one a day, without end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from components.telemetry.shop.decoys import decoys, flash_sale
from components.telemetry.shop.effects import Effect, unix
from components.telemetry.shop.faults import LAST_DAY, QUICK, RECIPES, Event, Fault, Push, Recipe
from components.telemetry.shop.noise import draw
from components.telemetry.shop.services import INDEX, SERVICES, callers_of

GAP_MIN = 75.0
_HISTORY_H, _FUTURE_H = 84.0, 24.0
# No fault reaches further than this from the block of time it was drawn for.
_REACH = timedelta(days=6)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Script:
    """The faults and decoys of one seed and anchor."""

    seed: int
    anchor: datetime

    def events(self, start: datetime, end: datetime) -> list[Event]:
        """Everything that is felt anywhere in [start, end), sorted by start."""
        found = [*self.last_day(), self.disk_fill()]
        found += self._blocks(start, end)
        found += decoys(self.seed, self.anchor, start, end)
        felt = [event for event in found if event.fault.start < end and event.fault.end > start]
        return sorted(felt, key=lambda event: (event.fault.start, event.fault.id))

    def last_day(self) -> list[Event]:
        """One event of every kind and a sale, in an order drawn from the seed, never two within 75 minutes."""
        kinds = sorted([*LAST_DAY, "flash_sale"], key=lambda kind: draw(self.seed, "order", kind))
        lasting = [self._minutes(kind, "last") for kind in kinds]
        slack = 24 * 60.0 - 30.0 - sum(lasting) - GAP_MIN * (len(kinds) - 1)
        shares = [draw(self.seed, "slack", kind) for kind in kinds]
        at, events = self.anchor - timedelta(hours=24), []
        for kind, minutes, share in zip(kinds, lasting, shares, strict=True):
            at += timedelta(minutes=slack * share / sum(shares))
            end = at + timedelta(minutes=minutes)
            events.append(
                flash_sale(_second(at), _second(end))
                if kind == "flash_sale"
                else self._fault(kind, "last", at, end, 1.0)
            )
            at = end + timedelta(minutes=GAP_MIN)
        return events

    def disk_fill(self) -> Event:
        """The disk that fills from ten days before the anchor and passes its limit two to three days after it."""
        recipe = RECIPES["disk_fill"]
        service = self._service(recipe, "disk")
        crossing = self.anchor + timedelta(days=2.15 + 0.7 * draw(self.seed, "disk", "crossing"))
        start = self.anchor - timedelta(days=9.5 + draw(self.seed, "disk", "start"))
        end = crossing + timedelta(minutes=self._minutes("disk_fill", "disk"))
        level = SERVICES[INDEX[service]].disk
        # A straight line through the limit at `crossing`, from the ordinary level at `start`.
        amount = (95.0 - level) / (100.0 - level) * ((end - start) / (crossing - start))
        pushes = (*recipe.pushes, Push("disk_fill", amount, 1.0))
        return _event("disk_fill", recipe, service, (start, crossing, end), pushes)

    def _blocks(self, start: datetime, end: datetime) -> Iterator[Event]:
        for prefix, origin, length in (
            ("history", self.anchor - 24 * _HOUR, -_HISTORY_H * _HOUR),
            ("future", self.anchor, _FUTURE_H * _HOUR),
        ):
            nearest, farthest = sorted(((start - _REACH - origin) / length, (end + _REACH - origin) / length))
            for number in range(max(0, int(nearest)), int(farthest) + 1):
                edge = origin + number * length
                yield self._drawn(f"{prefix}{number}", min(edge, edge + length), abs(length), prefix == "history")

    def _drawn(self, block: str, start: datetime, length: timedelta, mild: bool) -> Event:
        kinds = QUICK if mild else LAST_DAY
        kind = kinds[int(draw(self.seed, block, "kind") * len(kinds))]
        at = start + length * (0.1 + 0.7 * draw(self.seed, block, "at"))
        strength = 0.5 + 0.15 * draw(self.seed, block, "strength") if mild else 1.0
        return self._fault(kind, block, at, at + timedelta(minutes=self._minutes(kind, block)), strength)

    def _fault(self, kind: str, block: str, at: datetime, end: datetime, strength: float) -> Event:
        recipe = RECIPES[kind]
        low, high = recipe.lead_h
        start = at - (low + (high - low) * draw(self.seed, block, kind, "lead")) * _HOUR
        if at > self.anchor:  # what the future holds leaves no mark on the past
            start = max(start, self.anchor)
        strength *= 0.9 + 0.2 * draw(self.seed, block, kind, "jitter")
        pushes = tuple(p if p.knob.endswith("_fill") else p._replace(amount=p.amount * strength) for p in recipe.pushes)
        return _event(kind, recipe, self._service(recipe, block + kind), (start, at, end), pushes)._replace(
            strength=strength
        )

    def _service(self, recipe: Recipe, block: str) -> str:
        return recipe.services[int(draw(self.seed, block, "service") * len(recipe.services))]

    def _minutes(self, kind: str, block: str) -> float:
        low, high = RECIPES[kind].minutes if kind in RECIPES else (35.0, 45.0)
        return low + (high - low) * draw(self.seed, block, kind, "minutes")


def _event(
    kind: str, recipe: Recipe, service: str, times: tuple[datetime, datetime, datetime], pushes: tuple[Push, ...]
) -> Event:
    start, acute, end = (_second(instant) for instant in times)
    effects = tuple(
        Effect(push.service or service, push.knob, push.amount, unix(start), unix(end), push.power, push.rise_s)
        for push in pushes
    )
    callers = callers_of(service)
    others = sorted({push.service for push in pushes if push.service} - {service, *callers})
    fault = Fault(
        id=f"{kind}-{service}-{end:%Y%m%dT%H%M}",
        kind=kind,
        service=service,
        metric=recipe.metric,
        start=start,
        end=end,
        cause_kind=recipe.cause_kind,
        acute_start=acute,
        failure_kind=recipe.failure_kind,
        affected=(*callers, *others),
    )
    return Event(fault, effects)


def _second(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(microsecond=0)
