"""A call's sockets to the model, those that nobody has taken among them."""

from local.model import SimulatedModel
from tests.worker.conftest import worker_settings
from tests.worker.dialogue import profile
from worker.effects import SpareOpened
from worker.model_line import ModelLine
from worker.tools import CallInfo


async def test_a_spare_that_came_too_late() -> None:
    """A spare socket that was still being opened when it was needed is closed when the next one is there."""
    fed: list[object] = []
    async with SimulatedModel() as model:
        settings = worker_settings("table", "queue", model.url)
        line = ModelLine(settings, profile(), CallInfo("CA1", "+15550000001", "+15550000002", "en"), fed.append)
        await line.open_spare()
        await line.open_spare()
        first, second = await model.session(), await model.session(2)
        await first.wait_closed()
        assert second.close_code is None
        await line.close()
        await second.wait_closed()
    assert fed == [SpareOpened(), SpareOpened()]
