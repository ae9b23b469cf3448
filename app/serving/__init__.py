"""The served version, the answers of /predict, /read and /explain, the trainer process, and its pauses."""
