"""The sections of the scoreboard, in the order in which they run."""

from collections.abc import Mapping, Sequence

from benchmarks.scoreboard import bodies, connections, keys, pictures
from benchmarks.scoreboard.row import Attack

SECTIONS: Mapping[str, Sequence[Attack]] = {
    "Pictures": pictures.ATTACKS,
    "Bodies": bodies.ATTACKS,
    "Connections": connections.ATTACKS,
    "Keys and pages": keys.ATTACKS,
}
