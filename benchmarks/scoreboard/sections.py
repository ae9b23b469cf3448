"""The sections of the scoreboard, in the order in which they run."""

from collections.abc import Mapping, Sequence

from benchmarks.scoreboard import (
    bodies,
    connections,
    images,
    keys,
    kills,
    pictures,
    registry,
    requests,
    siege,
    stop,
    trainer,
    training_faults,
)
from benchmarks.scoreboard.row import Attack

SECTIONS: Mapping[str, Sequence[Attack]] = {
    "Pictures": pictures.ATTACKS,
    "Bodies": bodies.ATTACKS,
    "Connections": connections.ATTACKS,
    "Keys and pages": keys.ATTACKS,
    "Requests": requests.ATTACKS,
    "Images": images.ATTACKS,
    "Registry": registry.ATTACKS,
    "Stop": stop.ATTACKS,
    "Training": (*trainer.ATTACKS, *training_faults.ATTACKS),
    "Processes": kills.ATTACKS,
    "Siege": siege.ATTACKS,
}
