"""The served version, the answers of /predict and /explain, the trainer process, and its pauses."""
