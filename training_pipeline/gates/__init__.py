"""What the NLU components load: the sentence encoder and the risk classifier."""
