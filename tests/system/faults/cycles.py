"""What happens around each fault: traffic before it, and afterwards everything up again, carried and looked at."""

from dataclasses import dataclass

from tests.system.faults.invariants import Witness
from tests.system.faults.rig import Rig
from tests.system.faults.traffic import RAW, Traffic


@dataclass
class Cycles:
    """A system, who checks it, and what it is sent."""

    rig: Rig
    witness: Witness
    traffic: Traffic

    def send(self, count: int = 900, rate: int = 300) -> None:
        """Records that nobody but a careless client sends, then a chunk that takes some seconds; the stream runs."""
        self.rig.start_stream()
        self.rig.send_raw(RAW)
        self.rig.produce(self.traffic.lines(count), rate)

    def heal(self, seconds: float = 300) -> None:
        """Start what is down, wait until all is carried, and look at everything."""
        self.rig.start_broker()
        self.rig.start_stream()
        self.rig.deliver()
        self.rig.await_caught_up(seconds)
        self.witness.check()
