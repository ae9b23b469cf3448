"""The version that answers, the answers, and the training beside them."""
