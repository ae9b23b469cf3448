"""The training data: shuffled batches, synthetic digits, augmentation and corruption."""
