"""What the contestants answer: one shape for all, so that nobody sends less."""

CONSTANT = (
    b'{"version":1,"predictions":[{"digit":7,"confidence":0.9998,"probabilities":'
    b"[0.00001,0.00001,0.00001,0.00001,0.00001,0.00001,0.00001,0.9998,0.00001,0.00001]}]}"
)
"""As long as a real answer, nearly."""
