"""The number that a caller asks to be called back at. One that is not called is left out, and the model hears why."""

# Loaded when the worker starts. The first call that needed it would hold up all others for as long as that takes.
from shared.escalations.callback_numbers import CallbackRules, NumberRefused
from shared.numbers import numbering_plan  # noqa: F401
from worker.tools import CallContext


class StatedNumber:
    """What the caller has said about the request that is open; `number` is None until they gave one that is called.

    `own_is_called`: the number that they call from may be called back.
    """

    def __init__(self, rules: CallbackRules, info: CallContext) -> None:
        self.number: str | None = None
        self.own_is_called = rules.told(info.caller, info.called) is not None
        self._rules = rules
        self._info = info

    def take(self, said: str | None) -> str | None:
        """Takes what the model passed on; returns why it is refused, in which case the number before it stays."""
        if not said:
            return None
        try:
            self.number = self._rules.stated(said, self._info.caller, self._info.called)
        except NumberRefused as refused:
            return str(refused)
        return None
