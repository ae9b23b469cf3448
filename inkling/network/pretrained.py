"""The checkpoint that ships with Inkling."""

from pathlib import Path

from inkling.network import checkpoint
from inkling.network.checkpoint import Checkpoint

PRETRAINED = Path(__file__).with_name("pretrained.safetensors")


def load_pretrained() -> Checkpoint:
    """Load and verify the shipped checkpoint."""
    return checkpoint.load(PRETRAINED.read_bytes())
