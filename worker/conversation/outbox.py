"""The effects that one step of a call has gathered, and the timers that are running."""

from typing import Any

from worker.conversation.effects import CancelTimer, Effect, SendToModel, SetTimer, Timer


class Outbox:
    """Every part of a call puts its effects here, so that they leave in the order in which they were decided."""

    def __init__(self) -> None:
        self._effects: list[Effect] = []
        self._timers: set[Timer] = set()
        self.connected = False  # to a session that takes events

    def put(self, effect: Effect) -> None:
        self._effects.append(effect)

    def to_model(self, event: dict[str, Any]) -> None:
        """Sends an event, if there is a session; without one there is nothing that it could change.

        What a later session must know is in the transcript, from which it is restored.
        """
        if self.connected:
            self._effects.append(SendToModel(event))

    def set(self, timer: Timer, after_ms: float) -> None:
        self._timers.add(timer)
        self._effects.append(SetTimer(timer, after_ms))

    def cancel(self, timer: Timer) -> None:
        if timer in self._timers:
            self._timers.remove(timer)
            self._effects.append(CancelTimer(timer))

    def is_set(self, timer: Timer) -> bool:
        return timer in self._timers

    def fired(self, timer: Timer) -> bool:
        """Notes that a timer has fired; False if it had been cancelled while it was about to."""
        if timer not in self._timers:
            return False
        self._timers.remove(timer)
        return True

    def take(self) -> list[Effect]:
        """The effects gathered since the last time."""
        effects, self._effects = self._effects, []
        return effects
