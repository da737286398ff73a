"""A hook that pulls the plug, for tests of runs that go on where they were cut."""

from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import Run


class Cut(Hook):
    """Ends the run after so many steps, before their state is written."""

    def __init__(self, after: int) -> None:
        self.after = after

    def step(self, run: Run) -> None:
        """Raise."""
        if run.step == self.after:
            raise ConnectionAbortedError
