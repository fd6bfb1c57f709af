"""The callback number that a caller states. A number that we do not call is left out, and the model is told why."""

# `numbering_plan` is imported at startup: loading it during a call would delay all calls of this worker.
from shared.escalations.callback_numbers import CallbackRules, NumberRefused
from shared.numbers import numbering_plan  # noqa: F401
from worker.tools import CallContext


class StatedNumber:
    """The callback number for the open escalation; `number` is None until the caller states one that we may call.

    `own_is_called`: the number that the caller calls from may be called back.
    """

    def __init__(self, rules: CallbackRules, context: CallContext) -> None:
        self.number: str | None = None
        self.own_is_called = rules.told(context.caller, context.called) is not None
        self._rules = rules
        self._context = context

    def take(self, said: str | None) -> str | None:
        """Takes a number as the model passed it on. If it is refused, returns why and keeps the earlier number."""
        if not said:
            return None
        try:
            self.number = self._rules.stated(said, self._context.caller, self._context.called)
        except NumberRefused as refused:
            return str(refused)
        return None
